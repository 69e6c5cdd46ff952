"""A real Slurm for the tests: one node, started by ``scripts/slurm``. A machine without the packages gets
them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.executor import kernel
from sandbox.executor.contract import Guarantees, Task
from sandbox.executor.docker import DEFAULT_ENGINE
from sandbox.executor.slurm import SlurmExecutor
from sandbox.executor.slurm_calls import Settings
from tests.plugins.bubblewrap import small_task
from tests.plugins.engine import PROBE_ENTRY, until

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/slurm"


class SlurmProber(SlurmExecutor):
    """The real executor with a probe of the test in the place of ``sandbox.task``."""

    entry = PROBE_ENTRY

    def task(self, code: str, **limits: float) -> Task:
        """See ``small_task``."""
        return small_task(self.image("python"), code, **{"memory_bytes": 128 << 20, **limits})


@dataclass(frozen=True)
class Cluster:
    """Its folder, and the environment in which Slurm's commands and the executor speak with it."""

    home: Path
    environment: dict[str, str]

    @property
    def node_root(self) -> Path:
        """Where the node keeps what its tasks need."""
        return self.home / "node"

    def script(self, verb: str) -> None:
        """``scripts/slurm``."""
        subprocess.run(
            [str(SCRIPT), verb], env={**os.environ, **self.environment}, check=True,
            stdout=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip

    def say(self, *words: str) -> str:
        """One of Slurm's own commands."""
        return subprocess.run(
            words,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout

    def pid(self, daemon: str) -> int:
        """The process of one of its daemons."""
        return int((self.home / f"{daemon}.pid").read_text())

    def idle(self) -> bool:
        """Whether the node is free and fit for a job."""
        return self.say("sinfo", "--noheader", "--format=%T").strip() == "idle"

    def there(self, task: Task) -> list[int]:
        """The host's process ids of everything that runs in the sandbox of ``task``, whichever made it."""
        found: set[int] = set()
        for slot in self.node_root.glob(f"*/{task.id}/slot.json"):
            with suppress(FileNotFoundError):
                found |= kernel.processes(json.loads(slot.read_text())["container"])
        for group_folder in Path("/sys/fs/cgroup").glob(f"*/sandbox/bwrap-*-{task.id}"):
            found |= kernel.processes(group_folder.name)
        return sorted(found)

    def begun(self, task: Task) -> bool:
        """Whether the code of ``task`` (``SLEEP``) runs."""
        return any(self.node_root.glob(f"*/{task.id}/started.json"))


def _port() -> int:
    """The first of two neighbouring free ports."""
    while True:
        with socket.socket() as one, socket.socket() as two:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            with suppress(OSError, OverflowError):
                two.bind(("127.0.0.1", port + 1))
                return port


@pytest.fixture(scope="session")
def slurm_cluster() -> Iterator[Cluster]:
    """One cluster per test process."""
    home = Path(tempfile.mkdtemp(prefix="slurm-"))
    home.chmod(0o755)
    environment = {
        "SANDBOX_SLURM_HOME": str(home),
        "SANDBOX_SLURM_PORT": str(_port()),
        "SANDBOX_SLURM_SILENT": "5",
        "SANDBOX_SLURM_NODE_ROOT": str(home / "node"),
        "SANDBOX_ENGINE": os.environ.get("SANDBOX_ENGINE", DEFAULT_ENGINE),
        "SLURM_CONF": str(home / "slurm.conf"),
    }
    cluster = Cluster(home, environment)
    try:
        cluster.script("start")
        yield cluster
    finally:
        with suppress(subprocess.SubprocessError):
            cluster.say("scancel", "--user=root")
        cluster.script("stop")
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def cluster(slurm_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """The cluster, fit and spoken to by this process."""
    for name, value in slurm_cluster.environment.items():
        monkeypatch.setenv(name, value)
    slurm_cluster.script("start")
    until(slurm_cluster.idle)
    return slurm_cluster


measured: dict[str, dict[str, Guarantees]] = {}


@pytest.fixture
def slurmed(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[[str], SlurmProber]]:
    """``slurmed(inner)``: the executor on a root of its own, with that executor on the node."""
    made: list[SlurmProber] = []

    def make(inner: str = "docker") -> SlurmProber:
        settings = Settings(partition="", inner=inner, python=Settings.from_env().python)
        made.append(SlurmProber(tmp_path / "tasks", settings=settings))
        known = measured.get(inner) or {"runc": made[-1].guarantees()}
        made[-1]._measured = dict(known)
        measured[inner] = dict(known)  # once per process: it is a job of its own
        return made[-1]

    yield make
    for executor in made:
        for task_id in executor.known():
            executor.discard(task_id)
