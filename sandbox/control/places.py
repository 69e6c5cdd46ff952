"""Where bytes lie inside the domain. One folder per agreement and scenario, so that an end can be proven.

::

    <vault>/agreements/<agreement>/<scenario>/quarantine   supplies as delivered
                                              raw          snapshots
                                              primary      primary products
                                              tokens       token vaults, encrypted once more
                                              staging      outputs of jobs
                                              log          what jobs printed, sealed
                                              sealed       answers under differential privacy
                                              review       canonical files, as they would leave
                                              answers      tokens led back, for the one who asked
                                              keys         pseudonym keys
                                              assembled    folders made of links, as inputs of a task
    <vault>/agreements/Ledger/releases/cells               the release ledger: entity sets of released cells
    <vault>/scratch/tasks                                  the executor's
    <vault>/scratch/assembled                              the same, of what comes from tasks

The vault encrypts each workspace with a key of its own (``sandbox.vault``), and so the scratch. What has left
is not here: only the gate knows that folder.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.store.blobs import PART, Blobs, sync_folder
from sandbox.vault import AtRest

ASSEMBLED = "assembled"
# The release ledger belongs to no agreement and outlives them all: people have seen what was released. It is
# a workspace like another (capital letters: no agreement can be called so), with a key of its own.
LEDGER = ("Ledger", "releases")


class Places:
    """The folders in ``vault``, which is unlocked when the first of them is asked for."""

    def __init__(self, vault: AtRest) -> None:
        self.vault = vault
        self.agreements = vault.root / "agreements"

    @property
    def tasks(self) -> Path:
        """The executor's folder."""
        return self.vault.scratch() / "tasks"

    @property
    def assembled(self) -> Path:
        """Where inputs are assembled that come from no single workspace."""
        return self.vault.scratch() / ASSEMBLED

    def scenarios(self) -> list[tuple[str, str]]:
        """The agreements and scenarios that have a folder."""
        self.vault.unlock()
        found = (path for path in self.agreements.glob("*/*") if not path.name.startswith("."))
        return sorted((path.parent.name, path.name) for path in found)

    def drop_parts(self, agreement: str, scenario: str, seconds: float) -> None:
        """Remove files half written by a process that died, untouched for ``seconds``."""
        for folder in self._workspace(agreement, scenario).glob("*"):
            Blobs(folder).drop_parts(seconds)

    def blobs(self, agreement: str, scenario: str, what: str) -> Blobs:
        """One content-addressed folder of a scenario's workspace (R-097: nothing is shared between two)."""
        workspace = self._workspace(agreement, scenario)
        return Blobs(workspace / what, ready=lambda: self.vault.open(f"{agreement}/{scenario}"))

    def _workspace(self, agreement: str, scenario: str) -> Path:
        """The folder of a scenario: readable if it is there, and not made only because somebody looks."""
        self.vault.unlock()
        folder = self.vault.folder(f"{agreement}/{scenario}")
        return self.vault.open(f"{agreement}/{scenario}") if folder.is_dir() else folder

    def ledger(self) -> Blobs:
        """The release ledger's files, by hash."""
        return self.blobs(*LEDGER, "cells")

    def ledger_key(self) -> str:
        """The hex of the key that entities are numbered with, the same for every release of the space."""
        return self.key(*LEDGER, "entities")

    def key(self, agreement: str, scenario: str, name: str) -> str:
        """The hex of a 256-bit key of this workspace, made when first asked for; it dies with it."""
        folder = self.vault.open(f"{agreement}/{scenario}") / "keys"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / hashlib.sha256(name.encode()).hexdigest()[:32]  # the name is the recipe's to choose
        if path.exists():  # whole, as it is linked only once it is
            return path.read_text()
        part = folder / f"{PART}{secrets.token_hex(8)}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # atomic: the first one to arrive decides
        except FileExistsError:
            pass
        finally:
            part.unlink()
        sync_folder(folder)
        return path.read_text()

    def assemble(self, task: str, name: str, files: Mapping[str, Path]) -> Path:
        """A folder ``name`` for the input of ``task``: hard links where source and folder have one key, else
        copies (a file has one key only). It stands where the fewest bytes are copied."""

        def fill(folder: Path) -> None:
            for file, source in files.items():
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                try:
                    os.link(source, target)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    shutil.copyfile(source, target)
                    target.chmod(0o644)

        return self._once(task, name, fill, self._home_of(files.values()))

    def _home_of(self, sources: Iterable[Path]) -> Path:
        """The folder of assemblies under the key of most of the bytes of ``sources``."""
        weights: dict[Path, int] = {}
        for source in sources:
            inside = source.is_relative_to(self.agreements)
            workspace = (
                self.agreements.joinpath(*source.relative_to(self.agreements).parts[:2]) if inside else None
            )
            home = workspace / ASSEMBLED if workspace else self.assembled
            weights[home] = weights.get(home, 0) + (source.stat().st_size if source.is_file() else 0)
        return max(weights, key=lambda home: weights[home], default=self.assembled)

    def write(self, task: str, name: str, texts: Mapping[str, str]) -> Path:
        """A folder ``name`` of small text files (a developer's code) for the input of ``task``."""

        def fill(folder: Path) -> None:
            for file, text in texts.items():
                # the names are the developer's; the door holds them to plain ones
                if Path(file).name != file or file in ("", ".."):
                    raise fail("MALFORMED", what="code", why="not a plain file name")
                (folder / file).write_text(text, encoding="utf-8")

        return self._once(task, name, fill, self.assembled)

    def _once(self, task: str, name: str, fill: Callable[[Path], None], home: Path) -> Path:
        """The folder is there whole or not at all, and is never touched again: after a crash the container
        that has it mounted may still run."""
        for known in self._assembled():
            if (known / task / name).is_dir():
                return known / task / name
        folder = home / task / name
        part = home / task / f"{PART}{secrets.token_hex(8)}"
        part.mkdir(parents=True, mode=0o755)
        try:
            fill(part)
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another worker was first, with the same content
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def assemblies(self) -> list[str]:
        """The tasks that something was assembled for."""
        return sorted({path.name for home in self._assembled() for path in home.iterdir()})

    def forget(self, task: str) -> None:
        """Remove what was assembled for a task."""
        for home in self._assembled():
            shutil.rmtree(home / task, ignore_errors=True)

    def _assembled(self) -> list[Path]:
        """Every folder of assemblies that there is."""
        homes = (self.assembled, *self.agreements.glob(f"[!.]*/[!.]*/{ASSEMBLED}"))
        return [home for home in homes if home.is_dir()]

    def inventory(self, agreement: str) -> list[dict[str, Any]]:
        """Every file kept under an agreement: scenario, kind of place, name (a hash), bytes. The wrapped keys
        of its workspaces are among them, as keys."""
        self.vault.unlock()
        folder = self.agreements / agreement
        files = [
            {
                "scenario": path.relative_to(folder).parts[0],
                "place": path.relative_to(folder).parts[1],
                "name": path.name,
                "bytes": path.stat().st_size,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        wrapped = [
            {"scenario": scenario, "place": "keys", "name": record.name, "bytes": record.stat().st_size}
            for scenario in self.vault.scenarios(agreement)
            if (record := self.vault.record(f"{agreement}/{scenario}")) is not None
        ]
        return files + wrapped

    def destroy(self, agreement: str) -> None:
        """Destroy the keys of an agreement's workspaces, so that no copy of their bytes can be read, and
        remove the bytes. Pseudonym keys are overwritten first, for a space that rests in plain."""
        self.vault.unlock()
        for scenario in self.vault.scenarios(agreement):
            for key in self.vault.folder(f"{agreement}/{scenario}").glob("keys/*"):
                key.write_bytes(b"\0" * key.stat().st_size)
            self.vault.destroy(f"{agreement}/{scenario}")
