"""The catalogue: every sort of identifier, its form, its check, its words, and what it weighs.

Three tiers. ``A``: form and check digit leave no doubt, one hit is enough. ``B``: the form is that of many
other numbers as well; a word beside it, the header, or a column full of it decides. ``C``: digits or
letters of no form of their own, known only by the word before them or by the header (``labelled``).

Forms: GB 11643 and GB 32100 (resident and enterprise numbers), GB 11714, GS 15, GA 36 (plates), GB 16735
(vehicles), GB/T 2260 (first two digits of a region), ICAO 9303, ISO/IEC 7812, 3GPP TS 23.003, and the
notices of the National Immigration Administration on permits; where no text of the standard is public, the
form is general knowledge. Every pattern is Rust syntax and its group 1 is the number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sandbox.core.severity import Severity
from sandbox.pii import checksums, names

HARD, HOLD, FLAG = Severity.HARD, Severity.HOLD, Severity.FLAG
DATE = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
PROVINCES = "(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
_PLACE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_PLATE = "A-HJ-NP-Z"
_PERSONAL = (  # not a mailbox of an office
    r"(?i)^(?!(?:info|contact|service|support|admin|webmaster|opendata|press|office|no-?reply|help|news)"
    r"[@.\-_])"
)
_ROAD = "路|街|巷|弄|道|村|胡同|小区|花园|苑|里|庄|屯|寨|坊|社区|公寓|镇|乡"
_DOOR = "号楼|号院|号|栋|幢|座|单元|弄|组"
_LATITUDE, _LONGITUDE = "(?:[3-9]|[1-4][0-9]|5[0-4])", "(?:7[3-9]|[89][0-9]|1[0-2][0-9]|13[0-6])"
_BORN = "出生日期|出生年月日|出生于|生日|出生|(?i:date of birth|birth ?day|birth ?date|\\bdob\\b)"
_PERSON = "姓名|患者|病人|户主|申请人|当事人|被告人|受害人|投保人|收件人|本人|参保人"
_NUMERAL = "[0-9一二三四五六七八九十百]"


@dataclass(frozen=True)
class Kind:
    """One sort of identifier."""

    zh: str
    en: str
    tier: str  # A, B or C, see above
    pattern: str
    context: str  # words of a header, or of the text around, that say so (matched without regard to case)
    scope: str = "token"  # "token": the pattern is of one whole word; "text": it stands anywhere
    valid: Callable[[list[str]], np.ndarray] = checksums.always
    certain: str = ""  # of tier A: what else it must match to be certain on its own
    unlike: str = ""  # what it must not match to count at all
    alone: Severity | None = None  # without a word: what one hit is
    full: Severity | None = HARD  # what a column that is mostly this is
    near: Severity | None = HARD  # with a word before it in text
    sizes: tuple[int, int] = (8, 64)  # characters of the token
    upper: bool = False  # small letters count as capitals
    gate: str = ""  # of scope "text": what stands in every text that holds one, quick to look for


_IDENTITY = "身份证|证件|身分|公民|户籍|idcard|id_card|id card|id_no|idno|identity|sfz|zjhm"
_PASSPORT = "护照|passport|证件|旅行证"
_PERMIT = "通行证|回乡证|台胞证|来往|港澳|permit|证件"

# fmt: off
KINDS: dict[str, Kind] = {
    "resident_id": Kind(
        "居民身份证号", "resident identity number", "A",
        rf"^[A-Za-z]*([1-8][0-9]{{5}}(?:18|19|20)[0-9]{{2}}{DATE}[0-9]{{3}}[0-9Xx])(?:\.0+)?$",
        _IDENTITY, valid=checksums.resident, certain=f"^{PROVINCES}", alone=HOLD, sizes=(18, 22),
    ),
    "permanent_residence": Kind(
        "外国人永久居留身份证号", "foreign permanent resident number", "A",
        rf"^(9[0-9]{{5}}(?:19|20)[0-9]{{2}}{DATE}[0-9]{{3}}[0-9Xx])$",
        "永居|永久居留|外国人|证件", valid=checksums.resident, sizes=(18, 18),
    ),
    "disability_card": Kind(
        "残疾人证号", "disability certificate number", "A",
        rf"^([1-8][0-9]{{5}}(?:19|20)[0-9]{{2}}{DATE}[0-9]{{3}}[0-9Xx][1-7][1-4])$",
        "残疾", valid=lambda values: checksums.resident([value[:18] for value in values]),
        certain=f"^{PROVINCES}", sizes=(20, 20),
    ),
    "resident_id_15": Kind(
        "15 位居民身份证号", "15-digit resident identity number", "B",
        rf"^({PROVINCES}[0-9]{{4}}[0-9]{{2}}{DATE}[0-9]{{3}})(?:\.0+)?$",
        _IDENTITY, valid=checksums.resident_15, alone=HOLD, sizes=(15, 18),
    ),
    "permanent_residence_old": Kind(
        "旧版外国人永久居留证号", "old foreign permanent resident number", "B",
        rf"^([A-Za-z]{{3}}[0-9]{{4}}[0-9]{{2}}{DATE}[0-9]{{2}})$",
        "永居|永久居留|外国人|证件", full=HOLD, sizes=(15, 15),
    ),
    "hong_kong_id": Kind(
        "香港身份证号", "Hong Kong identity card number", "A",
        r"(?-u:\b)([A-Za-z]{1,2}[0-9]{6}\([0-9Aa]\))", "身份证|香港|证件|hkid|identity",
        scope="text", valid=checksums.hong_kong, gate=r"[0-9]{6}\(",
    ),
    "hong_kong_id_plain": Kind(
        "香港身份证号", "Hong Kong identity card number", "B",
        r"^([A-Za-z]{1,2}[0-9]{6}[0-9Aa])$", "香港身份|香港居民|hkid",
        valid=checksums.hong_kong, full=None, sizes=(8, 9),
    ),
    "macao_id": Kind(
        "澳门身份证号", "Macao identity card number", "B",
        r"(?-u:\b)([157][0-9]{6}\([0-9]\))", "身份证|澳门|证件|macao|macau", scope="text", alone=HOLD,
        gate=r"[0-9]{6}\(",
    ),
    "taiwan_id": Kind(
        "台湾身份证号", "Taiwan identity card number", "B",
        r"^([A-Za-z][1289][0-9]{8})$", "身份证|身分证|台湾|证件|identity", valid=checksums.taiwan,
        sizes=(10, 10),
    ),
    "passport": Kind(
        "护照号", "passport number", "B",
        r"^((?:[EeGg][0-9]{8}|[Ee][A-HJ-NP-Za-hj-np-z][0-9]{7}|1[45][0-9]{7}|[Dd][Ee]?[0-9]{7}|"
        r"[Ss][Ee]?[0-9]{7,8}|[Pp][Ee]?[0-9]{7}|[HhKk][Jj]?[0-9]{8}|[Mm][Aa][0-9]{7}))$",
        _PASSPORT, full=None, sizes=(8, 10),
    ),
    "passport_line": Kind(
        "护照机读码", "machine-readable line of a passport", "A",
        r"([A-Z0-9<]{9}[0-9][A-Z<]{3}[0-9]{6}[0-9][MFX<][0-9]{6}[0-9][A-Z0-9<]{14}[0-9<][0-9])", _PASSPORT,
        scope="text", valid=checksums.passport_line, gate="<<",
    ),
    "home_permit": Kind(
        "港澳居民来往内地通行证号", "mainland travel permit of Hong Kong and Macao", "B",
        r"^([HhMm][0-9]{8}(?:[0-9]{2})?)$", _PERMIT, full=None, sizes=(9, 11),
    ),
    "exit_permit": Kind(
        "往来港澳、台湾通行证号", "exit permit to Hong Kong, Macao or Taiwan", "B",
        r"^([Cc](?:[0-9]{8}|[A-HJ-NP-Za-hj-np-z][0-9]{7})|[LlTt][0-9]{8})$", _PERMIT, full=None, sizes=(9, 9),
    ),
    "military_id": Kind(
        "军人证件号", "military certificate number", "A",
        r"((?:军|士|兵|文|武|参|政|后|装|南|北|沈|兰|成|济|广|海|空)字第[0-9]{4,8}号)",
        "军官|士兵|军人|军队|警官|证件", scope="text", certain="^[军士兵文]", alone=HOLD, gate="字第",
    ),
    "uscc": Kind(
        "统一社会信用代码", "unified social credit code", "A",
        rf"^([1-9ANY][1-59]{PROVINCES}[0-9]{{4}}[0-9A-HJ-NP-RTUWXY]{{10}})$",
        "信用代码|uscc|credit|tyshxy", valid=checksums.uscc, upper=True, certain="[A-Z]", alone=HOLD,
        sizes=(18, 18),
    ),
    "organisation_code": Kind(
        "组织机构代码", "organisation code", "B",
        r"(?-u:\b)([0-9A-Z]{8}-[0-9X])(?-u:\b)", "组织机构|机构代码|org", scope="text",
        valid=checksums.organisation, unlike="^(?:19|20)[0-9]{6}", full=HARD, alone=None,
        gate=r"[0-9A-Z]{8}-",
    ),
    "business_licence": Kind(
        "营业执照注册号", "business licence number", "B",
        rf"^({PROVINCES}[0-9]{{13}})$", "营业执照|注册号|工商|licen[cs]e", valid=checksums.licence, full=None,
        sizes=(15, 15),
    ),
    "mobile": Kind(
        "手机号", "mobile number", "B",
        r"^(?:86|0086)?(1[3-9][0-9]{9})(?:\.0+)?$", "手机|电话|联系|mobile|phone|tel|cell|sjh",
        alone=HARD, sizes=(11, 17),
    ),
    "landline": Kind(
        "固定电话号码", "landline number", "B",
        r"(?:^|[^0-9A-Za-z.\-])(\(?0(?:10|2[0-9]|[3-9][0-9]{2})\)?[- ]{0,2}[2-8][0-9]{6,7})"
        r"(?:[^0-9A-Za-z.]|$)",
        "家庭电话|住宅电话|宅电|home ?phone", scope="text", unlike="^[0-9]+$", alone=FLAG, full=HOLD,
        gate=r"0[0-9]{2,3}[)\- ]{1,3}[2-8][0-9]{6}",
    ),
    "bank_card": Kind(
        "银行卡号", "bank card number", "B",
        r"^(62[0-9]{14,17}|4[0-9]{15}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)"
        r"[0-9]{12}|35[0-9]{14}|6011[0-9]{12}|3[47][0-9]{13})$",
        "银行|卡号|账号|帐号|账户|card|account|bank", valid=checksums.luhn, alone=HOLD, sizes=(15, 19),
    ),
    "plate": Kind(
        "机动车号牌", "vehicle plate", "A",
        rf"([{_PLACE}][{_PLATE}][· ]?(?:[0-9{_PLATE}]{{4}}[0-9{_PLATE}挂学警港澳领]|"
        rf"[DABCEFGHJK][0-9{_PLATE}][0-9]{{4}}|[0-9]{{5}}[DABCEFGHJK])|"
        rf"WJ[{_PLACE}]?[0-9]{{4}}[0-9{_PLATE}]|使[0-9]{{6}})(?-u:\b|$)",
        "车牌|号牌|车号|plate|cph", scope="text", certain="(?:[0-9][^0-9]{0,2}){3}", alone=HOLD,
        gate=rf"[{_PLACE}使J][0-9{_PLATE}·]",
    ),
    "vin": Kind(
        "车辆识别代号", "vehicle identification number", "A",
        r"^([A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{4}[0-9]{4})$", "车架|识别代号|vin|chassis",
        valid=checksums.vin, upper=True, certain="^L", full=HARD, sizes=(17, 17),
    ),
    "imei": Kind(
        "移动设备识别码", "IMEI", "B",
        r"^([0-9]{15})$", "imei|设备号|设备标识|串号", valid=checksums.luhn, full=None, sizes=(15, 15),
    ),
    "iccid": Kind(
        "SIM 卡号", "ICCID", "A", r"^(8986[0-9]{15,16})$", "iccid|sim", valid=checksums.luhn, sizes=(19, 20),
    ),
    "imsi": Kind(
        "国际移动用户识别码", "IMSI", "B", r"^(460(?:0[0-9]|1[0-9]|20)[0-9]{10})$", "imsi|用户识别",
        full=HOLD,
        sizes=(15, 15),
    ),
    "mac": Kind(
        "设备 MAC 地址", "MAC address", "A",
        r"(?-u:\b)((?:[0-9A-Fa-f]{2}[:\-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})(?-u:\b)",
        "mac|物理地址", scope="text", certain="[A-Fa-f]|:",
        unlike=r"^(?:00[:\-]){5}00$|^(?:[Ff]{2}[:\-]){5}", alone=HOLD,
        gate=r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}:|-[0-9A-Fa-f]{2}-)[0-9A-Fa-f]{2}[:\-]|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.",
    ),
    "ipv4": Kind(
        "IP 地址", "IP address", "B",
        r"(?:^|[^0-9A-Za-z.])((?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}"
        r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]))(?:[^0-9A-Za-z.]|\.?$|\.[^0-9])",
        r"(?:^|[^a-z])ip(?:[^a-z]|$)|ip_|地址|服务器|登录|主机", scope="text",
        unlike=r"^(?:127|0|255|10|192\.168|172\.(?:1[6-9]|2[0-9]|3[01]))\.|^[0-9]\.[0-9]\.[0-9]\.",
        alone=FLAG, gate=r"[0-9]\.[0-9]{1,3}\.[0-9]",
    ),
    "ipv6": Kind(
        "IPv6 地址", "IPv6 address", "B",
        r"(?:^|[^0-9A-Za-z:])((?:[0-9A-Fa-f]{1,4}:){2,7}(?::?[0-9A-Fa-f]{1,4}){1,6})", "ip", scope="text",
        valid=checksums.address_v6, unlike=r"^[0-9]{1,2}:[0-9]{2}:[0-9]{2}$", alone=FLAG,
        gate="[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:|::",
    ),
    "email": Kind(
        "电子邮箱", "e-mail address", "A",
        r"([A-Za-z0-9._%+\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63})*\.[A-Za-z]{2,24})",
        "邮箱|邮件|mail", scope="text", certain=_PERSONAL, alone=FLAG, gate="@",
    ),
    "email_spelled": Kind(
        "电子邮箱（变写）", "e-mail address, spelled out", "A",
        r"([A-Za-z0-9._%+\-]{2,64} ?[\[({<] ?(?i:at|@|艾特) ?[\])}>] ?[A-Za-z0-9\-]{1,63}"
        r"(?: ?(?:\.|[\[({<] ?(?i:dot|点|\.) ?[\])}>]) ?[A-Za-z0-9\-]{2,63}){1,4})",
        "邮箱|邮件|mail", scope="text", certain=_PERSONAL, alone=FLAG, gate=r"[\[({<] ?(?i:at|@|艾特)",
    ),
    "coordinates": Kind(
        "精确坐标", "precise coordinates", "B",
        rf"(?:^|[^0-9.])({_LATITUDE}\.[0-9]{{4,}}\s{{0,2}}[,;/ ]\s{{0,2}}{_LONGITUDE}\.[0-9]{{4,}}|"
        rf"{_LONGITUDE}\.[0-9]{{4,}}\s{{0,2}}[,;/ ]\s{{0,2}}{_LATITUDE}\.[0-9]{{4,}})(?:[^0-9.]|$)",
        "住址|家庭|轨迹|定位|经纬|坐标|gps|lat|lon|lng", scope="text", alone=FLAG, full=HOLD, near=HOLD,
        gate=r"\.[0-9]{4,}\s{0,2}[\s,;/]\s{0,2}[0-9]{1,3}\.[0-9]{4}",
    ),
    "address_room": Kind(
        "住址（到户）", "address down to the dwelling", "B",
        rf"([\p{{Han}}]{{2,24}}(?:{_ROAD})[\p{{Han}}0-9A-Za-z\-]{{0,16}}?{_NUMERAL}{{1,5}}(?:{_DOOR})"
        rf"[0-9A-Za-z\p{{Han}}\-]{{0,12}}?{_NUMERAL}{{1,5}}(?:室|户|房|单元|号|层))",
        "住址|住所|家庭|居住|户籍|居民|家住|地址|address|home", scope="text", alone=HOLD,
        gate="[号栋幢座元弄组]",
    ),
    "address": Kind(
        "门牌地址", "street address", "B",
        rf"([\p{{Han}}]{{2,24}}(?:{_ROAD})[\p{{Han}}0-9]{{0,8}}?{_NUMERAL}{{1,5}}(?:号|弄|栋|幢|组))",
        "住址|家庭|居住|户籍|家住|home", scope="text", alone=FLAG, full=HOLD, gate="[号弄栋幢组]",
    ),
    "property": Kind(
        "不动产权证号", "real-estate certificate number", "A",
        r"([\p{Han}]\(?[12][0-9]{3}\)?[\p{Han}]{1,12}不动产权第[0-9]{4,12}号)", "不动产|房产|产权",
        scope="text", gate="不动产权第",
    ),
    "birth_date": Kind(
        "完整出生日期", "full date of birth", "B",
        rf"(?:{_BORN})[\p{{Han}}]{{0,2}}[:为是 ]{{0,3}}"
        r"((?:18|19|20)[0-9]{2}[-/.年][ ]?(?:1[0-2]|0?[1-9])[-/.月][ ]?(?:3[01]|[12][0-9]|0?[1-9]))",
        "", scope="text", alone=HOLD, full=HOLD, gate="出生|生日|(?i:birth|dob)",
    ),
    "person": Kind(
        "姓名（标注）", "labelled name", "B",
        rf"(?:{_PERSON})(?:姓名)?[:为是 ]{{1,3}}([\p{{Han}}·]{{2,8}})",
        "", scope="text", valid=names.begins_with_name, alone=HOLD, gate=r"\p{Han}[:为是 ]",
    ),
    "medical_insurance": Kind(
        "医保电子凭证号", "medical insurance voucher", "B", r"^([0-9]{28})$", "医保|凭证", full=HOLD,
        sizes=(28, 28),
    ),
    "alipay": Kind(
        "支付宝账号", "Alipay account", "B", r"^(2088[0-9]{12})$", "支付宝|alipay|账号|用户", full=HOLD,
        sizes=(16, 16),
    ),
    "credential": Kind(
        "密钥或口令", "key or password", "A",
        r"((?:LTAI[0-9A-Za-z]{12,20}|AKID[0-9A-Za-z]{13,40}|AKIA[0-9A-Z]{16}|gh[pousr]_[0-9A-Za-z]{36}|"
        r"eyJ[0-9A-Za-z_\-]{10,}\.eyJ[0-9A-Za-z_\-]{10,}\.[0-9A-Za-z_\-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----|"
        r"(?:jdbc:|redis://|mysql://|postgres(?:ql)?://|mongodb://)[^\s]{0,80}(?:password=|:[^\s/@]{3,}@)))",
        "", scope="text", gate=r"LTAI|AK[IA]|gh[pousr]_|eyJ|PRIVATE|jdbc:|://",
    ),
}
# fmt: on
