"""The ledger through the whole checker: files in, cells kept, the next request held against them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity, Verdict
from sandbox.egress.ledger import store
from sandbox.egress.ledger.room import Ledger
from sandbox.egress.recompute.run import Input
from sandbox.egress.recompute.tables import Script
from sandbox.egress.task import run
from tests.refusal import refused

KEY = bytes(range(32))


@pytest.fixture
def release(attack: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Check an output against the ledger so far; what is not rejected is entered under ``id``."""
    kept = tmp_path / "ledger"
    kept.mkdir()

    def go(id: str, content: Any, name: str = "out.csv", key: bytes = KEY, **options: Any) -> Any:
        out = tmp_path / f"out-{id}"
        report = attack(content, name, ledger=Ledger(key, kept, out, {"recipient": "r"}), **options)
        if report.verdict is not Verdict.REJECT:
            out.rename(kept / id)
        return report

    return go


def counts(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return frame.group_by(keys).agg(n=pl.len()).filter(pl.col("n") >= 10).sort(keys)


def found(report: Any, rule: str = "DIFFERENCING") -> list[tuple[str, str, str]]:
    return [
        (str(f.severity), f.evidence.get("how", ""), f.evidence["release"])
        for f in report.findings
        if f.rule == rule
    ]


def test_cells_are_kept_by_entity_and_the_same_table_passes_again(release, persons, tmp_path):
    report = release("eg-1", counts(persons, "district", "sex"))
    assert report.verdict is Verdict.NO_OBJECTION
    assert [file["path"][:8] for file in report.ledger["files"]] == ["cells.pa", "universe"]
    assert report.ledger["seen"] == []
    (book,) = store.read(tmp_path / "ledger")
    assert sorted(book.sizes) == sorted(counts(persons, "district", "sex")["n"])
    assert len(book.universe) == persons.height
    again = release("eg-2", counts(persons, "district", "sex"))
    assert (again.verdict, again.ledger["seen"]) == (Verdict.NO_OBJECTION, ["eg-1"])


def test_nothing_of_a_person_stands_in_the_files(release, persons, tmp_path):
    release("eg-1", counts(persons, "district", "sex"))
    raw = b"".join(path.read_bytes() for path in (tmp_path / "ledger" / "eg-1").iterdir())
    for value in (*persons["id_no"][:200], *persons["name"][:200], *persons["district"].unique()):
        assert value.encode() not in raw


def test_without_the_key_nobody_is_found_in_them(release, persons, tmp_path):
    release("eg-1", counts(persons, "district"))
    release("eg-2", counts(persons, "sex"), key=bytes(32))
    first, second = store.read(tmp_path / "ledger")
    assert not set(first.universe.tolist()) & set(second.universe.tolist())


def test_a_district_of_hundreds_may_be_left_out(release, persons):
    few = persons.filter(pl.col("district") != "东城区")
    release("eg-1", counts(persons, "sex"))
    one = counts(few, "district", "sex")
    assert release("eg-2", one).verdict is Verdict.NO_OBJECTION


def test_a_suppressed_cell_comes_to_light_by_a_later_total(release, tmp_path, policy, attack):
    draw = [("北", "工")] * 300 + [("北", "农")] * 5 + [("南", "工")] * 200 + [("南", "农")] * 90
    people = pl.DataFrame(
        {
            "pid": [f"P{i:07d}" for i in range(len(draw))],
            "town": [town for town, _ in draw],
            "job": [job for _, job in draw],
        }
    )
    path = tmp_path / "towns.parquet"
    people.write_parquet(path)
    raws = [RawTable("towns", path, "pid", ("town", "job"))]
    cells = counts(people, "town", "job")
    assert release("eg-1", cells, raws=raws).verdict is Verdict.NO_OBJECTION
    later = release("eg-2", counts(people, "town"), raws=raws)
    assert later.verdict is Verdict.REJECT
    assert found(later) == [("hard", "pair", "eg-1")]
    assert all("P00" not in json.dumps(f.as_json()) for f in later.findings)


def test_a_total_over_several_cells_is_refused_too(release, tmp_path):
    draw = [("北", "工")] * 300 + [("北", "商")] * 50 + [("北", "农")] * 5 + [("南", "商")] * 90
    people = pl.DataFrame(
        {
            "pid": [f"P{i:07d}" for i in range(len(draw))],
            "town": [town for town, _ in draw],
            "job": [job for _, job in draw],
        }
    )
    path = tmp_path / "towns.parquet"
    people.write_parquet(path)
    raws = [RawTable("towns", path, "pid", ("town", "job"))]
    release("eg-1", counts(people, "town", "job"), raws=raws)
    later = release("eg-2", counts(people, "town"), raws=raws)
    assert found(later) == [("hard", "two_layers", "eg-1")]


def test_the_next_snapshot_may_be_counted_and_not_averaged(release, persons, tmp_path):
    def raws(frame: pl.DataFrame, name: str) -> list[RawTable]:
        path = tmp_path / f"{name}.parquet"
        frame.write_parquet(path)
        return [RawTable("persons", path, "id_no", ("district", "sex"), ("disease",), ("name",))]

    def means(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.group_by("sex").agg(n=pl.len(), mean=pl.col("income").mean().round(2)).sort("sex")

    first, second = persons.slice(3), persons
    release("eg-1", counts(first, "district"), raws=raws(first, "march"))
    report = release("eg-2", counts(second, "district"), raws=raws(second, "april"))
    assert report.verdict is Verdict.NO_OBJECTION
    assert found(report)[0][:2] == ("flag", "revision")
    release("eg-3", means(first), raws=raws(first, "march"))
    assert ("hard", "pair", "eg-3") in found(release("eg-4", means(second), raws=raws(second, "april")))


def test_numbers_that_are_not_the_recount_are_compared_as_they_stand(release, persons):
    release("eg-1", counts(persons, "district", "sex"))
    less = release("eg-2", counts(persons.slice(1), "district", "sex"))
    assert found(less) == [("hard", "stated", "eg-1")]


def test_what_many_releases_sum_up_to_is_held_and_refused(release, persons, policy):
    values = {**policy, "egress.ledger_rate_hold": 0.003, "egress.ledger_rate_max": 0.005}
    assert release("eg-1", counts(persons, "district"), policy=values).verdict is Verdict.NO_OBJECTION
    assert found(release("eg-2", counts(persons, "sex"), policy=values), "RECONSTRUCTION") == []
    held = release("eg-3", counts(persons, "occupation", "sex"), policy=values)
    assert [f.severity for f in held.findings if f.rule == "RECONSTRUCTION"] == [Severity.HOLD]
    over = release("eg-4", counts(persons, "district", "occupation"), policy=values)
    assert [f.severity for f in over.findings if f.rule == "RECONSTRUCTION"] == [Severity.HARD]
    assert release("eg-5", counts(persons, "district"), policy=values).verdict is Verdict.NO_OBJECTION


def test_rates_that_the_policy_does_not_state_refuse(release, persons, policy):
    values = {key: value for key, value in policy.items() if key != "egress.ledger_rate_hold"}
    release("eg-1", counts(persons, "district"), policy=values)
    assert "POLICY_MISSING" in {
        f.rule for f in release("eg-2", counts(persons, "sex"), policy=values).findings
    }


SCRIPT = "CREATE TABLE out AS SELECT sex, count(DISTINCT id_no) AS n FROM persons WHERE {} GROUP BY sex"


def by_script(condition: str) -> Script:
    columns = ("id_no", "district", "sex", "age", "disease")
    return Script(SCRIPT.format(condition), (Input("persons", "persons", columns),))


def test_rows_that_a_script_leaves_out_are_known(release, persons):
    few = persons.filter(pl.col("age") == persons["age"].max()).group_by("district").len().sort("len")
    district, oldest = few["district"][0], int(persons["age"].max())
    assert few["len"][0] < 10
    rest = persons.filter(~((pl.col("district") == district) & (pl.col("age") == oldest)))
    release("eg-1", counts(persons, "sex"))
    condition = f"NOT (district = '{district}' AND age = {oldest})"
    later = release("eg-2", counts(rest, "sex"), script=by_script(condition))
    assert ("hard", "pair", "eg-1") in found(later)
    grown = persons.filter(pl.col("age") >= 40)
    fine = release("eg-3", counts(grown, "sex"), script=by_script("age >= 40"))
    assert (fine.verdict, found(fine)) == (Verdict.NO_OBJECTION, [])


def test_another_condition_on_the_next_snapshot_is_no_revision(release, persons, tmp_path):
    def raws(frame: pl.DataFrame, name: str) -> list[RawTable]:
        path = tmp_path / f"{name}.parquet"
        frame.write_parquet(path)
        return [RawTable("persons", path, "id_no", ("district", "sex"), ("disease",), ("name",))]

    grown = persons.filter(pl.col("age") >= 40)
    march, april = raws(persons.slice(2), "march"), raws(persons, "april")
    old = counts(persons.slice(2).filter(pl.col("age") >= 40), "sex")
    release("eg-1", old, raws=march, script=by_script("age >= 40"))
    again = release("eg-2", counts(grown, "sex"), raws=april, script=by_script("age >= 40"))
    assert {severity for severity, _, _ in found(again)} <= {"flag"}
    other = grown.filter(pl.col("id_no") != grown["id_no"][5])
    less = by_script(f"age >= 40 AND id_no <> '{grown['id_no'][5]}'")
    later = release("eg-3", counts(other, "sex"), raws=april, script=less)
    assert later.verdict is Verdict.REJECT


def test_a_rejected_set_leaves_no_cells(release, persons, tmp_path):
    assert release("eg-1", persons.head(40)).verdict is Verdict.REJECT
    assert not (tmp_path / "out-eg-1").exists()


# --- the room


def room(
    tmp_path: Path, persons: pl.DataFrame, policy: dict[str, Any], ledger: Any
) -> tuple[Path, Path, dict]:
    inputs, out = tmp_path / "in", tmp_path / "out"
    for folder in (inputs / "outputs", inputs / "raw", out):
        folder.mkdir(parents=True)
    persons.write_parquet(inputs / "raw" / "persons.parquet")
    counts(persons, "district").write_csv(inputs / "outputs" / "a.csv")
    raw = {"name": "persons", "file": "persons.parquet", "entity": "id_no", "quasi": ["district"]}
    return inputs, out, {"raws": [raw], "policy": policy, "policy_id": "test@1", "ledger": ledger}


def test_the_room_writes_the_cells_and_reads_the_earlier_ones(tmp_path, persons, policy):
    inputs, out, params = room(tmp_path, persons, policy, {"key": KEY.hex(), "about": {"scenario": "sc"}})
    assert run(params, inputs, out)["verdict"] == "no_objection"
    told = json.loads((out / "verdict.json").read_text())["ledger"]
    assert sorted(path.name for path in (out / "ledger").iterdir()) == [f["path"] for f in told["files"]]
    (inputs / "ledger").mkdir()
    (out / "ledger").rename(inputs / "ledger" / "eg-1")
    counts(persons.slice(2), "district").write_csv(inputs / "outputs" / "a.csv")
    assert run(params, inputs, out)["verdict"] == "reject"
    told = json.loads((out / "verdict.json").read_text())
    assert "ledger" not in told
    assert {"eg-1"} == {f["evidence"]["release"] for f in told["findings"] if f["rule"] == "DIFFERENCING"}


@pytest.mark.parametrize("ledger", [{}, {"key": ""}, {"key": "zz"}, {"key": "00" * 65}, {"key": 7}, 7, None])
def test_a_room_without_a_usable_key_refuses(tmp_path, persons, policy, ledger):
    inputs, out, params = room(tmp_path, persons, policy, ledger)
    with refused("EGRESS_PARAMS"):
        run(params, inputs, out)
    assert list(out.iterdir()) == []


def test_a_damaged_ledger_is_the_callers_error(tmp_path, persons, policy):
    inputs, out, params = room(tmp_path, persons, policy, {"key": KEY.hex()})
    (inputs / "ledger" / "eg-1").mkdir(parents=True)
    with refused("EGRESS_LEDGER"):
        run(params, inputs, out)
    assert not (out / "verdict.json").exists()
