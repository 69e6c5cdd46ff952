"""Documents for the file: a record or certificate as PDF, drawn in a process of its own with limits.

The server goes on meanwhile, gets its memory back afterwards, and hands the process nothing but the text: no
setting, no key, no database.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections import OrderedDict

from sandbox.console import codes  # noqa: F401
from sandbox.console.drawing import MAX_PAGES, NO_FONT, NO_LIBRARY, SECONDS, TOO_LONG, WALL
from sandbox.core.errors import SandboxError, fail

MAX_TEXT = 8 << 20  # bytes of HTML
AT_ONCE = 2
IN_LINE = 3  # those being drawn and who waits for a turn: each holds a thread of the server's few
WAIT = 30.0  # seconds for a turn
PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"

# what the process knows of its surroundings; a fixed seed and date make equal texts equal bytes
ENVIRONMENT = {
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "SOURCE_DATE_EPOCH": "0",
}
KEPT, KEPT_BYTES = 8, 1 << 20  # so many PDFs, none larger, are given again without drawing
_turns = threading.BoundedSemaphore(AT_ONCE)
_line = threading.BoundedSemaphore(IN_LINE)
_kept: OrderedDict[bytes, bytes] = OrderedDict()
_keeping = threading.Lock()


def pdf(html: str) -> bytes:
    """``html`` as a PDF; the same bytes for the same text on the same machine.

    Raises PDF_BUSY (``AT_ONCE`` are being drawn and others wait), PDF_LIBRARY and PDF_FONT (this machine
    lacks something), PDF_LIMIT (too long), PDF_FAILED.
    """
    text = html.encode("utf-8", "backslashreplace")
    if len(text) > MAX_TEXT:
        raise _too_long()
    key = hashlib.sha256(text).digest()
    with _keeping:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = _in_turn(text)
    if len(made) <= KEPT_BYTES:
        with _keeping:
            _kept[key] = made
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
    return made


def _in_turn(text: bytes) -> bytes:
    """Drawn after those that came before. Raises PDF_BUSY, at once where the line is full."""
    if not _line.acquire(blocking=False):
        raise fail("PDF_BUSY")
    try:
        if not _turns.acquire(timeout=WAIT):
            raise fail("PDF_BUSY")
        try:
            return _drawn(text)
        finally:
            _turns.release()
    finally:
        _line.release()


def _too_long() -> SandboxError:
    return fail("PDF_LIMIT", pages=MAX_PAGES, seconds=SECONDS)


def _drawn(text: bytes) -> bytes:
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-s", "-m", "sandbox.console.drawing"],
            input=text,
            capture_output=True,
            env=ENVIRONMENT,
            timeout=SECONDS * WALL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _too_long() from error
    if done.returncode == 0 and done.stdout.startswith(b"%PDF-"):
        return done.stdout
    if done.returncode == NO_LIBRARY:
        raise fail("PDF_LIBRARY", packages=PACKAGES)
    if done.returncode == NO_FONT:
        raise fail("PDF_FONT")
    if done.returncode == TOO_LONG or done.returncode < 0:  # a limit ends it by a signal
        raise _too_long()
    raise fail("PDF_FAILED")
