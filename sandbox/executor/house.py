"""The inside of a bubblewrap task: what is mounted where, and whether the kernel says so.

A keeper (``keeper.py``) moves into a mount namespace of its own and lays everything out below ``STAGE``
there, so that no mount is ever seen by the host or outlives the keeper. ``bwrap`` then makes the task's own
namespaces from it. Its own options cannot make ``/tmp`` noexec, bound inodes or hide the sandbox's first
process; what is mounted beforehand keeps its flags, and a mount over ``/proc/1`` hides that process.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox.executor.collect import SPARE_BYTES
from sandbox.executor.contract import Limits
from sandbox.executor.folders import GO, LANDING_BYTES, READY, SPARE_INODES, TASK_FILE
from sandbox.executor.kernel import CAPABILITY_SETS, NAMESPACES, PROC
from sandbox.executor.mounts import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REMOUNT
from sandbox.executor.profile import HUGE_PAGE, MASKED, SHM, SHM_BYTES, TMP

STAGE = Path("/tmp")  # noqa: S108 - the one folder every machine has; a file system of our own is put over it
MS_REC = 1 << 14
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
HARDENED = MS_NOSUID | MS_NODEV | MS_NOEXEC
# What a bind may not lose on the way into another user namespace: statvfs bit -> mount flag, <sys/statvfs.h>
_KEPT = (
    (os.ST_RDONLY, MS_RDONLY),
    (os.ST_NOSUID, MS_NOSUID),
    (os.ST_NODEV, MS_NODEV),
    (os.ST_NOEXEC, MS_NOEXEC),
)
DEVICES = ("full", "null", "random", "urandom", "zero")
DEVICE_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2"}
DEVICE_BYTES = 1 << 16
BLANK = "blank"  # below STAGE: an empty file, shown in the place of those that tell of the machine
OVERFLOW = "65534"  # how a group shows that the name space does not know
TMP_INODES, SHM_INODES = 65536, 1024
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Given:
    """A file or folder of the host, opened where ``STAGE`` does not cover it yet."""

    name: str
    handle: int
    folder: bool

    @classmethod
    def open(cls, name: str, path: str) -> Given:
        """OSError if it is not there, is a link, or may not be read."""
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        return cls(name, handle, stat.S_ISDIR(os.fstat(handle).st_mode))

    def hold(self) -> None:
        """Say that it is in use as long as it is open: ``rootfs`` removes no image that is."""
        fcntl.flock(self.handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _checked(answer: int, what: str) -> None:
    if answer != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)


def _mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> None:
    texts = [ctypes.c_char_p(os.fsencode(text)) for text in (source, str(target), kind)]
    _checked(_LIBC.mount(*texts, ctypes.c_ulong(flags), ctypes.c_char_p(data.encode())), str(target))


def _memory(target: Path, size: int, inodes: int, mode: int, owner: tuple[int, int]) -> None:
    target.mkdir()
    options = f"size={size},nr_inodes={inodes},mode={mode:o},uid={owner[0]},gid={owner[1]}"
    _mount("sandbox", target, "tmpfs", HARDENED, options)


def _show(handle: int, target: Path, flags: int) -> None:
    """Bind what ``handle`` has open at ``target``, read-only and with ``flags``; nothing below it."""
    _mount(f"/proc/self/fd/{handle}", target, "", MS_BIND)
    had = os.statvfs(target).f_flag
    kept = sum(flag for bit, flag in _KEPT if had & bit)
    _mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | flags | kept)


def _own(handle: int, target: Path) -> None:
    """Show the folder ``handle`` at ``target``, read-only, under inodes of this mount's own.

    All tasks of an image share its files. A lock (flock works on a file opened for reading) or a watch
    (inotify) on a shared inode would be seen by every other task: a way from one scenario into another,
    past the checker. An overlay of nothing gives each task inodes that only it has, as an engine's do.
    """
    empty = target.with_name("empty")
    empty.mkdir()
    options = f"lowerdir=/proc/self/fd/{handle}:{empty}"  # an overlay that is not written needs two layers
    _mount("overlay", target, "overlay", MS_RDONLY | MS_NOSUID | MS_NODEV, options)


def _own_devices(target: Path) -> None:
    """The same for devices: nodes that no other task has. Only root may make them; a user's tasks have the
    host's."""
    target.mkdir()
    _mount("sandbox", target, "tmpfs", MS_NOSUID | MS_NOEXEC, f"size={DEVICE_BYTES},mode=0755")
    for name in DEVICES:
        os.mknod(target / name, stat.S_IFCHR, Path(f"/dev/{name}").stat().st_rdev)
        (target / name).chmod(0o666)


def device(name: str) -> str:
    """Where the node of a device stands that a task is shown."""
    own = STAGE / "dev" / name
    return str(own) if own.exists() else f"/dev/{name}"


def leave_host(root: bool) -> None:
    """Move this process into a mount namespace of its own; without root, into a user namespace too.

    OSError if the machine does not let it.
    """
    uid, gid = os.geteuid(), os.getegid()
    _checked(_LIBC.unshare(CLONE_NEWNS if root else CLONE_NEWNS | CLONE_NEWUSER), "unshare")
    if not root:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    _mount("", Path("/"), "", MS_REC | MS_PRIVATE)


def lay_out(
    rootfs: Given, inputs: Iterable[Given], document: bytes, limits: Limits, owner: tuple[int, int]
) -> None:
    """Mount everything of a task below ``STAGE``; ``owner`` is the user and group that it has out here.

    OSError if the kernel refuses.
    """
    _mount("sandbox", STAGE, "tmpfs", HARDENED, "size=1048576,mode=0755")
    (STAGE / "root").mkdir()
    _own(rootfs.handle, STAGE / "root")
    (STAGE / BLANK).touch(0o444)
    if os.geteuid() == 0:
        _own_devices(STAGE / "dev")
    output = limits.output_bytes + SPARE_BYTES
    _memory(STAGE / "out", output, limits.output_files + SPARE_INODES, 0o700, owner)
    _memory(STAGE / TMP[1:], limits.tmp_bytes, TMP_INODES, 0o1777, owner)
    _memory(STAGE / "shm", SHM_BYTES, SHM_INODES, 0o1777, owner)
    _memory(STAGE / "in", LANDING_BYTES, 0, 0o755, (os.geteuid(), os.getegid()))
    (STAGE / "in" / TASK_FILE).write_bytes(document)
    (STAGE / "in" / TASK_FILE).chmod(0o644)
    for given in inputs:
        point = STAGE / "in" / given.name
        point.mkdir() if given.folder else point.touch()
        _show(given.handle, point, HARDENED)
    os.mkfifo(STAGE / "in" / GO)
    (STAGE / "in" / GO).chmod(0o444)
    os.mkfifo(STAGE / "out" / READY, 0o600)
    (STAGE / "out/files").mkdir(mode=0o700)
    for owned in (STAGE / "out" / READY, STAGE / "out/files"):
        os.chown(owned, *owner)


def _masks() -> list[str]:
    """Hide what tells of the machine. Of ``/sys`` there is ``HUGE_PAGE`` at most, so only what is below
    ``/proc``."""
    options = []
    for path in (path for path in MASKED if path.startswith("/proc/") and Path(path).exists()):
        empty = ["--tmpfs", path, "--remount-ro", path]
        options += empty if Path(path).is_dir() else ["--ro-bind", str(STAGE / BLANK), path]
    return [*options, "--tmpfs", "/proc/1", "--remount-ro", "/proc/1"]


def _kernel() -> list[str]:
    """The one file of ``/sys`` (see ``profile.HUGE_PAGE``), where this kernel has it."""
    if not HUGE_PAGE.is_file():
        return []
    return ["--perms", "0755", "--size", "4096", "--tmpfs", "/sys",
            "--ro-bind", str(HUGE_PAGE), str(HUGE_PAGE), "--remount-ro", "/sys"]  # fmt: skip


def command(
    program: str,
    uid: int,
    environment: Iterable[str],
    entry: Iterable[str],
    *,
    seccomp: int,
    status: int,
    block: int,
) -> list[str]:
    """The call of bwrap, which is ``program``. Inside, the task is the user ``uid``; the last three are open
    descriptors."""
    devices = [word for name in DEVICES for word in ("--dev-bind", device(name), f"/dev/{name}")]
    links = [word for name, to in DEVICE_LINKS.items() for word in ("--symlink", to, f"/dev/{name}")]
    settings = [word for line in environment for word in ("--setenv", *line.split("=", 1))]
    return [
        program, "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session",
        "--cap-drop", "ALL", "--uid", str(uid), "--gid", str(uid), "--hostname", "sandbox",
        "--clearenv", *settings,
        "--ro-bind", f"{STAGE}/root", "/",
        "--proc", "/proc", *_masks(), *_kernel(),
        "--perms", "0755", "--size", str(DEVICE_BYTES), "--tmpfs", "/dev", *devices, *links,
        "--bind", f"{STAGE}/shm", SHM, "--remount-ro", "/dev",
        "--bind", f"{STAGE / TMP[1:]}", TMP,
        "--ro-bind", f"{STAGE}/in", "/in", "--bind", f"{STAGE}/out", "/out",
        "--remount-ro", "/", "--chdir", TMP,
        "--seccomp", str(seccomp), "--json-status-fd", str(status), "--block-fd", str(block),
        "--", *entry,
    ]  # fmt: skip


def _status(pid: int) -> dict[str, str]:
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def _flags(pid: int) -> dict[str, set[str]]:
    """Mount point -> flags, as ``pid`` sees them."""
    rows = [line.split(" ") for line in (PROC / str(pid) / "mountinfo").read_text().splitlines()]
    return {row[4]: set(row[5].split(",")) for row in rows}


def _expected_points(inputs: Iterable[str]) -> set[str]:
    """Every mount that a task has outside ``/proc``: anything else is one too many."""
    devices = {f"/dev/{name}" for name in DEVICES}
    kernel = {"/sys", str(HUGE_PAGE)} if HUGE_PAGE.is_file() else set()
    always = {"/", "/proc", "/dev", SHM, TMP, "/in", "/out"}
    return {*always, *kernel, *devices, *(f"/in/{name}" for name in inputs)}


def missing(init: int, owner: tuple[int, int], inputs: Iterable[str], groups: Iterable[str]) -> list[str]:
    """What is not in force yet in the sandbox whose first process is ``init``: names of guarantees.

    Empty when it is as it must be. ``owner`` is the host's user and group, ``groups`` the control groups that
    it must stand in. OSError, KeyError or ValueError if the process cannot be looked at.
    """
    status, flags = _status(init), _flags(init)
    names = ("user", *NAMESPACES)
    own, its = PROC / "self/ns", PROC / str(init) / "ns"
    hardened = {"nosuid", "nodev", "noexec"}
    below = [found for point, found in flags.items() if point == "/in" or point.startswith("/in/")]
    outside = {point for point in flags if not point.startswith("/proc/")}
    interfaces = [
        line.split(":")[0].strip() for line in (PROC / str(init) / "net/dev").read_text().splitlines()[2:]
    ]
    placed = (PROC / str(init) / "cgroup").read_text()
    checked = {
        "uid": status["Uid"].split() == [str(owner[0])] * 4,
        "gid": status["Gid"].split() == [str(owner[1])] * 4,
        "groups": set(status["Groups"].split()) <= {str(owner[1]), OVERFLOW},
        "capabilities": not any(int(status[name], 16) for name in CAPABILITY_SETS),
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "interfaces": interfaces == ["lo"],
        "namespaces": not any((own / name).readlink() == (its / name).readlink() for name in names),
        "root_read_only": {"ro", "nosuid", "nodev"} <= flags.get("/", set()),
        "inputs_read_only": bool(below) and all({"ro", *hardened} <= found for found in below),
        "output_hardened": hardened <= flags.get("/out", set()),
        "tmp_hardened": hardened <= flags.get(TMP, set()) & flags.get(SHM, set()),
        "devices_read_only": "ro" in flags.get("/dev", set()),
        "first_process_hidden": "ro" in flags.get("/proc/1", set()),
        "only_granted_mounts": outside == _expected_points(inputs),
        "control_groups": all(f"/{name}\n" in placed for name in groups),
    }
    return [name for name, holds in checked.items() if not holds]


def unfiltered(job: int) -> list[str]:
    """The same for the process that runs in it, which stands behind the system-call filter."""
    status = _status(job)
    return [] if (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1") else ["seccomp_filter"]


def children(pid: int) -> list[int]:
    """The children of a process, by the kernel."""
    return [int(word) for word in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]


def held_bytes(init: int) -> int:
    """Bytes of memory that the sandbox holds: its processes, shared pages once, and its folders in memory.

    OSError if a process cannot be looked at: what cannot be watched must not go on.
    """
    total, waiting = 0, [init]
    while waiting:
        pid = waiting.pop()
        try:
            waiting += children(pid)
            for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) << 10
        except (FileNotFoundError, ProcessLookupError):
            continue  # ended while we looked; one that may not be looked at is an error
    for name in ("out", "tmp", "shm"):
        told = os.statvfs(STAGE / name)
        total += (told.f_blocks - told.f_bfree) * told.f_frsize
    return total
