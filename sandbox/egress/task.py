"""The room of task kind ``check``: the checker inside its container. Contract: docs/egress.md."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.check import check, declarations
from sandbox.egress.context import RawTable
from sandbox.egress.forms import Budget

_FILE = re.compile(r"[A-Za-z0-9_][\w.\-]{0,120}")
_LIMITS = {f.name for f in fields(Budget)}


def _raw(item: Mapping[str, Any], folder: Path) -> RawTable:
    name, file = str(item["name"]), str(item["file"])
    if not _FILE.fullmatch(file):
        raise fail("EGRESS_PARAMS", why="raws.file")
    return RawTable(
        name=name,
        path=folder / file,
        entity=item.get("entity") or None,
        quasi=tuple(item.get("quasi", ())),
        sensitive=tuple(item.get("sensitive", ())),
        identifiers=tuple(item.get("identifiers", ())),
        sensitive_group=bool(item.get("sensitive_group", False)),
    )


def _budget(limits: Mapping[str, Any]) -> Budget:
    if set(limits) - _LIMITS or not all(isinstance(v, int) and v > 0 for v in limits.values()):
        raise fail("EGRESS_PARAMS", why="limits")
    return Budget(**limits)


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """Check ``inputs/outputs`` against ``inputs/raw`` and ``inputs/history``.

    Writes ``out/verdict.json`` (the report) and, unless rejected, ``out/canonical/<path>``. Returns
    ``{"ok": True, "verdict": …}``. Raises ``EGRESS_PARAMS`` and what ``check.check`` raises.
    """
    try:
        raws = [_raw(item, inputs / "raw") for item in params["raws"]]
        policy = dict(params["policy"])
        policy_id = str(params["policy_id"])
        recipient = {str(k): str(v) for k, v in dict(params.get("recipient", {})).items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise fail("EGRESS_PARAMS", why="raws, policy, policy_id, recipient") from None
    history = inputs / "history"
    report = check(
        [inputs / "outputs"],
        raws,
        declarations(params.get("declared", [])),
        policy,
        policy_id,
        history if history.is_dir() else None,
        out / "canonical",
        recipient,
        _budget(params.get("limits", {})),
    )
    body = report.as_json()
    (out / "verdict.json").write_text(json.dumps(body, ensure_ascii=False, sort_keys=True), "utf-8")
    return {"ok": True, "verdict": report.verdict.value}
