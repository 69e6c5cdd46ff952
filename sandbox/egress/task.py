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
from sandbox.egress.context import Paid, RawTable, Scope
from sandbox.egress.forms import Budget
from sandbox.egress.ledger.room import Ledger
from sandbox.egress.recompute.run import Input
from sandbox.egress.recompute.tables import Script

_FILE = re.compile(r"[A-Za-z0-9_][\w.\-]{0,120}")
_INPUT = re.compile(r"[a-z][a-z0-9_]{0,62}")  # as a job names them
_KEY = (16, 64)  # bytes of the key that entities are numbered with (BLAKE2b takes 64 at most)
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
        reversible=tuple(map(str, item.get("reversible", ()))),
        flags={str(k): tuple(map(str, flags)) for k, flags in dict(item.get("flags") or {}).items()},
    )


def _budget(limits: Mapping[str, Any]) -> Budget:
    if set(limits) - _LIMITS or not all(isinstance(v, int) and v > 0 for v in limits.values()):
        raise fail("EGRESS_PARAMS", why="limits")
    return Budget(**limits)


def _script(told: Any) -> Script | None:
    """The SQL job, if the outputs are one's: its text, and its inputs as they were granted."""
    if told is None:
        return None
    try:
        inputs = [
            Input(
                str(item["name"]),
                str(item["file"]),
                tuple(str(column) for column in item["columns"]),
                tuple(dict(row) for row in item.get("rows", ())),
                dict(item["period"]) if item.get("period") else None,
            )
            for item in told["inputs"]
        ]
        if not all(_INPUT.fullmatch(one.name) for one in inputs):
            raise ValueError("name")
        return Script(str(told["text"]), tuple(inputs))
    except (KeyError, TypeError, AttributeError, ValueError):
        raise fail("EGRESS_PARAMS", why="script") from None


def _scope(told: Any) -> Scope | None:
    """What the request is for and was granted, if it is stated."""
    if told is None:
        return None
    try:
        return Scope(
            str(told["purpose"]),
            str(told["granted_purpose"]),
            tuple(str(column) for column in told["columns"]),
            tuple({str(k): str(v) for k, v in dict(one).items()} for one in told["sources"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError):
        raise fail("EGRESS_PARAMS", why="scope") from None


def _paid(told: Any) -> dict[str, Paid]:
    """The answers under differential privacy that were paid for, by path."""
    try:
        return {
            str(one["path"]): Paid(
                str(one["release"]),
                str(one["sha256"]),
                int(one["nano_rho"]),
                {str(column): float(bits) for column, bits in dict(one.get("noise") or {}).items()},
            )
            for one in told
        }
    except (KeyError, TypeError, AttributeError, ValueError):
        raise fail("EGRESS_PARAMS", why="dp") from None


def _ledger(told: Any, folder: Path, out: Path) -> Ledger:
    try:
        about = {str(key): str(value) for key, value in dict(told.get("about", {})).items()}
        key = bytes.fromhex(told["key"])
        if not _KEY[0] <= len(key) <= _KEY[1]:
            raise ValueError("key")
        return Ledger(key, folder if folder.is_dir() else None, out, about)
    except (KeyError, TypeError, AttributeError, ValueError):
        raise fail("EGRESS_PARAMS", why="ledger") from None


def _mend(
    params: dict[str, Any],
    inputs: Path,
    out: Path,
    raws: list[RawTable],
    policy: dict[str, Any],
    policy_id: str,
    history: Path | None,
) -> dict[str, Any]:
    """A protection on a copy of the outputs, see ``mend``."""
    from sandbox.egress.mend import mend  # with what it needs; a check waits for none of it

    try:
        protections = [str(one) for one in params["mend"].get("protections", ())]
        base = params["mend"].get("base")
    except (AttributeError, TypeError):
        raise fail("EGRESS_PARAMS", why="mend") from None
    wanted = declarations(params.get("declared", []))
    told = mend(
        [inputs / "outputs"], raws, wanted, policy, policy_id, out / "mended", history, protections, base
    )
    body = told.as_json()
    (out / "mend.json").write_text(json.dumps(body, ensure_ascii=False, sort_keys=True), "utf-8")
    return {"ok": True, "verdict": told.report.verdict.value}


def run(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
    """Check ``inputs/outputs`` against ``inputs/raw``, ``inputs/history`` and ``inputs/ledger``.

    With ``params["mend"]`` ({"protections", "base"}) it mends them: ``out/mended/``, ``out/mend.json``.
    Writes ``out/verdict.json`` (the report) and, unless rejected, ``out/canonical/<path>`` and, where
    ``params["ledger"]`` gives the key, ``out/ledger/``: the cells for later checks. Returns
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
    if "mend" in params:
        return _mend(params, inputs, out, raws, policy, policy_id, history if history.is_dir() else None)
    ledger = _ledger(params["ledger"], inputs / "ledger", out / "ledger") if "ledger" in params else None
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
        ledger=ledger,
        script=_script(params.get("script")),
        scope=_scope(params.get("scope")),
        paid=_paid(params.get("dp", ())),
    )
    body = report.as_json()
    (out / "verdict.json").write_text(json.dumps(body, ensure_ascii=False, sort_keys=True), "utf-8")
    return {"ok": True, "verdict": report.verdict.value}
