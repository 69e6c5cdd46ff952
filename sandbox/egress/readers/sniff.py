"""What a file is, by its first bytes *and* its extension; both must agree or nothing is read."""

from __future__ import annotations

import re

from sandbox.egress.forms import Unreadable

# Extension -> form. What is not here cannot leave (default deny).
EXTENSIONS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".ipynb": "ipynb",
    ".xlsx": "xlsx",
    ".docx": "docx",
    ".svg": "svg",
    ".png": "png",
    ".jpg": "jpeg",
    ".jpeg": "jpeg",
    ".pdf": "pdf",
    ".onnx": "onnx",
    ".safetensors": "safetensors",
    ".skops": "skops",
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "tar",
    ".tar.gz": "tar",
}

# Form -> what its first bytes are; text has no mark of its own.
FAMILIES = {
    "parquet": ("parquet",),
    "arrow": ("arrow",),
    "xlsx": ("zip",),
    "docx": ("zip",),
    "zip": ("zip",),
    "png": ("png",),
    "jpeg": ("jpeg",),
    "pdf": ("pdf",),
    "skops": ("zip",),
    "tar": ("tar", "gzip"),
    "svg": ("text", "markup"),
    "html": ("text", "markup"),
    "csv": ("text", "wide text"),
}
# Forms whose own reader accounts for every byte: the marks of what they hold inside are no second format.
_ACCOUNTED = {"xlsx", "docx", "zip", "tar", "arrow", "onnx", "safetensors", "skops"}
# Forms that begin with a number of their own, which may be any: only their reader can tell.
_UNMARKED = {"onnx", "safetensors"}

# First bytes -> family, or the reason of refusal. From the formats' own specifications.
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"PAR1", "parquet"),
    (b"ARROW1\x00\x00", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"\x1f\x8b", "gzip"),
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
    (b"%PDF-", "pdf"),
    (b"SQLite format 3\x00", "unknown"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "unknown"),
    (b"\x89HDF", "unknown"),
    (b"ORC", "unknown"),
    (b"Obj\x01", "unknown"),
    (b"\xff\xfe", "wide text"),
    (b"\xfe\xff", "wide text"),
)
_REFUSED = {"executable", "unknown"}
_TAR = b"ustar"  # at 257: POSIX.1-1988 and later, and GNU
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
_MARKUP = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype|!--|html|\?xml|svg|script|\?php)", re.IGNORECASE)
_SECOND = (b"PK\x05\x06", b"PK\x03\x04\x14\x00", b"\x7fELF\x02", b"\x89PNG\r\n\x1a\n", b"%PDF-1.")
_NAME = re.compile(r"[\w\-. ()（）【】、·+=,@]{1,120}")
_PROGRAM = r"exe|dll|so|sh|bat|cmd|js|vbs|ps1|py|pyc|pkl|pickle|jar|com|scr|lnk|hta|xls[mb]|doc[mb]"
_DOUBLE = re.compile(
    rf"\.(?:{_PROGRAM}|zip|gz|tgz|html?|svg|xlsx?|docx?|pdf)\.(?!gz$)|\.(?:{_PROGRAM})$|(?<!\.tar)\.gz$",
    re.IGNORECASE,
)


def _extension(name: str) -> str:
    """The extension in lower case, ``.tar.gz`` as one."""
    lower = name.lower()
    dot = lower.rfind(".")
    if lower.endswith(".tar.gz"):
        dot = len(lower) - 7
    return lower[dot:] if dot > 0 else ""


def _family(data: bytes) -> str:
    found = next((family for magic, family in _MAGIC if data.startswith(magic)), "text")
    if _PICKLE.match(data):
        return "executable"
    if found == "text" and data[257:262] == _TAR:
        return "tar"
    return "markup" if found == "text" and _MARKUP.match(data) else found


def sniff(path: str, data: bytes) -> str:
    """The form of ``data`` named ``path``. Raises ``Unreadable`` (name, empty, mismatch, …)."""
    parts = path.split("/")
    if any(not _NAME.fullmatch(part) or part[0] in ". " or part[-1] in ". " for part in parts):
        raise Unreadable("name")
    if _DOUBLE.search(parts[-1]):
        raise Unreadable("executable")
    wanted = EXTENSIONS.get(_extension(parts[-1]))
    if wanted is None:
        raise Unreadable("unknown")
    if not data:
        raise Unreadable("empty")
    if wanted in _UNMARKED:
        return wanted
    found = _family(data)
    if found in _REFUSED:
        raise Unreadable(found)
    if found not in FAMILIES.get(wanted, ("text",)):
        raise Unreadable("active" if (found, wanted) == ("markup", "markdown") else "mismatch")
    if wanted not in _ACCOUNTED and any(mark in data[1:] for mark in _SECOND):
        raise Unreadable("polyglot")
    return wanted
