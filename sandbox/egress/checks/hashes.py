"""Families 2 and 3: digests of raw identifiers, whole or cut, in any usual spelling, plain, keyed or salted
with what can be guessed or stands in another column."""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.hashes_salts import guesses, salted_digests
from sandbox.egress.checks.identifiers import Source, batch, sources
from sandbox.egress.clean import key
from sandbox.egress.context import Context
from sandbox.egress.decoding_steps import BASES
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex

_ALGORITHMS = {"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sm3": 32, "sha384": 48, "sha512": 64}
_HEX = re.compile(r"(?:0x)?([0-9A-Fa-f]{8,128})")
_DECIMAL = re.compile(r"[0-9]{30,155}")
_BASE58 = re.compile(r"[1-9A-HJ-NP-Za-km-z]{20,90}")
_BASE32 = re.compile(r"[A-Z2-7]{13,103}")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{11,88}={0,2}")
_PRINTED = re.compile(rb"[\x20-\x7e]+")
_TEXT = 16  # bytes from which what can be printed is no digest
_MARKS = (b"", b"_", b"|", b"-", b",", b":")  # between two cells
_RAW_COLUMNS = 12  # columns of a raw table that are tried beside an identifier
_WINDOW = 8  # bytes that identify a digest: the least that is accepted as one
_MANY = 5  # digests from which salts are tried
_SAMPLE = 150_000  # digests tried with salts for a raw column and algorithm, at most
_EXPECTED = 96  # raw values in the sample whose digest stands in the output, were each token of it a digest
_SHORT = 4  # bytes; a digest cut so may be hit by chance, so a share of the tokens must be
_SHARE, _FEWEST = 0.2, 3
_COMMON = ("md5", "sha1", "sha256", "sm3")
_WORD = r"[0-9A-Za-z+/_\-]{11,}={0,2}"


def _bytes(text: str) -> Iterator[bytes]:
    """Everything that ``text`` may be the spelling of."""
    match = _HEX.fullmatch(text)
    if match and len(match.group(1)) % 2 == 0 and re.search("[A-Fa-f]", match.group(1)):
        yield bytes.fromhex(match.group(1))
        return
    if _DECIMAL.fullmatch(text):
        value = int(text)
        yield value.to_bytes((value.bit_length() + 7) // 8, "big")
    if _BASE64.fullmatch(text) and re.search(r"[a-z]", text) and re.search(r"[A-Z0-9]", text):
        body = text.rstrip("=").replace("-", "+").replace("_", "/")
        with suppress(ValueError, binascii.Error):
            yield base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    if _BASE58.fullmatch(text) and re.search(r"[a-z]", text):
        with suppress(ValueError):
            number = int(BASES["base58"](text))  # what is no text comes as its number
            yield number.to_bytes((number.bit_length() + 7) // 8, "big")
    if _BASE32.fullmatch(text):
        with suppress(binascii.Error):
            yield base64.b32decode(text + "=" * (-len(text) % 8))


def _digests(text: str) -> list[bytes]:
    """The bytes of a cell that looks like a digest. Sixteen bytes that are all letters and digits are text in
    an encoding, which is family 4's: a digest is so once in ten million."""
    return [
        data
        for data in _bytes(text)
        if _SHORT <= len(data) <= 64
        and not (len(data) >= _TEXT and data.isascii() and _PRINTED.fullmatch(data))
    ]


def _windows(digests: Iterable[bytes]) -> np.ndarray:
    """The windows by which a cut digest is known: head, middle (16-digit MD5), tail; a row a digest."""
    found = [
        (digest[:_WINDOW], digest[middle : middle + _WINDOW], digest[-_WINDOW:])
        for digest in digests
        if len(digest) >= _WINDOW
        for middle in [(len(digest) - _WINDOW) // 2]
    ]
    return np.frombuffer(b"".join(chain.from_iterable(found)), dtype=np.uint64).reshape(-1, 3)


def _plausible(lengths: set[int]) -> list[str]:
    """Algorithms that can have given digests of these lengths, whole or cut."""
    whole = [name for name, size in _ALGORITHMS.items() if size in lengths]
    cut = [name for name, size in _ALGORITHMS.items() if any(length < size for length in lengths)]
    return list(dict.fromkeys([*whole, *cut]))


def _hits(values: Iterable[bytes], algorithm: str, wanted: np.ndarray) -> np.ndarray:
    """The windows of those digests of ``values`` of which one stands in the output."""
    new = getattr(hashlib, algorithm, None) or partial(hashlib.new, algorithm)
    return _matching([new(value, usedforsecurity=False).digest() for value in values], algorithm, wanted)


def _matching(found: list[bytes], algorithm: str, wanted: np.ndarray) -> np.ndarray:
    """The windows of those of ``found`` of which one is ``wanted``."""
    size, middle = _ALGORITHMS[algorithm], (_ALGORITHMS[algorithm] - _WINDOW) // 2
    rows = np.frombuffer(b"".join(found), dtype=np.uint8).reshape(-1, size)
    starts = (0, middle, size - _WINDOW)
    windows = np.column_stack(
        [np.ascontiguousarray(rows[:, a : a + _WINDOW]).view(np.uint64)[:, 0] for a in starts]
    )
    matching: np.ndarray = windows[_known(windows, wanted)]
    return matching


def _known(windows: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Row by row: is one of the windows ``wanted``, which is sorted?"""
    if not len(wanted):
        return np.zeros(len(windows), dtype=bool)
    places = np.minimum(np.searchsorted(wanted, windows), len(wanted) - 1)
    return np.asarray((wanted[places] == windows).any(axis=1))


class _Kept:
    """What an iterator gives, each thing made once and only when somebody has come as far."""

    def __init__(self, rest: Iterator[tuple[str, str, np.ndarray]]) -> None:
        self._seen: list[tuple[str, str, np.ndarray]] = []
        self._rest = rest

    def __iter__(self) -> Iterator[tuple[str, str, np.ndarray]]:
        yield from (seen := self._seen)
        while (one := next(self._rest, None)) is not None:
            seen.append(one)
            yield one


class _Dictionary:
    """The dictionary attack on everything of a set that looks like a digest; each raw value is tried once."""

    def __init__(self, context: Context) -> None:
        self.columns = [(index, name) for index in context.indexes for name in index.keys]
        every = [self.digests(source, context) for found in batch(context).of.values() for source in found]
        self._lengths = {len(digest) for digests in every for digest in digests}
        self._wanted = np.unique(_windows(digest for digests in every for digest in digests))
        self._texts: dict[tuple[str, str], list[bytes]] = {}
        self._plain: dict[tuple[str, str, str], np.ndarray] = {}
        fewest = [len(digests) for digests in every if len(digests) >= _MANY]
        self._share = min(1.0, _EXPECTED / min(fewest)) if fewest else 1.0
        self._salted: dict[tuple[str, str], _Kept] = {}
        self._composed: dict[str, list[tuple[str, str, np.ndarray]]] = {}
        self._guesses = guesses(context)

    @staticmethod
    def digests(source: Source, context: Context) -> list[bytes]:
        """The digest-like tokens of a source: whole cells, and words of running text."""
        tokens = batch(context).part("tokens", source, _tokens)
        if source.cells:
            tokens = tokens.filter("whole")
        return [data for token in tokens["token"].unique(maintain_order=True) for data in _digests(token)]

    def _values(self, index: RawIndex, name: str) -> list[bytes]:
        """Distinct values of an identifying column, as they stand and as keys."""
        memo = (index.view, name)
        if memo not in self._texts:
            values = index.coded(name).values
            both = pl.concat([values, key(values).drop_nulls(), values.str.to_lowercase()])
            self._texts[memo] = [value.encode() for value in both.unique(maintain_order=True).to_list()]
        return self._texts[memo]

    def plain(self, index: RawIndex, name: str, algorithm: str) -> np.ndarray:
        """Windows of the digests of a raw column that stand anywhere in the set."""
        memo = (index.view, name, algorithm)
        if memo not in self._plain:
            self._plain[memo] = _hits(self._values(index, name), algorithm, self._wanted)
        return self._plain[memo]

    def heads(self, index: RawIndex, name: str, algorithm: str, size: int) -> np.ndarray:
        """The first and the last ``size`` bytes of the digests of a raw column."""
        memo = (index.view, name, f"{algorithm} {size}")
        if memo not in self._plain:
            new = partial(hashlib.new, algorithm, usedforsecurity=False)
            found = [new(value).digest() for value in self._values(index, name)]
            ends = [digest[:size] for digest in found] + [digest[-size:] for digest in found]
            self._plain[memo] = np.unique(np.array(ends, dtype=f"S{size}"))
        return self._plain[memo]

    def salted(self, index: RawIndex, name: str) -> Iterable[tuple[str, str, np.ndarray]]:
        """The same with guessable salts and keys, of a sample: (algorithm, place of the salt, windows).

        One value whose digest is found gives the salt away, so the more digests a column of the output
        has, the fewer raw values are enough. They are tried as they are asked for: the first hit ends it.
        """
        memo = (index.view, name)
        if memo not in self._salted:
            self._salted[memo] = _Kept(self._tried(index, name))
        return self._salted[memo]

    def _tried(self, index: RawIndex, name: str) -> Iterator[tuple[str, str, np.ndarray]]:
        values = self._values(index, name)
        affordable = _SAMPLE // max(1, len(self._guesses) * 3)
        sample = max(1, min(affordable, math.ceil(len(values) * self._share)))
        values = values[:: max(1, len(values) // sample)]
        whole = [a for a in _COMMON if _ALGORITHMS[a] in self._lengths]
        for algorithm in whole or [a for a in _plausible(self._lengths) if a in _COMMON]:
            for place, found in salted_digests(algorithm, self._guesses, values):
                yield algorithm, place, _matching(found, algorithm, self._wanted)

    def composed(self, index: RawIndex) -> list[tuple[str, str, np.ndarray]]:
        """Digests of two cells of a raw row, one of them an identifier: (algorithm, place, windows)."""
        if index.view not in self._composed:
            columns = [c for c in index.columns if index.cardinality[c] > 1][:_RAW_COLUMNS]
            tried = index.rows_total * len(columns) * len(index.keys) * len(_MARKS) * 2
            rows = np.arange(index.rows_total)[:: max(1, tried // _SAMPLE)]
            cells = {c: _cells(index, c, rows) for c in columns}
            found = []
            for algorithm in [a for a in _COMMON if _ALGORITHMS[a] in self._lengths]:
                for key_column in index.keys:
                    for other in [c for c in columns if c != key_column]:
                        for mark in _MARKS:
                            pairs = list(zip(_cells(index, key_column, rows), cells[other], strict=True))
                            texts = [a + mark + b for a, b in pairs] + [b + mark + a for a, b in pairs]
                            found.append((algorithm, "another column", _hits(texts, algorithm, self._wanted)))
            self._composed[index.view] = found
        return self._composed[index.view]


def _cells(index: RawIndex, column: str, rows: np.ndarray) -> list[bytes]:
    coded = index.coded(column)
    values = coded.values.append(pl.Series([""], dtype=pl.String))  # the code of a missing value is -1
    return [value.encode() for value in values.gather(coded.codes[rows] % len(values)).to_list()]


def _tokens(values: pl.Series) -> pl.DataFrame:
    """(index of the value, token, whether it is the whole value) of what may be a digest."""
    frame = pl.DataFrame({"token": values}).with_row_index("index").drop_nulls()
    whole = frame.with_columns(pl.col("token").str.strip_chars(), whole=pl.lit(True))
    whole = whole.filter(pl.col("token").str.contains(f"^(?:{_HEX.pattern}|{_BASE64.pattern})$"))
    frame = frame.filter(pl.col("token").str.contains(_WORD))
    parts = frame.with_columns(pl.col("token").str.extract_all(_WORD), whole=pl.lit(False))
    return pl.concat([whole, parts.explode("token")])


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A dictionary attack on every place that holds digest-like tokens."""
    if "dictionary" not in context.memo:
        context.memo["dictionary"] = _Dictionary(context)
    attack: _Dictionary = context.memo["dictionary"]
    for source in sources(document, context):
        digests = attack.digests(source, context)
        if not digests:
            continue
        hit = _first(attack, digests)
        if hit:
            yield finding("REVERSIBLE", document.shown, source.where, hit, column=source.where)


def _first(attack: _Dictionary, digests: list[bytes]) -> dict[str, Any] | None:
    """Evidence of the first method and raw column that give some of ``digests``; one is enough."""
    wanted = np.unique(_windows(digests))
    algorithms = _plausible({len(digest) for digest in digests})

    def count(windows: np.ndarray) -> int:
        return int(_known(windows, wanted).sum())

    for algorithm in algorithms:
        for index, name in attack.columns:
            if hits := count(attack.plain(index, name, algorithm)):
                return {"family": 2, "method": algorithm, "count": hits, "raw": index.name}
    short = _cut_short(attack, digests)
    if short or sum(len(digest) >= _WINDOW for digest in digests) < _MANY:
        return short
    for index, name in attack.columns:
        for algorithm, place, windows in attack.salted(index, name):
            if algorithm in algorithms and (hits := count(windows)):
                method = f"{algorithm}, guessable {place}"
                return {"family": 3, "method": method, "count": hits, "raw": index.name}
    for index in dict.fromkeys(index for index, _ in attack.columns):
        for algorithm, place, windows in attack.composed(index):
            if hits := count(windows):
                return {"family": 3, "method": f"{algorithm}, with {place}", "count": hits, "raw": index.name}
    return None


def _cut_short(attack: _Dictionary, digests: list[bytes]) -> dict[str, Any] | None:
    """The same for digests cut to four bytes and more, of which chance gives some: a share must be known."""
    cut = [digest for digest in digests if len(digest) < _WINDOW]
    for size in sorted({len(digest) for digest in cut}):
        wanted = np.array([digest for digest in cut if len(digest) == size], dtype=f"S{size}")
        for algorithm in _COMMON if len(wanted) >= _FEWEST else ():
            for index, name in attack.columns:
                known = attack.heads(index, name, algorithm, size)
                hits = int(np.isin(wanted, known).sum())
                if hits >= max(_FEWEST, _SHARE * len(wanted)):
                    method = f"{algorithm}, cut to {size} bytes"
                    return {"family": 2, "method": method, "count": hits, "raw": index.name}
    return None


CHECK = Check(("REVERSIBLE",), "text", run, raw=True)
