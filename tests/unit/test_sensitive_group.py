"""Data of minors, patients and the like: a stricter threshold of cells, from the catalogue to the checker."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl
import pytest

from sandbox.control.checking import _roles
from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.egress.recompute.run import Input
from sandbox.egress.recompute.tables import Script
from sandbox.policy import load_profile
from tests.plugins.space import Scene


@pytest.mark.parametrize("told", [True, False])
def test_the_checker_is_told_what_the_catalogue_says(granted: Scene, told: bool) -> None:
    granted.entry("ce-clinic", sensitive_group=told)
    assert _roles(granted.get("catalogue-entry", "ce-clinic"))["sensitive_group"] is told
    assert _roles(granted.get("catalogue-entry", "ce-a"))["sensitive_group"] is False


@pytest.mark.parametrize(("sensitive", "refused"), [(True, True), (False, False)])
def test_a_join_with_it_has_its_threshold(sensitive: bool, refused: bool, tmp_path: Path) -> None:
    """Fifteen persons a cell, of whom the other table says that they are patients: ten are enough, twenty
    not reached."""
    people = pl.DataFrame({"id": [f"p{i}" for i in range(30)], "sex": list("fm") * 15})
    people = people.with_columns(pay=pl.int_range(30) * 100 + 1000)
    tables = {"people": people, "clinic": people.select("id", visits=pl.int_range(30) % 4 + 1)}
    sql = "SELECT p.sex, avg(p.pay) AS m FROM people p JOIN clinic c ON p.id = c.id GROUP BY p.sex"
    with duckdb.connect() as connection:
        for name, table in tables.items():
            table.write_parquet(tmp_path / f"{name}.parquet")
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM '{tmp_path / name}.parquet'")
        made = pl.DataFrame(pl.from_arrow(connection.sql(sql).to_arrow_table()))
    (tmp_path / "outputs").mkdir()
    made.write_csv(tmp_path / "outputs" / "out.csv")
    raws = [
        RawTable("people", tmp_path / "people.parquet", "id", ("sex",), (), ()),
        RawTable("clinic", tmp_path / "clinic.parquet", "id", (), ("visits",), (), sensitive_group=sensitive),
    ]
    inputs = tuple(Input(name, name, tuple(table.columns)) for name, table in tables.items())
    script = Script(f"CREATE TABLE out AS {sql}", inputs)
    report = check(
        [tmp_path / "outputs"], raws, {}, load_profile("national").values(), "national", script=script
    )
    assert [file["recomputed"] for file in report.capacity["files"]] == [1]
    assert ("SMALL_CELL" in {f.rule for f in report.findings}) is refused
