"""What the profile of a supply proposes, beside what its catalogue entry says.

The proposal decides nothing: provider and operator see it with the supply, and where the entry says less
they edit and confirm it. A policy may ask for more (``supply.refuse_laxer_grading``): then it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sandbox.control import reports
from sandbox.control.means import Means
from sandbox.core.resource import Resource
from sandbox.desensitize.profile.fields import laxer
from sandbox.desensitize.profile.model import Profile
from sandbox.desensitize.profile.reasons import REASONS
from sandbox.executor.contract import Input, Outcome, Task, TaskKind

_WORDS = re.compile(
    r"(?:[^\W\d]|[ ,'（）()、\-]|[0-9]{1,2}(?![0-9])){0,60}"
)  # closed words: no number of anybody


def profile_task(means: Means, supply: Resource, entry: Resource, sha256: str) -> Task:
    """The snapshot ``sha256``, and nothing of the entry but its entity."""
    return Task(
        id=f"{supply.id}-profile",
        kind=TaskKind.PROFILE,
        image=means.executor.image("check"),
        params={"entity": entry.spec["entity"]},
        inputs=(Input("data", means.blobs(supply, "raw").verified(sha256)),),
        limits=means.limits(),
        labels={"sandbox.ref": supply.ref},
        level=means.level(entry),
    )


def grading(means: Means, supply: Resource, sha256: str) -> dict[str, Any]:
    """Profile the snapshot: ``{"proposal": Profile as JSON, "laxer": [...]}``, or ``{"code": why none}``.

    ``laxer`` is against the entry as it was when the supply was accepted.
    """
    entry = means.entry_at(supply.spec["entry"], supply.status["accepted"]["entry_version"])
    return told(means.run(profile_task(means, supply, entry, sha256)), entry.spec)


def told(outcome: Outcome, entry: Mapping[str, Any]) -> dict[str, Any]:
    """The proposal that a profiling reports, held against ``entry``; a report that is not whole is none."""
    if not reports.good(outcome):
        return {"code": reports.code_of(outcome)}
    try:
        proposal = Profile.model_validate(outcome.report.get("profile"))
    except (ValidationError, RecursionError):
        return {"code": reports.UNREADABLE}
    if not _closed(proposal, {field["name"] for field in entry["fields"]}):
        return {"code": reports.UNREADABLE}
    return {"proposal": proposal.model_dump(mode="json"), "laxer": laxer(entry, proposal)}


def _closed(proposal: Profile, names: set[str]) -> bool:
    """Whether it speaks of the entry's columns in known reasons, closed words and numbers only."""
    columns = [field.name for field in proposal.fields]
    spoken = {*columns, *(name for key in proposal.keys for name in key)}
    spoken |= {name for one in proposal.combinations for name in one.columns}
    spoken |= {name for one in proposal.dependencies for name in (*one.columns, one.determines)}
    reasons = [*proposal.reasons, *(reason for field in proposal.fields for reason in field.reasons)]
    words = [value for reason in reasons for value in reason.counts.values() if isinstance(value, str)]
    words += [text for field in proposal.fields for text in (field.kind.replace("_", " "), field.category)]
    return (
        len(set(columns)) == len(columns)
        and spoken <= names
        and (proposal.entity is None or proposal.entity in names)
        and all(reason.code in REASONS and len(reason.counts) <= 6 for reason in reasons)
        and all(_WORDS.fullmatch(word) for word in words)
    )
