"""Text as every scanner sees it, and where each character of it stood in the original."""

from __future__ import annotations

import re
import unicodedata

import polars as pl

from sandbox.pii.glyphs import bracketed, translation
from sandbox.pii.numerals import DIGIT_RUN, PLACE_RUN, to_digits

# Default-ignorable and control characters: they hide or carry payload and show nothing.
IGNORABLE = (
    r"[\p{Cf}\p{Cc}\p{Co}\x{034F}\x{115F}\x{1160}\x{17B4}\x{17B5}\x{180B}-\x{180F}\x{2800}\x{3164}"
    r"\x{FE00}-\x{FE0F}\x{FFA0}\x{E0100}-\x{E01EF}]"
)
_SPACE = r"[\t\n\r\x{0B}\x{0C}\x{85}\p{Zl}\p{Zp}]"
_BRACKETED = r"[\x{2474}-\x{249B}\x{249C}-\x{24B5}\x{1F100}-\x{1F10A}]"
_MARKS = r"\p{M}"
_NUMERAL = f"(?:{DIGIT_RUN})|(?:{PLACE_RUN})"


def _numbers(values: pl.Series) -> pl.Series:
    """Chinese numerals as digits, in the values that hold any."""
    where = values.str.contains(r"\p{Han}").fill_null(False).arg_true()
    if not len(where):
        return values
    where = where.filter(values.gather(where).str.contains(_NUMERAL))
    if not len(where):
        return values
    told = pl.Series([to_digits(text) for text in values.gather(where)], dtype=pl.String)
    return values.clone().scatter(where, told)


def fold(values: pl.Series) -> pl.Series:
    """Text as the scanners see it.

    NFKC, invisible characters and combining marks gone, every digit and every letter that looks like a Latin
    one as ASCII, Chinese numerals that may be somebody's number as digits. Nulls stay null.
    """
    if not bool(values.str.contains(r"[^\x20-\x7E]").any()):
        return values  # plain ASCII is what it is
    # Unified ideographs are the bulk of what is no ASCII, and stand for nothing else.
    where = values.str.contains(r"[^\x20-\x7E\x{4E00}-\x{9FFF}]").fill_null(False).arg_true()
    if len(where):
        values = values.clone().scatter(where, _plain(values.gather(where)))
    return _numbers(values)


def _plain(part: pl.Series) -> pl.Series:
    """``fold`` but for numerals."""
    if bool(part.str.contains(_BRACKETED).any()):
        part = part.str.replace_many(list(bracketed()), list(bracketed().values()))
    plain = part.str.replace_all(_SPACE, " ").str.normalize("NFKC").str.replace_all(IGNORABLE, "")
    if bool(plain.str.contains(_MARKS).any()):
        plain = plain.str.replace_all(_MARKS, "")
    if bool(
        plain.str.contains(r"[^\x00-\x7F\p{Han}\x{3000}-\x{3020}\x{FF00}-\x{FFEF}]|[\x{3021}-\x{3029}]").any()
    ):
        table = translation()
        plain = plain.str.replace_many(list(table), list(table.values()))
    return plain


def fold_text(text: str) -> str:
    """``fold`` of one string."""
    return str(fold(pl.Series([text], dtype=pl.String))[0])


def trace(text: str) -> tuple[str, list[int]]:
    """``fold`` of one string with, for each character of it, the place in ``text`` that it came from."""
    folded = fold_text(text)
    pieces: list[str] = []
    places: list[int] = []
    for start, cluster in _clusters(text):
        piece = fold_text(cluster)
        pieces.append(piece)
        places.extend([start] * len(piece))
    joined = "".join(pieces)
    if joined != folded:
        # Numerals with units change their length: what is alike from both ends keeps its place.
        places = _aligned(joined, folded, places)
    return folded, places


def _clusters(text: str) -> list[tuple[int, str]]:
    """(place, characters that belong together when text is normalised)."""
    found: list[tuple[int, str]] = []
    for place, char in enumerate(text):
        joins = unicodedata.category(char).startswith("M") or "\u1160" <= char <= "\u11ff"
        if found and joins:
            found[-1] = (found[-1][0], found[-1][1] + char)
        else:
            found.append((place, char))
    return found


def _aligned(before: str, after: str, places: list[int]) -> list[int]:
    """Places of ``after``, which is ``before`` with some runs replaced."""
    from difflib import SequenceMatcher

    result = [0] * len(after)
    for _, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        for k in range(c, d):
            source = a + (k - c if b - a == d - c else 0)
            result[k] = places[min(source, len(places) - 1)] if places else 0
    return result


def locate(text: str, found: str) -> tuple[int, int] | None:
    """Where the characters of ``found`` stand in ``text`` as it was written: first and last place, from 1.

    Separators between them are passed over. None when it does not stand there (it was decoded, say).
    """
    folded, places = trace(text)
    parts = [re.escape(char) for char in found]
    match = re.search(r"[^0-9A-Za-z]{0,3}".join(parts), folded, re.IGNORECASE)
    if match is None or not places:
        return None
    return places[match.start()] + 1, places[match.end() - 1] + 1
