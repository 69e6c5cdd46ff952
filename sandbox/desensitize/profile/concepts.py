"""What a field may be besides an identifier, the words of headers, and the usual values. Pure data.

Categories: GB/T 35273-2020 Annex A. Sensitive: PIPL Art. 28 and the classes of GB/T 45574-2025 Annex A as
published commentary gives them (the standard's text is not public). Levels 1 to 4 are a proposal for a person
to confirm: 4 what is sensitive by law or names somebody officially, 3 what leads to somebody, 2 what
describes somebody, 1 what concerns nobody.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

from sandbox.desensitize.profile.headers import HEADERS, MEASURED
from sandbox.pii.classes import CLASSES, Statutory, Strength
from sandbox.pii.kinds import KINDS
from sandbox.pii.labelled import LABELLED

PERSONAL, SENSITIVE, NEITHER = Statutory.PERSONAL, Statutory.SENSITIVE_PERSONAL, Statutory.NONE
FIRM = Statutory.ENTERPRISE


@dataclass(frozen=True)
class Concept:
    """One sort of field. ``plain``: the test of ``plausible.PLAUSIBLE`` that content must pass before a
    header is believed; ``needs_person``: it is personal only where a row tells of a person."""

    zh: str
    en: str
    category: str
    level: int
    role: str
    statutory: Statutory
    plain: str = "any"
    strength: Strength = Strength.NONE
    needs_person: bool = True


def _kind(name: str, plain: str = "number") -> Concept:
    """A kind of the catalogue of identifiers."""
    known, told = CLASSES[name], KINDS.get(name) or LABELLED[name]
    return Concept(
        told.zh, told.en, known.category, known.level, "identifier", known.statutory, plain,
        known.strength, False,
    )  # fmt: skip


_BASIC, _IDENTITY, _WORK = "个人基本资料", "个人身份信息", "个人教育工作信息"
_HEALTH, _MONEY, _PLACE, _OTHER = "个人健康生理信息", "个人财产信息", "个人位置信息", "其他个人信息"
_FIRMS, _FIRM_VALUES, _COMMON = "企业登记信息", "企业经营信息", "业务信息"

CONCEPTS: dict[str, Concept] = {
    "minor_guardian": Concept(
        "监护人", "guardian", _IDENTITY, 4, "identifier", SENSITIVE, plain="text", strength=Strength.INDIRECT
    ),
    "resident_id": _kind("resident_id"),
    "passport": _kind("passport"),
    "home_permit": _kind("home_permit"),
    "mobile": _kind("mobile"),
    "landline": _kind("landline"),
    "email": _kind("email"),
    "bank_card": _kind("bank_card"),
    "account": _kind("account"),
    "uscc": _kind("uscc"),
    "organisation_code": _kind("organisation_code"),
    "business_licence": _kind("business_licence"),
    "plate": _kind("plate"),
    "vin": _kind("vin"),
    "imei": _kind("imei"),
    "mac": _kind("mac"),
    "ipv4": _kind("ipv4"),
    "social": _kind("social"),
    "medical": _kind("medical"),
    "patient": _kind("patient"),
    "student": _kind("student"),
    "staff": _kind("staff"),
    "household": _kind("household"),
    "disability_card": _kind("disability_card"),
    "engine": _kind("engine"),
    "vehicle_certificate": _kind("vehicle_certificate"),
    "person_number": Concept(
        "个人编号",
        "number of a person",
        _IDENTITY,
        3,
        "identifier",
        PERSONAL,
        plain="code",
        strength=Strength.DIRECT,
        needs_person=False,
    ),
    "certificate": Concept(
        "证照号",
        "number of a certificate",
        _IDENTITY,
        3,
        "identifier",
        PERSONAL,
        plain="code",
        strength=Strength.DIRECT,
    ),
    "driver": _kind("driver"),
    "user": _kind("user"),
    "birth_date": Concept(
        "出生日期", "date of birth", _BASIC, 3, "quasi", PERSONAL, plain="birth", strength=Strength.INDIRECT
    ),
    "person_name": Concept(
        "姓名",
        "name of a person",
        _IDENTITY,
        3,
        "identifier",
        PERSONAL,
        plain="names",
        strength=Strength.INDIRECT,
    ),
    "address": Concept(
        "住址", "address", _IDENTITY, 4, "identifier", PERSONAL, plain="long", strength=Strength.INDIRECT
    ),
    "sex": Concept("性别", "sex", _BASIC, 2, "quasi", PERSONAL, plain="few"),
    "age": Concept("年龄", "age", _BASIC, 2, "quasi", PERSONAL, plain="age"),
    "ethnicity": Concept("民族", "ethnicity", _BASIC, 3, "quasi", PERSONAL, plain="classes"),
    "nationality": Concept("国籍", "nationality", _BASIC, 2, "quasi", PERSONAL, plain="classes"),
    "marital": Concept("婚姻状况", "marital status", _BASIC, 3, "quasi", PERSONAL, plain="classes"),
    "religion": Concept("宗教信仰", "religion", _OTHER, 4, "sensitive", SENSITIVE, plain="classes"),
    "politics": Concept("政治面貌", "political affiliation", _OTHER, 3, "quasi", PERSONAL, plain="classes"),
    "orientation": Concept(
        "性取向", "sexual orientation", _OTHER, 4, "sensitive", SENSITIVE, plain="classes"
    ),
    "crime": Concept("违法犯罪记录", "criminal record", _OTHER, 4, "sensitive", SENSITIVE),
    "biometrics": Concept("生物识别信息", "biometric", "个人生物识别信息", 4, "sensitive", SENSITIVE),
    "health": Concept("健康状况", "health", _HEALTH, 4, "sensitive", SENSITIVE),
    "blood": Concept("血型", "blood group", _HEALTH, 3, "sensitive", PERSONAL, plain="few"),
    "credit": Concept("征信信息", "credit record", _MONEY, 4, "sensitive", SENSITIVE),
    "aid": Concept("受助信息", "aid received", _OTHER, 4, "sensitive", SENSITIVE),
    "track": Concept("行踪轨迹", "whereabouts", _PLACE, 4, "sensitive", SENSITIVE),
    "messages": Concept("通信内容", "communications", "个人通信信息", 4, "sensitive", SENSITIVE),
    "income": Concept("收入", "income", _MONEY, 4, "sensitive", SENSITIVE, plain="money"),
    "turnover": Concept(
        "经营数据", "business figure", _FIRM_VALUES, 3, "sensitive", FIRM, plain="number", needs_person=False
    ),
    "employer": Concept("工作单位", "employer", _WORK, 2, "quasi", PERSONAL, plain="text"),
    "organisation": Concept(
        "机构名称",
        "name of an organisation",
        _FIRMS,
        2,
        "identifier",
        FIRM,
        plain="text",
        strength=Strength.DIRECT,
        needs_person=False,
    ),
    "education": Concept("受教育程度", "education", _WORK, 2, "quasi", PERSONAL, plain="classes"),
    "occupation": Concept("职业", "occupation", _WORK, 2, "quasi", PERSONAL, plain="classes"),
    "school": Concept("学校、班级", "school or class", _WORK, 2, "quasi", PERSONAL, plain="classes"),
    "residence": Concept("户口性质", "kind of residence", _BASIC, 2, "quasi", PERSONAL, plain="classes"),
    "division": Concept("行政区划", "administrative division", _BASIC, 2, "quasi", PERSONAL),
    "postcode": Concept("邮政编码", "postcode", _BASIC, 2, "quasi", PERSONAL),
    "latitude": Concept(
        "纬度", "latitude", _PLACE, 4, "quasi", SENSITIVE, plain="number", strength=Strength.INDIRECT
    ),
    "longitude": Concept(
        "经度", "longitude", _PLACE, 4, "quasi", SENSITIVE, plain="number", strength=Strength.INDIRECT
    ),
    "household_size": Concept(
        "家庭人口", "persons of a household", _BASIC, 2, "quasi", PERSONAL, plain="age"
    ),
    "event_time": Concept(
        "业务时间", "time of an event", _COMMON, 1, "other", NEITHER, plain="time", needs_person=False
    ),
    "number": Concept("业务编号", "number of a case", _COMMON, 1, "other", NEITHER, needs_person=False),
    "amount": Concept("金额", "amount", _COMMON, 1, "other", NEITHER, plain="number", needs_person=False),
    "count": Concept("数量", "count", _COMMON, 1, "other", NEITHER, plain="number", needs_person=False),
    "remark": Concept("备注", "remark", _COMMON, 1, "other", NEITHER, needs_person=False),
    "status": Concept("状态", "status", _COMMON, 1, "other", NEITHER, needs_person=False),
}

# Classes of the law for what concepts say is sensitive: (zh, en).
CLASS_OF_LAW: dict[str, tuple[str, str]] = {
    "health": ("医疗健康", "medical and health"),
    "religion": ("宗教信仰", "religious belief"),
    "orientation": ("特定身份", "particular identity"),
    "crime": ("特定身份", "particular identity"),
    "biometrics": ("生物识别", "biometrics"),
    "income": ("金融账户与财产", "financial accounts and property"),
    "credit": ("金融账户与财产", "financial accounts and property"),
    "bank_card": ("金融账户与财产", "financial accounts and property"),
    "account": ("金融账户与财产", "financial accounts and property"),
    "alipay": ("金融账户与财产", "financial accounts and property"),
    "property": ("金融账户与财产", "financial accounts and property"),
    "aid": ("特定身份", "particular identity"),
    "disability_card": ("特定身份", "particular identity"),
    "military_id": ("特定身份", "particular identity"),
    "track": ("行踪轨迹", "whereabouts"),
    "latitude": ("行踪轨迹", "whereabouts"),
    "longitude": ("行踪轨迹", "whereabouts"),
    "coordinates": ("行踪轨迹", "whereabouts"),
    "messages": ("其他敏感个人信息", "other sensitive personal information"),
    "minor_guardian": ("不满十四周岁未成年人", "minors under fourteen"),
    "medical": ("医疗健康", "medical and health"),
    "patient": ("医疗健康", "medical and health"),
    "medical_insurance": ("医疗健康", "medical and health"),
}


def concept(name: str) -> Concept:
    """The concept ``name``, or that of an identifier without headers of its own. Raises KeyError."""
    return CONCEPTS[name] if name in CONCEPTS else _kind(name)


def normal(header: str) -> str:
    """A header for comparison: NFKC, words of camelCase and snake_case apart, small letters."""
    text = unicodedata.normalize("NFKC", header)
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.sub(r"[\s_\-./:|]+", " ", text).strip().lower()


def heads(header: str) -> str:
    """The concept that ``header`` says, "" if none. Words only; what the content says is another matter."""
    text = re.sub(r" ?\(.*?\)$", "", normal(header))  # what stands in brackets adds to it
    last = normal(
        re.split(r"[_./:|]", re.sub(r"[(（].*", "", header))[-1]
    )  # of merged headers, the lower one
    return _first(text) or _first(last) or ("health" if MEASURED.search(normal(header)) else "")


def _first(text: str) -> str:
    return next((name for name, pattern in _patterns().items() if pattern.search(text)), "")


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile(words) for name, words in HEADERS.items()}
