"""The one way the data plane opens DuckDB."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from sandbox.workspace import duck


def setting(connection: duckdb.DuckDBPyConnection, name: str) -> object:
    row = connection.execute("SELECT current_setting(?)", [name]).fetchone()
    assert row is not None
    return row[0]


def test_every_setting_stands_and_none_can_be_changed(tmp_path: Path) -> None:
    with duck.locked([tmp_path / "a"], tmp_path) as connection:
        assert setting(connection, "enable_external_access") is False
        assert setting(connection, "lock_configuration") is True
        assert setting(connection, "threads") == 1
        # DuckDB adds the spill folder by itself: scratch, gone with the task.
        assert setting(connection, "allowed_directories") == [f"{tmp_path}/spill/"]
        for change in ("SET threads = 2", "SET lock_configuration = false", "RESET memory_limit"):
            with pytest.raises(duckdb.InvalidInputException):
                connection.execute(change)


@pytest.mark.parametrize(("told", "share"), [("1000000000", 600_000_000), ("max", None)])
def test_memory_follows_the_containers_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, share: int | None
) -> None:
    (tmp_path / "memory.max").write_text(f"{told}\n")
    monkeypatch.setattr(duck, "_LIMITS", (str(tmp_path / "memory.max"), str(tmp_path / "nothing")))
    without = duck.memory_share()
    assert without == share if share else without > 600_000_000


def test_it_spills_when_memory_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duck, "memory_share", lambda: 64 << 20)
    with duck.locked([], tmp_path) as connection:
        ordered = connection.execute(
            "SELECT count(*) FROM (SELECT hash(range), md5(range::VARCHAR) FROM range(1500000) ORDER BY 1)"
        ).fetchone()
        assert ordered == (1_500_000,)
        connection.execute("CREATE TABLE big AS SELECT md5(range::VARCHAR) AS x FROM range(3000000)")
        assert (tmp_path / "spill").is_dir()


@pytest.mark.parametrize("name", ['a"b', "a'b", "", "x; DROP TABLE y", "名"])
def test_quoting(name: str) -> None:
    connection = duckdb.connect()
    column = connection.execute(f"SELECT 1 AS {duck.identifier(name or 'x')}, {duck.literal(name)}")
    assert column.description is not None
    assert column.description[0][0] == (name or "x")
    assert column.fetchone() == (1, name)
