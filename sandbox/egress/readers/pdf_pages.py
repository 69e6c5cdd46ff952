"""Pages of a PDF: rendered as a person sees them, beside the text that the file says stands there.

Which of that text leaves ink is found by rendering each page a second time without its text: invisible
render modes, white or transparent letters, text below a picture, outside the page, in a layer that is off,
all show in the same way. Nothing is executed: forms and scripts of the file are never loaded.
"""

from __future__ import annotations

import ctypes
import math

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as raw
from PIL import Image

from sandbox.egress.forms import Budget, Document, Line, Picture, Piece, Unreadable

SCALE = 2.0  # pixels a point: 144 dots an inch, which the reader of pictures needs
_PAGE_PIXELS = 4_200_000  # of one page; a larger sheet is drawn smaller (A4 takes two million)
_INK = 24  # levels of 255 by which a letter must differ from what is below it
_TINY = 3.5  # pixels high: 1.7 points


def _scale(page: pdfium.PdfPage) -> float:
    width, height = page.get_size()
    if not (1 <= width <= 20_000 and 1 <= height <= 20_000):
        raise Unreadable("malformed")
    return min(SCALE, math.sqrt(_PAGE_PIXELS / (width * height)))


def _render(page: pdfium.PdfPage) -> Image.Image:
    image: Image.Image = page.render(scale=_scale(page), rev_byteorder=True).to_pil()
    return image.convert("RGB")


def _characters(
    page: pdfium.PdfPage, size: tuple[int, int], budget: Budget
) -> list[tuple[str, tuple[int, int, int, int]]]:
    """Every character of the page's text in its order, with its box in pixels; a line ends with ``\\n``."""
    text = page.get_textpage()
    if text.count_chars() > budget.cell_chars:
        raise Unreadable("size")
    found: list[tuple[str, tuple[int, int, int, int]]] = []
    x, y = ctypes.c_int(), ctypes.c_int()
    for index in range(text.count_chars()):
        code = raw.FPDFText_GetUnicode(text, index)
        char = chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
        edges = text.get_charbox(index)
        corners = []
        for px, py in ((edges[0], edges[3]), (edges[2], edges[1])):
            raw.FPDF_PageToDevice(page, 0, 0, *size, 0, px, py, ctypes.byref(x), ctypes.byref(y))
            corners += [x.value, y.value]
        left, right = sorted(corners[::2])
        top, bottom = sorted(corners[1::2])
        found.append(("\n" if char in "\r\n" else char, (left, top, right + 1, bottom + 1)))
    text.close()
    return found


def _without_text(page: pdfium.PdfPage) -> None:
    for item in page.get_objects(filter=[raw.FPDF_PAGEOBJ_TEXT], max_depth=15):
        raw.FPDFTextObj_SetTextRenderMode(item, raw.FPDF_TEXTRENDERMODE_INVISIBLE)


class _Ink:
    """How many pixels of a box differ between two renderings, by sums over the page."""

    def __init__(self, seen: Image.Image, bare: Image.Image) -> None:
        gap = np.abs(np.asarray(seen, np.int16) - np.asarray(bare, np.int16)).max(axis=2) >= _INK
        self.sums = np.pad(gap.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))

    def __call__(self, box: tuple[int, int, int, int]) -> bool:
        height, width = self.sums.shape
        left, right = (min(max(edge, 0), width - 1) for edge in (box[0], box[2]))
        top, bottom = (min(max(edge, 0), height - 1) for edge in (box[1], box[3]))
        s = self.sums
        return bool(s[bottom, right] - s[top, right] - s[bottom, left] + s[top, left] > 0)


def _line(characters: list[tuple[str, tuple[int, int, int, int]]], shown: bool) -> list[Line]:
    text = "".join(char for char, _ in characters).strip()
    boxes = [box for char, box in characters if char.strip()]
    if not text:
        return []
    edges = [float(f(box[i] for box in boxes)) for i, f in enumerate((min, min, max, max))]
    return [Line(text, (edges[0], edges[1], edges[2], edges[3]), shown)]


def _lines(characters: list[tuple[str, tuple[int, int, int, int]]], ink: _Ink) -> list[Line]:
    """Lines of text; the letters of a line that leave no ink stand in a line of their own."""
    lines: list[Line] = []
    current: list[tuple[str, tuple[int, int, int, int]]] = []
    for char, box in [*characters, ("\n", (0, 0, 0, 0))]:
        if char != "\n":
            current.append((char, box))
            continue
        seen: list[bool] = []
        for char, box in current:  # a space goes with the letter before it
            last = seen[-1] if seen else True
            seen.append(ink(box) and box[3] - box[1] - 1 >= _TINY if char.strip() else last)
        letters = [s for (char, _), s in zip(current, seen, strict=True) if char.strip()]
        if letters and sum(letters) >= 0.9 * len(letters):
            lines += _line(current, True)
        elif letters:
            lines += _line([item for item, s in zip(current, seen, strict=True) if s], True)
            lines += _line([item for item, s in zip(current, seen, strict=True) if not s], False)
        current = []
    return lines


def read_pages(document: Document, data: bytes, budget: Budget) -> None:
    """Add a picture a page, with the lines the file states, and each of these as a piece.

    Raises ``Unreadable`` (size: more pages or characters than the budget; malformed).
    """
    pdf = pdfium.PdfDocument(data)
    try:
        if len(pdf) > budget.pages:
            raise Unreadable("size")
        if not len(pdf):
            raise Unreadable("empty")
        for number in range(len(pdf)):
            page = pdf[number]
            seen = _render(page)
            characters = _characters(page, seen.size, budget)
            _without_text(page)
            lines = _lines(characters, _Ink(seen, _render(page)))
            document.pictures.append(Picture(f"page {number + 1}", seen, stated=lines))
            for index, line in enumerate(lines, 1):
                where = f"page {number + 1}, line {index}"
                document.pieces.append(Piece(where, line.text, not line.shown))
            page.close()
    finally:
        pdf.close()
