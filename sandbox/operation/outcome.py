"""How a job ended: what is kept of it, and what its submitter may know (invariant 5, R-117).

Kept are the executor's facts and closed words. Shown are which of a few kinds of end it was, the signal or
the limit by its word, the error's class with file and line of the submitter's own code, and a step of the
duration. The sealed log is a hash here; its bytes lie in the place ``log`` of the workspace.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field as Bound

from sandbox.core.coarse import duration
from sandbox.core.lifecycle import Model
from sandbox.core.resource import Resource
from sandbox.task.classes import LIMITS, SIGNALS, UNNAMED

# refusals of a question's room; each follows from the query and the catalogue, never from a row
DP_CODES = frozenset({"DP_QUERY", "DP_COLUMN", "DP_NOISE", "DP_SOURCE"})
# and of its steps: from other jobs and from the grant
DP_WORDS = DP_CODES | {"DP_LOST", "DP_VIEW_CHANGED"}
CODE_FILE = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,62}\.[A-Za-z0-9]{1,8}$"  # a plain name: it is written as a file


class Mistake(Model):
    """The developer's own error: one word for its class, and where in their own code."""

    class_: str = Bound(alias="class", pattern="^[A-Za-z_]{1,64}$")
    line: int | None = None
    file: str = Bound(pattern=f"{CODE_FILE}|^$")

    model_config = Model.model_config | {"populate_by_name": True, "serialize_by_alias": True}


class LogFile(Model):
    """The sealed log in the workspace."""

    sha256: str = Bound(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Bound(ge=0)


class Viewed(Model):
    """The isolation of the task that made the granted view, for this job or an earlier one on the grant."""

    config_sha256: str = ""
    isolation: dict[str, Any] = Bound(default_factory=dict)


class Ran(Model):
    """How the container ended, in closed vocabulary; ``error`` is the developer's own mistake."""

    end: str
    error: Mistake | None = None
    seconds: float
    timing: dict[str, float] = Bound(default_factory=dict)
    config_sha256: str = ""
    isolation: dict[str, Any] = Bound(default_factory=dict)
    log: LogFile | None = None


# where a job's bytes lie -> the states in which its row keeps them
KEPT_WHILE = {
    "staging": frozenset({"quarantined", "proposed"}),
    "log": frozenset({"succeeded", "failed", "quarantined", "proposed", "kept"}),
}


def named(job: Resource, place: str) -> set[str]:
    """The hashes of ``place`` that the row of a job names, whether it keeps them or not."""
    outputs = {
        output["sha256"]
        for output in job.status.get("outputs", ())
        if output.get("place", "staging") == place
    }
    log = (job.status.get("outcome") or {}).get("log")
    return outputs | ({log["sha256"]} if log and place == "log" else set())


def kept(job: Resource, place: str) -> set[str]:
    """Those that it keeps."""
    return named(job, place) if job.state in KEPT_WHILE[place] else set()


def answer_shown(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the submitter of a question under differential privacy sees of a stored ``Ran``: that it succeeded
    or failed.

    No code of theirs ran, and how long it took or which limit ended it is an answer without noise: a question
    about one entity takes as long as that entity has rows. Every word but ``DP_WORDS`` is one.
    """
    well, error = outcome["end"] == "succeeded", outcome["error"]
    word = error["class"] if error and error["class"] in DP_WORDS else UNNAMED
    return {
        "end": "ok" if well else "failed",
        "exit": "ok" if well else "error",
        "signal": None,
        "limit": None,
        "error": None if well else {"class": word, "line": None, "file": ""},
        "duration": None,
        "log": None,
    }


def shown(outcome: dict[str, Any]) -> dict[str, Any]:
    """What the submitter sees of a stored ``Ran``.

    ``exit`` is ok, limit, signal, refused, error, or the executor's own word for an end that was not the
    code's (stopped, lost).
    """
    end, error = outcome["end"], outcome["error"]
    word = error["class"] if error else ""
    limit = LIMITS.get(word) or LIMITS.get(end)
    signal = word if word in SIGNALS else None
    kinds = (
        ("ok", end == "succeeded"),
        ("limit", limit),
        (end, end not in ("failed", "succeeded")),
        ("signal", signal),
        ("refused", word.isupper()),
    )
    return {
        "end": "ok" if end == "succeeded" else "failed",
        "exit": next((kind for kind, holds in kinds if holds), "error"),
        "signal": signal,
        "limit": limit,
        "error": error,
        "duration": duration(outcome["seconds"]),
        "log": "sealed" if outcome.get("log") else None,
    }
