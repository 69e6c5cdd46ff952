"""The sealed log: what a job printed, for a reviewer inside the domain and for nobody else.

The task's own process takes it through a pipe and writes ``/out/log.txt``, beside ``files/``: the executor
collects it apart, the control plane keeps it and opens it to the reviewer of the implementing body; a
developer reads it only after it has gone through the gate like any output. The file is Markdown text
from its first line on, so that the checker can read it: UTF-8, ``\\n`` ends, no control characters.

Bounded: the first half and the last half of ``LOG_BYTES`` are kept, the middle is dropped and said to be.
The first half is written as it comes, so that a job that is killed leaves what it had said by then.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import threading
from pathlib import Path

LOG_BYTES = 1 << 20
LOG_FILE = "log.txt"  # in /out
LOG_OUTPUT = "log.md"  # its name among the outputs
TITLE = "# 作业日志 / job log\n\n"
_HALF = LOG_BYTES // 2 - 256  # title and the note of the gap find room in what is left
_GAP = "\n\n… 中间省略 {count} 字节 / {count} bytes dropped …\n\n"
_ENDS = re.compile("\r\n?")
# control, format, private and other characters that hide or turn text
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ue000-\uf8ff\U000e0000-\U0010ffff]"
)


def plain(text: str) -> str:
    """``text`` with what no reader may meet replaced by U+FFFD."""
    return _HIDDEN.sub("\ufffd", _ENDS.sub("\n", text))


def _cut(data: bytes) -> bytes:
    """``data`` without half a character at its end."""
    return data.decode("utf-8", "ignore").encode()


class SealedLog:
    """Writes ``path`` anew. A full disk ends the log and never the job."""

    def __init__(self, path: Path) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._kept, self._seen = 0, 0
        self._tail = bytearray()
        self._threads: list[threading.Thread] = []
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(path, flags, 0o600)
        self._put(TITLE.encode())

    def say(self, text: str) -> None:
        """Add what our own libraries say of the job's code."""
        self._take(f"{text}\n".encode("utf-8", "replace"))

    def drain(self, descriptor: int) -> None:
        """Take everything from a pipe, in a thread of its own, until its last writer has closed it."""
        thread = threading.Thread(target=self._drain, args=(descriptor,), daemon=True)
        thread.start()
        self._threads.append(thread)

    def close(self) -> None:
        """Wait for the pipes, write the end, close. Every writer must be gone."""
        for thread in self._threads:
            thread.join()
        tail = plain(self._tail.decode("utf-8", "replace")).encode()
        dropped = self._seen - len(self._tail) + max(0, len(tail) - _HALF)
        if self._seen:
            self._put(_GAP.format(count=dropped).encode() if dropped else b"")
            self._put(tail[-_HALF:].decode("utf-8", "ignore").encode())
        os.close(self._file)

    def _drain(self, descriptor: int) -> None:
        while piece := os.read(descriptor, 1 << 16):
            self._take(piece)
        os.close(descriptor)

    def _take(self, piece: bytes) -> None:
        if self._kept < _HALF:
            text = plain(self._decoder.decode(piece)).encode()
            room = _HALF - self._kept
            self._put(_cut(text[:room]))
            self._kept += len(text[:room])
            piece = text[room:]
        self._seen += len(piece)
        self._tail += piece
        if len(self._tail) > 2 * _HALF:
            del self._tail[:-_HALF]

    def _put(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._file, data) :]
