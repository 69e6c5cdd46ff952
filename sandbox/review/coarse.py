"""What a submitter may know of a check: which file, which family of rules, how to mend. Pure.

The exact rule, its threshold, place and count would answer questions about the raw data, one a submission:
a detailed refusal is an oracle. The reviewer sees all of it; everybody else is given what stands here, and
``coarse`` is the only way to it (the kind's ``view``, which every read, version, list and report passes).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.egress.messages import RULES


@dataclass(frozen=True)
class Family:
    """A family of rules in both languages, and how to mend (the halves separated by `` / ``)."""

    zh: str
    en: str
    hint: str


FAMILIES: dict[str, Family] = {
    "scope": Family(
        "用途和范围",
        "purpose and scope",
        "只输出已声明的文件和列，用于已审定的用途 / Put out what was declared, for the granted purpose",
    ),
    "source": Family(
        "数据来源", "sources", "注明所用数据的来源 / State the sources of the data that was used"
    ),
    "raw": Family(
        "原始数据",
        "raw data",
        "汇总或泛化，不输出逐条内容、编码或密文 / Aggregate or generalise; no records, codes or cipher text",
    ),
    "disclosure": Family(
        "个人信息和商业秘密",
        "personal information and trade secrets",
        "删除标识；合并类别，抑制小格并做互补抑制，取整 / Remove identifiers; merge categories, suppress "
        "small cells with complementary suppression, round",
    ),
    "releases": Family(
        "与已出域成果的关联",
        "linkage with earlier releases",
        "沿用已出域的分组和范围，或减少单元格 / Keep to groupings and scope released already, or "
        "use fewer cells",
    ),
    "cross_border": Family(
        "数据出境",
        "cross-border",
        "删除外链，或先办理手续 / Remove links, or complete the procedure first",
    ),
    "form": Family(
        "文件形式",
        "form of the file",
        "改用 docs/egress.md 所列格式的普通文件 / Use a plain file of a format that docs/egress.md lists",
    ),
    "model": Family(
        "模型",
        "models",
        "用不保存训练数据的算法，加大叶节点、减少参数 / Use algorithms that store no training data, larger "
        "leaves, fewer parameters",
    ),
    "other": Family(
        "其他风险", "other risks", "与实施机构或运维人员联系 / Ask the implementing body or the operator"
    ),
}
_BY_POINT = {"26.1": "scope", "26.2": "source", "26.3": "raw", "26.4": "disclosure", "26.5": "cross_border"}
_BY_RULE = {
    **dict.fromkeys(("DIFFERENCING", "RECONSTRUCTION", "LEDGER"), "releases"),
    **dict.fromkeys(("FORMAT", "BUDGET", "METADATA", "IMAGE", "IMAGE_UNREAD", "IMAGE_CODE"), "form"),
    **dict.fromkeys(("HIDDEN_TEXT", "TEXT_LAYER", "FORMULA", "NUMERAL"), "form"),
    "REVERSIBLE": "raw",
}
_ORDER = ("hard", "hold", "flag")
LEDGER_RULES = frozenset(rule for rule, family in _BY_RULE.items() if family == "releases")


def family(rule: str) -> str:
    """The family of a rule of the checker's table."""
    if rule.startswith("MODEL"):
        return "model"
    return _BY_RULE.get(rule) or _BY_POINT.get(RULES[rule].point, "other")


def coarse(check: Mapping[str, Any]) -> dict[str, Any]:
    """A stored check as a submitter may see it: the verdict, and of each file which families objected.

    Every word is ours or the submitter's own: a rule that our table does not have says nothing, and a path
    that was not staged (``outputs``) is not repeated.
    """
    worst: dict[tuple[str, str], str] = {}
    for found in check["findings"]:
        if found["rule"] not in RULES:
            continue
        key = (_own(found["path"], check.get("outputs", ())), family(found["rule"]))
        worst[key] = min(worst.get(key, found["severity"]), found["severity"], key=_ORDER.index)
    return {
        "verdict": check["verdict"],
        "findings": [
            {
                "path": path,
                "family": name,
                "family_zh": FAMILIES[name].zh,
                "family_en": FAMILIES[name].en,
                "severity": severity,
                "hint": FAMILIES[name].hint,
            }
            for (path, name), severity in sorted(worst.items())
        ],
    }


def _own(path: str, staged: Iterable[str]) -> str:
    """The staged file that ``path`` is, or is a member of; "": the set as a whole."""
    return next((one for one in staged if path == one or path.startswith(f"{one}/")), "")
