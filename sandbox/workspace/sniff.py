"""Is a supplied file what it says it is? Bytes only; nothing is interpreted that was not asked for."""

from __future__ import annotations

import codecs
import hashlib
from pathlib import Path

from sandbox.core.errors import fail

CHUNK = 1 << 20

# First bytes of what is text but no table. Programs, archives and office files need no line here: they
# hold control bytes; and two letters such as MZ may well begin a header (民族).
MAGIC = (
    b"#!",
    b"%PDF",
    b"{\\rtf",
    b"<!",
    b"<?",
    b"<html",
    b"<HTML",
    b"<script",
    b"<SCRIPT",
)

# What no text table has: C0 controls but tab, line feed, carriage return.
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r")


def sha256_of(path: Path) -> str:
    """SHA-256 of the file, lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def text_encoding(path: Path) -> str:
    """``utf-8-sig`` or ``gb18030``. Raises FORMAT_MISMATCH if the file is no text table in either."""
    with path.open("rb") as file:
        head = file.read(64)
        if not head or head.removeprefix(codecs.BOM_UTF8).lstrip().startswith(MAGIC):
            raise fail("FORMAT_MISMATCH", format="csv")
        file.seek(0)
        while chunk := file.read(CHUNK):
            if len(chunk.translate(None, _CONTROLS)) != len(chunk):
                raise fail("FORMAT_MISMATCH", format="csv")
    for encoding in ("utf-8-sig", "gb18030"):
        if _decodes(path, encoding):
            return encoding
    raise fail("FORMAT_MISMATCH", format="csv")


def to_utf8(path: Path, encoding: str, target: Path) -> Path:
    """Write ``path`` to ``target`` as UTF-8, line ends as they are; gives ``target``."""
    with (
        path.open(encoding=encoding, newline="") as source,
        target.open("w", encoding="utf-8", newline="") as sink,
    ):
        while chunk := source.read(CHUNK):
            sink.write(chunk)
    return target


def require_parquet(path: Path) -> None:
    """Raises FORMAT_MISMATCH unless the file begins and ends as an unencrypted Parquet file does."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, path.stat().st_size - 4))
        if head != b"PAR1" or file.read(4) != b"PAR1" or path.stat().st_size < 12:
            raise fail("FORMAT_MISMATCH", format="parquet")
