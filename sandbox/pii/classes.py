"""What each kind of the catalogue is, in two labels that are kept apart.

``strength`` says how far a value alone leads to somebody; ``statutory`` says which class of the law it falls
in. They differ: the number of an identity card is the strongest identifier there is and, since GB/T
45574-2025, no longer sensitive personal information by itself; a diagnosis is sensitive and names nobody.

Sources: PIPL Art. 4 and 28; GB/T 35273-2020 Annex A (examples of personal information) for the categories;
GB/T 45574-2025 Annex A for what is sensitive. The text of the latter is not public: its classes are those of
published commentary.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Subject(StrEnum):
    """Whom or what a kind names."""

    PERSON = "person"
    ENTERPRISE = "enterprise"
    DEVICE = "device"  # of a person: GB/T 35273 counts it as personal information
    VEHICLE = "vehicle"
    PLACE = "place"
    SECRET = "secret"  # noqa: S105 - a class: keys and passwords


class Strength(StrEnum):
    """How far one value leads to its subject."""

    DIRECT = "direct"  # alone, anywhere: an official number
    CONTACT = "contact"  # alone, with who runs the service: telephone, mailbox, account
    INDIRECT = "indirect"  # with something else: name, address, day of birth
    NONE = "none"


class Statutory(StrEnum):
    """The class of the law."""

    PERSONAL = "personal"
    SENSITIVE_PERSONAL = "sensitive_personal"
    ENTERPRISE = "enterprise"
    NONE = "none"


@dataclass(frozen=True)
class Class:
    """Labels of one kind; ``category``: GB/T 35273-2020 Annex A, as the catalogue's entries write it."""

    subject: Subject
    strength: Strength
    statutory: Statutory
    category: str
    level: int  # proposed, 1 to 4


_P, _E, _D, _V, _L, _S = (
    Subject.PERSON,
    Subject.ENTERPRISE,
    Subject.DEVICE,
    Subject.VEHICLE,
    Subject.PLACE,
    Subject.SECRET,
)
_IDENTITY, _BASIC, _CONTACT = "个人身份信息", "个人基本资料", "个人通信信息"
_HEALTH, _MONEY, _DEVICE = "个人健康生理信息", "个人财产信息", "个人常用设备信息"
_PLACE, _NET, _WORK = "个人位置信息", "网络身份标识信息", "个人教育工作信息"
_FIRM = "企业登记信息"
_PI, _SPI = Statutory.PERSONAL, Statutory.SENSITIVE_PERSONAL

_DIRECT = Class(_P, Strength.DIRECT, _PI, _IDENTITY, 4)
_ACCOUNT = Class(_P, Strength.CONTACT, _PI, _NET, 3)
_GADGET = Class(_D, Strength.CONTACT, _PI, _DEVICE, 3)
_FIRMS = Class(_E, Strength.DIRECT, Statutory.ENTERPRISE, _FIRM, 2)
_MONEYS = Class(_P, Strength.CONTACT, _SPI, _MONEY, 4)

CLASSES: dict[str, Class] = {
    **dict.fromkeys(
        (
            "resident_id", "permanent_residence", "resident_id_15", "permanent_residence_old", "hong_kong_id",
            "hong_kong_id_plain", "macao_id", "taiwan_id", "passport", "passport_line", "home_permit",
            "exit_permit", "permit_taiwan", "birth_certificate", "driver",
        ),
        _DIRECT,
    ),
    "household": Class(_P, Strength.DIRECT, _PI, _IDENTITY, 3),
    # Particular identities: the certificate itself tells the disability or the service.
    "disability_card": Class(_P, Strength.DIRECT, _SPI, _IDENTITY, 4),
    "military_id": Class(_P, Strength.DIRECT, _SPI, _IDENTITY, 4),
    **dict.fromkeys(("social", "student", "staff"), Class(_P, Strength.DIRECT, _PI, _WORK, 3)),
    **dict.fromkeys(
        ("medical", "patient", "medical_insurance"), Class(_P, Strength.DIRECT, _SPI, _HEALTH, 4)
    ),
    "mobile": Class(_P, Strength.CONTACT, _PI, _CONTACT, 3),
    "landline": Class(_P, Strength.CONTACT, _PI, _CONTACT, 3),
    "email": Class(_P, Strength.CONTACT, _PI, _CONTACT, 3),
    "email_spelled": Class(_P, Strength.CONTACT, _PI, _CONTACT, 3),
    **dict.fromkeys(("qq", "wechat", "openid", "user"), _ACCOUNT),
    **dict.fromkeys(("bank_card", "account", "alipay"), _MONEYS),
    **dict.fromkeys(("imei", "iccid", "imsi", "mac", "device"), _GADGET),
    **dict.fromkeys(("ipv4", "ipv6"), Class(_D, Strength.INDIRECT, _PI, _NET, 3)),
    **dict.fromkeys(
        ("plate", "vin", "vehicle_certificate", "engine"), Class(_V, Strength.CONTACT, _PI, _IDENTITY, 3)
    ),
    "property": Class(_L, Strength.DIRECT, _SPI, _MONEY, 4),
    "person": Class(_P, Strength.INDIRECT, _PI, _IDENTITY, 3),
    "birth_date": Class(_P, Strength.INDIRECT, _PI, _BASIC, 3),
    "address_room": Class(_L, Strength.INDIRECT, _PI, _IDENTITY, 4),
    "address": Class(_L, Strength.INDIRECT, _PI, _IDENTITY, 3),
    "coordinates": Class(_L, Strength.INDIRECT, _SPI, _PLACE, 4),
    **dict.fromkeys(("uscc", "organisation_code", "business_licence"), _FIRMS),
    "credential": Class(_S, Strength.DIRECT, Statutory.NONE, "身份鉴别信息", 4),
}  # fmt: skip
