"""Families a (direct identifiers) and b (encoded identifiers)."""

from __future__ import annotations

import base64
import bz2
import gzip
import itertools
import lzma
import quopri
import zlib
from collections.abc import Callable

import numpy as np
import polars as pl

from tests.attack.corpus.containers import archive, pack
from tests.attack.corpus.draw import Draw, Output, carrier
from tests.attack.corpus.registry import rows, whole

Encoder = Callable[[str], str]
HEADINGS = ("code", "ref", "tag", "k", "v1", "批次", "编码", "标记", "备注", "note", "item", "col_7")


def heading(draw: Draw, n: int = 1) -> list[str]:
    """``n`` innocuous column names."""
    return [str(h) for h in draw.rng.choice(HEADINGS, size=n, replace=False)]


def chosen(draw: Draw, persons: pl.DataFrame, names: bool = False) -> list[str]:
    """One identifier of each person: a number, or with ``names`` also the name."""
    options = [*draw.world.ids, draw.world.name] if names else list(draw.world.ids)
    return persons[draw.pick(*options)].cast(pl.String).to_list()


def single(draw: Draw, values: list[str]) -> pl.DataFrame:
    """A table of one innocuously named column."""
    return pl.DataFrame({heading(draw)[0]: values})


# --- a: direct


@rows("a01-id_column", 1)
def _id_column(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    return single(draw, chosen(draw, persons, names=True))


@rows("a01-email", 1)
def _email(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    host = draw.pick("qq.com", "163.com", "example.cn", "corp.local")
    return single(draw, [f"{v}@{host}" for v in persons[draw.world.ids[1]]])


@rows("a01-id_and_name", 1)
def _id_and_name(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    first, second = heading(draw, 2)
    return pl.DataFrame({first: persons[draw.world.ids[0]], second: persons[draw.world.name]})


@rows("a02-mobile", 2)
def _mobile(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    lead = draw.pick("", "+86", "0086-", "86 ")
    cut = draw.pick("", " ", "-")
    return single(draw, [lead + cut.join((v[:3], v[3:7], v[7:])) for v in persons[draw.world.ids[1]]])


SENTENCES = (
    "经核实，编号{}的对象情况正常。", "其中{}一例需复查。", "contact {} for details", "（联系{}）数据已更新",
    "据{}反映，结果偏高。", "参见{}，其余同上。",
)  # fmt: skip


@rows("a03-in_sentence", 3)
def _in_sentence(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    sentence = draw.pick(*SENTENCES)
    return single(draw, [sentence.format(v) for v in chosen(draw, persons, names=True)])


@rows("a04-label_with_count", 4)
def _label_with_count(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = chosen(draw, persons, names=True)
    return pl.DataFrame(
        {draw.pick("组别", "group", "label"): values, "n": draw.rng.integers(20, 90, len(values))}
    )


@rows("a04-replicated", 4)
def _replicated(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    one = pl.DataFrame({heading(draw)[0]: chosen(draw, persons), "value": persons[draw.world.number]})
    return pl.concat([one] * int(draw.rng.integers(3, 12)))


@whole("a05-column_names", 5, containers=("csv", "parquet", "json", "md", "xlsx", "html", "arrow", "tsv"))
def _column_names(draw: Draw) -> Output:
    values = chosen(draw, draw.persons(), names=True)[:40]
    base = carrier(draw.world, 60)
    extra = {v: draw.rng.integers(20, 90, base.height) for v in dict.fromkeys(values)}
    return Output({draw.file("output"): base.with_columns(pl.Series(k, v) for k, v in extra.items())})


@whole("a05-file_names", 5, doses=("1%", "one"))
def _file_names(draw: Draw) -> Output:
    values = dict.fromkeys(chosen(draw, draw.persons(), names=True))
    place = draw.pick("{}", "part_{}", "{}_结果", "{}/table")
    return Output({draw.file(place.format(v)): carrier(draw.world, 30) for v in values})


# --- b: encoded


def _rot(k: int) -> Encoder:
    table = str.maketrans("0123456789X", "".join(str((i + k) % 10) for i in range(10)) + "Y")
    return lambda v: v.translate(table)


def _rot47(value: str) -> str:
    return "".join(chr(33 + (ord(c) + 14) % 94) if 33 <= ord(c) <= 126 else c for c in value)


BASES: dict[str, Encoder] = {
    "hex": lambda v: v.encode().hex(),
    "HEX": lambda v: v.encode().hex().upper(),
    "b32": lambda v: base64.b32encode(v.encode()).decode().rstrip("="),
    "b64": lambda v: base64.b64encode(v.encode()).decode(),
    "b64url": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "b85": lambda v: base64.b85encode(v.encode()).decode(),
    "a85": lambda v: base64.a85encode(v.encode()).decode(),
    "url": lambda v: "".join(f"%{b:02X}" for b in v.encode()),
    "qp": lambda v: (
        quopri.encodestring("".join(v).encode()).decode()
        if not v.isascii()
        else "".join(f"={b:02X}" for b in v.encode())
    ),
    "entity": lambda v: "".join(f"&#{ord(c)};" for c in v),
    "escape": lambda v: "".join(f"\\u{ord(c):04x}" for c in v),
    "octal": lambda v: " ".join(f"{b:o}" for b in v.encode()),
    "binary": lambda v: "".join(f"{b:08b}" for b in v.encode()),
    "gb18030": lambda v: v.encode("gb18030").hex(),
    "utf16": lambda v: base64.b64encode(v.encode("utf-16-le")).decode(),
}
SQUEEZERS: dict[str, Callable[[bytes], bytes]] = {
    "zlib": zlib.compress,
    "deflate": lambda b: zlib.compress(b)[2:-4],
    "gzip": lambda b: gzip.compress(b, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
_UPPER = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CIPHERS: dict[str, Encoder] = {
    "complement": lambda v: v.translate(str.maketrans("0123456789", "9876543210")),
    "atbash": lambda v: v.translate(str.maketrans(_UPPER, _UPPER[9::-1] + _UPPER[:9:-1])),
    "rot47": _rot47,
    **{f"caesar{k}": _rot(k) for k in range(1, 10)},
}  # fmt: skip
ORDERS: dict[str, Encoder] = {
    "reversed": lambda v: v[::-1],
    "stride2": lambda v: v[::2] + v[1::2],
    "stride3": lambda v: v[::3] + v[1::3] + v[2::3],
    "halves": lambda v: v[len(v) // 2 :] + v[: len(v) // 2],
    "swapped": lambda v: "".join(v[i : i + 2][::-1] for i in range(0, len(v), 2)),
}
LOOKS: dict[str, Encoder] = {
    "fullwidth": lambda v: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in v),
    "zerowidth": lambda v: "\u200b".join(v),
    "bidi": lambda v: "\u202e" + v[::-1] + "\u202c",
    "circled": lambda v: v.translate(str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")),
    "mathbold": lambda v: "".join(chr(0x1D7CE + int(c)) if c.isdigit() else c for c in v),
    "arabic": lambda v: v.translate(str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")),
    "homoglyph": lambda v: v.translate(str.maketrans("01", "Ol")),
    "spaced": lambda v: " ".join(v),
    "dashed": lambda v: "-".join(v),
    "softhyphen": lambda v: "\u00ad".join(v),
    "variation": lambda v: "\ufe0f".join(v),
}
NUMERALS: dict[str, Encoder] = {
    "han": lambda v: v.translate(str.maketrans("0123456789", "零一二三四五六七八九")),
    "circle": lambda v: v.translate(str.maketrans("0123456789", "〇一二三四五六七八九")),
    "financial": lambda v: v.translate(str.maketrans("0123456789", "零壹贰叁肆伍陆柒捌玖")),
    "telephone": lambda v: v.translate(str.maketrans("0123456789", "洞幺两三四五六拐八勾")),
}
WORDS = {
    "pinyin": ["ling", "yi", "er", "san", "si", "wu", "liu", "qi", "ba", "jiu"],
    "english": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "emoji": list("🍎🍌🍇🍉🍒🍑🥝🍍🥥🍓"),
    "colours": ["red", "blue", "green", "black", "white", "pink", "gray", "brown", "gold", "teal"],
    "planets": ["日", "月", "火", "水", "木", "金", "土", "天", "海", "冥"],
    "morse": ["-----", ".----", "..---", "...--", "....-", ".....", "-....", "--...", "---..", "----."],
}


def _base(number: int, digits: str) -> str:
    found = ""
    while number:
        number, rest = divmod(number, len(digits))
        found = digits[rest] + found
    return found or "0"


_36 = "0123456789abcdefghijklmnopqrstuvwxyz"
_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def whole_number(value: str) -> int:
    """Digits of an identifier as an integer: letters count by their place in base 36."""
    return int(value.replace("X", "0")) if value.replace("X", "0").isdigit() else int(value, 36)


def _encoded(
    name: str, number: int, table: dict[str, Encoder], names: bool = True, hard: bool = True
) -> None:
    @rows(name, number, hard=hard)
    def make(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
        encode = table[draw.pick(*table)]
        return single(draw, [encode(v) for v in chosen(draw, persons, names=names)])


_encoded("b06-bases", 6, BASES)
_encoded("b08-ciphers", 8, CIPHERS, names=False)
_encoded("b09-reordered", 9, ORDERS, names=False)
_encoded("b10-lookalikes", 10, LOOKS, names=False)
_encoded("b11-numerals", 11, NUMERALS, names=False)


@rows("b07-compressed", 7)
def _compressed(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    squeeze = SQUEEZERS[draw.pick(*SQUEEZERS)]
    text = draw.pick(base64.b64encode, base64.b85encode, base64.b16encode, base64.b32encode)
    values = chosen(draw, persons, names=True)
    if draw.rng.random() < 0.4:  # one blob
        return single(draw, [text(squeeze("\n".join(values).encode())).decode()])
    return single(draw, [text(squeeze(v.encode())).decode() for v in values])


@rows("b09-filled", 9, hard=False)
def _filled(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    letters = draw.pick("abcdefgh", "xyz", "甲乙丙丁", "._-")
    values = chosen(draw, persons)
    return single(draw, ["".join(c + draw.pick(*letters) for c in v) for v in values])


@rows("b11-spelled", 11, 18, hard=False)
def _spelled(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    words = WORDS[draw.pick(*WORDS)]
    mark = draw.pick(" ", "-", "")
    values = chosen(draw, persons)
    return single(draw, [mark.join(words[int(c)] if c.isdigit() else c.lower() for c in v) for v in values])


@rows("b12-integers", 12, hard=False)
def _integers(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    key, factor = int(draw.rng.integers(10**6, 10**9)), int(draw.rng.integers(2, 50))
    turn = draw.pick(
        lambda n: _base(n, _36), lambda n: _base(n, _62), lambda n: f"{n:x}", lambda n: str(n ^ key),
        lambda n: str(n * factor + key), lambda n: str(n + key),
        lambda n: f"{n:e}" if n < 1e15 else f"{n:.16e}",
        lambda n: str(-n),
    )  # fmt: skip
    return single(draw, [turn(whole_number(v)) for v in chosen(draw, persons)])


@rows("b13-split_columns", 13, 16)
def _split_columns(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = chosen(draw, persons)
    parts = int(draw.rng.integers(2, 5))
    cuts = [
        0,
        *sorted(draw.rng.choice(np.arange(2, min(map(len, values)) - 1), parts - 1, replace=False)),
        None,
    ]
    pieces = [[v[a:b] for v in values] for a, b in itertools.pairwise(cuts)]
    order = draw.rng.permutation(parts)
    return pl.DataFrame({h: pieces[int(i)] for h, i in zip(heading(draw, parts), order, strict=True)})


@rows("b14-split_rows", 14, hard=False)
def _split_rows(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = chosen(draw, persons)
    width = int(draw.rng.integers(3, 7))
    if draw.rng.random() < 0.5:
        pieces = [v[i : i + width] for v in values for i in range(0, len(v), width)]
    else:
        pieces = [v[i : i + width] for i in range(0, max(map(len, values)), width) for v in values]
    return single(draw, pieces)


@rows("b15-digit_columns", 15, hard=False)
def _digit_columns(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = chosen(draw, persons)
    width = min(map(len, values))
    columns = {f"x{i}": [int(v[i], 36) for v in values] for i in range(width)}
    if draw.rng.random() < 0.3:
        last = [v[-4:-1] for v in values]
        columns = {f"d{i}_{k}": [int(v[i] == str(k)) for v in last] for i in range(3) for k in range(10)}
    return pl.DataFrame(columns)


@rows("b16-parts_of_an_id", 16, domains=("health",))
def _parts_of_an_id(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    ids = persons[draw.world.ids[0]]
    day = ids.str.slice(6, 8)
    born = draw.pick(
        day, day.str.to_date("%Y%m%d").dt.strftime("%Y-%m-%d"),
        day.str.to_date("%Y%m%d").dt.strftime("%Y年%-m月%-d日")
    )  # fmt: skip
    a, b, c = heading(draw, 3)
    return pl.DataFrame({a: born, b: ids.str.slice(0, 6), c: ids.str.slice(14, 3)})


@whole("b17-split_files", 17, hard=False)
def _split_files(draw: Draw) -> Output:
    values = chosen(draw, draw.persons())
    parts = int(draw.rng.integers(2, 4))
    cut = -(-max(map(len, values)) // parts)
    files = {
        draw.file(f"part{i}"): pl.DataFrame({"v": [v[i * cut : (i + 1) * cut] for v in values]})
        for i in range(parts)
    }
    if draw.benign:
        files |= {draw.file(f"table{i}"): t for i, t in enumerate([draw.around()])}
    return Output(files)


@rows("b18-colour_codes", 18, hard=False)
def _colour_codes(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    numbers = [whole_number(v) % 2**48 for v in chosen(draw, persons)]
    a, b = heading(draw, 2)
    return pl.DataFrame({a: [f"#{n >> 24:06x}" for n in numbers], b: [f"#{n % 2**24:06x}" for n in numbers]})


@whole("b19-nested_archive", 19, doses=("100%", "one"), containers=("zip",))
def _nested_archive(draw: Draw) -> Output:
    inner = {"id.csv": pack("id.csv", single(draw, chosen(draw, draw.persons())))}
    data = archive(inner)
    for level in range(int(draw.rng.integers(1, 4))):
        data = archive({f"level{level}.zip": data, "readme.md": "# 说明\n".encode()})
    return Output({"output.zip": data})


@whole("b19-polyglot", 19, doses=("100%", "one"), containers=("csv", "json", "md", "parquet"))
def _polyglot(draw: Draw) -> Output:
    hidden = archive({"id.csv": pack("id.csv", single(draw, chosen(draw, draw.persons())))})
    return Output({draw.file("output"): pack(draw.file("x"), carrier(draw.world, 60)) + hidden})


@rows("b20-two_encodings", 6, 8, 9, 10)
def _two_encodings(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    inner = draw.pick(*CIPHERS.values(), *ORDERS.values())
    outer = draw.pick(
        BASES["hex"], BASES["b64"], BASES["b32"], BASES["url"], LOOKS["fullwidth"], NUMERALS["han"]
    )
    return single(draw, [outer(inner(v)) for v in chosen(draw, persons)])


@rows("b20-three_encodings", 6, 7, 9)
def _three_encodings(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    order, base = ORDERS[draw.pick(*ORDERS)], BASES[draw.pick("hex", "b64", "b32")]
    values = [base64.b64encode(zlib.compress(order(v).encode())).decode() for v in chosen(draw, persons)]
    return single(draw, [base(v) for v in values])
