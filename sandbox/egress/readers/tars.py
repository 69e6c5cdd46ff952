"""tar and tar.gz: regular files and folders only; what headers say beyond name and content comes to light."""

from __future__ import annotations

import io
import tarfile
import zlib

from sandbox.egress.forms import Budget, Document, Members, Piece, Unreadable
from sandbox.egress.readers.zips import shown

_RATIO, _SMALL = 300, 8 << 20
_PLAIN = {"path", "size", "mtime", "atime", "ctime", "uid", "gid", "uname", "gname", "linkpath"}


def _gunzip(document: Document, data: bytes, budget: Budget) -> bytes:
    """The one member of a gzip file (RFC 1952). Raises ``Unreadable`` (size, trailing, malformed)."""
    flags, place = data[3] if len(data) > 3 else 0, 10
    if flags & 4:
        length = int.from_bytes(data[place : place + 2], "little")
        document.pieces.append(
            Piece("gzip extra field", shown(data[place + 2 : place + 2 + length]), hidden=True)
        )
        place += 2 + length
    for bit, where in ((8, "gzip file name"), (16, "gzip comment")):
        if flags & bit:
            end = data.find(b"\x00", place)
            document.pieces.append(Piece(where, shown(data[place:end]), hidden=True))
            place = end + 1
    engine = zlib.decompressobj(31)
    limit = min(budget.file_bytes, max(_SMALL, _RATIO * len(data)))
    try:
        plain = engine.decompress(data, limit + 1)
    except zlib.error:
        raise Unreadable("malformed") from None
    if len(plain) > limit:
        raise Unreadable("size")
    if not engine.eof:
        raise Unreadable("malformed")
    if engine.unused_data:
        raise Unreadable("trailing")
    return plain


def _name(name: str) -> str:
    plain = name.removeprefix("./")
    if name.startswith("/") or "\\" in name or ":" in name:
        raise Unreadable("name")
    if any(part in ("", ".", "..") for part in plain.split("/")):
        raise Unreadable("name")
    return plain


def _told(document: Document, where: str, item: tarfile.TarInfo) -> None:
    """Owners and the records of a PAX header become hidden pieces."""
    for name, value in item.pax_headers.items():
        if name not in _PLAIN:
            document.pieces.append(Piece(f"{where} header", f"{name}: {value}", hidden=True))
    for value in (item.uname, item.gname, item.linkname):
        if value:
            document.pieces.append(Piece(f"{where} header", value, hidden=True))


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Leave the members for reading in turn. Raises ``Unreadable`` (irregular, name, duplicate, size, …)."""
    plain = _gunzip(document, data, budget) if data[:2] == b"\x1f\x8b" else data
    files: list[tuple[str, bytes]] = []
    names: set[str] = set()
    try:
        with tarfile.open(fileobj=io.BytesIO(plain), mode="r:") as archive:
            end = 0
            for number, item in enumerate(archive):
                where = f"member {number + 1}"
                if number >= budget.members:
                    raise Unreadable("size")
                if item.sparse is not None or not (item.isreg() or item.isdir()):
                    raise Unreadable("irregular")
                if item.name.rstrip("/") == "." and item.isdir():
                    continue
                name = _name(item.name.rstrip("/") if item.isdir() else item.name)
                if name in names:
                    raise Unreadable("duplicate")
                names.add(name)
                _told(document, where, item)
                padded = -item.size % 512 if item.isreg() else 0
                end = item.offset_data + (item.size if item.isreg() else 0) + padded
                if end > len(plain):
                    raise Unreadable("malformed")
                if any(plain[end - padded : end]):
                    raise Unreadable("trailing")
                if item.isdir():
                    document.pieces.append(Piece("folder name", name, hidden=True))
                else:
                    files.append((name, plain[item.offset_data : item.offset_data + item.size]))
    except (tarfile.TarError, ValueError):
        raise Unreadable("malformed") from None
    if any(plain[end:]):
        raise Unreadable("trailing")
    if not files:
        raise Unreadable("empty")
    document.body = Members(files)
