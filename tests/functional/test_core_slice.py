"""Core-slice requirements whose acceptance tests need real processes and real containers."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import polars as pl
import pytest

from sandbox.core.errors import CODES
from sandbox.demo.story import CONTRACT, Case
from sandbox.desensitize.profile.model import Profile
from sandbox.executor.contract import Input, TaskKind
from sandbox.executor.docker import calls
from sandbox.executor.folders import TaskFolder
from sandbox.executor.profile import HUGE_PAGE
from sandbox.executor.slots import Slot
from tests.plugins.engine import ProbeExecutor
from tests.plugins.live import Live, LiveMaker
from tests.plugins.space import Scene
from tests.refusal import refused

pytestmark = pytest.mark.engine

WOMEN = {"column": "sex", "op": "=", "value": "女"}

COUNT = "CREATE TABLE counted AS SELECT sex, count(*) AS persons FROM residents GROUP BY sex;\n"

PRINTS = """\
import sys

import sandbox_job

number = sandbox_job.inputs("residents").to_arrow_table().column("resident_id")[0].as_py()
print(number)
print(number, file=sys.stderr)
sys.exit(number)
"""

# tries the host's path of the other scenario's snapshot, as a file and as a database
ELSEWHERE = """\
import csv

import duckdb
import sandbox_job

tried = []
for name, attempt in (
    ("open", lambda: open("{path}", "rb").read(1)),
    ("read", lambda: duckdb.sql("SELECT count(*) FROM read_parquet('{path}')").fetchall()),
    ("attach", lambda: duckdb.sql("ATTACH '{path}' AS other (READ_ONLY)")),
):
    try:
        attempt()
        tried.append([name, "OPEN"])
    except Exception:
        tried.append([name, "shut"])
with sandbox_job.output("tried.csv").open("w", newline="") as file:
    csv.writer(file).writerows([["attempt", "result"], *tried])
"""


# tries to change what a task over raw data was given; ``tried`` says how each attempt ended
CHANGES = """\
import errno, os
tried = {}
for name, attempt in (
    ("write", lambda: open("/in/data", "r+b")),
    ("truncate", lambda: os.truncate("/in/data", 0)),
    ("replace", lambda: os.rename("/out/files/other", "/in/data")),
    ("remove", lambda: os.unlink("/in/data")),
    ("beside", lambda: open("/in/more", "wb")),
    ("mode", lambda: os.chmod("/in/data", 0o666)),
):
    open("/out/files/other", "wb").close()
    try:
        attempt()
        tried[name] = "CHANGED"
    except OSError as error:
        tried[name] = errno.errorcode[error.errno]
report["tried"] = tried
report["read"] = len(open("/in/data", "rb").read())
"""


@pytest.fixture(scope="module")
def live(live_space: LiveMaker) -> Live:
    """A space whose developer has two scenarios on the same resource: all columns, and women only."""
    made = live_space("sqlite", 2000)
    made.story.cases.append(second_scenario(made))
    return made


def second_scenario(live: Live) -> Case:
    world, first = live.story.world, live.case
    case = Case(first.data, scenario="sc-women")
    spec = {
        "agreement": "ag-demo",
        "title": "women",
        "purpose": first.purpose,
        "description": "women only",
        "list": [{"entry": first.entry, "columns": ["resident_id", "sex"], "rows": [WOMEN]}],
        "starts": live.story.today.isoformat(),
        "ends": (live.story.today + timedelta(days=30)).isoformat(),
        "uses": 20,
    }
    world["li-developer"].create("scenario", spec, case.scenario)
    three = ("reasonable", "compliant", "safe")
    answers = {"answers": dict.fromkeys(three, "yes"), "notes": dict.fromkeys(three, "read")}
    for who in ("chen-authority", "sun-provider"):
        world[who].act("scenario", case.scenario, "assess", answers)
    world["chen-authority"].act("scenario", case.scenario, "approve")
    world["zhao-operator"].act("scenario", case.scenario, "contract", {"text_sha256": CONTRACT})
    world["li-developer"].act("scenario", case.scenario, "accept", {"text_sha256": CONTRACT})
    manifest = {"entry": case.entry, "agreement": "ag-demo", "scenario": case.scenario, "key_id": "k1"}
    case.supply = world["provider-connector"].supply(manifest, case.data.file, world.key)["id"]
    live.wait("supply", case.supply, "available")
    return case


def submit(live: Live, case: Case, columns: list[str], entry: str, code: str, output: str) -> str:
    """A job over the raw resource (the demonstration's profile lets developers), of one output."""
    spec = {
        "scenario": case.scenario,
        "purpose": case.purpose,
        "language": "sql" if entry.endswith(".sql") else "python",
        "entry": entry,
        "code": {entry: code},
        "inputs": [{"name": "residents", "entry": case.entry, "columns": columns}],
        "outputs": [{"path": output, "kind": "table"}],
    }
    id: str = live.story.world["li-developer"].create("job", spec)["id"]
    return id


def staged(live: Live, case: Case, job: str) -> list[dict[str, str]]:
    """The rows of a job's one output, read in quarantine, inside the domain."""
    done = live.wait("job", job, "quarantined")
    blobs = live.places.blobs("ag-demo", case.scenario, "staging")
    text = blobs.path(done.status["outputs"][0]["sha256"]).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def rows_of(live: Live) -> list[dict[str, str]]:
    with live.case.data.file.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_real_supply_carries_its_proposal_and_where_the_entry_says_less(live: Live) -> None:
    supply = live.get("supply", live.case.supply)
    kept = supply.status["grading"]
    found = Profile.model_validate(kept["proposal"])
    assert found.rows == supply.status["snapshot"]["rows"]
    assert {row["what"] for row in kept["laxer"]} <= {"level", "flag", "role", "entity", "sensitive_group"}
    entry = live.get("catalogue-entry", supply.spec["entry"])
    assert [one.name for one in found.fields] == [field["name"] for field in entry.spec["fields"]]


@pytest.mark.requirement("R-031")
def test_a_column_off_the_list_is_denied_before_start_and_the_row_filter_is_in_the_view(live: Live) -> None:
    women = live.story.cases[1]
    jobs = len(live.find("job"))
    with refused("COLUMN_NOT_GRANTED"):
        submit(live, women, ["income"], "count.sql", COUNT, "counted.csv")
    assert len(live.find("job")) == jobs
    counted = staged(live, women, submit(live, women, ["sex"], "count.sql", COUNT, "counted.csv"))
    expected = sum(row["sex"] == "女" for row in rows_of(live))
    assert 0 < expected < len(rows_of(live))
    assert counted == [{"sex": "女", "persons": str(expected)}]


@pytest.mark.requirement("R-097")
def test_nothing_of_another_scenario_can_be_reached_or_joined(live: Live) -> None:
    first, women = live.case, live.story.cases[1]
    other = live.places.blobs("ag-demo", first.scenario, "raw")
    path = other.path(live.get("supply", first.supply).status["snapshot"]["sha256"])
    code = ELSEWHERE.format(path=path)
    tried = staged(live, women, submit(live, women, ["sex"], "elsewhere.py", code, "tried.csv"))
    assert tried == [{"attempt": name, "result": "shut"} for name in ("open", "read", "attach")]
    joined = {
        "scenario": women.scenario,
        "purpose": women.purpose,
        "language": "sql",
        "entry": "join.sql",
        "code": {"join.sql": COUNT},
        "inputs": [
            {"name": "residents", "entry": women.entry, "columns": ["sex"]},
            {"name": "product", "product": first.product, "columns": ["sex"]},
        ],
        "outputs": [{"path": "counted.csv", "kind": "table"}],
    }
    with refused("PRODUCT_NOT_OFFERED"):
        live.story.world["li-developer"].create("job", joined)


@pytest.mark.requirement("R-117")
def test_a_printed_identity_number_comes_back_nowhere(live: Live) -> None:
    women = live.story.cases[1]
    job = submit(live, women, ["resident_id"], "prints.py", PRINTS, "never.csv")
    live.wait("job", job, "failed")
    developer = live.story.world["li-developer"]
    shown = [developer.get(f"/v1/job/{job}"), developer.get(f"/v1/job/{job}/history")]
    text = json.dumps(shown, ensure_ascii=False)
    assert [row["resident_id"] for row in rows_of(live) if row["resident_id"] in text] == []
    assert shown[0]["status"]["outcome"]["end"] == "failed"
    assert "seconds" not in shown[0]["status"]["outcome"]
    with refused("LOG_SEALED"):
        developer.get(f"/v1/job/{job}/log")
    assert "exit_code" not in text


@pytest.mark.requirement("R-139")
def test_a_projection_of_a_raw_object_is_refused_and_quarantine_is_shut(live: Live) -> None:
    first = live.case
    columns = ["sex", "birth_date", "district", "education", "occupation", "income"]
    code = "CREATE TABLE copy AS SELECT * FROM residents;\n"
    job = submit(live, first, columns, "copy.sql", code, "copy.csv")
    live.wait("job", job, "quarantined")
    developer = live.story.world["li-developer"]
    with refused("QUARANTINED"):
        developer.call("GET", f"/v1/job/{job}/outputs/copy.csv")
    request = live.wait("egress-request", live.propose(job), "auto_rejected", "human_review")
    hard = {found["rule"] for found in request.status["check"]["findings"] if found["severity"] == "hard"}
    assert (request.state, "RAW" in hard) == ("auto_rejected", True), hard


@pytest.mark.requirement("R-112")
def test_the_job_is_given_its_list_and_nothing_else(live: Live) -> None:
    job = live.job(seconds=5)
    live.wait("job", job, "running")
    name = f"{job}-a1-run"
    with calls(live.executor.engine) as api:
        deadline = time.monotonic() + 30
        while name not in live.executor.running():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        slot = Slot.of(TaskFolder(live.executor.root, name))
        assert slot is not None
        mounts = api.inspect_container(slot.container)["Mounts"]
    folders = {(mount["Destination"], mount["RW"]) for mount in mounts} - {(str(HUGE_PAGE), False)}
    assert folders == {("/in", False), ("/out", True)}  # beside them one number of the kernel
    inside = live.places.tasks / name / "in"
    assert {path.name for path in inside.iterdir()} == {"task.json", "go", "data", "code"}
    assert {path.name for path in (inside / "data").iterdir()} == {"residents.parquet"}
    live.wait("job", job, "quarantined")


@pytest.mark.requirement("R-112")
def test_unknown_expired_and_other_scenarios_are_403(granted: Scene) -> None:
    spec = granted.job_spec()
    with refused("SCENARIO_UNKNOWN"):
        granted.create("developer", "job", {**spec, "scenario": "sc-none"})
    with refused("SCENARIO_UNKNOWN"):
        granted.create("rival", "job", spec)
    ends = date.fromisoformat(granted.get("scenario", "sc-a").spec["ends"])
    granted.clock.move(days=(ends - granted.clock().date()).days + 1)
    with refused("GRANT_EXPIRED"):
        granted.create("developer", "job", spec)
    assert {CODES[code].kind.status for code in ("SCENARIO_UNKNOWN", "GRANT_EXPIRED")} == {403}


@pytest.mark.requirement("R-092")
def test_a_primary_product_is_a_draft_beside_the_raw_data_until_it_is_offered(live: Live) -> None:
    world, case = live.story.world, live.case
    operator, developer = world["zhao-operator"], world["li-developer"]
    raw = live.places.blobs("ag-demo", case.scenario, "raw")
    before = {name: raw.verified(name).stat().st_mtime_ns for name in raw.names()}
    recipe = {
        "scenario": case.scenario,
        "purpose": case.purpose,
        "language": "recipe",
        "recipe": case.data.recipe,
        "inputs": [{"name": "residents", "entry": case.entry, "columns": case.data.columns}],
    }
    id = live.wait("job", operator.create("job", recipe)["id"], "kept").status["keep"]["product"]
    product = live.get("product", id)
    made = live.places.blobs("ag-demo", case.scenario, "primary").verified(product.spec["artefact_sha256"])
    assert pl.read_parquet(made).height == len(rows_of(live))
    assert {name: raw.verified(name).stat().st_mtime_ns for name in raw.names()} == before

    assert product.state == "draft"
    assert id in {one["id"] for one in operator.get("/v1/product")}
    use = {
        "scenario": case.scenario,
        "purpose": case.purpose,
        "language": "sql",
        "entry": "count.sql",
        "code": {"count.sql": COUNT},
        "inputs": [{"name": "residents", "product": id, "columns": ["sex"]}],
        "outputs": [{"path": "counted.csv", "kind": "table"}],
    }
    for path in (f"/v1/product/{id}", f"/v1/product/{id}/history", f"/v1/lineage/product/{id}"):
        with refused("NOT_FOUND"):
            developer.get(path)
    for label in ("", f"scenario={case.scenario}", f"job={product.spec['job']}"):
        shown = developer.get("/v1/product", **({"label": label} if label else {}))
        assert id not in {one["id"] for one in shown}
    with refused("PRODUCT_NOT_OFFERED"):
        developer.create("job", use)
    with refused("PRODUCT_NOT_OFFERED"):  # and to no other scenario than its own
        operator.act("product", id, "offer", {"scenario": live.story.cases[1].scenario})
    with refused("NOT_FOUND"):  # nor may they help themselves
        developer.act("product", id, "offer", {"scenario": case.scenario})

    operator.act("product", id, "offer", {"scenario": case.scenario})
    assert id in {one["id"] for one in developer.get("/v1/product")}
    assert id not in {one["id"] for one in world["han-rival"].get("/v1/product")}
    counted = staged(live, case, developer.create("job", use)["id"])
    assert sum(int(row["persons"]) for row in counted) == len(rows_of(live))


@pytest.mark.requirement("R-092")
@pytest.mark.parametrize("kind", [TaskKind.VIEW, TaskKind.RECIPE])
def test_a_task_over_raw_data_may_read_it_and_has_no_permission_to_write(
    live: Live, prober: ProbeExecutor, kind: TaskKind
) -> None:
    """Through a probe in the very container that primary processing gets: a recipe has no verb to try it."""
    blobs = live.places.blobs("ag-demo", live.case.scenario, "raw")
    name = live.get("supply", live.case.supply).status["snapshot"]["sha256"]
    size = blobs.path(name).stat().st_size
    task = replace(
        prober.task(CHANGES, Input("data", blobs.path(name))), kind=kind, image=prober.image("check")
    )
    report = prober.run(task).report
    assert report["read"] == size
    assert set(report["tried"]) == {"write", "truncate", "replace", "remove", "beside", "mode"}
    assert set(report["tried"].values()) <= {"EROFS", "EACCES", "EPERM", "EXDEV", "EBUSY"}, report["tried"]
    assert report["tried"]["write"] in ("EROFS", "EACCES")
    assert blobs.verified(name).stat().st_size == size


@pytest.mark.requirement("R-107")
def test_a_suspension_stops_what_runs_within_ten_seconds_and_keeps_the_data(live: Live) -> None:
    world = live.story.world
    job = live.job(seconds=600)
    live.wait("job", job, "running")
    name = f"{job}-a1-run"
    deadline = time.monotonic() + 30
    while name not in live.executor.running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    kept = live.places.inventory("ag-demo")
    before = time.monotonic()
    world["lin-body"].act("agreement", "ag-demo", "suspend", {"reason": "hazard found"})
    while name in live.executor.running():
        assert time.monotonic() - before < 10
        time.sleep(0.1)
    assert live.get("job", job).state == "killed"
    with refused("NOT_GRANTED"):
        live.job()
    assert {item["name"] for item in kept} <= {item["name"] for item in live.places.inventory("ag-demo")}
    world["lin-body"].act("agreement", "ag-demo", "resume", {"reason": "mended"})
    live.wait("job", live.job(), "quarantined")
    acts: list[Any] = [
        (entry.action, entry.actor) for entry in live.log() if entry.object == "agreement/ag-demo"
    ]
    assert ("suspend", "lin-body") in acts
    assert ("resume", "lin-body") in acts
