"""Identifiers anywhere: cells, headers, file names, text, metadata, and what simple encodings hide."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.clean import mask
from sandbox.egress.context import Context
from sandbox.egress.decoding import accidental, coded, expand
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.pii.kinds import KINDS
from sandbox.pii.normal import locate
from sandbox.pii.scan import scan

_RUNS = re.compile(r"(?:[A-Za-z0-9+/_\-]{24,}={0,2}\s*){2,}")
_HAN = r"[\p{Han}·]{2,6}|[0-9A-Za-z@.]{6,}"
_LONG = 14  # characters from which one hit is no chance, whatever was tried
_COLUMN, _MOSTLY = 3, 0.5  # distinct values, and share of the column, that make a column of a kind
_NAME_HEADER = re.compile(r"姓名|名字|联系人|(?:^|[_ ])names?$|^xm$", re.IGNORECASE)


@dataclass
class Source:
    """Values of one place: a column, the headers, the text of a file, its name."""

    where: str
    header: str
    values: pl.Series
    places: list[str]  # of each value, may be empty for cells
    cells: bool
    number: bool = False  # a column of numbers: eleven digits alone prove nothing
    place: int = -1  # its number in the batch


class Batch:
    """The sources of all documents, one after the other: what is looked for, is looked for once."""

    def __init__(self, context: Context) -> None:
        self.of = {id(document): list(_sources(document, context)) for document in context.documents}
        every = [source for found in self.of.values() for source in found]
        for number, source in enumerate(every):
            source.place = number
        self.values = pl.concat([pl.Series([], dtype=pl.String), *(s.values.cast(pl.String) for s in every)])
        self._starts = np.cumsum([0, *(len(source.values) for source in every)])
        self._parts: dict[str, dict[int, pl.DataFrame]] = {}

    def part(self, name: str, source: Source, make: Callable[[pl.Series], pl.DataFrame]) -> pl.DataFrame:
        """The rows of ``make(all values)`` that are of ``source``; their ``index`` counts its values.

        ``make`` is called once for a ``name``."""
        if name not in self._parts:
            frame = make(self.values)
            index = frame["index"].to_numpy().astype(np.int64)
            place = np.searchsorted(self._starts, index, side="right") - 1
            frame = frame.with_columns(index=index - self._starts[place], __place=place)
            self._parts[name] = {-1: frame.clear().drop("__place")}
            for (number,), rows in frame.partition_by("__place", as_dict=True, maintain_order=True).items():
                self._parts[name][int(number)] = rows.drop("__place")
        found = self._parts[name]
        return found.get(source.place, found[-1])


def batch(context: Context) -> Batch:
    """The batch of a check run."""
    if "batch" not in context.memo:
        context.memo["batch"] = Batch(context)
    found = context.memo["batch"]
    assert isinstance(found, Batch)
    return found


def sources(document: Document, context: Context) -> list[Source]:
    """Every place of a document that holds text."""
    return batch(context).of[id(document)]


def _sources(document: Document, context: Context) -> Iterator[Source]:
    yield Source("file name", "", pl.Series([document.path], dtype=pl.String), [], False)
    for table in document.tables:
        part = f"{table.part} " if table.part else ""
        yield Source(f"{part}header", "", pl.Series(table.columns, dtype=pl.String), [], False)
        for number, name in enumerate(table.columns):
            values = table.shown(name).values
            if len(values):
                numeric = table.data[name].dtype.is_numeric() or _mostly_numbers(values)
                where = part + context.column(number, name)
                yield Source(where, name, values, [], True, numeric)
    if document.pieces:
        texts = [piece.text for piece in document.pieces]
        places = [piece.where for piece in document.pieces]
        whole = "\n".join(texts)
        runs = [re.sub(r"\s", "", match.group()) for match in _RUNS.finditer(whole)]
        yield Source(
            "text",
            "",
            pl.Series([*texts, *runs], dtype=pl.String),
            [*places, *("joined lines" for _ in runs)],
            False,
        )


def _mostly_numbers(values: pl.Series) -> bool:
    return bool(values.cast(pl.Float64, strict=False).is_not_null().mean() > 0.5)  # type: ignore[operator]


def _severity(name: str, source: Source, hits: pl.DataFrame, total: int) -> Severity | None:
    """What the hits of one kind weigh: form, header, the words beside them, their share of the column."""
    if bool(hits["sure"].any()):
        return Severity.HARD
    row = KINDS[name]
    distinct = hits["found"].n_unique()
    weights = [row.alone]
    if row.context and re.search(row.context, source.header, re.IGNORECASE):
        weights.append(row.near)
    if distinct >= _COLUMN and distinct >= _MOSTLY * total:
        weights.append(row.full)
    if bool(hits["near"].any()) and not source.number:
        weights.append(row.near)
    if source.number:
        # Eleven digits among numbers prove nothing.
        weights[0] = row.alone and Severity.FLAG
    return min((weight for weight in weights if weight), key=list(Severity).index, default=None)


def report(document: Document, source: Source, hits: pl.DataFrame) -> Iterable[Finding]:
    """A finding for each sort of identifier among ``hits`` of ``source`` that weighs anything."""
    total = source.values.n_unique()
    for (kind,), group in hits.group_by("kind", maintain_order=True):
        severity = _severity(str(kind), source, group, total)
        if severity is None:
            continue
        first = int(group["index"][0])
        where = source.places[first] if source.places else source.where
        at = locate(str(source.values[first]), str(group["found"][0]))
        evidence = {**_evidence(group), **({"at": f"{at[0]}-{at[1]}"} if at else {})}
        row = KINDS[str(kind)]
        yield finding("IDENTIFIER", document.shown, where, evidence, severity, kind_zh=row.zh, kind_en=row.en)


def _evidence(group: pl.DataFrame) -> dict[str, Any]:
    found = group["found"].unique(maintain_order=True)
    return {"count": len(found), "samples": [mask(value) for value in found.head(2)]}


def _decoded(
    document: Document, source: Source, hits: pl.DataFrame, chains: list[str], base: int
) -> Iterable[Finding]:
    """``chains``: how each value was decoded; ``base``: how many values there were before decoding.

    Only what has a check digit counts, and when merely read backwards only a share of the values: one order
    number in two thousand has a valid check digit from behind.
    """
    for (kind,), group in hits.group_by("kind", maintain_order=True):
        row = KINDS[str(kind)]
        plain = pl.Series([not accidental(chains[i]) for i in group["index"]], dtype=pl.Boolean)
        enough = base <= 2 or group["found"].n_unique() >= max(2, 0.2 * base)
        certain = group.filter(pl.col("sure") & (plain | pl.lit(enough)))
        told = row.alone in (Severity.HARD, Severity.HOLD)
        if certain.height or (told and group.filter(plain)["found"].n_unique() >= _COLUMN):
            chain = chains[int((certain if certain.height else group.filter(plain))["index"][0])]
            evidence = {**_evidence(group), "family": 4, "method": chain}
            yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)


def _split(values: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Whole values and the words in them, with the index of the value each comes from."""
    frame = pl.DataFrame({"i": pl.arange(0, len(values), eager=True), "v": values})
    words = frame.with_columns(pl.col("v").str.extract_all(_HAN)).explode("v").drop_nulls("v")
    both = pl.concat([frame, words]).unique(maintain_order=True)
    return both["v"], both["i"]


def _identifying(context: Context, values: pl.Series) -> pl.DataFrame:
    """``context.identifying`` of values and the words in them: ``index`` of the value, ``found`` the word."""
    words, origin = _split(values)
    hits = context.identifying(words)
    return hits.with_columns(
        index=origin.gather(hits["index"]), order="index", found=words.gather(hits["index"])
    )


def _raw_hits(document: Document, source: Source, context: Context) -> Iterable[Finding]:
    hits = batch(context).part("raw", source, partial(_identifying, context))
    if not hits.height:
        return
    total = source.values.n_unique()
    for (raw, column), group in hits.group_by("raw", "column", maintain_order=True):
        found = group["found"]
        distinct, strong = found.n_unique(), bool(group["strong"].any())
        long = bool((found.filter(group["strong"]).str.len_chars() >= 11).any())
        share = distinct / max(1, total)
        if source.number and not (long or share >= 0.5):
            continue
        named = _NAME_HEADER.search(source.header) is not None
        certain = strong or named or (distinct >= 3 and share >= 0.2)
        if not certain and source.number:
            continue
        first = int(group["index"][0])
        where = source.places[first] if source.places else source.where
        yield finding(
            "RAW_IDENTIFIER",
            document.shown,
            where,
            {"count": distinct, "raw_column": str(column), "samples": [mask(str(found[0]))]},
            Severity.HARD if certain else Severity.HOLD,
            raw=raw,
        )


def run(document: Document, context: Context) -> Iterable[Finding]:
    """Identifiers by form, identifiers by equality with the raw data, and both after decoding."""
    for source in sources(document, context):
        yield from report(document, source, batch(context).part("scan", source, scan))
        if context.raws:
            yield from _raw_hits(document, source, context)
        if not batch(context).part("coded", source, coded).height:
            continue
        values = source.values
        if source.cells and len(values) > 1 and bool(values.str.contains(r"^[A-Za-z0-9+/_\-=]{16,}$").all()):
            values = values.append(pl.Series(["".join(values)], dtype=pl.String))
        _, texts, chains = expand(values, context.decode_budget)
        if context.decode_budget[0] < 0:
            yield finding(
                "BUDGET",
                document.shown,
                source.where,
                why_zh="编码内容过多",
                why_en="too much encoded content",
            )
        if texts:
            decoded = Source(source.where, source.header, pl.Series(texts, dtype=pl.String), [], False)
            yield from _decoded(document, decoded, scan(decoded.values), chains, len(values))
            if context.raws:
                yield from _decoded_raw(document, decoded, chains, context, len(values))


def _decoded_raw(
    document: Document, source: Source, chains: list[str], context: Context, base: int
) -> Iterable[Finding]:
    """Raw identifiers among what was decoded; by chance only long ones are none."""
    hits = _identifying(context, source.values)
    if not hits.height:
        return
    plain = pl.Series([not accidental(chains[i]) for i in hits["index"]], dtype=pl.Boolean)
    hits = hits.with_columns(plain=plain, long=pl.col("found").str.len_chars() >= _LONG)
    distinct = hits["found"].n_unique()
    many = distinct >= _COLUMN and (bool(plain.any()) or distinct >= 0.2 * base)
    certain = hits.filter(pl.col("strong") & (pl.col("plain") | pl.col("long")))
    if certain.height or many:
        chain = chains[int((certain if certain.height else hits)["index"][0])]
        evidence = {"family": 4, "method": chain, "count": distinct}
        yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)


CHECK = Check(("IDENTIFIER", "RAW_IDENTIFIER", "REVERSIBLE", "BUDGET"), "file", run)
