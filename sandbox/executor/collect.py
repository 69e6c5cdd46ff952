"""What an ended task left in its output folder, copied out without trusting a single entry of it.

Called only after the last process of the task is gone. Everything is opened relative to a folder's
descriptor with O_NOFOLLOW; only regular files with one link and a decent name are taken, up to the quota.
"""

from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.task.log import LOG_BYTES, LOG_FILE, plain

REPORT_BYTES = 1 << 20
SPARE_BYTES = REPORT_BYTES + LOG_BYTES  # of /out, beyond the task's own quota
DEPTH = 8
NAME_BYTES = 200
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def decent(name: str) -> bool:
    """Whether a file name may be kept: UTF-8, no control, format or private characters, not hidden."""
    try:
        raw = name.encode()
    except UnicodeEncodeError:
        return False
    odd = any(unicodedata.category(character)[0] == "C" for character in name)
    return not odd and len(raw) <= NAME_BYTES and not name.startswith(".")


@dataclass
class Collector:
    """Copies one tree; ``skipped`` counts what was left behind, by reason (a closed vocabulary)."""

    bytes_left: int
    files_left: int
    skipped: Counter[str] = field(default_factory=Counter)

    def tree(self, source: int, target: Path, depth: int = 0) -> None:
        """Copy the folder open at descriptor ``source`` into the new folder ``target``."""
        target.mkdir(mode=0o755)
        for name in sorted(os.listdir(source)):
            reason = self._entry(source, name, target / name, depth) if decent(name) else "name"
            if reason:
                self.skipped[reason] += 1

    def _entry(self, folder: int, name: str, target: Path, depth: int) -> str | None:
        """Copy one entry; the reason if it was left behind."""
        try:
            handle = os.open(name, _READ, dir_fd=folder)
        except OSError:  # a link (ELOOP), a socket (ENXIO), no permission
            return "not_regular"
        try:
            kind = os.fstat(handle)
            if stat.S_ISDIR(kind.st_mode):
                if depth >= DEPTH:
                    return "too_deep"
                self.tree(handle, target, depth + 1)
                return None
            if not stat.S_ISREG(kind.st_mode):
                return "not_regular"
            if kind.st_nlink != 1:
                return "hard_link"
            if self.files_left < 1 or kind.st_size > self.bytes_left:
                return "over_quota"  # sparse files count in full: the copy is not sparse
            self.files_left -= 1
            self.bytes_left -= kind.st_size
            _copy(handle, target, kind.st_size)
            return None
        finally:
            os.close(handle)


def _copy(handle: int, target: Path, size: int) -> None:
    with target.open("xb") as out:
        os.fchmod(out.fileno(), 0o644)  # the checker's container reads it as a user of its own
        while size > 0:
            chunk = os.read(handle, min(size, 1 << 20))
            if not chunk:
                return
            out.write(chunk)
            size -= len(chunk)


def _refuse_constant(text: str) -> None:
    raise ValueError(text)


def read_report(folder: int) -> dict[str, Any]:
    """``report.json`` in the folder open at ``folder``: a JSON object of at most 1 MiB, else ``{}``.

    What no database could store as JSON text (NaN, NUL, half of a surrogate pair) is not one.
    """
    try:
        handle = os.open("report.json", _READ, dir_fd=folder)
    except OSError:
        return {}
    with os.fdopen(handle, "rb") as file:
        kind = os.fstat(file.fileno())
        if not stat.S_ISREG(kind.st_mode) or kind.st_nlink != 1 or kind.st_size > REPORT_BYTES:
            return {}
        try:
            value = json.loads(file.read(REPORT_BYTES + 1), parse_constant=_refuse_constant)
            storable = "\\u0000" not in json.dumps(value) and json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            return {}
    return value if storable and isinstance(value, dict) else {}


def take_log(folder: int, target: Path) -> None:
    """Copy ``log.txt`` of the folder open at ``folder`` to ``target``, cut at ``LOG_BYTES``; no such regular
    file: nothing. Whoever wrote it last, the job's code included, a reviewer's terminal shows it: what is no
    plain text is replaced, as in ``sandbox.task.log``."""
    try:
        handle = os.open(LOG_FILE, _READ, dir_fd=folder)
    except OSError:
        return
    try:
        kind = os.fstat(handle)
        if stat.S_ISREG(kind.st_mode) and kind.st_nlink == 1:
            with os.fdopen(os.dup(handle), "rb") as file:
                text = plain(file.read(LOG_BYTES).decode("utf-8", "replace"))
            with target.open("xb") as out:
                os.fchmod(out.fileno(), 0o644)
                out.write(text.encode()[:LOG_BYTES].decode("utf-8", "ignore").encode())
    finally:
        os.close(handle)


def collect(
    out: Path, target: Path, *, max_bytes: int, max_files: int
) -> tuple[dict[str, Any], dict[str, int]]:
    """Copy ``out/files`` to the new folder ``target``, and the sealed log to ``log.txt`` beside it.

    Returns the report and counts of what was skipped.
    """
    collector = Collector(max_bytes, max_files)
    folder = os.open(out, _READ | os.O_DIRECTORY)
    try:
        report = read_report(folder)
        take_log(folder, target.with_name(LOG_FILE))
        try:
            files = os.open("files", _READ | os.O_DIRECTORY, dir_fd=folder)
        except OSError:
            target.mkdir(mode=0o755)
            collector.skipped["no_files_folder"] += 1
        else:
            try:
                collector.tree(files, target)
            finally:
                os.close(files)
    finally:
        os.close(folder)
    return report, dict(collector.skipped)
