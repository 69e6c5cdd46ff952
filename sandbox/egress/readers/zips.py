"""ZIP: every byte belongs to a member that the directory names once; anything else is refused.

The layout is PKWARE's APPNOTE 6.3, sections 4.3 to 4.5, without ZIP64, splitting, encryption and the methods
beyond "stored" and "deflated". Names, sizes and checksums are stated twice and must agree: programs differ in
which they believe.
"""

from __future__ import annotations

import stat
import struct
import zlib
from dataclasses import dataclass

from sandbox.egress.forms import Budget, Document, Members, Piece, Unreadable
from sandbox.egress.readers.text import decode

_END, _ENTRY, _LOCAL = struct.Struct("<4s4H2LH"), struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x2041  # general purpose bits 0, 6 and 13
_DEFERRED, _UNICODE = 0x0008, 0x0800
_TIMES = {0x0001, 0x000A, 0x5455, 0x5855, 0x7855, 0x7875}  # extra fields of sizes, times and owners
_AES = 0x9901
_RATIO, _SMALL = 300, 8 << 20  # a member above 8 MiB that shrank more than this is a bomb


@dataclass(frozen=True)
class Entry:
    """One row of the central directory."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    mode: int
    offset: int


def shown(data: bytes) -> str:
    """What bytes that no reader knows say as text."""
    return data.decode("utf-8", "replace").strip("\x00")


def _name(raw: bytes) -> str:
    if b"\x00" in raw or b"\\" in raw:
        raise Unreadable("name")
    name = decode(raw)
    if (
        name.startswith("/")
        or ":" in name
        or any(part in ("", ".", "..") for part in name.rstrip("/").split("/"))
    ):
        raise Unreadable("name")
    return name


def _extra(document: Document, where: str, extra: bytes) -> None:
    """Bring extra fields to light. Raises ``Unreadable`` (encrypted)."""
    while len(extra) >= 4:
        kind, length = struct.unpack("<HH", extra[:4])
        body, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _AES:
            raise Unreadable("encrypted")
        if kind not in _TIMES and shown(body):
            document.pieces.append(Piece(f"{where} extra field", shown(body), hidden=True))
    if shown(extra):
        document.pieces.append(Piece(f"{where} extra field", shown(extra), hidden=True))


def _directory(document: Document, data: bytes, budget: Budget) -> tuple[list[Entry], int]:
    """The central directory and where it begins. Raises ``Unreadable``."""
    at = data.rfind(b"PK\x05\x06")
    if at < 0 or len(data) < at + _END.size:
        raise Unreadable("malformed")
    _, disk, first_disk, here, count, size, start, note = _END.unpack_from(data, at)
    if len(data) != at + _END.size + note:
        raise Unreadable("trailing")
    if disk or first_disk or here != count or start + size != at:
        raise Unreadable("malformed")
    if count > budget.members:
        raise Unreadable("size")
    if note:
        document.pieces.append(Piece("archive comment", shown(data[at + _END.size :]), hidden=True))
    entries, place = [], start
    for number in range(count):
        if place + _ENTRY.size > at:
            raise Unreadable("malformed")
        head = _ENTRY.unpack_from(data, place)
        names, extras, notes = head[10:13]
        raw = data[place + _ENTRY.size : place + _ENTRY.size + names]
        rest = data[place + _ENTRY.size + names : place + _ENTRY.size + names + extras + notes]
        place += _ENTRY.size + names + extras + notes
        if head[0] != b"PK\x01\x02" or place > at or head[13]:
            raise Unreadable("malformed")
        if head[3] & _ENCRYPTED:
            raise Unreadable("encrypted")
        _extra(document, f"member {number + 1}", rest[:extras])
        if notes:
            document.pieces.append(Piece(f"member {number + 1} comment", shown(rest[extras:]), hidden=True))
        mode = head[15] >> 16
        entries.append(Entry(_name(raw), raw, head[3], head[4], head[7], head[8], head[9], mode, head[16]))
    if place != at:
        raise Unreadable("trailing")
    return entries, start


def _descriptor(data: bytes, place: int, entry: Entry) -> int:
    """Length of the data descriptor at ``place`` (section 4.3.9). Raises ``Unreadable``."""
    want = struct.pack("<3L", entry.crc, entry.packed, entry.size)
    for sign in (b"PK\x07\x08", b""):
        if data.startswith(sign + want, place):
            return len(sign) + len(want)
    raise Unreadable("malformed")


def _content(document: Document, data: bytes, entry: Entry, place: int, budget: Budget) -> tuple[bytes, int]:
    """The member whose local header is at ``place``, and where it ends. Raises ``Unreadable``."""
    if place != entry.offset:
        raise Unreadable("trailing")
    if place + _LOCAL.size > len(data):
        raise Unreadable("malformed")
    sign, _, flags, method, _, _, crc, packed, size, names, extras = _LOCAL.unpack_from(data, place)
    place += _LOCAL.size
    said = (crc, packed, size)
    deferred = bool(flags & _DEFERRED) and said == (0, 0, 0)
    same = (sign, flags, method) == (b"PK\x03\x04", entry.flags, entry.method)
    if not same or data[place : place + names] != entry.raw_name:
        raise Unreadable("malformed")
    if not deferred and said != (entry.crc, entry.packed, entry.size):
        raise Unreadable("malformed")
    _extra(document, "local header", data[place + names : place + names + extras])
    place += names + extras
    raw = data[place : place + entry.packed]
    if len(raw) != entry.packed:
        raise Unreadable("malformed")
    if entry.size > budget.file_bytes or entry.size > max(_SMALL, _RATIO * entry.packed):
        raise Unreadable("size")
    if entry.method == 0:
        content = raw
    elif entry.method == 8:
        engine = zlib.decompressobj(-15)
        try:
            content = engine.decompress(raw, entry.size + 1)
        except zlib.error:
            raise Unreadable("malformed") from None
        if not engine.eof or engine.unused_data:
            raise Unreadable("malformed")
    else:
        raise Unreadable("unknown")
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        raise Unreadable("malformed")
    place += entry.packed
    return content, place + (_descriptor(data, place, entry) if flags & _DEFERRED else 0)


def unpack(document: Document, data: bytes, budget: Budget) -> list[tuple[str, bytes]]:
    """(name, content) of every file; comments and extra fields become hidden pieces of ``document``.

    Raises ``Unreadable``: trailing (bytes that belong to no member), malformed (the two headers disagree),
    encrypted, irregular (a link or device), name, duplicate, size (budget, bomb), unknown (method).
    """
    entries, end = _directory(document, data, budget)
    if sum(entry.size for entry in entries) > budget.file_bytes:
        raise Unreadable("size")
    if len({entry.name for entry in entries}) != len(entries):
        raise Unreadable("duplicate")
    files, place = [], 0
    for entry in sorted(entries, key=lambda item: item.offset):
        content, place = _content(document, data, entry, place, budget)
        if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise Unreadable("irregular")
        if entry.name.endswith("/"):
            if content:
                raise Unreadable("malformed")
            document.pieces.append(Piece("folder name", entry.name, hidden=True))
        else:
            files.append((entry.name, content))
    if place != end:
        raise Unreadable("trailing")
    if not files:
        raise Unreadable("empty")
    return files


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Leave the members for reading in turn. Raises ``Unreadable``."""
    document.body = Members(unpack(document, data, budget))
