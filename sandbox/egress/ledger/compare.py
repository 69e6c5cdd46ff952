"""New cells against the ledger: pairs, two layers, any combination, and the reconstruction rate.

Two snapshots of one register differ by what happened meanwhile. A cell of one definition in both differs by
the persons who came and went; where it only counts persons by public attributes, that is how often statistics
appear, and the reviewer is told; where it gives amounts, or counts by sensitive values, it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from sandbox.egress.ledger.books import Book, common
from sandbox.egress.ledger.cuts import small_cuts
from sandbox.egress.ledger.pairs import close_pairs
from sandbox.egress.ledger.stated import Numbers, differences

if TYPE_CHECKING:
    from sandbox.egress.ledger.span import Spanned


class How(StrEnum):
    """By what a group comes to light, or what was not decided."""

    PAIR = "pair"
    STATED = "stated"
    LAYERS = "two_layers"
    COMBINATION = "combination"
    DETERMINED = "determined"
    REVISION = "revision"
    RATE = "rate"
    SUSPECT = "suspect"
    TOO_LARGE = "too_large"
    LEFT_OVER = "left_over"


@dataclass(frozen=True)
class Hit:
    """``book`` (a number among the new ones), ``releases``: what it is computed with; ``count``: how many
    groups; ``rate``: independent statistics an entity."""

    how: How
    book: int
    releases: tuple[str, ...]
    count: int = 0
    rate: float = 0.0


def compare(new: Sequence[Book], old: Sequence[Book], rate_from: float) -> list[Hit]:
    """What ``new`` gives away together with ``old``. Rates below ``rate_from`` are not told."""
    _, books = common([*new, *old])
    new, old = books[: len(new)], books[len(new) :]
    hits = [hit for number, one in enumerate(new) for hit in _against(number, one, old)]
    hits += _among(new)
    hits += [] if hits else _within(new)
    hard = any(hit.how in (How.PAIR, How.STATED, How.LAYERS) for hit in hits)
    return hits if hard else hits + _together(new, old, rate_from)


def _against(number: int, one: Book, old: Sequence[Book]) -> list[Hit]:
    """One new table against each earlier release, by pairs and by two layers."""
    hits, numbers = [], Numbers(one)
    for release in dict.fromkeys(book.release for book in old):
        found: dict[How, int] = {}
        for other in (book for book in old if book.release == release):
            for how, count in _two(one, other).items():
                found[how] = found.get(how, 0) + count
            if found.keys() <= {How.REVISION} and _same_kind(one, other):
                count = differences(numbers, Numbers(other), one.threshold, totals=True)
                # numbers that are not the recount of their own snapshot are no matter of its revision
                how = How.STATED if _comparable(one, other) or not one.exact else How.REVISION
                found |= {how: found.get(how, 0) + count} if count else {}
        hits += [Hit(how, number, (release,), count) for how, count in found.items()]
    return hits


def _among(new: Sequence[Book]) -> list[Hit]:
    """The tables of one request with each other. Totals differ by what was suppressed: only cells of one
    definition are compared by number, and what sums give is the business of the check of suppression."""
    hits = []
    for number, one in enumerate(new):
        for other in new[:number]:
            if one.table == other.table:
                continue
            found: dict[How, int] = {
                how: count for how, count in _pairs(one, other).items() if how is How.PAIR
            }
            if (
                not found
                and _same_kind(one, other)
                and (count := differences(Numbers(one), Numbers(other), one.threshold, totals=False))
            ):
                found = {How.STATED: count}
            hits += [Hit(how, number, (other.table,), count) for how, count in found.items()]
    return hits


def _within(new: Sequence[Book]) -> list[Hit]:
    """Sums and differences over the tables of one request, where a job chose the rows of some: all but those
    born before a day and those born after it are those born that day. What tables of all rows give together
    is the business of the check of suppression."""
    hits = []
    for epoch in dict.fromkeys(book.epoch for book in new if book.chosen):
        mine = [n for n, book in enumerate(new) if book.epoch == epoch and not book.shadow]
        if len(mine) < 2:
            continue
        books = [new[n] for n in mine]
        tables = tuple(dict.fromkeys(book.table for book in books))
        from sandbox.egress.ledger.span import spanned  # with linear algebra

        found = spanned(books[1:], books[:1], max(book.threshold for book in books))
        left = sum(book.layers[1] for book in books)
        if found is None or left:
            hits.append(Hit(How.TOO_LARGE if found is None else How.LEFT_OVER, mine[0], tables, left))
        else:
            told = ((How.COMBINATION, found.proven), (How.DETERMINED, found.determined))
            hits += [Hit(how, mine[0], tables, count) for how, count in told if count]
    return hits


def _same_kind(one: Book, other: Book) -> bool:
    """Published with published; base groups with base groups."""
    return (not one.shadow and not other.shadow) or (one.base and other.base)


def _comparable(one: Book, other: Book) -> bool:
    """Of one snapshot, or both with amounts or sensitive values: then the same definition counts as well."""
    return one.epoch == other.epoch or (one.deep and other.deep)


def _pairs(one: Book, other: Book) -> dict[How, int]:
    if not _same_kind(one, other):
        return {}
    pairs = close_pairs(one, other, one.threshold)
    if not len(pairs):
        return {}
    same = one.keys[pairs[:, 0]] == other.keys[pairs[:, 1]]
    revised = same if not _comparable(one, other) else np.zeros(len(same), dtype=bool)
    found = {How.PAIR: int((~revised).sum()), How.REVISION: int(revised.sum())}
    return {how: count for how, count in found.items() if count}


def _two(one: Book, other: Book) -> dict[How, int]:
    found = _pairs(one, other)
    if How.PAIR in found or one.shadow or other.shadow or not _comparable(one, other):
        return found
    cuts = sum(
        small_cuts(mine, theirs, one.threshold) for mine in one.layers[0] for theirs in other.layers[0]
    )
    return {**found, How.LAYERS: cuts} if cuts else found


def _together(new: Sequence[Book], old: Sequence[Book], rate_from: float) -> list[Hit]:
    """All releases of one snapshot (and what reaches over snapshots) with all the new tables of it."""
    hits = []
    for epoch in dict.fromkeys(book.epoch for book in new):
        mine = [n for n, book in enumerate(new) if book.epoch == epoch and not book.shadow]
        deep = any(new[n].deep for n in mine)
        theirs = [b for b in old if not b.shadow and (b.epoch == epoch or (deep and b.deep))]
        if not mine or not theirs:
            continue
        later = [new[n] for n in mine]
        books = [*theirs, *later]
        left = sum(book.layers[1] for book in books)
        from sandbox.egress.ledger.span import spanned  # with linear algebra

        found = spanned(later, theirs, max(new[n].threshold for n in mine))
        releases = tuple(dict.fromkeys(book.release for book in theirs))
        if found is None or left:
            hits.append(Hit(How.TOO_LARGE if found is None else How.LEFT_OVER, mine[0], releases, left))
        if found is not None:
            entities = len(new[mine[0]].universe)
            hits += _told(found, books, releases, mine[0], entities, rate_from)
    return hits


def _told(
    found: Spanned, books: Sequence[Book], releases: tuple[str, ...], number: int, entities: int, least: float
) -> list[Hit]:
    used = tuple(dict.fromkeys(books[b].release for b in found.books if books[b].release))
    hits = [
        Hit(how, number, used or releases, count)
        for how, count in ((How.COMBINATION, found.proven), (How.DETERMINED, found.determined))
        if count
    ]
    if found.suspects:
        hits.append(Hit(How.SUSPECT, number, releases, found.suspects))
    rate = found.rank / max(1, entities)
    if found.rank > found.rank_before and rate >= least:
        hits.append(Hit(How.RATE, number, releases, found.rank, rate))
    return hits
