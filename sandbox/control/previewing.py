"""A recipe tried on made-up rows, in a container of its own, for whoever writes it at the console.

The one task that a server orders itself and waits for: it has no input, so no row of data is near it. Few at
once, for a short time, noted in the audit log, and nothing of it stays.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import Field as Bound
from pydantic import ValidationError

from sandbox.control import codes, reports  # noqa: F401
from sandbox.control.door import Control
from sandbox.core.actor import Actor
from sandbox.core.errors import Invalid, SandboxError, Unavailable, fail
from sandbox.core.lifecycle import Model
from sandbox.desensitize import codes as recipe_codes  # noqa: F401
from sandbox.desensitize.recipe import Recipe, Rules
from sandbox.executor.contract import Executor, Limits, Outcome, Task, TaskKind
from sandbox.executor.guarantees import admit

MADE, SHOWN = 60, 8  # rows made up, and cells of a column that are shown
SECONDS = 20.0
LIMITS = Limits(
    seconds=SECONDS,
    memory_bytes=1 << 30,
    cpus=1.0,
    pids=128,
    output_bytes=4 << 20,
    output_files=4,
    tmp_bytes=64 << 20,
)
OF_ORGANISATION, OF_SERVER = 1, 3  # at once
LABEL = "sandbox.preview"
STALE_SECONDS = 10 * SECONDS  # older: whoever waited for it is gone
LEVEL = 1  # of made-up rows
# refusals that are about the recipe itself, and say no more than it
OF_RECIPE = frozenset({"FIELD_SECRET", "IDENTIFIERS_REMAIN", "PI_NOT_DESENSITISED", "TRANSFORM_REQUIRED"})


class Column(Model):
    """A column of the product: cells made up, and what the recipe makes of them; None: empty."""

    name: str = Bound(max_length=200)
    source: str = Bound(max_length=200)
    transforms: tuple[str, ...] = Bound(max_length=100)
    before: tuple[str | None, ...] = Bound(max_length=SHOWN)
    after: tuple[str | None, ...] = Bound(max_length=SHOWN)


class Previewed(Model):
    """``aligned``: the cells of both sides are of the same rows."""

    aligned: bool
    columns: tuple[Column, ...] = Bound(max_length=2000)


class Previews:
    """``executor`` gives the executor for tasks below a folder, or is None where a server may start none."""

    def __init__(
        self, control: Control, root: Callable[[], Path], executor: Callable[[Path], Executor] | None
    ) -> None:
        self.control = control
        self._root, self._make = root, executor
        self._executor: Executor | None = None
        self._guard = threading.Lock()
        self._now: Counter[str] = Counter()

    @property
    def possible(self) -> bool:
        """Whether there is an executor to ask at all."""
        return self._make is not None

    def preview(
        self,
        actor: Actor,
        about: str,
        described: Mapping[str, Any],
        recipe: Recipe,
        fields: Sequence[Mapping[str, Any]],
        entity: str | None,
        rules: Rules,
    ) -> Previewed:
        """``described`` is the checked ``recipe`` as it was written; ``about`` (kind/id) is what the log says
        it is for. Raises PREVIEW_UNAVAILABLE, PREVIEW_BUSY, PREVIEW_FAILED, and what a run of the recipe
        raises; every refusal is noted."""
        told: dict[str, Any] = {"recipe_sha256": recipe.sha256, "columns": len(fields)}
        try:
            params = {
                "recipe": dict(described),
                "fields": [dict(field) for field in fields],
                "entity": entity,
                "rules": rules.model_dump(mode="json"),
                "rows": MADE,
                "shown": SHOWN,
                "seed": secrets.randbelow(1 << 31),
            }
            with self._place(actor.organisation) as executor:
                outcome = self._run(executor, actor.organisation, params)
            found = _read(outcome)
        except SandboxError as error:
            self.control.note(actor, "preview-recipe", about, reason=error.code, **told)
            raise
        self.control.note(actor, "preview-recipe", about, **told)
        return found

    @contextmanager
    def _place(self, organisation: str) -> Iterator[Executor]:
        """The executor, while there is room for one more. Raises PREVIEW_UNAVAILABLE, PREVIEW_BUSY."""
        if self._make is None:
            raise fail("PREVIEW_UNAVAILABLE", cause="SANDBOX_EXECUTOR")
        with self._guard:
            if self._now[organisation] >= OF_ORGANISATION or self._now.total() >= OF_SERVER:
                raise fail("PREVIEW_BUSY")
            self._now[organisation] += 1
        try:
            with _reachable():
                with self._guard:
                    self._executor = self._executor or self._make(self._root())
                self._sweep(self._executor)
                # other processes of this server have counters of their own
                others = self._executor.running(LABEL, organisation)
            if len(others) >= OF_ORGANISATION:
                raise fail("PREVIEW_BUSY")
            yield self._executor
        finally:
            with self._guard:
                self._now[organisation] -= 1
                self._now += Counter()

    def _run(self, executor: Executor, organisation: str, params: dict[str, Any]) -> Outcome:
        """The task's outcome; nothing of it is left, however it ends."""
        name = f"preview-{int(time.time())}-{secrets.token_hex(6)}"
        with _reachable():
            try:
                task = Task(
                    id=name,
                    kind=TaskKind.PREVIEW,
                    image=executor.image("check"),
                    params=params,
                    limits=LIMITS,
                    labels={LABEL: organisation},
                    level=LEVEL,
                    runtime=admit(executor, self.control.policy, LEVEL),
                )
                return executor.run(task)
            finally:
                executor.discard(name)

    @staticmethod
    def _sweep(executor: Executor) -> None:
        """Discard what a server left that was killed while it waited."""
        for name in executor.known():
            begun = name.split("-")[1] if name.startswith("preview-") else ""
            if begun.isdigit() and time.time() - int(begun) > STALE_SECONDS:
                executor.discard(name)


def at_once(root: Path) -> Executor:
    """The executor of this machine for what somebody waits for. Raises PREVIEW_UNAVAILABLE where tasks queue
    on a cluster, EXECUTOR_UNKNOWN."""
    from sandbox.executor.choose import (
        executor_for,
        wanted,
    )  # the engine's client: not before it is asked for

    if wanted() == "slurm":
        raise fail("PREVIEW_UNAVAILABLE", cause="slurm")
    return executor_for(root)


@contextmanager
def _reachable() -> Iterator[None]:
    """What an executor cannot do on this machine is told in one word to whoever asked for a preview."""
    try:
        yield
    except (Unavailable, Invalid) as error:
        if error.code == "PREVIEW_UNAVAILABLE":
            raise
        raise fail("PREVIEW_UNAVAILABLE", cause=error.code) from error
    except OSError as error:
        raise fail("PREVIEW_UNAVAILABLE", cause=type(error).__name__) from error


def _read(outcome: Outcome) -> Previewed:
    """The report, believed no further than its form. Raises the recipe's own refusals, PREVIEW_FAILED."""
    code = reports.code_of(outcome)
    if not reports.good(outcome):
        if code.startswith("RECIPE_") or code in OF_RECIPE:
            with suppress(KeyError):  # of a code that is not one, or details that are not its own
                raise fail(code, **reports.closed(outcome.report.get("details")))
        raise fail("PREVIEW_FAILED", cause=code, seconds=int(SECONDS))
    try:
        return Previewed.model_validate(
            {name: value for name, value in outcome.report.items() if name in Previewed.model_fields}
        )
    except (ValidationError, RecursionError):
        raise fail("PREVIEW_FAILED", cause=reports.UNREADABLE, seconds=int(SECONDS)) from None
