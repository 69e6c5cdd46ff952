"""Families of rules: what they protect, why that matters, how to mend. Pure data, shared by both planes.

A submitter is told the family only (``sandbox.review.coarse``); a report for the reviewer gives the reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandbox.egress.messages import RULES


@dataclass(frozen=True)
class Family:
    """A family of rules: its name, why it matters (Chinese, English), and how to mend, the two languages
    separated by `` / ``."""

    zh: str
    en: str
    why_zh: str
    why_en: str
    hint: str


FAMILIES: dict[str, Family] = {
    "scope": Family(
        "用途和范围",
        "purpose and scope",
        "超出审定的用途和范围，没有授权可依。",
        "What lies beyond the determination has no authorisation behind it.",
        "只输出已声明的文件和列，用于已审定的用途 / Put out what was declared, for the granted purpose",
    ),
    "source": Family(
        "数据来源",
        "sources",
        "来源不明，合规与否便无从判断，数字也无从核对。",
        "Without its sources nothing can be verified, neither lawfulness nor numbers.",
        "注明所用数据的来源 / State the sources of the data that was used",
    ),
    "raw": Family(
        "原始数据",
        "raw data",
        "原始数据不出域：记录、编码或可还原的形式一旦离开便收不回来。",
        "Raw data never leaves: records, codes or reversible forms cannot be called back.",
        "汇总或泛化，不输出逐条内容、编码或密文 / Aggregate or generalise; no records, codes or cipher text",
    ),
    "disclosure": Family(
        "个人信息和商业秘密",
        "personal information and trade secrets",
        "可由此认出某人或某企业，或推断其属性。",
        "A person or an enterprise could be recognised, or something about them inferred.",
        "删除标识；合并类别，抑制小格并做互补抑制，取整 / Remove identifiers; merge categories, suppress "
        "small cells with complementary suppression, round",
    ),
    "releases": Family(
        "与已出域成果的关联",
        "linkage with earlier releases",
        "单独无害的成果相减或合并，可显出少数人。",
        "Releases that are harmless alone can single out a few persons together.",
        "沿用已出域的分组和范围，或减少单元格 / Keep to groupings and scope released already, or "
        "use fewer cells",
    ),
    "cross_border": Family(
        "数据出境",
        "cross-border",
        "境外接收须先履行出境程序。",
        "Recipients abroad need the procedure for data export first.",
        "删除外链，或先办理手续 / Remove links, or complete the procedure first",
    ),
    "form": Family(
        "文件形式",
        "form of the file",
        "读不全的内容无法检查，可夹带任何东西。",
        "What cannot be read in full cannot be checked, and may carry anything.",
        "改用 docs/egress.md 所列格式的普通文件 / Use a plain file of a format that docs/egress.md lists",
    ),
    "model": Family(
        "模型",
        "models",
        "模型可能记住训练数据，并由此泄露。",
        "A model may remember its training data and give it away.",
        "用不保存训练数据的算法，加大叶节点、减少参数 / Use algorithms that store no training data, larger "
        "leaves, fewer parameters",
    ),
    "other": Family(
        "其他风险",
        "other risks",
        "其他可能危害数据安全和运营合规的风险。",
        "Another risk to data security or to lawful operation.",
        "与实施机构或运维人员联系 / Ask the implementing body or the operator",
    ),
}
_BY_POINT = {"26.1": "scope", "26.2": "source", "26.3": "raw", "26.4": "disclosure", "26.5": "cross_border"}
_BY_RULE = {
    **dict.fromkeys(("DIFFERENCING", "RECONSTRUCTION", "LEDGER"), "releases"),
    **dict.fromkeys(("FORMAT", "BUDGET", "METADATA", "IMAGE", "IMAGE_UNREAD", "IMAGE_CODE"), "form"),
    **dict.fromkeys(("HIDDEN_TEXT", "TEXT_LAYER", "FORMULA", "NUMERAL", "ACTIVE_TEXT"), "form"),
    "REVERSIBLE": "raw",
}
EXTRA = re.compile(r"X_[A-Z][A-Z0-9_]{1,56}")  # rules of plug-ins, which our table does not have
LEDGER_RULES = frozenset(rule for rule, family in _BY_RULE.items() if family == "releases")


def family(rule: str) -> str:
    """The family of a rule; of one that our table does not have ``other``."""
    if rule.startswith("MODEL"):
        return "model"
    return _BY_RULE.get(rule) or _BY_POINT.get(RULES[rule].point if rule in RULES else "", "other")
