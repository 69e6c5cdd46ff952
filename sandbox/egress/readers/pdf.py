"""PDF: every object is looked at; what acts, embeds, encrypts or keeps earlier revisions is refused.

What leaves is drawn anew from the rendered pages (``canonical/pages.py``), so nothing below them can; here
it is brought to light all the same: metadata, annotations, form fields, bookmarks, alternative texts, objects
that no page uses. Structure by pikepdf (qpdf), pages by pypdfium2. ISO 32000-2 names the keys.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any, cast

import pikepdf

from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers.image import printed
from sandbox.egress.readers.pdf_pages import read_pages

# Keys by which a file acts or carries another file. An open action that only names a place is none.
_ACTS = {"/JS", "/JavaScript", "/AA", "/XFA", "/RichMediaContent", "/RichMediaSettings"}
_CARRIES = {"/EmbeddedFiles", "/EF", "/AF", "/Movie", "/Sound", "/3DD"}
_ACTIONS = {
    "/JavaScript", "/Launch", "/SubmitForm", "/ImportData", "/Rendition", "/Movie", "/Sound", "/GoToR",
    "/GoToE", "/RichMediaExecute", "/SetOCGState", "/ResetForm", "/Hide", "/Named", "/Thread", "/Trans",
}  # fmt: skip
_OBJECT = re.compile(rb"(?<![0-9])([0-9]{1,9})[ \t\r\n]+[0-9]{1,5}[ \t\r\n]+obj\b")
_STREAM = re.compile(rb"stream\r?\n.*?endstream", re.DOTALL)
_QUIET = {"/ID", "/Registry", "/Ordering", "/CharSet", "/Panose", "/Lang", "/P"}  # of fonts and the file
_DRAWN = {"/XObject", "/Font", "/ObjStm", "/XRef", "/Pattern", "/CMap"}
_TAGS = {"BDC", "DP", "BMC", "MP"}  # marked content: what follows may state another text
_ODD_NAME = re.compile(r"[0-9]{6}|[^\x00-\x7f]")


def _revisions(data: bytes) -> None:
    """Refuse bytes after the end, and earlier revisions: an object defined twice, or a second end of file."""
    if not re.search(rb"%%EOF[ \t\r\n]*\Z", data):
        raise Unreadable("trailing")
    plain = _STREAM.sub(b"", data)
    numbers = _OBJECT.findall(plain)
    ends = plain.count(b"%%EOF") - (b"/Linearized" in data[:2048])
    if ends > 1 or len(set(numbers)) != len(numbers):
        raise Unreadable("revisions")


def _direct(item: Any) -> bool:
    """Whether ``item`` is an object of the file (plain numbers are Python's) and stands where it is used."""
    return isinstance(item, pikepdf.Object) and not item.is_indirect


def _strings(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """(where, text) of every string below ``value``; what it refers to is an object of its own."""
    if depth < 0:
        raise Unreadable("nested")
    if isinstance(value, pikepdf.String):
        yield path, str(value)
    elif isinstance(value, pikepdf.Array):
        for item in value:
            if _direct(item):
                yield from _strings(item, path, depth - 1)
    elif isinstance(value, pikepdf.Dictionary | pikepdf.Stream):
        for key, item in value.items():
            if key in _ACTS:
                raise Unreadable("active")
            if key in _CARRIES:
                raise Unreadable("embedded")
            if key == "/OpenAction" and isinstance(item, pikepdf.Dictionary) and item.get("/S") != "/GoTo":
                raise Unreadable("active")
            if key == "/S" and isinstance(item, pikepdf.Name) and str(item) in _ACTIONS:
                raise Unreadable("active")
            if _ODD_NAME.search(key):
                yield path, key
            if _direct(item) and key not in _QUIET:
                yield from _strings(item, f"{path} {key}", depth - 1)


def _content(stream: pikepdf.Object, where: str) -> Iterator[tuple[str, str]]:
    """Texts that marked content states in place of what it shows (``/ActualText`` and the like)."""
    for instruction in pikepdf.parse_content_stream(cast(Any, stream)):
        if str(instruction.operator) in _TAGS:
            for operand in instruction.operands:
                if _direct(operand):
                    yield from _strings(operand, where, 8)


def _decoded(stream: pikepdf.Stream, budget: Budget) -> bytes:
    """The content of a stream; empty for pictures and other codes without text. Raises ``Unreadable``."""
    if int(stream.get("/Length", 0)) > budget.file_bytes:
        raise Unreadable("size")
    try:
        data = stream.read_bytes()
    except pikepdf.PdfError:
        return b""
    if len(data) > budget.file_bytes:
        raise Unreadable("size")
    return data


def _objects(pdf: pikepdf.Pdf, budget: Budget) -> Iterator[tuple[str, str]]:
    """(where, text) of everything that is no page's own drawing."""
    used = _used(pdf)
    for number, item in enumerate(pdf.objects, 1):
        where = f"object {number}"
        yield from _strings(item, where, budget.depth)
        if not isinstance(item, pikepdf.Stream):
            continue
        kind = str(item.get("/Type", ""))
        drawn = item.objgen in used
        if kind == "/Metadata" or (not drawn and kind not in _DRAWN):
            yield where, printed(_decoded(item, budget))
        elif str(item.get("/Subtype", "")) == "/Form" and drawn:
            yield from _content(item, where)
    for number, page in enumerate(pdf.pages, 1):
        yield from _content(page.obj, f"page {number}")


def _used(pdf: pikepdf.Pdf) -> set[tuple[int, int]]:
    """Objects that the pages reach, without going back to the tree of pages."""
    seen: set[tuple[int, int]] = set()
    pending: list[Any] = [page.obj for page in pdf.pages]
    while pending:
        item = pending.pop()
        if isinstance(item, pikepdf.Object) and item.is_indirect:
            if item.objgen in seen:
                continue
            seen.add(item.objgen)
        if isinstance(item, pikepdf.Dictionary | pikepdf.Stream):
            pending += [value for key, value in item.items() if key not in ("/Parent", "/Metadata", "/P")]
        elif isinstance(item, pikepdf.Array):
            pending += list(item)
    return seen


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``: a picture a page, its text, every other text as a hidden piece.

    Raises ``Unreadable``: encrypted, active, embedded, revisions, trailing, malformed, size, nested.
    """
    _revisions(data)
    try:
        pdf = pikepdf.open(io.BytesIO(data), attempt_recovery=False)
    except pikepdf.PasswordError:
        raise Unreadable("encrypted") from None
    except pikepdf.PdfError:
        raise Unreadable("malformed") from None
    with pdf:
        if pdf.is_encrypted:
            raise Unreadable("encrypted")
        texts = [*_strings(pdf.trailer, "trailer", budget.depth), *_objects(pdf, budget)]
        document.pieces += [Piece(where, text, hidden=True) for where, text in texts if text.strip()]
    read_pages(document, data, budget)
