"""Identifiers by form and check digit, vectorised over distinct values.

Structure first, then checksum: a checksum alone accepts 3 % of order numbers. Boundaries are ASCII, so
that a Chinese character beside a number is no part of it; a letter before an identity number is allowed
(school and disability numbers are built so). What is looked for stands in ``kinds``; what a
hit weighs is decided by who asks (``egress.checks.identifiers*``, ``desensitize``).
"""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import polars as pl

from sandbox.pii.glyphs import LOOKALIKES
from sandbox.pii.kinds import KINDS, Kind
from sandbox.pii.normal import fold

__all__ = ["KINDS", "WINDOW", "scan"]
WINDOW = (30, 12)  # characters before and after a number in which a word tells what it is
_WORD = r"[0-9A-Za-z]+(?:\.[0-9]+)*"
_TOKENS = (
    r"[0-9]{11}|[A-Za-z]{1,3}[0-9]{6,12}[0-9Aa]|[0-9A-HJ-NP-Za-hj-np-z]{17}|(?-u:\b)1[45][0-9]{7}(?-u:\b)"
)
_GAP = r"[^0-9A-Za-z\x{3400}-\x{9FFF}]"
_PY_GAP = r"[^0-9A-Za-z\u3400-\u9fff]"
# Numbers written in groups: telephones, cards, one digit after the other, the eighteen of an identity.
_GROUPED = (
    rf"1[3-9][0-9]{_GAP}{{1,3}}[0-9]{{4}}{_GAP}{{1,3}}[0-9]{{4}}|"
    rf"[0-9]{{4}}{_GAP}{{1,3}}[0-9]{{4}}{_GAP}{{1,3}}[0-9]{{4}}{_GAP}{{1,3}}[0-9]{{3}}|"
    rf"(?:[0-9]{_GAP}{{1,3}}){{10}}[0-9]|[0-9](?:{_GAP}{{0,3}}[0-9]){{16}}{_GAP}{{0,3}}[0-9Xx]"
)
_GAPPED = rf"[0-9]{_GAP}{{1,3}}[0-9]"
_FRACTION = r"^-?[0-9]\.[0-9]+(?:[eE][+-]?[0-9]+)?$"
_JOINED = re.compile(rf"(?<![0-9A-Za-z.])\+?[0-9](?:{_PY_GAP}{{0,3}}[0-9Xx]){{10,19}}(?![0-9A-Za-z])")
_MOBILE = re.compile(rf"(?:\+?86{_PY_GAP}?)?1[3-9][0-9]({_PY_GAP}{{1,3}})[0-9]{{4}}\1[0-9]{{4}}")
_CARD = re.compile(rf"[0-9]{{4}}({_PY_GAP}{{1,3}})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{3,4}}(?:\1?[0-9]{{1,3}})?")
_LOOK = "0-9" + "".join(LOOKALIKES)
_LETTERED = re.compile(rf"(?<![0-9A-Za-z])[{_LOOK}]{{11,19}}[Xx]?(?![0-9A-Za-z])")
_FEWEST = 0.6  # share of real digits in a number that is written with letters among them


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _where(values: pl.Series, pattern: str) -> pl.DataFrame:
    """Rows (index, text) of the values that ``pattern`` is found in."""
    chosen = values.str.contains(pattern).fill_null(False).arg_true().cast(pl.Int64)
    return pl.DataFrame({"index": chosen, "text": values.gather(chosen)})


@cache
def _any_token() -> str:
    """One pattern that stands in every text that holds a number of scope "token"."""
    parts = [
        f"(?i:{kind.pattern[1:-1]})" if kind.upper else kind.pattern[1:-1]
        for kind in KINDS.values()
        if kind.scope == "token"
    ]
    return f"(?:^|[^0-9A-Za-z])(?:{'|'.join(parts)})(?:[^0-9A-Za-z]|$)"


@cache
def _any_gate() -> str:
    """One pattern that stands in every text that holds an identifier of scope "text"."""
    return "|".join(
        f"(?:{gate})" for gate in dict.fromkeys(kind.gate for kind in KINDS.values() if kind.gate)
    )


def _joined(values: pl.Series) -> tuple[list[int], list[str]]:
    """Numbers written with separators, closed up: (index of the value, token)."""
    where, tokens = [], []
    # Most digits stand in plain numbers and fractions: those have nothing to close up.
    frame = _where(values, _GAPPED)
    frame = frame.filter(pl.col("text").str.contains(_GROUPED) & ~pl.col("text").str.contains(_FRACTION))
    for index, value in frame.iter_rows():
        for match in _JOINED.finditer(value):
            text = match.group()
            closed = re.sub(r"[^0-9Xx]", "", text)
            if len(closed) == len(text.lstrip("+")):
                continue
            mobile = _MOBILE.search(text)
            if mobile:
                closed = re.sub(r"[^0-9]", "", mobile.group())
            # Without a check digit the grouping must be that of a telephone or a card.
            if mobile or _CARD.fullmatch(text) or _even(text) or len(closed) == 18:
                where.append(index)
                tokens.append(closed)
    return where, tokens


def _even(text: str) -> bool:
    """Whether one and the same separator stands between all digits."""
    marks = re.findall(r"[^0-9Xx]+", text)
    return len(set(marks)) == 1 and len(marks) >= len(re.sub(r"[^0-9Xx]", "", text)) - 2


def _lookalikes(values: pl.Series) -> tuple[list[int], list[str]]:
    """Numbers in which letters stand for digits (l for 1, O for 0): (index of the value, number)."""
    where, tokens = [], []
    table = str.maketrans(LOOKALIKES)
    frame = _where(values, rf"(?:^|[^0-9A-Za-z])[{_LOOK}]{{11,19}}[Xx]?(?:[^0-9A-Za-z]|$)")
    frame = frame.filter(pl.col("text").str.contains(r"[0-9][A-Za-z]|[A-Za-z][0-9]"))
    for index, value in frame.iter_rows():
        for match in _LETTERED.finditer(value):
            text = match.group()
            digits = sum(char.isdigit() for char in text)
            if _FEWEST * len(text) <= digits < len(text.rstrip("Xx")):
                where.append(index)
                tokens.append(text.translate(table))
    return where, tokens


def _words(folded: pl.Series) -> pl.DataFrame:
    """(index of the value, token): words that may be a number of somebody, grouped ones closed up."""
    likely = _where(folded, _TOKENS).filter(pl.col("text").str.contains(_any_token()))
    plain = (
        likely.select("index", token=pl.col("text").str.extract_all(_WORD))
        .explode("token")
        .filter(pl.col("token").str.len_bytes() >= 8)
    )
    others = [_joined(folded), _lookalikes(folded)]
    frames = [
        pl.DataFrame({"index": where, "token": found}, schema={"index": pl.Int64, "token": pl.String})
        for where, found in others
        if where
    ]
    if not frames:
        return plain
    return pl.concat([plain, *frames]).unique(maintain_order=True)


def _of_token(kind: Kind, words: pl.DataFrame) -> pl.DataFrame:
    sized = words.filter(pl.col("size").is_between(*kind.sizes))
    upper = pl.col("token").str.to_uppercase() if kind.upper else pl.col("token")
    return sized.select("index", found=upper.str.extract(kind.pattern, 1)).drop_nulls("found")


def _of_text(kind: Kind, likely: pl.DataFrame, gates: dict[str, pl.DataFrame]) -> pl.DataFrame:
    if kind.gate not in gates:
        gates[kind.gate] = likely.filter(pl.col("text").str.contains(kind.gate)).rename({"text": "found"})
    return (
        gates[kind.gate]
        .with_columns(pl.col("found").str.extract_all(kind.pattern))
        .explode("found")
        .drop_nulls("found")
        .with_columns(pl.col("found").str.extract(kind.pattern, 1))
        .drop_nulls("found")
    )


def _near(kind: Kind, text: str, found: str) -> bool:
    """Whether a word beside ``found`` in ``text`` says what it is."""
    place = text.upper().find(found.upper())
    before, after = WINDOW
    # An address takes in the words before it: it has no boundary there.
    end = place + len(found)
    start = end if found[0].isascii() else place
    window = text if place < 0 else text[max(0, place - before) : place] + "\n" + text[start : end + after]
    return _compiled(kind.context).search(window) is not None


def _judge(name: str, hits: pl.DataFrame, folded: pl.Series) -> pl.DataFrame:
    """``hits`` that pass the check digit, with what is known about each."""
    kind = KINDS[name]
    # One look at each number, however often it stands there.
    distinct = hits["found"].unique(maintain_order=True)
    values = distinct.to_list()
    good = kind.valid(values)
    if kind.unlike:
        good = good & np.array([_compiled(kind.unlike).search(value) is None for value in values], dtype=bool)
    sure = np.array(
        [kind.tier == "A" and (not kind.certain or re.search(kind.certain, v) is not None) for v in values],
        dtype=bool,
    )
    known = pl.DataFrame({"found": distinct, "good": good, "sure": sure}).filter("good").drop("good")
    hits = hits.join(known, on="found", maintain_order="left")
    # A cell that is the number and nothing else has no word beside it.
    longer = folded.gather(hits["index"]).str.len_chars() > hits["found"].str.len_chars() + 1
    spoken = longer | hits["found"].str.contains(r"^\p{Han}")
    if not bool((spoken & ~hits["sure"]).any()) or not kind.context:
        return hits.select("index", kind=pl.lit(name), found="found", sure="sure", near=pl.lit(False))
    near = [
        told and not sure and _near(kind, folded[index], found)
        for told, (index, found, sure) in zip(spoken, hits.iter_rows(), strict=True)
    ]
    return hits.select("index", kind=pl.lit(name), found="found", sure="sure").with_columns(
        near=pl.Series(near, dtype=pl.Boolean)
    )


# A number that is one of these is not reported a second time as what it may also be.
_STRONGER = ("resident_id", "permanent_residence", "mobile")


def scan(values: pl.Series) -> pl.DataFrame:
    """Find identifiers in ``values`` (text; nulls allowed).

    Returns rows (index of the value, kind, found, sure, near): ``found`` is the number itself and must be
    masked before it is shown, ``sure`` whether it needs no context, ``near`` whether a word beside it in the
    same value says what it is.
    """
    folded = fold(values)
    words = _words(folded).with_columns(size=pl.col("token").str.len_bytes())
    likely = _where(folded, _any_gate())
    gates: dict[str, pl.DataFrame] = {}
    parts = [pl.DataFrame(schema=_SCHEMA)]
    for name, kind in KINDS.items():
        hits = _of_token(kind, words) if kind.scope == "token" else _of_text(kind, likely, gates)
        if hits.height:
            parts.append(_judge(name, hits.unique(maintain_order=True), folded))
    result = pl.concat(parts)
    strong = result.filter(pl.col("kind").is_in(_STRONGER)).select("index", "found").unique()
    weaker = result.filter(~pl.col("kind").is_in(_STRONGER)).join(strong, on=["index", "found"], how="anti")
    return pl.concat([result.filter(pl.col("kind").is_in(_STRONGER)), weaker])


_SCHEMA = {
    "index": pl.Int64, "kind": pl.String, "found": pl.String, "sure": pl.Boolean, "near": pl.Boolean,
}  # fmt: skip
