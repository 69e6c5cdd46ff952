"""A space with real processes, real containers and either database, ready for a developer's jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandbox.audit import FileSigner
from sandbox.control.places import Places
from sandbox.control.space import Settings
from sandbox.core.resource import Entry, Resource
from sandbox.demo.data import HERE, residents
from sandbox.demo.space import DemoSpace
from sandbox.demo.story import Case, Story
from sandbox.executor.docker import DockerExecutor
from sandbox.store import Store
from tests.plugins.vault import unmount

# waits first, so that a folder taken away under the running code would be noticed
SLOW_JOB = """\
import csv
import time

import sandbox_job

time.sleep({seconds})
rows = sandbox_job.inputs("residents").to_arrow_table().to_pylist()
with open(sandbox_job.output("by_sex.csv"), "w", newline="", encoding="utf-8") as file:
    writer = csv.writer(file)
    writer.writerow(["sex", "persons"])
    for sex in sorted({{row["sex"] for row in rows}}):
        writer.writerow([sex, sum(row["sex"] == sex for row in rows)])
"""


MOST_TRIES = 5  # rows that may get past a state before anybody looks


@dataclass
class Live:
    """One space on the move. ``story`` plays people through the API; ``store`` shows the facts."""

    space: DemoSpace
    story: Story
    store: Store
    kills: list[str] = field(default_factory=list)

    @property
    def case(self) -> Case:
        return self.story.cases[0]

    @property
    def places(self) -> Places:
        return Places(Settings.from_env(self.space.env).resting())

    @property
    def executor(self) -> DockerExecutor:
        return DockerExecutor(self.places.tasks)

    def get(self, kind: str, id: str) -> Resource:
        with self.store.read() as reader:
            found = reader.get(kind, id)
        assert found is not None, f"{kind}/{id}"
        return found

    def find(self, kind: str, **more: Any) -> list[Resource]:
        with self.store.read() as reader:
            found: list[Resource] = reader.find(kind, **more)
        return found

    def log(self) -> list[Entry]:
        with self.store.read() as reader:
            return [entry for _, entry in reader.entries(limit=None)]

    # --- what people do

    def job(self, seconds: float = 0.5) -> str:
        """Submit a job that sleeps, then counts by sex."""
        spec = {
            "scenario": self.case.scenario,
            "purpose": self.case.purpose,
            "inputs": [{"name": "residents", "product": self.case.product, "columns": ["sex", "district"]}],
            "language": "python",
            "entry": "slow.py",
            "code": {"slow.py": SLOW_JOB.format(seconds=seconds)},
            "outputs": [
                {"path": "by_sex.csv", "kind": "table", "dimensions": ["sex"], "counts": ["persons"]}
            ],
        }
        id: str = self.story.world["li-developer"].create("job", spec)["id"]
        return id

    def propose(self, job: str) -> str:
        """Ask for the egress of a job's outputs."""
        spec = {
            "job": job,
            "title": "persons by sex",
            "recipient": "developer",
            "purpose": self.case.purpose,
            "form": "dataset",
        }
        id: str = self.story.world["li-developer"].create("egress-request", spec)["id"]
        return id

    def approve(self, *requests: str) -> None:
        """Both verdicts and the approval, by the two reviewers."""
        kept, self.story.cases = self.story.cases, [Case(self.case.data, request=one) for one in requests]
        try:
            self.story.review()
        finally:
            self.story.cases = kept

    def register(self, request: str) -> None:
        """Register the product: the machine then releases."""
        developer = self.story.world["li-developer"]
        product = developer.get("/v1/product", label=f"request={request}")[0]["id"]
        number = {
            "registration_no": f"GZ-CP-{uuid.uuid4().hex[:8]}",
            "registered_on": self.story.today.isoformat(),
        }
        developer.act("product", product, "register", number)

    def deliver(self) -> str:
        """One more supply of the same file."""
        manifest = {
            "entry": self.case.entry,
            "agreement": "ag-demo",
            "scenario": self.case.scenario,
            "key_id": "k1",
        }
        connector = self.story.world["provider-connector"]
        id: str = connector.supply(manifest, self.case.data.file, self.story.world.key)["id"]
        return id

    def wait(self, kind: str, id: str, *states: str, seconds: float = 300) -> Resource:
        """Until the row is in one of ``states``."""
        deadline = time.monotonic() + seconds
        while (found := self.get(kind, id)).state not in states:
            if time.monotonic() > deadline:
                log = (self.space.folder / "worker.log").read_text()[-2000:]
                raise AssertionError(f"{kind}/{id} is {found.state} {found.status}, not {states}\n{log}")
            time.sleep(0.05)
        return found

    # --- what befalls the worker

    def kill(self, why: str) -> None:
        """kill -9, and a new worker."""
        self.space.worker.kill()
        self.space.worker.wait()
        self.kills.append(why)
        self.space.worker = self.space.start("worker")

    def kill_in(
        self, kind: str, id: str, state: str, act: Callable[[], None] | None = None, seconds: float = 180
    ) -> bool:
        """kill -9 while the row is in ``state``: the worker runs in slices and is looked at while frozen.
        ``act`` is what leads there, done with the worker frozen: some states last for milliseconds.

        Who looks goes before all others: on a busy machine the worker would get past the state meanwhile.
        False when it did: nothing was killed then.
        """
        usual = os.getpriority(os.PRIO_PROCESS, 0)
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, -15)
        try:
            if act:
                os.kill(self.space.worker.pid, signal.SIGSTOP)
                act()
            frozen = self._freeze_in(kind, id, state, seconds)
        finally:
            os.setpriority(os.PRIO_PROCESS, 0, usual)
        if frozen:
            self.kill(f"{kind} {state}")
        return frozen

    def _freeze_in(self, kind: str, id: str, state: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while True:
            os.kill(self.space.worker.pid, signal.SIGSTOP)
            with self.store.read() as reader:
                states = [version.state for version in reader.history(kind, id)]
            if states[-1] == state:
                return True
            os.kill(self.space.worker.pid, signal.SIGCONT)
            if state in states:
                return False
            assert time.monotonic() < deadline, f"{kind}/{id} was not seen {state}, is {states[-1]}"
            time.sleep(0.004)

    def kill_in_each(self, kind: str, states: Sequence[str], make: Callable[[], str], end: str) -> list[str]:
        """A kill in each of ``states``; rows from ``make`` until each was hit, which all get to ``end``."""
        left, made = list(states), list[str]()
        while left:
            assert len(made) < MOST_TRIES, f"{kind} was not killed in {left}, {len(made)} went past"
            made.append(make())
            left = [state for state in left if not self.kill_in(kind, made[-1], state)]
            self.wait(kind, made[-1], end)
        return made

    def restart_worker(self) -> None:
        """An orderly end and a new worker, which looks for leftovers at once."""
        self.space.worker.send_signal(signal.SIGTERM)
        try:
            self.space.worker.wait(30)
        except subprocess.TimeoutExpired:
            self.space.worker.kill()
            self.space.worker.wait()
        self.space.worker = self.space.start("worker")


LiveMaker = Callable[..., Live]


@pytest.fixture(scope="module")
def live_space(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveMaker]:
    """``live_space(dialect, rows=500)``: processes started, a primary product offered to one scenario.

    ``measured=False`` leaves coverage out of the processes: those that are killed would tell nothing of it,
    and it makes each start take half as long again.
    """
    with ExitStack() as ends:  # each is done whatever became of the others, and of a space half made

        def make(dialect: str = "sqlite", rows: int = 500, measured: bool = True) -> Live:
            folder = tmp_path_factory.mktemp(f"live-{dialect}") / "demo"
            ends.callback(unmount, folder / "space")
            env = {} if measured else {"COVERAGE_PROCESS_CONFIG": ""}
            if dialect == "postgresql":
                server = request.getfixturevalue("postgresql_server")
                name = f"live_{uuid.uuid4().hex}"
                server.admin(f"CREATE DATABASE {name}")
                ends.callback(server.admin, f"DROP DATABASE {name} WITH (FORCE)")
                env["SANDBOX_DATABASE"] = server.url(name)
            space = DemoSpace(folder, HERE / "profile.yaml", **env)
            ends.callback(stopped, space)
            url = env.get("SANDBOX_DATABASE", f"sqlite:///{folder}/space/sandbox.db")
            store = Store(url, signer=FileSigner.load(folder / "space" / "keys" / "audit.pem"))
            ends.callback(store.close)
            live = Live(space, Story(space, [residents(folder, rows)]), store)
            live.story.parties()
            ends.callback(live.story.world.close)
            for act in ("catalogue", "agreement", "scenarios", "supplies", "primary"):
                getattr(live.story, act)()
            return live

        yield make


def stopped(space: DemoSpace) -> None:
    """Its processes ended, its tasks discarded, its keys taken away."""
    space.stop()
    executor = DockerExecutor(Places(Settings.from_env(space.env).resting()).tasks)
    for task in executor.known():
        executor.discard(task)
    space.run("keys", "lock")
