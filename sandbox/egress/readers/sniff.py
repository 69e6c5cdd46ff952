"""What a file is, by its first bytes *and* its extension; both must agree or nothing is read."""

from __future__ import annotations

import re

from sandbox.egress.forms import Unreadable

# Extension -> form. What is not here cannot leave (default deny).
EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
    ".png": "png",
}

# First bytes -> form, or the reason of refusal. From the formats' own specifications.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "executable"),
    (b"PK\x05\x06", "executable"),
    (b"\x1f\x8b", "executable"),
    (b"BZh", "executable"),
    (b"\xfd7zXZ\x00", "executable"),
    (b"7z\xbc\xaf\x27\x1c", "executable"),
    (b"Rar!", "executable"),
    (b"\x28\xb5\x2f\xfd", "executable"),
    (b"\x7fELF", "executable"),
    (b"MZ", "executable"),
    (b"#!", "executable"),
    (b"\xca\xfe\xba\xbe", "executable"),
    (b"\x00asm", "executable"),
    (b"\xd0\xcf\x11\xe0", "executable"),
    (b"%PDF-", "unknown"),
    (b"SQLite format 3\x00", "unknown"),
    (b"\xff\xd8\xff", "unknown"),
    (b"GIF8", "unknown"),
    (b"ARROW1", "unknown"),
    (b"\x89HDF", "unknown"),
    (b"ORC", "unknown"),
    (b"Obj\x01", "unknown"),
    (b"\xff\xfe", "encoding"),
    (b"\xfe\xff", "encoding"),
)
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_MARKUP = re.compile(rb"\s*<(?:!doctype|html|\?xml|svg|script|\?php)", re.IGNORECASE)
_SECOND = (b"PK\x05\x06", b"PK\x03\x04\x14\x00", b"\x7fELF\x02", b"\x89PNG\r\n\x1a\n", b"%PDF-1.")
_NAME = re.compile(r"[\w\-. ()（）【】、·+=,@]{1,120}")
_DOUBLE = re.compile(
    r"\.(?:exe|dll|so|sh|bat|cmd|js|vbs|ps1|py|pyc|pkl|pickle|jar|zip|gz|html?|svg|xls[mx]?|doc[mx]?)(?:\.|$)",
    re.IGNORECASE,
)


def sniff(path: str, data: bytes) -> str:
    """The form of ``data`` named ``path``. Raises ``Unreadable`` (name, empty, mismatch, …)."""
    parts = path.split("/")
    if any(not _NAME.fullmatch(part) or part[0] in ". " or part[-1] in ". " for part in parts):
        raise Unreadable("name")
    if _DOUBLE.search(parts[-1]):
        raise Unreadable("executable")
    dot = parts[-1].rfind(".")
    wanted = EXTENSIONS.get(parts[-1][dot:].lower() if dot > 0 else "")
    if wanted is None:
        raise Unreadable("unknown")
    if not data:
        raise Unreadable("empty")
    found = next((form for magic, form in _MAGIC if data.startswith(magic)), "text")
    if _PICKLE.match(data):
        found = "executable"
    if found in ("executable", "unknown", "encoding"):
        raise Unreadable(found)
    if (found == "text") != (wanted not in ("png", "parquet")) or (found != "text" and found != wanted):
        raise Unreadable("mismatch")
    if any(mark in data[1:] for mark in _SECOND):
        raise Unreadable("polyglot")
    if found == "text" and _MARKUP.match(data):
        raise Unreadable("active" if wanted == "markdown" else "mismatch")
    return wanted
