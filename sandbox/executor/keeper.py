"""The keeper of one bubblewrap task: ``python -m sandbox.executor.keeper``, the order on standard input.

One process per task, which outlives the worker that started it: it holds the task's mounts in a namespace
of its own, starts ``bwrap``, looks at the sandbox before the task's code runs, watches its limits, takes its
outputs and notes the outcome. When the keeper dies, the sandbox dies with it (``--die-with-parent``) and its
mounts are gone. The order is one JSON object (``Order``); a torn one, because the worker died, is not obeyed.
What cannot be run is noted as ``refused.json`` (``{"code", "details"}``), what was run as ``outcome.json``.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sandbox.core.errors import SandboxError, fail
from sandbox.executor import house, kernel, syscalls
from sandbox.executor.cgroups import Groups
from sandbox.executor.collect import collect
from sandbox.executor.contract import End, Limits, Outcome
from sandbox.executor.folders import GO, READY, TaskFolder
from sandbox.executor.processes import Name, name_of, wait
from sandbox.executor.profile import ulimits

SET_UP_SECONDS = 20.0  # for bwrap to have laid out the sandbox; the machine may be busy
SETTLED_SECONDS = 3.0  # what has not changed for so long will not become right
READY_SECONDS = 60.0  # to start, probe and import
READY_BYTES = 64 << 10
KILL_SECONDS = 8.0
LOOK_SECONDS = 0.002  # between two looks at a sandbox that is being set up
WATCH_SECONDS = 0.05  # between two looks at the memory of a task that no control group bounds
HALT_SECONDS = 1.0  # between two looks whether the task was halted from within
SPARE_PIDS = 2  # bwrap outside and the sandbox's first process
OPEN = "open"  # an attempt of the probe that succeeded
KILLED = 128 + signal.SIGKILL
OOM_FIRST = 500  # short of memory, the machine ends a task and not the worker
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 36, 38  # <linux/prctl.h>
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Order:
    """What a keeper is told. Paths are the host's; ``controllers`` are the control groups that bound it."""

    root: str
    id: str
    program: str  # bwrap
    rootfs: str
    inputs: list[list[str]]  # [name, path]
    document: str
    limits: dict[str, Any]
    uid: int  # the task's user inside; with ``drop`` also outside
    drop: bool  # started as root: become ``uid`` before bwrap is
    group: str
    controllers: list[str]
    environment: list[str]
    entry: list[str]
    required: list[str]  # the attempts that the probe inside must have made
    config_sha256: str


class _Stopped(Exception):
    """Stopped before the task's code ran."""


class Keeper:
    """See the module's text; used once."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.limits = Limits(**order.limits)
        self.folder = TaskFolder(Path(order.root), order.id)
        self.owner = (order.uid, order.uid) if order.drop else (os.geteuid(), os.getegid())
        self.groups = Groups(order.group, tuple(order.controllers), SPARE_PIDS)
        self.watched = "memory" not in order.controllers
        self.stopped, self.wake = os.pipe()
        self.status = b""
        self.killed_for: End | None = None
        self.init: Name | None = None

    # -- start ------------------------------------------------------------------------------------

    def run(self) -> None:
        """From the order to the outcome or the refusal, which is noted in the task's folder."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: os.write(self.wake, b"."))
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)  # what bwrap leaves behind is this process's to bury
        try:
            self._keep()
        except SandboxError as refused:
            self.folder.note("refused", {"code": refused.code, "details": refused.details})
        except _Stopped:
            self.folder.fresh_files().mkdir()
            self._note(End.STOPPED, None, time.time(), {})
        finally:
            kernel.remove_groups(self.order.group)

    def _keep(self) -> None:
        try:
            house.leave_host(self.order.drop)
            root = house.Given.open("root", self.order.root)  # it may be where STAGE will cover it
            self.folder = TaskFolder(Path(f"/proc/self/fd/{root.handle}"), self.order.id)
            rootfs = house.Given.open("root", self.order.rootfs)
            rootfs.hold()  # until this process ends
            inputs = [house.Given.open(name, path) for name, path in self.order.inputs]
            house.lay_out(rootfs, inputs, self.order.document.encode(), self.limits, self.owner)
        except OSError as error:
            raise fail(
                "ISOLATION_UNAVAILABLE", missing=f"mount ({error.filename}: {error.strerror})"
            ) from None
        try:
            self.groups.make(self.limits)
        except OSError as error:
            raise fail("ISOLATION_UNAVAILABLE", missing=f"cgroup: {error.filename}") from None
        status, status_end = os.pipe()
        gate_end, gate = os.pipe()
        ready = os.open(house.STAGE / "out" / READY, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self.house = self._start(status_end, gate_end)
        os.close(status_end)
        os.close(gate_end)
        os.set_blocking(status, False)
        try:
            init = self._set_up(status)
            self._bound(init)
            os.write(gate, b".")
            probe = self._probed(init, status, ready)
            begun = time.time()
            isolation = {
                "executor": "bubblewrap",
                "kernel": {"observed": True},
                "probe": probe,
                "uid": self.owner[0],
                "own_uid": self.order.drop,
                "control_groups": sorted(self.order.controllers),
            }
            config = self.order.config_sha256
            self.folder.note("started", {"at": begun, "config_sha256": config, "isolation": isolation})
            self._let_go()
            self._watch(init, status, begun)
        finally:
            self._kill()
        self._collect(status, begun, isolation)

    def _start(self, status: int, gate: int) -> subprocess.Popen[bytes]:
        with tempfile.TemporaryFile() as program:
            program.write(syscalls.program())
            program.seek(0)
            call = house.command(
                self.order.program, self.order.uid, self.order.environment, self.order.entry,
                seccomp=program.fileno(), status=status, block=gate,
            )  # fmt: skip
            try:
                nothing = os.open(house.device("null"), os.O_RDWR | os.O_CLOEXEC)
                return subprocess.Popen(  # noqa: S603 - bwrap and what house.command says
                    call,
                    stdin=nothing,
                    stdout=nothing,
                    stderr=nothing,
                    env={"PATH": "/usr/local/bin:/usr/bin:/bin"},
                    cwd="/",
                    pass_fds=(program.fileno(), status, gate),
                    preexec_fn=self._become,  # this process has one thread
                    start_new_session=True,
                )
            except (OSError, subprocess.SubprocessError):
                raise fail("ISOLATION_UNAVAILABLE", missing="bwrap") from None

    def _become(self) -> None:
        """Between fork and exec: into the control groups, then away from root for good."""
        self.groups.enter(os.getpid())
        Path("/proc/self/oom_score_adj").write_text(str(OOM_FIRST))
        for name, value in self._rlimits().items():
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (value, value))
        if self.order.drop:
            os.setgroups([])
            os.setresgid(self.owner[1], self.owner[1], self.owner[1])
            os.setresuid(self.owner[0], self.owner[0], self.owner[0])
        if _LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL):
            raise OSError(ctypes.get_errno(), "prctl")

    def _rlimits(self) -> dict[str, int]:
        """Per process; what a control group does not bound, a leap between two looks at it meets here."""
        values = {row["Name"].upper(): int(row["Hard"]) for row in ulimits(self.limits)}
        if self.watched:
            memory = self.limits.memory_bytes
            values |= {"DATA": 2 * memory, "AS": 4 * memory + (4 << 30)}
        return values

    def _told(self, status: int) -> dict[str, Any]:
        """What bwrap has said so far: ``child-pid`` at the start, ``exit-code`` at the end."""
        with suppress(BlockingIOError):
            while chunk := os.read(status, 4096):
                self.status += chunk
        said: dict[str, Any] = {}
        for line in self.status.splitlines():
            with suppress(ValueError):
                said |= json.loads(line)
        return said

    def _set_up(self, status: int) -> int:
        """Wait until the sandbox is as it must be. It waits at its gate; no code of the task runs yet."""
        names = [name for name, _ in self.order.inputs]
        groups = [self.order.group] * bool(self.order.controllers)
        deadline = time.monotonic() + SET_UP_SECONDS
        lacking, seen = ["bwrap"], [""]
        while time.monotonic() < deadline and self.house.poll() is None:
            self._unless_stopped()
            if pid := self._told(status).get("child-pid"):
                with suppress(OSError, KeyError, ValueError):
                    self.init = self.init or name_of(int(pid))
                    lacking = house.missing(int(pid), self.owner, names, groups)
                if not lacking:
                    noted = self.folder.noted("house") or {}
                    self.folder.note("house", {**noted, "init": self.init})
                    return int(pid)
                if lacking != seen:
                    seen, deadline = lacking, time.monotonic() + SETTLED_SECONDS
            time.sleep(LOOK_SECONDS)
        raise fail("ISOLATION_UNAVAILABLE", missing=", ".join(f"bwrap: {name}" for name in lacking))

    def _unless_stopped(self) -> None:
        if select.select([self.stopped], [], [], 0)[0]:
            raise _Stopped

    def _bound(self, init: int) -> None:
        """Where no control group bounds them: processes, counted in the sandbox's own user namespace, and
        cores. Set at the gate, because before it they would count the host's, or hinder bwrap."""
        try:
            if "pids" not in self.order.controllers:
                most = self.limits.pids + 1
                resource.prlimit(init, resource.RLIMIT_NPROC, (most, most))
            if "cpu" not in self.order.controllers:
                cores = sorted(os.sched_getaffinity(0))
                os.sched_setaffinity(init, cores[: max(1, math.ceil(self.limits.cpus))])
        except OSError:
            raise fail("ISOLATION_UNAVAILABLE", missing="limits") from None

    def _probed(self, init: int, status: int, ready: int) -> dict[str, int]:
        """Count of the probe's answers, before the task's code; ISOLATION_UNAVAILABLE if a wall is down."""
        answer = self._answer(ready)
        try:
            told: object = json.loads(answer)["probe"]
        except (ValueError, KeyError, TypeError):
            told = {}
        answers = told if isinstance(told, dict) else {}
        required = self.order.required if answers else ["no answer"]
        lacking = [f"probe: {name}" for name in required if name not in answers]
        lacking += [f"probe: {name}" for name, how in answers.items() if how == OPEN]
        if self.house.poll() is None:
            jobs = house.children(init)
            lacking += house.unfiltered(jobs[0]) if jobs else ["no process"]
        if lacking:
            raise fail("ISOLATION_UNAVAILABLE", missing=", ".join(sorted(set(lacking))))
        return {"attempts": len(answers), "refused": len(answers)}

    def _answer(self, ready: int) -> bytes:
        """What the task's entry says of itself; empty if it says nothing in time."""
        deadline = time.monotonic() + READY_SECONDS
        found = b""
        watched = select.poll()
        watched.register(ready, select.POLLIN)
        watched.register(self.stopped, select.POLLIN)
        ended = os.pidfd_open(self.house.pid)
        watched.register(ended, select.POLLIN)
        while len(found) < READY_BYTES and (left := deadline - time.monotonic()) > 0:
            events = dict(watched.poll(left * 1000))
            if self.stopped in events or (ended in events and ready not in events):
                break
            if ready in events:
                chunk = os.read(ready, READY_BYTES)
                if not chunk:
                    break
                found += chunk
        os.close(ended)
        self._unless_stopped()
        return found

    def _let_go(self) -> None:
        with suppress(OSError):  # it has ended already
            handle = os.open(house.STAGE / "in" / GO, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.write(handle, b".")
            os.close(handle)

    # -- end --------------------------------------------------------------------------------------

    def _watch(self, init: int, status: int, begun: float) -> None:
        """Until the task ends by itself, by its clock, by its memory, or is stopped."""
        deadline = time.monotonic() + self.limits.seconds - (time.time() - begun)
        ended = os.pidfd_open(self.house.pid)
        watched = select.poll()
        for handle in (ended, self.stopped):
            watched.register(handle, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                self.killed_for = End.TIMED_OUT
                break
            step = min(left, WATCH_SECONDS if self.watched else HALT_SECONDS)
            events = dict(watched.poll(math.ceil(step * 1000)))
            if ended in events:
                break
            if self.stopped in events:
                self.killed_for = End.STOPPED
                break
            if self.watched and self._too_much(init):
                self.killed_for = End.OUT_OF_MEMORY
                break
            if not events and halted(init):
                self.killed_for = End.FAILED
                break
        os.close(ended)

    def _too_much(self, init: int) -> bool:
        try:
            return house.held_bytes(init) > self.limits.memory_bytes
        except OSError:
            raise fail("ISOLATION_UNAVAILABLE", missing="limits: unwatched") from None

    def _kill(self) -> None:
        """End everything in the sandbox; ISOLATION_UNAVAILABLE if something of it goes on."""
        if self.init and not wait(self.init, 0):
            with suppress(OSError):
                os.kill(self.init[0], signal.SIGKILL)
        if self.init is None:
            with suppress(ProcessLookupError):
                self.house.kill()
        try:
            self.house.wait(KILL_SECONDS)
        except subprocess.TimeoutExpired:
            self.house.kill()
        if (self.init and not wait(self.init, KILL_SECONDS)) or not kernel.kill_all(self.order.group):
            raise fail("ISOLATION_UNAVAILABLE", missing="kill")
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass

    def _end(self, code: int | None) -> End:
        rules = (
            (code == 0 and self.killed_for is None, End.SUCCEEDED),
            (self.killed_for is not None, self.killed_for),
            (self.groups.out_of_memory(), End.OUT_OF_MEMORY),
            (code is None, End.LOST),  # somebody on the host ended it
        )
        return next((end for holds, end in rules if holds and end), End.FAILED)

    def _collect(self, status: int, begun: float, isolation: dict[str, Any]) -> None:
        said = self._told(status).get("exit-code")
        code = None if said is None else int(said)
        end = self._end(code)
        content, skipped = collect(
            house.STAGE / "out",
            self.folder.fresh_files(),
            max_bytes=self.limits.output_bytes,
            max_files=self.limits.output_files,
        )
        killed = self.killed_for is not None or (code is None and end is not End.LOST)
        self._note(end, KILLED if killed else code, begun, isolation, content, skipped)

    def _note(
        self,
        end: End,
        code: int | None,
        begun: float,
        isolation: dict[str, Any],
        report: dict[str, Any] | None = None,
        skipped: dict[str, int] | None = None,
    ) -> None:
        outcome = Outcome(
            end=end,
            exit_code=code,
            seconds=max(0.0, time.time() - begun),
            files=self.folder.files,
            report=report or {},
            started_at=begun,
            config_sha256=self.order.config_sha256,
            isolation=isolation,
            skipped=skipped or {},
        )
        self.folder.note_outcome(outcome)


def halted(init: int) -> bool:
    """Whether the task's own first process was stopped with a signal, which nobody does but the code that it
    runs: it would hold its place until the clock ends it. (In an engine's container that process is the name
    space's first, which such a signal from within does not reach.)"""
    with suppress(OSError, IndexError):
        told = (kernel.PROC / str(house.children(init)[0]) / "stat").read_text()
        return told.rpartition(")")[2].split()[0] in "Tt"
    return False


def main() -> NoReturn:
    """Obey the order on standard input, if it is whole."""
    try:
        order = Order(**json.loads(sys.stdin.buffer.read()))
    except (ValueError, TypeError):
        sys.exit(2)
    Keeper(order).run()
    sys.exit(0)


if __name__ == "__main__":
    main()
