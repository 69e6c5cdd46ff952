"""Mount and unmount through libc: the calls that a task's folder needs."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None, use_errno=True)

# <sys/mount.h>
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_PRIVATE, MS_SHARED = 32, 4096, 1 << 18, 1 << 20
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
_HARDENED = MS_NOSUID | MS_NODEV | MS_NOEXEC


def _mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> None:
    texts = (source, str(target), kind)
    arguments = [ctypes.c_char_p(os.fsencode(text)) for text in texts]
    done = _LIBC.mount(*arguments, ctypes.c_ulong(flags), ctypes.c_char_p(data.encode()))
    if done != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(target))


def bind_read_only(source: Path, target: Path) -> None:
    """Show ``source`` at ``target``: read-only, nosuid, nodev, noexec, private.

    Not recursive on purpose: a mount below ``source`` would stay writable under a read-only bind
    (measured with engine 20.10), so what is mounted below it is simply not shown. OSError if refused.
    """
    _mount(str(source), target, "", MS_BIND)
    _mount("", target, "", MS_PRIVATE)
    _mount("", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY | _HARDENED)


def bind_again(source: Path, target: Path) -> None:
    """Show the mount at ``source`` at ``target`` as well, with the flags that it has.

    The only way to bring a mount into a container that runs: a bind that is made read-only afterwards
    shows itself *writable* in there, for what travels is its first state (measured; attacked in
    tests/attack/test_late_inputs.py). So ``source`` must be hardened already (``bind_read_only``).
    """
    _mount(str(source), target, "", MS_BIND)


def tmpfs(target: Path, *, size: int, inodes: int, uid: int) -> None:
    """An empty folder in memory with a hard quota: ``size`` bytes, ``inodes`` files and folders."""
    options = f"size={size},nr_inodes={inodes},uid={uid},gid={uid},mode=0700"
    _mount("sandbox", target, "tmpfs", _HARDENED, options)
    _mount("", target, "", MS_PRIVATE)


def landing(target: Path, *, size: int) -> None:
    """An empty folder in memory, root's, in which later mounts appear also for containers that see it."""
    _mount("sandbox", target, "tmpfs", _HARDENED, f"size={size},mode=0755")
    _mount("", target, "", MS_SHARED)


def mounted_below(folder: Path) -> list[Path]:
    """Mount points at or below ``folder``, deepest first."""
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        point = Path(os.fsdecode(line.split()[4].decode("unicode_escape").encode("latin-1")))
        if point.is_relative_to(folder):
            found.append(point)
    return sorted(found, key=lambda point: -len(point.parts))


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below ``folder``; what is still in use goes when its user ends."""
    for point in mounted_below(folder):
        if _LIBC.umount2(os.fsencode(point), MNT_DETACH | UMOUNT_NOFOLLOW) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(point))
