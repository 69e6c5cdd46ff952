"""Identifiers that look right and are nobody's: form and check digit hold, the range is not in use.

Each row of ``RESERVED`` says where its range comes from and how sure that is: ``reserved`` (set apart for
examples or tests by a standard or its registry), ``unassigned`` (the standard's own tables assign nobody such
a number), ``invented`` (nobody promised anything; the form is merely unlike any that is issued). ``make(n)``
is the n-th number, distinct for distinct n below ``size``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from sandbox.desensitize.dummy.words import SURNAMES

# GB/T 2260: third and fourth digits 01-20, 51-70 are cities, 21-50 prefectures, 90 counties under a province.
# 99 is none of them, and the last two, 99, are no county either: no register office has such a code.
REGION = "{province}9999"
_NUMBERS = (*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66))
PROVINCES = tuple(map(str, _NUMBERS))  # GB/T 2260, the first two digits
_RESIDENT = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VIN = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", [*range(10), *map(int, "12345678123457923456789")], strict=True)
)
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_STEMS = "甲乙丙丁戊己庚辛壬癸"
_BRANCHES = "子丑寅卯辰巳午未申酉戌亥"
_FIRST_BIRTH = date(1936, 1, 1)
_BIRTH_DAYS = 30_000  # to 2018


def resident_number(n: int, birth: date, male: bool) -> str:
    """The n-th resident identity number of somebody born that day (GB 11643: ISO 7064 MOD 11-2); for one
    day and sex there are 500 in each province, ``ValueError`` beyond."""
    province, rank = PROVINCES[n % len(PROVINCES)], n // len(PROVINCES)
    if rank >= 500:
        raise ValueError("no number is left for that day")
    body = f"{REGION.format(province=province)}{birth:%Y%m%d}{rank * 2 + male:03d}"
    total = sum(int(digit) * weight for digit, weight in zip(body, _RESIDENT, strict=True))
    return body + "10X98765432"[total % 11]


def _resident(n: int) -> str:
    birth = _FIRST_BIRTH + timedelta(days=n * 7919 % _BIRTH_DAYS)
    return resident_number(n // _BIRTH_DAYS, birth, bool(n % 2))


def luhn(body: str) -> str:
    """``body`` with its check digit (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        worth = int(digit) * (1 if place % 2 else 2)
        total += worth - 9 if worth > 9 else worth
    return f"{body}{-total % 10}"


def organisation(body: str) -> str:
    """Eight characters with the check character of GB 11714, without a hyphen."""
    weights = (3, 7, 9, 10, 5, 8, 4, 2)
    check = 11 - sum(int(char, 36) * weight for char, weight in zip(body, weights, strict=True)) % 11
    return body + {10: "X", 11: "0"}.get(check, str(check))


def _uscc(n: int) -> str:
    body = "91" + REGION.format(province=PROVINCES[n % len(PROVINCES)]) + organisation(f"YY{n:06d}")
    total = sum(_USCC.index(char) * pow(3, place, 31) for place, char in enumerate(body))
    return body + _USCC[-total % 31]


def _licence(n: int) -> str:
    body = REGION.format(province=PROVINCES[n % len(PROVINCES)]) + f"{n:08d}"
    carry = 10
    for digit in body:
        carry = ((carry + int(digit)) % 10 or 10) * 2 % 11
    return f"{body}{(11 - carry) % 10}"


def _vin(n: int) -> str:
    body = f"LDUMMY990U{n:07d}"
    rest = sum(_VIN[char] * weight for char, weight in zip(body, _VIN_WEIGHTS, strict=True)) % 11
    return body[:8] + ("X" if rest == 10 else str(rest)) + body[9:]


def _person(n: int) -> str:
    surname, rest = SURNAMES[n % len(SURNAMES)], n // len(SURNAMES)
    branch = rest // len(_STEMS) % (len(_BRANCHES) + 1)
    return f"{surname}某{_STEMS[rest % len(_STEMS)]}" + (_BRANCHES[branch - 1] if branch else "")


def _ipv4(n: int) -> str:
    block, host = (("192.0.2", "198.51.100", "203.0.113")[n % 3], n // 3 % 254 + 1)
    return f"{block}.{host}"


@dataclass(frozen=True)
class Range:
    """One sort of identifier: how the n-th is made, what every one of them matches, and why it is
    nobody's."""

    make: Callable[[int], str]
    size: int
    within: str  # what every value of the range matches, and no value in use does
    sure: str  # reserved, unassigned or invented
    zh: str
    en: str


# fmt: off
RESERVED: dict[str, Range] = {
    "resident_id": Range(
        _resident, 90_000_000, r"\d\d9999\d{8}\d{3}[\dX]", "unassigned",
        "GB/T 2260 没有地市码 99、县码 99", "GB/T 2260 has no city 99 and no county 99",
    ),
    "uscc": Range(
        _uscc, 1_000_000, r"91\d\d9999YY\d{6}[\dX][0-9A-Y]", "unassigned",
        "登记机关行政区划码 ××9999 不存在", "there is no registration office with the division code xx9999",
    ),
    "organisation_code": Range(
        lambda n: f"{organisation(f'YY{n:06d}')[:8]}-{organisation(f'YY{n:06d}')[8]}", 1_000_000,
        r"YY\d{6}-[\dX]", "invented", "YY 号段未见分配", "no code of the block YY has been seen",
    ),
    "business_licence": Range(
        _licence, 10_000_000, r"\d\d9999\d{9}", "unassigned",
        "登记机关行政区划码 ××9999 不存在", "there is no registration office with the division code xx9999",
    ),
    "mobile": Range(
        lambda n: f"1540{n:07d}", 10_000_000, r"1540\d{7}", "unassigned",
        "154 号段未分配给任何运营商", "the block 154 is assigned to no carrier",
    ),
    "landline": Range(
        lambda n: f"026-5{n:07d}", 10_000_000, r"026-5\d{7}", "unassigned",
        "长途区号 026 未启用", "the area code 026 is not in use",
    ),
    "bank_card": Range(
        lambda n: luhn(f"62000000{n:010d}"), 10_000_000_000, r"62000000\d{11}", "invented",
        "收单机构公布的测试卡用 62000000，未见发卡机构使用",
        "acquirers publish test cards of 62000000; no issuer has been seen to use it",
    ),
    "email": Range(
        lambda n: f"dummy{n:06d}@example.com", 1 << 40, r"dummy\d+@example\.com", "reserved",
        "RFC 2606 保留域名 example.com", "RFC 2606 reserves example.com",
    ),
    "ipv4": Range(
        _ipv4, 762, r"(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d{1,3}", "reserved",
        "RFC 5737 文档地址", "RFC 5737, addresses for documentation",
    ),
    "ipv6": Range(
        lambda n: f"2001:db8::{n >> 16 & 0xFFFF:x}:{(n & 0xFFFF) + 1:x}", 1 << 30, r"2001:db8::[0-9a-f:]+",
        "reserved", "RFC 3849 文档地址", "RFC 3849, addresses for documentation",
    ),
    "mac": Range(
        lambda n: f"00:00:5E:00:53:{n % 256:02X}", 256, r"00:00:5E:00:53:[0-9A-F]{2}", "reserved",
        "RFC 9542 文档地址", "RFC 9542, addresses for documentation",
    ),
    "imei": Range(
        lambda n: luhn(f"00101{n:09d}"), 1_000_000_000, r"00101\d{10}", "reserved",
        "GSMA TS.06：TAC 以 001 起的是测试机", "GSMA TS.06: a TAC that begins with 001 is of test equipment",
    ),
    "imsi": Range(
        lambda n: f"00101{n:010d}", 10_000_000_000, r"00101\d{10}", "reserved",
        "ITU-T E.212：001/01 是测试网", "ITU-T E.212: 001/01 is the test network",
    ),
    "vin": Range(
        _vin, 10_000_000, r"LDUMMY99[\dX]U\d{7}", "unassigned",
        "GB 16735 的年份代号没有 U（第十位）", "GB 16735 has no model year U (tenth place)",
    ),
    "plate": Range(
        lambda n: f"贵Z{n:05d}", 100_000, r"贵Z\d{5}", "unassigned",
        "贵州没有发牌机关代号 Z", "Guizhou has no issuing office Z",
    ),
    "passport": Range(
        lambda n: f"EZ{n:07d}", 10_000_000, r"EZ\d{7}", "invented",
        "EZ 号段尚未使用（2026 年）", "the series EZ has not been reached (2026)",
    ),
    "person": Range(
        _person, len(SURNAMES) * len(_STEMS) * (len(_BRANCHES) + 1),
        rf"[{SURNAMES}]某[{_STEMS}][{_BRANCHES}]?", "invented",
        "“某”加干支：化名的惯例，不是姓名", "某 and a cyclical character, as pseudonyms are written",
    ),
    "address_room": Range(
        lambda n: f"示例市样例区虚构路{n // 600 + 1}号{n // 24 % 25 + 1}栋{n % 24 // 4 + 1}0{n % 4 + 1}室",
        1 << 30, r"示例市样例区虚构路\d+号\d+栋\d0\d室", "invented",
        "没有这样的市、区、路", "there is no such city, district or road",
    ),
    "organisation": Range(
        lambda n: f"示例第{n + 1:06d}号有限公司", 1 << 30, r"示例第\d+号有限公司", "invented",
        "没有这样的企业名称", "no enterprise has such a name",
    ),
    "other": Range(
        lambda n: f"DUMMY{n:08d}", 1 << 40, r"DUMMY\d{8,}", "invented",
        "其他标识一律以 DUMMY 起头", "any other identifier begins with DUMMY",
    ),
}
# fmt: on
NUMBER_FROM = 900_000_000_000_000  # identifiers that are integers count from here; below 2^53
_ANY = re.compile("|".join(one.within for one in RESERVED.values()))


def is_dummy(value: str) -> bool:
    """Whether ``value`` lies in one of the ranges."""
    whole = value.isdecimal() and int(value) >= NUMBER_FROM and len(value) == len(str(NUMBER_FROM))
    return whole or _ANY.fullmatch(value) is not None
