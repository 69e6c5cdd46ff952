"""The audit bundle: all that an outsider needs to verify the log offline, as a folder or a tar file.

    manifest.json       {"format", "origin", "algorithm", "size"}
    entries.jsonl       {"entry": <canonical entry>, "leaf": "<hex>", "seq": n}, one per line, from 0;
                        {"leaf": "<hex>", "purged": m, "seq": n} where the payload was purged: entry m says so
    checkpoints.jsonl   {"note": "<signed note>"}, one per line, ascending size
    checkpoint.txt      the newest signed note: hand it out, it is what a later bundle is held against
    keys.txt            verifier keys, one per line

What verification promises. Whoever cannot sign with the log's key cannot change, delete, renumber,
reorder or add an entry unnoticed; nor take a payload away, unless a later entry of the log says that it
was purged. Cutting the end off together with the newest checkpoints, or
writing everything anew with a new key, shows against **one checkpoint (or key) held outside**.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import rfc8785

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.audit.checkpoint import Checkpoint, VerifierKey, parse_checkpoint
from sandbox.audit.entry import MAX_ENTRY_BYTES
from sandbox.audit.purged import Claims
from sandbox.audit.tree import CompactRange, Hasher, hasher
from sandbox.core.errors import SandboxError, fail

FORMAT = "sandbox-audit/1"
FILES = ("manifest.json", "entries.jsonl", "checkpoints.jsonl", "checkpoint.txt", "keys.txt")

_LINE = re.compile(
    rb'\{"entry":(?P<body>\{.*\}),"leaf":"(?P<leaf>[0-9a-f]{64})","seq":(?P<seq>0|[1-9][0-9]{0,17})\}\n',
    re.DOTALL,
)
_PURGED = re.compile(
    rb'\{"leaf":"(?P<leaf>[0-9a-f]{64})","purged":(?P<by>[1-9][0-9]{0,17}),"seq":(?P<seq>0|[1-9][0-9]{0,17})\}\n'
)
_MAX_LINE = MAX_ENTRY_BYTES + 200
_MAX_SMALL_FILE = 1 << 20

# problem -> (Chinese, English); {at} and {until} are entry positions counted from 0
PROBLEMS: dict[str, tuple[str, str]] = {
    "CHANGED": ("第 {at} 条被改动", "entry {at} was changed"),
    "DELETED": ("第 {at} 条被删除", "entry {at} was deleted"),
    "REORDERED": ("第 {at} 条的次序被改动", "entry {at} is out of order"),
    "PURGED": (
        "第 {at} 条内容缺失，日志中没有清除它的记录",
        "the payload of entry {at} is gone and no later entry says that it was purged",
    ),
    "ROOT": (
        "第 {at} 条至第 {until} 条之间有改动、删除或换序：与检查点的根散列不符",
        "the root differs from the checkpoint's: entries {at} to {until} hold a change, deletion or swap",
    ),
    "TRUNCATED": (
        "日志在第 {at} 条处被截断，检查点表明至少有 {until} 条",
        "the log was cut off at entry {at}; a checkpoint shows that there were at least {until}",
    ),
    "UNSIGNED": (
        "自第 {at} 条起没有可信检查点覆盖",
        "no trusted checkpoint covers the entries from {at} on",
    ),
    "SIGNATURE": ("检查点签名不正确（第 {at} 条处）", "a checkpoint's signature is wrong (at entry {at})"),
    "ORIGIN": (
        "检查点属于另一份日志或另一种算法（第 {at} 条处）",
        "a checkpoint is of another log or another algorithm (at entry {at})",
    ),
}


@dataclass(frozen=True)
class Verification:
    """What the verifier found.

    ``position`` is the first bad entry (from 0) where it can be known; with ``position_until`` it is
    somewhere between the two, both included (for TRUNCATED: the size that there must have been).
    ``size`` counts the entries that were read, ``checkpoints`` the trusted ones that agreed.
    """

    ok: bool
    size: int
    checkpoints: int
    origin: str
    algorithm: str
    problem: str = ""
    position: int | None = None
    position_until: int | None = None
    key_from_bundle: bool = True  # no key from outside was given: proves order, not who signed
    checkpoint_from_outside: bool = False
    purged: int = 0  # entries of which only the leaf hash is left, after their retention

    def message(self, lang: str) -> str:
        """One sentence in ``lang`` ("zh" or "en")."""
        chinese = lang.startswith("zh")
        if self.ok:
            gone_zh = f"（其中 {self.purged} 条内容已到期清除）" if self.purged else ""
            gone_en = f" (the payload of {self.purged} was purged after its time)" if self.purged else ""
            return (
                f"审计日志完好：{self.size} 条{gone_zh}，{self.checkpoints} 个检查点相符"
                if chinese
                else f"the audit log is intact: {self.size} entries{gone_en}, "
                f"{self.checkpoints} checkpoints agree"
            )
        zh, en = PROBLEMS[self.problem]
        return (zh if chinese else en).format(at=self.position, until=self.position_until)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON, both sentences included."""
        return asdict(self) | {"message_zh": self.message("zh"), "message_en": self.message("en")}


def entry_line(seq: int, body: bytes, leaf: bytes) -> bytes:
    """One line of ``entries.jsonl``; it is itself canonical JSON, and ``body`` stands in it untouched."""
    return b'{"entry":%b,"leaf":"%b","seq":%d}\n' % (body, leaf.hex().encode(), seq)


def purged_line(seq: int, leaf: bytes, by: int) -> bytes:
    """The line of an entry whose payload was purged, as entry ``by`` tells."""
    return b'{"leaf":"%b","purged":%d,"seq":%d}\n' % (leaf.hex().encode(), by, seq)


def write_bundle(
    out: Path,
    entries: Iterable[tuple[int, bytes, bytes, int | None]],
    checkpoints: Sequence[Checkpoint],
    keys: Iterable[VerifierKey],
) -> None:
    """Write the bundle of the log up to the last of ``checkpoints`` (ascending size) into ``out``.

    ``entries`` are (seq, canonical body, leaf hash, position of the entry that tells of its purge or None).
    ``out`` is made; a folder that exists and is not
    empty, or no checkpoint at all, raises AUDIT_BUNDLE. A name ending in ``.tar`` makes a tar file.
    """
    if not checkpoints:
        raise fail("AUDIT_BUNDLE", why="there is no signed checkpoint yet")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise fail("AUDIT_BUNDLE", why="the target exists already")
    folder = out.with_name(out.name + ".d") if out.suffix == ".tar" else out
    folder.mkdir(parents=True, exist_ok=True)
    newest = checkpoints[-1]
    manifest = {
        "format": FORMAT,
        "origin": newest.origin,
        "algorithm": newest.algorithm.value,
        "size": newest.size,
    }
    (folder / "manifest.json").write_bytes(rfc8785.dumps(manifest) + b"\n")
    with (folder / "entries.jsonl").open("wb") as file:
        for seq, body, leaf, by in entries:
            file.write(entry_line(seq, body, leaf) if by is None else purged_line(seq, leaf, by))
    notes = [rfc8785.dumps({"note": checkpoint.note}) + b"\n" for checkpoint in checkpoints]
    (folder / "checkpoints.jsonl").write_bytes(b"".join(notes))
    (folder / "checkpoint.txt").write_text(newest.note, encoding="utf-8")
    (folder / "keys.txt").write_text("".join(f"{key}\n" for key in keys), encoding="utf-8")
    if folder is not out:
        with tarfile.open(out, "w") as archive:
            for name in FILES:
                archive.add(folder / name, name)
                (folder / name).unlink()
        folder.rmdir()


@contextmanager
def _opened(path: Path) -> Iterator[Callable[[str], IO[bytes]]]:
    """Gives a function that opens a file of the bundle by name; nothing is unpacked to disk."""
    if path.is_dir():

        def from_folder(name: str) -> IO[bytes]:
            try:
                return (path / name).open("rb")
            except OSError:
                raise fail("AUDIT_BUNDLE", why=f"{name} is missing") from None

        yield from_folder
        return
    try:
        archive = tarfile.open(path)  # noqa: SIM115 - closed below
    except (OSError, tarfile.TarError):
        raise fail("AUDIT_BUNDLE", why="neither a folder nor a tar file") from None
    with archive:
        members = [member for member in archive.getmembers() if member.isreg()]

        def from_tar(name: str) -> IO[bytes]:
            found = [member for member in members if member.name.removeprefix("./") == name]
            if len(found) != 1:
                raise fail("AUDIT_BUNDLE", why=f"{name} is missing or there twice")
            file = archive.extractfile(found[0])
            assert file is not None  # only for members that are no regular files
            return file

        yield from_tar


def _small(open_file: Callable[[str], IO[bytes]], name: str) -> str:
    with open_file(name) as file:
        data = file.read(_MAX_SMALL_FILE + 1)
    if len(data) > _MAX_SMALL_FILE:
        raise fail("AUDIT_BUNDLE", why=f"{name} is too long")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise fail("AUDIT_BUNDLE", why=f"{name} is not UTF-8") from None


def _json_object(text: str | bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise fail("AUDIT_BUNDLE", why=f"{name} is not a JSON object")
    return value


def _notes(open_file: Callable[[str], IO[bytes]]) -> Iterator[Checkpoint]:
    with open_file("checkpoints.jsonl") as file:
        while line := file.readline(_MAX_SMALL_FILE):
            note = _json_object(line, "checkpoints.jsonl").get("note")
            yield parse_checkpoint(note if isinstance(note, str) else "")


class _Found(Exception):
    """Ends the pass at the first problem."""

    def __init__(self, problem: str, position: int, until: int | None = None) -> None:
        self.problem, self.position, self.until = problem, position, until


def _trusted(
    checkpoints: Iterable[Checkpoint], keys: Sequence[VerifierKey], origin: str, h: Hasher
) -> list[Checkpoint]:
    """Those that one of ``keys`` signed, ascending; a wrong signature or a foreign log is a problem."""
    kept: dict[str, Checkpoint] = {}
    for checkpoint in checkpoints:
        signed = checkpoint.signed_by(keys)
        if signed is False:
            raise _Found("SIGNATURE", checkpoint.size)
        if signed is None:  # by a key that is not among the trusted ones: proves nothing, harms nothing
            continue
        if checkpoint.origin != origin or checkpoint.algorithm is not h.algorithm:
            raise _Found("ORIGIN", checkpoint.size)
        kept[checkpoint.note] = checkpoint
    return sorted(kept.values(), key=lambda checkpoint: checkpoint.size)


@dataclass(frozen=True)
class _Line:
    """A line of ``entries.jsonl``: with its ``body``, or with ``by``, the entry that tells of its purge."""

    seq: int
    leaf: bytes
    body: bytes = b""
    by: int = 0


def _parsed(line: bytes, h: Hasher) -> _Line | None:
    """The line, or None when it is none of ours or its payload does not give its leaf hash."""
    if match := _LINE.fullmatch(line):
        leaf = h.leaf(match["body"])
        same = leaf.hex().encode() == match["leaf"]
        return _Line(int(match["seq"]), leaf, body=match["body"]) if same else None
    if match := _PURGED.fullmatch(line):
        return _Line(int(match["seq"]), bytes.fromhex(match["leaf"].decode()), by=int(match["by"]))
    return None


def _walk(file: IO[bytes], trusted: Sequence[Checkpoint], h: Hasher) -> tuple[int, int]:
    """One pass over the entries, the root compared at each checkpoint: how many there are, and how many of
    them were purged."""
    state, good, waiting, claims = CompactRange(), 0, list(trusted), Claims()

    def compare() -> None:
        nonlocal good
        while waiting and waiting[0].size == state.size:
            if waiting.pop(0).root != state.root(h):
                raise _Found("ROOT", good, max(state.size - 1, 0))
            good = state.size

    compare()
    while line := file.readline(_MAX_LINE):
        at, read = state.size, _parsed(line, h)
        if read is None:
            raise _Found("CHANGED", at)
        if read.seq != at:
            raise _Found("DELETED" if _gap_only(file, read.seq) else "REORDERED", at)
        missing = claims.claim(at, read.by) if read.by else claims.settle(at, read.body)
        if missing is not None:
            raise _Found("PURGED", missing)
        state = state.append(read.leaf, h)
        compare()
    if waiting:
        raise _Found("TRUNCATED", state.size, waiting[-1].size)
    if state.size > good or not trusted:
        raise _Found("UNSIGNED", good)
    if (untold := claims.first_open()) is not None:
        raise _Found("PURGED", untold)
    return state.size, claims.count


def _gap_only(file: IO[bytes], seq: int) -> bool:
    """Whether the numbers go on upwards from ``seq``: then something is missing, else the order is wrong."""
    while line := file.readline(_MAX_LINE):
        match = _LINE.fullmatch(line) or _PURGED.fullmatch(line)
        if match is None or int(match["seq"]) <= seq:
            return False
        seq = int(match["seq"])
    return True


def verify_bundle(path: Path, checkpoint: str | None = None, public_key: str | None = None) -> Verification:
    """Verify the bundle at ``path`` offline.

    ``checkpoint`` is the text of a signed note that was held outside; ``public_key`` one or more
    verifier keys (lines) got from outside, which then are the only ones trusted. Raises AUDIT_BUNDLE,
    AUDIT_CHECKPOINT or AUDIT_KEY for what is not a bundle, note or key at all; what is a bundle and
    does not verify is a result.
    """
    with _opened(path) as open_file:
        manifest = _json_object(_small(open_file, "manifest.json"), "manifest.json")
        if manifest.get("format") != FORMAT:
            raise fail("AUDIT_BUNDLE", why="unknown format")
        origin, algorithm = str(manifest.get("origin")), str(manifest.get("algorithm"))
        h = hasher(algorithm)
        key_lines = public_key if public_key is not None else _small(open_file, "keys.txt")
        keys = [VerifierKey.parse(line) for line in key_lines.splitlines() if line.strip()]
        outside = parse_checkpoint(checkpoint) if checkpoint is not None else None
        trusted: list[Checkpoint] = []
        size, purged, problem = 0, 0, None
        try:
            if outside is not None and outside.signed_by(keys) is not True:
                raise _Found("SIGNATURE", outside.size)
            given = [] if outside is None else [outside]
            try:
                noted = list(_notes(open_file))
            except SandboxError as error:
                if error.code == "AUDIT_CHECKPOINT":  # a note that no longer parses was signed once
                    raise _Found("SIGNATURE", 0) from None
                raise
            trusted = _trusted([*given, *noted], keys, origin, h)
            with open_file("entries.jsonl") as file:
                size, purged = _walk(file, trusted, h)
        except _Found as found:
            problem = found
    return Verification(
        ok=problem is None,
        size=size,
        checkpoints=len(trusted) if problem is None else 0,
        origin=origin,
        algorithm=algorithm,
        problem=problem.problem if problem else "",
        position=problem.position if problem else None,
        position_until=problem.until if problem else None,
        key_from_bundle=public_key is None,
        checkpoint_from_outside=outside is not None,
        purged=purged,
    )
