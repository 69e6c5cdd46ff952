"""The words of a report, Chinese and English, and the one way in which foreign text enters a page."""

from __future__ import annotations

import unicodedata
from html import escape
from typing import Any

_WORDS = {
    "verdict": ("结论", "Verdict"),
    "files": ("文件", "Files"),
    "file": ("文件", "File"),
    "form": ("形式", "Form"),
    "points": ("评审要点", "Review points"),
    "findings": ("发现", "Findings"),
    "severity": ("级别", "Severity"),
    "rule": ("规则", "Rule"),
    "rules": ("全部规则", "All rules"),
    "version": ("版本", "Version"),
    "result": ("结果", "Result"),
    "where": ("位置", "Where"),
    "message": ("说明", "What"),
    "why": ("为什么要紧", "Why it matters"),
    "hint": ("如何修改", "How to mend"),
    "evidence": ("证据", "Evidence"),
    "threshold": ("门限及依据", "Thresholds and their basis"),
    "stated": ("依据", "stated"),
    "default": ("本系统默认", "default of this system"),
    "agreement": ("协议从严", "stricter by agreement"),
    "none": ("没有发现", "No findings"),
    "set": ("整套输出", "the set as a whole"),
    "family": ("规则类别", "Family of rules"),
    "policy": ("政策", "Policy"),
    "checker": ("检查程序", "Checker"),
    "seconds": ("用时", "Time"),
    "check": ("检查项", "Check"),
    "error": ("检查未完成", "The check was not completed"),
    "no_objection": ("无异议", "no objection"),
    "hold": ("待人审", "hold"),
    "reject": ("不予出域", "reject"),
    "fail": ("不通过", "fail"),
    "hard": ("硬性", "hard"),
    "flag": ("提示", "flag"),
    "not_applicable": ("不适用", "not applicable"),
    "26.1": ("26.1 用途和范围", "26.1 purpose and scope"),
    "26.2": ("26.2 数据来源", "26.2 sources"),
    "26.3": ("26.3 原始数据、敏感数据", "26.3 raw and sensitive data"),
    "26.4": ("26.4 个人信息和商业秘密", "26.4 personal information, trade secrets"),
    "26.5": ("26.5 数据出境", "26.5 cross-border"),
    "26.6": ("26.6 其他风险", "26.6 other risks"),
    "capacity": ("可夹带的信息至多", "could carry at most"),
    "bits": ("位", "bits"),
    "recomputed": ("个表已重算", "tables recomputed"),
    "paid": (
        "差分隐私答复，预算已付：不与原始数据对照",
        "an answer under differential privacy, its budget paid: not held against the raw data",
    ),
    "budget": ("场景预算", "budget of the scenario"),
    "spent": ("已用", "spent before"),
    "this": ("本次", "this request"),
    "pictures": ("图示", "Pictures"),
    "sizes": ("单元格人数分布（按主体重新计数）", "Sizes of the cells (entities, recounted)"),
    "cells": ("单元格", "cells"),
    "map": ("单元格图", "Map of the cells"),
    "s": ("低于门限", "below the threshold"),
    "d": ("被主导", "dominated"),
    "0": ("为零", "empty"),
    ".": ("足够大", "large enough"),
    "?": ("未重新计数", "not recounted"),
    "overlap": ("与已出域成果的重叠", "Overlap with earlier releases"),
    "no_overlap": (
        "没有可疑的重叠；比对的已出域成果",
        "No objectionable overlap; earlier releases compared",
    ),
    "limit": ("上限", "limit"),
    "limit_line": ("门限", "threshold"),
    "attack": ("对模型的成员推断", "Membership inference against the model"),
    "chance": ("猜测", "chance"),
    "false": ("假阳性率", "rate of false positives"),
    "true": ("真阳性率", "rate of true positives"),
    "low": ("假阳性 1% 时真阳性", "true positives at 1% of false ones"),
    "of_rows": ("行", "rows"),
    "capacity_head": ("信息容量与预算", "Capacity against the budget"),
    "coarse": (
        "具体规则、位置和证据只给审核员。",
        "The rule, the place and the evidence are for the reviewer.",
    ),
    "pass_by_person": (
        "检查程序只能否决、搁置或不提出异议；通过由具名的人作出。",
        "The checker can fail, hold or raise no objection; a pass is a named person's act.",
    ),
}
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def chinese(lang: str) -> bool:
    """Whether ``lang`` asks for Chinese."""
    return lang.startswith("zh")


def word(name: str, lang: str) -> str:
    """A term in ``lang``; unknown terms as they are."""
    return _WORDS.get(name, (name, name))[0 if chinese(lang) else 1]


def hint(text: str, lang: str) -> str:
    """The half of a two-language hint that is in ``lang``."""
    zh, _, en = text.partition(" / ")
    return zh if chinese(lang) or not en else en


def visible(text: Any) -> str:
    """Text of unknown origin with everything that is not seen (control, bidi, zero-width) spelled out."""
    return "".join(
        f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _UNSEEN else char for char in str(text)
    )


def safe(text: Any) -> str:
    """The same for a page: markup is escaped, and its direction is its own."""
    return f"<bdi>{escape(visible(text))}</bdi>"
