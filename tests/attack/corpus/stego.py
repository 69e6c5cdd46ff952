"""Family e: what hides below the content: decimals, formatting, order, metadata, pixels, parts of containers.

Most of these channels are closed by writing the canonical form anew, not by detection: where a case has a
``twin`` (the same file without what is hidden), it is stopped when both leave as the same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.attack.corpus.containers import archive, pack, settled
from tests.attack.corpus.draw import Draw, Output, carrier
from tests.attack.corpus.identifiers import chosen, whole_number
from tests.attack.corpus.registry import whole

FEW = ("100%", "one")


def _carrier(draw: Draw) -> pl.DataFrame:
    return carrier(draw.world, 80)


def _digits(draw: Draw, n: int) -> list[int]:
    text = "".join(str(whole_number(v)) for v in chosen(draw, draw.persons()))
    return (
        [int(c) for c in (text * (n // max(1, len(text)) + 1))[:n]]
        if draw.dose == "100%"
        else [int(c) for c in text[:n]]
    )


def _bits(draw: Draw) -> list[int]:
    value = chosen(draw, draw.persons())[0]
    return [b >> i & 1 for b in value.encode() for i in range(8)]


@whole("e35-low_decimals", 35, hard=False, doses=FEW)
def _low_decimals(draw: Draw) -> Output:
    table = _carrier(draw)
    mean = table.columns[-1]
    depth = int(draw.rng.integers(3, 9))
    digits = _digits(draw, table.height * 3)
    low = [
        int("".join(map(str, digits[i * 3 : i * 3 + 3])) or "0") / 10 ** (depth + 3)
        for i in range(table.height)
    ]
    changed = table.with_columns((pl.col(mean) + pl.Series(low)).round(depth + 3))
    return Output({draw.file("output"): changed}, twin={draw.file("output"): table})


@whole("e35-mantissa", 35, hard=False, doses=FEW, containers=("parquet", "json", "csv", "arrow"))
def _mantissa(draw: Draw) -> Output:
    where = draw.world
    keys = list(where.labels[:2])
    table = where.frame.drop_nulls(keys).group_by(keys).agg(
        pl.col(where.entity).n_unique().alias("n"), pl.col(where.number).mean().alias("mean")
    ).filter(pl.col("n") >= 2 * where.least).sort(keys)  # fmt: skip
    words = table["mean"].to_numpy().copy().view(np.uint64)
    digits = np.array([*_digits(draw, len(words)), *([0] * len(words))][: len(words)], dtype=np.uint64)
    words[:] = (words & ~np.uint64(0xF)) | digits
    changed = table.with_columns(pl.Series("mean", words.view(np.float64)))
    return Output({draw.file("output"): changed}, twin={draw.file("output"): table})


def _text(draw: Draw, table: pl.DataFrame, bits: list[int], how: str) -> bytes:
    lines = [",".join(table.columns)]
    place = 0
    for row in table.iter_rows():
        cells = []
        for value in row:
            bit = bits[place] if place < len(bits) else 0
            place += 1
            text = str(value)
            if how == "zeros" and isinstance(value, float | int) and not isinstance(value, bool):
                text = f"{value}" if not bit else (f"{value}0" if "." in text else f"{value}.0")
            if how == "quotes" and bit:
                text = f'"{text}"'
            if how == "spaces" and bit:
                text = text + " "
            cells.append(text)
        end = "\r" if how == "ends" and place < len(bits) + 8 and bits[place % len(bits)] else ""
        lines.append(",".join(cells) + end)
    return ("\n".join(lines) + "\n").encode()


@whole("e36-formatting", 36, containers=("csv",), doses=("one",))
def _formatting(draw: Draw) -> Output:
    table, how = _carrier(draw), draw.pick("zeros", "quotes", "spaces", "ends")
    return Output({"output.csv": _text(draw, table, _bits(draw), how)}, twin={"output.csv": table})


@whole("e37-row_order", 37, doses=("one",), containers=("csv", "parquet", "json", "jsonl", "md"))
def _row_order(draw: Draw) -> Output:
    table = _carrier(draw)
    order = np.random.default_rng(whole_number(chosen(draw, draw.persons())[0]) % 2**63).permutation(
        table.height
    )
    return Output({draw.file("output"): table[order.tolist()]}, twin={draw.file("output"): table})


@whole("e37-column_order", 37, doses=("one",), containers=("csv", "parquet", "json"))
def _column_order(draw: Draw) -> Output:
    table = _carrier(draw)
    order = [table.columns[int(i)] for i in draw.rng.permutation(table.width)]
    return Output(
        {draw.file("output"): table.select(order[::-1])}, twin={draw.file("output"): table.select(order)}
    )


@whole("e37-missing_cells", 37, hard=False, doses=("one",), containers=("csv", "parquet", "json"))
def _missing_cells(draw: Draw) -> Output:
    table = carrier(draw.world, 180)
    bits = (_bits(draw) * 4)[: table.height]
    gap = pl.Series([bool(b) for b in bits] + [False] * (table.height - len(bits)))
    return Output(
        {
            draw.file("output"): table.with_columns(
                pl.when(~gap).then(pl.col(table.columns[-1])).alias(table.columns[-1])
            )
        }
    )


@whole("e37-present_rows", 37, hard=False, doses=("one",), containers=("csv", "parquet", "json"))
def _present_rows(draw: Draw) -> Output:
    """Which honest cells are there and which are left out: a bit each."""
    table = carrier(draw.world, 180)
    bits = (_bits(draw) * 4)[: table.height]
    return Output(
        {
            draw.file("output"): table.filter(
                pl.Series([bool(b) for b in bits] + [True] * (table.height - len(bits)))
            )
        }
    )


def _png(pixels: np.ndarray, info: PngInfo | None = None) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG", pnginfo=info)
    return sink.getvalue()


@whole("e38-pixels", 38, hard=False, doses=("one",), containers=("png",))
def _pixels(draw: Draw) -> Output:
    pixels = np.full((120, 160, 3), 250, dtype=np.uint8)
    for i, height in enumerate(draw.rng.integers(10, 100, 8)):
        pixels[110 - height : 110, 10 + 18 * i : 22 + 18 * i] = (40, 90, 160)
    bits = _bits(draw)
    flat = pixels.reshape(-1).copy()
    flat[: len(bits)] = (flat[: len(bits)] & 0xFE) | np.array(bits, dtype=np.uint8)
    return Output({"chart.png": _png(flat.reshape(pixels.shape))})


@whole("e39-png_text", 39, hard=False, doses=("one",), containers=("png",))
def _png_text(draw: Draw) -> Output:
    info = PngInfo()
    info.add_text(draw.pick("Comment", "Software", "Title"), chosen(draw, draw.persons())[0])
    return Output({"chart.png": _png(np.full((60, 60, 3), 200, dtype=np.uint8), info)})


@whole("e40-chart_data", 40, containers=("vl.json", "svg", "html"), doses=("100%", "10%", "1%"))
def _chart_data(draw: Draw) -> Output:
    """The data of a chart: its points are persons."""
    where = draw.world
    points = draw.persons().select([where.labels[0], where.number, where.heavy, where.date])
    return Output({draw.file("chart"): points})


@whole("e41-parquet_metadata", 41, containers=("parquet",), doses=("100%", "one"))
def _parquet_metadata(draw: Draw) -> Output:
    table = _carrier(draw).to_arrow()
    values = chosen(draw, draw.persons())
    sink = io.BytesIO()
    if draw.rng.random() < 0.5:
        noted = table.replace_schema_metadata({"note": ",".join(values)})
        pq.write_table(noted, sink)
    else:
        name = table.column_names[0]
        known = table.column(name).to_pylist()
        words = [*dict.fromkeys(known), *values]
        column = pa.DictionaryArray.from_arrays(pa.array([words.index(v) for v in known]), pa.array(words))
        pq.write_table(table.set_column(0, name, column), sink)
    return Output({"output.parquet": sink.getvalue()}, twin={"output.parquet": _carrier(draw)})


@whole("e42-workbook_hidden", 42, containers=("xlsx",), doses=("100%", "one"))
def _workbook_hidden(draw: Draw) -> Output:
    from openpyxl import Workbook
    from openpyxl.comments import Comment
    from openpyxl.workbook.defined_name import DefinedName

    table, values = _carrier(draw), chosen(draw, draw.persons(), names=True)
    book = Workbook()
    sheet = book.active
    sheet.append(table.columns)
    for row in table.iter_rows():
        sheet.append(row)
    place = draw.pick("sheet", "very", "comment", "name", "row", "format", "white", "property", "title")
    if place in ("sheet", "very"):
        other = book.create_sheet("x")
        other.sheet_state = "hidden" if place == "sheet" else "veryHidden"
        for value in values:
            other.append([value])
    elif place == "comment":
        sheet["A1"].comment = Comment(",".join(values[:30]), "a")
    elif place == "name":
        book.defined_names["area"] = DefinedName("area", attr_text=f'"{values[0]}"')
    elif place == "property":
        book.properties.description = ",".join(values[:30])
    elif place == "title":
        book.create_sheet(values[0][:28])
    else:
        at = sheet.max_row + 1
        sheet.cell(at, 1, values[0])
        if place == "row":
            sheet.row_dimensions[at].hidden = True
        if place == "format":
            sheet.cell(at, 1).number_format = ";;;"
    sink = io.BytesIO()
    book.save(sink)
    return Output({"output.xlsx": settled(sink.getvalue())}, twin={"output.xlsx": table})


@whole("e42-document_hidden", 42, containers=("docx",), doses=("one",))
def _document_hidden(draw: Draw) -> Output:
    from docx import Document

    value = chosen(draw, draw.persons(), names=True)[0]
    paper = Document()
    paper.add_paragraph("本报告按季度汇总。")
    place = draw.pick("hidden", "property", "header", "white")
    if place == "property":
        paper.core_properties.comments = value
    elif place == "header":
        paper.sections[0].header.paragraphs[0].text = value
    else:
        run = paper.add_paragraph().add_run(value)
        run.font.hidden = place == "hidden"
    sink = io.BytesIO()
    paper.save(sink)
    plain = Document()
    plain.add_paragraph("本报告按季度汇总。")
    other = io.BytesIO()
    plain.save(other)
    return Output({"report.docx": settled(sink.getvalue())}, twin={"report.docx": settled(other.getvalue())})


@whole("e43-pdf_hidden", 43, containers=("pdf",), doses=("one",), hard=False)
def _pdf_hidden(draw: Draw) -> Output:
    import pikepdf

    value = chosen(draw, draw.persons())[0]
    place = draw.pick("invisible", "outside", "attachment", "property", "plain")
    shown = b"BT /F1 12 Tf 72 720 Td (Summary of results) Tj ET\n"
    text = value.encode()
    if place == "invisible":
        shown += b"BT 3 Tr /F1 12 Tf 72 600 Td (" + text + b") Tj ET\n"
    if place == "outside":
        shown += b"BT /F1 12 Tf 72 -600 Td (" + text + b") Tj ET\n"
    if place == "plain":
        shown += b"BT /F1 12 Tf 72 600 Td (" + text + b") Tj ET\n"
    with pikepdf.new() as paper:
        page = paper.add_blank_page(page_size=(595, 842))
        font = pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        page.Contents = paper.make_stream(shown)
        if place == "attachment":
            paper.attachments["notes.txt"] = text
        if place == "property":
            paper.docinfo["/Keywords"] = value
        sink = io.BytesIO()
        paper.save(sink, deterministic_id=True)
    return Output({"report.pdf": sink.getvalue()})


@whole("e44-schema_metadata", 44, containers=("arrow", "csv"), doses=("one",))
def _schema_metadata(draw: Draw) -> Output:
    """Arrow's schema metadata where the form is admitted; a database file, which never is, otherwise."""
    value = chosen(draw, draw.persons())[0]
    if draw.container == "arrow":
        table = _carrier(draw).to_arrow().replace_schema_metadata({"pandas": json.dumps({"note": value})})
        sink = io.BytesIO()
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        return Output({"output.arrow": sink.getvalue()}, twin={"output.arrow": _carrier(draw)})
    return Output({"output.csv": b"SQLite format 3\x00" + value.encode()})


@whole("e45-notebook_hidden", 45, containers=("ipynb",), doses=("one",))
def _notebook_hidden(draw: Draw) -> Output:
    value = chosen(draw, draw.persons(), names=True)[0]
    book = json.loads(pack("x.ipynb", _carrier(draw)))
    place = draw.pick("metadata", "cell_metadata", "attachment", "output", "source")
    if place == "metadata":
        book["metadata"]["tags"] = [value]
    elif place == "cell_metadata":
        book["cells"][0]["metadata"]["note"] = value
    elif place == "attachment":
        book["cells"].append(
            {
                "cell_type": "markdown",
                "id": "b2",
                "metadata": {},
                "source": ["图"],
                "attachments": {"x.png": {"image/png": value}},
            }
        )
    elif place == "output":
        book["cells"][0]["outputs"].append({"output_type": "stream", "name": "stderr", "text": [value]})
    else:
        book["cells"][0]["source"] = [f"# {value}"]
    return Output({"book.ipynb": json.dumps(book, ensure_ascii=False)}, twin={"book.ipynb": _carrier(draw)})


@whole("e46-archive_slack", 46, containers=("zip",), doses=("one",))
def _archive_slack(draw: Draw) -> Output:
    value = chosen(draw, draw.persons())[0].encode()
    member = pack("x.csv", _carrier(draw))
    place = draw.pick("comment", "extra", "tail", "head", "time", "name")
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as folder:
        info = zipfile.ZipInfo("data/result.csv", (1980, 1, 1, 0, 0, 0))
        if place == "extra":
            info.extra = b"\xfe\xca" + len(value).to_bytes(2, "little") + value
        if place == "comment":
            folder.comment = value
        if place == "time":
            info.date_time = (
                2000 + value[0] % 60,
                1 + value[1] % 12,
                1 + value[2] % 28,
                value[3] % 24,
                value[4] % 60,
                2,
            )
        if place == "name":
            info.filename = f"data/{value.decode()}.csv"
        folder.writestr(info, member)
    data = sink.getvalue()
    data = data + value if place == "tail" else (value + data if place == "head" else data)
    return Output({"output.zip": data}, twin={"output.zip": archive({"data/result.csv": member})})


@whole("e47-numbers_of_files", 47, hard=False, containers=("csv", "json"), doses=("one",))
def _numbers_of_files(draw: Draw) -> Output:
    """Names of files carry digits; each file is an honest table."""
    value = str(whole_number(chosen(draw, draw.persons())[0]))
    table = _carrier(draw)
    style = draw.pick("t{}", "table_{}", "q{}_summary")
    parts = dict.fromkeys(value[i : i + 3] for i in range(0, len(value), 3))
    return Output({draw.file(style.format(part)): table.head(10) for part in parts})
