"""The public catalogue in a form that can be searched: read once, and again when an entry has changed.

What stands here is what anybody may read of an entry (``disclosed.ENTRY_STATES``), so that it is the same for
all who ask. To read an entry from the store takes a fifth of a millisecond, to look at its line a hundredth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from weakref import WeakKeyDictionary

from sandbox.control.disclosed import ENTRY_STATES
from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.store import Reader, Store

KIND = "catalogue-entry"
BATCH = 200  # entries in memory at a time while lines are made
CHUNK = 2000  # entries whose lines are kept together, some 4 KB each
KEPT = 3  # chunks; what lies behind them is read anew for each search
SEARCHED = ("title_zh", "title_en", "description", "category")


@dataclass(frozen=True)
class Line:
    """An entry to be searched. ``text`` and the texts of ``fields`` (name, text) are in lower case."""

    id: str
    titles: tuple[str, str]  # Chinese, English
    provider: str
    category: str
    state: str
    levels: tuple[int, ...]
    fields: tuple[tuple[str, str], ...]
    text: str

    def hits(self, words: list[str]) -> tuple[str, ...] | None:
        """The fields that hold one of ``words``; None unless each word is somewhere in the entry."""
        if not all(word in self.text for word in words):
            return None
        return tuple(name for name, text in self.fields if any(word in text for word in words))


def line(entry: Resource) -> Line:
    """What of an entry is searched."""
    spec = entry.spec
    fields = tuple(
        (one["name"], " ".join([one["name"], one["title_zh"], one["title_en"]]).casefold())
        for one in spec["fields"]
    )
    own = " ".join([entry.id, entry.organisation, *(str(spec.get(key, "")) for key in SEARCHED)])
    return Line(
        id=entry.id,
        titles=(spec["title_zh"], spec["title_en"]),
        provider=entry.organisation,
        category=spec["category"],
        state=entry.state,
        levels=tuple(sorted({one["level"] for one in spec["fields"] if one["level"] is not None})),
        fields=fields,
        text="\n".join([own.casefold(), *(text for _, text in fields)]),
    )


@dataclass
class _Index:
    """Chunks of the catalogue in the order of ids, as of the entry that changed last."""

    newest: tuple[str, int]
    chunks: list[list[Line]] = field(default_factory=list)


_KNOWN: WeakKeyDictionary[Store, _Index] = WeakKeyDictionary()
_READING = Lock()


def chunks(store: Store, after: str = "") -> Iterator[list[Line]]:
    """The lines of public entries behind the entry ``after``, in the order of ids, a chunk at a time.

    Raises NOT_FOUND if ``after`` is no public entry.
    """
    number, found = 0, not after
    while True:
        chunk = _chunk(store, number)
        place = next((n for n, one in enumerate(chunk) if one.id == after), -1) if not found else -1
        if found or place >= 0:
            yield chunk[place + 1 :]
            found = True
        if len(chunk) < CHUNK:
            break
        number += 1
    if not found:
        raise fail("NOT_FOUND", kind=KIND, id=after)


def _chunk(store: Store, number: int) -> list[Line]:
    with _READING, store.read() as reader:
        # any entry, whatever its state: one that has left the catalogue has changed, too
        last = reader.page(KIND, order="changed", descending=True, limit=1)
        newest = (last[0].id, last[0].version) if last else ("", 0)
        known = _KNOWN.get(store)
        if known is None or known.newest != newest:
            known = _KNOWN[store] = _Index(newest)
        while len(known.chunks) <= min(number, KEPT - 1):
            known.chunks.append(_read(reader, known.chunks[-1][-1].id if known.chunks else ""))
            if len(known.chunks[-1]) < CHUNK:
                break
        if number < len(known.chunks):
            return known.chunks[number]
        chunk = known.chunks[-1]
        for _ in range(number - len(known.chunks) + 1):
            chunk = _read(reader, chunk[-1].id)
        return chunk


def _read(reader: Reader, after: str) -> list[Line]:
    made: list[Line] = []
    while len(made) < CHUNK:
        batch = reader.page(
            KIND, states=ENTRY_STATES, order="id", after=after, limit=min(BATCH, CHUNK - len(made))
        )
        made += [line(one) for one in batch]
        if len(batch) < BATCH:
            break
        after = batch[-1].id
    return made
