"""JPEG: every segment is laid open, the pixels decoded; only pixels leave."""

from __future__ import annotations

import struct

from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.image import decode, printed, show

_SCAN, _END = 0xDA, 0xD9
_BARE = {0x01, *range(0xD0, 0xD9)}  # markers without a body
_DRAWN = {0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD, _SCAN}  # frames, tables, scans (ITU-T T.81, table B.1)
_NAMES = {0xE0: b"JFIF\x00", 0xEE: b"Adobe"}  # application segments that only say how to draw
_THUMBNAIL = b"\xff\xd8\xff"


def _scan_end(data: bytes, position: int) -> int:
    """Where the entropy-coded data that begins at ``position`` ends: at a marker that is none of its own."""
    while True:
        position = data.find(b"\xff", position)
        if position < 0 or position + 1 >= len(data):
            raise Unreadable("malformed")
        if data[position + 1] != 0 and not 0xD0 <= data[position + 1] <= 0xD7:
            return position
        position += 2


def _segments(data: bytes) -> list[tuple[int, bytes]]:
    """All (marker, body) up to the end of the image. Raises ``Unreadable`` (malformed, trailing)."""
    position = 2
    found: list[tuple[int, bytes]] = []
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise Unreadable("malformed")
        marker = data[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == _END:
            if position + 2 != len(data):
                raise Unreadable("trailing")
            return found
        if marker in _BARE:
            position += 2
            continue
        if position + 4 > len(data):
            break
        (length,) = struct.unpack(">H", data[position + 2 : position + 4])
        body = data[position + 4 : position + 2 + length]
        if length < 2 or len(body) != length - 2:
            break
        found.append((marker, body))
        position += 2 + length
        if marker == _SCAN:
            position = _scan_end(data, position)
    raise Unreadable("malformed")


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with its comments, its other segments, thumbnails and the decoded pixels.

    Raises ``Unreadable`` (malformed, trailing, size).
    """
    seen = show(document, "", decode(data, "JPEG", budget))
    for index, (marker, body) in enumerate(_segments(data)):
        if marker in _DRAWN or body.startswith(_NAMES.get(marker, b"\xff")):
            continue
        where = f"segment {index + 1}"
        document.pieces.append(Piece(where, printed(body), hidden=True))
        thumbnail = body.find(_THUMBNAIL)
        if thumbnail >= 0:
            small = Document("", "", "", 0)
            show(small, f"{where}, thumbnail", decode(body[thumbnail:], "JPEG", budget))
            small.pictures[0].hidden = True
            document.pictures.extend(small.pictures)
    document.body = seen
