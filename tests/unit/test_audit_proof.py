"""The proof of one entry as a file: what it shows, and that no change to any part of it goes unnoticed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from sandbox.audit import Checkpoint, FileSigner, VerifierKey, make_checkpoint
from sandbox.audit.proof import MAX_BYTES, steps, verify_proof, write_proof
from sandbox.audit.tree import Algorithm, hasher, root_of
from sandbox.cli.audit import app
from sandbox.core.errors import SandboxError


def path_to(leaves: list[bytes], index: int, algorithm: Algorithm) -> list[bytes]:
    """The audit path by its definition (RFC 6962 section 2.1.1), apart from the code under test."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    h = hasher(algorithm)
    if index < k:
        return [*path_to(leaves[:k], index, algorithm), root_of(leaves[k:], h)]
    return [*path_to(leaves[k:], index - k, algorithm), root_of(leaves[:k], h)]


@dataclass(frozen=True)
class Log:
    bodies: list[bytes]
    leaves: list[bytes]
    head: Checkpoint
    key: VerifierKey

    def proof(self, seq: int) -> bytes:
        hashes = path_to(self.leaves, seq, self.head.algorithm)
        return write_proof(seq, self.bodies[seq], hashes, self.head, self.key)


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> FileSigner:
    return FileSigner.create(tmp_path_factory.mktemp("keys") / "audit.pem")


def log_of(signer: Any, size: int, algorithm: Algorithm = Algorithm.SHA256) -> Log:
    h = hasher(algorithm)
    bodies = [json.dumps({"n": number, "谁": "审计"}, ensure_ascii=False).encode() for number in range(size)]
    leaves = [h.leaf(one) for one in bodies]
    head, key = make_checkpoint("sandbox", size, root_of(leaves, h), algorithm, signer)
    return Log(bodies, leaves, head, key)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_every_entry_is_proven_and_the_way_ends_at_the_root(signer: Any, algorithm: Algorithm) -> None:
    for size in (1, 2, 3, 7, 8, 13):
        log = log_of(signer, size, algorithm)
        for seq in range(size):
            found = verify_proof(log.proof(seq), log.head.note, str(log.key))
            assert (found.ok, found.seq, found.size) == (True, seq, size)
            hashes = path_to(log.leaves, seq, algorithm)
            way = steps(log.leaves[seq], seq, size, hashes, hasher(algorithm))
            assert [one.sibling for one in way] == hashes
            assert (way[-1].node if way else log.leaves[seq]) == log.head.root


@given(st.data())
def test_no_change_to_any_part_verifies(signer: Any, data: st.DataObject) -> None:
    log = log_of(signer, 11)
    told = json.loads(log.proof(data.draw(st.integers(0, 10))))
    part = data.draw(st.sampled_from(["entry", "proof"]))
    # the last bits of a signature's base64 say nothing
    length = len(told["entry"]) if part == "entry" else told["proof"].index("\n— ")
    at = data.draw(st.integers(0, length - 1))
    other = data.draw(st.characters(codec="utf-8", exclude_characters=told[part][at]))
    told[part] = told[part][:at] + other + told[part][at + 1 :]
    try:
        verified = verify_proof(json.dumps(told).encode(), None, str(log.key)).ok
    except SandboxError as error:
        verified = error.code not in ("AUDIT_BUNDLE", "AUDIT_CHECKPOINT")
    assert not verified


def test_what_was_held_outside_decides(signer: Any, tmp_path: Path) -> None:
    log, longer = log_of(signer, 5), log_of(signer, 6)
    assert verify_proof(log.proof(2), longer.head.note, str(log.key)).problem == "OTHER"
    stranger = FileSigner.create(tmp_path / "other.pem")
    forged = log_of(stranger, 5)
    assert verify_proof(forged.proof(2)).ok  # alone it says only what its own key says
    assert verify_proof(forged.proof(2), None, str(log.key)).problem == "SIGNATURE"
    assert verify_proof(log.proof(2), forged.head.note, str(log.key)).problem == "SIGNATURE"
    moved = json.loads(log.proof(2))
    moved["proof"] = moved["proof"].replace("index 2\n", "index 3\n")
    assert verify_proof(json.dumps(moved).encode()).problem == "CHANGED"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sandbox-audit-proof/2"},
        {"entry": 3},
        {"proof": ""},
        {"proof": "c2sp.org/tlog-proof@v1\nindex -1\n\nx"},
        {"proof": "c2sp.org/tlog-proof@v1\nindex 1\n" + "AAAA\n" * 65 + "\nx"},
        {"proof": "c2sp.org/tlog-proof@v1\nindex 1\n????\n\nx"},
        {"entry": "\ud800"},
        {"key": None},
    ],
)
def test_what_is_no_proof_is_refused(signer: Any, change: dict[str, Any]) -> None:
    told = {**json.loads(log_of(signer, 3).proof(1)), **change}
    with pytest.raises(SandboxError, match="AUDIT_BUNDLE"):
        verify_proof(json.dumps(told).encode())


def test_a_file_of_any_length_or_depth_is_refused(signer: Any) -> None:
    for data in (b"", b"[]", b"\xff", b"[" * 100_000, b" " * MAX_BYTES + b"{}"):
        with pytest.raises(SandboxError, match="AUDIT_BUNDLE"):
            verify_proof(data)


def test_the_command_takes_a_proof_where_it_takes_a_bundle(signer: Any, tmp_path: Path) -> None:
    log, run = log_of(signer, 4), CliRunner().invoke
    path, key, note = tmp_path / "audit-entry-2.json", tmp_path / "keys.txt", tmp_path / "checkpoint.txt"
    path.write_bytes(log.proof(2))
    key.write_text(f"{log.key}\n")
    note.write_text(log.head.note)
    held = ["--checkpoint", str(note), "--key", str(key)]
    done = run(app, ["verify", str(path), *held])
    assert (done.exit_code, "第 2 条在 4 条的签名检查点之内" in done.output) == (0, True)
    told = json.loads(run(app, ["verify", str(path), "--format", "json", *held]).stdout)
    assert (told["ok"], told["checkpoint_from_outside"], told["key_from_bundle"]) == (True, True, False)
    changed = json.loads(path.read_text())
    changed["entry"] = changed["entry"].replace("2", "3")
    path.write_text(json.dumps(changed))
    assert run(app, ["verify", str(path), *held]).exit_code == 1
    path.write_text("{}")
    failed = run(app, ["verify", str(path)])
    assert (failed.exit_code, "AUDIT_BUNDLE" in failed.output) == (1, True)
