"""Signed heads of the log: C2SP tlog-checkpoint text in a C2SP signed note.

    <origin>\\n<size>\\n<base64 root>\\n[hash <algorithm>\\n]\\n— <origin> <base64 (key id || signature)>\\n

The fourth line is a tlog-checkpoint extension line and stands only when the hash is not SHA-256, the
one that the C2SP text presumes. Sources: c2sp.org/tlog-checkpoint, c2sp.org/signed-note.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.audit.signer import Signer
from sandbox.audit.tree import HASH_BYTES, Algorithm
from sandbox.core.errors import fail

_ED25519 = b"\x01"  # signature type of the signed-note text
_NAME = re.compile(r"[^\s+\x00-\x1f]{1,200}")  # signed-note: no spaces, no plus
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_HASH_LINE = "hash "
_DASH = "— "
MAX_NOTE_CHARS = 64 << 10


def check_origin(origin: str) -> str:
    """``origin`` itself; raises AUDIT_CHECKPOINT when it cannot be the name of a log."""
    if not _NAME.fullmatch(origin):
        raise fail("AUDIT_CHECKPOINT", why="origin must be 1 to 200 characters without space or plus")
    return origin


def _decode64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise fail("AUDIT_CHECKPOINT", why="not base64") from None


@dataclass(frozen=True)
class VerifierKey:
    """A public key with the name it signs as. Text form: ``<name>+<key id, hex>+<base64>`` (signed-note)."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that mark this key's signature lines."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read the text form; raises AUDIT_KEY."""
        name, _, rest = text.strip().partition("+")
        given_id, _, encoded = rest.partition("+")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            raise fail("AUDIT_KEY", why="the public key is not base64") from None
        key = cls(name, raw[1:])
        if raw[:1] != _ED25519 or len(raw) != 1 + 32 or key.id.hex() != given_id or not _NAME.fullmatch(name):
            raise fail("AUDIT_KEY", why="not an Ed25519 verifier key")
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether this key made ``signature`` over ``message``."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """One signed head. ``note`` is the text to hand out; ``signatures`` are (name, key id, signature)."""

    origin: str
    size: int
    root: bytes
    algorithm: Algorithm
    note: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    def signed_by(self, keys: Iterable[VerifierKey]) -> bool | None:
        """True: one of ``keys`` signed it. False: a signature in a key's name is wrong. None: none signed."""
        message = self.note.partition("\n\n")[0].encode() + b"\n"
        known = {(key.name, key.id): key for key in keys}
        results = [
            known[name, key_id].verifies(message, signature)
            for name, key_id, signature in self.signatures
            if (name, key_id) in known
        ]
        return all(results) if results else None


def make_checkpoint(
    origin: str, size: int, root: bytes, algorithm: Algorithm, signer: Signer
) -> tuple[Checkpoint, VerifierKey]:
    """Sign the head of a log; gives the checkpoint and the key that verifies it."""
    lines = [check_origin(origin), str(size), base64.b64encode(root).decode()]
    if algorithm is not Algorithm.SHA256:
        lines.append(_HASH_LINE + algorithm)
    text = "".join(line + "\n" for line in lines)
    key = VerifierKey(origin, signer.public_key())
    signature = base64.b64encode(key.id + signer.sign(text.encode())).decode()
    return parse_checkpoint(f"{text}\n{_DASH}{origin} {signature}\n"), key


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a signed note. The signature is *not* checked here: ask ``signed_by``.

    Raises AUDIT_CHECKPOINT for text that is not a checkpoint.
    """
    text, separator, tail = note.partition("\n\n")
    lines = text.split("\n")
    if len(note) > MAX_NOTE_CHARS or not separator or not tail.endswith("\n") or len(lines) < 3:
        raise fail("AUDIT_CHECKPOINT", why="not a signed note")
    origin, size, root, *extensions = lines
    if not _SIZE.fullmatch(size):
        raise fail("AUDIT_CHECKPOINT", why="the size is not a number")
    hashed = [line.removeprefix(_HASH_LINE) for line in extensions if line.startswith(_HASH_LINE)]
    if len(hashed) > 1 or any(name not in set(Algorithm) for name in hashed):
        raise fail("AUDIT_CHECKPOINT", why="unknown hash algorithm")
    decoded = _decode64(root)
    if len(decoded) != HASH_BYTES:
        raise fail("AUDIT_CHECKPOINT", why="the root is not a hash")
    algorithm = Algorithm(hashed[0]) if hashed else Algorithm.SHA256
    signatures = tuple(_signature(line) for line in tail[:-1].split("\n"))
    return Checkpoint(check_origin(origin), int(size), decoded, algorithm, note, signatures)


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = _decode64(encoded)
    if not line.startswith(_DASH) or not name or len(raw) < 5:
        raise fail("AUDIT_CHECKPOINT", why="a signature line is malformed")
    return name, raw[:4], raw[4:]
