"""Recipes written to satisfy the rules and protect nobody: shifts shifted back, identities, halves that add
up, rows in an order that hides what a column is full of, names and numbers at the edges."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from sandbox.cli.job_try import job_of
from sandbox.cli.job_try_run import rows_of
from sandbox.core.errors import SandboxError
from sandbox.desensitize import execute, scan, task
from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import ColumnName, Setting, Unfit
from sandbox.policy import load_profile
from sandbox.task import entry

ROWS = 500
RULES = Rules.of(load_profile("national").get)
FIELDS: list[dict[str, Any]] = [
    {"name": "pid", "type": "string", "role": "identifier", "level": 3},
    {"name": "staff", "type": "string", "role": "identifier", "level": 4},
    {"name": "number", "type": "integer", "role": "identifier", "level": 4},
    {"name": "born", "type": "date", "role": "quasi", "level": 4},
    {"name": "seen", "type": "date", "role": "quasi", "level": 4},
    {"name": "income", "type": "number", "role": "sensitive", "flags": ["sensitive_personal"], "level": 4},
    {"name": "visits", "type": "integer", "role": "sensitive", "level": 4},
    {"name": "mobile", "type": "string", "role": "identifier", "level": 3},
    {"name": "district", "type": "string", "role": "quasi", "level": 1},
]
KEYS = {"k": "11" * 32}


def people() -> pl.DataFrame:
    numbers = range(ROWS)
    return pl.DataFrame(
        {
            "pid": [f"P{n:05d}" for n in numbers],
            "staff": [f"MRN{n:05d}" for n in numbers],
            "number": [5_000_000 + 7 * n for n in numbers],
            "born": [date(1950, 1, 1) + timedelta(37 * n) for n in numbers],
            "seen": [date(2020, 1, 1) + timedelta(n) for n in numbers],
            "income": [n + 0.25 for n in numbers],
            "visits": [10 * n for n in numbers],
            "mobile": [f"138{n * 1_234_567 % 10**8:08d}" for n in numbers],
            "district": ["d"] * ROWS,
        }
    )


def step(column: str, transform: str, output: str | None = None, **params: Any) -> dict[str, Any]:
    return {"column": column, "transform": transform, "params": params} | (
        {"output": output} if output else {}
    )


def recipe(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "r", "version": "1", "steps": list(steps), **more}


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    people().write_parquet(tmp_path / "in" / "data")
    return tmp_path / "in", tmp_path / "out"


Place = tuple[Path, Path]


def run(place: Place, described: dict[str, Any], fields: Any = FIELDS) -> tuple[dict[str, Any], pl.DataFrame]:
    asked = {"entity": "pid", "fields": fields, "threshold": 5}
    given = {"recipe": described, "fields": fields, "keys": KEYS, "rules": RULES.model_dump(mode="json")}
    report = task.run(given | {"anonymity": asked}, *place)
    return report, pl.read_parquet(place[1] / "product.parquet")


def refusal(place: Place, described: dict[str, Any], fields: Any = FIELDS) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        run(place, described, fields)
    assert list(place[1].iterdir()) == []
    return caught.value


def submitted(described: dict[str, Any]) -> SandboxError:
    with pytest.raises(SandboxError) as caught:
        validate_recipe(described, FIELDS, RULES)
    return caught.value


# --- shifted dates ----------------------------------------------------------------------------------


def shifted(days: int, column: str = "born", by: str = "pid", **more: Any) -> dict[str, Any]:
    return step(column, "date_shift", key="k", by=by, days=days, **more)


def test_two_ranges_of_one_key_do_not_tell_the_shift(place: Place) -> None:
    """The difference of two shifted dates gave the offset, as one was a scaled copy of the other."""
    code = step("pid", "pseudonym", key="k")
    _, narrow = run(place, recipe(shifted(90), code))
    _, wide = run(place, recipe(shifted(3650), code))
    joined = narrow.join(wide, on="pid", suffix="_wide")
    assert joined.height == ROWS
    truth = dict(zip(narrow["pid"], people()["born"], strict=True))
    # by the old rule the wide offset is the narrow one times 3650/90, and so the two differ by 3560/90 of it
    guessed = [
        row["born"] - timedelta(round((row["born_wide"] - row["born"]).days * 90 / 3560))
        for row in joined.iter_rows(named=True)
    ]
    near = sum(abs((guess - truth[pid]).days) <= 1 for guess, pid in zip(guessed, joined["pid"], strict=True))
    assert near < ROWS // 10


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ([shifted(90), shifted(91, "seen")], "days"),
        ([shifted(90), shifted(91, output="again")], "days"),
        ([shifted(90, by="district")], "by"),
        ([step("pid", "generalise", "group", by="prefix", length=1), shifted(90, by="group")], "by"),
    ],
)
def test_a_key_has_one_range_and_a_shift_is_a_subjects(steps: list[dict[str, Any]], field: str) -> None:
    error = submitted(recipe(*steps))
    assert (error.code, error.details["field"]) == ("RECIPE_SHIFT", field)


def test_shifts_alike_of_one_subject_are_fine(place: Place) -> None:
    code = step("pid", "pseudonym", "who", key="k")
    _, product = run(place, recipe(code, shifted(90, by="who"), shifted(90, "seen", by="who")))
    raw = people()
    assert ((product["born"] - raw["born"]) == (product["seen"] - raw["seen"])).all()


# --- transforms that change nothing -----------------------------------------------------------------

SAME = {f"MRN{n:05d}": f"MRN{n:05d}" for n in range(ROWS)}


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (step("pid", "redact", prose_names=False, long_numbers=False), "PI_NOT_DESENSITISED"),
        (step("pid", "redact"), "PI_NOT_DESENSITISED"),
        (step("number", "generalise", by="band", width=1.0), "RECIPE_PARAMETER"),
        (step("number", "generalise", by="band", width=0.5), "RECIPE_PARAMETER"),
        (step("visits", "round", to=1), "RECIPE_PARAMETER"),
        (step("staff", "generalise", by="map", table=SAME), "RECIPE_PARAMETER"),
        (step("staff", "generalise", by="hierarchy", rows=[["a", "a", "b"]], step=1), "RECIPE_PARAMETER"),
    ],
)
def test_what_cannot_protect_is_refused_when_it_is_submitted(one: dict[str, Any], code: str) -> None:
    assert submitted(recipe(one)).code == code


@pytest.mark.parametrize(
    "steps",
    [
        [step("pid", "generalise", by="prefix", length=6)],
        [step("income", "round", to=0.25)],
        [step("income", "top_code", limit=1e300)],
        [step("income", "bottom_code", limit=-1e300)],
        [step("visits", "round", to=10)],
        # every value but one as it was, a label for each value, there and back again
        [step("staff", "generalise", by="map", table=SAME | {"MRN00000": "none"})],
        [step("staff", "generalise", by="map", table={k: k.lower() for k in SAME})],
        [
            step("staff", "generalise", by="map", table={k: k.lower() for k in SAME}),
            step("staff", "generalise", by="map", table={k.lower(): k for k in SAME}),
        ],
        [step("number", "generalise", by="band", width=2.0)],
        [step("number", "convert", to="string"), step("number", "generalise", by="prefix", length=6)],
        # a sample and a change of type hide nothing of it
        [
            step("pid", "sample", key="k", share=0.5),
            step("visits", "round", to=10),
            step("visits", "convert", to="number"),
        ],
    ],
)
def test_what_did_not_protect_is_refused_in_the_room(place: Place, steps: list[dict[str, Any]]) -> None:
    if steps[0]["column"] == "number" and steps[0]["transform"] == "convert":
        people().with_columns(number=pl.int_range(ROWS).cast(pl.Int64) + 100_000).write_parquet(
            place[0] / "data"
        )
    error = refusal(place, recipe(*steps))
    column = steps[-1]["column"]
    assert (error.code, error.details) == ("RECIPE_NO_EFFECT", {"columns": column})


@pytest.mark.parametrize(
    "one",
    [
        step("staff", "generalise", by="prefix", length=6),  # MRN000 to MRN004: groups of a hundred
        step("number", "generalise", by="band", width=1000.0),
        step("income", "round", to=10),
        step("income", "top_code", limit=400),
        step("visits", "noise", scale=5),
        step("mobile", "mask", keep_first=3),
        step("born", "generalise", by="date", to="year"),
    ],
)
def test_what_does_protect_passes(place: Place, one: dict[str, Any]) -> None:
    report, _ = run(place, recipe(one))
    assert report["steps"][0]["rows"] > 0


def test_a_column_without_values_has_nothing_to_protect(place: Place) -> None:
    people().with_columns(income=pl.lit(None, pl.Float64)).write_parquet(place[0] / "data")
    report, _ = run(place, recipe(step("income", "round", to=10)))
    assert report["rows"] == ROWS


# --- parts that add up ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps",
    [
        [step("mobile", "mask", "a", keep_first=7), step("mobile", "mask", "b", keep_last=7)],
        [
            step("mobile", "tidy", "copy"),
            step("copy", "mask", keep_first=7),
            step("mobile", "mask", keep_last=7),
        ],
        [step("mobile", "fpe", "a", key="k", form="mobile"), step("mobile", "mask", "b", keep_first=7)],
        [step("visits", "noise", "a", scale=1000), step("visits", "noise", "b", scale=1000)],
        [step("visits", "noise", "a", scale=1000, by="pid"), step("visits", "round", "b", to=100)],
        [shifted(90, output="a"), shifted(90, output="b")],
    ],
)
def test_one_source_is_in_one_column(steps: list[dict[str, Any]]) -> None:
    assert submitted(recipe(*steps)).code == "RECIPE_ADDS_UP"


def test_codes_stand_beside_one_more_column(place: Place) -> None:
    steps = [step("mobile", "pseudonym", "who", key="k"), step("mobile", "mask", "net", keep_first=3)]
    _, product = run(place, recipe(*steps))
    assert product.columns == ["who", "net"]
    assert submitted(recipe(*steps, step("mobile", "mask", "end", keep_last=3))).code == "RECIPE_ADDS_UP"


# --- rows in an order that hides --------------------------------------------------------------------


@pytest.mark.parametrize("sample", [1 << 17, 1000])
def test_the_order_of_rows_does_not_hide_what_a_column_is_full_of(
    place: Place, monkeypatch: pytest.MonkeyPatch, sample: int
) -> None:
    """The same other values in every batch: no batch is half full of addresses, the column is two thirds."""
    monkeypatch.setattr(execute, "BATCH", 2000)
    monkeypatch.setattr(scan, "SAMPLE", sample)
    rows: list[str] = []
    for batch in range(3):
        rows += [f"code-{n}" for n in range(1010)]
        rows += [f"{36 + batch}.{n % 251}.{n // 250 % 250}.{n % 250 + 1}" for n in range(990)]
    fields = [FIELDS[0], {"name": "v", "type": "string", "role": "other", "level": 1}, FIELDS[-1]]
    table = pl.DataFrame({"pid": [f"P{n}" for n in range(6000)], "v": rows, "district": ["d"] * 6000})
    table.write_parquet(place[0] / "data")
    error = refusal(place, recipe(keep=["v", "district"]), fields)
    assert error.code == "IDENTIFIERS_REMAIN"
    assert error.details["found"] == {"v": {"ipv4": 2970}}


CELLS = st.lists(
    st.sampled_from([None, "x", "y-1", "36.1.2.3", "37.1.2.4", "38.9.8.7", "13800000001", "a@example.com"]),
    max_size=30,
)


@settings(max_examples=15, deadline=None)
@given(CELLS, st.integers(1, 7))
def test_a_scan_in_batches_is_that_of_the_whole(cells: list[str | None], size: int) -> None:
    column = pl.Series("v", cells, dtype=pl.String)
    whole = scan.Scan()
    for start in range(0, len(cells), size):
        whole.add(column.slice(start, size))
    assert whole.found == scan.scan_column(column)


# --- names and numbers at the edges -----------------------------------------------------------------


@pytest.mark.parametrize("name", ["\x00entity", "\x00raw/pid", "a\nb", "\x7f", "a\x85"])
def test_no_name_can_be_that_of_a_column_the_run_keeps_for_itself(name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ColumnName).validate_python(name)
    written = step("district", "tidy", name)
    for described in (recipe(written), recipe(keep=[name]), recipe(keep=["district"], drop=[name])):
        assert submitted(described).code == "RECIPE_MALFORMED"


def test_a_librarys_panic_is_told_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def panics(params: Any, inputs: Path, files: Path) -> dict[str, Any]:
        raise pl.exceptions.PanicException("secret value")

    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    (tmp_path / "in" / "task.json").write_text('{"kind": "recipe", "params": {}}')
    monkeypatch.setenv("SANDBOX_IN", str(tmp_path / "in"))
    monkeypatch.setenv("SANDBOX_OUT", str(tmp_path / "out"))
    monkeypatch.setattr(entry, "room_of", lambda kind: panics)
    assert entry.main() == 1
    assert (tmp_path / "out" / "report.json").read_text() == '{"code": "INTERNAL", "ok": false}'
    assert "secret" not in "".join(capsys.readouterr())


EDGE = [2**63 - 1, -(2**63)]


@pytest.mark.parametrize("edge", EDGE)
def test_rounding_at_the_edge_of_integers_does_not_wrap_around(edge: int) -> None:
    column = pl.Series("v", [edge] * 50 + [5, None], dtype=pl.Int64)
    setting = Setting({"k": bytes(32)}, {"who": pl.Series([f"p{n}" for n in range(52)])})
    for name, params, least in (
        ("round", {"to": 1000}, 50),
        # to the side that there is or to the one that there is not: four in five
        ("round_random", {"to": 1000, "key": "k", "by": "who"}, 25),
    ):
        row = TRANSFORMS[name]
        with pytest.raises(Unfit) as caught:
            row.apply([column], row.params.model_validate(params), setting)
        assert least <= caught.value.rows <= 50


@settings(max_examples=60, deadline=None)
@given(st.lists(st.none() | st.integers(-(2**62), 2**62), min_size=1, max_size=20), st.integers(2, 2**30))
def test_rounding_is_to_the_nearest_whatever_the_base(values: list[int | None], to: int) -> None:
    column = pl.Series("v", values, dtype=pl.Int64)
    (made,) = TRANSFORMS["round"].apply([column], TRANSFORMS["round"].params(to=to), Setting())  # type: ignore[call-arg]
    assert made.to_list() == [None if one is None else (one + to // 2) // to * to for one in values]


def test_random_rounding_to_the_largest_base_is_right_on_average_and_larger_ones_are_refused() -> None:
    row, to = TRANSFORMS["round_random"], 2**30
    setting = Setting({"k": bytes(32)}, {"who": pl.Series([f"p{n}" for n in range(20_000)])})
    params = row.params.model_validate({"to": to, "key": "k", "by": "who"})
    (made,) = row.apply([pl.Series([to // 2] * 20_000)], params, setting)
    # deviation of the mean: to / 2 / sqrt(20,000), 0.0035 of the base; seven of them
    assert abs(float(made.mean()) / to - 0.5) < 0.025  # type: ignore[arg-type]
    assert (
        submitted(recipe(step("visits", "round_random", to=2**31, key="k", by="pid"))).code
        == "RECIPE_PARAMETER"
    )


# --- what a manifest names --------------------------------------------------------------------------

MANIFEST = """kind: job
spec:
  scenario: s
  purpose: p
  language: sql
  entry: main.sql
  inputs: [{name: t, entry: e, columns: [a]}]
  outputs: [{path: o.csv, kind: table}]
"""


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ("['main.sql']", "FILE_UNREADABLE"),  # a link
        ("['../secret.txt']", "MALFORMED"),
        ("['/etc/hostname']", "MALFORMED"),
        ("3", "MALFORMED"),
        ("[3]", "MALFORMED"),
        ("main.sql", "MALFORMED"),
    ],
)
def test_a_manifest_reads_plain_files_beside_it_and_nothing_else(
    tmp_path: Path, files: str, code: str
) -> None:
    (tmp_path / "secret.txt").write_text("TOPSECRET")
    beside = tmp_path / "jobs"
    beside.mkdir()
    (beside / "main.sql").symlink_to(tmp_path / "secret.txt")
    (beside / "job.yaml").write_text(f"{MANIFEST}  files: {files}\n")
    with pytest.raises(SandboxError) as caught:
        job_of(beside / "job.yaml")
    assert caught.value.code == code
    assert "TOPSECRET" not in str(caught.value)


def test_brackets_without_end_are_no_rows(tmp_path: Path) -> None:
    deep = tmp_path / "deep.json"
    deep.write_text("[" * 200_000)
    assert rows_of(deep) is None
