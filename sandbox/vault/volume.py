"""Where the encrypted folders lie: a file system that can encrypt, or an ext4 image on a loop device.

The image is for a home whose own file system cannot (or was not set up to) encrypt. It is sparse, gives
deleted blocks back to the file system below, and is mounted where a folder would be.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.core.errors import SandboxError, fail
from sandbox.vault import codes as codes  # registers the error codes
from sandbox.vault import fscrypt

LEAST_BYTES = 256 << 20
_FREE_SHARE = 0.8  # of what is free when the image is made
_OPTIONS = "noatime,nosuid,nodev,discard"
_RENAME_EXCHANGE, _AT_FDCWD = 2, -100
_LIBC = ctypes.CDLL(None, use_errno=True)


class Volume(Protocol):
    """``root`` is the folder that the vault lies in, there after ``attach``."""

    @property
    def root(self) -> Path: ...

    def create(self) -> None:
        """Make it if it is not there. Raises VAULT_UNAVAILABLE."""

    def attach(self) -> None:
        """Have ``root`` there; idempotent. Raises VAULT_UNAVAILABLE, VAULT_NOT_HERE."""

    def attached(self) -> bool:
        """Whether ``root`` is there."""

    def detach(self) -> bool:
        """Take it away, and every key with it, if it is a mount of ours (else False). Raises VAULT_IN_USE."""


@dataclass(frozen=True)
class Folder:
    """A folder on a file system that encrypts by itself."""

    root: Path

    def create(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not can_encrypt(self.root):
            raise fail("VAULT_UNAVAILABLE", missing="ext4 -O encrypt (SANDBOX_VAULT)")

    def attach(self) -> None:
        if not self.attached():
            raise fail("VAULT_NOT_HERE", what=self.root.name)

    def attached(self) -> bool:
        return self.root.is_dir()

    def detach(self) -> bool:
        return False


@dataclass(frozen=True)
class Image:
    """An ext4 file system in ``file``, mounted at ``root``. ``size`` in bytes; 0: most of what is free."""

    file: Path
    root: Path
    size: int = 0

    def create(self) -> None:
        if self.file.exists():
            return
        free = shutil.disk_usage(self.file.parent).free
        size = self.size or int(free * _FREE_SHARE)
        if size < LEAST_BYTES:
            raise fail("VAULT_UNAVAILABLE", missing=f"{LEAST_BYTES >> 20} MiB")
        part = self.file.with_name(f".{self.file.name}.{secrets.token_hex(4)}")
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            os.truncate(part, size)
            _run("mkfs.ext4", "-q", "-F", "-O", "encrypt", "-E", "nodiscard", "-m", "0", str(part))
            part.rename(self.file)
        finally:
            part.unlink(missing_ok=True)

    def attach(self) -> None:
        if self.attached():
            return
        if not self.file.is_file():
            raise fail("VAULT_NOT_HERE", what=self.file.name)
        self.root.mkdir(exist_ok=True, mode=0o700)
        if os.path.ismount(self.root):
            raise fail("VAULT_NOT_HERE", what=f"{self.root.name} (another mount)")
        # the same image on two devices would destroy it: one that is attached already is the one to use
        device = _run("losetup", "--associated", str(self.file), "--noheadings", "--output", "NAME").split()[
            :1
        ]
        device = device or [_loop(self.file)]
        try:
            _run("mount", "-t", "ext4", "-o", _OPTIONS, device[0], str(self.root))
            self.root.chmod(0o700)
        finally:
            _run("losetup", "--detach", device[0])  # for good once it is no longer mounted

    def attached(self) -> bool:
        """Whether the very image is what is mounted there."""
        try:
            device = self.root.stat().st_dev
            told = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/loop/backing_file").read_text()
        except OSError:
            return False
        return told.strip() == str(self.file.resolve())

    def detach(self) -> bool:
        if self.attached():
            try:
                _run("umount", str(self.root))
            except SandboxError:
                raise fail("VAULT_IN_USE", what=self.root.name) from None
        return True


def can_encrypt(folder: Path) -> bool:
    """Whether the file system of ``folder`` takes keys: tried with one made up, removed again."""
    try:
        identifier = fscrypt.add(folder, secrets.token_bytes(fscrypt.KEY_BYTES))
    except OSError:
        return False
    fscrypt.remove(folder, identifier)
    return True


def exchange(one: Path, other: Path) -> None:
    """Let two folders swap their names, at one instant."""
    first, second = os.fsencode(one), os.fsencode(other)
    if _LIBC.renameat2(_AT_FDCWD, first, _AT_FDCWD, second, _RENAME_EXCHANGE) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(one))


def _loop(file: Path) -> str:
    """A loop device on ``file``, past the page cache of the file system below if that can be."""
    command = ("losetup", "--find", "--show")
    try:
        return _run(*command, "--direct-io=on", str(file)).strip()
    except SandboxError:
        return _run(*command, str(file)).strip()


def _run(program: str, *arguments: str) -> str:
    """A tool of the distribution; VAULT_UNAVAILABLE if it is not there or fails."""
    words: Sequence[str] = (program, *arguments)
    try:
        done = subprocess.run(  # noqa: S603  (constant programs, paths of our own settings)
            words,
            capture_output=True,
            text=True,
            check=True,
            env={"PATH": _PATH, "LC_ALL": "C"},  # ours may hold the master key
        )
    except FileNotFoundError:
        raise fail("VAULT_UNAVAILABLE", missing=program) from None
    except subprocess.CalledProcessError as error:
        raise fail("VAULT_UNAVAILABLE", missing=f"{program} ({error.returncode})") from None
    return done.stdout


_PATH = os.defpath + ":/usr/sbin:/sbin"
