"""The columns of a dummy table: what the catalogue (and the job's ``try:`` block) states of each, and what it
is taken to mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sandbox.core.errors import fail
from sandbox.desensitize.dummy import codes  # noqa: F401  (defines the codes raised here)
from sandbox.desensitize.dummy.reserved import RESERVED
from sandbox.pii.kinds import KINDS

TYPES = ("string", "integer", "number", "decimal", "date", "datetime", "boolean")
KEYS = frozenset({"string", "integer", "number", "decimal"})  # types whose values can name an entity

# Identifiers in the order in which they are asked for: a header that says "身份证号" says "证" as well.
_IDENTIFIERS = tuple(
    kind
    for kind in ("email", "bank_card", "uscc", "organisation_code", "business_licence", "passport", "plate",
                 "vin", "imei", "imsi", "mac", "resident_id", "address_room", "mobile", "landline", "ipv4",
                 "ipv6")
    if kind in KINDS and kind in RESERVED
)  # fmt: skip
_NAMES: tuple[tuple[str, str], ...] = (
    (
        "organisation",
        r"(企业|单位|机构|公司|商户|法人单位)名称|org(anisation|anization)?_?name|company(_?name)?$|enterprise_name",
    ),
    ("person", r"姓名|^(full_?|first_?|last_?|sur)?name$|_name$|户主|联系人$|法定代表人|xm$"),
    ("address_room", r"住址|地址|address|addr$"),
)
# Attributes by name or title; the first that is found in the name or a title.
_MEANINGS: tuple[tuple[str, str], ...] = (
    ("sex", r"性别|\bsex\b|gender|^xb$"),
    ("ethnicity", r"民族|ethnic|nationality_group|^mz$"),
    ("birth_date", r"出生(日期|年月)|birth|\bborn\b|生日|^csrq$"),
    ("region_code", r"行政区划代?码|区划代?码|region_?code|district_?code|division code|area_?code|^xzqh"),
    ("province", r"省(份|级)?$|province"),
    ("city", r"(地|城)市$|市州|prefecture|^city$|city_name"),
    ("region", r"县（市、区）|县|区县|辖区|现住地|\bdistrict\b|county|\bregion\b|地区"),
    ("education", r"学历|受教育程度|文化程度|\beducation\b"),
    ("occupation", r"职业|occupation|profession"),
    ("marriage", r"婚姻状况|marital|marriage_status"),
    ("disease", r"疾病|慢性病|诊断|disease|diagnos"),
    ("industry", r"行业|industry|sector"),
    ("status", r"状态|status|state$"),
    ("age", r"年龄|\bage\b|岁"),
    (
        "money",
        r"金额|收入|工资|费用|价|余额|税|\b(amount|income|salary|wage|fee|price|cost|revenue|tax|balance)",
    ),
    ("share", r"比例|占比|率$|\b(share|ratio|rate|percentage|percent)\b"),
    ("year", r"年份|年度|\byear\b"),
    ("kind", r"类别|类型|种类|分类|type|category|kind|class"),
    ("yes_no", r"是否|^is_|^has_|flag"),
)  # fmt: skip
_OF_TYPE = {
    "date": frozenset({"birth_date"}),
    "datetime": frozenset({"birth_date"}),
    "boolean": frozenset(),
    "string": frozenset(name for name, _ in _MEANINGS),
}
_OF_NUMBERS = frozenset({"age", "money", "share", "year"})
PERSONAL = frozenset(
    {"sex", "ethnicity", "birth_date", "person", "resident_id", "mobile", "email", "address_room"}
)
_RANGE = re.compile(r"[（(]\s*(-?\d+(?:\.\d+)?)\s*(?:–|—|-|~|～|至|到|to)\s*(-?\d+(?:\.\d+)?)\s*[）)]")


@dataclass(frozen=True)
class Field:
    """One column. ``low`` and ``high`` are numbers or days; ``meaning`` is a key of ``words.WORDS`` or
    ``reserved.RESERVED``, one of the words of ``_MEANINGS``, or "" for anything."""

    table: str
    name: str
    type: str
    role: str = "other"
    meaning: str = ""
    values: tuple[str, ...] = ()
    low: float | date | None = None
    high: float | date | None = None
    pattern: str = ""
    null_share: float = 0.0
    unique: bool = False
    references: str = ""
    determined_by: str = ""

    @property
    def full(self) -> str:
        """As conditions call it."""
        return f"{self.table}.{self.name}"

    @property
    def identifier(self) -> bool:
        """Whether its values are identifiers: no value of the job's text is ever put there."""
        named = self.meaning in RESERVED or self.role == "identifier"
        return named and not self.values and self.type in KEYS


@dataclass(frozen=True)
class Table:
    """One input of the job. ``entity`` is the column that names whom a row is about, if it has one;
    ``source`` the catalogue entry (or product) that it is made after, as ``references`` calls it."""

    name: str
    fields: tuple[Field, ...]
    entity: str | None = None
    source: str = ""

    def field(self, name: str) -> Field | None:
        """Its column of that name, as SQL compares names."""
        return next((one for one in self.fields if one.name.lower() == name.lower()), None)


def meaning_of(name: str, titles: str, type_: str, role: str) -> str:
    """What a column called ``name`` with these titles is taken to mean; "" if nothing is recognised."""
    told = f"{name} {name.replace('_', ' ')} {titles}".lower()
    if role == "identifier" and type_ in ("string", "integer"):
        if type_ == "string":
            for meaning, words in _NAMES:
                if any(re.search(words, one, re.IGNORECASE) for one in (name, *titles.split("\n"))):
                    return meaning
        for kind in _IDENTIFIERS:
            if re.search(KINDS[kind].context, told, re.IGNORECASE):
                return kind if type_ == "string" else "other"
        return "other"
    fit = _OF_TYPE.get(type_, _OF_NUMBERS)
    for meaning, words in _MEANINGS:
        if meaning in fit and any(
            re.search(words, one, re.IGNORECASE) for one in (name, *titles.split("\n"))
        ):
            return meaning
    return ""


def _bound(told: Any, type_: str) -> float | date | None:
    """A declared end of the range, as a number or a day. ValueError if it is neither."""
    if told is None:
        return None
    if type_ in ("date", "datetime"):
        day = told if isinstance(told, date) else date.fromisoformat(str(told)[:10])
        return day.date() if isinstance(day, datetime) else day
    return float(told)


def _one(table: str, told: Mapping[str, Any]) -> Field:
    name, type_ = str(told["name"]), str(told["type"])
    if type_ not in TYPES:
        raise ValueError("type")
    titles = f"{told.get('title_zh', '')}\n{told.get('title_en', '')}"
    role = str(told.get("role") or "other")
    low, high = _bound(told.get("minimum"), type_), _bound(told.get("maximum"), type_)
    range_ = _RANGE.search(titles)
    if range_ and low is None and high is None and type_ in ("integer", "number", "decimal"):
        low, high = float(range_[1]), float(range_[2])
    if low is not None and high is not None and low > high:  # type: ignore[operator]
        raise ValueError("maximum")
    values = tuple(str(one) for one in told.get("code_list") or ())
    return Field(
        table=table,
        name=name,
        type=type_,
        role=role,
        meaning="" if values else meaning_of(name, titles, type_, role),
        values=values,
        low=low,
        high=high,
        pattern=str(told.get("pattern") or ""),
        null_share=float(told.get("null_share") or 0),
        unique=bool(told.get("unique") or False),
        references=str(told.get("references") or ""),
        determined_by=str(told.get("determined_by") or ""),
    )


def tables_of(described: Any) -> list[Table]:
    """``params["tables"]``: ``[{"name", "entity", "fields": [{"name", "type", …}]}]``.

    Raises DUMMY_FIELDS for a column that is described as nothing that can be made.
    """
    made: list[Table] = []
    name = "?"
    try:
        for one in described:
            table, fields = str(one["name"]), []
            for told in one["fields"]:
                name = f"{table}.{told['name']}"
                fields.append(_one(table, told))
            known = {field.name for field in fields}
            kept = [f if f.determined_by in known else replace(f, determined_by="") for f in fields]
            entity = one.get("entity")
            made.append(
                Table(table, tuple(kept), entity if entity in known else None, str(one.get("source") or ""))
            )
    except (KeyError, TypeError, ValueError) as error:
        raise fail("DUMMY_FIELDS", field=name, why=type(error).__name__) from None
    if not made or not all(table.fields for table in made):
        raise fail("DUMMY_FIELDS", field=name, why="empty")
    return made
