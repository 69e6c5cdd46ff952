"""kill -9 of the worker at every working step, and at random, on both databases with the real engine.

The facts must survive: no job lost, no use debited twice, no release twice, nothing left over.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import pytest

from sandbox.control.kinds import KINDS
from sandbox.control.leftovers import Leftovers
from sandbox.control.means import owner_of
from sandbox.core.resource import Entry
from sandbox.executor.folders import SLOTS
from sandbox.executor.mounts import mounted_below
from sandbox.store.blobs import PART, Blobs
from tests.plugins.engine import until
from tests.plugins.live import Live

pytestmark = pytest.mark.engine

JOB_STATES = ("queued", "provisioning", "running", "succeeded")
REQUEST_STATES = ("requested", "auto_check")
TOGETHER = 4  # jobs at a time during the random kills
RANDOM_KILLS = 6


@dataclass
class Aftermath:
    """What is there when all is done and a last worker has looked for leftovers."""

    live: Live
    jobs: list[str]
    requests: list[str]
    supplies: list[str]
    uses_before: int
    log: list[Entry]

    def entries(self, ref: str) -> list[Entry]:
        """Changes of one resource, as the log tells them."""
        return [entry for entry in self.log if entry.object == ref and entry.after]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def after(request: pytest.FixtureRequest, live_space: Callable[..., Live]) -> Aftermath:
    """A supply, and jobs with their releases, through two dozen kills."""
    live = live_space(request.param, measured=False)
    chance = random.Random(20261121)
    uses = live.get("scenario", live.case.scenario).status["grant"]["uses_left"]

    supplies = [
        *live.kill_in_each("supply", ["quarantined"], live.deliver, "available"),
        *live.kill_in_each("supply", ["loaded"], live.deliver, "available"),
        live.deliver(),
    ]
    for supply in supplies:
        live.wait("supply", supply, "available")

    first = live.kill_in_each("job", JOB_STATES, live.job, "quarantined")
    jobs = list(first)

    def propose() -> str:
        if not first:
            jobs.append(live.job())
            live.wait("job", jobs[-1], "quarantined")
        return live.propose(first.pop() if first else jobs[-1])

    asked = live.kill_in_each("egress-request", REQUEST_STATES, propose, "human_review")

    together = [live.job(seconds=0.3 * number) for number in range(TOGETHER)]
    for _ in range(RANDOM_KILLS // 2):
        time.sleep(chance.uniform(1.0, 4.5))
        live.kill("random, jobs")
    for one in together:
        live.wait("job", one, "quarantined")
    requests = [live.propose(one) for one in [*first, *together]]
    for _ in range(RANDOM_KILLS // 2):
        time.sleep(chance.uniform(1.0, 4.5))
        live.kill("random, checks")
    for one in requests:
        live.wait("egress-request", one, "human_review")

    requests = [*asked, *requests]
    live.approve(*requests)
    hit = False
    for one in requests:
        if hit:
            live.register(one)
        else:
            hit = live.kill_in("egress-request", one, "releasing", act=partial(live.register, one))
    live.kill("random, releases")
    for one in requests:
        live.wait("egress-request", one, "released")

    live.restart_worker()  # its first rounds sweep; a loaded machine may take its time to get there
    named = {live.get("egress-request", one).status["release"]["package_sha256"] for one in requests}
    released = live.space.folder / "space" / "released"
    until(lambda: not (leftover_tasks(live) or leftover_mounts(live) or live.places.assemblies()), 120)
    until(lambda: {path.name for path in released.iterdir() if not path.name.startswith(PART)} == named, 120)
    until(lambda: not unnamed(live), 120)
    for part in half_written(live):  # by a writer that was killed: it goes once an hour has passed
        os.utime(part, (0, 0))
    until(lambda: not half_written(live), 120)
    return Aftermath(live, [*jobs, *together], requests, supplies, uses, live.log())


def unnamed(live: Live) -> list[str]:
    """What a sweep of leftovers would remove; nothing is removed."""
    with mock.patch.object(Blobs, "remove", return_value=True):
        return Leftovers(live.store, live.places).sweep()


def test_every_working_state_was_hit(after: Aftermath) -> None:
    hit = {kill for kill in after.live.kills if not kill.startswith("random")}
    assert hit == {
        "supply quarantined",
        "supply loaded",
        *(f"job {state}" for state in JOB_STATES),
        *(f"egress-request {state}" for state in (*REQUEST_STATES, "releasing")),
    }


def test_no_job_is_lost_and_none_is_done_twice(after: Aftermath) -> None:
    for job in after.jobs:
        done = [entry.action for entry in after.entries(f"job/{job}")]
        assert done == ["create", "provision", "run", "succeed", "stage", "propose"]
    for supply in after.supplies:
        done = [entry.action for entry in after.entries(f"supply/{supply}")]
        assert done == ["create", "deliver", "load", "open"]


def test_each_job_costs_one_use(after: Aftermath) -> None:
    scenario = after.live.get("scenario", after.live.case.scenario)
    assert after.uses_before - scenario.status["grant"]["uses_left"] == len(after.jobs)


def test_each_approved_request_is_released_once_and_each_package_is_named(after: Aftermath) -> None:
    released = Counter(entry.object for entry in after.log if entry.action == "release")
    assert released == Counter(f"egress-request/{one}" for one in after.requests)
    named = {
        after.live.get("egress-request", one).status["release"]["package_sha256"] for one in after.requests
    }
    folder = after.live.space.folder / "space" / "released"
    assert {path.name for path in folder.iterdir()} == named
    assert len(named) == len(after.requests)


def leftover_tasks(live: Live) -> list[str]:
    """Tasks that nobody needs any more: all but the granted view, which stays with its grant."""
    return [task for task in live.executor.known() if owner_of(task) != f"scenario/{live.case.scenario}"]


def leftover_mounts(live: Live) -> list[Path]:
    """Mounts of tasks, but for those of containers that wait ahead without one."""
    tasks = live.places.tasks
    return [point for point in mounted_below(tasks) if not point.is_relative_to(tasks / SLOTS)]


def half_written(live: Live) -> list[Path]:
    """Files that were begun and are not whole, wherever in the space."""
    return [path for path in (live.space.folder / "space").rglob(f"{PART}*") if path.is_file()]


def test_nothing_is_left_over(after: Aftermath) -> None:
    live = after.live
    assert leftover_tasks(live) == []
    assert leftover_mounts(live) == []
    assert live.executor.running() == []
    assert live.places.assemblies() == []
    assert unnamed(live) == []  # the worker has found them all
    assert half_written(live) == []
    assert live.places.blobs("ag-demo", live.case.scenario, "quarantine").names() == []


def test_log_and_state_agree_and_the_log_verifies(after: Aftermath, tmp_path: Path) -> None:
    with after.live.store.read() as reader:
        for kind in KINDS:
            for row in reader.find(kind):
                states = [version.state for version in reader.history(kind, row.id)]
                assert [entry.after for entry in after.entries(row.ref)] == states, row.ref
    after.live.store.export(tmp_path / "bundle")
    after.live.space.run("audit", "verify", str(tmp_path / "bundle"))


def test_what_was_counted(after: Aftermath, record_property: Callable[[str, object], None]) -> None:
    """The counts that the issue asks for, computed from the log alone and printed."""
    kinds = Counter(entry.object.split("/")[0] for entry in after.log if entry.action == "release")
    starts = Counter(entry.object for entry in after.log if entry.action == "provision")
    ends = Counter(entry.object for entry in after.log if entry.action in ("stage", "keep", "fail", "kill"))
    asked = {f"job/{job}" for job in after.jobs}
    counts = {
        "kills": len(after.live.kills),
        "jobs": len(asked),
        "releases": kinds["egress-request"],
        "lost": len(asked - set(ends)),
        "doubled": sum(count - 1 for count in (*starts.values(), *ends.values())),
        "orphans": len(leftover_tasks(after.live)) + len(leftover_mounts(after.live)),
    }
    for name, count in counts.items():
        record_property(name, count)
    print("\n" + ", ".join(f"{name} {count}" for name, count in counts.items()))
    assert counts == {
        "kills": 9 + RANDOM_KILLS + 1,
        "jobs": len(after.jobs),
        "releases": len(after.requests),
        "lost": 0,
        "doubled": 0,
        "orphans": 0,
    }
