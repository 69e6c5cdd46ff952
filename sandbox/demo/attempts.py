"""Attempts that must fail: each ends with the rule's code on the last page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.demo.cases import Case
from sandbox.demo.data import code

if TYPE_CHECKING:
    from sandbox.demo.story import Story


def attacks(story: Story) -> None:
    """Jobs whose outputs the check must stop, and a job that must be denied; on the first data set."""
    case = story.cases[0]
    developer = story.world["li-developer"]
    if case.data.name == "residents":
        _attack(
            story,
            case,
            "原始记录改名打乱后整行带出",
            "a raw dump, renamed and shuffled",
            {
                "language": "sql",
                "entry": "attack_dump.sql",
                "code": code("attack_dump.sql"),
                "outputs": [{"path": "dump.csv", "kind": "rows"}],
            },
            ["resident_id", "sex", "birth_date", "district", "education", "occupation", "income"],
        )
        _attack(
            story,
            case,
            "身份证号藏在 base64 中",
            "identity numbers in base64",
            {
                "language": "python",
                "entry": "attack_base64.py",
                "code": code("attack_base64.py"),
                "outputs": [{"path": "tokens.csv", "kind": "table"}],
            },
            ["resident_id"],
        )
        _attack(
            story,
            case,
            "只有一人的单元格",
            "cells of one person",
            {
                "language": "sql",
                "entry": "attack_cell.sql",
                "code": code("attack_cell.sql"),
                "outputs": [
                    {
                        "path": "cells.csv",
                        "kind": "table",
                        "dimensions": ["district", "birth_date", "sex"],
                        "counts": ["persons"],
                        "measures": ["income"],
                    }
                ],
            },
            ["sex", "birth_date", "district", "income"],
        )
    stolen = story.job(case, case.data.job)
    stolen["inputs"] = [{"name": case.data.table, "entry": case.entry, "columns": ["phone"]}]
    story.refusal(
        "作业读取未授权的列", "a job reads a column not granted", lambda: developer.create("job", stolen)
    )
    if case.data.name == "residents":
        _broken(story, case)


def _broken(story: Story, case: Case) -> None:
    """A mistake in the developer's own code: class and line come back, nothing else."""
    spec = story.job(
        case,
        {
            "language": "python",
            "entry": "broken.py",
            "code": code("broken.py"),
            "outputs": [{"path": "never.csv", "kind": "table"}],
        },
    )
    spec["inputs"] = [{"name": case.data.table, "entry": case.entry, "columns": ["resident_id"]}]
    job = story.world["li-developer"].create("job", spec)["id"]
    seen = story.world["li-developer"].wait("job", job, {"failed", "quarantined"})
    error = seen["status"]["outcome"]["error"]
    story.ledger.facts.append(
        (
            "开发者看到的出错信息 / what the developer sees of an error",
            f"{error['class']}, {error['file']}:{error['line']}",
        )
    )


def _attack(story: Story, case: Case, zh: str, en: str, what: dict[str, Any], columns: list[str]) -> None:
    """A hostile job over raw data; its output must end as ``auto_rejected``."""
    spec = story.job(case, what)
    granted = [column for column in columns if column in case.data.columns]
    spec["inputs"] = [{"name": case.data.table, "entry": case.entry, "columns": granted}]
    job = story.world["li-developer"].create("job", spec)["id"]
    story.finished(job)
    request = story.propose(case, job, zh)
    state = story.checked(request)
    if state != "auto_rejected":
        raise RuntimeError(f"{en}: {state}, must be auto_rejected")
    seen = story.world["zhou-reviewer"].get(f"/v1/egress-request/{request}")  # a submitter sees no rule
    rules = sorted({f["rule"] for f in seen["status"]["check"]["findings"] if f["severity"] == "hard"})
    story.ledger.refused.append((zh, en, ", ".join(rules)))
