"""HTML on standard input to PDF on standard output, as a process: ``python -m sandbox.console.drawing``.

Nothing is fetched: every address in the text is refused, whatever it names; the only style is our own file.
Same text, same bytes: the document's dates are those in its text, its identifier is the text's hash. How it
ended is the exit code (``sandbox.console.paper`` tells it to the visitor).
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
import resource
import sys
import warnings
from pathlib import Path

STYLE = Path(__file__).parent / "templates" / "paper.css"
MAX_PAGES = 300
SECONDS = 60  # of processor; a busy machine may take WALL times as long
WALL = 4
MEMORY = 2 << 30  # bytes of address space; a record of ten pages takes about 150 MiB of memory
NO_LIBRARY, NO_FONT, TOO_LONG = 3, 4, 5


def limit() -> None:
    """Bound what this process may take."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def chinese_font() -> bool:
    """Whether fontconfig knows a font for Chinese; without one every sentence would be boxes."""
    fc = ctypes.CDLL("libfontconfig.so.1")
    fc.FcNameParse.restype = fc.FcObjectSetCreate.restype = ctypes.c_void_p
    fc.FcNameParse.argtypes = [ctypes.c_char_p]
    fc.FcFontList.restype = ctypes.POINTER(ctypes.c_int)  # of FcFontSet, whose first field is their number
    fc.FcFontList.argtypes = [ctypes.c_void_p] * 3
    found = fc.FcFontList(None, fc.FcNameParse(b":lang=zh-cn"), fc.FcObjectSetCreate())
    return bool(found) and found[0] > 0


def draw(html: bytes) -> bytes | int:
    """The PDF, or the exit code that says why there is none."""
    warnings.simplefilter("ignore")
    logging.getLogger("weasyprint").addHandler(logging.NullHandler())
    logging.getLogger("weasyprint").propagate = False
    try:
        from weasyprint import CSS, HTML  # type: ignore[import-untyped]
        from weasyprint.urls import URLFetcher  # type: ignore[import-untyped]

        if not chinese_font():
            return NO_FONT
    except (ImportError, OSError):  # the library loads pango and its kin when it is imported
        return NO_LIBRARY
    nothing = URLFetcher(allowed_protocols=())  # refuses every address, those of files and of data, too
    page = HTML(string=html.decode("utf-8"), url_fetcher=nothing, base_url=None)
    style = CSS(string=STYLE.read_text(encoding="utf-8"), url_fetcher=nothing)
    document = page.render(stylesheets=[style], pdf_tags=True)
    if len(document.pages) > MAX_PAGES:
        return TOO_LONG
    made: bytes = document.write_pdf(pdf_identifier=hashlib.sha256(html).digest()[:16], pdf_tags=True)
    return made


if __name__ == "__main__":
    limit()
    drawn = draw(sys.stdin.buffer.read())
    if isinstance(drawn, int):
        sys.exit(drawn)
    sys.stdout.buffer.write(drawn)
