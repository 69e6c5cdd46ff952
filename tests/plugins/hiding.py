"""Files of every format with one text in one hiding place, and honest files of the same formats.

``PLACES`` is the corpus of requirement R-140: a row is (where the text hides, name of the file, maker). A
maker takes the text and gives the file. More formats append their rows.
"""

from __future__ import annotations

import base64
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Sequence

import docx
import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
from docx.shared import Pt, RGBColor
from openpyxl.comments import Comment
from openpyxl.workbook.defined_name import DefinedName
from openpyxl.worksheet.datavalidation import DataValidation
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

Rows = Sequence[Sequence[object]]
ROWS: Rows = (("district", "n"), ("朝阳区", 120), ("海淀区", 98), ("丰台区", 45))
PLACES: list[tuple[str, str, Callable[[str], bytes]]] = []


def place(where: str, name: str) -> Callable[[Callable[[str], bytes]], Callable[[str], bytes]]:
    """Add a maker to the corpus."""

    def add(make: Callable[[str], bytes]) -> Callable[[str], bytes]:
        PLACES.append((where, name, make))
        return make

    return add


# —— Honest files ——


def csv(rows: Rows = ROWS) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in rows).encode()


def workbook(rows: Rows = ROWS, change: Callable[[openpyxl.Workbook], None] | None = None) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "汇总"
    for row in rows:
        sheet.append(list(row))
    if change:
        change(book)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def word(rows: Rows = ROWS, change: Callable[[docx.document.Document], None] | None = None) -> bytes:
    document = docx.Document()
    document.add_heading("各区人数", 1)
    table = document.add_table(len(rows), len(rows[0]))
    for line, row in zip(table.rows, rows, strict=True):
        for cell, value in zip(line.cells, row, strict=True):
            cell.text = str(value)
    if change:
        change(document)
    sink = io.BytesIO()
    document.save(sink)
    return sink.getvalue()


def page(rows: Rows = ROWS, extra: str = "", head: str = "") -> bytes:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    shown = f"<body><h1>各区人数</h1><table>{body}</table>{extra}</body>"
    return f"<!DOCTYPE html><html><head>{head}</head>{shown}</html>".encode()


def notebook(rows: Rows = ROWS, cell: dict[str, object] | None = None, **more: object) -> bytes:
    text = "\n".join(" ".join(map(str, row)) for row in rows)
    code = {"cell_type": "code", "source": "table", "metadata": {}, "execution_count": 1, "outputs": [
        {"output_type": "stream", "name": "stdout", "text": text}]}  # fmt: skip
    return json.dumps(
        {"cells": [{**code, **(cell or {})}], "nbformat": 4, "nbformat_minor": 5, "metadata": {}, **more}
    ).encode()


def vega(rows: Rows = ROWS, **more: object) -> bytes:
    names = [str(name) for name in rows[0]]
    values = [dict(zip(names, row, strict=True)) for row in rows[1:]]
    encoding = {
        "x": {"field": names[0], "type": "nominal"},
        "y": {"field": names[-1], "type": "quantitative"},
    }
    schema = "https://vega.github.io/schema/vega-lite/v5.json"
    return json.dumps(
        {"$schema": schema, "mark": "bar", "data": {"values": values}, "encoding": encoding, **more}
    ).encode()


def echarts(rows: Rows = ROWS, **more: object) -> bytes:
    axis = {"type": "category", "data": [row[0] for row in rows[1:]]}
    series = [{"type": "bar", "name": str(rows[0][-1]), "data": [row[-1] for row in rows[1:]]}]
    return json.dumps({"xAxis": axis, "yAxis": {"type": "value"}, "series": series, **more}).encode()


def plotly(rows: Rows = ROWS, **more: object) -> bytes:
    trace = {"type": "bar", "x": [row[0] for row in rows[1:]], "y": [row[-1] for row in rows[1:]], **more}
    return json.dumps({"data": [trace], "layout": {"title": {"text": "各区人数"}}}).encode()


def drawing(extra: str = "", attributes: str = "") -> bytes:
    bars = "".join(
        f'<rect x="{i * 30}" y="10" width="20" height="{20 * i + 10}" fill="#1f77b4"/>' for i in range(3)
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 100" {attributes}>'
    return f"{head}{bars}{extra}</svg>".encode()


def arrow(rows: Rows = ROWS, metadata: dict[str, str] | None = None, **columns: pa.Array) -> bytes:
    names = [str(name) for name in rows[0]]
    arrays = {name: pa.array([row[i] for row in rows[1:]]) for i, name in enumerate(names)}
    table = pa.table({**arrays, **columns})
    sink = io.BytesIO()
    pa.feather.write_feather(table.replace_schema_metadata(metadata), sink, compression="uncompressed")
    return sink.getvalue()


def parquet(rows: Rows = ROWS, metadata: dict[str, str] | None = None) -> bytes:
    names = [str(name) for name in rows[0]]
    table = pa.table({name: pa.array([row[i] for row in rows[1:]]) for i, name in enumerate(names)})
    sink = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(metadata), sink)
    return sink.getvalue()


def archive(
    files: dict[str, bytes] | None = None, comment: str = "", note: str = "", extra: bytes = b""
) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in (files or {"a.csv": csv()}).items():
            info = zipfile.ZipInfo(name)
            info.compress_type, info.comment, info.extra = zipfile.ZIP_DEFLATED, note.encode(), extra
            file.writestr(info, data)
        file.comment = comment.encode()
    return sink.getvalue()


def tar(files: dict[str, bytes] | None = None, mode: str = "w:gz", **fields: object) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode=mode, format=tarfile.PAX_FORMAT) as file:  # type: ignore[call-overload]
        for name, data in (files or {"a.csv": csv()}).items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in fields.items():
                setattr(info, key, value)
            file.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def png(text: str = "", **chunks: str) -> bytes:
    image = Image.new("RGB", (360, 60), "white")
    if text:
        ImageDraw.Draw(image).text((8, 16), text, "black", font_size=28)
    info = PngInfo()
    for key, value in chunks.items():
        info.add_text(key, value)
    sink = io.BytesIO()
    image.save(sink, "PNG", pnginfo=info)
    return sink.getvalue()


def inside(package: bytes, part: str, change: Callable[[str], str]) -> bytes:
    """An office document with one part changed."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data.decode()) if name == part else data)
        if part not in old.namelist():
            new.writestr(part, change(""))
    return sink.getvalue()


def strings(items: str) -> bytes:
    """A workbook with a table of shared strings that no cell uses."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    return inside(workbook(), "xl/sharedStrings.xml", lambda _: f'<sst xmlns="{main}">{items}</sst>')


HONEST: dict[str, Callable[[Rows], bytes]] = {
    "csv": csv,
    "xlsx": workbook,
    "docx": word,
    "html": page,
    "ipynb": notebook,
    "json": vega,
    "feather": arrow,
    "parquet": parquet,
    "zip": lambda rows: archive({"a.csv": csv(rows)}),
    "tar.gz": lambda rows: tar({"a.csv": csv(rows)}),
}


# —— Tables ——


@place("a cell", "a.csv")
def _(text: str) -> bytes:
    return csv([*ROWS, (text, 30)])


@place("a column name", "a.csv")
def _(text: str) -> bytes:
    return csv([("district", text), *ROWS[1:]])


@place("a comment line", "a.csv")
def _(text: str) -> bytes:
    return f"# {text}\n".encode() + csv()


@place("UTF-16", "a.csv")
def _(text: str) -> bytes:
    return csv([*ROWS, (text, 30)]).decode().encode("utf-16")


@place("metadata of the file", "a.parquet")
def _(text: str) -> bytes:
    return parquet(metadata={"note": text})


@place("metadata of the file", "a.feather")
def _(text: str) -> bytes:
    return arrow(metadata={"note": text})


@place("an unused entry of a dictionary", "a.feather")
def _(text: str) -> bytes:
    return arrow(sex=pa.DictionaryArray.from_arrays(pa.array([0, 1, 0]), pa.array(["男", "女", text])))


# —— Workbooks ——


@place("the name of a sheet", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: setattr(book.active, "title", text))


@place("a very hidden sheet", "a.xlsx")
def _(text: str) -> bytes:
    def change(book: openpyxl.Workbook) -> None:
        sheet = book.create_sheet("x")
        sheet.sheet_state = "veryHidden"
        sheet.append(["a", "b"])
        sheet.append([text, 1])

    return workbook(change=change)


@place("a hidden row", "a.xlsx")
def _(text: str) -> bytes:
    def change(book: openpyxl.Workbook) -> None:
        book.active.append([text, 30])
        book.active.row_dimensions[5].hidden = True

    return workbook(change=change)


@place("a hidden column", "a.xlsx")
def _(text: str) -> bytes:
    def change(book: openpyxl.Workbook) -> None:
        book.active["D1"], book.active["D2"] = "x", text
        book.active.column_dimensions["D"].hidden = True

    return workbook(change=change)


@place("a number format that shows nothing", "a.xlsx")
def _(text: str) -> bytes:
    def change(book: openpyxl.Workbook) -> None:
        book.active.append([text, 30])
        book.active["A5"].number_format = ";;;"

    return workbook(change=change)


@place("the text of a number format", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: setattr(book.active["B2"], "number_format", f'0"{text}"'))


@place("a comment", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: setattr(book.active["A2"], "comment", Comment(text, "x")))


@place("a defined name", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: book.defined_names.add(DefinedName("x", attr_text=f'"{text}"')))


@place("a list of a data validation", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(
        change=lambda book: book.active.add_data_validation(
            DataValidation("list", formula1=f'"{text},a"', sqref="A9")
        )
    )


@place("the document's properties", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: setattr(book.properties, "description", text))


@place("a page header", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: setattr(book.active.oddHeader.center, "text", text))


@place("a link's address", "a.xlsx")
def _(text: str) -> bytes:
    return workbook(change=lambda book: setattr(book.active["A2"], "hyperlink", f"https://example.cn/{text}"))


@place("an unused shared string", "a.xlsx")
def _(text: str) -> bytes:
    return strings(f"<si><t>{text}</t></si>")


@place("the reading of a shared string", "a.xlsx")
def _(text: str) -> bytes:
    return strings(f'<si><t>甲</t><rPh sb="0" eb="1"><t>{text}</t></rPh></si>')


# —— Word ——


@place("a hidden run", "a.docx")
def _(text: str) -> bytes:
    return word(change=lambda d: setattr(d.add_paragraph("x").add_run(text).font, "hidden", True))


@place("a white run", "a.docx")
def _(text: str) -> bytes:
    return word(
        change=lambda d: setattr(
            d.add_paragraph("x").add_run(text).font.color, "rgb", RGBColor(255, 255, 255)
        )
    )


@place("a run of one point", "a.docx")
def _(text: str) -> bytes:
    return word(change=lambda d: setattr(d.add_paragraph("x").add_run(text).font, "size", Pt(1)))


@place("a header", "a.docx")
def _(text: str) -> bytes:
    return word(change=lambda d: setattr(d.sections[0].header.paragraphs[0], "text", text))


@place("a comment", "a.docx")
def _(text: str) -> bytes:
    return word(change=lambda d: d.add_comment(d.add_paragraph("x").add_run("y"), text=text, author="z"))


@place("the document's properties", "a.docx")
def _(text: str) -> bytes:
    return word(change=lambda d: setattr(d.core_properties, "subject", text))


@place("a tracked deletion", "a.docx")
def _(text: str) -> bytes:
    gone = (
        f'<w:p><w:del w:id="1" w:author="x"><w:r><w:delText>{text}</w:delText></w:r></w:del></w:p><w:sectPr'
    )
    return inside(word(), "word/document.xml", lambda xml: xml.replace("<w:sectPr", gone, 1))


@place("a field code", "a.docx")
def _(text: str) -> bytes:
    code = f'<w:p><w:r><w:instrText> QUOTE "{text}" </w:instrText></w:r></w:p><w:sectPr'
    return inside(word(), "word/document.xml", lambda xml: xml.replace("<w:sectPr", code, 1))


@place("the alternative text of a picture", "a.docx")
def _(text: str) -> bytes:
    made = word(change=lambda d: d.add_picture(io.BytesIO(png())))
    return inside(
        made, "word/document.xml", lambda xml: xml.replace("<wp:docPr ", f'<wp:docPr descr="{text}" ', 1)
    )


# —— Pages, notebooks, charts ——


@place("a comment", "a.html")
def _(text: str) -> bytes:
    return page(extra=f"<!-- {text} -->")


@place("an attribute", "a.html")
def _(text: str) -> bytes:
    return page(extra=f'<p data-x="{text}">x</p>')


@place("a style that hides", "a.html")
def _(text: str) -> bytes:
    return page(extra=f'<p>x <span style="display:none">{text}</span></p>')


@place("a class that hides", "a.html")
def _(text: str) -> bytes:
    return page(extra=f'<p class="x">{text}</p>', head="<style>.x {display: none}</style>")


@place("a style sheet", "a.html")
def _(text: str) -> bytes:
    return page(head=f'<style>p::after {{content: "{text}"}}</style>')


@place("the title", "a.html")
def _(text: str) -> bytes:
    return page(head=f"<title>{text}</title>")


@place("an inline drawing", "a.html")
def _(text: str) -> bytes:
    return page(extra=drawing(f"<desc>{text}</desc>").decode())


@place("the metadata of a cell", "a.ipynb")
def _(text: str) -> bytes:
    return notebook(cell={"metadata": {"tags": [text]}})


@place("the metadata of the notebook", "a.ipynb")
def _(text: str) -> bytes:
    return notebook(metadata={"x": text})


@place("a printed line", "a.ipynb")
def _(text: str) -> bytes:
    return notebook(cell={"outputs": [{"output_type": "stream", "name": "stdout", "text": [text, "\n"]}]})


@place("an output as HTML", "a.ipynb")
def _(text: str) -> bytes:
    data = {"text/html": f"<p>x</p><!-- {text} -->"}
    return notebook(cell={"outputs": [{"output_type": "display_data", "data": data, "metadata": {}}]})


@place("a chunk of a picture among the outputs", "a.ipynb")
def _(text: str) -> bytes:
    data = {"image/png": base64.b64encode(png(Comment=text)).decode()}
    return notebook(cell={"outputs": [{"output_type": "display_data", "data": data, "metadata": {}}]})


@place("the data of a chart", "a.json")
def _(text: str) -> bytes:
    return vega([*ROWS, (text, 30)])


@place("user metadata", "a.json")
def _(text: str) -> bytes:
    return vega(usermeta={"x": text})


@place("the data of a chart", "echarts.json")
def _(text: str) -> bytes:
    return echarts([*ROWS, (text, 30)])


@place("custom data of a trace", "plotly.json")
def _(text: str) -> bytes:
    return plotly(customdata=[[text]])


@place("the title of a shape", "a.svg")
def _(text: str) -> bytes:
    return drawing(f'<circle r="3"><title>{text}</title></circle>')


@place("a comment", "a.svg")
def _(text: str) -> bytes:
    return drawing(f"<!-- {text} -->")


@place("an attribute of its own", "a.svg")
def _(text: str) -> bytes:
    return drawing(attributes=f'data-x="{text}"')


@place("drawn text", "a.svg")
def _(text: str) -> bytes:
    return drawing(f'<text x="3" y="9">{text}</text>')


# —— Archives and names ——


@place("the comment of the archive", "a.zip")
def _(text: str) -> bytes:
    return archive(comment=text)


@place("the comment of a member", "a.zip")
def _(text: str) -> bytes:
    return archive(note=text)


@place("an extra field", "a.zip")
def _(text: str) -> bytes:
    return archive(extra=b"\xfe\xca" + len(text).to_bytes(2, "little") + text.encode())


@place("the name of a member", "a.zip")
def _(text: str) -> bytes:
    return archive({f"{text}.csv": csv()})


@place("an archive in an archive", "a.zip")
def _(text: str) -> bytes:
    return archive({"b.zip": archive({"a.csv": csv([*ROWS, (text, 30)])})})


@place("a workbook in an archive", "a.zip")
def _(text: str) -> bytes:
    return archive({"b.xlsx": workbook(change=lambda book: setattr(book.properties, "creator", text))})


@place("the owner's name", "a.tar.gz")
def _(text: str) -> bytes:
    return tar(uname=text)


@place("a record of the header", "a.tar")
def _(text: str) -> bytes:
    return tar(mode="w", pax_headers={"comment": text})


@place("a chunk", "a.png")
def _(text: str) -> bytes:
    return png(Comment=text)
