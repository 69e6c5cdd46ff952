"""Containers that wait for a task: made, started, probed from within, looked at from outside; no data yet.

A slot is a folder below ``<root>/.slots`` and the container that was made on it. To claim one is to
rename its folder to that of the task, which only one process can do; from then on it is that task's and
no other's. ``slot.json`` is written last: a folder without it belongs to a process that makes it, whose
id stands in its name, or died while it did.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound

from sandbox.core.errors import fail
from sandbox.executor import interposed, kernel, profile
from sandbox.executor.contract import Shape, Task
from sandbox.executor.folders import GO, READY, SLOTS, TaskFolder

READY_SECONDS = 60.0  # to start, probe and import; the machine may be busy
READY_BYTES = 64 << 10
GO_SECONDS = 10.0
LOOK_SECONDS = 0.002  # between two looks at a word that comes in a file
KILL_SECONDS = 8.0  # for the last process to be gone after a kill
HARDENED = {"ro", "nosuid", "nodev", "noexec"}
AHEAD = "ahead"  # in the place of a task's kind: none is known yet (sandbox/task/rooms.py)
OPEN = "open"  # an attempt of the probe that succeeded
# The attempts that every container must have made (sandbox/task/probe.py; a test compares the two).
# fmt: off
REQUIRED = frozenset({
    "network_ipv4", "network_ipv6", "network_raw", "network_netlink", "network_vsock",
    "network_kernel_crypto", "name_resolution", "abstract_sockets", "engine_socket", "write_root",
    "write_usr", "write_etc", "write_inputs", "write_control_group", "write_core_pattern", "write_sysrq",
    "read_kernel_memory", "read_kernel_log", "devices", "make_device", "execute_own_program",
    "other_processes", "become_root", "change_root", "trace", "read_other_memory", "process_handle",
    "mount", "open_file_system", "new_user_namespace", "new_mount_namespace", "bpf", "io_uring",
    "user_faults", "performance_events", "add_key", "key_control", "splice_memory", "load_kernel",
    "bytes_in_tmp", "bytes_in_out", "processes", "memory",
})
# fmt: on


@dataclass(frozen=True)
class Slot:
    """What ``slot.json`` says."""

    slot: str
    container: str  # the engine's full id
    pid: int  # of its first process, on the host
    shape: dict[str, Any]
    config_sha256: str
    isolation: dict[str, Any]  # what was asked and verified, "kernel", "probe"

    @classmethod
    def of(cls, folder: TaskFolder) -> Slot | None:
        """The slot of a folder, None if it has none (yet)."""
        noted = folder.noted("slot")
        return cls(**noted) if noted else None

    @property
    def interposed(self) -> bool:
        """Whether its kernel runs in user space."""
        return self.shape.get("runtime") in profile.INTERPOSED

    @property
    def waits(self) -> bool:
        """Whether its container is there, by what the kernel says."""
        return kernel.holds(self.container, self.pid)


def _birth(pid: int) -> str:
    """The start of a process in clock ticks: with its id, its name for all time."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


def _maker_lives(slot: str) -> bool:
    _, pid, birth, _ = slot.split("-")
    with suppress(OSError):
        return _birth(int(pid)) == birth
    return False


def held(answers: object, runtime: str = "runc") -> dict[str, Any]:
    """What is kept of a probe's answers: ``{"attempts": count, "refused": count}``, and with a kernel in user
    space ``"own_kernel"``: attempts that it granted, which are looked at from outside.

    ISOLATION_UNAVAILABLE names every attempt that succeeded or was not made.
    """
    made = answers if isinstance(answers, dict) else {}
    granted = sorted(name for name, told in made.items() if told == OPEN)
    own = [name for name in granted if runtime in profile.INTERPOSED and name in interposed.OWN]
    failed = sorted(REQUIRED - set(made)) + [name for name in granted if name not in own]
    if failed:
        raise fail("ISOLATION_UNAVAILABLE", missing=", ".join(f"probe: {name}" for name in failed))
    counts = {"attempts": len(made), "refused": len(made) - len(own)}
    return {**counts, **({"own_kernel": own} if own else {})}


class Slots:
    """The slots of one executor's root; see the module's text."""

    def __init__(self, root: Path, space: str, entry: tuple[str, ...]) -> None:
        self.root = root
        self.folder = root / SLOTS
        self.space = space
        self.entry = entry

    def name(self, slot: str) -> str:
        """The container's name for the engine."""
        return f"sandbox-{self.space}-{slot}"

    def ready(self) -> list[tuple[TaskFolder, Slot]]:
        """Slots that wait for a task."""
        paths = sorted(self.folder.glob("slot-*")) if self.folder.is_dir() else []
        folders = [TaskFolder(self.folder, path.name) for path in paths]
        return [(folder, slot) for folder in folders if (slot := Slot.of(folder))]

    def claim(self, shape: Shape, task: TaskFolder) -> Slot | None:
        """Make a waiting slot of ``shape`` the folder of a task; None if there is none."""
        wanted = asdict(shape)
        for folder, slot in self.ready():
            if slot.shape == wanted and slot.waits:
                with suppress(FileNotFoundError):  # another process was first
                    folder.path.rename(task.path)
                    return slot
        return None

    def set_aside(self, folder: TaskFolder) -> TaskFolder | None:
        """Take a waiting slot off the list so that nobody claims it while it is removed."""
        aside = TaskFolder(self.folder, f"unwanted-{folder.id}")
        try:
            folder.path.rename(aside.path)
        except FileNotFoundError:
            return None
        return aside

    def make(self, api: docker.APIClient, shape: Shape, kind: str = "") -> tuple[TaskFolder, Slot]:
        """Start a container of ``shape`` and wait until it waits. One that is made ``AHEAD`` of its task is
        ready when it has imported what such tasks need; one made for a task of ``kind`` as soon as it has
        proved itself (``sandbox.task.__main__``).

        Raises IMAGE_UNKNOWN, and ISOLATION_UNAVAILABLE with the missing guarantees; then nothing stays.
        """
        pid = os.getpid()
        folder = TaskFolder(self.folder, f"slot-{pid}-{_birth(pid)}-{secrets.token_hex(4)}")
        place = profile.Place(folder.id, profile.uid_of(folder.id), folder.inputs, folder.output, self.space)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            folder.lay_out(shape.limits, place.uid, pipes=shape.runtime not in profile.INTERPOSED)
            slot = self._start(api, shape, folder, place, (*self.entry, *((kind,) if kind else ())))
            folder.note("slot", asdict(slot))
        except BaseException:
            self.drop(api, folder.id)
            folder.remove()
            raise
        return folder, slot

    def _start(
        self,
        api: docker.APIClient,
        shape: Shape,
        folder: TaskFolder,
        place: profile.Place,
        entry: tuple[str, ...],
    ) -> Slot:
        body = profile.configuration(shape, place, entry)
        pipe = os.open(folder.output / READY, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            try:
                container = api.create_container_from_config(body, self.name(folder.id))["Id"]
            except ImageNotFound:
                raise fail("IMAGE_UNKNOWN", image=shape.image) from None
            except APIError as error:
                raise fail("ISOLATION_UNAVAILABLE", missing="create") from error
            try:
                api.start(container)
            except APIError as error:
                raise fail("ISOLATION_UNAVAILABLE", missing="start") from error
            report = api.inspect_container(container)  # while it tries itself; only our code runs in it yet
            isolation = profile.verify(shape, place, report)
            answers = _announced(pipe, container)
            (folder.output / READY).unlink()
        finally:
            os.close(pipe)
        pid = int(report["State"]["Pid"])
        look = interposed.observe if shape.runtime in profile.INTERPOSED else kernel.observe
        isolation["kernel"] = look(shape.limits, place, container, pid)
        isolation["probe"] = held(answers.get("probe"), shape.runtime)
        return Slot(folder.id, container, pid, asdict(shape), profile.sha256_of(body), isolation)

    def drop(self, api: docker.APIClient, slot: str) -> None:
        """End and remove the container of a slot, whatever it does; nothing happens if there is none.

        An engine that says that it has ended is not believed: ISOLATION_UNAVAILABLE if it cannot be ended.
        """
        try:
            container = api.inspect_container(self.name(slot))["Id"]
        except NotFound:
            return
        kill(api, container)
        with suppress(NotFound):
            api.remove_container(container, force=True)
        kernel.remove_groups(container)

    def reap(self, api: docker.APIClient) -> None:
        """Remove what died half made, slots whose container is gone, containers without a folder."""
        listed = {
            container["Labels"]["sandbox.slot"]
            for container in api.containers(
                all=True, filters={"label": [f"sandbox.space={self.space}", "sandbox.slot"]}
            )
        }
        kept = set()
        for path in self.folder.glob("slot-*"):  # before the tasks: what is claimed now is found there
            folder = TaskFolder(self.folder, path.name)
            slot = Slot.of(folder)
            if slot.waits if slot else _maker_lives(path.name):
                kept.add(path.name)
            elif path.exists():  # else it was claimed while we looked
                self.drop(api, path.name)
                folder.remove()
        for path in self.folder.glob("unwanted-*"):  # whoever set it aside was killed, or will not mind
            TaskFolder(self.folder, path.name).remove()
        for path in self.root.glob("*/slot.json"):
            with suppress(OSError, ValueError):  # discarded while we look
                kept.add(json.loads(path.read_text())["slot"])
        for name in listed - kept:
            if not _maker_lives(name):
                self.drop(api, name)


def kill(api: docker.APIClient, container: str) -> None:
    """End everything in the container. ISOLATION_UNAVAILABLE if something in it cannot be ended."""
    with suppress(APIError):  # 409: not running
        api.kill(container, "SIGKILL")
    if not kernel.kill_all(container, KILL_SECONDS):
        raise fail("ISOLATION_UNAVAILABLE", missing="kill")


def _announced(pipe: int, container: str) -> dict[str, Any]:
    """What a new container says of itself. Only code of ours has run in it so far."""
    poll, plain = select.poll(), stat.S_ISREG(os.fstat(pipe).st_mode)
    poll.register(pipe, select.POLLIN)
    said, deadline = b"", time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and len(said) <= READY_BYTES and not said.endswith(b"\n"):
        heard = bool(poll.poll(500))
        chunk = os.read(pipe, READY_BYTES) if heard else b""
        said += chunk
        if not chunk and ((heard and not plain) or not kernel.processes(container)):
            break
        if not chunk and plain:
            time.sleep(LOOK_SECONDS)
    try:
        answers = json.loads(said)
    except ValueError:
        raise fail("ISOLATION_UNAVAILABLE", missing="ready") from None
    return answers if isinstance(answers, dict) else {}


def bring(folder: TaskFolder, slot: Slot, task: Task) -> None:
    """Show a claimed slot its task, and look from outside how its inputs stand in there.

    ISOLATION_UNAVAILABLE if one is missing, one too many, or not read-only: it must not start.
    """
    folder.bring(task)
    due = {f"/in/{given.name}" for given in task.inputs}
    try:
        viewer = interposed.gofer(slot.container) if slot.interposed else slot.pid
        shown = kernel.shown_below(viewer, "/in")
    except OSError:
        raise fail("ISOLATION_UNAVAILABLE", missing="ready") from None
    if due != set(shown) or any(not flags >= HARDENED for flags in shown.values()):
        raise fail("ISOLATION_UNAVAILABLE", missing="inputs_read_only")


def go(folder: TaskFolder, slot: Slot, seconds: float = GO_SECONDS) -> None:
    """Let a container that waits begin; of one that has begun or ended nothing is asked.

    The container is about to open the other end: ``seconds`` to do so, else ISOLATION_UNAVAILABLE.
    ``seconds=0`` is for a process that found the task begun and does not know whether it was let go.
    """
    if slot.interposed:
        if seconds and not slot.waits:
            raise fail("ISOLATION_UNAVAILABLE", missing="ready")
        if folder.inputs.is_mount():
            (folder.inputs / GO).touch(0o444)
        return
    deadline = time.monotonic() + seconds
    while True:
        try:
            pipe = os.open(folder.inputs / GO, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:  # nobody at the other end (yet)
            if not seconds:
                return
            if time.monotonic() > deadline or not slot.waits:
                raise fail("ISOLATION_UNAVAILABLE", missing="ready") from None
            time.sleep(0.001)
            continue
        with suppress(BrokenPipeError):
            os.write(pipe, b"1")
        os.close(pipe)
        return
