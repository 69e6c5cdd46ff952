"""``sandbox egress mend``: a protection for what the checker refused, applied on a copy and checked again.

The findings say which protection each table needs (``LADDER``); it is applied, everything is examined anew,
and so on until no hard finding is left or no protection helps. Nothing is drawn by lot: the same outputs, raw
data and policy give the same files. The originals are only read.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.canonical import canonical
from sandbox.egress.check import Report, check, examine, load_history, prepare, walk
from sandbox.egress.context import Context, Declared, RawTable
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document, Table
from sandbox.egress.mend import cells, groups
from sandbox.egress.mend.change import Change, Place
from sandbox.egress.readers.workbook import Sheet
from sandbox.egress.shape import best

ROUNDS = 16  # examinations of the whole set
_AGAIN = 4  # times that one protection is applied to one table for one rule
BASES = (5, 10)  # that counts may be rounded to: the checker recognises no other
FORMS = ("csv", "parquet", "arrow", "xlsx")  # of which a table can be written back
RECORDS = ("json", "jsonl")  # the same, where the file is nothing but a list of flat records

PROTECTIONS: dict[str, Callable[[Place], Change | None]] = {
    "top-code": groups.code_ends,
    "merge": groups.merge,
    "suppress": cells.suppress,
    "round": cells.round_off,
    "drop": cells.drop,
}
_CELL = ("top-code", "merge", "suppress")
_ROWS = ("round", "merge", "suppress", "drop")
# The protections that can help against a rule, least loss first. A rule that is not here cannot be mended
# by a machine: what a file may not be, what was released before, what a model has learnt.
LADDER: dict[str, tuple[str, ...]] = {
    "UNDECLARED": ("drop",),
    "IDENTIFIER": ("drop",),
    "RAW_IDENTIFIER": ("drop",),
    "REVERSIBLE": ("drop",),
    "NOT_RELEASABLE": ("drop",),
    "OPAQUE": ("drop",),
    "EXTREME": ("round", "suppress", "drop"),
    "SMALL_CELL": _CELL,
    "DOMINANCE": ("suppress", "merge", "drop"),
    "RECOVERABLE": ("suppress", "merge"),
    "RAW": _ROWS,
    "RAW_OVERLAP": _ROWS,
    "K_ANONYMITY": _ROWS,
    "L_DIVERSITY": ("drop", "merge"),
}


@dataclass(frozen=True)
class Step:
    """One protection as it was applied: to which file, for which rule."""

    path: str
    part: str
    rule: str
    protection: str
    change: Change

    def as_json(self) -> dict[str, Any]:
        """Names and numbers only."""
        told = {"path": self.path, "part": self.part, "rule": self.rule, "protection": self.protection}
        return {**told, "where": self.change.where, "loss": self.change.loss.as_json()}


@dataclass(frozen=True)
class Mended:
    """What was done, what it cost, and what the checker says of it. ``files``: path, sha256, changed."""

    steps: list[Step]
    rounds: int
    files: list[dict[str, Any]]
    report: Report

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, the verdict first."""
        return {
            "verdict": self.report.verdict.value,
            "rounds": self.rounds,
            "steps": [step.as_json() for step in self.steps],
            "files": self.files,
            "report": self.report.as_json(),
        }


@dataclass
class _Bench:
    """The copies under repair. ``tried``: of each table and rule, the step on the ladder and how often.

    ``firm``: a protection is applied wherever it can be, also where a later one might lose less.
    """

    folder: Path
    base: Context
    chosen: tuple[str, ...]
    firm: bool
    tried: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)

    def look(self) -> tuple[Context, list[Finding]]:
        """The copies as they are now, and the hard findings in them."""
        context = replace(self.base, documents=[])
        context.__dict__.update(engine=self.base.engine, indexes=self.base.indexes)  # the raw data: read once
        prepare(context, [self.folder], context.formats())
        found = examine(context)[0]
        return context, [one for one in found if one.severity is Severity.HARD]

    def ladder(self, rule: str) -> tuple[str, ...]:
        """The protections against a rule: in the order that a person asked for them, else in ours."""
        ours = LADDER.get(rule, ())
        return tuple(one for one in self.chosen if one in ours) if self.chosen else ours

    def write(self, document: Document, table: Table, change: Change) -> None:
        """The file with ``table`` replaced; rows and columns keep their order."""
        fresh = Table(table.part, change.frame, change.frame)
        document.tables[document.tables.index(table)] = fresh
        for sheet in document.body or [] if document.form == "xlsx" else []:
            if isinstance(sheet, Sheet) and sheet.table is table:
                sheet.table = fresh
        if document.form in RECORDS:
            document.body = change.frame.to_dicts()
        document.columns = tuple(dict.fromkeys(name for one in document.tables for name in one.columns))
        (self.folder / document.path).write_bytes(canonical(document, ordered=True))

    def apply(self, context: Context, document: Document, found: list[Finding]) -> bool:
        """One protection on one table of ``document``; whether there was one."""
        for table in document.tables:
            here = [one for one in found if _part(one, document) == table.part]
            for rule in sorted({one.rule for one in here}, key=lambda rule: [*LADDER, rule].index(rule)):
                mine = [one for one in here if one.rule == rule]
                change = self._next(context, document, table, rule, mine)
                if change is not None:
                    self.write(document, table, change)
                    return True
        return False

    def _next(
        self, context: Context, document: Document, table: Table, rule: str, found: list[Finding]
    ) -> Change | None:
        """The next protection for ``rule`` that changes the table."""
        key = (document.path, table.part, rule)
        number, times = self.tried.get(key, (0, 0))
        shape = best(context, document, table)
        ladder = self.ladder(rule)
        for step in range(number, len(ladder)):
            name = ladder[step]
            used = times if step == number else 0
            asked = self.firm or "suppress" in ladder[:step]
            place = Place(context, document, table, shape, found, asked)
            change = PROTECTIONS[name](place) if used < _AGAIN else None
            if change is not None and not change.frame.equals(table.data):
                self.tried[key] = (step, used + 1)
                self.steps.append(Step(document.shown, table.part, rule, name, change))
                return change
        return None


def _writable(document: Document) -> bool:
    """Whether the tables of the file can be put back into it: it was read whole, and is no member of one."""
    if document.outer or not document.readable:
        return False
    body = document.body
    records = isinstance(body, list) and all(isinstance(row, dict) for row in body)
    flat = records and not any(isinstance(cell, dict | list) for row in body for cell in row.values())
    return document.form in FORMS or (document.form in RECORDS and flat and len(document.tables) == 1)


def _part(found: Finding, document: Document) -> str:
    """The table of the document that a finding is about; the only one where it names none."""
    named = [table.part for table in document.tables if table.part and found.where.startswith(table.part)]
    return max(named, key=len, default=document.tables[0].part if document.tables else "")


def mend(
    paths: Sequence[Path],
    raws: Sequence[RawTable],
    declared: Mapping[str, Declared],
    policy_values: Mapping[str, Any],
    policy_id: str,
    out: Path,
    history: Path | None = None,
    protections: Sequence[str] = (),
    base: int | None = None,
) -> Mended:
    """Write the files under ``paths`` to ``out`` so that the checker does not reject them, and say how.

    ``protections``: which of ``PROTECTIONS`` may be used and in what order; none: all, least loss first.
    ``base``: round every count to it (5 or 10). ``out`` must be new or empty, and is left so when a mend is
    refused. Raises EGRESS_MEND_RAW without raw data (nothing could be proved), EGRESS_MEND_OUT,
    EGRESS_PARAMS, EGRESS_MEND_NONE when hard findings are left that no protection removes, and what
    ``check`` raises.
    """
    if not raws:
        raise fail("EGRESS_MEND_RAW")
    if set(protections) - set(PROTECTIONS) or (base is not None and base not in BASES):
        raise fail("EGRESS_PARAMS", why="protections, base")
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise fail("EGRESS_MEND_OUT", path=out.name)
    context = Context(raws, declared, policy_values)
    context.history = load_history(history, context.formats(), context.budget)
    for firm in (True,) if protections else (False, True):  # gently first; from the beginning, if that fails
        with tempfile.TemporaryDirectory(prefix="mend-") as name:
            folder = Path(name)
            before = _copied(paths, folder)
            bench = _Bench(folder, context, tuple(protections), firm)
            rounds, left = _repair(bench, base)
            if left:
                continue
            report = check([folder], raws, declared, policy_values, policy_id, history)
            left = [one for one in report.findings if one.severity is Severity.HARD]
            if not left:
                files = [_told(folder, path, old) for path, old in before.items()]
                shutil.copytree(folder, out, dirs_exist_ok=True)
                return Mended(bench.steps, rounds, files, report)
    raise fail("EGRESS_MEND_NONE", rules=", ".join(sorted({one.rule for one in left})))


def _told(folder: Path, path: str, old: str) -> dict[str, Any]:
    """A file as it is written: name, digest, size, and whether it changed."""
    data = (folder / path).read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    return {"path": path, "sha256": sha256, "bytes": len(data), "changed": sha256 != old}


def _copied(paths: Sequence[Path], folder: Path) -> dict[str, str]:
    """Copies of regular files; path: digest. Raises EGRESS_PATH for links and devices."""
    digests = {}
    for name, path in walk(paths):
        if path.is_symlink() or not path.is_file():
            raise fail("EGRESS_PATH", path=path.name)
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes()
        target.write_bytes(data)
        digests[name] = hashlib.sha256(data).hexdigest()
    return digests


def _repair(bench: _Bench, base: int | None) -> tuple[int, list[Finding]]:
    """Protect and examine until nothing hard is left, or nothing helps: how often it was examined, and the
    hard findings that are left."""
    rounded = base is None
    found: list[Finding] = []
    for round_ in range(1, ROUNDS + 1):
        context, found = bench.look()
        if not found:
            if rounded or not _round_all(bench, context, base or 0):
                return round_, []
            rounded = True
            continue
        by_path: dict[str, list[Finding]] = {}
        for one in found:
            by_path.setdefault(one.path, []).append(one)
        done = False
        for document in context.documents:
            here = by_path.get(document.shown, [])
            if here and _writable(document):
                done = bench.apply(context, document, here) or done
        if not done:
            break
    return ROUNDS, found


def _round_all(bench: _Bench, context: Context, base: int) -> bool:
    """Every count of every table to ``base``; whether anything changed."""
    changed = False
    for document in context.documents:
        for table in list(document.tables) if _writable(document) else []:
            place = Place(context, document, table, best(context, document, table), [], asked=True)
            change = cells.round_counts(place, base)
            if change is not None and not change.frame.equals(table.data):
                bench.write(document, table, change)
                bench.steps.append(Step(document.shown, table.part, "", "round", change))
                changed = True
    return changed
