"""Which images may run: the record of the build, and the signed list that executors hold to.

Beside each other in one folder (``SANDBOX_IMAGES``, by default ``var`` of the working copy):

- ``images.json``: the build's record, for whoever unpacks or measures. That it stands there proves nothing.
- ``images.signed.json``: the list of images that may run, a DSSE envelope
  (https://github.com/secure-systems-lab/dsse), Ed25519 over names, digests, layers and contents lists.
- ``images.pub``: the verification key, public; ``SANDBOX_IMAGE_KEY`` pins another one in its place.

An image is named by digest, which is the hash of its configuration, which names its layers by hash: who signs
the digest signs every byte. A tag of the engine means nothing here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sandbox.executor.codes  # noqa: F401 - states the error codes raised here
from sandbox.audit.checkpoint import VerifierKey
from sandbox.audit.signer import FileSigner, Signer
from sandbox.core.errors import SandboxError, fail

RECORD = "images.json"
SIGNED = "images.signed.json"
PUBLIC = "images.pub"
PRIVATE = "keys/images.pem"
KEY_NAME = "sandbox-images"
PAYLOAD_TYPE = "application/vnd.sandbox.image-list+json"
NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
MAX_BYTES = 1 << 20


def home() -> Path:
    """The folder of record, list and key: ``SANDBOX_IMAGES``, else ``var`` of the working copy."""
    given = os.environ.get("SANDBOX_IMAGES")
    return Path(given) if given else Path(__file__).resolve().parents[2] / "var"


@dataclass(frozen=True)
class Layer:
    """One layer: the SHA-256 of its uncompressed tar (``sha256:…``), the file that holds it, its size."""

    diff_id: str
    file: Path
    bytes: int


@dataclass(frozen=True)
class Built:
    """One image of the record. ``layers`` from the bottom up; ``contents`` is its CycloneDX list."""

    name: str
    digest: str
    layers: tuple[Layer, ...]
    contents: Path
    contents_sha256: str
    configuration: bytes
    packages: dict[str, str]

    @property
    def bytes(self) -> int:
        """Size of all layers, unpacked."""
        return sum(layer.bytes for layer in self.layers)

    def statement(self) -> dict[str, Any]:
        """What is signed of it."""
        return {
            "digest": self.digest,
            "layers": [layer.diff_id for layer in self.layers],
            "contents_sha256": self.contents_sha256,
        }


def read_record(folder: Path) -> dict[str, Built]:
    """The images of ``folder``'s record, by name; IMAGE_RECORD if there is none or it is damaged."""
    try:
        record = json.loads((folder / RECORD).read_bytes())
        return {
            name: Built(
                name=name,
                digest=row["digest"],
                layers=tuple(
                    Layer(layer["diff_id"], folder / layer["file"], layer["bytes"]) for layer in row["layers"]
                ),
                contents=folder / row["contents"]["file"],
                contents_sha256=row["contents"]["sha256"],
                configuration=row["configuration"].encode(),
                packages=row["packages"],
            )
            for name, row in record.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise fail("IMAGE_RECORD") from None


def check_layers(built: Built) -> None:
    """Raise unless digest, configuration, layer files and contents list of ``built`` fit each other.

    IMAGE_UNTRUSTED if a hash differs, IMAGE_RECORD if a file is absent. Takes about a second per GB.
    """
    config = f"sha256:{hashlib.sha256(built.configuration).hexdigest()}"
    files = [(layer.file, layer.diff_id) for layer in built.layers]
    files.append((built.contents, f"sha256:{built.contents_sha256}"))
    if config != built.digest:
        raise fail("IMAGE_UNTRUSTED", image=built.digest)
    if json.loads(built.configuration)["rootfs"]["diff_ids"] != [layer.diff_id for layer in built.layers]:
        raise fail("IMAGE_UNTRUSTED", image=built.digest)
    for path, wanted in files:
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            raise fail("IMAGE_RECORD") from None
        if f"sha256:{found}" != wanted:
            raise fail("IMAGE_UNTRUSTED", image=wanted)


# -- the signed list ----------------------------------------------------------------------------------


def _to_sign(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding of a payload of ``PAYLOAD_TYPE``."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def sign(images: dict[str, Built], signer: Signer) -> bytes:
    """The envelope of the list of ``images``: equal lists and keys give equal bytes."""
    listed = {"images": {name: built.statement() for name, built in sorted(images.items())}}
    payload = json.dumps(listed, sort_keys=True, separators=(",", ":")).encode()
    key = VerifierKey(KEY_NAME, signer.public_key())
    signature = {"keyid": key.id.hex(), "sig": base64.b64encode(signer.sign(_to_sign(payload))).decode()}
    envelope = {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [signature],
    }
    return (json.dumps(envelope, indent=1) + "\n").encode()


def opened(envelope: bytes, key: VerifierKey) -> dict[str, dict[str, Any]]:
    """The images of a list that ``key`` signed, by name. IMAGE_LIST with the reason if it is not."""
    try:
        said = json.loads(envelope)
        payload = base64.b64decode(said["payload"], validate=True)
        signatures = [base64.b64decode(one["sig"], validate=True) for one in said["signatures"]]
        kind = said["payloadType"]
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise fail("IMAGE_LIST", why="not an envelope") from None
    if kind != PAYLOAD_TYPE or not any(key.verifies(_to_sign(payload), one) for one in signatures):
        raise fail("IMAGE_LIST", why="not signed with the key that is trusted here")
    images: dict[str, dict[str, Any]] = json.loads(payload)["images"]
    return images


def make_key(folder: Path) -> FileSigner | None:
    """The signing key of a single node, made with its public half when ``folder`` has neither.

    None if the public key there is not its: another one is trusted, kept elsewhere, and whoever has it signs.
    """
    private, public = folder / PRIVATE, folder / PUBLIC
    if not private.exists() and public.exists():
        return None
    if not private.exists():
        private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        FileSigner.create(private)
    signer = FileSigner.load(private)
    mine = f"{VerifierKey(KEY_NAME, signer.public_key())}\n"
    if not public.exists():
        write(public, mine.encode())
    return signer if public.read_text() == mine else None


def write(path: Path, content: bytes) -> None:
    """Whole or not at all: a worker may read it meanwhile."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)


class ImageList:
    """The images that may run, as signed. Read anew at each question: a build may replace it meanwhile.

    ``folder`` as ``home()``; ``key`` is the text of the trusted key, by default ``SANDBOX_IMAGE_KEY``, else
    the folder's ``images.pub``.
    """

    def __init__(self, folder: Path | None = None, key: str | None = None) -> None:
        self.folder = folder or home()
        self._key = key or os.environ.get("SANDBOX_IMAGE_KEY")
        self._verified: tuple[Any, dict[str, dict[str, Any]]] | None = None

    def key(self) -> VerifierKey:
        """The key that is trusted. IMAGE_LIST if there is none."""
        try:
            return VerifierKey.parse(self._key or (self.folder / PUBLIC).read_text())
        except (OSError, UnicodeDecodeError, SandboxError):
            raise fail("IMAGE_LIST", why="there is no key to verify it with") from None

    def signed(self) -> dict[str, dict[str, Any]]:
        """Name -> what was signed of it (``Built.statement``). IMAGE_LIST.

        A list is verified once for each pair of bytes and key.
        """
        try:
            with (self.folder / SIGNED).open("rb") as file:
                envelope = file.read(MAX_BYTES)
        except OSError:
            raise fail("IMAGE_LIST", why="there is none") from None
        key = self.key()
        known = self._verified
        if known is None or known[0] != (envelope, str(key)):
            self._verified = known = ((envelope, str(key)), opened(envelope, key))
        return known[1]

    def digest(self, name: str) -> str:
        """The digest of the image ``name``. IMAGE_LIST; IMAGE_UNKNOWN if the list has no such name."""
        row = self.signed().get(name)
        if row is None:
            raise fail("IMAGE_UNKNOWN", image=name)
        return str(row["digest"])

    def check(self, digest: str) -> str:
        """The name of the image with ``digest``. IMAGE_LIST; IMAGE_UNTRUSTED if it is not on the list."""
        for name, row in self.signed().items():
            if row["digest"] == digest:
                return name
        raise fail("IMAGE_UNTRUSTED", image=digest)

    def layers(self, name: str) -> tuple[Layer, ...]:
        """The layers of ``name``, bottom first, for an executor that unpacks them itself.

        The files are compared with the signed hashes (``check_layers``). IMAGE_LIST, IMAGE_UNKNOWN.
        """
        row = self.signed().get(name)
        if row is None:
            raise fail("IMAGE_UNKNOWN", image=name)
        built = read_record(self.folder).get(name)
        if built is None:
            raise fail("IMAGE_RECORD")
        if built.statement() != row:
            raise fail("IMAGE_UNTRUSTED", image=built.digest)
        check_layers(built)
        return built.layers
