"""xlsx: every cell of every sheet, hidden or not, becomes a cell of a table; the rest is laid open.

openpyxl reads the cells from a package that holds nothing but cells and styles. Formulas count as their
stored results; a formula without one is refused, because nobody has seen what it shows. Macros, links to
other files, pivot caches and embedded objects are refused.
"""

from __future__ import annotations

import datetime as dt
import io
import math
import re
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import openpyxl
import polars as pl
from lxml import etree

from sandbox.egress.clean import clean, clean_text
from sandbox.egress.forms import Budget, Document, Piece, Table, Unreadable
from sandbox.egress.readers import package
from sandbox.egress.readers.grid import headed

_PARTS = (
    (r"xl/workbook\.xml", "book"),
    (r"xl/worksheets/sheet\d{1,4}\.xml", "sheet"),
    (r"xl/sharedStrings\.xml", "strings"),
    (r"xl/(?:calcChain|metadata|persons/person\d*|comments/?(?:comment)?\d*|comments\d*)\.xml", "text"),
    (r"xl/(?:threadedComments/threadedComment|tables/table|drawings/drawing|richData/\w+?)\d*\.xml", "text"),
    (r"xl/drawings/(?:vmlDrawing|commentsDrawing)\d*\.vml", "text"),
    (r"xl/(?:dialogsheets|macrosheets)/.*", "active"),
)
_CELLS = {"sheetData", "cols", "mergeCells"}  # what openpyxl is given of a sheet
NOTES = "备注 notes"  # the canonical sheet of all text that is no table
_ACTIVE = re.compile(
    r"\b(?:CALL|EXEC|REGISTER|RTD|DDE|WEBSERVICE|IMAGE)\s*\(|\|\s*'|^\s*=?\s*cmd\b|\[\d+\]", re.I
)
_CELL = frozenset({"r", "s", "t"})  # of cells: openpyxl takes no other text in them
_NOTE = re.compile(r"(?:注|说明|备注|(?:资料|数据)?来源|notes?|source)\s*[0-9:：.]", re.I)
_UNSEEN = re.compile(r'^\s*(?:;{1,3}|(?:""\s*;?){1,4})\s*$')


@dataclass
class Sheet:
    """What leaves of one sheet: a table, or lines of text where it is none."""

    title: str
    table: Table | None
    lines: list[str]


def _above(element: etree._Element) -> set[str]:
    return {package.local(parent) for parent in element.iterancestors()}


def _visible(element: etree._Element) -> bool:
    """Whether the text of ``element`` stands in a cell."""
    if package.local(element) == "v":
        return True
    return package.local(element) == "t" and "is" in _above(element) and "rPh" not in _above(element)


def _formulas(root: etree._Element) -> None:
    """Look at formulas and numbers. Raises ``Unreadable`` (formula, external, malformed)."""
    for cell in root.iter("{*}c"):
        value = cell.find("{*}v")
        text = value.text if value is not None else None
        formula = cell.find("{*}f")
        if formula is not None:
            if _ACTIVE.search(formula.text or ""):
                raise Unreadable("external")
            if text is None:
                raise Unreadable("formula")
        if text and cell.get("t", "n") == "n":
            try:
                if not math.isfinite(float(text)):
                    raise Unreadable("malformed")
            except ValueError:
                raise Unreadable("malformed") from None


def _concealed(document: Document, part: str, root: etree._Element) -> None:
    """Rows and columns that are not shown: their cells are read like others, and that is said."""
    for kind in ("row", "col"):
        few = [node for node in root.iter(f"{{*}}{kind}") if node.get("hidden") in ("1", "true")]
        if few:
            document.pieces.append(Piece(part, f"hidden {kind}: {len(few)}", hidden=True))


def _bare(root: etree._Element) -> bytes:
    """A sheet with nothing but its cells."""
    for child in list(root):
        if package.local(child) not in _CELLS:
            root.remove(child)
    for formula in list(root.iter("{*}f")):
        parent = formula.getparent()
        if parent is not None:
            parent.remove(formula)
    return bytes(etree.tostring(root))


def _small(files: dict[str, bytes], sheets: dict[str, bytes]) -> bytes:
    """A package of cells and styles only."""
    sink = io.BytesIO()
    kept = ("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/_rels/workbook.xml.rels")
    with zipfile.ZipFile(sink, "w") as archive:
        for name in (*kept, "xl/sharedStrings.xml", "xl/styles.xml", "xl/theme/theme1.xml"):
            if name in files:
                archive.writestr(name, files[name])
        for name, data in sheets.items():
            archive.writestr(name, data)
    return sink.getvalue()


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(" ")
    return value.isoformat() if isinstance(value, dt.date | dt.time) else str(value)


def _rows(sheet: openpyxl.worksheet.worksheet.Worksheet, budget: Budget) -> Iterator[list[str]]:
    if (sheet.max_row or 0) * (sheet.max_column or 0) > budget.cells or (
        sheet.max_column or 0
    ) > budget.columns:
        raise Unreadable("size")
    for row in sheet.iter_rows(values_only=True):
        yield [_text(value) for value in row]


def _number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[0-9][0-9,]*(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?%?", text) is not None


def lay_out(document: Document, where: str, title: str, rows: list[list[str]], budget: Budget) -> Sheet:
    """The sheet's table and the lines around it: those above stand in the first column alone, those below
    begin like a note (a row with a label only may be a suppressed cell)."""
    columns = [pl.Series(list(column), dtype=pl.String) for column in zip(*rows, strict=True)]
    cleaned = [clean(column).to_list() for column in columns]
    used = [i for i, column in enumerate(cleaned) if any(column)]
    kept = [
        ([row[i] for i in used], bool(cleaned[used[0]][at]), any(cleaned[i][at] for i in used[1:]))
        for at, row in enumerate(rows)
        if any(cleaned[i][at] for i in used)
    ]
    lines: list[str] = []
    below: list[str] = []
    if title == NOTES:
        lines, kept = [" ".join(row) for row, _, _ in kept], []
    elif len(used) > 1:
        while kept and not kept[0][2]:
            lines.append(kept.pop(0)[0][0])
        while kept and not kept[-1][2] and _NOTE.match(kept[-1][0][0].strip()):
            below.insert(0, kept.pop()[0][0])
    elif not any(_number(row[0].strip()) for row, _, _ in kept[1:]):
        lines, kept = [row[0] for row, _, _ in kept], []
    built = headed(where, [row for row, _, _ in kept], budget)
    if built is None:
        lines += [" ".join(row) for row, _, _ in kept]
    lines = [line for line in map(clean_text, [*lines, *below]) if line]
    document.pieces.extend(Piece(f"{where} line {i + 1}", line) for i, line in enumerate(lines))
    return Sheet(title, built, lines)


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``: a table a sheet, the text around it, pictures, everything else as hidden pieces.

    Raises ``Unreadable`` (active, external, embedded, formula, encrypted, malformed, size, empty).
    """
    files, roles = package.parts(document, data, budget, _PARTS)
    sheets: dict[str, bytes] = {}
    for name, role in roles.items():
        if role == "sheet":
            root = package.tree(files[name])
            _formulas(root)
            _concealed(document, package.told(files, name), root)
            package.bring_to_light(document, package.told(files, name), root, _visible, known=_CELL)
            sheets[name] = _bare(root)
        elif role == "book":
            root = package.tree(files[name])
            if _ACTIVE.search(" ".join(text or "" for text in root.itertext())):
                raise Unreadable("external")
            package.bring_to_light(document, name, root, lambda element: False)
    package.sidelights(document, files, roles, budget)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what openpyxl leaves out has come to light above
        book = openpyxl.load_workbook(io.BytesIO(_small(files, sheets)), data_only=True, keep_links=False)
    styles = package.tree(files["xl/styles.xml"]) if "xl/styles.xml" in files else None
    formats = styles.iter("{*}numFmt") if styles is not None else ()
    blind = any(_UNSEEN.match(str(node.get("formatCode", ""))) for node in formats)
    found: list[Sheet] = []
    shown: set[str] = set()
    for sheet in book.worksheets:
        rows = list(_rows(sheet, budget))
        shown.update(cell for row in rows for cell in row)
        where = f"sheet {len(found) + 1}"  # never by its name: that may be a value
        title = clean_text(sheet.title) or where
        if sheet.sheet_state != "visible":
            document.pieces.append(Piece(where, sheet.sheet_state, hidden=True))
        document.pieces.append(Piece(f"{where} name", title))
        if blind and any(
            _UNSEEN.match(cell.number_format) for row in sheet.iter_rows() for cell in row if cell.value
        ):
            document.pieces.append(Piece(where, "number format that shows nothing", hidden=True))
        found.append(lay_out(document, where, title, rows, budget))
    titles = {sheet.title for sheet in found}
    document.pieces = [p for p in document.pieces if not (p.where == "xl/workbook.xml" and p.text in titles)]
    if len({sheet.title.casefold() for sheet in found}) != len(found):
        raise Unreadable("duplicate")
    if "xl/sharedStrings.xml" in files:
        root = package.tree(files["xl/sharedStrings.xml"])
        for item in root.iter("{*}si"):
            plain = "".join(str(t.text or "") for t in item.iter("{*}t") if "rPh" not in _above(t))
            if plain and plain not in shown:
                document.pieces.append(Piece("unused string", plain, hidden=True))
            for spoken in item.iter("{*}rPh"):
                told = "".join(str(t.text or "") for t in spoken.iter("{*}t"))
                document.pieces.append(Piece("phonetic text", told, hidden=True))
    document.tables[:0] = [sheet.table for sheet in found if sheet.table is not None]
    if not document.tables and not any(sheet.lines for sheet in found):
        raise Unreadable("empty")
    document.body = found
