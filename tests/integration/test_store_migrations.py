"""The migrations on both databases: they make what the tables say, and go down and up again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from sandbox.core.resource import Entry
from sandbox.store import Store
from sandbox.store.engine import open_engine, parse_url
from sandbox.store.store import migrations
from sandbox.store.tables import metadata


@pytest.fixture
def engine(blank_database_url: str) -> Iterator[Engine]:
    opened = open_engine(parse_url(blank_database_url))
    yield opened
    opened.dispose()


def run(engine: Engine, step: str, revision: str) -> None:
    with engine.begin() as connection:
        {"up": command.upgrade, "down": command.downgrade}[step](migrations(connection), revision)


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_the_migrations_make_exactly_the_tables_of_the_code(engine: Engine) -> None:
    run(engine, "up", "head")
    assert tables(engine) == set(metadata.tables)
    with engine.begin() as connection:
        command.check(migrations(connection))  # raises when a table, column or index differs


def test_up_down_up(engine: Engine) -> None:
    run(engine, "up", "head")
    run(engine, "down", "base")
    assert tables(engine) == set()
    run(engine, "up", "head")
    assert tables(engine) == set(metadata.tables)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO checkpoint (size, note, key) VALUES (1, 'x', 'y')"))
    with pytest.raises(DBAPIError, match="append only"), engine.begin() as connection:
        connection.execute(text("DELETE FROM checkpoint"))


def test_an_upgrade_that_fails_leaves_nothing_half_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, blank_database_url: str
) -> None:
    class Stop(Exception):
        pass

    def fail(*_: object) -> None:
        raise Stop

    store = Store(blank_database_url)
    with monkeypatch.context() as patch:
        patch.setattr("sandbox.store.store.begin_log", fail)
        with pytest.raises(Stop):
            store.upgrade()
    assert tables(engine) == set()
    store.upgrade()
    store.close()


def test_an_upgrade_keeps_what_is_there(database_url: str) -> None:
    store = Store(database_url)
    store.upgrade()
    with store.write() as writer:
        writer.note(Entry(datetime.now(UTC), "chen", "op", "operator", "apply", "job/j"))
    store.upgrade()
    with store.read() as reader:
        assert reader.head().size == 1
    store.close()
