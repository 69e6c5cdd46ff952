"""The audit log: search, one entry with its proof of inclusion, checkpoints, the bundle for offline use."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from sandbox.audit.bundle import write_bundle
from sandbox.audit.checkpoint import Checkpoint
from sandbox.audit.entry import encode
from sandbox.audit.proof import Step, steps, write_proof
from sandbox.audit.tree import hasher
from sandbox.console.render import render
from sandbox.console.visit import BASE, Visit
from sandbox.control.audit_search import Found, Wanted, search
from sandbox.control.kinds import KINDS
from sandbox.core.calendar import BEIJING
from sandbox.core.errors import fail
from sandbox.core.resource import Entry
from sandbox.store import Reader
from sandbox.store.archive import folder_as_tar

SIZE = 100
TEXTS = ("object", "actor", "action", "kind", "outcome")  # parameters that are text
DAYS = ("since", "until")  # and those that are days, both included
OTHER_OBJECTS = ("account", "audit", "page", "session")  # that are no kind and still have entries
OUTCOMES = ("done", "refused")


@dataclass(frozen=True)
class AuditPage:
    """What ``audit.html`` shows: entries from position ``start`` on. ``searching``: the search has not yet
    been through all there is; ``kinds`` and ``given`` are for the form."""

    given: dict[str, str]
    newest: bool
    entries: tuple[tuple[int, Entry], ...]
    next_url: str
    first_url: str
    searching: bool
    looked_at: int
    size: int
    checkpoint: str
    kinds: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Link:
    """A step of the proof as the page draws it: ``level`` 0 is the leaf's sibling."""

    level: int
    left: bool
    sibling: str
    node: str


@dataclass(frozen=True)
class EntryPage:
    """One entry, and the hashes that lead from it to a signed head."""

    seq: int
    entry: Entry
    object_url: str
    size: int  # of the log under that head; 0 where none is signed yet
    leaf: str
    links: tuple[Link, ...]
    root: str
    holds: bool  # whether the way ends at the root that was signed
    note: str
    algorithm: str
    proof_url: str
    newest_url: str  # its proof against the newest checkpoint
    before_url: str
    after_url: str


@dataclass(frozen=True)
class Head:
    """A line of the history of checkpoints."""

    size: int
    root: str
    note: str
    key: str
    bundle_url: str


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _begins(day: date | None) -> datetime | None:
    """The first instant of a day in China."""
    return datetime.combine(day, datetime.min.time(), BEIJING) if day else None


def wanted(given: dict[str, str]) -> Wanted:
    """The parameters of the address as a search; a day that is none counts as not given."""
    since, until = _day(given["since"]), _day(given["until"])
    try:
        after = until + timedelta(days=1) if until else None
    except OverflowError:
        after = None
    return Wanted(**{name: given[name] for name in TEXTS}, since=_begins(since), until=_begins(after))


def model(visit: Visit) -> AuditPage:
    """The entries that the address asks for."""
    given = {name: visit.query(name).strip()[:200] for name in (*TEXTS, *DAYS)}
    given["outcome"] = given["outcome"] if given["outcome"] in OUTCOMES else ""
    given = {name: value if name not in DAYS or _day(value) else "" for name, value in given.items()}
    newest = visit.query("dir") == "desc"
    asked = visit.query("start")
    start = _number(asked) if asked.isascii() and asked.isdigit() else None
    with visit.control.store.read() as reader:
        found: Found = search(reader, wanted(given), start, newest=newest, limit=SIZE)
        size = reader.head().size
        head = reader.newest_checkpoint()

    def url(**more: str) -> str:
        parts = {**given, "dir": "desc" if newest else "", **more}
        asked = urlencode({name: value for name, value in parts.items() if value})
        return f"{BASE}/audit" + (f"?{asked}" if asked else "")

    return AuditPage(
        given={**given, "start": "" if start is None else str(start)},
        newest=newest,
        entries=found.entries,
        next_url="" if found.on is None else url(start=str(found.on)),
        first_url=url() if start else "",
        searching=found.on is not None and len(found.entries) < SIZE,
        looked_at=found.looked_at,
        size=size,
        checkpoint=head.note if head else "",
        kinds=(
            *((name, visit.named(kind)) for name, kind in KINDS.items()),
            *((name, name) for name in OTHER_OBJECTS),
        ),
    )


def page(visit: Visit) -> Response:
    """Search in the log."""
    return render(visit, "audit.html", page=model(visit))


@dataclass(frozen=True)
class _Proven:
    entry: Entry
    head: Checkpoint | None
    hashes: Sequence[bytes]
    newest: int  # the size under the newest checkpoint, 0 where that is before the entry
    end: int  # the size of the log


def _proven(reader: Reader, visit: Visit, seq: int) -> _Proven:
    """An entry, and its proof against the checkpoint of the size that the address names, else the first that
    it is in. Raises NOT_FOUND."""
    found = reader.entries(start=seq, limit=1)
    if not found or str(found[0][0]) != visit.segment("seq"):
        raise fail("NOT_FOUND", kind="audit", id=visit.segment("seq"))
    chosen = _number(visit.query("size"))
    head = reader.checkpoint_of(chosen) if chosen > seq else reader.checkpoint_above(seq)
    if chosen and (head is None or head.size != chosen):
        raise fail("NOT_FOUND", kind="checkpoint", id=str(chosen))
    newest = reader.newest_checkpoint()
    hashes = reader.inclusion(seq, head.size) if head else ()
    last = newest.size if newest and newest.size > seq else 0
    return _Proven(found[0][1], head, hashes, last, reader.head().size)


def _links(path: Sequence[Step]) -> tuple[Link, ...]:
    return tuple(Link(level, one.left, one.sibling.hex(), one.node.hex()) for level, one in enumerate(path))


def entry(visit: Visit) -> Response:
    """One entry with its proof, drawn as the path that it is. Raises NOT_FOUND."""
    seq = _number(visit.segment("seq"))
    with visit.control.store.read() as reader:
        known = _proven(reader, visit, seq)
    kind, _, id = known.entry.object.partition("/")
    told = EntryPage(
        seq=seq,
        entry=known.entry,
        object_url=f"{BASE}/r/{known.entry.object}" if kind in KINDS and id not in ("", "-") else "",
        size=0,
        leaf="",
        links=(),
        root="",
        holds=False,
        note="",
        algorithm="",
        proof_url="",
        newest_url=f"{BASE}/audit/{seq}?size={known.newest}" if known.newest else "",
        before_url=f"{BASE}/audit/{seq - 1}" if seq else "",
        after_url=f"{BASE}/audit/{seq + 1}" if seq + 1 < known.end else "",
    )
    if known.head is not None:
        h = hasher(known.head.algorithm)
        leaf = h.leaf(encode(known.entry))
        path = steps(leaf, seq, known.head.size, known.hashes, h)
        told = replace(
            told,
            size=known.head.size,
            leaf=leaf.hex(),
            links=_links(path),
            root=known.head.root.hex(),
            holds=(path[-1].node if path else leaf) == known.head.root,
            note=known.head.note,
            algorithm=str(known.head.algorithm),
            proof_url=f"{BASE}/audit/{seq}/proof.json?size={known.head.size}",
        )
    return render(visit, "audit_entry.html", page=told)


def proof(visit: Visit) -> Response:
    """The proof of one entry as a file that ``sandbox audit verify`` takes. Raises NOT_FOUND."""
    seq = _number(visit.segment("seq"))
    with visit.control.store.read() as reader:
        known = _proven(reader, visit, seq)
        head = known.head
        if head is None:
            raise fail("NOT_FOUND", kind="checkpoint", id=f">{seq}")
        key = next(key for one, key in reader.checkpoints() if one.size == head.size)
    body = write_proof(seq, encode(known.entry), known.hashes, head, key)
    name = f'attachment; filename="audit-entry-{seq}.json"'
    return Response(body, media_type="application/json", headers={"content-disposition": name})


def checkpoints(visit: Visit) -> Response:
    """Every signed head, the newest first, each with the bundle of the log up to it."""
    with visit.control.store.read() as reader:
        size = reader.head().size
        signed = reader.checkpoints()
    heads = tuple(
        Head(
            head.size,
            base64.b64encode(head.root).decode(),
            head.note,
            str(key),
            f"{BASE}/audit/bundle?size={head.size}",
        )
        for head, key in reversed(signed)
    )
    start = max(0, _number(visit.query("start")))
    shown = heads[start : start + SIZE]
    more = f"{BASE}/audit/checkpoints?start={start + SIZE}" if len(heads) > start + SIZE else ""
    return render(visit, "audit_checkpoints.html", heads=shown, more=more, size=size, start=start)


def bundle(visit: Visit) -> Response:
    """The log as a tar, as ``GET /v1/audit/bundle`` gives it: whole, or up to the checkpoint of the size that
    the address names. A bundle begins at the first entry: without what came before, nothing verifies.

    Raises NOT_FOUND where there is no such checkpoint.
    """
    size = _number(visit.query("size"))
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "bundle"
        if visit.query("size"):
            with visit.control.store.read() as reader:
                signed = [one for one in reader.checkpoints() if one[0].size <= size]
                if not signed or signed[-1][0].size != size:
                    raise fail("NOT_FOUND", kind="checkpoint", id=str(size))
                keys = dict.fromkeys(key for _, key in signed)
                write_bundle(out, reader.raw_entries(size), [head for head, _ in signed], keys)
        visit.control.note(visit.actor, "export-audit", "audit/-")
        if not visit.query("size"):
            visit.control.store.export(out)
        body: Any = folder_as_tar(out)
    name = f'attachment; filename="audit-bundle{f"-{size}" if size else ""}.tar"'
    return Response(body, media_type="application/x-tar", headers={"content-disposition": name})
