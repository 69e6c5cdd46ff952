"""The privacy budget on both databases: many processes, kill -9, and what SQL itself refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from sandbox.core.resource import Entry
from sandbox.store.engine import open_engine, parse_url
from tests.plugins.charges import load
from tests.plugins.questions import answered, books, spent, started
from tests.plugins.space import Scene


def test_many_processes_and_kills_spend_exactly_what_was_charged(database_url: str) -> None:
    """T8 of the plan, small: ``benchmarks/dp_budget.py`` is the same with 10,000 questions."""
    told = load(database_url, questions=80, processes=8, kills=6, seed=1)
    assert told.wrong == []
    assert 1 <= told.kills <= 6  # one that has just ended by itself is not killed
    assert told.met["charged"] <= told.releases  # one that was killed after the commit has not told of it
    assert told.met["known"] > 0
    assert told.met["BUDGET"] > 0
    assert set(told.met) == {"charged", "known", "BUDGET"}
    assert told.charges == 3 * told.releases > 0


@pytest.fixture
def raw(granted_on: Scene) -> Iterator[Engine]:
    """The database under a scene, past the store."""
    engine = open_engine(parse_url(granted_on.space.settings.database))
    yield engine
    engine.dispose()


def rewritten(engine: Engine, row: str, of: str, /, **over: Any) -> None:
    """``UPDATE resource`` as somebody with the database's password would write it."""
    columns = ", ".join(f"{name} = :{name}" for name in over)
    values = {name: json.dumps(value) if isinstance(value, dict) else value for name, value in over.items()}
    with engine.begin() as connection:
        connection.execute(
            text(f"UPDATE resource SET {columns} WHERE kind = :of AND id = :row"),
            {**values, "of": of, "row": row},
        )


def change(status: dict[str, Any], **sums: int) -> dict[str, Any]:
    return {**status, "budget": {**status["budget"], **sums}}


CHANGES = (
    {"nano_rho": 0},
    {"delta_e15": 0, "nano_rho": 1},
    {"nano_rho": 10**15},
    {"cap_nano_rho": 10**15},
    {"delta_bound": 10**9},
    {"charges": 0},
)


def test_the_database_takes_no_change_of_a_budget_that_is_no_charge(granted_on: Scene, raw: Engine) -> None:
    started(granted_on)
    book, before = books(granted_on)["use"], spent(granted_on)
    for sums in CHANGES:
        for version in (book.version, book.version + 1):
            with pytest.raises(DBAPIError, match="only grows"):
                rewritten(raw, book.id, "dp-budget", status=change(book.status, **sums), version=version)
    with pytest.raises(DBAPIError, match="only grows"):
        rewritten(raw, book.id, "dp-budget", status={}, version=book.version + 1)
    with pytest.raises(DBAPIError, match="only grows"):
        rewritten(raw, book.id, "dp-budget", kind="job")
    assert spent(granted_on) == before


def test_the_database_takes_no_budget_that_has_spent_no_replacement_and_no_deletion(
    granted_on: Scene, raw: Engine
) -> None:
    started(granted_on)
    book = books(granted_on)["use"]
    copy = replace(book, id="dpb-copy", version=0)
    entry = Entry(granted_on.clock(), "system", "space", "system", "fabricate", copy.ref, after="open")
    with pytest.raises(DBAPIError, match="only grows"), granted_on.store.write() as writer:
        writer.put(copy, entry, expected=0)
    with pytest.raises(DBAPIError, match="append only"), raw.begin() as connection:
        connection.execute(text("DELETE FROM resource WHERE kind = 'dp-budget'"))
    if raw.dialect.name == "sqlite":
        with pytest.raises(DBAPIError, match="only grows"), raw.begin() as connection:
            connection.execute(
                text("INSERT OR REPLACE INTO resource SELECT * FROM resource WHERE kind = 'dp-budget'")
            )


def test_the_database_keeps_a_sealed_answer(granted_on: Scene, raw: Engine) -> None:
    release = answered(granted_on).status["dp"]["release"]
    row = granted_on.get("dp-release", release)
    forged = {**row.status, "seal": {**row.status["seal"], "sha256": "0" * 64}}
    for over in ({"status": forged}, {"state": "charged"}):
        with pytest.raises(DBAPIError, match="a sealed answer stays"):
            rewritten(raw, release, "dp-release", **over)


def test_the_database_keeps_what_an_answer_is_for_and_costs(granted_on: Scene, raw: Engine) -> None:
    """Before the seal as after it; and a lost one is not made one that may be answered."""
    release = started(granted_on).status["dp"]["release"]
    row = granted_on.get("dp-release", release)
    for over in ({"spec": {**row.spec, "nano_rho": 1}}, {"kind": "job"}, {"id": "dpr-another"}):
        with pytest.raises(DBAPIError, match="a sealed answer stays"):
            rewritten(raw, release, "dp-release", **over)
    granted_on.act("system", "dp-release", release, "lose", {"job": "job-q"})
    with pytest.raises(DBAPIError, match="a sealed answer stays"):
        rewritten(raw, release, "dp-release", state="charged")
