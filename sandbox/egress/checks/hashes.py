"""Families 2 and 3: digests of raw identifiers, whole or cut, in hex or base64, plain or with a guessable
salt."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable

import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.checks.identifiers import sources
from sandbox.egress.clean import key
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding

_ALGORITHMS = {"md5": 16, "sha1": 20, "sha224": 28, "sha256": 32, "sm3": 32, "sha384": 48, "sha512": 64}
_HEX = re.compile(r"(?:0x)?([0-9A-Fa-f]{16,128})")
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{11,88}={0,2}")
_WINDOW = 8  # bytes that identify a digest: the least that is accepted as one
_SAMPLE = 300_000  # digests tried with salts for a raw column; a long column of digests cannot miss them all
_COMMON = ("md5", "sha1", "sha256", "sm3")
_SALTS = tuple(
    [str(year) for year in range(2015, 2031)]
    + [
        "salt",
        "SALT",
        "secret",
        "pepper",
        "123456",
        "password",
        "admin",
        "test",
        "key",
        "hash",
        "data",
        "guizhou",
    ]
    + ["gz", "chengdu", "guangdong", "sandbox", "project", "id", "phone", "mobile", "0", "1", "abc", "abc123"]
)


def _digest(text: str) -> bytes | None:
    """The bytes of a cell that looks like a digest."""
    match = _HEX.fullmatch(text)
    if match and len(match.group(1)) % 2 == 0 and re.search("[A-Fa-f]", match.group(1)):
        return bytes.fromhex(match.group(1))
    if _BASE64.fullmatch(text) and re.search(r"[a-z]", text) and re.search(r"[A-Z0-9]", text):
        body = text.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            data = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
        except (ValueError, binascii.Error):
            return None
        return data if _WINDOW <= len(data) <= 64 else None
    return None


def _windows(digest: bytes) -> set[bytes]:
    """The eight-byte windows by which a cut digest is known: head, middle (16-digit MD5), tail."""
    middle = (len(digest) - _WINDOW) // 2
    return {digest[:_WINDOW], digest[middle : middle + _WINDOW], digest[-_WINDOW:]}


def _plausible(lengths: set[int]) -> list[str]:
    """Algorithms that can have given digests of these lengths, whole or cut."""
    whole = [name for name, size in _ALGORITHMS.items() if size in lengths]
    cut = [name for name, size in _ALGORITHMS.items() if any(length < size for length in lengths)]
    return list(dict.fromkeys([*whole, *cut]))


def _hits(values: Iterable[str], algorithm: str, wanted: set[bytes]) -> int:
    """How many of ``values`` have a digest that stands in the output."""
    count = 0
    for value in values:
        digest = hashlib.new(algorithm, value.encode(), usedforsecurity=False).digest()
        head, tail = digest[:_WINDOW], digest[-_WINDOW:]
        middle = (len(digest) - _WINDOW) // 2
        count += head in wanted or tail in wanted or digest[middle : middle + _WINDOW] in wanted
    return count


def _salted(values: list[str], algorithms: list[str], wanted: set[bytes]) -> tuple[str, int] | None:
    for algorithm in algorithms:
        for salt in _SALTS:
            for name, wrapped in (
                ("salt first", [salt + value for value in values]),
                ("salt last", [value + salt for value in values]),
            ):
                count = _hits(wrapped, algorithm, wanted)
                if count:
                    return f"{algorithm}, guessable {name}", count
    return None


def _raw_values(context: Context) -> list[tuple[str, list[str]]]:
    """Distinct values of the identifying columns, as they stand and as keys."""
    found = []
    for index in context.indexes:
        names = dict.fromkeys([*index.identifiers, *([index.entity] if index.entity else [])])
        for name in names:
            values = index.engine.frame(
                f"SELECT DISTINCT {index.value(name)} AS v FROM {index.view} ORDER BY v"
            )["v"].drop_nulls()
            both = pl.concat([values, key(values).drop_nulls(), values.str.to_lowercase()]).unique()
            found.append((index.name, both.sort().to_list()))
    return found


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A dictionary attack on every place that holds digest-like tokens."""
    raws: list[tuple[str, list[str]]] | None = None
    for source in sources(document, context):
        tokens = set(source.values)
        if not source.cells:
            tokens |= {
                part for value in source.values for part in re.findall(r"[0-9A-Za-z+/_\-]{11,}={0,2}", value)
            }
        digests = [digest for token in tokens if (digest := _digest(token.strip())) is not None]
        if not digests:
            continue
        wanted = {window for digest in digests for window in _windows(digest)}
        algorithms = _plausible({len(digest) for digest in digests})
        raws = _raw_values(context) if raws is None else raws
        for raw, values in raws:
            for algorithm in algorithms:
                count = _hits(values, algorithm, wanted)
                if count:
                    evidence = {"family": 2, "method": algorithm, "count": count, "raw": raw}
                    yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)
                    break
            else:
                common = [name for name in algorithms if name in _COMMON]
                step = max(1, len(values) * len(common) * len(_SALTS) * 2 // _SAMPLE)
                salted = _salted(values[::step], common, wanted) if len(digests) >= 20 else None
                if salted:
                    evidence = {"family": 3, "method": salted[0], "count": salted[1], "raw": raw}
                    yield finding("REVERSIBLE", document.shown, source.where, evidence, column=source.where)


CHECK = Check(("REVERSIBLE",), "text", run, raw=True)
