"""The statement list of SQL jobs, and the engine behind it: each statement tried against both walls.

``WALLS`` says for each what the list answers and whether DuckDB, opened as jobs are, refuses it by itself
when nobody asks the list. Where the engine lets one through the list is the wall, and the container's
read-only inputs and its missing network stand behind it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.core.errors import SandboxError
from sandbox.task.heads import refuse_heads
from sandbox.task.log import SealedLog
from sandbox.task.sql_job import Script, execute, run_sql
from sandbox.task.statements import hold, split

S, F, T = "SQL_STATEMENT", "SQL_FUNCTION", "SQL_TABLE"

# statement, what the list answers, whether the engine refuses it too
WALLS = [
    ("SELECT * FROM read_text('/etc/passwd')", F, True),
    ("SELECT * FROM read_text('{in}/task.json')", F, True),
    ("SELECT * FROM read_text('{in}/data/../task.json')", F, True),
    ("SELECT * FROM read_text('/proc/self/environ')", F, True),
    ("SELECT * FROM read_blob('/etc/passwd')", F, True),
    ("SELECT * FROM read_csv('/etc/passwd')", F, True),
    ("SELECT * FROM read_csv_auto('/etc/passwd')", F, True),
    ("SELECT * FROM read_json('{in}/task.json')", F, True),
    ("SELECT * FROM read_ndjson_objects('{in}/task.json')", F, True),
    ("SELECT * FROM read_parquet('{in}/other.parquet')", F, True),
    ("SELECT * FROM parquet_scan('{in}/other.parquet')", F, True),
    ("SELECT * FROM parquet_metadata('{in}/other.parquet')", F, True),
    ("SELECT * FROM parquet_schema('{in}/other.parquet')", F, True),
    ("SELECT * FROM parquet_kv_metadata('{in}/other.parquet')", F, True),
    ("SELECT * FROM read_duckdb('{in}/x.db')", F, True),
    ("SELECT * FROM sniff_csv('/etc/passwd')", F, True),
    ("SELECT * FROM glob('{in}/*')", F, True),
    ("SELECT * FROM glob('/etc/../etc/*')", F, True),
    ("SELECT * FROM '{in}/other.parquet'", T, True),
    ("SELECT * FROM '/etc/passwd.csv'", T, True),
    ("SELECT * FROM 'http://127.0.0.1:9/x.csv'", T, True),
    ("SELECT * FROM 's3://bucket/x.parquet'", T, True),
    ("SELECT * FROM '{out}/link.csv'", T, True),
    ("SELECT * FROM read_text('{out}/link.csv')", F, True),
    ("SELECT getenv('HOME')", F, True),
    ("SELECT current_setting('temp_directory')", F, False),
    ("SELECT * FROM duckdb_settings()", F, False),
    ("SELECT * FROM duckdb_secrets()", F, True),
    ("SELECT * FROM duckdb_tables", T, False),
    ("SELECT * FROM information_schema.tables", T, False),
    ("SELECT * FROM query('SELECT 1')", F, False),
    ("SELECT * FROM query_table('residents')", F, False),
    ("SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", F, False),
    ("SELECT write_log('x')", F, False),
    ("SELECT * FROM python_variable", "", True),  # a plain name that is no table: the engine's to refuse
    ("COPY residents TO '{out}/leak.csv'", S, True),
    ("COPY residents TO '{in}/data/leak.csv'", S, True),
    ("COPY residents TO '/tmp/leak.csv'", S, True),
    ("COPY residents TO '/dev/stdout'", S, True),
    ("COPY (SELECT 1) TO '{out}/t.csv'", S, False),  # a declared output: the runner's own way
    ("COPY residents FROM '/etc/passwd'", S, True),
    ("EXPORT DATABASE '{out}/all'", S, True),
    ("IMPORT DATABASE '{out}/all'", S, True),
    ("COPY FROM DATABASE memory TO memory", S, True),
    ("ATTACH '{out}/leak.db'", S, True),
    ("ATTACH '/tmp/leak.db' AS leak", S, True),
    ("ATTACH ':memory:' AS other", S, False),
    ("DETACH temp", S, True),
    ("USE memory", S, False),
    ("INSTALL httpfs", S, True),
    ("FORCE INSTALL spatial FROM community", S, True),
    ("LOAD '/tmp/x.duckdb_extension'", S, True),
    ("LOAD json", S, False),
    ("UPDATE EXTENSIONS", S, True),  # the Python package has no name for its kind
    ("SET enable_external_access = true", S, True),
    ("SET lock_configuration = false", S, True),
    ("SET memory_limit = '100GB'", S, True),
    ("SET threads = 64", S, True),
    ("SET temp_directory = '/out'", S, True),
    ("SET GLOBAL allowed_directories = ['/']", S, True),
    ("RESET allowed_paths", S, True),
    ("SET VARIABLE a = 1", S, False),
    ("PRAGMA enable_profiling", S, True),
    ("PRAGMA database_list", S, False),
    ("CALL enable_logging(storage = 'file', storage_path = '{out}/log')", S, True),
    ("CALL pragma_version()", S, False),
    ("CHECKPOINT", S, False),
    ("VACUUM", S, False),
    ("CREATE SECRET s (TYPE http)", S, True),
    ("CREATE SCHEMA s", S, False),
    ("CREATE TYPE mood AS ENUM ('a')", S, False),
    ("CREATE SEQUENCE q", S, False),
    ("CREATE TABLE w (a INTEGER)", S, False),
    ("INSERT INTO t VALUES (1)", S, False),
    ("UPDATE t SET a = 2", S, False),
    ("DELETE FROM t", S, False),
    ("DROP TABLE u", S, False),
    ("ALTER TABLE t ADD COLUMN b INTEGER", S, False),
    ("CREATE INDEX i ON t (a)", S, False),
    ("BEGIN", S, False),
    ("PREPARE p AS SELECT 1", S, False),
    ("EXECUTE p", S, True),
    ("EXPLAIN ANALYZE SELECT 1", S, False),
    ("SHOW ALL TABLES", S, False),
    ("PIVOT residents ON id USING sum(n)", S, False),  # its columns would be named by the data
    ("WITH w AS (INSERT INTO t VALUES (1) RETURNING a) SELECT * FROM w", S, False),
    ("CREATE VIEW v AS SELECT * FROM read_text('/etc/passwd')", F, True),
    ("CREATE MACRO m() AS TABLE SELECT * FROM glob('/*')", F, True),
    ("CREATE MACRO m() AS (SELECT content FROM read_text('/etc/passwd'))", F, True),
    ("CREATE TABLE /* */ w AS SELECT 1", S, False),  # a head with a comment has two readings
    ("SELECT (SELECT max(content) FROM read_text('/etc/passwd'))", F, True),
    ("SELECT * FROM residents, LATERAL (SELECT * FROM glob(residents.id))", F, True),
]

ALLOWED = [
    "SELECT 1",
    "FROM residents SELECT count(*)",
    "WITH a AS (SELECT n FROM residents) SELECT sum(n) FROM a",
    "WITH RECURSIVE r(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT max(i) FROM r",
    "(SELECT 1) UNION ALL (SELECT 2)",
    "VALUES (1), (2)",
    "TABLE residents",
    "SELECT * FROM range(3) AS g(i), unnest([1, 2]) AS u(v)",
    "SELECT n, row_number() OVER (ORDER BY n) FROM residents QUALIFY n > 0",
    "SELECT * FROM residents PIVOT (sum(n) FOR id IN ('a', 'b'))",
    "PIVOT residents ON id IN ('a', 'b') USING sum(n)",
    "DESCRIBE residents",
    "SUMMARIZE residents",
    "CREATE TABLE u AS SELECT * FROM residents",
    "CREATE OR REPLACE TEMP TABLE u AS FROM residents",
    "CREATE TABLE IF NOT EXISTS u AS (SELECT 1 AS a)",
    'create temporary view "my view" as select * from residents',
    "CREATE TABLE 合计 AS -- 注释; 'x\nSELECT count(*) AS 人数 FROM residents",
    "CREATE TABLE u(a, b) AS SELECT id, n FROM residents",
    "CREATE VIEW u AS TABLE residents",
    "CREATE MACRO half(a) AS a / 2; SELECT half(n) FROM residents",
    "CREATE MACRO many(low) AS TABLE SELECT * FROM residents WHERE n > low; SELECT * FROM many(1)",
    "CREATE FUNCTION one() AS 1; SELECT one()",
    "SELECT list_transform([1, 2], lambda x: x + 1), 'read_text(''x'')', \"n\" FROM residents",
    "SELECT r.id FROM memory.main.residents r SEMI JOIN residents s USING (id)",
    "SELECT " + " + ".join(["1"] * 400),
    "CREATE TABLE u\u3000AS\u00a0SELECT 1",  # blanks of a Chinese keyboard
    "-- only a note",
    ";;",
]


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """``in/data/residents.parquet``, files beside it that are nobody's input, a planted link in ``out``."""
    for name in ("in/data", "in/code", "out"):
        (tmp_path / name).mkdir(parents=True)
    table = pa.table({"id": ["a", "b", "c"], "n": [1, 2, 3]})
    for name in ("data/residents.parquet", "other.parquet"):
        pq.write_table(table, tmp_path / "in" / name)
    (tmp_path / "in/task.json").write_text("{}")
    (tmp_path / "out/link.csv").symlink_to("/etc/passwd")
    return tmp_path


def filled(statement: str, room: Path) -> str:
    return statement.replace("{in}", str(room / "in")).replace("{out}", str(room / "out"))


def run(room: Path, script: str, *, listed: bool) -> dict[str, Any] | None:
    """The script with the list asked (``listed``) or switched off."""
    (room / "in/code/main.sql").write_text(script)
    log = SealedLog(room / "log.txt")
    given = (room / "in/data", ["residents"], ["t.csv"], room / "out", room)
    if listed:
        return run_sql(room / "in/code", "main.sql", *given, log)
    return execute(Script("main.sql", script, log), split(script), *given)


def snapshot(room: Path) -> dict[str, bytes]:
    """Everything that stands in the inputs, and the names in the output folder."""
    files = [path for path in (room / "in/data").rglob("*") if path.is_file()]
    names = {path.name: b"" for path in (room / "out").iterdir()}
    return {str(path): path.read_bytes() for path in files} | names


LISTED = [one[:2] for one in WALLS if one[1]]


@pytest.mark.parametrize(("statement", "answer"), LISTED, ids=[one[0] for one in LISTED])
def test_the_list_refuses_before_anything_runs(statement: str, answer: str, room: Path) -> None:
    before = snapshot(room)
    first = "CREATE TABLE t AS SELECT 1 AS a;\nSELECT error('the first statement ran');"
    error = run(room, f"{first}\n{filled(statement, room)};", listed=True)
    assert error == {"class": answer, "line": 3, "file": "main.sql"}
    assert snapshot(room) == before


@pytest.mark.parametrize(("statement", "answer", "engine"), WALLS, ids=[one[0] for one in WALLS])
def test_the_engine_behind_the_list(statement: str, answer: str, engine: bool, room: Path) -> None:
    before = snapshot(room)
    script = f"CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE u AS FROM t;\n{filled(statement, room)};"
    python_variable = pa.table({"a": [1]})
    error = run(room, script, listed=False)
    assert (error is not None) == engine, (error, python_variable.num_rows)
    assert error is None or error["line"] == 2
    after = snapshot(room)
    after.pop("t.csv", None)
    assert after == before  # whatever it let through: no file came, none changed


def test_the_engine_refuses_a_macro_that_reads_files_when_it_is_made(room: Path) -> None:
    for macro in ("m() AS TABLE SELECT * FROM glob('/*')", "m() AS TABLE FROM read_text('/etc/passwd')"):
        error = run(room, f"CREATE MACRO {macro};\nCREATE TABLE t AS SELECT * FROM m();", listed=False)
        assert error == {"class": "PermissionException", "line": 1, "file": "main.sql"}


@pytest.mark.parametrize("script", ALLOWED)
def test_read_statements_pass_both_readings_and_run(script: str, room: Path) -> None:
    whole = f"{script};\nCREATE TABLE t AS SELECT 1 AS a"
    refuse_heads(whole, "main.sql")
    assert run(room, whole, listed=True) is None
    assert (room / "out/t.csv").read_text() == "a\n1\n"


def test_the_line_is_the_one_of_the_word(room: Path) -> None:
    script = "-- 贵州省\nSELECT '；',\n  (SELECT 1),\n  (SELECT max(content)\n   FROM read_text('x'));"
    with pytest.raises(SandboxError) as caught:
        hold(split(script), "main.sql")
    assert (caught.value.code, caught.value.details) == (
        "SQL_FUNCTION",
        {"file": "main.sql", "line": 5, "what": "read_text"},
    )
    script = "SELECT 1;\nCREATE VIEW v AS\n  SELECT *\n  FROM\n  'x.csv'"
    with pytest.raises(SandboxError) as caught:
        hold(split(script), "main.sql")
    assert (caught.value.code, caught.value.details["line"]) == ("SQL_TABLE", 5)


@pytest.mark.parametrize(
    "script",
    [
        "CREATE MACRO m(a := (SELECT max(content) FROM read_text('/etc/passwd'))) AS a",
        "CREATE MACRO m(a) AS a, (a, b) AS (SELECT content FROM read_text('x'))",
        "CREATE TABLE x.y.t AS SELECT 1",
        "CREATE TABLE t AS PIVOT residents ON id USING sum(n)",
        "CREATE TABLE t\u00a0AS SELECT content FROM read_text('/etc/passwd')",
        "CREATE MACRO read_text(a) AS TABLE SELECT 1; SELECT * FROM read_text('x')",
        "CREATE MACRO m(a) AS TABLE SELECT * FROM m(a), read_blob(a)",
        "SELECT " + "(" * 900 + "1" + ")" * 900 + " FROM read_text('x')",
    ],
)
def test_what_cannot_be_read_in_one_way_is_refused(script: str) -> None:
    with pytest.raises((SandboxError, duckdb.Error)):
        hold(split(script), "main.sql")


# --- the first reading, at submission -------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "code", "line"),
    [
        ("SELECT 1;\n\nCOPY t TO 'x'", S, 3),
        ("-- a\n/* ; */ ATTACH 'x'", S, 2),
        ("SELECT ';';\n\n  INSTALL x", S, 3),
        ("CREATE SECRET s (TYPE http)", S, 1),
        ("CREATE OR REPLACE SCHEMA s", S, 1),
        ("SELECT 1;\nSELECT *\nFROM READ_TEXT ('x')", F, 3),
        ("SELECT $a$;$a$; (((SET x = 1)))", S, 1),
        ("'x'", S, 1),
    ],
)
def test_a_mistake_is_told_at_submission(script: str, code: str, line: int) -> None:
    with pytest.raises(SandboxError) as caught:
        refuse_heads(script, "main.sql")
    assert (caught.value.code, caught.value.details["line"]) == (code, line)
    assert len(str(caught.value.details["what"])) <= 60
