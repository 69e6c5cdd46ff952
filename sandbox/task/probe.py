"""What a task's own container must refuse, tried from within it before any data or user code is there.

A small static list (the full one is tests/attack/test_isolation.py): one attempt per wall that stands
between a task and the machine. It runs in every container that is started, so each attempt is cheap and
leaves nothing behind; for the same reason this module imports next to nothing (``_socket`` and not
``socket``, which brings eight others). The host reads the answers before it hands the task its data
(``sandbox.executor.slots``) and refuses a container in which one attempt succeeded or is missing.

x86_64 system call numbers: arch/x86/entry/syscalls/syscall_64.tbl of the kernel's source.
"""

from __future__ import annotations

import _socket
import ctypes
import errno
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

OPEN = "open"  # the answer that must never come
_LIBC = ctypes.CDLL(None, use_errno=True)


class Held(Exception):
    """The wall held, for a reason that is no error number."""


def _call(number: int, *arguments: int | bytes | None) -> int:
    """A bare system call; OSError if the kernel refuses it."""
    given = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one or 0) for one in arguments]
    answer: int = _LIBC.syscall(ctypes.c_long(number), *given)
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return answer


def _made(family: int, kind: int = _socket.SOCK_STREAM) -> Callable[[], None]:
    """Make a socket of ``family``."""

    def attempt() -> None:
        _socket.socket(family, kind).close()

    return attempt


def _become_root() -> None:
    os.setuid(0)  # EINVAL: in this user namespace there is no such user


def _resolve() -> None:
    _socket.getaddrinfo(b"example.org", 53)


def _connect(address: str) -> Callable[[], None]:
    """Connect to a unix socket; a leading NUL means the abstract name space."""

    def attempt() -> None:
        line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            line.settimeout(1)
            line.connect(address)
        finally:
            line.close()

    return attempt


def _read(path: str) -> str:
    with open(path) as file:
        return file.read()


def _any_abstract() -> None:
    """A host's abstract sockets are listed only in a shared network namespace."""
    listed = _read("/proc/net/unix").splitlines()[1:]
    if not [line for line in listed if "@" in line]:
        raise Held("none listed")


def _write(folder: str) -> Callable[[], None]:
    """Make a file in ``folder``."""

    def attempt() -> None:
        path = f"{folder.rstrip('/')}/.probe"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)

    return attempt


def _open(path: str, flags: int = os.O_WRONLY) -> Callable[[], None]:
    """Open what is there."""

    def attempt() -> None:
        os.close(os.open(path, flags | os.O_NOCTTY | os.O_CLOEXEC))

    return attempt


def _devices() -> None:
    """Devices beyond the harmless ones that every container has."""
    harmless = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
    for name in os.listdir("/dev"):
        try:
            kind = os.lstat(f"/dev/{name}").st_mode  # stdin and its like are links
        except OSError:
            continue
        if (stat.S_ISBLK(kind) or stat.S_ISCHR(kind)) and name not in harmless:
            return
    raise Held("none")


def _execute() -> None:
    """A program of one's own in /tmp."""
    path = "/tmp/.probe-exec"  # noqa: S108 - the container's own
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700)
    try:
        os.write(handle, b"#!/usr/bin/python3\n")
        os.close(handle)  # what is open for writing is not executed, whatever the file system says
        if not os.access(path, os.X_OK):  # false on a file system mounted noexec
            raise Held("noexec")
        os.waitpid(os.posix_spawn(path, [path], {}), 0)  # gVisor tells by refusing
    finally:
        os.unlink(path)


def _others() -> None:
    """Processes that are not of this container: its first process is ours or our child's ancestor."""
    mine = {str(os.getpid()), str(os.getppid()), "1"}
    if not [name for name in os.listdir("/proc") if name.isdigit() and name not in mine]:
        raise Held("none")


def _swell(folder: str, limit: str) -> Callable[[], None]:
    """More bytes in ``folder`` than the limit allows; the kernel refuses before it takes any."""

    def attempt() -> None:
        path = f"{folder}/.probe"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(handle, 0, int(os.environ[limit]) + (8 << 20))
        finally:
            os.close(handle)
            os.unlink(path)

    return attempt


def _processes() -> None:
    """More processes than the limit allows. Threads count as such; those of libc that wait at a semaphore
    cost a third of the interpreter's own (7 ms instead of 20 for 256)."""
    libc = ctypes.PyDLL(None)  # these calls return at once: the interpreter's lock is kept
    most = int(os.environ["TASK_PIDS"]) + 1
    gate, traits = ctypes.create_string_buffer(32), ctypes.create_string_buffer(56)  # sem_t, pthread_attr_t
    threads = (ctypes.c_ulong * most)()
    before, made, refused = len(os.listdir("/proc/self/task")), 0, 0
    libc.sem_init(gate, 0, 0)
    libc.pthread_attr_init(traits)
    libc.pthread_attr_setstacksize(traits, ctypes.c_size_t(64 << 10))
    while made < most and not refused:
        refused = libc.pthread_create(ctypes.byref(threads, 8 * made), traits, libc.sem_wait, gate)
        made += not refused
    for _ in range(made):
        libc.sem_post(gate)
    for thread in threads[:made]:
        libc.pthread_join(ctypes.c_ulong(thread), None)
    while len(os.listdir("/proc/self/task")) > before:  # joined is not yet uncounted
        time.sleep(0.0005)
    if refused == errno.EAGAIN:  # any other refusal is none of a limit
        raise OSError(errno.EAGAIN, "no more threads")


def _memory() -> None:
    """A limit of memory above the one that was asked for. Only read: to use it up would end this process."""
    for name in ("memory/memory.limit_in_bytes", "memory.max"):
        try:
            told = _read(f"/sys/fs/cgroup/{name}").strip()
        except OSError:
            continue
        if told != "max" and int(told) <= int(os.environ["TASK_MEMORY"]):
            raise Held("limited")
        return
    raise OSError(errno.ENOENT, "no control group")


_NEW_USER, _NEW_NS = 0x10000000, 0x00020000
_SYSTEM_KEYRING = -4  # KEY_SPEC_USER_KEYRING, linux/keyctl.h

# name -> what is tried. The names are the executor's too: sandbox/executor/slots.py, REQUIRED.
ATTEMPTS: dict[str, Callable[[], object]] = {
    "network_ipv4": _made(_socket.AF_INET),
    "network_ipv6": _made(_socket.AF_INET6),
    "network_raw": _made(17, _socket.SOCK_RAW),  # AF_PACKET
    "network_netlink": _made(16, _socket.SOCK_RAW),
    "network_vsock": _made(40),
    "network_kernel_crypto": _made(38, _socket.SOCK_SEQPACKET),  # AF_ALG
    "name_resolution": _resolve,
    "abstract_sockets": _any_abstract,
    "engine_socket": _connect("/var/run/docker.sock"),
    "write_root": _write("/"),
    "write_usr": _write("/usr"),
    "write_etc": _write("/etc"),
    "write_inputs": _write("/in"),
    "write_control_group": _write("/sys/fs/cgroup"),
    "write_core_pattern": _open("/proc/sys/kernel/core_pattern"),
    "write_sysrq": _open("/proc/sysrq-trigger"),
    "read_kernel_memory": _open("/dev/mem", os.O_RDONLY),
    "read_kernel_log": _open("/dev/kmsg", os.O_RDONLY),
    "devices": _devices,
    "make_device": lambda: os.mknod("/tmp/.probe-device", stat.S_IFBLK | 0o600, os.makedev(7, 0)),  # noqa: S108
    "execute_own_program": _execute,
    "other_processes": _others,
    "become_root": _become_root,
    "change_root": lambda: os.chroot("/tmp"),  # noqa: S108
    "trace": lambda: _call(101, 0, 0, 0, 0),  # ptrace(PTRACE_TRACEME)
    "read_other_memory": lambda: _call(310, 1, 0, 0, 0, 0, 0),  # process_vm_readv
    "process_handle": lambda: _call(434, 1, 0),  # pidfd_open
    "mount": lambda: _call(165, b"none", b"/tmp", b"tmpfs", 0, None),
    "open_file_system": lambda: _call(430, b"tmpfs", 0),  # fsopen
    "new_user_namespace": lambda: _call(272, _NEW_USER),  # unshare
    "new_mount_namespace": lambda: _call(272, _NEW_NS),
    "bpf": lambda: _call(321, 0, None, 0),
    "io_uring": lambda: _call(425, 1, None),
    "user_faults": lambda: _call(323, 0),
    "performance_events": lambda: _call(298, None, 0, -1, -1, 0),
    "add_key": lambda: _call(248, b"user", b"probe", b"x", 1, _SYSTEM_KEYRING),
    "key_control": lambda: _call(250, 0, _SYSTEM_KEYRING, 0),
    "splice_memory": lambda: _call(278, 0, None, 0, 0),  # vmsplice
    "load_kernel": lambda: _call(246, 0, 0, None, 0),  # kexec_load
    "bytes_in_tmp": _swell("/tmp", "TASK_TMP_BYTES"),  # noqa: S108
    "bytes_in_out": _swell("/out", "TASK_OUTPUT_BYTES"),
    "processes": _processes,
    "memory": _memory,
}
# A bad argument means that the kernel looked at it: a filter would have refused the call before.
_REACHED = {errno.EINVAL, errno.EFAULT, errno.EBADF}


def attempt() -> dict[str, str]:
    """Try everything; name -> ``"open"`` if it succeeded, else how it was refused (an error's name)."""
    answers = {}
    for name, what in ATTEMPTS.items():
        try:
            what()
        except Held as held:
            answers[name] = str(held)
        except OSError as error:
            reached = error.errno in _REACHED and what.__name__ == "<lambda>"
            answers[name] = OPEN if reached else errno.errorcode.get(error.errno or 0, type(error).__name__)
        else:
            answers[name] = OPEN
    return answers
