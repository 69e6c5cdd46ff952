"""What PNG and JPEG have in common: pixels decoded within the budget, what a mask hides, text in the rest."""

from __future__ import annotations

import io
import re

import numpy as np
from PIL import Image, ImageOps

from sandbox.egress.forms import Budget, Document, Picture, Unreadable

_RUN = re.compile(r"[^\x00-\x1f\x7f-\x9f\ufffd]{6,}")
# Wide text among bytes of unknown meaning: ASCII and common Chinese, so long that chance gives few.
_WIDE = re.compile(r"[\x20-\x7e\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]{8,}")
_DIFFERS = 24  # levels of 255 that a person sees
_CLEAR = 32  # opacity of 255 up to which a pixel is as good as not there
_MASKED = 200  # pixels; a drawing's soft rim has fewer


def printed(body: bytes) -> str:
    """The readable runs in bytes of unknown meaning, as UTF-8 and as UTF-16 of either order."""
    found = _RUN.findall(body.decode("utf-8", "replace"))
    for code in ("utf-16-le", "utf-16-be"):
        found += [run for start in (0, 1) for run in _WIDE.findall(body[start:].decode(code, "replace"))]
    plain = [run for run in found if sum(char.isalnum() for char in run) >= len(run) // 2]
    return " ".join(dict.fromkeys(run.strip() for run in plain))


def decode(data: bytes, form: str, budget: Budget) -> Image.Image:
    """The pixels of ``data``, a file of Pillow's format ``form``. Raises ``Unreadable`` (size, nested)."""
    with Image.open(io.BytesIO(data), formats=[form]) as image:
        if image.width * image.height > budget.pixels:
            raise Unreadable("size")
        if getattr(image, "n_frames", 1) != 1:
            raise Unreadable("nested")
        image.load()
        return ImageOps.exif_transpose(image) if form == "JPEG" else image.copy()


def show(document: Document, where: str, image: Image.Image) -> Image.Image:
    """Add what a person sees of ``image`` on white, and what its mask hides. Gives the first."""
    flat = image.convert("RGBA")
    ground = Image.new("RGBA", flat.size, (255, 255, 255, 255))
    ground.alpha_composite(flat)
    seen, bare = ground.convert("RGB"), flat.convert("RGB")
    document.pictures.append(Picture(where, seen))
    gap = np.abs(np.asarray(seen, np.int16) - np.asarray(bare, np.int16)).max(axis=2)
    below = np.asarray(flat)[:, :, 3] <= _CLEAR
    if np.count_nonzero(below & (gap > _DIFFERS)) >= _MASKED and np.ptp(np.asarray(bare)[below]):
        document.pictures.append(Picture(f"{where}, below its mask".lstrip(", "), bare, hidden=True))
    return seen
