"""Check 11: purpose, granted columns, sources, flagged fields; and that the control plane states them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.core.errors import SandboxError
from sandbox.egress.context import RawTable, Scope
from sandbox.egress.task import run
from sandbox.executor.contract import TaskKind
from tests.plugins.space import Scene
from tests.unit.test_work import Yard, check_room

SOURCE = {"name": "ce-a", "provider": "office", "registration_no": "GZ-1"}
SCOPE = Scope("income-statistics", "income-statistics", ("district", "sex", "income"), (SOURCE,))
NEW = {"PURPOSE", "SOURCE", "BEYOND_GRANT", "FLAGGED"}


def found(report: Any) -> set[str]:
    """Which of the rules of this check objected, with their severity."""
    return {f"{one.rule} {one.severity.value}" for one in report.findings if one.rule in NEW}


def raw_with(path: Path, **flags: tuple[str, ...]) -> list[RawTable]:
    return [RawTable("persons", path, "id_no", ("district", "sex", "age"), flags=flags)]


@pytest.fixture
def counts(persons: pl.DataFrame) -> pl.DataFrame:
    return persons.group_by("district", "sex").agg(n=pl.len())


def test_what_keeps_to_its_scope_is_not_objected_to(attack: Callable[..., Any], counts: pl.DataFrame) -> None:
    report = attack(counts, scope=SCOPE)
    assert report.verdict.value == "no_objection"
    assert {one["rule"]: one["result"] for one in report.rules if one["rule"] in NEW} == dict.fromkeys(
        NEW, "no_objection"
    )


def test_without_the_facts_nothing_is_said(attack: Callable[..., Any], counts: pl.DataFrame) -> None:
    assert found(attack(counts)) == set()


@pytest.mark.parametrize("granted", ["other-purpose", ""])
def test_another_purpose_than_the_determined_one_is_refused(
    attack: Callable[..., Any], counts: pl.DataFrame, granted: str
) -> None:
    report = attack(counts, scope=replace(SCOPE, granted_purpose=granted))
    assert found(report) == {"PURPOSE hard"}
    assert report.verdict.value == "reject"
    assert "income-statistics" not in str([one.as_json() for one in report.findings])


def test_a_field_that_was_not_granted_is_held(attack: Callable[..., Any], persons: pl.DataFrame) -> None:
    table = persons.group_by("district", "occupation").agg(n=pl.len())
    report = attack(table, scope=SCOPE)
    assert found(report) == {"BEYOND_GRANT hold"}
    assert [one.where for one in report.findings if one.rule == "BEYOND_GRANT"] == ["column 2 (occupation)"]


def test_a_result_that_equals_raw_values_by_chance_is_no_field(
    attack: Callable[..., Any], persons: pl.DataFrame
) -> None:
    table = persons.group_by("district").agg(n=pl.len(), mean=pl.col("age").mean().round(0).cast(pl.Int64))
    assert found(attack(table, scope=SCOPE)) == set()


@pytest.mark.parametrize(
    ("lacking", "demanded", "told"),
    [
        ("registration_no", True, {"SOURCE hold"}),
        ("registration_no", False, set()),
        ("provider", False, {"SOURCE hold"}),
    ],
)
def test_sources_that_the_statement_cannot_name_are_held(
    attack: Callable[..., Any],
    counts: pl.DataFrame,
    policy: dict[str, Any],
    lacking: str,
    demanded: bool,
    told: set[str],
) -> None:
    scope = replace(SCOPE, sources=(SOURCE, {**SOURCE, lacking: ""}))
    report = attack(counts, scope=scope, policy={**policy, "registration.resources": demanded})
    assert found(report) == told


@pytest.mark.parametrize("flag", ["personal", "sensitive_personal", "enterprise_confidential", "secret"])
def test_flagged_fields_in_rows_of_persons_are_held(
    attack: Callable[..., Any], persons: pl.DataFrame, persons_file: Path, flag: str
) -> None:
    rows = persons.select("district", "sex", "occupation").head(300)
    raws = raw_with(persons_file, occupation=(flag,))
    assert found(attack(rows, raws=raws)) == {"FLAGGED hold"}
    cells = persons.group_by("district", "occupation").agg(n=pl.len())
    # of a secret field not even the categories leave unseen
    assert found(attack(cells, raws=raws)) == ({"FLAGGED hold"} if flag == "secret" else set())
    assert found(attack(cells, raws=raw_with(persons_file, phone=(flag,)))) == set()


def test_the_control_plane_states_what_it_knows(granted: Scene, tmp_path: Path) -> None:
    yard = Yard(granted, tmp_path / "tasks")
    yard.job()
    seen: list[dict[str, Any]] = []

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        seen.append(params)
        return check_room(params, inputs, out)

    yard.executor.rooms[TaskKind.CHECK] = room
    yard.request()
    scope = seen[0]["scope"]
    job = granted.get("job", "job-a")
    assert scope["purpose"] == scope["granted_purpose"] == job.spec["purpose"]
    assert scope["columns"] == sorted({c for table in job.spec["inputs"] for c in table["columns"]})
    assert scope["sources"] == [{"name": "ce-a", "provider": "office", "registration_no": "GZ-ce-a"}]
    assert any(
        raw.get("flags") == {"person_id": ["personal"], "phone": ["personal"]} for raw in seen[0]["raws"]
    )


@pytest.mark.parametrize(
    "scope", [{}, {"purpose": "p"}, 7, {"purpose": "p", "granted_purpose": "p", "columns": 1}]
)
def test_a_malformed_scope_is_refused(tmp_path: Path, policy: dict[str, Any], scope: Any) -> None:
    params = {"raws": [], "policy": policy, "policy_id": "t@1", "scope": scope}
    (tmp_path / "outputs").mkdir()
    with pytest.raises(SandboxError, match="EGRESS_PARAMS"):
        run(params, tmp_path, tmp_path)
