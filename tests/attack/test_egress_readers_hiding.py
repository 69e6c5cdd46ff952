"""What hides in a file is found, whatever the place; honest files of the same formats are let through."""

import random

import polars as pl
import pytest

from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity
from tests.plugins.hiding import HONEST, PLACES


@pytest.fixture(scope="module")
def few(persons, tmp_path_factory):
    """Raw data that is fast to index."""
    path = tmp_path_factory.mktemp("few") / "persons.parquet"
    persons.head(400).write_parquet(path)
    return persons.head(400), [
        RawTable("persons", path, "id_no", ("district", "sex", "age"), ("disease",), ("name", "phone"))
    ]


@pytest.mark.requirement("R-140")
def test_a_leak_is_found_in_every_hiding_place_and_honest_files_pass(few, policy, tmp_path):
    persons, raws = few
    draw = random.Random(140)
    assert len(PLACES) >= 40
    leaks = draw.sample(persons["id_no"].to_list(), len(PLACES))
    missed = []
    for start in range(0, len(PLACES), 8):
        batch = list(enumerate(zip(PLACES, leaks, strict=True)))[start : start + 8]
        outputs = tmp_path / f"leaks{start}"
        for number, ((_, name, make), leak) in batch:
            folder = outputs / f"{number:03d}"
            folder.mkdir(parents=True)
            (folder / name).write_bytes(make(leak))
        report = check([outputs], raws, {}, policy, "test@1")
        assert not [leak for leak in leaks if leak in str(report.as_json())]
        for number, ((where, name, _), _) in batch:
            mine = [f for f in report.findings if f.path.startswith(f"{number:03d}/")]
            rules = {f.rule for f in mine if f.severity is Severity.HARD}
            if not rules & {"IDENTIFIER", "RAW_IDENTIFIER"}:
                missed.append((where, name, sorted({f.rule for f in mine}), [f.evidence for f in mine]))
    assert missed == []
    blocked, clean = [], 0
    for number in range(20):
        keys = draw.sample(["district", "sex", "occupation", "disease"], draw.choice([1, 2]))
        counts = persons.group_by(keys).agg(n=pl.len()).filter(pl.col("n") >= 10).sort(keys)
        outputs = tmp_path / f"honest{number}"
        outputs.mkdir()
        for form, honest in HONEST.items():
            (outputs / f"a.{form}").write_bytes(honest([counts.columns, *counts.rows()]))
        report = check([outputs], raws, {}, policy, "test@1")
        clean += len(HONEST)
        hard = [f for f in report.findings if f.severity is Severity.HARD]
        blocked += [(keys, f.path, f.rule, f.where) for f in hard]
    assert clean == 200
    assert len({(str(keys), path) for keys, path, _, _ in blocked}) <= 4, blocked
