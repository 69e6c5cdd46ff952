"""The offline verifier against the attacks it is there for; no database in it."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sandbox.audit import (
    Checkpoint,
    FileSigner,
    Verification,
    VerifierKey,
    make_checkpoint,
    verify_bundle,
    write_bundle,
)
from sandbox.audit.bundle import FILES, PROBLEMS, entry_line, purged_line
from sandbox.audit.entry import encode
from sandbox.audit.purged import ACTION, Claims, ranges, told
from sandbox.audit.tree import CompactRange, hasher
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Entry

SIZE = 20
EARLY = 8  # an older checkpoint, so that a break can be narrowed down


@dataclass
class Bundle:
    path: Path
    rows: list[tuple[int, bytes, bytes]]
    checkpoints: list[Checkpoint]
    key: VerifierKey

    def lines(self) -> list[bytes]:
        return (self.path / "entries.jsonl").read_bytes().splitlines(keepends=True)

    def rewrite(self, lines: list[bytes]) -> None:
        (self.path / "entries.jsonl").write_bytes(b"".join(lines))

    def verify(self) -> Verification:
        """As an auditor does who kept one checkpoint and the key."""
        return verify_bundle(self.path, self.checkpoints[-1].note, str(self.key))


def entries(count: int, algorithm: str = "sha256") -> list[tuple[int, bytes, bytes]]:
    h = hasher(algorithm)
    rows = []
    for seq in range(count):
        at = datetime(2026, 11, 21, 8, 0, seq % 60, tzinfo=UTC)
        # a reason that looks like the end of a line must not lead the reader astray
        reason = f'","leaf":"{"0" * 64}","seq":{seq}}}' if seq % 3 == 0 else ""
        body = encode(Entry(at, f"a{seq}", "op", "operator", "submit", f"job/{seq}", reason=reason))
        rows.append((seq, body, h.leaf(body)))
    return rows


def kept(rows: list[tuple[int, bytes, bytes]]) -> list[tuple[int, bytes, bytes, int | None]]:
    """As a log of which nothing was purged."""
    return [(*row, None) for row in rows]


def heads(
    rows: list[tuple[int, bytes, bytes]], sizes: list[int], signer: FileSigner, algorithm: str = "sha256"
) -> tuple[list[Checkpoint], VerifierKey]:
    h, made, state = hasher(algorithm), [], CompactRange()
    for size in range(len(rows) + 1):
        if size in sizes:
            made.append(make_checkpoint("sandbox", size, state.root(h), h.algorithm, signer))
        if size < len(rows):
            state = state.append(rows[size][2], h)
    return [checkpoint for checkpoint, _ in made], made[0][1]


@pytest.fixture(params=["sha256", "sm3"])
def bundle(request: pytest.FixtureRequest, tmp_path: Path, signer: FileSigner) -> Bundle:
    rows = entries(SIZE, request.param)
    checkpoints, key = heads(rows, [EARLY, SIZE], signer, request.param)
    write_bundle(tmp_path / "bundle", kept(rows), checkpoints, [key])
    return Bundle(tmp_path / "bundle", rows, checkpoints, key)


@pytest.fixture
def plain(tmp_path: Path, signer: FileSigner) -> Bundle:
    rows = entries(SIZE)
    checkpoints, key = heads(rows, [EARLY, SIZE], signer)
    write_bundle(tmp_path / "bundle", kept(rows), checkpoints, [key])
    return Bundle(tmp_path / "bundle", rows, checkpoints, key)


def found(result: Verification) -> tuple[bool, str, int | None, int | None]:
    return result.ok, result.problem, result.position, result.position_until


def test_an_untouched_bundle_verifies(bundle: Bundle) -> None:
    result = bundle.verify()
    assert found(result) == (True, "", None, None)
    assert (result.size, result.checkpoints) == (SIZE, 2)
    assert not result.key_from_bundle
    assert result.checkpoint_from_outside
    alone = verify_bundle(bundle.path)
    assert alone.ok
    assert alone.key_from_bundle
    assert not alone.checkpoint_from_outside


def test_a_later_export_still_verifies_against_an_older_checkpoint(plain: Bundle) -> None:
    assert verify_bundle(plain.path, plain.checkpoints[0].note, str(plain.key)).ok


@pytest.mark.parametrize("position", [0, 7, 13, SIZE - 1])
def test_attack_a_byte_is_changed(bundle: Bundle, position: int) -> None:
    lines = bundle.lines()
    lines[position] = lines[position].replace(b'"actor":"a', b'"actor":"b')
    bundle.rewrite(lines)
    assert found(bundle.verify()) == (False, "CHANGED", position, None)


def test_attack_every_single_byte_of_a_line_counts(plain: Bundle) -> None:
    lines = plain.lines()
    original = lines[3]
    for at in range(len(original)):
        lines[3] = original[:at] + bytes([original[at] ^ 1]) + original[at + 1 :]
        plain.rewrite(lines)
        result = plain.verify()
        assert not result.ok
        assert result.position == 3, at


def test_attack_a_change_with_its_leaf_hash_recomputed(bundle: Bundle) -> None:
    """Now only the signed root tells; the older checkpoint narrows down where."""
    h = hasher(bundle.checkpoints[0].algorithm)
    seq, body, _ = bundle.rows[13]
    forged = body.replace(b'"actor":"a', b'"actor":"b')
    lines = bundle.lines()
    lines[13] = entry_line(seq, forged, h.leaf(forged))
    bundle.rewrite(lines)
    assert found(bundle.verify()) == (False, "ROOT", EARLY, SIZE - 1)


@pytest.mark.parametrize("position", [0, 7, 13])
def test_attack_an_entry_is_deleted(bundle: Bundle, position: int) -> None:
    lines = bundle.lines()
    del lines[position]
    bundle.rewrite(lines)
    assert found(bundle.verify()) == (False, "DELETED", position, None)


@pytest.mark.parametrize(("position", "expected"), [(3, ("ROOT", 0, EARLY - 1)), (13, ("TRUNCATED", 19, 20))])
def test_attack_an_entry_is_deleted_and_the_rest_renumbered(
    bundle: Bundle, position: int, expected: tuple[str, int, int]
) -> None:
    rest = [row for row in bundle.rows if row[0] != position]
    bundle.rewrite([entry_line(seq, body, leaf) for seq, (_, body, leaf) in enumerate(rest)])
    assert found(bundle.verify()) == (False, *expected)


def test_attack_two_entries_are_swapped(bundle: Bundle) -> None:
    lines = bundle.lines()
    lines[4], lines[9] = lines[9], lines[4]
    bundle.rewrite(lines)
    assert found(bundle.verify()) == (False, "REORDERED", 4, None)


def test_attack_two_entries_are_swapped_and_renumbered(bundle: Bundle) -> None:
    rows = bundle.rows.copy()
    rows[9], rows[12] = rows[12], rows[9]
    bundle.rewrite([entry_line(seq, body, leaf) for seq, (_, body, leaf) in enumerate(rows)])
    assert found(bundle.verify()) == (False, "ROOT", EARLY, SIZE - 1)


# --- payloads purged when their time was over


def telling(positions: Any, action: str = ACTION, outcome: str = "done") -> bytes:
    at = datetime(2032, 1, 1, tzinfo=UTC)
    details = {"positions": positions}
    return encode(
        Entry(at, "admin", "space", "space_admin", action, "audit/a", outcome=outcome, details=details)
    )


def purged(tmp_path: Path, signer: FileSigner, body: bytes, gone: dict[int, int]) -> Bundle:
    """Twenty entries, of which the last is ``body``; ``gone``: purged position -> the one said to tell."""
    h, rows = hasher("sha256"), entries(SIZE)
    rows[-1] = (SIZE - 1, body, h.leaf(body))
    checkpoints, key = heads(rows, [EARLY, SIZE], signer)
    write_bundle(tmp_path / "bundle", [(*row, gone.get(row[0])) for row in rows], checkpoints, [key])
    return Bundle(tmp_path / "bundle", rows, checkpoints, key)


def test_purged_entries_verify_by_the_entry_that_tells_of_them(tmp_path: Path, signer: FileSigner) -> None:
    last = SIZE - 1
    gone = dict.fromkeys((0, 1, 2, 7, 12), last)
    bundle = purged(tmp_path, signer, telling([[0, 2], [5, 12]]), gone)
    result = bundle.verify()
    assert (result.ok, result.purged, result.size) == (True, 5, SIZE)
    assert verify_bundle(bundle.path, bundle.checkpoints[0].note, str(bundle.key)).ok  # one from before
    assert result.as_json()["purged"] == 5
    lines = bundle.lines()
    lines[7] = purged_line(7, bytes(32), last)
    bundle.rewrite(lines)
    assert found(bundle.verify()) == (False, "ROOT", 0, EARLY - 1)
    del lines[7]
    bundle.rewrite(lines)
    assert found(bundle.verify()) == (False, "DELETED", 7, None)


@pytest.mark.parametrize(
    ("body", "gone", "at"),
    [
        (telling([[0, 3]]), {4: 19}, 4),  # one more than it tells of
        (telling([[0, 3], [5, 9]]), {3: 19, 4: 19, 5: 19}, 3),
        (telling([[0, 3]], action="apply"), {2: 19}, 2),
        (telling([[0, 3]], outcome="refused"), {2: 19}, 2),
        (telling("all"), {2: 19}, 2),
        (telling([[0, "x"]]), {2: 19}, 2),
        (telling([[0]]), {2: 19}, 2),
        (telling([[0, 3]]), {2: 18}, 2),  # another entry, which tells of something else
        (telling([[0, 3]]), {3: 1}, 3),  # told before it happened
        (telling([[0, 19]]), {19: 19}, 19),  # by itself
        (telling([[0, 3]]), {2: 20, 1: 21}, 1),  # by none of this log
    ],
)
def test_attack_a_payload_is_taken_away_and_the_log_does_not_say_so(
    tmp_path: Path, signer: FileSigner, body: bytes, gone: dict[int, int], at: int
) -> None:
    bundle = purged(tmp_path, signer, body, gone)
    assert found(bundle.verify()) == (False, "PURGED", at, None)


def test_attack_the_purging_entry_is_purged(tmp_path: Path, signer: FileSigner) -> None:
    """Who took the telling entry's payload away too has nothing that tells."""
    bundle = purged(tmp_path, signer, telling([[0, 18]]), {2: 18, 18: 19})
    assert found(bundle.verify()) == (False, "PURGED", 2, None)


def test_positions_as_ranges() -> None:
    assert ranges([]) == []
    assert ranges([0, 1, 2, 5, 7, 8]) == [[0, 2], [5, 5], [7, 8]]
    assert told(b"not json") == told(b"[]") == told(b"{}") == []
    claims = Claims()
    assert claims.first_open() is None
    assert claims.settle(3, b"{}") is None  # nothing was claimed of it


@pytest.mark.parametrize("left", [0, 5, SIZE - 1])
def test_attack_the_end_is_cut_off(bundle: Bundle, left: int) -> None:
    bundle.rewrite(bundle.lines()[:left])
    assert found(bundle.verify()) == (False, "TRUNCATED", left, SIZE)


def test_attack_the_end_is_cut_off_together_with_the_newest_checkpoint(bundle: Bundle) -> None:
    """The bundle is then consistent in itself; the checkpoint held outside shows it."""
    lines = bundle.lines()
    shutil.rmtree(bundle.path)
    write_bundle(bundle.path, kept(bundle.rows[:EARLY]), bundle.checkpoints[:1], [bundle.key])
    assert bundle.lines() == lines[:EARLY]
    assert verify_bundle(bundle.path).ok
    assert found(bundle.verify()) == (False, "TRUNCATED", EARLY, SIZE)


def test_attack_all_is_rewritten_with_another_key(bundle: Bundle, tmp_path: Path) -> None:
    """Consistent in itself; the key or a checkpoint held outside shows it."""
    algorithm = bundle.checkpoints[0].algorithm.value
    rows = entries(SIZE + 1, algorithm)[1:]
    rows = [(seq, body, leaf) for seq, (_, body, leaf) in enumerate(rows)]
    forged, key = heads(rows, [SIZE], FileSigner.create(tmp_path / "forger"), algorithm)
    shutil.rmtree(bundle.path)
    write_bundle(bundle.path, kept(rows), forged, [key])
    assert verify_bundle(bundle.path).ok
    assert verify_bundle(bundle.path, public_key=str(bundle.key)).problem == "UNSIGNED"
    assert verify_bundle(bundle.path, checkpoint=bundle.checkpoints[-1].note).problem == "SIGNATURE"
    assert bundle.verify().problem == "ROOT"


def test_attack_an_entry_is_added_at_the_end(bundle: Bundle) -> None:
    more = entries(SIZE + 1, bundle.checkpoints[0].algorithm.value)[-1]
    bundle.rewrite([*bundle.lines(), entry_line(*more)])
    assert found(bundle.verify()) == (False, "UNSIGNED", SIZE, None)


def test_attack_a_checkpoint_is_forged(bundle: Bundle) -> None:
    path = bundle.path / "checkpoints.jsonl"
    notes = path.read_bytes()
    path.write_bytes(notes.replace(b"\\n8\\n", b"\\n9\\n", 1))
    assert bundle.verify().problem == "SIGNATURE"
    path.write_bytes(b'{"note":"no note at all"}\n' + notes)
    assert bundle.verify().problem == "SIGNATURE"


def test_attack_the_checkpoints_are_removed(bundle: Bundle) -> None:
    (bundle.path / "checkpoints.jsonl").write_bytes(b"")
    assert found(verify_bundle(bundle.path)) == (False, "UNSIGNED", 0, None)
    assert bundle.verify().ok  # the one held outside still covers every entry


def test_a_checkpoint_of_another_log_does_not_count(plain: Bundle, signer: FileSigner) -> None:
    manifest = json.loads((plain.path / "manifest.json").read_text())
    for change in ({"origin": "elsewhere"}, {"algorithm": "sm3"}):
        (plain.path / "manifest.json").write_text(json.dumps(manifest | change))
        assert verify_bundle(plain.path).problem == "ORIGIN"


def test_the_empty_log_verifies_and_needs_its_checkpoint(tmp_path: Path, signer: FileSigner) -> None:
    checkpoints, key = heads([], [0], signer)
    write_bundle(tmp_path / "empty", [], checkpoints, [key])
    assert found(verify_bundle(tmp_path / "empty", checkpoints[0].note)) == (True, "", None, None)
    (tmp_path / "empty" / "checkpoints.jsonl").write_bytes(b"")
    assert verify_bundle(tmp_path / "empty").problem == "UNSIGNED"


def test_after_a_change_of_key_both_keys_verify(tmp_path: Path, signer: FileSigner) -> None:
    rows = entries(SIZE)
    (old,), old_key = heads(rows, [EARLY], signer)
    (new,), new_key = heads(rows, [SIZE], FileSigner.create(tmp_path / "next"))
    write_bundle(tmp_path / "bundle", kept(rows), [old, new], [old_key, new_key])
    assert verify_bundle(tmp_path / "bundle").checkpoints == 2
    # who knows only the new key can use only its checkpoints, and they cover everything
    assert verify_bundle(tmp_path / "bundle", public_key=str(new_key)).checkpoints == 1
    assert verify_bundle(tmp_path / "bundle", public_key=str(old_key)).problem == "UNSIGNED"
    assert verify_bundle(tmp_path / "bundle", public_key=f"{old_key}\n{new_key}\n").ok


def test_a_tar_file_is_the_same_bundle(tmp_path: Path, plain: Bundle) -> None:
    out = tmp_path / "out.tar"
    write_bundle(out, kept(plain.rows), plain.checkpoints, [plain.key])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("out")] == ["out.tar"]
    assert verify_bundle(out, plain.checkpoints[-1].note, str(plain.key)).ok


def tar_of(path: Path, names: list[str], out: Path, how: Callable[[tarfile.TarInfo], None]) -> Path:
    with tarfile.open(out, "w:gz") as archive:
        for name in names:
            data = (path / name).read_bytes()
            info = tarfile.TarInfo(name)
            info.size = len(data)
            how(info)
            archive.addfile(info, io.BytesIO(data))
    return out


def test_a_tar_file_with_a_name_twice_or_a_link_is_refused(tmp_path: Path, plain: Bundle) -> None:
    def link(info: tarfile.TarInfo) -> None:
        if info.name == "keys.txt":
            info.type, info.linkname, info.size = tarfile.SYMTYPE, "/etc/hostname", 0

    assert verify_bundle(tar_of(plain.path, list(FILES), tmp_path / "a.tar.gz", lambda info: None)).ok
    for names, how in (([*FILES, "keys.txt"], lambda info: None), (list(FILES), link)):
        with pytest.raises(SandboxError) as caught:
            verify_bundle(tar_of(plain.path, names, tmp_path / "b.tar.gz", how))
        assert caught.value.code == "AUDIT_BUNDLE"


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused(plain: Bundle, name: str) -> None:
    (plain.path / name).unlink()
    if name == "checkpoint.txt":  # only there to be handed out
        assert verify_bundle(plain.path).ok
        return
    with pytest.raises(SandboxError) as caught:
        verify_bundle(plain.path)
    assert caught.value.code == "AUDIT_BUNDLE"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.json", b"{"),
        ("manifest.json", b"[]"),
        ("manifest.json", b"\xff"),
        ("manifest.json", b'{"format":"sandbox-audit/2"}'),
        ("manifest.json", b" " * (2 << 20)),
        ("checkpoints.jsonl", b"x\n"),
    ],
)
def test_a_malformed_file_is_refused(plain: Bundle, name: str, content: bytes) -> None:
    (plain.path / name).write_bytes(content)
    with pytest.raises(SandboxError) as caught:
        verify_bundle(plain.path)
    assert caught.value.code == "AUDIT_BUNDLE"


def test_an_unknown_algorithm_is_refused(plain: Bundle) -> None:
    manifest = json.loads((plain.path / "manifest.json").read_text())
    (plain.path / "manifest.json").write_text(json.dumps(manifest | {"algorithm": "md5"}))
    with pytest.raises(SandboxError) as caught:
        verify_bundle(plain.path)
    assert caught.value.code == "AUDIT_ALGORITHM"


def test_what_is_neither_folder_nor_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 1024)
    with pytest.raises(SandboxError) as caught:
        verify_bundle(tmp_path / "x")
    assert caught.value.code == "AUDIT_BUNDLE"


def test_nothing_is_overwritten_and_nothing_unsigned_is_exported(tmp_path: Path, plain: Bundle) -> None:
    for out, checkpoints in ((plain.path, plain.checkpoints), (tmp_path / "new", [])):
        with pytest.raises(SandboxError) as caught:
            write_bundle(out, kept(plain.rows), checkpoints, [plain.key])
        assert caught.value.code == "AUDIT_BUNDLE"
    assert verify_bundle(plain.path).ok


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_is_told_in_both_languages(problem: str) -> None:
    result = Verification(False, 5, 1, "sandbox", "sha256", problem, 3, 9)
    assert "3" in result.message("zh")
    assert "3" in result.message("en")
    assert result.as_json()["message_zh"] == result.message("zh") != result.message("en")
