"""Makers of identifiers with valid check digits, and of the disguises they are put in.

Scalar and written from the standards' formulas, so that they share nothing with the vectorised checker. All
randomness comes from the ``random.Random`` that is given.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import random
import zlib
from collections.abc import Callable

Maker = Callable[[random.Random], str]
REGIONS = ("110101", "310104", "440305", "520115", "500101", "330106", "620102", "150102")
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超霞平刚桂英兰玉红梅春建国志文海波"


def digits(draw: random.Random, count: int) -> str:
    """``count`` random digits."""
    return "".join(draw.choice("0123456789") for _ in range(count))


def birthday(draw: random.Random, mark: str = "") -> str:
    """A day of life, YYYYMMDD with ``mark`` between."""
    return mark.join(
        (str(draw.randint(1940, 2010)), f"{draw.randint(1, 12):02d}", f"{draw.randint(1, 28):02d}")
    )


def mod_11_2(body: str) -> str:
    """GB 11643: the check character of 17 digits."""
    total = 0
    for digit in body:  # the recursive form of ISO 7064
        total = (total + int(digit)) * 2 % 11
    rest = (12 - total) % 11
    return "X" if rest == 10 else str(rest)


def resident(draw: random.Random) -> str:
    """A resident identity number."""
    body = draw.choice(REGIONS) + birthday(draw) + digits(draw, 3)
    return body + mod_11_2(body)


def luhn(body: str) -> str:
    """``body`` with its Luhn digit."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return body + str(-total % 10)


def uscc(draw: random.Random) -> str:
    """A credit code with a letter in it."""
    body = "91" + draw.choice(REGIONS) + "MA" + "".join(draw.choice(_USCC) for _ in range(7))
    total = sum(_USCC.index(char) * 3**place for place, char in enumerate(body))
    return body + _USCC[-total % 31]


def organisation(draw: random.Random) -> str:
    """An organisation code."""
    body = draw.choice("3456789") + digits(draw, 7)
    total = sum(int(char) * weight for char, weight in zip(body, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    check = 11 - total % 11
    return f"{body}-{'X' if check == 10 else '0' if check == 11 else check}"


def licence(draw: random.Random) -> str:
    """A business licence number."""
    body = draw.choice(REGIONS) + digits(draw, 8)
    carry = 10
    for digit in body:
        carry = ((carry + int(digit)) % 10 or 10) * 2 % 11
    return body + str((11 - carry) % 10)


def vin(draw: random.Random) -> str:
    """A vehicle number of a Chinese maker."""
    letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
    worth = {
        **{str(d): d for d in range(10)},
        **dict(zip(letters, map(int, "12345678123457923456789"), strict=True)),
    }
    body = [
        "L",
        *(draw.choice(letters) for _ in range(3)),
        *digits(draw, 4),
        "0",
        *(draw.choice(letters + "0123456789") for _ in range(4)),
        *digits(draw, 4),
    ]
    weights = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
    rest = sum(worth[char] * weight for char, weight in zip(body, weights, strict=True)) % 11
    body[8] = "X" if rest == 10 else str(rest)
    return "".join(body)


def hong_kong(draw: random.Random) -> str:
    """A Hong Kong identity number with its bracket."""
    letter, body = draw.choice("ABCDEFGHKMPRVYZ"), digits(draw, 6)
    total = (
        36 * 9 + (ord(letter) - 55) * 8 + sum(int(d) * w for d, w in zip(body, range(7, 1, -1), strict=True))
    )
    return f"{letter}{body}({'0123456789A'[-total % 11]})"


def taiwan(draw: random.Random) -> str:
    """A Taiwan identity number."""
    order = "ABCDEFGHJKLMNPQRSTUVXYWZIO"
    letter = draw.choice(order)
    number = order.index(letter) + 10
    body = draw.choice("12") + digits(draw, 7)
    total = (
        number // 10 + number % 10 * 9 + sum(int(d) * w for d, w in zip(body, range(8, 0, -1), strict=True))
    )
    return f"{letter}{body}{-total % 10}"


def mobile(draw: random.Random) -> str:
    """A mobile number."""
    return "1" + draw.choice("3456789") + digits(draw, 9)


def name(draw: random.Random) -> str:
    """A Chinese name of three characters."""
    return draw.choice(_SURNAMES) + draw.choice(_GIVEN) + draw.choice(_GIVEN)


def passport_line(draw: random.Random) -> str:
    """The second line of a Chinese passport."""

    def check(field: str) -> str:
        worth = [0 if c == "<" else int(c, 36) for c in field]
        return str(sum(v * (7, 3, 1)[i % 3] for i, v in enumerate(worth)) % 10)

    number, birth = "E" + digits(draw, 8), birthday(draw)[2:]
    return f"{number}{check(number)}CHN{birth}{check(birth)}F3001019<<<<<<<<<<<<<<<0{draw.randint(0, 9)}"


# Found wherever they stand, without a word beside them (tier A, and mobile numbers).
CERTAIN: dict[str, Maker] = {
    "resident_id": resident,
    "permanent_residence": lambda d: (b := "9" + digits(d, 5) + birthday(d) + digits(d, 3)) + mod_11_2(b),
    "disability_card": lambda d: resident(d) + str(d.randint(1, 7)) + str(d.randint(1, 4)),
    "hong_kong_id": hong_kong,
    "passport_line": passport_line,
    "military_id": lambda d: f"军字第{digits(d, 7)}号",
    "uscc": uscc,
    "mobile": mobile,
    "plate": lambda d: f"贵{d.choice('ABCD')}{d.choice(['', '·'])}{digits(d, 5)}",
    "vin": vin,
    "iccid": lambda d: luhn("898600" + digits(d, 13)),
    "mac": lambda d: ":".join(f"{d.randrange(256):02X}" for _ in range(6)),
    "email": lambda d: (
        f"{d.choice(['zhang', 'li', 'wang'])}.{digits(d, 3)}@{d.choice(['qq.com', 'corp.local'])}"
    ),
    "property": lambda d: f"黔({d.randint(2016, 2025)})贵阳市不动产权第{digits(d, 7)}号",
    "credential": lambda d: "LTAI5t" + "".join(d.choice("ABCDEFGHabcdefgh0123456789") for _ in range(18)),
}
# Found with a header or a word, or as a column: (a header, a sentence that names it).
WORDED: dict[str, tuple[Maker, str, str]] = {
    "resident_id_15": (lambda d: d.choice(REGIONS) + birthday(d)[2:] + digits(d, 3), "身份证号", "身份证{}"),
    "permanent_residence_old": (
        lambda d: "USA" + "3200" + birthday(d)[2:] + digits(d, 2),
        "永久居留证",
        "永久居留证{}",
    ),
    "macao_id": (lambda d: f"{d.choice('157')}{digits(d, 6)}({digits(d, 1)})", "澳门证件", "澳门居民{}"),
    "taiwan_id": (taiwan, "台湾身份证", "台湾身份证{}"),
    "passport": (
        lambda d: d.choice(["E" + digits(d, 1), "G" + digits(d, 1), "EA", "EJ"]) + digits(d, 7),
        "护照号",
        "持护照{}入境",
    ),
    "home_permit": (lambda d: d.choice("HM") + digits(d, 8), "通行证号", "回乡证{}"),
    "exit_permit": (lambda d: "C" + d.choice("ABCDE") + digits(d, 7), "港澳通行证", "港澳通行证{}"),
    "organisation_code": (organisation, "组织机构代码", "组织机构代码{}"),
    "business_licence": (licence, "营业执照", "营业执照注册号{}"),
    "landline": (lambda d: f"0851-8{digits(d, 7)}", "家庭电话", "住宅电话{}"),
    "bank_card": (lambda d: luhn("622202" + digits(d, 12)), "银行卡", "银行卡号{}"),
    "imei": (lambda d: luhn("86" + digits(d, 12)), "IMEI", "设备串号{}"),
    "imsi": (lambda d: "46000" + digits(d, 10), "IMSI", "IMSI {}"),
    "ipv4": (
        lambda d: f"203.{d.randint(1, 254)}.{d.randint(10, 254)}.{d.randint(10, 254)}",
        "登录IP",
        "登录IP {}",
    ),
    "ipv6": (lambda d: f"2408:8{digits(d, 3)}:{digits(d, 4)}::{digits(d, 3)}", "ip", "ip {}"),
    "coordinates": (lambda d: f"26.{digits(d, 6)},106.{digits(d, 6)}", "家庭坐标", "住址坐标{}"),
    "address_room": (
        lambda d: (
            f"贵阳市观山湖区{d.choice(['长岭北路', '林城东路'])}"
            f"{d.randint(1, 99)}号{d.randint(1, 9)}栋{d.randint(101, 2505)}室"
        ),
        "住址",
        "家住{}",
    ),
    "address": (
        lambda d: f"贵阳市云岩区中山{d.choice('东西')}路{d.randint(1, 200)}号",
        "家庭住址",
        "居住在{}",
    ),
    "birth_date": (lambda d: f"出生于{birthday(d, '-')}", "备注", "该人{}"),
    "person": (lambda d: f"姓名：{name(d)}", "备注", "{}"),
    "medical_insurance": (lambda d: digits(d, 28), "医保凭证", "医保凭证{}"),
    "alipay": (lambda d: "2088" + digits(d, 12), "支付宝", "支付宝{}"),
}


def _spread(text: str, marks: str, draw: random.Random) -> str:
    return "".join(char + draw.choice(marks) for char in text)


def _map(low: str, text: str, table: str) -> str:
    return "".join(table[low.index(char)] if char in low else char for char in text)


_D = "0123456789"
Disguise = Callable[[str, random.Random], str]
# What a reader still sees through: of any identifier made of digits and Latin letters.
LOOKS: dict[str, Disguise] = {
    "full width": lambda t, d: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in t),
    "zero width": lambda t, d: _spread(t, "\u200b\u200c\u200d\u2060\ufeff", d),
    "bidi": lambda t, d: f"\u202e{t}\u202c",
    "variation selectors": lambda t, d: _spread(t, "\ufe0e\ufe0f", d),
    "combining": lambda t, d: _spread(t, "\u0336\u0338\u20e3", d),
    "bold": lambda t, d: _map(_D, t, "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗"),
    "circled": lambda t, d: _map(_D, t, "⓪①②③④⑤⑥⑦⑧⑨"),
    "negative circled": lambda t, d: _map(_D, t, "⓿❶❷❸❹❺❻❼❽❾"),
    "parenthesised": lambda t, d: _map("123456789", t, "⑴⑵⑶⑷⑸⑹⑺⑻⑼"),
    "Arabic-Indic": lambda t, d: _map(_D, t, "٠١٢٣٤٥٦٧٨٩"),
    "Devanagari": lambda t, d: _map(_D, t, "०१२३४५६७८९"),
    "superscript": lambda t, d: _map(_D, t, "⁰¹²³⁴⁵⁶⁷⁸⁹"),
    "Suzhou": lambda t, d: _map(_D, t, "〇〡〢〣〤〥〦〧〨〩"),
    "Han": lambda t, d: _map(_D, t, "〇一二三四五六七八九"),
    "financial": lambda t, d: _map(_D, t, "零壹贰叁肆伍陆柒捌玖"),
    "radio": lambda t, d: _map(_D, t, "洞幺两三四五六拐八勾"),
    "spaces": lambda t, d: " ".join(t),
    "dots": lambda t, d: d.choice("·•．—–_/、").join(t),
    "mixed": lambda t, d: "".join(
        d.choice((c, chr(ord(c) + 0xFEE0), "〇一二三四五六七八九"[int(c)] if c.isdigit() else c)) for c in t
    ),
    "letters for digits": lambda t, d: t.replace("0", "O", 2).replace("1", "l", 2),
}


def _base(text: str, alphabet: str) -> str:
    number, found = int.from_bytes(text.encode(), "big"), ""
    while number:
        number, rest = divmod(number, len(alphabet))
        found = alphabet[rest] + found
    return found


_62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
ENCODINGS: dict[str, Disguise] = {
    "base2": lambda t, d: "".join(f"{b:08b}" for b in t.encode()),
    "base2 spaced": lambda t, d: " ".join(f"{b:08b}" for b in t.encode()),
    "base8": lambda t, d: "".join(f"{b:03o}" for b in t.encode()),
    "ascii codes": lambda t, d: " ".join(str(b) for b in t.encode()),
    "base16": lambda t, d: t.encode().hex(),
    "base32": lambda t, d: base64.b32encode(t.encode()).decode(),
    "base32 hex": lambda t, d: base64.b32hexencode(t.encode()).decode(),
    "base58": lambda t, d: _base(t, _58),
    "base62": lambda t, d: _base(t, _62),
    "base64": lambda t, d: base64.b64encode(t.encode()).decode(),
    "base64 url": lambda t, d: base64.urlsafe_b64encode(t.encode()).decode().rstrip("="),
    "ascii85": lambda t, d: base64.a85encode(t.encode()).decode(),
    "base85": lambda t, d: base64.b85encode(t.encode()).decode(),
    "percent": lambda t, d: "".join(f"%{b:02X}" for b in t.encode()),
    "html": lambda t, d: "".join(f"&#{ord(c)};" for c in t),
    "html hex": lambda t, d: "".join(f"&#x{ord(c):x};" for c in t),
    "json": lambda t, d: "".join(f"\\u{ord(c):04x}" for c in t),
    "python": lambda t, d: "".join(f"\\x{ord(c):02x}" for c in t),
    "unicode names": lambda t, d: " ".join(f"U+{ord(c):04X}" for c in t),
    "quoted printable": lambda t, d: "".join(f"={b:02X}" for b in t.encode()),
    "utf-16": lambda t, d: base64.b64encode(t.encode("utf-16-le")).decode(),
    "gzip": lambda t, d: base64.b64encode(gzip.compress(t.encode())).decode(),
    "zlib": lambda t, d: zlib.compress(t.encode()).hex(),
    "deflate": lambda t, d: base64.b64encode(zlib.compress(t.encode(), wbits=-15)).decode(),
    "bz2": lambda t, d: base64.b64encode(bz2.compress(t.encode())).decode(),
    "lzma": lambda t, d: base64.b64encode(lzma.compress(t.encode())).decode(),
}
CIPHERS: dict[str, Disguise] = {
    "reversed": lambda t, d: t[::-1],
    "rot13": lambda t, d: "".join(
        chr((ord(c) - 97 + 13) % 26 + 97)
        if c.islower()
        else chr((ord(c) - 65 + 13) % 26 + 65)
        if c.isupper()
        else c
        for c in base64.b64encode(t.encode()).decode()
    ),
    "rot47": lambda t, d: "".join(chr(33 + (ord(c) - 33 + 47) % 94) for c in t),
    "letters": lambda t, d: _map(_D, t, "abcdefghij"),
    "keyboard": lambda t, d: _map("1234567890", t, "qwertyuiop"),
}
