"""xlsx and docx from their smallest set of parts (ECMA-376): cells, paragraphs, tables, pictures; no more."""

from __future__ import annotations

from xml.sax.saxutils import escape

import polars as pl

from sandbox.egress.canonical.archives import zipped
from sandbox.egress.canonical.images import requantised
from sandbox.egress.canonical.tables import in_order
from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Block, Document
from sandbox.egress.readers.workbook import NOTES, Sheet

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = "application/vnd.openxmlformats-officedocument"
_EXACT = 10**15  # integers from here on lose digits in a spreadsheet
_EMU, _WIDEST = 9525, 600  # English Metric Units a pixel; pixels a page is wide


def _quoted(text: str) -> str:
    return escape(text, {'"': "&quot;"})


def _relations(items: list[tuple[str, str]]) -> bytes:
    body = "".join(
        f'<Relationship Id="rId{i}" Type="{_OFFICE}/{kind}" Target="{target}"/>'
        for i, (kind, target) in enumerate(items, 1)
    )
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{body}</Relationships>'.encode()


def _package(main: str, parts: list[tuple[str, str, bytes]]) -> bytes:
    """``parts``: (name, content type or "", content); ``main``: the part to be opened."""
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind, _ in parts if kind
    )
    defaults = (
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="png" ContentType="image/png"/>'
    )
    types = f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">{defaults}{overrides}</Types>'
    files = [("[Content_Types].xml", types.encode()), ("_rels/.rels", _relations([("officeDocument", main)]))]
    return zipped(files + [(name, data) for name, _, data in parts])


def _cell(value: object) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return f"<c><v>{int(value)}</v></c>"  # whole numbers have one spelling
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < _EXACT):
        return f"<c><v>{value!r}</v></c>"
    return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(str(value))}</t></is></c>'


def _rows(rows: list[tuple[object, ...]]) -> bytes:
    body = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
    return f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetData>{body}</sheetData></worksheet>'.encode()


def xlsx(document: Document, ordered: bool) -> bytes:
    """A sheet a table under its title, and one sheet for all lines of text; no formulas, no styles."""
    sheets: list[tuple[str, bytes]] = []
    notes: list[str] = []
    for sheet in document.body:
        assert isinstance(sheet, Sheet)
        if sheet.table is not None:
            frame = in_order(sheet.table, document, ordered)
            numbers = [c for c, kind in frame.schema.items() if kind == pl.Float64]
            frame = frame.with_columns(pl.col(numbers) + 0.0)
            sheets.append((sheet.title, _rows([tuple(frame.columns), *frame.rows()])))
        notes += [line if sheet.title == NOTES else f"{sheet.title}: {line}" for line in sheet.lines]
    if notes:
        sheets.append((NOTES, _rows([(clean_text(line),) for line in notes])))
    listed = "".join(
        f'<sheet name="{_quoted(title)}" sheetId="{i}" r:id="rId{i}"/>'
        for i, (title, _) in enumerate(sheets, 1)
    )
    book = f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>'
    kind = f"{_TYPES}.spreadsheetml"
    links = _relations([("worksheet", f"worksheets/sheet{i}.xml") for i in range(1, len(sheets) + 1)])
    return _package(
        "xl/workbook.xml",
        [
            ("xl/workbook.xml", f"{kind}.sheet.main+xml", book.encode()),
            ("xl/_rels/workbook.xml.rels", "", links),
            *(
                (f"xl/worksheets/sheet{i}.xml", f"{kind}.worksheet+xml", data)
                for i, (_, data) in enumerate(sheets, 1)
            ),
        ],
    )


def _paragraph(inner: str) -> str:
    return f"<w:p>{inner}</w:p>" if inner else "<w:p/>"


def _run(text: str) -> str:
    return f'<w:r><w:t xml:space="preserve">{escape(text)}</w:t></w:r>' if text else ""


def _grid(rows: list[list[str]]) -> str:
    lines = "".join(
        f"<w:tr>{''.join(f'<w:tc>{_paragraph(_run(cell))}</w:tc>' for cell in row)}</w:tr>" for row in rows
    )
    columns = "<w:gridCol/>" * len(rows[0])
    return f"<w:tbl><w:tblPr/><w:tblGrid>{columns}</w:tblGrid>{lines}</w:tbl>"


def _drawing(number: int, width: int, height: int) -> str:
    scale = min(1.0, _WIDEST / max(width, 1))
    across, down = max(1, round(width * scale * _EMU)), max(1, round(height * scale * _EMU))
    picture = "http://schemas.openxmlformats.org/drawingml/2006/picture"
    main = "http://schemas.openxmlformats.org/drawingml/2006/main"
    around = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
    name = f'id="{number}" name="picture{number}"'
    return (
        f'<w:r><w:drawing><wp:inline xmlns:wp="{around}"><wp:extent cx="{across}" cy="{down}"/>'
        f'<wp:docPr {name}/><a:graphic xmlns:a="{main}"><a:graphicData uri="{picture}">'
        f'<pic:pic xmlns:pic="{picture}"><pic:nvPicPr><pic:cNvPr {name}/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:embed="rId{number}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{across}" cy="{down}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing></w:r>"
    )


def docx(document: Document, ordered: bool) -> bytes:
    """Paragraphs, tables and requantised pictures in reading order; no styles."""
    body: list[str] = []
    pictures: list[bytes] = []
    for block in document.body:
        assert isinstance(block, Block)
        if block.image is not None:
            pictures.append(requantised(block.image))
            body.append(_paragraph(_drawing(len(pictures), *block.image.size)))
        elif block.rows:
            body.append(_grid(block.rows) + _paragraph(""))  # tables that touch would be one
        else:
            body.append(_paragraph(_run(block.text)))
    inner = f"<w:body>{''.join(body)}</w:body>"
    text = f'{_HEAD}<w:document xmlns:w="{_WORD}" xmlns:r="{_OFFICE}">{inner}</w:document>'
    media = [(f"word/media/image{i}.png", "", data) for i, data in enumerate(pictures, 1)]
    links = _relations([("image", name.removeprefix("word/")) for name, _, _ in media])
    main = ("word/document.xml", f"{_TYPES}.wordprocessingml.document.main+xml", text.encode())
    return _package("word/document.xml", [main, ("word/_rels/document.xml.rels", "", links), *media])
