"""Every reason that a profile gives: a stable code, a Chinese and an English sentence. Counts only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

# code -> (zh, en); what stands in braces is a count, a share in per cent, or a closed word.
REASONS: dict[str, tuple[str, str]] = {
    "IDENTIFIER_COLUMN": (
        "{hits} 个不同取值（占 {share}%）是{zh}：格式与校验相符。",
        "{hits} distinct values ({share}%) are a {en}: form and check agree.",
    ),
    "IDENTIFIER_SOME": (
        "{hits} 个不同取值（占 {share}%）中含有{zh}，其余不是。",
        "{hits} distinct values ({share}%) hold a {en}; the others do not.",
    ),
    "CHECK_BY_CHANCE": (
        "{form} 个取值有{zh}的格式，仅 {hits} 个通过校验，与偶然相符：不是{zh}。",
        "{form} values have the form of a {en}, {hits} pass its check, as many as by chance: it is none.",
    ),
    "FORM_ONLY": (
        "{hits} 个不同取值（占 {share}%）有{zh}的格式；该格式没有校验位，只有表内其他证据支持。",
        "{hits} distinct values ({share}%) have the form of a {en}; it has no check digit.",
    ),
    "NAME_STATISTICS": (
        "{share}% 的不同取值符合姓氏与名字用字的统计规律。",
        "{share}% of the distinct values follow the statistics of surnames and given names.",
    ),
    "BESIDE_NAMES": (
        "紧邻姓名列，且取值都是首字母大写的单词：像姓名的另一半。",
        "Beside a column of names, and all capitalised words: like the other half of the name.",
    ),
    "ORGANISATION_FORM": (
        "{share}% 的不同取值以机构名称的后缀结尾。",
        "{share}% of the distinct values end as names of organisations do.",
    ),
    "ADDRESS_FORM": (
        "{share}% 的不同取值有门牌地址的格式。",
        "{share}% of the distinct values have the form of a street address.",
    ),
    "VALUE_SET": (
        "{share}% 的单元格取自“{zh}”的通用取值。",
        "{share}% of the cells are of the usual values of “{en}”.",
    ),
    "BIRTH_SPREAD": (
        "日期跨 {years} 年且均在过去，分布像出生日期而不像业务日期。",
        "Days over {years} years, all past: spread like days of birth, not like days of business.",
    ),
    "BIRTH_IN_IDENTITY": (
        "{share}% 的行与同行证件号码中的出生日期相同。",
        "In {share}% of the rows it is the day of birth within the identity number beside it.",
    ),
    "AGE_OF_BIRTH": (
        "{share}% 的行与同行出生日期推得的年龄相符。",
        "In {share}% of the rows it is the age that the day of birth beside it gives.",
    ),
    "SEX_IN_IDENTITY": (
        "{share}% 的行与同行证件号码中的性别位相符。",
        "In {share}% of the rows it agrees with the sex digit of the identity number beside it.",
    ),
    "DIVISION_CODES": (
        "{share}% 的不同取值是行政区划代码（GB/T 2260 的前两位与位数）。",
        "{share}% of the distinct values are division codes (first two digits of GB/T 2260, and length).",
    ),
    "COORDINATES": (
        "数值在经纬度范围内，{share}% 有四位以上小数（约 11 米）。",
        "Numbers within the range of coordinates, {share}% with four decimals or more (about 11 m).",
    ),
    "HEADER": ("列名表示“{zh}”。", "The header says “{en}”."),
    "HEADER_ONLY": (
        "只有列名表示“{zh}”，内容无法证实也不矛盾。",
        "Only the header says “{en}”; the content neither proves nor contradicts it.",
    ),
    "HEADER_CONFLICT": (
        "列名表示“{zh}”，内容不是；以内容为准，请核对。",
        "The header says “{en}”, the content is not that; the content counts, please look.",
    ),
    "PSEUDONYM": (
        "取值是定长的不透明代码（摘要、编号或掩码）：仍可能指向个人。",
        "Opaque codes of one length (digests, numbers, masks): they may still lead to a person.",
    ),
    "ENTITY_KEY": (
        "每个取值平均 {rows_each} 行，{fixed} 个个人属性随它不变：它指代主体。",
        "{rows_each} rows a value, within which {fixed} personal attributes never change: the entity.",
    ),
    "KEY": ("非空且每行不同：是单列键。", "Never empty and different in every row: a key by itself."),
    "SEQUENCE": ("连续的流水号。", "A running number."),
    "QUASI_COMBINATION": (
        "与另外 {others} 列组合时，{unique} 个主体（占 {share}%）独一无二。",
        "With {others} other fields {unique} entities ({share}%) are alone with their values.",
    ),
    "MONEY_OF_PERSONS": (
        "个人的财产信息（GB/T 35273 附录 A）。",
        "Property of persons (GB/T 35273 Annex A).",
    ),
    "VALUE_OF_ENTERPRISES": (
        "逐个企业的经营数值：按商业秘密对待。",
        "A business figure of single enterprises: treated as confidential.",
    ),
    "STATUTORY": (
        "属敏感个人信息“{zh}”类（个人信息保护法第二十八条；GB/T 45574-2025 附录 A）。",
        "Sensitive personal information, class “{en}” (PIPL Art. 28; GB/T 45574-2025 Annex A).",
    ),
    "MINORS": (
        "{count} 个主体（占 {share}%）不满十四周岁。",
        "{count} entities ({share}%) are younger than fourteen.",
    ),
    "AIDED_GROUP": (
        "含有患者、残疾或受助人群的字段（{fields} 个）。",
        "There are fields of patients, disabled or aided persons ({fields}).",
    ),
    "ABOUT_PERSONS": (
        "{fields} 个字段指向或描述个人：每行是关于个人的。",
        "{fields} fields name or describe persons: a row tells of a person.",
    ),
    "ABOUT_ENTERPRISES": (
        "{fields} 个字段指向企业：每行是关于企业的。",
        "{fields} fields name enterprises: a row tells of an enterprise.",
    ),
    "AGGREGATE": (
        "{dimensions} 个分类字段合起来是键，且铺满其网格的 {share}%：像汇总表。",
        "{dimensions} classifying fields together are the key and fill {share}% of their grid: an aggregate.",
    ),
    "TRACK": (
        "坐标与时间同表：构成行踪轨迹。",
        "Coordinates beside times: a person's whereabouts.",
    ),
    "EMPTY": ("整列为空，无从判断。", "The whole column is empty: nothing can be told."),
    "NOTHING": ("未发现与个人、企业有关的特征。", "Nothing found that concerns persons or enterprises."),
    "IN_PERSONS_TABLE": (
        "表中每行关于个人，本列是其属性。",
        "A row of this table tells of a person; this is one of their attributes.",
    ),
}


def sentence(code: str, lang: Literal["zh", "en"], counts: Mapping[str, Any]) -> str:
    """The sentence of ``code`` with its counts. Raises KeyError for an unknown code."""
    return REASONS[code][0 if lang == "zh" else 1].format(**counts)
