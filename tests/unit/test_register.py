"""The demonstration's data: well formed, reproducible, and shaped like a register."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from sandbox.demo import fair, register
from sandbox.demo.guizhou import PEOPLE_SHARES, PEOPLES, PREFECTURES, counties
from sandbox.workspace import ingest

DEMO = Path(register.__file__).parent
ADMIN = Path(__file__).parents[2].parent / "shared" / "data" / "cn" / "admin_divisions" / "areas.csv"


@pytest.fixture(scope="module")
def people() -> pl.DataFrame:
    return register.generate(20_000, 7)


def adults(people: pl.DataFrame) -> pl.DataFrame:
    return people.filter(pl.col("birth_date") < pl.date(1996, 1, 1))


def test_identity_numbers_are_distinct_and_right(people: pl.DataFrame) -> None:
    ids = people["resident_id"]
    assert ids.n_unique() == people.height
    known = {row[0] for row in counties()}
    for number, born, sex in people.select("resident_id", "birth_date", "sex").iter_rows():
        total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(number[:17]))
        assert number[17] == "10X98765432"[total % 11]
        assert number[:6] in known
        assert number[6:14] == f"{born:%Y%m%d}"
        assert int(number[16]) % 2 == (sex == "男")


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_people(tmp_path: Path) -> None:
    digests = []
    for seed in ("3", "3", "4"):
        path = tmp_path / "out.csv"
        command = [sys.executable, "-m", "sandbox.demo.register", str(path), "--rows", "3000", "--seed", seed]
        done = subprocess.run(command, check=True, capture_output=True)
        assert (done.stdout, done.stderr) == (b"", b"")
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    assert digests[0] == digests[1] != digests[2]


def test_the_numbers_of_200_000_rows_are_distinct() -> None:
    assert register.generate()["resident_id"].n_unique() == 200_000


def test_there_is_an_end_to_identity_numbers() -> None:
    import numpy as np

    day = np.full(501, np.datetime64("1990-01-01"))
    one = np.full(501, 520102), day, np.ones(501, dtype=np.int64)
    with pytest.raises(ValueError, match="no identity number is left"):
        register._resident_ids(np.random.default_rng(1), *one)
    fits = register._resident_ids(np.random.default_rng(1), *(column[:500] for column in one))
    assert fits.n_unique() == 500


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_a_small_register_is_one_too(rows: int) -> None:
    assert register.generate(rows, 5).height == rows


def test_no_rows_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        register.main([str(tmp_path / "x.csv"), "--rows", "0"])
    assert caught.value.code == 2
    assert "--rows" in capsys.readouterr().err


def share(table: pl.DataFrame, column: str, values: list[str]) -> float:
    return table[column].is_in(values).sum() / table.height


def test_distributions_are_joint(people: pl.DataFrame) -> None:
    old = people.filter(pl.col("birth_date") < pl.date(1960, 1, 1))
    middle = adults(people).filter(pl.col("birth_date") >= pl.date(1966, 1, 1))
    higher = ["大专", "本科", "研究生"]
    # education by cohort
    assert share(middle, "education", higher) > 3 * share(old, "education", higher) > 0
    # occupation by education and by age
    learned = middle.filter(pl.col("education").is_in(higher))
    assert share(middle, "occupation", ["务农"]) > 3 * share(learned, "occupation", ["务农"])
    assert share(old, "occupation", ["离退休", "务农"]) > 0.8
    assert share(middle, "occupation", ["离退休"]) == 0
    # income by education, occupation and sex
    median = {key[0]: part["income"].median() for key, part in middle.group_by("education")}
    assert median["本科"] > 1.5 * median["初中"] > 0  # type: ignore[operator]
    by_sex = {key[0]: part["income"].median() for key, part in middle.group_by("sex")}
    assert by_sex["男"] > by_sex["女"]  # type: ignore[operator]
    # disease by age
    assert (
        share(old, "chronic_disease", ["无"])
        < 0.75
        < 0.9
        < share(people.filter(pl.col("birth_date") >= pl.date(1996, 1, 1)), "chronic_disease", ["无"])
    )
    # people by place
    miao = people.filter(pl.col("ethnicity") == "苗族")
    there = pl.col("district_code").str.starts_with("5226")
    assert miao.filter(there).height / miao.height > 2 * people.filter(there).height / people.height


def test_children_earn_nothing_and_infants_have_no_telephone(people: pl.DataFrame) -> None:
    children = people.filter(pl.col("birth_date") >= pl.date(2011, 1, 1))
    assert children.height > 0
    assert children["income"].null_count() == children.height
    infants = people.filter(pl.col("birth_date") >= pl.date(2017, 1, 1))
    assert infants["phone"].null_count() == infants.height > 0
    assert people["income"].drop_nulls().min() > 0  # type: ignore[operator]


def test_a_household_shares_county_address_and_mostly_its_name(people: pl.DataFrame) -> None:
    homes = people.group_by("household_id").agg(
        pl.col("address").n_unique().alias("addresses"),
        pl.col("district_code").n_unique().alias("counties"),
        pl.len().alias("members"),
    )
    assert homes["addresses"].max() == homes["counties"].max() == 1
    assert 2.5 < homes["members"].mean() < 3.1  # type: ignore[operator]
    assert homes.filter(pl.col("members") > 1).height / homes.height > 0.5


def test_dates_are_in_order(people: pl.DataFrame) -> None:
    assert people.filter(pl.col("register_date") < pl.col("birth_date")).height == 0
    assert people["register_date"].max() <= register.TODAY.item()  # type: ignore[operator]


def test_the_divisions_are_guizhous() -> None:
    if not ADMIN.exists():
        pytest.skip("the list of administrative divisions is not beside this repository")
    listed = pl.read_csv(ADMIN, schema_overrides={"code": pl.String})
    official = listed.filter(pl.col("code").str.starts_with("52")).select("code", "name").rows()
    assert {(code, county) for code, _, county, _ in counties()} == set(official)
    assert len(counties()) == 88


def test_the_tables_fit_together() -> None:
    assert set(PEOPLE_SHARES) == set(PREFECTURES)
    assert {len(shares) for shares in PEOPLE_SHARES.values()} == {len(PEOPLES)}
    assert len(set(register.SURNAMES)) == len(register.SURNAMES)


FLAGS = {"personal", "sensitive_personal", "enterprise_confidential", "secret"}


@pytest.mark.parametrize("name", ["register", "fair"])
def test_the_fields_describe_the_file_and_ingest_takes_it(name: str, tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    inputs.mkdir()
    out.mkdir()
    path = inputs / "data"
    assert {
        "register": lambda: register.main([str(path), "--rows", "2000"]),
        "fair": lambda: fair.main([str(path)]),
    }[name]() == 0
    described = yaml.safe_load((DEMO / f"{name}.fields.yaml").read_text(encoding="utf-8"))
    assert set(described) == {"title_zh", "title_en", "entity", "update_frequency", "fields"}
    for field in described["fields"]:
        told = set(field) - {"unique", "determined_by"}
        assert told == {"name", "title_zh", "title_en", "type", "category", "level", "flags", "role"}
        assert field["role"] in {"identifier", "quasi", "sensitive", "other"}
        assert set(field["flags"]) <= FLAGS
        assert field["level"] in {1, 2, 3, 4}
    report = ingest.run(
        {
            "format": "csv",
            "fields": described["fields"],
            "entity": described["entity"],
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "rows": {"register": 2000, "fair": 6366}[name],
        },
        inputs,
        out,
    )
    assert report["ok"] is True
    assert report["entities"] == {"register": 2000, "fair": None}[name]
