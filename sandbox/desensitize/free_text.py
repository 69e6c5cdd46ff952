"""Striking out what identifies in running text, Chinese, English and mixed (R-135).

In this order: numbers, addresses and labelled names by the catalogue (``sandbox.pii``), with whatever way of
writing it sees through; values of the same table; names by their form. What is found where it cannot be
located in the text as written takes the whole text with it. Afterwards the text is scanned again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache

import polars as pl

from sandbox.desensitize.transforms.base import over_distinct
from sandbox.pii import labelled, names
from sandbox.pii.kinds import KINDS
from sandbox.pii.labelled import LABELLED
from sandbox.pii.normal import fold, fold_text, trace
from sandbox.pii.scan import scan

_ADDRESSES = frozenset(f"[{KINDS[name].zh}]" for name in ("address", "address_room"))
GONE = "[文本已删去]"
NAME = "[姓名]"
_AGAIN = 3  # striking one number out may bring another to light
_SIGN = re.compile(r"[0-9A-Za-z\u3400-\u9fff]")
_TITLES = (
    "先生|女士|小姐|太太|同志|老师|教授|医生|大夫|护士|主任|经理|院长|校长|局长|科长|处长|律师|师傅|警官|法官|阿姨|"
    "叔叔|大爷|大妈|奶奶|爷爷|同学"
)
_BEFORE = (
    "我叫|名叫|叫做|叫|我是|姓名|患者|病人|户主|申请人|联系人|当事人|被告人|原告|被告|证人|收件人|家属|父亲|母亲|丈夫|妻子|"
    "儿子|女儿|哥哥|弟弟|姐姐|妹妹|经办人|负责人|法人|医生|老师|由|找|请|与|和|及|、|，|,"
)
# A number with a digit mistyped has no right check digit and is somebody's all the same; days are left alone.
_LONG = re.compile(r"(?<![0-9.])[0-9０-９](?:[ \u00a0-]?[0-9０-９]){6,}[Xx]?")
_DAY = re.compile(r"(?:19|20)[0-9]{2}-[0-9]{2}-[0-9]{2}(?: [0-9]{2})?")
NUMBER = "[号码]"
_HAN = re.compile(r"[\u3400-\u9fff]{2,}")
_FOREIGN = re.compile(r"[\u3400-\u9fff]{1,6}(?:·[\u3400-\u9fff]{1,8}){1,3}")
_LATIN = re.compile(
    r"\b(?:(?:Mr|Mrs|Ms|Dr|Prof|Mme|Sir)\.?\s+[A-Z][A-Za-z'’-]+(?:\s+[A-Z][A-Za-z'’-]+){0,2}"
    r"|[A-Z][a-z'’-]+(?:\s+(?:[A-Z]\.|[A-Z][a-z'’-]+)){1,3}"
    r"|(?:(?<=name is )|(?<=named )|(?<=called )|(?<=patient )|(?<=contact ))[A-Z][a-z'’-]+)"
)
# What goes on with an address that was found: staircase, floor, door.
_ONWARD = re.compile(
    r"(?:[0-9A-Za-z一二三四五六七八九十-]{1,6}(?:号楼|号院|号|栋|幢|座|单元|层|楼|室|户|房))+"
)
_PRECEDED = re.compile(f"(?:{_BEFORE})[:：是为 ]{{0,2}}$")
_FOLLOWED = re.compile(f"^(?:{_TITLES})")
Span = tuple[int, int, str]


@cache
def _folded(char: str) -> str:
    return fold_text(char)


def _origin(text: str, folded: str) -> Sequence[int]:
    """For each character of ``folded`` the place in ``text`` that it came from. Where one sign became one,
    the place is its own; only else is the text traced sign by sign."""
    if len(text) == len(folded) and all(a == b or _folded(a) == b for a, b in zip(text, folded, strict=True)):
        return range(len(text))
    return trace(text)[1]


def _bare(text: str) -> tuple[str, list[int]]:
    """``text`` in small letters without what separates signs, and the place of each sign that is left."""
    kept = [(char.lower(), place) for place, char in enumerate(text) if _SIGN.match(char)]
    return "".join(char[0] for char, _ in kept), [place for _, place in kept]


def _places(text: str, folded: str, found: str) -> list[tuple[int, int]]:
    """Every place in ``text`` as written where ``found`` (folded) stands, first and one past the last;
    separators between its signs are passed over."""
    bare, kept = _bare(folded)
    wanted, _ = _bare(found)
    if not wanted:
        return []
    origin = _origin(text, folded)
    hits, start = [], bare.find(wanted)
    while start >= 0:
        last = start + len(wanted) - 1
        hits.append((origin[kept[start]], origin[kept[last]] + 1))
        start = bare.find(wanted, last + 1)
    return hits


def _numbers(texts: pl.Series, folded: pl.Series, analyser: bool) -> dict[int, set[tuple[str, str]]]:
    """Index of a text -> (what was found, folded; label)."""
    hits = [scan(texts).select("index", "kind", "found"), labelled.labelled(folded)]
    if analyser:
        from sandbox.pii.presidio import analyze

        hits.append(analyze(texts)[0].select("index", "kind", "found"))
    found: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for index, kind, what in pl.concat(hits).iter_rows():
        known = KINDS.get(kind) or LABELLED.get(kind)
        found[index].add((what, f"[{known.zh if known else kind}]"))
    return found


def _names(texts: Sequence[str]) -> dict[int, list[Span]]:
    """Index of a text -> names by their form: three characters and more as they stand, two beside a word."""
    windows: dict[str, list[tuple[int, int]]] = defaultdict(list)
    found: dict[int, list[Span]] = defaultdict(list)
    for index, text in enumerate(texts):
        for match in [*_FOREIGN.finditer(text), *_LATIN.finditer(text)]:
            found[index].append((match.start(), match.end(), NAME))
        for run in _HAN.finditer(text):
            for start in range(run.start(), run.end() - 1):
                for size in (2, 3, 4):
                    if start + size <= run.end():
                        windows[text[start : start + size]].append((index, start))
    if windows:
        asked = pl.Series(list(windows), dtype=pl.String)
        for name in asked.filter(names.like_names(asked)):
            for index, start in windows[name]:
                text, end = texts[index], start + len(name)
                beside = _PRECEDED.search(text[:start]) or _FOLLOWED.search(text[end:]) or text == name
                swallowed = len(name) > 2 and _FOLLOWED.search(text[end - 1 :])  # the title's first sign
                if (len(name) > 2 or beside) and not swallowed:
                    found[index].append((start, end, NAME))
    return found


def _long_numbers(texts: Sequence[str]) -> dict[int, list[Span]]:
    """Index of a text -> runs of seven digits and more, whatever they are."""
    found: dict[int, list[Span]] = {}
    for index, text in enumerate(texts):
        hits = [hit for hit in _LONG.finditer(text) if not _DAY.fullmatch(hit[0])]
        if hits:
            found[index] = [(hit.start(), hit.end(), NUMBER) for hit in hits]
    return found


def _onward(text: str, end: int, label: str) -> int:
    """Where an address ends that the catalogue knows as far as ``end``."""
    more = _ONWARD.match(text, end) if label in _ADDRESSES else None
    return more.end() if more else end


def _cut(text: str, spans: Iterable[Span]) -> str:
    """``text`` with a label for every span; of spans that overlap the first, stretched over the others."""
    pieces: list[str] = []
    place = 0
    merged: list[Span] = []
    for start, end, label in sorted(spans, key=lambda span: (span[0], span[2] == NUMBER, -span[1])):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, label))
    for start, end, label in merged:
        pieces += [text[place:start], label]
        place = end
    return "".join([*pieces, text[place:]])


def _strike(
    texts: list[str], prose_names: bool, long_numbers: bool, analyser: bool
) -> tuple[list[str], bool]:
    """One pass; whether anything was struck out for a number, so that another pass is due."""
    values = pl.Series(texts, dtype=pl.String)
    folded = fold(values)
    numbers = _numbers(values, folded, analyser)
    by_form = _names(texts) if prose_names else {}
    long = _long_numbers(texts) if long_numbers else {}
    for index in numbers.keys() | by_form.keys() | long.keys():
        spans = [*by_form.get(index, ()), *long.get(index, ())]
        for what, label in numbers.get(index, ()):
            places = _places(texts[index], folded[index], what)
            if not places:
                spans = [(0, len(texts[index]), GONE)]
                break
            spans += [(start, _onward(texts[index], end, label), label) for start, end in places]
        texts[index] = _cut(texts[index], spans)
    return texts, bool(numbers or long)


def _lexicon(columns: Sequence[pl.Series]) -> list[str]:
    """The distinct values of two characters and more, the longest first."""
    words: set[str] = set()
    for column in columns:
        words.update(column.cast(pl.String).drop_nulls().str.strip_chars().unique().to_list())
    return sorted((word for word in words if len(word) > 1), key=lambda word: (-len(word), word))


def redacted(
    column: pl.Series,
    lexicon: Sequence[pl.Series],
    prose_names: bool = True,
    long_numbers: bool = True,
    analyser: bool = False,
) -> pl.Series:
    """``column`` (text) with labels in place of what identifies; empty cells stay empty."""
    words = _lexicon(lexicon)

    def change(values: pl.Series) -> pl.Series:
        plain = values
        if words:
            plain = plain.str.replace_many(
                words, [NAME] * len(words), ascii_case_insensitive=True, leftmost=True
            )
        texts, again = _strike(plain.to_list(), prose_names, long_numbers, analyser)
        for _ in range(_AGAIN - 1):
            if not again:
                break
            texts, again = _strike(texts, False, False, False)
        if again:
            left = set(scan(pl.Series(texts, dtype=pl.String))["index"].to_list())
            texts = [GONE if index in left else text for index, text in enumerate(texts)]
        return pl.Series(texts, dtype=pl.String)

    return over_distinct(column, change)
