"""Bubblewrap for the tests: started as root, and as a user of the machine who has no rights at all."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sandbox.core.errors import fail
from sandbox.executor import images
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from tests.plugins.engine import PROBE_ENTRY, ProbeExecutor

REPO = Path(__file__).resolve().parents[2]
# nobody's number on any machine; one for each process of a test run: each looks at what is left of its own
USER = 54321 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# As root, before it is USER: this machine's interpreter, libraries, code and images, shown where USER may
# read them whatever the modes of the folders above are. Then USER's own interpreter with the rest of argv.
BECOME_USER = """
import ctypes, os, sys
home, user, arguments = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
libc = ctypes.CDLL(None, use_errno=True)
def mount(source, target, flags):
    if libc.mount(source.encode(), target.encode(), b"", ctypes.c_ulong(flags), None):
        raise OSError(ctypes.get_errno(), target)
if libc.unshare(0x00020000):
    raise OSError(ctypes.get_errno(), "unshare")
mount("", "/", 0x4000 | 0x40000)
for line in open(f"{home}/shown"):
    source, name = line.rstrip("\\n").split("\\t")
    mount(source, f"{home}/{name}", 0x1000)
os.setgroups([])
os.setresgid(user, user, user)
os.setresuid(user, user, user)
os.chdir("/")
os.execve(f"{home}/venv/bin/python", [f"{home}/venv/bin/python", "-I", *arguments],
          {"PATH": "/usr/bin:/bin", "SANDBOX_IMAGES": f"{home}/images"})
"""
DRIVER = """
import json, sys
from pathlib import Path
from sandbox.core.errors import SandboxError
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import Input, Limits, Task, TaskKind
said = json.load(sys.stdin)
executor = BubblewrapExecutor(Path(said["root"]))
executor.entry = tuple(said["entry"])
try:
    if said["verb"] == "run":
        task = said["task"]
        outcome = executor.run(Task(**{
            **task, "kind": TaskKind(task["kind"]), "limits": Limits(**task["limits"]),
            "inputs": tuple(Input(name, Path(path)) for name, path in task["inputs"]),
        }))
        answer = {**vars(outcome), "files": str(outcome.files)}
    elif said["verb"] == "guarantees":
        answer = vars(executor.guarantees())
    else:
        answer = getattr(executor, said["verb"])(*said["arguments"])
    print(json.dumps({"answer": answer}))
except SandboxError as error:
    print(json.dumps({"code": error.code, "details": error.details}))
"""


def small_task(image: str, code: str, *inputs: Input, **limits: Any) -> Task:
    """A small task that runs ``code`` in the image."""
    given = {"seconds": 60, "memory_bytes": 256 << 20, "output_bytes": 8 << 20, "tmp_bytes": 8 << 20}
    return Task(
        id=f"probe-{uuid.uuid4().hex[:12]}",
        kind=TaskKind.JOB,
        image=image,
        params={"code": code},
        inputs=inputs,
        limits=Limits(**{**given, **limits}),
    )


class Inside:
    """Looks into the namespaces of a running task."""

    root: Path

    def inside(self, task: Task) -> Path:
        """The folder ``/out`` of a running task as its keeper sees it. OSError if there is none (yet)."""
        keeper = json.loads((self.root / task.id / "house.json").read_text())["keeper"]
        return Path(f"/proc/{keeper[0]}/root/tmp/out")


class BubblewrapProber(Inside, BubblewrapExecutor):
    """The executor started as root, with a probe of the test in the place of ``sandbox.task``."""

    entry = PROBE_ENTRY

    def task(self, code: str, *inputs: Input, **limits: Any) -> Task:
        """See ``small_task``."""
        return small_task(self.image("python"), code, *inputs, **limits)


class UserProber(Inside):
    """The same executor, used by ``USER``: each verb in a process of that user's."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "tasks"
        self.image = images.ImageList().digest

    def _say(self, verb: str, **more: Any) -> Any:
        asked = {"verb": verb, "root": str(self.root), "entry": PROBE_ENTRY, "arguments": [], **more}
        done = subprocess.run(
            [sys.executable, "-I", "-c", BECOME_USER, str(self.home), str(USER), "-c", DRIVER],
            input=json.dumps(asked), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        answer = json.loads(done.stdout)
        if "code" in answer:
            raise fail(answer["code"], **answer["details"])
        return answer["answer"]

    def task(self, code: str, *inputs: Input, **limits: Any) -> Task:
        """See ``small_task``."""
        return small_task(self.image("python"), code, *inputs, **limits)

    def run(self, task: Task) -> Outcome:
        """See ``contract.Executor``. Inputs must lie where ``USER`` may read them, as below ``home``."""
        told = {**asdict(task), "inputs": [[one.name, str(one.path)] for one in task.inputs]}
        answer = self._say("run", task=told)
        return Outcome(**{**answer, "end": End(answer["end"]), "files": Path(answer["files"])})

    def guarantees(self) -> dict[str, Any]:
        """What ``guarantees`` gives, as JSON."""
        answer: dict[str, Any] = self._say("guarantees")
        return answer

    def known(self) -> list[str]:
        """See ``contract.Executor``."""
        found: list[str] = self._say("known")
        return found

    def discard(self, task_id: str) -> None:
        """See ``contract.Executor``."""
        self._say("discard", arguments=[task_id])


Prober = ProbeExecutor | BubblewrapProber | UserProber


@contextmanager
def user_prober() -> Iterator[UserProber]:
    """A home for ``USER`` with everything that the executor needs."""
    home = Path(tempfile.mkdtemp(prefix="sandbox-user-"))
    try:
        home.chmod(0o755)
        site = sysconfig.get_path("purelib")
        shown = {
            "base": sys.base_prefix,
            "repo": str(REPO),
            "site": site,
            "images": str(images.home().resolve()),
        }
        for name in (*shown, "tasks", "data"):
            (home / name).mkdir()
        shutil.chown(home / "tasks", USER, USER)
        (home / "shown").write_text("".join(f"{source}\t{name}\n" for name, source in shown.items()))
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        packages = home / "venv/lib" / version / "site-packages"
        packages.mkdir(parents=True)
        (packages / "shown.pth").write_text(f"{home}/repo\n{home}/site\n")
        (home / "venv/bin").mkdir()
        (home / "venv/bin/python").symlink_to(home / "base/bin" / version)
        (home / "venv/pyvenv.cfg").write_text(f"home = {home}/base/bin\n")
        prober = UserProber(home)
        yield prober
        for task_id in prober.known():
            prober.discard(task_id)
    finally:
        shutil.rmtree(home)


@contextmanager
def prober_of(name: str, root: Path) -> Iterator[Prober]:
    """``docker``, ``docker_<runtime>``, ``bubblewrap`` or ``bubblewrap_user``; every task of it is discarded
    afterwards."""
    if name == "bubblewrap_user":
        BubblewrapExecutor(root / "tasks").prepare(
            [small_task(images.ImageList().digest("python"), "").shape]
        )
        with user_prober() as prober:
            yield prober
        return
    kind, _, runtime = name.partition("_")
    own = ProbeExecutor(root / "tasks") if kind == "docker" else BubblewrapProber(root / "tasks")
    if runtime and isinstance(own, ProbeExecutor):
        own.runtime = runtime
        if runtime not in REQUIRED_RUNTIMES and shutil.which(runtime) is None:
            pytest.skip(f"{runtime} is not installed: SANDBOX_RUNTIMES={runtime} scripts/setup")
    try:
        yield own
    finally:
        for task_id in own.known():
            own.discard(task_id)


PROBERS = ("docker", "bubblewrap", "bubblewrap_user")
RUNTIMES = ("docker_crun", "docker_runsc")  # beside runc
REQUIRED_RUNTIMES = ("runc", "crun")  # what the distribution has; gVisor comes from its backports


@pytest.fixture
def bubblewrapped(tmp_path: Path) -> Iterator[BubblewrapProber]:
    """Bubblewrap started as root, on a root of its own."""
    with prober_of("bubblewrap", tmp_path) as prober:
        assert isinstance(prober, BubblewrapProber)
        yield prober


@pytest.fixture(params=PROBERS)
def attacker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Prober]:
    """Each executor in turn."""
    with prober_of(request.param, tmp_path) as prober:
        yield prober


@pytest.fixture
def overrun(attacker: Prober) -> Callable[..., Outcome]:
    """``overrun(code, *inputs, **limits)``: run ``code`` under each executor in turn, and its outcome."""
    return lambda code, *inputs, **limits: attacker.run(attacker.task(code, *inputs, **limits))
