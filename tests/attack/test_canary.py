"""Jobs that say raw values in every way they can, on the real engine; then a search for what they said.

The developer's code reads identity numbers and prints, raises, names, warns, logs and exits with them. They
must stand in the sealed logs (the search sees them there, so it would see them elsewhere) and nowhere else:
no answer of any GET route to the developer, no database, log file, temporary, task or assembled folder.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.api.app import create_app
from sandbox.cli.client import Client, Remote
from sandbox.control.kinds import KINDS
from sandbox.core.resource import Resource
from tests.plugins.engine import until
from tests.plugins.live import Live, LiveMaker

pytestmark = pytest.mark.engine

READ = """\
import ctypes, logging, os, sys, time, warnings
import sandbox_job
numbers = [row[0] for row in sandbox_job.inputs("residents").fetchall()]
first, every = numbers[0], " ".join(numbers)
"""
FINE = 'sandbox_job.output("out.csv").write_text("n\\n1\\n")\n'

# name -> (code, how the job ends, word of its error)
SAYINGS: dict[str, tuple[str, str, str]] = {
    "prints": (f"print(every)\nprint(every, file=sys.stderr)\nos.system('echo ' + first)\n{FINE}",
               "quarantined", ""),
    "raises": ("raise KeyError(every)\n", "failed", "KeyError"),
    "names_a_class": ("raise type('E' + first, (ValueError,), {'__str__': lambda self: every})()\n",
                      "failed", "Exception"),
    "names_files": (f"sandbox_job.output(first + '.csv').write_text('n')\n{FINE}",
                    "failed", "UNDECLARED_OUTPUT"),
    "exits_with_text": ("sys.exit(every)\n", "failed", "SystemExit"),
    "exits_with_a_number": ("os._exit(int(first[-3:], 36) % 256 or 1)\n", "failed", "Exception"),
    "warns_and_logs": (f"warnings.warn(every)\nlogging.basicConfig(level=0)\nlogging.error(every)\n{FINE}",
                       "quarantined", ""),
    "titles_itself": (
        "ctypes.CDLL(None).prctl(15, first[:15].encode(), 0, 0, 0)\nsys.argv[:] = [every]\n"
        "os.environ['CANARY'] = every\n"
        f"for place in ('/tmp', os.environ['TMPDIR'], '/dev/shm'):\n"
        "    open(os.path.join(place, first), 'w').write(every)\n"
        f"{FINE}", "quarantined", ""),
    "forges_the_report": (
        "import json\n"
        "told = json.dumps({'ok': False, 'code': first, 'details': {first: every}, 'error': every})\n"
        "for name in ('report.json', '.report.partial', first):\n"
        "    open('/out/' + name, 'w').write(told)\n"
        "for one in range(3, 64):\n"
        "    try: os.write(one, told.encode())\n"
        "    except OSError: pass\n"
        "raise SystemExit(1)\n", "failed", "Exception"),
    "dies_by_a_signal": ("print(every, flush=True)\nos.abort()\n", "failed", "SIGABRT"),
    "never_ends": ("print(every, flush=True)\ntime.sleep(60)\n", "failed", "timed_out"),
}  # fmt: skip
SILENT = {"names_files", "exits_with_a_number", "titles_itself", "forges_the_report"}  # print nothing
SQL = "SELECT 1;\nSELECT error(string_agg(resident_id, ' ')) FROM residents;\n"

CLOSED = """\
import os, signal, sys
import sandbox_job
open_doors = []
for name in ("environ", "mem", "maps", "stack", "io", "cwd", "root", "fd", "fdinfo", "exe", "auxv"):
    for pid in (1, os.getppid()):
        path = f"/proc/{pid}/{name}"
        try:
            if os.path.isdir(path):
                os.listdir(path)
            elif os.path.islink(path):
                os.readlink(path)
            else:
                open(path, "rb").read(1)
            open_doors.append(path)
        except OSError:
            pass
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    os.kill(1, number)
if open_doors:
    raise AssertionError(open_doors)
sandbox_job.output("out.csv").write_text("n\\n1\\n")
"""


def spec_of(live: Live, name: str, text: str, language: str = "python") -> dict[str, Any]:
    """A job over the raw register, whose identity numbers this profile grants."""
    entry = f"{name}.{'py' if language == 'python' else 'sql'}"
    return {
        "scenario": live.case.scenario,
        "purpose": live.case.purpose,
        "inputs": [{"name": "residents", "entry": live.case.entry, "columns": ["resident_id"]}],
        "language": language,
        "entry": entry,
        "code": {entry: text},
        "outputs": [{"path": "out.csv", "kind": "table", "counts": ["n"]}],
        "limits": {"seconds": 6} if name == "never_ends" else {},
    }


@pytest.fixture(scope="module")
def live(live_space: LiveMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A space whose processes have a temporary folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("temporary")
        patch.setenv("TMPDIR", str(folder))
        yield live_space("sqlite", rows=200)


@pytest.fixture(scope="module")
def jobs(live: Live) -> dict[str, Resource]:
    """Every saying as a job, at its end."""
    developer = live.story.world["li-developer"]
    asked = {name: spec_of(live, name, READ + code) for name, (code, _, _) in SAYINGS.items()}
    asked["fails_in_sql"] = spec_of(live, "fails_in_sql", SQL, "sql")
    ids = {name: developer.create("job", spec)["id"] for name, spec in asked.items()}
    return {name: live.wait("job", id, "quarantined", "failed", seconds=240) for name, id in ids.items()}


# an identity number of the province (52…) plain, and in the encodings that a layer of ours might make of it:
# what it begins with there, the rest, the way back. The fixed beginning makes the search fast.
FORMS: tuple[tuple[re.Pattern[bytes], bytes, Callable[[bytes], bytes]], ...] = (
    (re.compile(rb"52(?=([0-9]{15}[0-9X]))"), b"52", bytes),
    (
        re.compile(rb"3532(?=((?:3[0-9]){15}(?:3[0-9]|58)))"),
        b"3532",
        lambda said: bytes.fromhex(said.decode()),
    ),
    (re.compile(rb"NTI(?=([A-Za-z0-9+/]{21}))"), b"NTI", base64.b64decode),
)


@pytest.fixture(scope="module")
def canaries(live: Live) -> frozenset[bytes]:
    """The identity numbers of the register."""
    lines = live.case.data.file.read_text(encoding="utf-8-sig").splitlines()
    column = lines[0].split(",").index("resident_id")
    numbers = frozenset(line.split(",")[column].encode() for line in lines[1:])
    assert len(numbers) == 200
    assert all(len(number) == 18 and number.startswith(b"52") for number in numbers)
    return numbers


def within(content: bytes, canaries: frozenset[bytes]) -> bool:
    return any(
        undo(begin + found[1]) in canaries for form, begin, undo in FORMS for found in form.finditer(content)
    )


def test_the_search_sees_each_form(canaries: frozenset[bytes]) -> None:
    one = min(canaries)
    for said in (one, one.hex().encode(), base64.b64encode(one)):
        assert within(b"123" + said + b"456", canaries)
    assert not within(b"0" * 60 + base64.b64encode(b"0" * 60), canaries)


def pieces(path: Path) -> Iterator[bytes]:
    """What a file holds, without its holes (the volume of a vault is mostly hole), each piece overlapping."""
    with path.open("rb") as file:
        end, at = file.seek(0, os.SEEK_END), 0
        while at < end:
            try:
                at = file.seek(at, os.SEEK_DATA)
            except OSError:  # nothing but hole from here on
                return
            yield file.read(4 << 20)
            at += (4 << 20) - 64


def test_each_saying_ends_in_closed_words(live: Live, jobs: dict[str, Resource]) -> None:
    for name, (_, state, word) in SAYINGS.items():
        error = jobs[name].status["outcome"]["error"]
        assert (jobs[name].state, error["class"] if error else "") == (state, word), name
    assert jobs["fails_in_sql"].status["outcome"]["error"] == {
        "class": "InvalidInputException",
        "line": 2,
        "file": "fails_in_sql.sql",
    }


def test_the_canary_is_found_in_the_sealed_logs_and_nowhere_else(
    live: Live, jobs: dict[str, Resource], canaries: frozenset[bytes]
) -> None:
    sealed = {
        job.status["outcome"]["log"]["sha256"]
        for name, job in jobs.items()
        if name not in SILENT and job.status["outcome"]["log"]
    }
    assert len(sealed) >= len(jobs) - len(SILENT) - 1  # two may have said the same
    # a job's own task is taken away when its row needs it no more; a granted view stays with its grant
    ours = tuple(job.id for job in jobs.values())
    until(lambda: not [task for task in live.executor.known() if task.startswith(ours)], 120)
    roots = (live.space.folder, Path(live.space.env["TMPDIR"]))
    paths = [Path(folder, name) for root in roots for folder, _, names in os.walk(root) for name in names]
    files = [path for path in paths if path.is_file()]
    assert any(path.name == "sandbox.db" for path in files)
    assert any(path.name == "worker.log" for path in files)
    found = set()
    for path in files:
        with contextlib.suppress(
            FileNotFoundError
        ):  # gone while we looked, as containers made ahead come and go
            with path.open("rb") as file:
                data = file.read(4) == b"PAR1"  # what is Parquet is the data itself: snapshot and views
            if not data and path != live.case.data.file:
                found |= {path for piece in pieces(path) if within(piece, canaries)}
    assert {path.name for path in found} == sealed
    assert {path.parent.name for path in found} == {"log"}


def routes() -> list[str]:
    """Every GET route of the API."""
    app = create_app(SPACE, SPACE)  # nobody signs in
    return [route.path for route in app.routes if "GET" in (getattr(route, "methods", None) or ())]  # type: ignore[attr-defined]


SPACE: Any = type(
    "Nothing", (), {"control": None, "gate": None, "places": None, "settings": None}
)  # listed, not called


@pytest.mark.requirement("R-117")
def test_no_get_route_tells_it_to_a_developer(
    live: Live, jobs: dict[str, Resource], canaries: frozenset[bytes]
) -> None:
    client = live.story.world["li-developer"]
    seen = {kind: client.get(f"/v1/{kind}") for kind in KINDS}
    things = [(one["kind"], one["id"]) for listed in seen.values() for one in listed]
    assert {job.id for job in jobs.values()} <= {id for kind, id in things if kind == "job"}
    answers: dict[str, bytes] = {}
    for route in routes():
        if "{" not in route:
            answers[route] = told(client, route)
            continue
        fixed = next((kind for kind in KINDS if f"/{kind}/" in route), None)
        for kind, id in things:
            if fixed in (None, kind):
                path = re.sub(r"\{path\}", "log.md", route.replace("{kind}", kind).replace("{id}", id))
                answers[path] = told(client, path)
    assert len(answers) > 5 * len(jobs)
    assert {path for path, content in answers.items() if within(content, canaries)} == set()
    for job in jobs.values():
        assert b"LOG_SEALED" in answers[f"/v1/job/{job.id}/log"]
        shown = json.loads(answers[f"/v1/job/{job.id}"])
        assert set(shown["status"]) <= {"outcome", "outputs"}
        assert shown["status"]["outcome"]["end"] in ("ok", "failed")
        assert set(shown["status"]["outcome"]) == {
            "end", "exit", "signal", "limit", "error", "duration", "log",
        }  # fmt: skip
        assert re.fullmatch(r"[\d-]+T\d\d:\d\d:00\+00:00", shown["changed_at"])


def told(client: Client, path: str) -> bytes:
    """The answer, or the refusal."""
    try:
        return client.call("GET", path).content
    except Remote as error:
        return json.dumps(error.as_json()).encode()


def test_the_reviewer_reads_it_inside_and_that_is_noted(
    live: Live, jobs: dict[str, Resource], canaries: frozenset[bytes]
) -> None:
    job = jobs["raises"]
    text = live.story.world["zhou-reviewer"].call("GET", f"/v1/job/{job.id}/log").content
    assert within(text, canaries)
    assert b"KeyError" in text
    noted = [entry for entry in live.log() if entry.action == "open-log" and entry.object == job.ref]
    assert [(one.actor, one.outcome) for one in noted if one.outcome == "done"] == [("zhou-reviewer", "done")]
    assert noted[-1].details["sha256"] == job.status["outcome"]["log"]["sha256"]


def test_a_proposed_log_is_checked_like_any_output(
    live: Live, jobs: dict[str, Resource], canaries: frozenset[bytes]
) -> None:
    developer = live.story.world["li-developer"]
    developer.act("job", jobs["raises"].id, "propose_log")
    request = live.wait("egress-request", live.propose(jobs["raises"].id), "auto_rejected", "human_review")
    assert request.state == "auto_rejected"
    found = {one["rule"] for one in request.status["check"]["findings"] if one["severity"] == "hard"}
    assert found
    assert not within(json.dumps(request.status, ensure_ascii=False).encode(), canaries)
    harmless = live.story.world["li-developer"].create(
        "job", {**spec_of(live, "harmless", "print('three districts read')\n" + FINE_ALONE), "log": True}
    )["id"]
    assert [one["path"] for one in live.wait("job", harmless, "quarantined").status["outputs"]] == [
        "out.csv",
        "log.md",
    ]
    checked = live.wait("egress-request", live.propose(harmless), "auto_rejected", "human_review")
    paths = {file["path"] for file in checked.status["check"]["canonical"]}
    assert checked.state == "auto_rejected" or "log.md" in paths


FINE_ALONE = f"import sandbox_job\n{FINE}"


def test_a_job_cannot_look_into_the_process_that_reports_on_it(live: Live) -> None:
    """Environment, memory, files of its parent and of the container's first process, and their signals."""
    spec = spec_of(live, "closed", CLOSED)
    job = live.wait(
        "job", live.story.world["li-developer"].create("job", spec)["id"], "quarantined", "failed"
    )
    assert (job.state, job.status["outcome"]["error"]) == ("quarantined", None)
