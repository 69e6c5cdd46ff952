"""Mending: what is written is never rejected, holds no number of its own, and says what it cost."""

from __future__ import annotations

import io
import itertools
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cli.egress_mend import _WORDS, Protection
from sandbox.core.errors import SandboxError
from sandbox.egress.check import check, declarations
from sandbox.egress.context import RawTable
from sandbox.egress.findings import Verdict
from sandbox.egress.mend import LADDER, PROTECTIONS, Mended, mend
from sandbox.egress.mend.change import Loss
from sandbox.egress.mend.groups import coarser
from sandbox.egress.messages import RULES
from tests.plugins.egress import POLICY
from tests.refusal import refused

QUASI = ("district", "sex", "age", "occupation", "birth")
Mending = Callable[..., tuple[Mended, Path]]


@pytest.fixture
def mending(persons_file: Path, tmp_path: Path) -> Mending:
    """Write outputs (name: frame or bytes), mend them against the register; the account and the folder."""
    raw = RawTable("persons", persons_file, "id_no", QUASI, ("disease",), ("name", "phone"))

    def go(outputs: dict[str, Any], **how: Any) -> tuple[Mended, Path]:
        number = len(list(tmp_path.iterdir()))
        source, out = tmp_path / f"outputs{number}", tmp_path / f"mended{number}"
        source.mkdir()
        for name, content in outputs.items():
            if isinstance(content, bytes):
                (source / name).write_bytes(content)
            else:
                content.write_csv(source / name)
        before = {path.name: path.read_bytes() for path in source.iterdir()}
        raws, declared = how.pop("raws", [raw]), declarations(how.pop("declared", []))
        try:
            return mend([source], raws, declared, POLICY, "t@1", out, **how), out
        finally:
            assert {path.name: path.read_bytes() for path in source.iterdir()} == before

    return go


def with_totals(frame: pl.DataFrame, by: list[str], of: str) -> pl.DataFrame:
    """Counts by ``by`` and ``of``, and the totals over ``of``."""
    inner = frame.group_by(*by, of).agg(n=pl.len())
    total = frame.group_by(by).agg(n=pl.len()).with_columns(pl.lit("合计").alias(of)).select(*by, of, "n")
    return pl.concat([inner, total]).sort(*by, of)


def test_every_protection_and_rule_is_one_that_exists() -> None:
    assert set(LADDER) <= set(RULES)
    assert {one for ladder in LADDER.values() for one in ladder} == set(PROTECTIONS)
    assert {one.value for one in Protection} == set(PROTECTIONS)
    assert set(_WORDS) == set(PROTECTIONS) | set(Loss().__dataclass_fields__)


def test_suppression_takes_a_second_cell_so_that_no_total_gives_the_first_away(
    persons: pl.DataFrame, mending: Mending
) -> None:
    by = ["district", "occupation"]
    table = with_totals(persons, by, "disease")
    small = table.filter(pl.col("n") < 10).height
    told, out = mending({"a.csv": table})
    shown = pl.read_csv(out / "a.csv")
    blank = shown.filter(pl.col("n").is_null())
    assert told.report.verdict is not Verdict.REJECT
    assert shown.drop_nulls("n").rows() == [row for row in table.rows() if row in set(shown.rows())]
    assert small < blank.height <= 2 * small
    assert all(n > 1 for n in blank.group_by(by).len()["len"])  # with the total one alone would be known
    assert [step.protection for step in told.steps] == ["suppress"]
    assert told.steps[0].change.loss.cells == blank.height
    lost = sum(table.join(blank, on=[*by, "disease"], how="semi")["n"])
    assert told.steps[0].change.loss.value_share == pytest.approx(lost / sum(table["n"]))


def test_a_total_in_another_file_gives_no_cell_away(persons: pl.DataFrame, mending: Mending) -> None:
    by = ["district", "occupation"]
    cells = persons.group_by(*by, "disease").agg(n=pl.len())
    told, out = mending({"a.csv": cells, "b.csv": persons.group_by(by).agg(n=pl.len())})
    blank = pl.read_csv(out / "a.csv").filter(pl.col("n").is_null())
    assert told.report.verdict is not Verdict.REJECT
    assert blank.height > cells.filter(pl.col("n") < 10).height
    assert all(n > 1 for n in blank.group_by(by).len()["len"])


def inside(label: str, value: int) -> bool:
    """Whether a band that mending writes holds a year."""
    low, _, high = label.partition("-")
    if label.endswith("+"):
        return value >= int(label[:-1])
    if label.startswith("<"):
        return value < int(label[1:])
    return int(low) <= value <= int(high or low)


def test_many_small_cells_become_coarser_bands_that_add_up(persons: pl.DataFrame, mending: Mending) -> None:
    table = persons.group_by("district", "age").agg(n=pl.len())
    told, out = mending({"a.csv": table})
    assert told.report.verdict is not Verdict.REJECT
    assert told.steps[0].protection == "merge"
    assert 0 < told.steps[0].change.loss.entropy_share < 1
    for district, label, n in pl.read_csv(out / "a.csv").rows():
        own = [m for d, age, m in table.rows() if d == district and inside(label, age)]
        assert n in (None, sum(own))


def test_thin_ends_are_top_coded(persons: pl.DataFrame, mending: Mending, tmp_path: Path) -> None:
    old = persons.filter(pl.col("age") >= 70).unique("age", maintain_order=True)
    people = pl.concat([persons.filter(pl.col("age") < 70), old])
    people.write_parquet(tmp_path / "raw.parquet")
    raw = RawTable("persons", tmp_path / "raw.parquet", "id_no", QUASI, ("disease",), ("name", "phone"))
    told, out = mending({"a.csv": people.group_by("age").agg(n=pl.len()).sort("age")}, raws=[raw])
    assert told.report.verdict is not Verdict.REJECT
    assert [step.protection for step in told.steps] == ["top-code"]
    label, n = pl.read_csv(out / "a.csv").rows()[-1]
    assert n == people.filter(pl.col("age") >= int(label.removesuffix("+"))).height >= 10


def test_extremes_are_rounded_and_the_distance_is_told(persons: pl.DataFrame, mending: Mending) -> None:
    table = persons.group_by("district").agg(n=pl.len(), top=pl.col("income").max()).sort("district")
    told, out = mending({"a.csv": table})
    shown = pl.read_csv(out / "a.csv")
    assert told.report.verdict is not Verdict.REJECT
    apart = (shown["top"] - table["top"]).abs()
    assert all(0 < one <= 500 for one in apart)
    assert told.steps[0].change.loss.distance == pytest.approx(sum(apart) / len(apart))
    assert shown["n"].to_list() == table["n"].to_list()
    assert all(value % 1000 == 0 for value in shown["top"])


def test_identifiers_are_dropped_and_a_harmless_file_stays_as_it_is(
    persons: pl.DataFrame, mending: Mending
) -> None:
    fine = persons.group_by("district").agg(n=pl.len())
    told, out = mending({"a.csv": persons.select("id_no", "district", "sex").head(300), "b.csv": fine})
    assert told.report.verdict is not Verdict.REJECT
    assert (out / "a.csv").read_text().splitlines()[0] == "district,sex"
    assert {item["path"]: item["changed"] for item in told.files} == {"a.csv": True, "b.csv": False}
    assert (out / "b.csv").read_text() == fine.write_csv()
    text = json.dumps([step.as_json() for step in told.steps], ensure_ascii=False)
    assert not any(value in text for value in persons["id_no"].head(300))


def test_rows_of_persons_are_made_coarser_until_they_have_peers(
    persons: pl.DataFrame, mending: Mending
) -> None:
    told, out = mending({"a.csv": persons.select("name", "sex", "age", "occupation", "birth")})
    shown = pl.read_csv(out / "a.csv")
    assert told.report.verdict is Verdict.HOLD  # what a person must judge of
    assert "name" not in shown.columns
    assert shown.group_by(shown.columns).len()["len"].min() >= 10  # type: ignore[operator]


def test_cells_of_a_cross_table_and_of_a_workbook(
    persons: pl.DataFrame, mending: Mending, tmp_path: Path
) -> None:
    cross = (
        persons.filter(pl.col("occupation") != "工人")
        .group_by("district", "age")
        .agg(n=pl.len())
        .filter(pl.col("age") < 26)
        .pivot("district", index="age", values="n")
        .sort("age")
    )
    book = openpyxl.Workbook()
    book.active.append(cross.columns)
    for row in cross.rows():
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    people = persons.filter(pl.col("occupation") != "工人")
    people.write_parquet(tmp_path / "raw.parquet")
    raw = RawTable("persons", tmp_path / "raw.parquet", "id_no", QUASI, ("disease",), ("name", "phone"))
    outputs = {"a.csv": cross, "b.xlsx": (tmp_path / "book.xlsx").read_bytes()}  # the same in both
    told, out = mending(outputs, raws=[raw], protections=["suppress"])
    assert told.report.verdict is not Verdict.REJECT
    shown = pl.read_csv(out / "a.csv")
    for name, column in cross.to_dict().items():
        if name != "age":
            pairs = zip(shown[name], column, strict=True)
            assert all(one == (other if other >= 10 else None) for one, other in pairs)
    sheet = openpyxl.load_workbook(out / "b.xlsx").active
    assert list(sheet.iter_rows(values_only=True))[1:] == shown.rows()


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.json", "a.jsonl"])
def test_other_files_that_are_one_table(persons: pl.DataFrame, mending: Mending, name: str) -> None:
    table = (
        persons.group_by("district", "occupation", "disease").agg(n=pl.len().cast(pl.Int64)).sort(pl.all())
    )
    sink = io.BytesIO()
    ways = {"parquet": table.write_parquet, "arrow": table.write_ipc, "jsonl": table.write_ndjson}
    ways.get(name.rpartition(".")[2], table.write_json)(sink)
    _, out = mending({name: sink.getvalue()})
    back = {"parquet": pl.read_parquet, "arrow": pl.read_ipc, "jsonl": pl.read_ndjson}
    shown = back.get(name.rpartition(".")[2], pl.read_json)(io.BytesIO((out / name).read_bytes()))
    expected = table.with_columns(n=pl.when(pl.col("n") >= 10).then("n"))
    assert shown.select(table.columns).rows() == expected.rows()


def test_what_cannot_be_written_back_is_refused(persons: pl.DataFrame, mending: Mending) -> None:
    table = persons.group_by("district", "occupation", "disease").agg(n=pl.len()).to_dicts()
    nested = json.dumps({"title": "t", "rows": table}).encode()
    with refused("EGRESS_MEND_NONE"):
        mending({"a.json": nested})


def test_counts_are_rounded_to_a_base_on_request(persons: pl.DataFrame, mending: Mending) -> None:
    table = persons.group_by("district").agg(n=pl.len()).sort("district")
    told, out = mending({"a.csv": table}, base=10)
    shown = pl.read_csv(out / "a.csv")
    assert shown["n"].to_list() == [(n + 5) // 10 * 10 for n in table["n"]]
    assert told.steps[-1].change.loss.rounded == table.height
    assert told.report.verdict is not Verdict.REJECT


def test_small_categories_are_put_together_when_asked_for(persons: pl.DataFrame, mending: Mending) -> None:
    table = persons.group_by("district", "occupation", "disease").agg(n=pl.len())
    told, out = mending({"a.csv": table}, protections=["merge"])
    shown = pl.read_csv(out / "a.csv")
    assert {step.protection for step in told.steps} == {"merge"}
    assert shown["n"].sum() == table["n"].sum()
    assert shown["n"].min() >= 10  # type: ignore[operator]
    assert "其他" in shown["district"].to_list()


def test_the_same_again_gives_the_same_bytes(persons: pl.DataFrame, mending: Mending) -> None:
    table = persons.group_by("district", "occupation", "disease").agg(n=pl.len()).sort(pl.all())
    bytes_ = {mending({"a.csv": table})[1].joinpath("a.csv").read_bytes() for _ in range(2)}
    assert len(bytes_) == 1


def test_nothing_is_written_where_no_protection_helps(
    persons: pl.DataFrame, mending: Mending, tmp_path: Path
) -> None:
    with refused("EGRESS_MEND_NONE"):
        mending({"a.pkl": b"\x80\x04N."})
    table = persons.group_by("district", "occupation", "disease").agg(n=pl.len())
    with refused("EGRESS_MEND_NONE"):
        mending({"a.csv": table}, protections=["drop"])
    assert not list(tmp_path.glob("mended*"))


def test_what_cannot_be_proved_or_would_overwrite_is_refused(
    persons: pl.DataFrame, mending: Mending, tmp_path: Path
) -> None:
    table = {"a.csv": persons.group_by("district").agg(n=pl.len())}
    with refused("EGRESS_MEND_RAW"):
        mending(table, raws=[])
    with refused("EGRESS_PARAMS"):
        mending(table, base=3)
    with refused("EGRESS_PARAMS"):
        mending(table, protections=["burn"])
    (tmp_path / f"mended{len(list(tmp_path.iterdir())) + 1}").mkdir()
    full = tmp_path / f"mended{len(list(tmp_path.iterdir()))}"
    full.mkdir(exist_ok=True)
    (full / "x").touch()
    with refused("EGRESS_MEND_OUT"):
        mending(table)
    assert [path.name for path in full.iterdir()] == ["x"]


@pytest.mark.parametrize(
    ("labels", "made"),
    [
        (["20-29", "30-39", "40-49"], ["20-39", "20-39", "40-49"]),
        (["0-10", "10-20", "20-30", "30-40"], ["0-20", "0-20", "20-40", "20-40"]),
        (["<20", "20-39", "40-59", "60+"], ["<40", "<40", "40+", "40+"]),
        (["21", "22", "24", "26"], ["20-24", "20-24", "20-24", "25-29"]),
        (["2020-01", "2020-02", "2021-01"], ["2020", "2020", "2021"]),
        (["20-29", "40-49", "50-59"], None),  # a gap: nobody may think that thirties are in it
        (["东城区", "西城区"], None),
    ],
)
def test_one_step_coarser(labels: list[str], made: list[str] | None) -> None:
    told = coarser(labels)
    assert (told and [told[label] for label in labels]) == made


def sums(table: pl.DataFrame, by: list[str]) -> set[int]:
    """Every number that putting cells of ``table`` together could give, for tables of few cells a margin."""
    found: set[int] = set()
    for _, part in [(None, table), *table.group_by(by[:1])]:
        values = part["n"].to_list()
        reachable = {0}
        for value in values:
            reachable |= {one + value for one in reachable}
        found |= reachable
    return found


@settings(max_examples=6)
@given(
    rows=st.integers(60, 300),
    seed=st.integers(0, 2**16),
    ages=st.booleans(),
    totals=st.booleans(),
    maximum=st.booleans(),
)
def test_what_is_written_is_never_rejected_and_holds_no_number_of_its_own(
    rows: int, seed: int, ages: bool, totals: bool, maximum: bool
) -> None:
    draw = np.random.default_rng(seed)
    people = pl.DataFrame(
        {
            "id": np.arange(rows),
            "area": draw.choice(["north", "south", "east", "west"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "group": draw.integers(20, 32, rows) if ages else draw.choice(["red", "blue", "green"], rows),
            "pay": np.round(np.exp(draw.normal(8, 1, rows)), 2),
        }
    )
    told = [pl.len().alias("n"), *([pl.col("pay").max()] if maximum else [])]
    table = people.group_by("area", "group").agg(told)
    if totals and not ages:
        whole = people.group_by("area").agg(told).with_columns(group=pl.lit("合计")).select(table.columns)
        table = pl.concat([table, whole])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        people.write_parquet(folder / "raw.parquet")
        (folder / "o").mkdir()
        table.write_csv(folder / "o" / "a.csv")
        raw = RawTable("people", folder / "raw.parquet", "id", ("area", "group"))
        try:
            mend([folder / "o"], [raw], {}, POLICY, "t@1", folder / "m")
        except SandboxError as error:
            assert (error.code, (folder / "m").exists()) == ("EGRESS_MEND_NONE", False)  # noqa: PT017
            return
        again = check([folder / "m"], [raw], {}, POLICY, "t@1")
        assert again.verdict is not Verdict.REJECT
        shown = pl.read_csv(folder / "m" / "a.csv")
    if "n" in shown.columns:
        assert set(shown["n"].drop_nulls()) <= sums(table, ["area"])
        assert all(n >= 10 for n in shown["n"].drop_nulls())
    if "pay" in shown.columns:
        for value, known in itertools.product(shown["pay"].drop_nulls()[:3], [table["pay"].to_list()]):
            digits = len(re.sub(r"\D", "", f"{value:g}").strip("0"))
            assert digits <= 3 or value in known
