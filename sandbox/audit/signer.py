"""Who signs checkpoints. A file-based Ed25519 key is built in; a device or SM2 is another ``Signer``."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail


class Signer(Protocol):
    """Signs with Ed25519 (RFC 8032); the private key may be in another process or device."""

    def public_key(self) -> bytes:
        """The 32 raw bytes of the public key."""

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the signature over ``message``."""


class FileSigner:
    """An Ed25519 key in a PEM file that only its owner can read."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def create(cls, path: Path) -> FileSigner:
        """Make a key and write it with mode 0600; an existing file is never overwritten (AUDIT_KEY)."""
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            raise fail("AUDIT_KEY", why="the file exists already") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> FileSigner:
        """Read the key; raises AUDIT_KEY (absent, another kind), AUDIT_KEY_EXPOSED (wider than 0600)."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                pem = file.read()
        except OSError as error:
            raise fail("AUDIT_KEY", why=f"cannot be read ({type(error).__name__})") from None
        if stat.S_IMODE(mode) & 0o077:
            raise fail("AUDIT_KEY_EXPOSED")
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError):
            raise fail("AUDIT_KEY", why="not a private key in PEM") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise fail("AUDIT_KEY", why="not an Ed25519 key")
        return cls(key)

    def public_key(self) -> bytes:
        """See ``Signer``."""
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def sign(self, message: bytes) -> bytes:
        """See ``Signer``."""
        return self._key.sign(message)
