"""The usual values of attributes, and the forms of what has no check digit. Pure data."""

from __future__ import annotations

import re

_WORDS: dict[str, str] = {
    "sex": (
        "男 女 男性 女性 male female m f man woman 未知 不详 未说明 unknown other 男生 女生 hombre "
        "mujer masculino femenino männlich weiblich мужской женский 남 여 남성 여성"
    ),
    "ethnicity": (
        "汉 蒙古 回 藏 维吾尔 苗 彝 壮 布依 朝鲜 满 侗 瑶 白 土家 哈尼 哈萨克 傣 黎 傈僳 佤 畲 高山 "
        "拉祜 水 东乡 纳西 景颇 柯尔克孜 土 达斡尔 仫佬 羌 布朗 撒拉 毛南 仡佬 锡伯 阿昌 普米 塔吉克 "
        "怒 乌孜别克 俄罗斯 鄂温克 德昂 保安 裕固 京 塔塔尔 独龙 鄂伦春 赫哲 门巴 珞巴 基诺 穿青人 "
        "white black asian hispanic asian-pac-islander amer-indian-eskimo"
    ),
    "marital": (
        "未婚 已婚 离异 离婚 丧偶 再婚 初婚 分居 single married divorced widowed separated unmarried "
        "never-married married-civ-spouse married-spouse-absent married-af-spouse soltero casado "
        "viudo ledig verheiratet"
    ),
    "education": (
        "文盲 小学 初中 高中 中专 职高 中技 大专 专科 本科 大学本科 大学专科 硕士 博士 研究生 "
        "硕士研究生 博士研究生 文盲或半文盲 普通高中 技工学校 primary secondary bachelors masters "
        "doctorate bachelor master phd hs-grad some-college assoc-voc assoc-acdm prof-school "
        "preschool 1st-4th 5th-6th 7th-8th 9th 10th 11th 12th undergraduate postgraduate diploma 大学 "
        "学士"
    ),
    "religion": (
        "佛教 道教 伊斯兰教 基督教 天主教 无宗教信仰 无信仰 东正教 buddhist buddhism christian "
        "christianity islam muslim catholic protestant hindu hinduism jewish judaism atheist taoism "
        "taoist"
    ),
    "politics": (
        "群众 中共党员 中共预备党员 共青团员 民革党员 民盟盟员 民建会员 民进会员 农工党党员 "
        "致公党党员 九三学社社员 台盟盟员 无党派人士 democrat republican independent labour "
        "conservative 党员 团员"
    ),
    "blood": ("a b ab o a+ a- b+ b- ab+ ab- o+ o- a型 b型 ab型 o型 rh+ rh-"),
}
# Folded and in small letters. A column is told by the share of its cells among them.
VALUES: dict[str, frozenset[str]] = {name: frozenset(words.split()) for name, words in _WORDS.items()}
NOTHING = frozenset(["无", "否", "健康", "正常", "未患病", "none", "no", "nil", "healthy", "false", "0", "-"])
SICK = re.compile(
    r"(?:病|炎|癌|瘤|症|综合征|骨折|中毒|感染|高血压|低血压|结石|出血|梗死|梗塞|硬化|哮喘|衰竭|"
    r"感冒|肺结核|白内障|贫血|痛风|增生|糖尿|冠心|脑卒中|抑郁)"
    r"|(?i:\b(?:diabetes|hypertension|cancer|asthma|copd|depression|tumou?r|stroke|arthritis|hepatitis|anemia|"
    r"fracture|influenza|pneumonia|schizophrenia|epilepsy|obesity|\w+itis|\w+oma|\w+osis)\b)"
)
DIAGNOSIS_CODE = r"^[A-TV-Z][0-9][0-9AB](?:\.[0-9A-TV-Z]{1,4})?$"  # ICD-10, form only
ORGANISATION_END = (
    r"(?:公司|集团|有限合伙|合作社|事务所|银行|医院|学校|大学|学院|中学|小学|幼儿园|研究院|研究所|"
    r"中心|委员会|协会|商行|经营部|门市部|工厂|加工厂|派出所|税务局|支行|分行|信用社|宾馆|酒店|超市|药店|"
    r"\((?:普通|有限|特殊普通)合伙\))$|"
    r"(?i:\b(?:ltd|limited|inc|corp|corporation|llc|llp|plc|gmbh|co|company|s\.?a|"
    r"university|college|hospital|bank|group|holdings|partners|associates|and sons)\.?)$"
)
# One character ends the names of shops and offices, and those of stops and halls as well.
ORGANISATION_LOOSE = "[厂店局厅院处所站社部馆行]$"
_STREET = (
    r"(?:street|st|road|rd|avenue|ave|lane|ln|drive|dr|boulevard|blvd|court|ct|place|pl|way|square|sq|"
    r"terrace|close|crescent|highway|hwy|parkway|pkwy|row|plaza|circle|cir)"
)
ADDRESS_LATIN = (
    r"(?i)^(?:(?:apt|flat|unit|suite|no)\.? ?[0-9a-z]+,? )?[0-9]{1,5}[a-z]? [\p{L}0-9.'\- ]{2,40}\b"
    + _STREET
    # The continent of Europe: street, number, postcode, town.
    + r"\b|^[\p{L}.'\- ]{3,40} [0-9]{1,4} ?[a-z]?(?:, ?| )(?:[a-z]{1,2}-)?[0-9]{4,6} \p{L}"
)
TELEPHONE = (
    r"^(?:\+[1-9][0-9]{0,2}[ \-.]?(?:\(?[0-9]{1,4}\)?[ \-.]?){2,5}[0-9]{2,4}|"
    r"\(?0?[2-9][0-9]{2}\)?[ \-.][0-9]{3,4}[ \-.][0-9]{4}|"
    r"0[0-9]{1,4}[ \-][0-9]{3,4}[ \-][0-9]{3,4}|"
    r"0[0-9]{2,3}[ \-][0-9]{7,8}(?:[ \-转x]{1,3}[0-9]{1,6})?|[48]00[ \-][0-9]{3,4}[ \-][0-9]{3,4})$"
)

_VAGUE_WORDS = (
    "code col column comment data date datum day description fecha field id info key name names no "
    "note notes num number remark text time value 代码 信息 值 内容 号 号码 备注 字段 日付 日期 编号 "
    "说明 "
)
# Headers that say nothing in particular: no identifier beneath them is a lie.
VAGUE = frozenset(_VAGUE_WORDS.split())
