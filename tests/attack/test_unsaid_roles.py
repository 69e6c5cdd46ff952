"""Personal columns of which nobody stated a role: recipes hold them for identifiers, and so does the egress
check where they tell persons apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from sandbox.egress.context import RawTable

QUASI = ("district", "sex", "age", "occupation", "birth")


def unsaid(path: Path, *columns: str) -> RawTable:
    flags = dict.fromkeys(columns, ("personal",))
    return RawTable(
        "persons", path, "id_no", tuple(c for c in QUASI if c not in columns), (), (), flags=flags
    )


def hard(report: Any) -> set[str]:
    return {one.rule for one in report.findings if one.severity.value == "hard"}


def test_names_that_were_left_in_a_note_are_found(
    attack: Callable[..., Any], persons: pl.DataFrame, persons_file: Path
) -> None:
    names = persons["name"].unique().sort().head(3)
    raw = unsaid(persons_file, "name", "phone")
    assert raw.unsaid == ("name", "phone")
    note = f"# 说明\n\n走访对象：{'、'.join(names)}\n"
    assert "RAW_IDENTIFIER" in hard(attack(note, "note.md", raws=[raw]))
    # a role that was stated is believed
    stated = RawTable("persons", persons_file, "id_no", QUASI, ("name",), flags={"name": ("personal",)})
    assert stated.unsaid == ()
    assert "RAW_IDENTIFIER" not in hard(attack(note, "note.md", raws=[stated]))


def test_groups_of_many_are_counted_whatever_their_flags(
    attack: Callable[..., Any], persons: pl.DataFrame, persons_file: Path
) -> None:
    """Six districts of 4,000 persons name nobody; ages are no text."""
    raw = unsaid(persons_file, "district", "sex", "occupation", "age", "income")
    for by in (["district"], ["sex", "occupation"]):
        report = attack(persons.group_by(by).agg(n=pl.len()).sort(by), raws=[raw])
        assert "RAW_IDENTIFIER" not in {one.rule for one in report.findings}
