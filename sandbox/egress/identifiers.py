"""Identifiers by structure and check digit, vectorised over distinct values.

Structure first, then checksum: a checksum alone accepts 3 % of order numbers. Boundaries are ASCII, so
that a Chinese character beside a number is no part of it; a letter before an identity number is allowed
(school and disability numbers are built so).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from sandbox.egress.clean import fold

_WORD = r"[0-9A-Za-z]+(?:\.[0-9]+)*"
_DATE = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_PROVINCES = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"


@dataclass(frozen=True)
class Kind:
    """One sort of identifier. ``strong``: a single hit is certain; otherwise context decides."""

    zh: str
    en: str
    pattern: str  # Rust syntax, over one token, group 1 is the number
    strong: bool
    context: str  # words that make a header or the text before it say so


KINDS: dict[str, Kind] = {
    "resident_id": Kind(
        "居民身份证号",
        "resident identity number",
        rf"^[A-Za-z]*([1-9][0-9]{{5}}(?:18|19|20)[0-9]{{2}}{_DATE}[0-9]{{3}}[0-9Xx])(?:\.0+)?$",
        True,
        "身份证|证件|idcard|id_card|identity|sfz",
    ),
    "resident_id_15": Kind(
        "15 位居民身份证号",
        "15-digit resident identity number",
        rf"^({_PROVINCES}[0-9]{{4}}[0-9]{{2}}{_DATE}[0-9]{{3}})(?:\.0+)?$",
        False,
        "身份证|证件|idcard|id_card|identity|sfz",
    ),
    "uscc": Kind(
        "统一社会信用代码",
        "unified social credit code",
        rf"^([1-9ANY][1-59]{_PROVINCES}[0-9]{{4}}[0-9A-HJ-NP-RTUWXY]{{10}})$",
        True,
        "信用代码|uscc|credit",
    ),
    "mobile": Kind(
        "手机号",
        "mobile number",
        r"^(?:86|0086)?(1[3-9][0-9]{9})(?:\.0+)?$",
        False,
        "手机|电话|联系|mobile|phone|tel|cell",
    ),
    "bank_card": Kind(
        "银行卡号",
        "bank card number",
        r"^(62[0-9]{14,17}|4[0-9]{15}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)"
        r"[0-9]{12}|35[0-9]{14}|6011[0-9]{12}|3[47][0-9]{13})$",
        False,
        "银行|卡号|账号|帐号|card|account|bank",
    ),
    "email": Kind("电子邮箱", "e-mail address", r"^(.+)$", True, "邮箱|邮件|mail"),
}
_EMAIL = r"[A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63})*\.[A-Za-z]{2,24}"
_ROLE = re.compile(
    r"(?:info|contact|service|support|admin|webmaster|opendata|press|office|noreply|no-reply)@", re.IGNORECASE
)
_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_CHECKS = np.frombuffer(b"10X98765432", dtype=np.uint8)
_USCC = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_JOINED = re.compile(r"(?<![0-9A-Za-z.])\+?[0-9](?:[\s\-.·_/•()~|:]{0,3}[0-9Xx]){10,19}(?![0-9A-Za-z])")
_TRIGGER = r"[0-9][\s\-.·_/•()~|:]{1,3}[0-9Xx]"
_GROUPS = re.compile(r"(?:\+?86[\s\-.]?)?1[3-9][0-9]([\s\-.·_])[0-9]{4}\1[0-9]{4}")
_CARD = re.compile(r"[0-9]{4}([\s\-.]{1,3})[0-9]{4}\1[0-9]{4}\1[0-9]{3,4}(?:\1?[0-9]{1,3})?")


def _bytes(values: list[str], width: int) -> np.ndarray:
    return np.frombuffer("".join(values).encode("ascii"), dtype=np.uint8).reshape(len(values), width)


def resident_valid(values: list[str]) -> np.ndarray:
    """GB 11643: ISO 7064 MOD 11-2 over 18 characters, and a day that exists."""
    if not values:
        return np.zeros(0, dtype=bool)
    raw = _bytes([value.upper() for value in values], 18)
    remainder = ((raw[:, :17].astype(np.int64) - 48) * _WEIGHTS).sum(axis=1) % 11
    good = _CHECKS[remainder] == raw[:, 17]
    for index in np.flatnonzero(good):
        value = values[index]
        try:
            date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
        except ValueError:
            good[index] = False
    return np.asarray(good)


def uscc_valid(values: list[str]) -> np.ndarray:
    """GB 32100: weights 3^i modulo 31 over 18 characters."""
    if not values:
        return np.zeros(0, dtype=bool)
    table = np.full(128, -1, dtype=np.int64)
    table[[ord(char) for char in _USCC]] = np.arange(31)
    raw = table[_bytes(values, 18)]
    weights = np.array([pow(3, i, 31) for i in range(17)])
    check = (31 - (raw[:, :17] * weights).sum(axis=1) % 31) % 31
    return np.asarray((raw >= 0).all(axis=1) & (check == raw[:, 17]))


def luhn_valid(values: list[str]) -> np.ndarray:
    """ISO/IEC 7812-1: Luhn over digits of any length."""
    if not values:
        return np.zeros(0, dtype=bool)
    raw = _bytes([value.rjust(20, "0") for value in values], 20).astype(np.int64) - 48
    doubled = raw.copy()
    doubled[:, 0::2] *= 2
    doubled[doubled > 9] -= 9
    return np.asarray(doubled.sum(axis=1) % 10 == 0)


def _always(values: list[str]) -> np.ndarray:
    return np.ones(len(values), dtype=bool)


_VALID = {"resident_id": resident_valid, "uscc": uscc_valid, "bank_card": luhn_valid}


def _joined(values: pl.Series) -> tuple[list[int], list[str]]:
    """Numbers written with separators, closed up: (index of the value, token)."""
    where, tokens = [], []
    for index in values.str.contains(_TRIGGER).fill_null(False).arg_true().to_list():
        for match in _JOINED.finditer(values[index]):
            text = match.group()
            closed = re.sub(r"[^0-9Xx]", "", text)
            mobile = _GROUPS.search(text)
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


def scan(values: pl.Series) -> pl.DataFrame:
    """Find identifiers in ``values`` (text; nulls allowed).

    Returns rows (index of the value, kind, found, sure): ``found`` is the number itself and must be
    masked before it is shown, ``sure`` whether it needs no context.
    """
    folded = fold(values)
    tokens = (
        pl.DataFrame({"index": pl.arange(0, len(folded), eager=True), "token": folded})
        .filter(pl.col("token").str.contains(r"[0-9]{5}"))
        .with_columns(pl.col("token").str.extract_all(_WORD))
        .explode("token")
        .filter(pl.col("token").str.len_bytes() >= 11)
    )
    where, closed = _joined(folded)
    joined = pl.DataFrame(
        {"index": where, "token": closed}, schema={"index": tokens.schema["index"], "token": pl.String}
    )
    tokens = pl.concat([tokens, joined]).unique(maintain_order=True)
    parts = []
    for name, kind in KINDS.items():
        if name == "email":
            mails = pl.DataFrame({"index": pl.arange(0, len(folded), eager=True), "found": folded})
            hits = mails.filter(pl.col("found").str.contains("@", literal=True)).with_columns(
                pl.col("found").str.extract_all(_EMAIL)
            )
            hits = hits.explode("found").drop_nulls("found")
            sure = [_ROLE.match(value) is None for value in hits["found"]]
        else:
            upper = pl.col("token").str.to_uppercase() if name == "uscc" else pl.col("token")
            hits = tokens.select("index", found=upper.str.extract(kind.pattern, 1)).drop_nulls("found")
            found = hits["found"].to_list()
            hits = hits.filter(pl.Series(_VALID.get(name, _always)(found), dtype=pl.Boolean))
            sure = [
                kind.strong and (name != "uscc" or not value.isdigit()) for value in hits["found"].to_list()
            ]
        parts.append(
            hits.select("index", kind=pl.lit(name), found="found").with_columns(
                sure=pl.Series(sure, dtype=pl.Boolean)
            )
        )
    result = pl.concat(parts)
    # A number that is a resident identity is not reported a second time as a weaker kind.
    people = result.filter(pl.col("kind") == "resident_id").select("index", "found")
    others = result.filter(pl.col("kind") != "resident_id").join(people, on=["index", "found"], how="anti")
    return pl.concat([result.filter(pl.col("kind") == "resident_id"), others])
