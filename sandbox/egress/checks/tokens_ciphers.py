"""Ciphers without knowing the key: what the tokens of a column have in common with raw identifiers.

A substitution keeps the pattern of what repeats (13812345678 and qeiqwertyui), whatever stands for what: XOR
with one byte, a Caesar shift, an alphabet of one's own, any signs. One key stream for all rows falls out of
the difference of two tokens: if t1 and t2 are r1 and r2 under the same stream, then r1 and t2 - t1 give r2.
So for every raw r1 it is looked up whether that is a raw identifier too, for several tokens; XOR over bytes,
addition over digits and over whole numbers.
"""

from __future__ import annotations

import binascii
import contextlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import Source, sources
from sandbox.egress.clean import fold
from sandbox.egress.context import Context
from sandbox.egress.decoding_steps import BASES
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex

_FEWEST = 4  # tokens of one length
_MOST = 300  # tokens that are tried
_LENGTHS = (8, 24)  # characters of a raw identifier that singles out
_WRITTEN = 3 * _LENGTHS[1]  # characters that one is written with, in any base
_SHARE = 0.2
_PAIRS = 400  # guesses of what stands for what
_AGREE = 3  # further tokens that one key stream must explain
_CODERS = ("hex", "base64", "base32", "base85", "ascii85")
_RAW = 1_000_000  # raw identifiers of one length and column
_MIX = np.random.default_rng(7).integers(1, 2**63, 64, dtype=np.uint64) | np.uint64(1)


def _matrix(values: list[str]) -> np.ndarray:
    """Characters of equally long strings, a row a string; bytes where they are such."""
    rows = np.frombuffer("".join(values).encode("utf-32-le"), dtype=np.uint32).reshape(len(values), -1)
    return rows.astype(np.uint8) if rows.max(initial=0) < 256 else rows


def _hash(rows: np.ndarray) -> np.ndarray:
    """64 bits a row, eight bytes of it at a time."""
    if not len(rows):
        return np.zeros(0, dtype=np.uint64)
    wide = np.ascontiguousarray(rows).view(np.uint8).reshape(len(rows), -1)
    words = np.zeros((len(rows), -(-wide.shape[1] // 8) * 8), dtype=np.uint8)
    words[:, : wide.shape[1]] = wide
    found = np.zeros(len(rows), dtype=np.uint64)
    for place, word in enumerate(words.view(np.uint64).T):
        found ^= (word ^ (word >> np.uint64(29))) * _MIX[2 * place]
        found = (found ^ (found >> np.uint64(31))) * _MIX[2 * place + 1]
    return found


def pattern(rows: np.ndarray) -> np.ndarray:
    """For each character the place where it stood first in its row: equal for a substitution."""
    found = np.zeros(rows.shape, dtype=np.uint8)
    for place in range(rows.shape[1]):
        found[:, place] = place
        for earlier in range(place - 1, -1, -1):
            same = rows[:, earlier] == rows[:, place]
            found[same, place] = found[same, earlier]
    return found


class _Raw:
    """Raw identifiers of one length: their characters and how to look rows up among them."""

    def __init__(self, values: pl.Series) -> None:
        text = values.head(_RAW).str.join("")[0].encode()  # printed ASCII, a byte a character
        self.rows = np.frombuffer(text, dtype=np.uint8).reshape(min(len(values), _RAW), -1)
        self.sorted = np.sort(_hash(self.rows))

    @cached_property
    def patterns(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows in the order of their patterns' hashes, those hashes)."""
        hashed = _hash(pattern(self.rows))
        order = np.argsort(hashed)
        return order, hashed[order]

    def known(self, rows: np.ndarray) -> np.ndarray:
        """Which of ``rows`` are raw identifiers (by 64-bit hash)."""
        return _among(_hash(rows), self.sorted)


def _among(asked: np.ndarray, known: np.ndarray) -> np.ndarray:
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return np.asarray(known[place] == asked)


def _lengths(index: RawIndex, context: Context) -> dict[tuple[str, int], _Raw]:
    """The raw identifiers of ``index`` by column and length; read once a run."""
    memo = f"ciphers {index.view}"
    if memo not in context.memo:
        found: dict[tuple[str, int], _Raw] = {}
        for name in index.keys:
            values = index.coded(name).values
            sized = values.filter(values.str.contains(r"^[\x21-\x7E]*[0-9]{6}[\x21-\x7E]*$"))
            for length in sized.str.len_chars().unique():
                chosen = sized.filter(sized.str.len_chars() == length)
                if _LENGTHS[0] <= length <= _LENGTHS[1] and len(chosen) >= max(_FEWEST, 0.01 * len(values)):
                    found[name, int(length)] = _Raw(chosen)
        context.memo[memo] = found
    loaded: dict[tuple[str, int], _Raw] = context.memo[memo]
    return loaded


def _decoded(values: list[str], coder: str) -> list[str]:
    """What ``values`` encode, if half of them do: a stray one must not hide the others."""
    found = []
    for value in values:
        with contextlib.suppress(ValueError, binascii.Error):
            found.append(BASES[coder](value).decode("latin-1"))
    return found if 2 * len(found) >= len(values) else []


def _readings(source: Source) -> Iterator[tuple[str, list[str]]]:
    """(how it was read, tokens of one length) of a column: as it stands, and the bytes it may encode."""
    values = fold(source.values.cast(pl.String))
    wide = values.str.len_chars()
    values = values.filter(wide.is_between(_LENGTHS[0], _WRITTEN) & ~values.str.contains(r"[\s]"))
    if len(values) < _FEWEST:
        return
    sample = values.gather_every(max(1, len(values) // _MOST)).to_list()
    for coder in ("", *_CODERS):
        tokens = _decoded(sample, coder) if coder else sample
        lengths = {len(token) for token in tokens}
        for length in lengths if len(lengths) <= 4 else ():
            chosen = [token for token in tokens if len(token) == length]
            if _LENGTHS[0] <= length <= _LENGTHS[1] and len(chosen) >= max(_FEWEST, len(tokens) // 4):
                yield coder, chosen


def substitution(tokens: np.ndarray, raw: _Raw) -> int:
    """How many ``tokens`` are raw identifiers under one substitution of characters; 0 if it may be chance."""
    ours = _hash(pattern(tokens))
    order, theirs = raw.patterns
    first, last = np.searchsorted(theirs, ours), np.searchsorted(theirs, ours, side="right")
    hits = int((last > first).sum())
    if hits < max(_AGREE, _SHARE * len(tokens)):
        return 0
    guesses = 0
    # The tokens with the most different characters say most, and are like the fewest raw ones.
    variety = np.array([len(set(row.tolist())) for row in tokens])
    for row in np.lexsort((last - first, -variety)):
        for place in order[first[row] : last[row]][:50]:
            guesses += 1
            if guesses > _PAIRS:
                return 0
            table = dict(zip(tokens[row].tolist(), raw.rows[place].tolist(), strict=True))
            known = np.isin(tokens, list(table)).all(axis=1)
            if known.sum() < _AGREE:
                continue
            told = np.vectorize(table.get, otypes=[np.uint8])(tokens[known])
            count = int(raw.known(told).sum())
            if count >= max(_AGREE, 0.5 * known.sum()):
                return count
    return 0


def _xor(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(a ^ b)


def _add(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a + b) % 10)


def _minus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray((a + 10 - b) % 10)


Operation = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _explained(tokens: np.ndarray, rows: np.ndarray, minus: Operation, plus: Operation) -> bool:
    """Whether one key stream turns some raw identifier and enough others into ``tokens``."""
    known = np.sort(_hash(rows))
    for start in range(min(2, len(tokens) - _AGREE)):
        left, agree = rows, np.zeros(len(rows), dtype=np.int8)
        for number, other in enumerate(tokens[start + 1 : start + 6]):
            agree += _among(_hash(plus(left, minus(other, tokens[start])[None, :])), known)
            if number == 2:  # who explains none of three cannot explain three of five
                left, agree = left[agree > 0], agree[agree > 0]
        if agree.max(initial=0) >= _AGREE:
            return True
    return False


def stream(tokens: np.ndarray, raw: _Raw) -> str:
    """The name of the operation by which one key stream explains ``tokens``; "" if none does."""
    tokens = np.unique(tokens, axis=0)
    tokens = tokens[np.random.default_rng(7).permutation(len(tokens))]
    if tokens.dtype == np.uint8 and _explained(tokens, raw.rows, _xor, _xor):
        return "XOR"
    # The check character of an identity number may be an X: it is left out, or the numbers that have one.
    ours, theirs = _numerals(tokens[:, :17]), _numerals(raw.rows[:, :17])
    if len(ours) > _AGREE and len(theirs) and _explained(ours, theirs, _minus, _add):
        return "digit addition"
    if tokens.shape[1] > 18:
        return ""
    scale = 10 ** np.arange(tokens.shape[1] - 1, -1, -1, dtype=np.int64)
    ours, theirs = (_numerals(tokens) @ scale)[:, None], (_numerals(raw.rows) @ scale)[:, None]
    if len(ours) <= _AGREE or not len(theirs):
        return ""
    if _explained(ours, theirs, np.subtract, np.add):
        return "addition"
    return "XOR of numbers" if _explained(ours, theirs, _xor, _xor) else ""


def _numerals(rows: np.ndarray) -> np.ndarray:
    """The digits of the rows that are nothing but digits."""
    digits = rows - rows.dtype.type(48)
    return np.asarray(digits[(digits <= 9).all(axis=1)].astype(np.uint8))


def _attack(source: Source, context: Context) -> dict[str, object] | None:
    for coder, tokens in _readings(source):
        rows = _matrix(tokens)
        for index in context.indexes:
            for (_, length), raw in _lengths(index, context).items():
                if length != rows.shape[1] or raw.known(rows).mean() > 0.5:
                    continue  # what stands there as it is, is found as such
                prefix = f"{coder}>" if coder else ""
                count = substitution(rows, raw)
                if count:
                    return {"method": f"{prefix}substitution", "count": count, "raw": index.name}
                name = stream(rows, raw) if len(rows) > _AGREE else ""
                if name:
                    return {"method": f"{prefix}{name} with one key", "count": len(rows), "raw": index.name}
    return None


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hard finding a column; family 3."""
    for source in sources(document, context):
        found = _attack(source, context) if source.cells else None
        if found:
            evidence = {"family": 3, **found}
            yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)


CHECK = Check(("REVERSIBLE",), "table", run, raw=True)
