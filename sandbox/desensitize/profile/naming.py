"""Names of persons by the statistics of a column: Chinese by surnames, others by public lists and forms."""

from __future__ import annotations

import polars as pl

from sandbox.desensitize.profile.name_lists import FAMILIES, GIVEN, KOREAN, SURNAMES, TRADITIONAL
from sandbox.desensitize.profile.table import Column
from sandbox.desensitize.profile.values import ORGANISATION_END
from sandbox.pii import names

_FEW = 8  # distinct values below which no statistics are made
_LIKELY = 0.45  # confidence of what counts beside persons alone
_VARIED = 20  # distinct values: fewer, in many rows, are classes rather than people
_BEHIND = r"\s*(?:[(\[（【].*|[、;/&].*)$"
# Pinyin (GB/T 16159): the surnames of nine in ten, and what a syllable may be.
_SURNAME = (
    "wang|li|zhang|liu|chen|yang|huang|zhao|wu|zhou|xu|sun|ma|zhu|hu|guo|he|lin|gao|luo|zheng|liang|xie|song|"
    "tang|deng|han|feng|cao|peng|zeng|xiao|tian|dong|pan|yuan|cai|jiang|yu|du|ye|cheng|wei|su|lv|lu|lyu|ding|"
    "ren|shen|yao|cui|zhong|tan|fan|shi|liao|jia|xia|fu|fang|zou|xiong|bai|meng|qin|qiu|hou|yin|xue|yan|"
    "lei|long|tao|shao|qian|gu|mao|hao|gong|wan|dai|mo|kong|xiang|chang|ouyang|shangguan|sima|zhuge|huangfu"
)
_SYLLABLE = (
    "(?:(?:[bpmfdtnlgkhrzcsjqxyw]|[zcs]h)?"
    "(?:i?ang?|iong|i?ao|ai|ei|eng?|er|ian|ing?|iu|ie|ia|uang?|uai|uan|un|uo|ui|ua|v[en]?|ue|ong|ou|[aeiou]))"
)
_GIVEN = f"{_SYLLABLE}{{1,3}}(?: {_SYLLABLE}{{1,2}})?"
_REST = r"[\p{L}'’.\-]*"
_WORD = r"[\p{L}]" + _REST
# Family name, given name and the father's name, as official lists of several states write them.
_FATHERS = r"(?i)^\p{Cyrillic}+ \p{Cyrillic}\S* \p{Cyrillic}+(?:вич|вна|ич|ична|оглы|кызы)$"


def name_share(column: Column) -> tuple[float, float]:
    """Share of a column's distinct values that are like a person's name, and how sure that makes it one; 0, 0
    where it is none. ``_LIKELY``: to be believed beside other signs of persons only."""
    if float(column.plain.str.contains("[0-9]").mean() or 0) >= 0.1:  # type: ignore[arg-type]
        return 0.0, 0.0
    # Of several the first, and without what stands behind in brackets.
    known = column.sample.str.replace(_BEHIND, "").str.strip_chars()
    share = max(_chinese(known), _other_scripts(column.plain), _romanised(column.plain))
    few = len(column.distinct) < min(_VARIED, 0.3 * column.full)
    latin = _latin(known)
    single = column.share(r"^\S+$") >= 0.8
    if share >= 0.5:
        return share, _LIKELY if few else 0.9 if share >= 0.6 else 0.7
    if latin >= 0.5 and not single:
        return latin, 0.9 if latin >= 0.6 else 0.7
    if latin >= 0.5 and len(column.distinct) >= min(30, 0.3 * column.full):
        return latin, _LIKELY  # single words: towns bear the names of people
    likely = _of_the_world(known)
    return (likely, _LIKELY) if likely else (0.0, 0.0)


def _chinese(known: pl.Series) -> float:
    simplified = known.str.replace_many(list(TRADITIONAL), list(TRADITIONAL.values()))
    han = float(known.str.contains(r"^[\p{Han}·\s]{2,16}$").mean() or 0)  # type: ignore[arg-type]
    if han < 0.5:
        return 0.0
    return max(names.share(simplified), _by_surname(simplified) if han >= 0.7 else 0.0)


def _other_scripts(known: pl.Series) -> float:
    """Of text that is not folded: folding makes Latin of what looks like it."""
    hangul = known.str.contains(r"^\p{Hangul}{2,4}$") & known.str.slice(0, 1).is_in(list(KOREAN))
    part = float(hangul.mean() or 0)  # type: ignore[arg-type]
    fathers = float(known.str.contains(_FATHERS).mean() or 0)  # type: ignore[arg-type]
    return max(part if part >= 0.85 else 0.0, fathers)


def _romanised(known: pl.Series) -> float:
    """Chinese names in Pinyin: a surname before or behind one or two words of one to three syllables."""
    if float(known.str.contains(r"^\p{Lu}\S* \S").mean() or 0) < 0.8:  # type: ignore[arg-type]
        return 0.0
    words = known.str.to_lowercase().str.replace_all("ü", "v").str.replace_all("[,'’-]", "")
    forms = words.str.contains(rf"^(?:(?:{_SURNAME}) {_GIVEN}|{_GIVEN} (?:{_SURNAME}))$")
    surnames = words.str.extract_all(rf"\b(?:{_SURNAME})\b").explode().n_unique()
    part = float(forms.mean() or 0)  # type: ignore[arg-type]
    return part if part >= 0.85 and surnames >= 5 else 0.0


def _by_surname(values: pl.Series) -> float:
    """Names with rarer given names: nearly all begin with a surname, have two to four characters, and are
    spread over both; 0 where not."""
    bare = values.str.replace_all(r"\s", "")
    size, first = bare.str.len_chars(), bare.str.slice(0, 1)
    surname = (bare.str.contains(names.SURNAME) | first.is_in(list(FAMILIES))) & size.is_between(2, 4)
    foreign = bare.str.contains(r"^\p{Han}{1,8}·\p{Han}{1,8}")
    part = float((surname | foreign).mean() or 0)  # type: ignore[arg-type]
    told = bare.filter(surname)
    spread = told.str.slice(0, 1).n_unique() >= 5 and told.str.slice(-1).n_unique() >= min(
        12, len(told) ** 0.5
    )
    # Given names have no more than two characters, and one of two in three has two.
    long = float((size == 3).mean() or 0)  # type: ignore[arg-type]
    return part if part >= 0.85 and spread and long >= 0.3 else 0.0


def _of_the_world(values: pl.Series) -> float:
    """The share of known names in a column of two to four capitalised words each, 0 where it is none: names
    of the world, of which our lists know a part."""
    known = values.drop_nulls().str.strip_chars()
    if len(known) < 2 * _FEW:
        return 0.0
    shape = known.str.contains(rf"^\p{{Lu}}{_REST}(?: {_WORD}){{0,2}} \p{{Lu}}{_REST}$")
    if float(shape.mean() or 0) < 0.9 or float(known.str.contains(ORGANISATION_END).mean() or 0) > 0.2:  # type: ignore[arg-type]
        return 0.0
    part = _latin(known)
    return part if part >= 0.2 else 0.0


def _latin(values: pl.Series) -> float:
    shape = values.str.contains(rf"^{_WORD}(?:[ ,]{{1,2}}{_WORD}){{0,4}}$")
    capital = values.str.contains(r"^\p{Lu}")
    if float((shape & capital).mean() or 0) < 0.6:  # type: ignore[arg-type]
        return 0.0
    frame = pl.DataFrame({"v": values, "ok": shape}).with_row_index("i")
    words = frame.with_columns(pl.col("v").str.to_lowercase().str.extract_all(r"[\p{Latin}'’]{2,}")).explode(
        "v"
    )
    known = words.with_columns(given=pl.col("v").is_in(list(GIVEN)), family=pl.col("v").is_in(list(SURNAMES)))
    each = known.group_by("i").agg(
        pl.col("given").any(), pl.col("family").any(), pl.len(), pl.col("ok").first()
    )
    either = each.filter((pl.col("given") | pl.col("family")) & pl.col("ok"))
    return either.height / max(1, len(values))
