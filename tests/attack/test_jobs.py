"""What a hostile job can make the runner say, write or leave behind. (The walls are the container's.)"""

from __future__ import annotations

import csv
import ctypes
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.core.errors import SandboxError
from sandbox.egress.readers.sniff import sniff
from sandbox.task import job
from sandbox.task.log import LOG_BYTES, TITLE

SECRET = "520102199001011234"


class Bench:
    """An ``/in`` with one view of three residents, and an ``/out/files``."""

    def __init__(self, root: Path) -> None:
        self.root, self.inputs, self.out = root, root / "in", root / "out"
        for folder in (self.inputs / "data", self.inputs / "code", self.out):
            folder.mkdir(parents=True)
        table = pa.table({"id": [SECRET, "b", "c"], "n": [1, 2, 3]})
        pq.write_table(table, self.inputs / "data" / "residents.parquet")

    def run(self, text: str, *outputs: str, language: str = "sql", **params: Any) -> dict[str, Any]:
        entry = "main.sql" if language == "sql" else "main.py"
        (self.inputs / "code" / entry).write_text(text)
        described = {
            "language": language,
            "entry": entry,
            "inputs": ["residents"],
            "outputs": [{"path": path} for path in outputs],
        }
        report = job.run(described | params, self.inputs, self.out)
        assert SECRET not in json.dumps(report)
        return report

    def error(self, text: str, language: str = "python") -> dict[str, Any]:
        report = self.run(text, "t.csv", language=language)
        assert report["ok"] is False
        assert report["code"] == "USER_ERROR"
        error: dict[str, Any] = report["error"]
        assert report["details"] == {"file": error["file"], "line": error["line"], "cls": error["class"]}
        return error

    def log(self) -> str:
        """The sealed log."""
        return (self.root / "log.txt").read_text(encoding="utf-8")

    def refused(self, text: str, *outputs: str, language: str = "python", **params: Any) -> SandboxError:
        with pytest.raises(SandboxError) as caught:
            self.run(text, *outputs, language=language, **params)
        assert SECRET not in json.dumps(caught.value.as_json())
        return caught.value


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


# --- what works -------------------------------------------------------------------------------------


def test_sql_writes_each_declared_output_from_the_table_of_its_name(bench: Bench) -> None:
    script = (
        "CREATE TABLE totals AS SELECT count(*) AS n, sum(n) AS s FROM residents;\n"
        "CREATE VIEW rows AS FROM totals;"
    )
    report = bench.run(script, "totals.csv", "rows.json", "Totals.parquet")
    assert (bench.out / "totals.csv").read_text() == "n,s\n3,6\n"
    assert json.loads((bench.out / "rows.json").read_text()) == [{"n": 3, "s": 6}]
    assert pq.read_table(bench.out / "Totals.parquet").to_pylist() == [{"n": 3, "s": 6}]
    assert [one["path"] for one in report["outputs"]] == ["totals.csv", "rows.json", "Totals.parquet"]
    assert report["outputs"][0]["bytes"] == 8
    assert report["timing"]["user_start"] >= 0
    assert report["timing"]["user_seconds"] >= 0


def test_python_reads_by_the_helper_and_writes_where_it_says(bench: Bench) -> None:
    (bench.inputs / "code" / "mine.py").write_text("def total(t): return sum(t['n'].to_pylist())\n")
    script = (
        "import sandbox_job\nfrom mine import total\n"
        "assert sandbox_job.inputs('residents').fetchall()[1] == ('b', 2)\n"
        "with open(sandbox_job.output('t.csv'), 'w') as f:\n"
        "    f.write(f\"s\\n{total(sandbox_job.inputs('residents').to_arrow_table())}\\n\")\n"
        "raise SystemExit(0)\n"
    )
    report = bench.run(script, "t.csv", language="python")
    assert report["ok"] is True
    with (bench.out / "t.csv").open() as file:
        assert list(csv.reader(file)) == [["s"], ["6"]]


# --- the error's words ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "name", "line"),
    [
        (f"x = 1\nraise KeyError('{SECRET}')\n", "KeyError", 2),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError", 2),
        ("x = 1\nthis is no python\n", "SyntaxError", 2),
        ("import sandbox_job\nsandbox_job.inputs('phones').to_arrow_table()\n", "FileNotFoundError", 2),
        ("import duckdb\n\nduckdb.sql('select nothing')\n", "BinderException", 3),
        ("raise SystemExit(3)\n", "SystemExit", 1),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt", 1),
        ("import os\nos._exit(9)\n", "Exception", None),
        ("import os\nos.abort()\n", "SIGABRT", None),
        ("import os\nos.kill(os.getpid(), 11)\n", "SIGSEGV", None),
        ("import os\nos.kill(os.getpid(), 31)\n", "SIGSYS", None),
        ("import os\nos.kill(os.getpid(), 34)\n", "Exception", None),  # a signal without a name
        ("import os\nos.kill(os.getpid(), 9)\n", "SIGKILL", None),
        ("raise OSError(28, 'full')\n", "disk_full", 1),
        ("x = [open('/dev/null') for _ in range(99999)]\n", "too_many_files", 1),
        ("raise BlockingIOError\n", "too_many_processes", 1),
        ("import sys\nsys.stderr.close()\nraise ValueError\n", "ValueError", 3),
        ("import json\njson.loads('{')\n", "Exception", 2),  # JSONDecodeError is not in the list
        (f"class E{SECRET}(Exception): pass\nraise E{SECRET}\n", "Exception", 2),
        (f"raise type('{SECRET}', (ValueError,), {{}})()\n", "Exception", 1),
        ("exec(compile('\\n' * 40 + 'raise ValueError', 'x', 'exec'))\n", "ValueError", 1),
        ("exec(compile('\\n' * 40 + 'raise ValueError', __file__, 'exec'))\n", "ValueError", None),
    ],
)
def test_python_errors_come_back_as_class_and_line(
    bench: Bench, script: str, name: str, line: int | None
) -> None:
    assert bench.error(script) == {"class": name, "line": line, "file": "main.py"}


def test_the_line_is_one_of_the_entry_even_when_another_file_fails(bench: Bench) -> None:
    (bench.inputs / "code" / "mine.py").write_text("\n\n\ndef f(): raise ValueError\n")
    assert bench.error("import mine\n\nmine.f()\n")["line"] == 3


@pytest.mark.parametrize(
    "forged",
    [
        f'{{"class": "{SECRET}", "line": 2, "message": "{SECRET}"}}',
        f'{{"class": "KeyError", "line": {SECRET}}}',
        f'{{"class": ["{SECRET}"], "line": "{SECRET}"}}',
        f'"{SECRET}"',
        "[" * 4000,
        SECRET,
    ],
)
def test_a_forged_error_report_is_held_to_the_words(bench: Bench, forged: str) -> None:
    script = (
        "import os\n"
        "for n in range(3, 64):\n"
        "    try: os.write(n, os.environ.get('X', FORGED).encode())\n"
        "    except OSError: pass\n"
        "os._exit(1)\n"
    ).replace("FORGED", repr(forged))
    error = bench.error(script)
    assert error["class"] in {"Exception", "KeyError"}
    assert error["line"] in {None, 2}


@pytest.mark.parametrize(
    ("script", "name", "line"),
    [
        ("SELECT 1;\n\n-- note\nSELECT * FROM nowhere;\n", "CatalogException", 4),
        ("SELECT 1;\nSELECT\n  nothing\nFROM residents;", "BinderException", 2),
        (f"SELECT 1;\n\nSELECT error('{SECRET}');", "InvalidInputException", 3),
        ("CREATE TABLE t AS SELECT id::INTEGER FROM residents;", "ConversionException", 1),
        ("SELECT 1;\nSELEC 2;\n", "ParserException", 2),
        ("SELECT ?;", "InvalidInputException", 1),
        ("CREATE VIEW t AS SELECT id::INTEGER AS x FROM residents;", "ConversionException", None),
    ],
)
def test_sql_errors_come_back_as_class_and_statement(
    bench: Bench, script: str, name: str, line: int | None
) -> None:
    assert bench.error(script, language="sql") == {"class": name, "line": line, "file": "main.sql"}


def test_a_script_in_another_encoding(bench: Bench) -> None:
    (bench.inputs / "code" / "gb.sql").write_bytes("SELECT '贵'".encode("gb18030"))
    report = bench.run("", "t.csv", entry="gb.sql")
    assert report["error"] == {"class": "UnicodeDecodeError", "line": None, "file": "gb.sql"}


# --- what SQL may not touch -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_text('{in}/task.json')",
        "SELECT * FROM read_text('{in}/code/main.sql')",
        "SELECT * FROM glob('{in}/*')",
        "SELECT * FROM '{in}/other.parquet'",
        "SELECT * FROM read_text('{in}/data/../task.json')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "COPY residents TO '{out}/leak.csv'",
        "COPY residents TO '{in}/data/leak.csv'",
        "COPY residents TO '/tmp/leak.csv'",
        "COPY residents TO '/dev/stdout'",
        "EXPORT DATABASE '{out}/all'",
        "ATTACH '{out}/leak.db'",
        "ATTACH '/tmp/leak.db'",
        "INSTALL httpfs",
        "LOAD '/tmp/x.duckdb_extension'",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SET memory_limit = '100GB'",
        "RESET allowed_paths",
        "PRAGMA enable_profiling",
        "SELECT getenv('HOME')",
        "CREATE SECRET s (TYPE http)",
        "SELECT * FROM 'http://127.0.0.1:9/x.csv'",
        "SELECT * FROM inputs",
    ],
)
def test_sql_is_locked_in(bench: Bench, statement: str) -> None:
    (bench.inputs / "task.json").write_text("{}")
    before = sorted(bench.inputs.rglob("*"))
    text = statement.replace("{in}", str(bench.inputs)).replace("{out}", str(bench.out))
    error = bench.error(f"CREATE TABLE t AS SELECT 1;\n{text};\n", language="sql")
    assert error["line"] == 2
    assert list(bench.out.iterdir()) == []
    assert sorted(bench.inputs.rglob("*")) == sorted([*before, bench.inputs / "code" / "main.sql"])


# --- outputs ----------------------------------------------------------------------------------------

WRITE = "import os, sandbox_job\nout = sandbox_job.output('').parent / sandbox_job.output('').name\n"


@pytest.mark.parametrize(
    "script",
    [
        f"(out / '{SECRET}').write_text('x')",
        "(out / '.hidden').write_text('x')",
        "(out / 'folder').mkdir()",
        "(out / 'link').symlink_to(__file__)",
        "os.mkfifo(out / 'pipe')",
        "(out / 't.csv').unlink(); (out / 't.csv').symlink_to(__file__)",
        "(out / 't.csv').unlink(); (out / 't.csv').mkdir()",
        "(out / 't.csv').unlink(); os.mkfifo(out / 't.csv')",
        "os.link(out / 't.csv', out.parent / 'second')",
    ],
)
def test_undeclared_outputs_are_counted_and_not_named(bench: Bench, script: str) -> None:
    error = bench.refused(f"{WRITE}(out / 't.csv').write_text('n\\n1\\n')\n{script}\n", "t.csv")
    assert (error.code, error.details) == ("UNDECLARED_OUTPUT", {"count": 1})


def test_missing_output(bench: Bench) -> None:
    assert bench.refused("pass\n", "t.csv").details == {"path": "t.csv"}
    assert bench.refused("SELECT 1", "t.csv", language="sql").code == "MISSING_OUTPUT"


def test_output_too_large(bench: Bench) -> None:
    declared = [{"path": "t.csv", "max_bytes": 3}]
    error = bench.refused(f"{WRITE}(out / 't.csv').write_text('n\\n1\\n')\n", outputs=declared)
    assert (error.code, error.details) == ("OUTPUT_TOO_LARGE", {"path": "t.csv", "limit": 3})


@pytest.mark.parametrize(
    "path",
    [
        "../t.csv",
        "/t.csv",
        "a/t.csv",
        ".t.csv",
        "",
        "t\n.csv",
        "t.xlsx",
        "t",
        "residents.csv",
        "Residents.json",
    ],
)
def test_output_names(bench: Bench, path: str) -> None:
    assert bench.refused("SELECT 1", path, language="sql").code == "OUTPUT_NAME"


def test_the_same_output_twice(bench: Bench) -> None:
    assert bench.refused("pass", "t.csv", "t.csv").code == "OUTPUT_NAME"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"language": "r"}, "TASK_MALFORMED"),
        ({"inputs": []}, "TASK_MALFORMED"),
        ({"inputs": ["../residents"]}, "TASK_MALFORMED"),
        ({"inputs": ["residents", "residents"]}, "TASK_MALFORMED"),
        ({"inputs": ["phones"]}, "INPUT_MISSING"),
        ({"outputs": None}, "TASK_MALFORMED"),
        ({"outputs": ["t.csv"]}, "TASK_MALFORMED"),
        ({"outputs": [{"path": "t.csv", "max_bytes": 0}]}, "TASK_MALFORMED"),
        ({"outputs": [{"path": "t.csv", "max_bytes": "many"}]}, "TASK_MALFORMED"),
        ({"entry": None}, "TASK_MALFORMED"),
        ({"entry": "/etc/passwd"}, "TASK_MALFORMED"),
        ({"entry": "../task.json"}, "TASK_MALFORMED"),
        ({"entry": "nothing.py"}, "ENTRY_MISSING"),
        ({"entry": "outside.py"}, "ENTRY_MISSING"),
    ],
)
def test_malformed_jobs(bench: Bench, params: dict[str, Any], code: str) -> None:
    (bench.inputs / "code" / "outside.py").symlink_to("/etc/passwd")
    assert bench.refused("pass", "t.csv", **params).code == code


# --- what is left behind ----------------------------------------------------------------------------


def test_no_process_of_the_job_survives_to_change_an_output(bench: Bench) -> None:
    note = bench.root / "pid"
    script = (
        f"{WRITE}import time\n"
        "(out / 't.csv').write_text('n\\n1\\n')\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        open({str(note)!r}, 'w').write(str(os.getpid()))\n"
        "        time.sleep(120)\n"
        "        (out / 't.csv').write_text('changed')\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        f"while not os.path.exists({str(note)!r}) or not open({str(note)!r}).read(): time.sleep(0.01)\n"
    )
    started = time.monotonic()
    assert bench.run(script, "t.csv", language="python")["ok"] is True
    assert time.monotonic() - started < 90
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_the_job_meets_no_secret_of_the_runner(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PASSWORD_OF_THE_RUNNER", SECRET)
    script = (
        f"{WRITE}import sys\n"
        "(out / 't.csv').write_text(repr(dict(os.environ)) + repr(sys.argv) + repr(sys.path))\n"
    )
    bench.run(script, "t.csv", language="python")
    seen = (bench.out / "t.csv").read_text()
    assert SECRET not in seen
    assert "sandbox/task" not in seen


def test_the_helper_is_two_functions() -> None:
    from sandbox.task import sandbox_job

    public = {name for name in vars(sandbox_job) if not name.startswith("_")}
    assert public - {"annotations", "TYPE_CHECKING"} == {"inputs", "output"}


def test_what_a_job_prints_goes_to_the_sealed_log_and_nowhere_else(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    script = (
        f"{WRITE}import sys\nprint('{SECRET}', flush=True)\nprint('{SECRET}', file=sys.stderr, flush=True)\n"
        f"os.system('echo {SECRET}')\n"
    )
    bench.run(f"{script}(out / 't.csv').write_text('n\\n')\n", "t.csv", language="python")
    assert capfd.readouterr() == ("", "")
    assert bench.log() == f"{TITLE}{SECRET}\n{SECRET}\n{SECRET}\n"
    assert [path.name for path in bench.out.iterdir()] == ["t.csv"]


def test_the_sealed_log_has_what_the_error_words_leave_out(bench: Bench) -> None:
    bench.error(f"x = 1\nraise KeyError('{SECRET}')\n")
    assert f"KeyError: '{SECRET}'" in bench.log()
    assert 'main.py", line 2' in bench.log()
    bench.error(f"SELECT 1;\nSELECT error('{SECRET}')", language="sql")
    assert bench.log().startswith(f"{TITLE}main.sql:2: InvalidInputException: ")
    assert SECRET in bench.log()
    bench.error("SELECT 1;\n\nINSTALL httpfs", language="sql")
    assert bench.log().startswith(f"{TITLE}main.sql:3: Invalid: SQL_STATEMENT: main.sql line 3: ")


@pytest.mark.parametrize(
    ("language", "script"),
    [
        ("python", f"{WRITE}print('seen', 7)\n(out / 't.csv').write_text('n\\n')\n"),
        ("sql", "CREATE TABLE t AS SELECT 1 AS n"),
    ],
)
def test_a_log_that_is_declared_is_an_output_among_the_others(
    bench: Bench, language: str, script: str
) -> None:
    report = bench.run(script, "t.csv", language=language, log=True)
    assert [one["path"] for one in report["outputs"]] == ["t.csv", "log.md"]
    assert (bench.out / "log.md").read_text() == bench.log()
    assert sniff("log.md", (bench.out / "log.md").read_bytes()) == "markdown"


def test_a_job_that_takes_the_logs_name_is_refused(bench: Bench) -> None:
    for declared in ("log.csv", "log.parquet"):
        assert bench.refused("SELECT 1", declared, language="sql", log=True).code == "OUTPUT_NAME"
    assert bench.refused("pass", "log.md", log=True).code == "OUTPUT_NAME"
    victim = bench.root / "victim"
    victim.write_text("mine")
    planted = f"{WRITE}(out / 't.csv').write_text('n')\n(out / 'log.md').symlink_to({str(victim)!r})\n"
    assert bench.refused(planted, "t.csv", log=True).code in {"UNDECLARED_OUTPUT", "MISSING_OUTPUT"}
    assert victim.read_text() == "mine"


def test_a_log_without_end_keeps_its_head_and_its_tail(bench: Bench) -> None:
    script = (
        f"{WRITE}import sys\nprint('first')\n"
        "for _ in range(4000): sys.stdout.write('x\\x00\\u202e' * 200)\n"
        "print('last')\n(out / 't.csv').write_text('n')\n"
    )
    bench.run(script, "t.csv", language="python")
    assert (bench.root / "log.txt").stat().st_size <= LOG_BYTES
    text = bench.log()
    assert text.startswith(f"{TITLE}first\n")
    assert text.endswith("last\n")
    assert "bytes dropped" in text
    assert not set(text) & {"\x00", "\u202e"}


def test_a_planted_log_is_written_over_or_nobodys(bench: Bench) -> None:
    secret = bench.root / "elsewhere"
    secret.write_text("stays")
    (bench.root / "log.txt").symlink_to(secret)
    bench.run(f"{WRITE}print('seen')\n(out / 't.csv').write_text('n')\n", "t.csv", language="python")
    assert secret.read_text() == "stays"
    assert bench.log() == f"{TITLE}seen\n"


def test_the_job_cannot_stop_its_runner(bench: Bench) -> None:
    """That it cannot look into it only another user than root can show: tests/attack/test_canary.py."""
    script = (
        f"{WRITE}import signal\n"
        "os.kill(os.getppid(), signal.SIGINT); os.kill(os.getppid(), signal.SIGTERM)\n"
        "(out / 't.csv').write_text('n\\n')\n"
    )
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    assert bench.run(script, "t.csv", language="python")["ok"] is True
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
