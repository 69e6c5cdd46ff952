"""``docs/lifecycles.md`` is what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.control import diagrams
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role


def test_the_page_in_the_repository_is_the_tables() -> None:
    assert diagrams.TARGET.read_text("utf-8") == diagrams.document(), (
        "run: python -m sandbox.control.diagrams"
    )


def test_every_state_event_guard_deadline_and_citation_stands_there() -> None:
    page = diagrams.document()
    for kind in KINDS.values():
        section = page.split(f"· `{kind.name}`")[1].split("\n## ")[0]
        for state in kind.states:
            assert f"| `{state.name}` | {state.zh} | {state.en} |" in section
        for row in kind.transitions:
            line = next(
                one
                for one in section.splitlines()
                if f"`{row.event}` |" in one and f"| `{row.target}` |" in one
            )
            assert row.cite in line
            assert all(f"`{guard.__name__}`" in line for guard in row.guards)
            assert all(f"`{role}`" in line for role in row.by)
            assert not isinstance(row.clock, str) or f"`{row.clock}`" in line


def test_every_role_has_its_chinese_name() -> None:
    assert set(diagrams.ROLES) == set(Role)


def test_the_program_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(diagrams, "TARGET", tmp_path / "lifecycles.md")
    diagrams.main()
    assert (tmp_path / "lifecycles.md").read_text("utf-8") == diagrams.document()
    assert capsys.readouterr().out == "docs/lifecycles.md\n"
