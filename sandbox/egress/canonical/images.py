"""Images: pixels only, their low bits refilled."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from sandbox.egress.forms import Document, Unreadable

LOW_BITS = [value & 0xFC | value >> 6 for value in range(256)] * 3  # a table for RGB: see ``requantised``
_STEP = 17  # 16 levels a channel: JPEG at its best errs by a few, so that reading it again finds the same


def requantised(image: Image.Image) -> bytes:
    """RGB pixels as a PNG of pixels only. The two low bits of each channel are filled from the high ones:
    what they carried is gone."""
    plain = image.point(LOW_BITS)
    sink = io.BytesIO()
    plain.save(sink, format="PNG", compress_level=6)
    return sink.getvalue()


def png(document: Document, ordered: bool) -> bytes:
    """The pixels of a PNG file."""
    return requantised(document.body)


def jpeg(document: Document, ordered: bool) -> bytes:
    """The pixels of a JPEG file in 16 levels a channel, which survive the coding: a payload in the low bits,
    or in the coefficients, does not. Raises ``Unreadable`` where they would not come back the same."""
    levels = [(value + _STEP // 2) // _STEP * _STEP for value in range(256)] * 3
    plain = document.body.point(levels)
    sink = io.BytesIO()
    plain.save(sink, format="JPEG", quality=100, subsampling=0, optimize=False)
    with Image.open(io.BytesIO(sink.getvalue()), formats=["JPEG"]) as again:
        if not np.array_equal(np.asarray(again.convert("RGB").point(levels)), np.asarray(plain)):
            raise Unreadable("malformed")
    return sink.getvalue()
