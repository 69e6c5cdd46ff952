"""What the door would say, guard by guard, in words: the pre-check beside a form."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.console.visit import Visit
from sandbox.control.rehearsal import Answer

GUARDS = {
    "form": "填写完整、格式正确",
    # of an application
    "applicant": "本单位可以申请",
    "within_agreement": "在协议的期限和范围之内",
    "usable_list": "各列存在，资源可授权",
    "one_list": "一场景一清单",
    # of a job
    "well_formed": "作业齐全，不超过运行上限",
    "grant_holds": "授权有效：期限、次数、用途",
    "columns_granted": "各列在授权之内，数据已到位",
    "statements_read": "SQL 只读",
    "recipe_valid": "配方合规",
    "question_fits": "问题可以问，接收方有效",
    "budget_holds": "隐私预算够用",
}


@dataclass(frozen=True)
class Check:
    """A line of the pre-check: ``kind`` is ok, hard, or idle for what was not asked any more."""

    label: str
    kind: str
    text: str
    code: str


def checks(visit: Visit, answers: Iterable[Answer]) -> tuple[Check, ...]:
    """``answers`` in the visitor's language."""
    return tuple(
        Check(
            visit.say(GUARDS[one.guard]),
            "hard" if one.refusal else "ok" if one.asked else "idle",
            one.refusal.message(visit.lang) if one.refusal else "",
            one.refusal.code if one.refusal else "",
        )
        for one in answers
    )


def passed(found: Iterable[Check]) -> bool:
    """Whether nothing was refused."""
    return all(one.kind == "ok" for one in found)
