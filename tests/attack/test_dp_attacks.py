"""Attacks on the path of a question under differential privacy that were found by trying them: each told more
of the rows than its charge pays for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.core.lifecycle import Case
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.desensitize.transforms.base import Params
from sandbox.egress.check import check, declarations
from sandbox.egress.context import Paid, RawTable
from sandbox.operation import dp
from sandbox.operation.outcome import DP_WORDS
from tests.plugins.questions import NANO, answered, query, question, started
from tests.plugins.space import Scene
from tests.refusal import refused

# --- the checker as an oracle: the same paid answer, with and without one person among the raw rows

NAME, KEY = "欧阳慕寒", "K999999"
SOMEBODY = {
    "key of an entity as key": ("district,people\nA,12\nK999999,0\n", {"pid": KEY}),
    "name as key": (f"district,people\nA,12\n{NAME},0\n", {"name": NAME}),
    "key of an entity as measure": (f"district,{KEY}\nA,12\nB,0\n", {"pid": KEY}),
    "name as measure": (f"district,{NAME}\nA,12\nB,0\n", {"name": NAME}),
    "count that equals an id": ("district,people\nA,4242424242\nB,0\n", {"pid": "4242424242"}),
    "one name of many": (
        "district,people\n" + "".join(f"人{i}氏,0\n" for i in range(300)) + f"{NAME},0\n",
        {"name": NAME},
    ),
}


def persons(put: dict[str, str]) -> pl.DataFrame:
    """400 persons; the first has the values ``put``."""
    numbers = range(400)
    table = pl.DataFrame(
        {
            "pid": [f"K{7 * i + 100003}" for i in numbers],
            "name": [f"名字{i}" for i in numbers],
            "district": ["A", "B"] * 200,
            "age": [i % 80 for i in numbers],
            "disease": ["flu"] * 400,
        }
    )
    first = pl.int_range(pl.len()) == 0
    return table.with_columns(
        pl.when(first).then(pl.lit(value)).otherwise(name).alias(name) for name, value in put.items()
    )


def told_of(
    folder: Path, table: pl.DataFrame, text: str, policy: dict[str, Any], paid: bool
) -> dict[str, Any]:
    """All that a report holds but times and sizes of the run."""
    (folder / "out").mkdir(parents=True)
    (folder / "out" / "out.csv").write_text(text, encoding="utf-8")
    table.write_parquet(folder / "raw.parquet")
    raw = RawTable("persons", folder / "raw.parquet", "pid", ("district", "age"), ("disease",), ("name",))
    counts = [text.split("\n")[0].split(",")[1]]
    told = [{"path": "out.csv", "kind": "table", "dimensions": ["district"], "counts": counts}]
    charge = {"out.csv": Paid("dpr-1", hashlib.sha256(text.encode()).hexdigest(), 1)} if paid else {}
    report = check(
        [folder / "out"], [raw], declarations(told), policy, "test", canonical=folder / "c", paid=charge
    ).as_json()
    return {key: value for key, value in report.items() if key not in ("seconds", "check_seconds")}


@pytest.mark.parametrize("case", SOMEBODY)
def test_the_verdict_on_a_paid_answer_does_not_tell_who_is_among_the_rows(
    case: str, tmp_path: Path, policy: dict[str, Any]
) -> None:
    text, put = SOMEBODY[case]
    reports = [
        told_of(tmp_path / name, persons(values), text, policy, paid=True)
        for name, values in (("without", {}), ("with", put))
    ]
    assert reports[0] == reports[1]
    assert reports[0]["verdict"] == "no_objection"


def test_the_same_answer_unpaid_is_held_against_the_rows(tmp_path: Path, policy: dict[str, Any]) -> None:
    """The cases above are able to tell: without a charge the report is another one with that person."""
    for number, (text, put) in enumerate(SOMEBODY.values()):
        found = [
            told_of(tmp_path / f"{number}-{len(values)}", persons(values), text, policy, paid=False)[
                "findings"
            ]
            for values in ({}, put)
        ]
        assert found[0] != found[1], text


# --- products whose rows are not the persons', and entities that are not the persons


def asks_income(scene: Scene) -> Resource:
    """A question for the mean income over the primary product."""
    measures = [{"name": "m", "of": "mean", "column": "income", "lower": 0, "upper": 100}]
    told = {"measures": measures, "nano_rho": NANO}
    outputs = [{"path": "out.csv", "kind": "table", "measures": ["m"]}]
    return scene.create("developer", "job", question(scene, query=told, outputs=outputs))


@pytest.fixture
def made(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scene]:
    """``made(income=[…], steps=[…])``: the primary product with other transforms, of another recipe."""

    def changed(steps: Sequence[str] = (), **transforms: list[str]) -> Scene:
        def told(case: Case, kind: str, id: str) -> Resource:
            row = need(case, kind, id)
            if kind == "product":
                columns = [
                    {**one, "transforms": transforms.get(one["name"], [])} for one in row.spec["columns"]
                ]
                return replace(row, spec={**row.spec, "columns": columns})
            if kind == "job":
                return replace(row, spec={**row.spec, "recipe": {"steps": [{"transform": s} for s in steps]}})
            return row

        monkeypatch.setattr("sandbox.operation.dp.need", told)
        return granted

    return changed


@pytest.mark.parametrize("name", ["microaggregate", "redact", "a transform of next year"])
def test_a_column_that_mixes_persons_is_not_asked_for(made: Callable[..., Scene], name: str) -> None:
    """One person less moves the groups of many: the square of the distance was 453 where 1 was claimed."""
    scene = made(person_id=["pseudonym"], income=["round", name])
    with refused("DP_MIXED"):
        asks_income(scene)
    assert scene.create("developer", "job", question(scene)).state == "queued"  # it does not use that column


@pytest.mark.parametrize("beside", sorted(dp.BESIDE))
def test_nor_one_that_may_have_looked_at_such_a_column(made: Callable[..., Scene], beside: str) -> None:
    assert asks_income(made(steps=["round", beside], income=[beside])).state == "queued"
    with refused("DP_MIXED"):
        asks_income(made(steps=["microaggregate", beside], income=[beside]))


def test_nor_any_where_such_a_column_may_have_chosen_the_rows(made: Callable[..., Scene]) -> None:
    assert asks_income(made(steps=["sample"])).state == "queued"
    with refused("DP_MIXED"):
        asks_income(made(steps=["microaggregate", "sample"]))


def test_every_transform_is_known_to_mix_or_not_to_mix_persons() -> None:
    """Compared with the table: whoever adds a transform has to decide, and what it reads decides."""
    mixing = {"microaggregate", "redact"}
    assert dp.CELLWISE | dp.BESIDE | dp.CHOOSING | mixing == TRANSFORMS.keys()
    assert len(dp.CELLWISE) + len(dp.BESIDE) + len(dp.CHOOSING) + len(mixing) == len(TRANSFORMS)
    assert {name for name, one in TRANSFORMS.items() if one.selects} == dp.CHOOSING
    looks = {name for name, one in TRANSFORMS.items() if one.params.reads is not Params.reads or one.many}
    assert looks <= dp.BESIDE | mixing
    assert dp.NAMING <= dp.CELLWISE


def test_an_entity_may_be_tidied_before_its_pseudonym(made: Callable[..., Scene]) -> None:
    """One person under several spellings is several entities: the product that mends it may be asked."""
    assert asks_income(made(person_id=["tidy", "pseudonym"])).state == "queued"
    with refused("DP_ENTITY"):
        asks_income(made(person_id=["mask"]))


@pytest.mark.parametrize(
    ("column", "role", "flags", "transforms", "refusal"),
    [
        *(("person_id", role, [], ["pseudonym"], True) for role in ("identifier", "quasi", "other")),
        ("income", "other", ["personal"], ["pseudonym"], True),
        ("income", "other", ["sensitive_personal"], [], True),
        ("income", "other", ["personal"], ["tidy", "generalise"], False),  # a band of ages is no name
        ("income", "sensitive", ["personal"], [], False),
        ("income", "other", [], [], False),
    ],
)
def test_no_question_is_grouped_by_what_recipes_hold_for_an_identifier(
    made: Callable[..., Scene],
    monkeypatch: pytest.MonkeyPatch,
    column: str,
    role: str,
    flags: list[str],
    transforms: list[str],
    refusal: bool,
) -> None:
    """The entity under another role, and personal fields of which nobody stated one."""
    scene = made(**{"person_id": ["pseudonym"], column: transforms})
    before: Callable[..., Resource] = vars(dp)["need"]

    def told(case: Case, kind: str, id: str) -> Resource:
        row = before(case, kind, id)
        if kind != "catalogue-entry":
            return row
        stated = {"role": role, "flags": flags}
        fields = [{**one, **(stated if one["name"] == column else {})} for one in row.spec["fields"]]
        return replace(row, spec={**row.spec, "fields": fields})

    monkeypatch.setattr("sandbox.operation.dp.need", told)
    keys = ["1", "2"] if column == "person_id" else [1, 2]
    asked = question(scene, query=query(by=[{"column": column, "keys": keys}]))
    asked["outputs"][0]["dimensions"] = [column]
    if refusal:
        with refused("DP_IDENTIFIER"):
            scene.create("developer", "job", asked)
    else:
        assert scene.create("developer", "job", asked).state == "queued"


def test_the_privacy_unit_stays_once_budget_was_spent_on_it(granted: Scene) -> None:
    """Otherwise one person becomes as many entities as they have incomes, on the same books."""
    started(granted)
    with refused("DOMAIN_FIXED"):
        granted.act("editor", "catalogue-entry", "ce-a", "edit", granted.entry_spec(entity="income"))
    granted.act("editor", "catalogue-entry", "ce-a", "edit", granted.entry_spec(description="told better"))


def test_a_product_keeps_the_entity_of_the_supply_that_it_is_made_of(granted: Scene) -> None:
    """Before any budget the entry may change; what was made under the other entity is not asked."""
    granted.act("editor", "catalogue-entry", "ce-a", "edit", granted.entry_spec(entity="income"))
    granted.act("confirmer", "catalogue-entry", "ce-a", "confirm")
    granted.act("editor", "catalogue-entry", "ce-a", "register", granted.registration("ce-a"))
    granted.act("editor", "catalogue-entry", "ce-a", "include")
    with refused("DP_ENTITY"):
        granted.create("developer", "job", question(granted))


# --- ends of jobs as answers


@pytest.mark.parametrize("limit", [{"seconds": 1}, {"memory_bytes": 64 << 20}, {"output_bytes": 1024}])
def test_a_question_brings_no_limits_of_its_own(granted: Scene, limit: dict[str, int]) -> None:
    """Keys padded to just under ``output_bytes``: the job failed or not by the digits of a fresh draw."""
    with refused("DP_ONLY"):
        granted.create("developer", "job", question(granted, limits=limit))


ENDS = (
    {"end": "failed", "seconds": 2.0},
    {"end": "timed_out", "seconds": 3600.0},
    {"end": "out_of_memory", "seconds": 39.0},
    {"end": "failed", "seconds": 8.1, "error": {"class": "SIGKILL", "line": None, "file": ""}},
    {"end": "failed", "seconds": 8.1, "error": {"class": "MemoryError", "line": 3, "file": "a.py"}},
    {"end": "failed", "seconds": 0.1, "error": {"class": "MISSING_OUTPUT", "line": None, "file": ""}},
    {"end": "failed", "seconds": 0.0, "error": {"class": "BLOB_DAMAGED", "line": None, "file": ""}},
    {"end": "failed", "seconds": 2.0, "log": {"sha256": "0" * 64, "bytes": 9}},
)


def seen(scene: Scene, job: str) -> dict[str, Any]:
    """What the developer is shown of a job's end."""
    told: dict[str, Any] = scene.control.get(scene.who("developer"), "job", job).status["outcome"]
    return told


def test_all_failures_of_a_question_look_alike(granted: Scene) -> None:
    """Time and memory of a question about one entity grow with its rows: 1.3 s without it, 39 s with it."""
    shown = []
    for number, end in enumerate(ENDS):
        job = f"job-{number}"
        started(granted, job)
        granted.act("system", "job", job, "run")
        granted.act("system", "job", job, "fail", {"error": None, **end})
        shown.append(seen(granted, job))
        with refused("NO_LOG"):
            granted.act("developer", "job", job, "propose_log")
    assert all(one == shown[0] for one in shown)
    assert shown[0] == {
        **dict.fromkeys(("signal", "limit", "duration", "log")),
        **{"end": "failed", "exit": "error", "error": {"class": "Exception", "line": None, "file": ""}},
    }


@pytest.mark.parametrize("word", sorted(DP_WORDS))
def test_what_follows_from_the_question_alone_is_told(granted: Scene, word: str) -> None:
    started(granted)
    told = granted.ran("failed", error={"class": word, "line": None, "file": ""})
    granted.act("system", "job", "job-q", "fail", told)
    assert seen(granted, "job-q")["error"]["class"] == word


def test_of_an_answer_it_is_told_that_it_is_there(granted: Scene) -> None:
    answered(granted)
    nothing = dict.fromkeys(("signal", "limit", "error", "duration", "log"))
    assert seen(granted, "job-q") == {**nothing, "end": "ok", "exit": "ok"}
