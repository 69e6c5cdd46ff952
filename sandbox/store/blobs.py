"""Bytes by hash, in folders of the domain. The control plane moves them and never looks inside.

Staging is copy, hash, rename: a name in the folder is the SHA-256 of the content behind it, so what
was checked and reviewed is what is moved on. Encryption at rest is the file system's (see ``sandbox.vault``).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sandbox.core.errors import fail

CHUNK = 1 << 20
NAME = re.compile(r"[0-9a-f]{64}")
PART = ".part-"  # how the names of files begin that are not whole yet


def sync_folder(folder: Path) -> None:
    """Make the names in a folder lasting: a row that names a file must never outlive the file's name."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Blobs:
    """One folder of content-addressed files. The folder is 0700; the files are readable so that a task's
    unprivileged user can read the very ones that are mounted for it, and reach no other.
    """

    def __init__(self, folder: Path, ready: Callable[[], object] | None = None) -> None:
        """``ready`` is called before the first file: it makes the folder that this one stands in."""
        self.folder = folder
        self._ready = ready or (lambda: folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700))

    def put(self, source: Path) -> tuple[str, int]:
        """Copy a regular file in (links are not followed). Returns SHA-256 and size in bytes."""
        handle = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(f"{source.name} is not a regular file")
        with os.fdopen(handle, "rb") as file:
            return self.take(iter(lambda: file.read(CHUNK), b""))

    def take(self, chunks: Iterable[bytes], limit: int | None = None) -> tuple[str, int]:
        """Write a stream in. More than ``limit`` bytes: TOO_LARGE, and nothing stays."""
        if not self.folder.is_dir():
            self._ready()
            self.folder.mkdir(exist_ok=True, mode=0o700)
        part = self.folder / f"{PART}{secrets.token_hex(8)}"
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as out:
                for chunk in chunks:
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise fail("TOO_LARGE", max=limit)
                    digest.update(chunk)
                    out.write(chunk)
                out.flush()
                os.fsync(out.fileno())
            part.rename(self.folder / digest.hexdigest())
            sync_folder(self.folder)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
        return digest.hexdigest(), size

    def path(self, sha256: str) -> Path:
        """Where the content is; BLOB_MISSING if it is not."""
        found = self.folder / sha256
        if not NAME.fullmatch(sha256) or found.is_symlink() or not found.is_file():
            raise fail("BLOB_MISSING", sha256=sha256[:64])
        return found

    def verified(self, sha256: str) -> Path:
        """``path`` after hashing the content anew; BLOB_DAMAGED if it is not what its name says."""
        found = self.path(sha256)
        digest = hashlib.sha256()
        for chunk in self.read(sha256):
            digest.update(chunk)
        if digest.hexdigest() != sha256:
            raise fail("BLOB_DAMAGED", sha256=sha256)
        return found

    def read(self, sha256: str) -> Iterator[bytes]:
        """The content, in chunks."""
        with self.path(sha256).open("rb") as file:
            yield from iter(lambda: file.read(CHUNK), b"")

    def remove(self, sha256: str) -> bool:
        """Delete; whether there was something."""
        if not NAME.fullmatch(sha256):
            return False
        with contextlib.suppress(FileNotFoundError):
            (self.folder / sha256).unlink()
            return True
        return False

    def drop_parts(self, seconds: float) -> int:
        """Remove files that were begun, never finished and not written to for ``seconds``; how many."""
        dropped = 0
        for part in self.folder.glob(f"{PART}*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > seconds:
                    part.unlink()
                    dropped += 1
        return dropped

    def names(self) -> list[str]:
        """All hashes in the folder, sorted."""
        if not self.folder.is_dir():
            return []
        return sorted(file.name for file in self.folder.iterdir() if not file.name.startswith("."))
