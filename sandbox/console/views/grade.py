"""What can be said of a field, in words: its grade, and the counts that a profile has of its column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.catalog.entry import Flag
from sandbox.console.visit import Visit
from sandbox.desensitize.profile.model import FieldProposal, Profile

NAMES: dict[str, str] = {
    "personal": "个人信息",
    "sensitive_personal": "敏感个人信息",
    "enterprise_confidential": "商业秘密",
    "secret": "国家秘密",
    "enterprise": "企业信息",
    "identifier": "标识",
    "quasi": "准标识",
    "sensitive": "敏感属性",
    "other": "其他",
    "direct": "直接标识",
    "contact": "联系标识",
    "indirect": "间接标识",
    "none": "无",
    "string": "文本",
    "integer": "整数",
    "number": "小数",
    "decimal": "定点数",
    "date": "日期",
    "datetime": "日期时间",
    "boolean": "是否",
    "level": "级别",
    "flag": "法定类别",
    "role": "识别作用",
    "category": "类别",
    "keep": "维持现行",
    "take": "采纳提议",
    "change": "另行填写",
    "person": "个人",
    "aggregate": "汇总表",
}
WHAT = {"category": "category", "level": "level", "flags": "flag", "role": "role"}  # of a field, in order


@dataclass(frozen=True)
class Grade:
    """What can be said of a field: of the entry, of the proposal, or of a person."""

    category: str
    level: int | None
    flags: tuple[str, ...]
    role: str

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Grade:
        """As an entry's field says it."""
        return cls(given.get("category") or "", given.get("level"), tuple(given["flags"]), given["role"])

    @classmethod
    def proposed(cls, one: FieldProposal, stands: Grade) -> Grade:
        """As a profile proposes it; a state secret is not a profile's to take back."""
        kept = tuple(flag for flag in stands.flags if flag == Flag.SECRET)
        return cls(one.category, one.level, (*one.flags, *kept), one.role)

    def differs(self, other: Grade) -> tuple[str, ...]:
        """The names of what is not the same; flags have no order."""
        mine, theirs = (vars(one) | {"flags": frozenset(one.flags)} for one in (self, other))
        return tuple(WHAT[name] for name in WHAT if mine[name] != theirs[name])


@dataclass(frozen=True)
class Statistics:
    """Counts of a column, no value of it. ``relations``: sentences on keys and dependencies."""

    type: str
    declared: str  # the type in the entry, where it is another
    rows: int
    empty: float
    distinct: int
    unique: float  # distinct values for each cell that is not empty
    longest: int
    relations: tuple[str, ...]


def _relations(visit: Visit, profile: Profile, name: str) -> tuple[str, ...]:
    say = visit.say
    found = [
        say("单列键") if len(key) == 1 else say("与 {others} 合为键").format(others=_listed(visit, key, name))
        for key in profile.keys
        if name in key
    ]
    for one in profile.dependencies:
        share = f"{100 * one.holds:.1f}%"
        if one.determines == name:
            columns = "、".join(one.columns) if visit.lang == "zh" else ", ".join(one.columns)
            found.append(say("由 {columns} 决定（{share}）").format(columns=columns, share=share))
    for group in profile.combinations:
        if name in group.columns:
            others = _listed(visit, group.columns, name)
            share = f"{100 * group.share:.1f}%"
            found.append(
                say("与 {others} 组合，{share} 的主体独一无二").format(others=others, share=share)
                if others
                else say("单独使 {share} 的主体独一无二").format(share=share)
            )
    return tuple(found)


def _listed(visit: Visit, names: tuple[str, ...], without: str) -> str:
    return ("、" if visit.lang == "zh" else ", ").join(one for one in names if one != without)


def statistics(visit: Visit, profile: Profile, one: FieldProposal, declared: str) -> Statistics:
    filled = one.shape.rows - one.shape.nulls
    return Statistics(
        type=named(visit, one.type),
        declared=named(visit, declared) if declared != one.type else "",
        rows=one.shape.rows,
        empty=one.shape.null_share,
        distinct=one.shape.distinct,
        unique=one.shape.distinct / filled if filled else 0.0,
        longest=one.shape.longest,
        relations=_relations(visit, profile, one.name),
    )


def named(visit: Visit, word: str) -> str:
    return visit.say(NAMES.get(word, word))


def words(visit: Visit, grade: Grade, what: str) -> str:
    """One side of a grade in words."""
    if what == "level":
        return str(grade.level or "—")
    if what == "flag":
        return "、".join(named(visit, flag) for flag in grade.flags) or "—"
    return named(visit, grade.role) if what == "role" else grade.category or "—"
