"""The proof that one entry is in the log, as a file that verifies offline.

    {"entry": "<canonical entry>", "format": "sandbox-audit-proof/1", "key": "<verifier key>", "proof": "…"}

``proof`` is a C2SP tlog-proof (c2sp.org/tlog-proof): index, the hashes of RFC 6962 section 2.1.1, and the
signed checkpoint. Any tool of that format takes it as it stands, with the leaf hash H(0x00 || entry). What it
promises: these very bytes were entry ``index`` when the checkpoint was signed. Who signed, only a key or a
checkpoint held outside can say.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import rfc8785

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.audit.checkpoint import Checkpoint, VerifierKey, parse_checkpoint
from sandbox.audit.entry import MAX_ENTRY_BYTES
from sandbox.audit.tree import HASH_BYTES, Hasher, hasher, verify_inclusion
from sandbox.core.errors import fail

FORMAT = "sandbox-audit-proof/1"
TLOG_PROOF = "c2sp.org/tlog-proof@v1"
MAX_BYTES = MAX_ENTRY_BYTES * 2 + (128 << 10)
MAX_HASHES = 64

# problem -> (Chinese, English)
PROBLEMS: dict[str, tuple[str, str]] = {
    "CHANGED": (
        "第 {seq} 条与检查点的根散列不符：条目、证明或位置被改动",
        "entry {seq} does not lead to the checkpoint's root: entry, proof or position was changed",
    ),
    "SIGNATURE": ("检查点签名不正确", "the checkpoint's signature is wrong"),
    "OTHER": (
        "证明所据的检查点（{size} 条）与另行保存的不同；请为另存的那一个重新下载证明",
        "the proof is against another checkpoint ({size} entries) than the one held outside; "
        "download it for that one",
    ),
}


@dataclass(frozen=True)
class Step:
    """One step up the tree: the sibling stands ``left`` or right of what one has, ``node`` hashes both."""

    left: bool
    sibling: bytes
    node: bytes


@dataclass(frozen=True)
class ProofVerification:
    """What the verifier of a proof found; ``problem`` is a key of ``PROBLEMS``, "" for none."""

    ok: bool
    seq: int
    size: int
    origin: str
    algorithm: str
    problem: str = ""
    key_from_bundle: bool = True  # no key from outside was given
    checkpoint_from_outside: bool = False

    def message(self, lang: str) -> str:
        """One sentence in ``lang`` ("zh" or "en")."""
        chinese = lang.startswith("zh")
        if self.ok:
            zh = "第 {seq} 条在 {size} 条的签名检查点之内，未被改动"
            en = "entry {seq} is in the signed checkpoint of {size} entries, unchanged"
        else:
            zh, en = PROBLEMS[self.problem]
        return (zh if chinese else en).format(seq=self.seq, size=self.size)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, both sentences included."""
        return asdict(self) | {"message_zh": self.message("zh"), "message_en": self.message("en")}


def steps(leaf: bytes, index: int, size: int, proof: Sequence[bytes], h: Hasher) -> tuple[Step, ...]:
    """The way from a leaf to the root, as ``verify_inclusion`` goes it; the last ``node`` is the root that
    the proof leads to, whether or not it is the right one."""
    found = []
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        left = bool(position & 1) or position == last
        node = h.node(sibling, node) if left else h.node(node, sibling)
        found.append(Step(left, sibling, node))
        if left:
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        position >>= 1
        last >>= 1
    return tuple(found)


def write_proof(
    seq: int, body: bytes, proof: Sequence[bytes], checkpoint: Checkpoint, key: VerifierKey
) -> bytes:
    """The file for entry ``seq`` with canonical bytes ``body``."""
    lines = [
        TLOG_PROOF,
        f"index {seq}",
        *(base64.b64encode(one).decode() for one in proof),
        "",
        checkpoint.note,
    ]
    told = {"format": FORMAT, "entry": body.decode(), "proof": "\n".join(lines), "key": str(key)}
    return rfc8785.dumps(told)


def verify_proof(
    data: bytes, checkpoint: str | None = None, public_key: str | None = None
) -> ProofVerification:
    """Verify a proof file offline.

    ``checkpoint`` and ``public_key`` were held outside, as in ``verify_bundle``. Raises AUDIT_BUNDLE,
    AUDIT_CHECKPOINT or AUDIT_KEY for what is no proof, note or key; what is a proof and does not verify is a
    result.
    """
    told = _read(data)
    seq, hashes, signed = _tlog_proof(told["proof"])
    lines = public_key if public_key is not None else told["key"]
    keys = [VerifierKey.parse(line) for line in lines.splitlines() if line.strip()]
    outside = parse_checkpoint(checkpoint) if checkpoint is not None else None
    h = hasher(signed.algorithm)
    problem = ""
    if signed.signed_by(keys) is not True or (outside is not None and outside.signed_by(keys) is not True):
        problem = "SIGNATURE"
    elif outside is not None and (outside.origin, outside.size, outside.root) != (
        signed.origin,
        signed.size,
        signed.root,
    ):
        problem = "OTHER"
    elif not verify_inclusion(h.leaf(told["entry"].encode()), seq, signed.size, hashes, signed.root, h):
        problem = "CHANGED"
    return ProofVerification(
        ok=not problem,
        seq=seq,
        size=signed.size,
        origin=signed.origin,
        algorithm=signed.algorithm,
        problem=problem,
        key_from_bundle=public_key is None,
        checkpoint_from_outside=outside is not None,
    )


def _read(data: bytes) -> dict[str, str]:
    try:
        told = json.loads(data) if len(data) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        told = None
    names = ("format", "entry", "proof", "key")
    if not isinstance(told, dict) or not all(isinstance(told.get(name), str) for name in names):
        raise fail("AUDIT_BUNDLE", why="not a proof of an entry")
    if told["format"] != FORMAT:
        raise fail("AUDIT_BUNDLE", why="unknown format")
    try:
        told["entry"].encode()
    except UnicodeEncodeError:
        raise fail("AUDIT_BUNDLE", why="the entry is no text") from None
    return {name: told[name] for name in names}


def _tlog_proof(text: str) -> tuple[int, list[bytes], Checkpoint]:
    head, separator, note = text.partition("\n\n")
    magic, _, rest = head.partition("\n")
    index, *lines = [line for line in rest.split("\n") if not line.startswith("extra ")]
    number = index.removeprefix("index ")
    digits = number.isascii() and number.isdigit() and len(number) < 19
    if magic != TLOG_PROOF or not separator or index == number or not digits or len(lines) > MAX_HASHES:
        raise fail("AUDIT_BUNDLE", why="not a tlog-proof")
    try:
        hashes = [base64.b64decode(line, validate=True) for line in lines]
    except (binascii.Error, ValueError):
        hashes = [b""]
    if (
        any(len(one) != HASH_BYTES for one in hashes)
        or [base64.b64encode(x).decode() for x in hashes] != lines
    ):
        raise fail("AUDIT_BUNDLE", why="a hash of the proof is malformed")
    return int(number), hashes, parse_checkpoint(note)
