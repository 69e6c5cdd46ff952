"""The wrapped keys of the workspaces: one small file each, outside the encrypted volume.

They are kept apart from the bytes that they open, so that a copy of the volume (a backup, a stolen disk)
holds no key: once a record is gone, no old copy of the volume can be read. A record is JSON: the workspace,
the name of the master that wraps, and one or two wrapped keys (the second one while a rotation is under way).
Wrapping is AES-256-GCM with a fresh nonce; the workspace's name is bound in, so records cannot be exchanged.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.core.errors import fail
from sandbox.vault import codes as codes  # registers the error codes
from sandbox.vault.master import Master

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}/[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_NONCE = 12
_PART = ".part"


def wrap(master: Master, workspace: str, key: bytes) -> str:
    """``key`` as text that only this master, and only for this workspace, turns back."""
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(master.secret("wrap")).encrypt(nonce, key, workspace.encode())
    return base64.b64encode(nonce + sealed).decode()


def unwrap(master: Master, workspace: str, text: str) -> bytes:
    """The key in ``text``; VAULT_RECORD_DAMAGED if it is another's, or was altered."""
    try:
        raw = base64.b64decode(text, validate=True)
        return AESGCM(master.secret("wrap")).decrypt(raw[:_NONCE], raw[_NONCE:], workspace.encode())
    except (InvalidTag, ValueError):
        raise fail("VAULT_RECORD_DAMAGED", workspace=workspace) from None


@dataclass(frozen=True)
class Record:
    """The keys of one workspace, unwrapped. ``coming`` is the key that a rotation is moving to."""

    workspace: str
    key: bytes
    coming: bytes | None = None


class Records:
    """The folder of records."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, workspace: str) -> Path:
        """Where the record lies. MALFORMED if that is no name of a workspace (``agreement/scenario``)."""
        if not NAME.fullmatch(workspace):
            raise fail("MALFORMED", what="workspace", why="agreement/scenario")
        return self.folder / f"{workspace}.json"

    def names(self) -> list[str]:
        """Every workspace that has a key."""
        found = (path.relative_to(self.folder).with_suffix("") for path in self.folder.glob("*/*.json"))
        return sorted(name.as_posix() for name in found)

    def wrapped_by(self, workspace: str) -> str:
        """The name of the master that wraps its key. Raises VAULT_UNKNOWN, VAULT_RECORD_DAMAGED."""
        return str(self._content(workspace)["master"])

    def read(self, workspace: str, master: Master) -> Record:
        """Raises VAULT_UNKNOWN, VAULT_MASTER_WRONG, VAULT_RECORD_DAMAGED; the rest as ``Master.secret``."""
        content = self._content(workspace)
        if content["master"] != master.name:
            raise fail("VAULT_MASTER_WRONG", workspace=workspace)
        coming = content["coming"]
        return Record(
            workspace,
            unwrap(master, workspace, content["key"]),
            unwrap(master, workspace, coming) if coming else None,
        )

    def write(self, record: Record, master: Master) -> None:
        """Write it whole and lasting, in place of what was there."""
        path = self.path(record.workspace)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        content = {
            "workspace": record.workspace,
            "master": master.name,
            "key": wrap(master, record.workspace, record.key),
            "coming": wrap(master, record.workspace, record.coming) if record.coming else None,
        }
        part = path.with_suffix(_PART)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        old = path.open("r+b") if path.exists() else None
        part.rename(path)
        if old:
            with old:  # what an earlier master wraps must not stay in a free block
                _blank(old)
        _lasting(path.parent)

    def destroy(self, workspace: str) -> bool:
        """Overwrite and remove; whether there was one."""
        path = self.path(workspace)
        try:
            with path.open("r+b") as file:
                _blank(file)
        except FileNotFoundError:
            return False
        path.unlink()
        _lasting(path.parent)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
        return True

    def _content(self, workspace: str) -> dict[str, Any]:
        try:
            content: dict[str, Any] = json.loads(self.path(workspace).read_text("utf-8"))
            if content["workspace"] == workspace and {"master", "key", "coming"} <= set(content):
                return content
        except FileNotFoundError:
            raise fail("VAULT_UNKNOWN", workspace=workspace) from None
        except (ValueError, KeyError, TypeError):
            pass
        raise fail("VAULT_RECORD_DAMAGED", workspace=workspace)


def _blank(file: Any) -> None:
    """Overwrite an open file with zeros, lasting."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    file.write(b"\0" * size)
    file.flush()
    os.fsync(file.fileno())


def _lasting(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
