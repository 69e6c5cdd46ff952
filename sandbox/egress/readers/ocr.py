"""The text of pictures, read by the distribution's tesseract: a child without a network, bounded, one thread.

Chinese and English in one pass. What could not be read is said (``Picture.unread``) and held for people;
it never counts as empty. The same pixels give the same lines.
"""

from __future__ import annotations

import io
import resource
import shutil
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from sandbox.egress.forms import Budget, Document, Line, Picture, Piece

LANGUAGES = ("chi_sim", "eng")
_DATA = Path("/usr/share/tesseract-ocr/5/tessdata")
# Sparse text, as charts have it; the words as a table. (The word "tsv" alone names a file of the package.)
_OPTIONS = ("--psm", "11", "-c", "tessedit_create_tsv=1")
_HEAD = "level\tpage_num\t"
_MEMORY = 2 << 30  # bytes of address space; a page of four million pixels takes 400 MB
_PATIENCE = 4.0  # seconds of the clock for one of the processor: the machine has other work
_SMALL = 1500  # pixels; below that letters of a chart are too small for the recogniser, which wants 20
_SURE = 30.0  # per cent; below that a word is a stroke of a drawing
_FAINT = (3, 26)  # levels of 255 by which near-invisible writing differs from its ground
_FAINT_PIXELS = 150  # of writing; a hair line of a frame has more, and reads as nothing
_CELL = 8  # pixels a side of the cells by which the ground of a picture is told
_STRONG = 3  # pixels around dark ones where their soft edges lie


def available() -> bool:
    """Whether the program and both languages are on this machine (they are in the image ``check``)."""
    return shutil.which("tesseract", path="/usr/bin") is not None and all(
        (_DATA / f"{language}.traineddata").is_file() for language in LANGUAGES
    )


def _run(pixels: Image.Image, seconds: int) -> tuple[str, str]:
    """(table of words as tesseract writes it, why there is none) of RGB ``pixels``."""
    sink = io.BytesIO()
    pixels.save(sink, "BMP")
    with subprocess.Popen(  # noqa: S603 - fixed words, no shell
        ["/usr/bin/tesseract", "stdin", "stdout", "-l", "+".join(LANGUAGES), *_OPTIONS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"OMP_THREAD_LIMIT": "1", "LC_ALL": "C", "PATH": "/usr/bin"},
    ) as child:
        try:  # it waits for its input until the bounds stand
            resource.prlimit(child.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.prlimit(child.pid, resource.RLIMIT_CPU, (seconds, seconds))
            told, _ = child.communicate(sink.getvalue(), timeout=10 + _PATIENCE * seconds)
        except subprocess.TimeoutExpired:
            return "", "time"
        except OSError:  # it ended before its bounds stood
            return "", "failed"
        finally:
            child.kill()
    if child.returncode:
        return "", "time" if child.returncode < 0 else "failed"
    return told.decode("utf-8", "replace"), ""


def _han(char: str) -> bool:
    return "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\uffef"


def _join(words: list[str]) -> str:
    """Words of a line as a person writes them: no space beside a Chinese character."""
    text = ""
    for word in words:
        gap = "" if not text or _han(text[-1]) or _han(word[0]) else " "
        text += gap + word
    return text


def _lines(table: str, scale: float) -> list[Line]:
    """The lines of tesseract's TSV: level 5 is words; block, paragraph, line, left, top, width, height.

    Raises ``ValueError`` for anything else: a program that answers otherwise has read nothing.
    """
    if not table.startswith(_HEAD):
        raise ValueError
    found: dict[tuple[str, ...], list[tuple[str, tuple[int, int, int, int]]]] = {}
    for row in table.split("\n")[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip() and float(cells[10]) >= _SURE:
            left, top, width, height = (int(cell) for cell in cells[6:10])
            word = (cells[11].strip(), (left, top, left + width, top + height))
            found.setdefault(tuple(cells[1:5]), []).append(word)
    lines = []
    for words in found.values():
        if not any(char.isalnum() for text, _ in words for char in text):
            continue  # corners of frames
        edges = np.array([box for _, box in words]) / scale
        box = (edges[:, 0].min(), edges[:, 1].min(), edges[:, 2].max(), edges[:, 3].max())
        lines.append(Line(_join([text for text, _ in words]), tuple(float(edge) for edge in box)))  # type: ignore[arg-type]
    return lines


def read_lines(pixels: Image.Image, seconds: int) -> tuple[list[Line], str]:
    """(lines, why there are none) of RGB ``pixels``, within ``seconds`` of a processor.

    The second is "" when the picture was read, else ``absent``, ``time`` or ``failed``.
    """
    if not available():
        return [], "absent"
    if seconds < 1:
        return [], "time"
    # Dark on light, whatever the colours: white names inside a bar are writing too.
    gap = _contrast(pixels)
    ink = 255 - np.where(gap < _FAINT[1], 0, np.minimum(255, gap * 3 // 2))
    pixels = Image.fromarray(ink.astype(np.uint8))
    scale = 2.0 if max(pixels.size) < _SMALL else 1.0
    if scale != 1:
        pixels = pixels.resize((pixels.width * 2, pixels.height * 2), Image.Resampling.LANCZOS)
    told, why = _run(pixels, seconds)
    try:
        return ([], why) if why else (_lines(told, scale), "")
    except ValueError:  # no such table as it writes
        return [], "failed"


def _contrast(pixels: Image.Image) -> np.ndarray:
    """By how many levels each pixel differs from its ground, the median of its surroundings."""
    grey = ImageOps.grayscale(pixels)
    cells = (max(1, grey.width // _CELL), max(1, grey.height // _CELL))
    ground = grey.resize(cells, Image.Resampling.NEAREST).filter(ImageFilter.MedianFilter(5))
    return np.abs(
        np.asarray(grey, np.int16) - np.asarray(ground.resize(grey.size, Image.Resampling.NEAREST), np.int16)
    )


def faint(pixels: Image.Image) -> Image.Image | None:
    """What differs from its ground by so little that nobody sees it, in black on white; None if nothing does.

    The soft edges of visible strokes are left out.
    """
    gap = _contrast(pixels)
    strong = Image.fromarray(((gap >= _FAINT[1]) * 255).astype(np.uint8))
    near = np.asarray(strong.filter(ImageFilter.MaxFilter(2 * _STRONG + 1))) > 0
    weak = (gap >= _FAINT[0]) & (gap < _FAINT[1]) & ~near
    if np.count_nonzero(weak) < _FAINT_PIXELS:
        return None
    return Image.fromarray(np.where(weak, 0, 255).astype(np.uint8)).convert("RGB")


def _told(text: str, stated: list[Line] | None) -> bool:
    """Whether a line read off the picture is part of what the file itself says."""
    plain = "".join(text.split())
    return stated is not None and plain in "".join("".join(line.text.split()) for line in stated)


def read_pictures(documents: Iterable[Document], budget: Budget) -> float:
    """Read every picture of ``documents``: fills ``lines`` and ``unread``, and adds the text as pieces.

    Faint writing becomes a hidden picture of its own. Returns the seconds that it took. Beyond
    ``budget.reading_seconds`` what is left stays unread.
    """
    begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for document in documents:
        for picture in [*document.pictures]:
            if not picture.hidden and (weak := faint(picture.pixels)) is not None:
                document.pictures.append(Picture(f"{picture.where}, faint".lstrip(", "), weak, hidden=True))
        for picture in document.pictures:
            now = resource.getrusage(resource.RUSAGE_CHILDREN)
            spent = now.ru_utime + now.ru_stime - before.ru_utime - before.ru_stime
            picture.lines, picture.unread = read_lines(picture.pixels, budget.reading_seconds - int(spent))
            for number, line in enumerate(picture.lines, 1):
                if not _told(line.text, picture.stated):
                    where = f"{picture.where}, line {number} of the picture".lstrip(", ")
                    document.pieces.append(Piece(where, line.text, picture.hidden))
    return time.monotonic() - begun
