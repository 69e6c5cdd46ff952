"""What hides in a file is found, whatever the place; honest files of the same formats are let through."""

import random

import polars as pl
import pytest

from sandbox.egress.check import check
from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity, Verdict
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
def test_a_leak_is_found_in_every_hiding_place_and_honest_files_pass(few, attack, policy, tmp_path):
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
    blocked = []
    for number in range(200):
        keys = draw.sample(["district", "sex", "occupation", "disease"], draw.choice([1, 2]))
        counts = persons.group_by(keys).agg(n=pl.len()).filter(pl.col("n") >= 10).sort(keys)
        form = list(HONEST)[number % len(HONEST)]
        honest = attack(HONEST[form]([counts.columns, *counts.rows()]), f"a.{form}", raws=raws)
        if honest.verdict is Verdict.REJECT:
            blocked.append((form, keys, sorted({f.rule for f in honest.findings})))
    assert len(blocked) <= 4, blocked
