"""The room that tries a recipe on made-up rows, and which executor a server takes for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.control.previewing import at_once
from sandbox.core.errors import SandboxError
from sandbox.desensitize.preview_task import LONGEST, run
from sandbox.executor.bubblewrap import BubblewrapExecutor

FIELDS = [
    {"name": "pid", "type": "string", "level": 3, "role": "identifier", "flags": ["personal"]},
    {"name": "income", "type": "integer", "level": 3, "role": "sensitive", "flags": []},
    {"name": "day", "type": "date", "level": 2, "role": "quasi", "flags": [], "null_share": 0.5},
]
RECIPE: dict[str, Any] = {
    "name": "a",
    "version": "1",
    "steps": [
        {"column": "pid", "transform": "pseudonym", "params": {"key": "k"}},
        {
            "column": "day",
            "transform": "generalise",
            "params": {"by": "date", "to": "year"},
            "output": "year",
        },
    ],
    "keep": ["income"],
}
PARAMS: dict[str, Any] = {
    "recipe": RECIPE,
    "fields": FIELDS,
    "entity": "pid",
    "rules": None,
    "rows": 60,
    "shown": 20,
    "seed": 3,
}


def test_it_tells_cells_of_made_up_rows_and_writes_nothing(tmp_path: Path) -> None:
    told = run(PARAMS, tmp_path / "none", tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert [(one["name"], one["source"]) for one in told["columns"]] == [
        ("pid", "pid"),
        ("income", "income"),
        ("year", "day"),
    ]
    year = told["columns"][2]
    assert [was[:4] if was else None for was in year["before"]] == year["after"]
    assert {None} < set(year["after"])  # empty cells stay empty and are told as such
    assert told["columns"][1]["before"] == told["columns"][1]["after"]
    assert all(len(one["after"]) == 20 for one in told["columns"])
    assert told["aligned"] is True
    assert run(PARAMS, tmp_path, tmp_path) == told  # the seed says it all


def test_a_sample_is_told_as_no_longer_row_by_row(tmp_path: Path) -> None:
    sample = {"column": "pid", "transform": "sample", "params": {"share": 0.3, "key": "k"}}
    recipe = {**RECIPE, "steps": [sample, *RECIPE["steps"]]}
    told = run({**PARAMS, "recipe": recipe}, tmp_path, tmp_path)
    assert told["aligned"] is False


def test_a_long_cell_is_cut(tmp_path: Path) -> None:
    fields = [{**FIELDS[1], "name": "text", "type": "string", "code_list": ["x" * 500]}]
    recipe = {"name": "a", "version": "1", "keep": ["text"]}
    told = run({**PARAMS, "fields": fields, "recipe": recipe, "entity": None}, tmp_path, tmp_path)
    assert {len(cell) for cell in told["columns"][0]["after"] if cell} == {LONGEST}


@pytest.mark.parametrize(
    "over",
    [
        {"fields": None},
        {"fields": [1]},
        {"fields": [{"name": "pid"}]},
        {"rows": 0},
        {"rows": 1001},
        {"rows": "9"},
        {"rows": True},
        {"shown": 51},
        {"seed": -1},
        {"rules": {"more": 1}},
        {"recipe": None},
    ],
)
def test_parameters_that_are_none_are_refused(tmp_path: Path, over: dict[str, Any]) -> None:
    with pytest.raises(SandboxError) as refused:
        run({**PARAMS, **over}, tmp_path, tmp_path)
    assert refused.value.code == "RECIPE_MALFORMED"


def test_what_somebody_waits_for_goes_on_no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDBOX_EXECUTOR", "slurm")
    with pytest.raises(SandboxError) as refused:
        at_once(tmp_path)
    assert (refused.value.code, refused.value.details) == ("PREVIEW_UNAVAILABLE", {"cause": "slurm"})
    monkeypatch.setenv("SANDBOX_EXECUTOR", "bubblewrap")
    assert isinstance(at_once(tmp_path), BubblewrapExecutor)
