"""PNG: the chunks are laid open, the pixels decoded; only pixels leave."""

from __future__ import annotations

import struct
import zlib

from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.image import decode, printed, show

_DRAWN = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"bKGD", b"sBIT"}
_TEXT = {b"tEXt", b"zTXt", b"iTXt"}


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """All chunks up to IEND (PNG specification, section 5). Raises ``Unreadable``."""
    position, found = 8, []
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        if len(body) != length:
            raise Unreadable("malformed")
        found.append((kind, body))
        position += 12 + length
        if kind == b"IEND":
            if position != len(data):
                raise Unreadable("trailing")
            return found
    raise Unreadable("malformed")


def _text(kind: bytes, body: bytes, budget: Budget) -> str:
    name, _, rest = body.partition(b"\x00")
    if kind == b"zTXt" or (kind == b"iTXt" and rest[:1] == b"\x01"):
        packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\x00", 2)[-1]
        engine = zlib.decompressobj()
        rest = engine.decompress(packed, budget.cell_chars)
        if engine.unconsumed_tail:
            raise Unreadable("size")
    return f"{name.decode('latin-1')}: {rest.decode('utf-8', 'replace')}"


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with its hidden pieces and the decoded pixels. Raises ``Unreadable``."""
    for index, (kind, body) in enumerate(_chunks(data)):
        if kind == b"acTL":
            raise Unreadable("nested")
        if kind in _TEXT:
            document.pieces.append(Piece(f"chunk {index + 1}", _text(kind, body, budget), hidden=True))
        elif kind not in _DRAWN:
            document.pieces.append(Piece(f"chunk {index + 1}", printed(body), hidden=True))
    document.body = show(document, "", decode(data, "PNG", budget))
