"""The state diagrams of ``docs/lifecycles.md``, from the tables: ``python -m sandbox.control.diagrams``.

One section per kind: a Mermaid diagram, the states, and a row per transition with event, from, to, who
may, guards, deadline and citation. What stands there cannot differ from what the door does, because a
test compares the file with the tables.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from sandbox.control.kinds import KINDS
from sandbox.core.actor import ROLES, Role
from sandbox.core.lifecycle import Guard, Kind, State, Transition

TARGET = Path(__file__).parents[2] / "docs" / "lifecycles.md"

HEAD = """<!-- 由 python -m sandbox.control.diagrams 生成，请勿手改 / generated, do not edit -->
# 生命周期 / Lifecycles

每种资源的生命周期是一张表；接口、命令行、审计、测试与本页都出自同一张表，表外没有任何路径。
Each kind's lifecycle is one table. The API, the command line, the audit log, the tests and this page are
read from it; outside it there is no way. 期限参数见政策（`sandbox policy explain <parameter>`）；
deadlines are policy parameters: `_wd` working days, `_days` calendar days. A deadline that passes
approves nothing: it raises the overdue flag, or brings about the one event marked as lapse (到期自动).
"""


def words(guard: Guard) -> str:
    """What a guard demands, in the words of its own docstring: the first line without its label."""
    line = (guard.__doc__ or guard.__name__).strip().splitlines()[0]
    return f"`{guard.__name__}`: {line.partition(': ')[2] or line}".replace("|", "\\|")


def deadline(row: Transition) -> str:
    """The clock that the transition starts; the running one goes on; or none."""
    if row.keeps_clock:
        return "续 / runs on"
    if row.clock is None:
        return "—"
    return f"`{row.clock}`" if isinstance(row.clock, str) else (row.clock.__doc__ or "").splitlines()[0]


def label(state: State) -> str:
    """A state in both languages, with what lapse of time brings about."""
    lapse = f" ⏱{state.lapse}" if state.lapse else ""
    return f"{state.zh}<br>{state.en}{lapse}"


def diagram(kind: Kind) -> Iterable[str]:
    """Mermaid's state diagram of a kind; transitions that stay in their state stand in the table only."""
    yield from ("```mermaid", "stateDiagram-v2")
    yield from (f'  state "{label(state)}" as {state.name}' for state in kind.states)
    for row in kind.transitions:
        for source in row.source or ("[*]",):
            if source != row.target:
                yield f"  {source} --> {row.target}: {row.zh} {row.event}"
    yield from (f"  {state.name} --> [*]" for state in kind.states if state.final)
    yield "```"


def section(kind: Kind) -> Iterable[str]:
    """Everything about one kind."""
    yield from (f"## {kind.zh} / {kind.en} · `{kind.name}`", "", *diagram(kind), "")
    yield from ("| 状态 / state | 中文 | English | 下一步归谁 / next move |", "|---|---|---|---|")
    for state in kind.states:
        owner = f"{ROLES[Role(state.owner)]} `{state.owner}`" if state.owner else "终态 / final"
        lapse = f"；到期自动 / lapse: `{state.lapse}`" if state.lapse else ""
        machine = "；机器 / machine" if state.name in kind.working else ""
        yield f"| `{state.name}` | {state.zh} | {state.en} | {owner}{lapse}{machine} |"
    yield ""
    yield (
        "| 事件 / event | 自 / from | 至 / to | 何人可办 / who may | 条件 / guards "
        "| 期限 / deadline | 依据 / citation |"
    )
    yield "|---|---|---|---|---|---|---|"
    for row in kind.transitions:
        who = "、".join(f"{ROLES[role]} `{role}`" for role in sorted(row.by))
        cells = (
            f"{row.zh} / {row.en}<br>`{row.event}`",
            "<br>".join(f"`{source}`" for source in row.source) or "—",
            f"`{row.target}`",
            who,
            "<br>".join(words(guard) for guard in row.guards) or "—",
            deadline(row),
            row.cite,
        )
        yield "| " + " | ".join(cells) + " |"
    yield ""


def document() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(line for kind in KINDS.values() for line in section(kind))])


def main() -> None:
    """Write ``docs/lifecycles.md``."""
    TARGET.write_text(document(), encoding="utf-8")
    sys.stdout.write(f"docs/{TARGET.name}\n")


if __name__ == "__main__":
    main()
