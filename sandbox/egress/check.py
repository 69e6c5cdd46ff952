"""The checker: files in, a report out. Whatever goes wrong inside is a hard finding, never silence."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.canonical import canonical as rewrite
from sandbox.egress.capacity import capacity
from sandbox.egress.checks import CHECKS
from sandbox.egress.checks.base import Check
from sandbox.egress.checks.differencing import request_books
from sandbox.egress.checks.extra import plugins
from sandbox.egress.checks.models_attack import ATTACKS
from sandbox.egress.clean import clean_text, label
from sandbox.egress.context import Context, Declared, Paid, PolicyMissing, RawTable, Release, Scope
from sandbox.egress.findings import Finding, Severity, Verdict, verdict_of
from sandbox.egress.forms import Budget, Document
from sandbox.egress.layout import lay_out
from sandbox.egress.ledger.room import Ledger
from sandbox.egress.ledger.store import write as write_books
from sandbox.egress.messages import REASONS, RULES, finding
from sandbox.egress.readers import read
from sandbox.egress.readers.ocr import read_pictures
from sandbox.egress.recompute.tables import Script
from sandbox.egress.recompute.tables import apply as recompute
from sandbox.egress.report.changes import changes, remember
from sandbox.egress.report.facts import applied, pictures, thresholds

CHECKER = "egress-checker 1.0.0"
_RESULT = {Severity.HARD: "fail", Severity.HOLD: "hold", Severity.FLAG: "flag"}
_FEW_CELLS = 1_000_000  # of an output beside which there is room to number two raw columns at once


@dataclass(frozen=True)
class Report:
    """What the checker says of a set of outputs; ``as_json`` is the public contract."""

    verdict: Verdict
    files: list[dict[str, Any]]
    findings: list[Finding]
    policy: str
    seconds: float
    rules: list[dict[str, Any]]
    canonical: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)
    capacity: dict[str, Any] = field(default_factory=dict)
    checker: str = CHECKER
    spent: dict[str, float] = field(default_factory=dict)  # seconds a check took, by its module
    thresholds: dict[str, Any] = field(default_factory=dict)  # as applied, by policy key
    pictures: list[dict[str, Any]] = field(default_factory=list)
    attacks: list[dict[str, Any]] = field(default_factory=list)  # on models: the curve of each

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; ``canonical`` and ``ledger`` only when a folder was asked for."""
        body: dict[str, Any] = {
            "verdict": self.verdict.value,
            "files": self.files,
            "findings": [item.as_json() for item in self.findings],
            "policy": self.policy,
            "checker": self.checker,
            "seconds": round(self.seconds, 3),
            "rules": self.rules,
            "check_seconds": {name: round(spent, 3) for name, spent in self.spent.items()},
            "capacity": self.capacity,
            "thresholds": self.thresholds,
            "pictures": self.pictures,
        }
        body |= {"ledger": self.ledger} if self.ledger else {}
        body |= {"attacks": self.attacks} if self.attacks else {}
        return {**body, "canonical": self.canonical} if self.canonical else body


def walk(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """(name within the outputs, path) of every file under ``paths``, links and devices included.

    Raises ``EGRESS_PATH`` for a path that does not exist.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists() and not path.is_symlink():
            raise fail("EGRESS_PATH", path=path.name)
        if path.is_dir() and not path.is_symlink():
            for folder, folders, files in os.walk(path):
                links = [name for name in folders if (Path(folder) / name).is_symlink()]
                for name in [*files, *links]:
                    full = Path(folder) / name
                    relative = full.relative_to(path).as_posix()
                    found[relative if relative not in found else f"{path.name}/{relative}"] = full
        else:
            found[path.name if path.name not in found else f"{path.parent.name}/{path.name}"] = path
    return sorted(found.items())


def _run(check: Check, document: Document, context: Context) -> list[Finding]:
    try:
        for key in check.thresholds:
            if key == "egress.formats":
                context.formats()
            else:
                context.number(key)
        return list(check.run(document, context))
    except PolicyMissing as missing:
        return [finding("POLICY_MISSING", document.shown, "", key=missing.key)]
    except Exception:  # fail closed, and without the text: it may quote the data
        return [finding("CHECK_ERROR", document.shown, "", rule=check.rules[0])]


def _read_all(paths: Sequence[Path], formats: list[str], budget: Budget) -> list[Document]:
    files = [read(path, name, formats, budget) for name, path in walk(paths)]
    documents = [document for file in files for document in file.family()]
    read_pictures(documents, budget)
    return documents


def _told(item: Mapping[str, Any], key: str) -> Iterable[tuple[str, Any]]:
    return dict(item.get(key) or {}).items()


def declarations(items: Iterable[Mapping[str, Any]]) -> dict[str, Declared]:
    """Declared outputs by path, from JSON. Raises ``EGRESS_PARAMS``."""
    try:
        found = [
            Declared(
                str(item["path"]),
                str(item.get("kind", "table")),
                tuple(item.get("dimensions", ())),
                tuple(item.get("counts", ())),
                tuple(item.get("measures", ())),
                bool(item.get("ordered", False)),
                {str(k): {str(n): str(v) for n, v in told.items()} for k, told in _told(item, "statistics")},
                {str(k): int(places) for k, places in _told(item, "precision")},
            )
            for item in items
        ]
    except (KeyError, TypeError, AttributeError, ValueError):
        raise fail("EGRESS_PARAMS", why="declared") from None
    return {item.path: item for item in found}


def load_history(folder: Path | None, formats: list[str], budget: Budget) -> list[Release]:
    """Earlier releases: one folder each, ``meta.json`` = {"id", "declared"} beside their files.

    Raises ``EGRESS_HISTORY`` when one cannot be read: silence would hide a difference.
    """
    releases = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir()) if folder else []:
        meta: dict[str, Any] = {}
        try:
            if (place / "meta.json").is_file():
                meta = json.loads((place / "meta.json").read_text("utf-8"))
            files = [(name, path) for name, path in walk([place]) if name != "meta.json"]
            documents = [d for name, path in files for d in read(path, name, formats, budget).family()]
        except (OSError, ValueError):
            raise fail("EGRESS_HISTORY", release=label(place.name)) from None
        if any(not document.readable for document in documents) or not isinstance(meta, dict):
            raise fail("EGRESS_HISTORY", release=label(place.name))
        identity = clean_text(str(meta.get("id", place.name)))[:80]
        releases.append(Release(identity, documents, declarations(meta.get("declared", ()))))
    return releases


def _hide_names(context: Context) -> None:
    """A path that names a person is not repeated; a declared one was chosen before the data was seen."""
    tables = [table for document in context.documents for table in document.tables]
    context.learn([d.path for d in context.documents] + [name for table in tables for name in table.columns])
    for number, document in enumerate(context.documents, 1):
        if document.path not in context.declared and context.names_person(document.path):
            document.shown = f"file {number}"


def _rules(context: Context, findings: list[Finding], ran: set[str]) -> list[dict[str, Any]]:
    """One result a rule: so each of the six points has its rules, whatever was found (R-156)."""
    results = []
    added = {name: rule for plugin in plugins(context) for name, rule in plugin.rules.items()}
    for name, rule in {**RULES, **added}.items():
        worst = [item.severity for item in findings if item.rule == name]
        result = next((_RESULT[s] for s in Severity if s in worst), "")
        always = name in ("POLICY_MISSING", "CHECK_ERROR")
        result = result or ("no_objection" if name in ran or always else "not_applicable")
        told = {"rule": name, "point": rule.point, "version": rule.version, "result": result}
        results.append({**told, "thresholds": thresholds(name)})
    return results


def _columns(part: Document, context: Context) -> tuple[str, ...]:
    """In which order columns leave: as declared, or as the job's statement lists them; none: in ours."""
    wanted = context.declared.get(part.path)
    if wanted and wanted.columns:
        return (*wanted.dimensions, *wanted.counts, *wanted.measures)
    told = context.recomputed if context.script is not None else {}
    ours = [table for table in part.tables if id(table) in told and not told[id(table)].why]
    return tuple(name for table in ours for name in table.columns)


def _write(document: Document, context: Context, folder: Path) -> dict[str, Any]:
    for part in document.family():
        wanted = context.declared.get(part.path)
        part.ordered = bool(wanted and wanted.ordered)
        part.columns = _columns(part, context)
    data = rewrite(document, document.ordered)
    target = folder / document.path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    told = {"path": document.path, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    try:
        return {**told, "changes": changes(context, document)}
    except Exception:  # it decides nothing: without it the file stands as it is
        return told


def examine(context: Context) -> tuple[list[Finding], set[str], dict[str, float]]:
    """What the checks find in ``context.documents``; the rules that were applied; seconds by check.

    Tables that were recognised as a job's statement hold the checker's own numbers afterwards.
    """
    findings: list[Finding] = []
    ran: set[str] = set()
    spent: dict[str, float] = {}
    if not context.documents:
        zh, en = REASONS["empty"]
        findings.append(finding("FORMAT", "", "", {"reason": "empty"}, why_zh=zh, why_en=en))
    remember(context)
    findings.extend(_recompute(context))
    added = [item for plugin in plugins(context) for item in plugin.checks]
    blinded = context.blinded()
    for item in (*CHECKS, *added):
        among = context.exact if item.exact or item.raw else context.documents
        # What is asked once for all is asked with the first that it applies to: before it may lie an archive.
        asked = [document for document in among if item.applies(document, context)]
        for document in asked[:1] if item.whole_set else asked:
            ran.update(item.rules)
            begun = time.monotonic()
            unpaid = bool(context.exact) if item.whole_set else context.payment(document) is None
            findings.extend(_run(item, document, context if unpaid else blinded))
            name = item.run.__module__.rpartition(".")[2]
            spent[name] = spent.get(name, 0.0) + time.monotonic() - begun
    return findings, ran, spent


def prepare(context: Context, paths: Sequence[Path], formats: list[str]) -> None:
    """Read the files under ``paths`` into ``context.documents``, laid out, with names of persons masked."""
    context.documents = _read_all(paths, formats, context.budget)
    lay_out(context.documents, context.budget)
    cells = sum(table.data.height * table.data.width for one in context.documents for table in one.tables)
    if context.raws and cells <= _FEW_CELLS:
        for index in context.indexes:
            index.code_all()
    _hide_names(context)


def check(
    paths: Sequence[Path],
    raws: Sequence[RawTable],
    declared: Mapping[str, Declared],
    policy_values: Mapping[str, Any],
    policy_id: str,
    history: Path | None = None,
    canonical: Path | None = None,
    recipient: Mapping[str, str] | None = None,
    budget: Budget | None = None,
    script: Script | None = None,
    ledger: Ledger | None = None,
    scope: Scope | None = None,
    paid: Mapping[str, Paid] | None = None,
) -> Report:
    """Check the files under ``paths`` against ``raws`` and give the report.

    ``script``: the SQL job that made them; what is recognised of it is recomputed (``recompute``).
    ``canonical``: folder for the bytes that may leave; nothing is written there for a rejected set.
    ``ledger``: earlier releases by entity sets, and where those of this set go unless it is rejected.
    ``scope``: what the request is for and was granted.
    ``paid``: by path, answers under differential privacy whose budget was charged.
    Raises only for what the caller gave (``EGRESS_PATH``, ``EGRESS_RAW_…``, ``EGRESS_HISTORY``,
    ``EGRESS_PLUGIN``); what the
    outputs do is always a finding.
    """
    started = time.monotonic()
    context = Context(
        raws,
        declared,
        policy_values,
        recipient=recipient or {},
        budget=budget or Budget(),
        script=script,
        scope=scope,
        paid=paid or {},
    )
    if raws:
        context.indexes  # noqa: B018  (unreadable raw data is the caller's error, not a finding)
    plugins(context)  # so is a check that the policy names and nobody offers
    try:
        formats = context.formats()
    except PolicyMissing:
        formats = []
    prepare(context, paths, formats)
    context.history = load_history(history, formats, context.budget)
    context.ledger = ledger
    if ledger:
        ledger.books  # noqa: B018  (a damaged ledger is the caller's error, not a finding)
    findings, ran, spent = examine(context)
    verdict = verdict_of(findings)
    written: list[dict[str, Any]] = []
    if canonical is not None and verdict is not Verdict.REJECT:
        written, broken = _write_all(context, canonical)
        findings.extend(broken)
        verdict = verdict_of(findings)
    entered, broken = _enter(context, verdict)
    findings.extend(broken)
    verdict = verdict_of(findings)
    files = [
        {
            "path": document.shown,
            "sha256": document.sha256,
            "form": document.form,
            "verdict": verdict_of([f for f in findings if f.path == document.shown]).value,
        }
        for document in context.documents
    ]
    seconds = time.monotonic() - started
    bits = capacity(context, {item["path"]: item["bytes"] for item in written})
    rules = _rules(context, findings, ran)
    told = Report(verdict, files, findings, policy_id, seconds, rules, written, entered, bits, spent=spent)
    drawn = _pictures(context, findings)
    return replace(told, thresholds=applied(context), pictures=drawn, attacks=context.memo.get(ATTACKS, []))


def _pictures(context: Context, findings: list[Finding]) -> list[dict[str, Any]]:
    """Pictures decide nothing: without them the report stands as it is."""
    try:
        return pictures(context, findings)
    except Exception:
        return []


def _enter(context: Context, verdict: Verdict) -> tuple[dict[str, Any], list[Finding]]:
    """Write the cells of this set for the ledger: no set without them can leave."""
    room = context.ledger
    if room is None or room.out is None or verdict is Verdict.REJECT:
        return {}, []
    try:
        books = [book for _, _, book in request_books(context)] if context.raws else []
        return {"files": write_books(room.out, books, dict(room.about)), "seen": room.seen}, []
    except Exception:
        return {}, [finding("CHECK_ERROR", "", "", rule="LEDGER")]


def _recompute(context: Context) -> list[Finding]:
    """The checker's own numbers in the place of the job's, before any check looks."""
    try:
        recompute(context)
    except Exception:  # fail closed: half of the tables may be ours by now
        return [finding("CHECK_ERROR", "", "", rule="RECOMPUTED")]
    return []


def _write_all(context: Context, folder: Path) -> tuple[list[dict[str, Any]], list[Finding]]:
    """Write every canonical file; if one fails, none counts and the set is rejected."""
    written = []
    for document in context.documents:
        if document.outer:  # written with its archive
            continue
        try:
            written.append(_write(document, context, folder))
        except Exception:
            for done in written:
                (folder / done["path"]).unlink()
            return [], [finding("CHECK_ERROR", document.shown, "", rule="CANONICAL")]
    return written, []
