"""The room that profiles a snapshot: what it holds is proposed, never decided.

Input ``/in/data`` (Parquet snapshot, or CSV) and params ``{"entity": column|null}``. Writes nothing; returns
``{"ok": true, "profile": <Profile as JSON>}``: names of columns, closed words and counts, no value of the
data. Refusals: ``codes.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.desensitize.profile.propose import profile
from sandbox.desensitize.profile.table import read


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """See the module's text."""
    entity = params.get("entity")
    if entity is not None and not isinstance(entity, str):
        raise fail("PROFILE_PARAMS", field="entity")
    return {"ok": True, "profile": profile(read(inputs / "data"), entity).model_dump(mode="json")}
