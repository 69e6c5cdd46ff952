"""The master key: where it comes from. It is read when a key must be unwrapped, and never written by us."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sandbox.core.errors import fail
from sandbox.vault import codes as codes  # registers the error codes

BYTES = 32
COMMAND_SECONDS = 30
_HEX = re.compile(r"[0-9a-f]{64}")


def _file(rest: str) -> str:
    """A regular file of this user that no other may read."""
    try:
        handle = os.open(rest, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise _Unusable(type(error).__name__) from None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        raise _Unusable("not a regular file")
    with os.fdopen(handle, "rb") as file:
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o177:
            raise fail("VAULT_MASTER_EXPOSED", mode=f"{stat.S_IMODE(found.st_mode):04o} uid {found.st_uid}")
        return file.read(1024).decode("ascii", "replace")


def _env(rest: str) -> str:
    """An environment variable of this process."""
    if rest not in os.environ:
        raise _Unusable("unset")
    return os.environ[rest]


def _command(rest: str) -> str:
    """What a command prints (no shell), e.g. the client of a key service. Its errors are not shown."""
    try:
        done = subprocess.run(  # noqa: S603  (the operator's own command, from the operator's own setting)
            shlex.split(rest),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=COMMAND_SECONDS,
            check=True,
        )
    except (OSError, ValueError, IndexError, subprocess.SubprocessError) as error:
        raise _Unusable(type(error).__name__) from None
    return done.stdout[:1024].decode("ascii", "replace")


SOURCES: dict[str, Callable[[str], str]] = {"file": _file, "env": _env, "command": _command}


class _Unusable(Exception):
    """Why a source gave nothing."""


class Master:
    """One master key by its source: ``file:PATH``, ``env:NAME`` or ``command:COMMAND`` (see ``SOURCES``)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self._key: bytes | None = None

    def secret(self, purpose: str) -> bytes:
        """32 bytes derived for one purpose (HKDF-SHA256).

        Raises VAULT_MASTER_MISSING, VAULT_SETTING, VAULT_MASTER_UNUSABLE, VAULT_MASTER_EXPOSED.
        """
        if self._key is None:
            self._key = self._read()
        return HKDF(SHA256(), BYTES, salt=None, info=f"sandbox/vault/1/{purpose}".encode()).derive(self._key)

    @property
    def name(self) -> str:
        """16 hex digits that tell this master from another one, and nothing else of it."""
        return self.secret("name")[:8].hex()

    def _read(self) -> bytes:
        if not self.source:
            raise fail("VAULT_MASTER_MISSING")
        scheme, _, rest = self.source.partition(":")
        if scheme not in SOURCES or not rest:
            may = "file:PATH, env:NAME, command:COMMAND"
            raise fail("VAULT_SETTING", name="SANDBOX_MASTER", value=scheme, may=may)
        # a command's arguments may be confidential: only its program is named
        shown = f"{scheme}:{Path(rest.split()[0]).name if scheme == 'command' else rest}"
        try:
            text = SOURCES[scheme](rest).strip()
        except _Unusable as error:
            raise fail("VAULT_MASTER_UNUSABLE", source=shown, why=str(error)) from None
        if not _HEX.fullmatch(text):
            raise fail("VAULT_MASTER_UNUSABLE", source=shown, why="64 × [0-9a-f]")
        return bytes.fromhex(text)
