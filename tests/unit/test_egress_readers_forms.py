"""Office documents, pages, notebooks, charts, drawings, Arrow and archives: what is refused, what is kept."""

import base64
import io
import json
import struct
import tarfile
import time
import zipfile

import docx
import openpyxl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sandbox.egress import readers
from sandbox.egress.canonical import canonical
from sandbox.egress.forms import Budget
from sandbox.egress.readers import read
from tests.plugins import hiding as make
from tests.plugins.egress import POLICY

FORMATS = POLICY["egress.formats"]


def load(tmp_path, name, content, budget=None, formats=FORMATS):
    path = tmp_path / "file"
    path.write_bytes(content)
    return read(path, name, formats, budget or Budget())


def faults(document):
    return [reason for part in document.family() for reason, _ in part.faults]


def hidden(document):
    return " ".join(piece.text for part in document.family() for piece in part.pieces if piece.hidden)


def seen(document):
    return " ".join(piece.text for part in document.family() for piece in part.pieces if not piece.hidden)


def again(tmp_path, name, data):
    """The canonical bytes, after the proof that they are a fixed point."""
    first = load(tmp_path, name, data)
    assert faults(first) == []
    once = canonical(first)
    second = load(tmp_path, name, once)
    assert faults(second) == []
    assert canonical(second) == once
    return once


def packed(files, mode=0, flags=None):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return sink.getvalue()


def linked(kind):
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        info = tarfile.TarInfo("a.csv")
        info.type, info.linkname = kind, "/etc/hosts"
        archive.addfile(info)
    return sink.getvalue()


def flagged(data, bit):
    """A ZIP with a general purpose bit set in both headers."""
    place = data.index(b"PK\x01\x02")
    changed = bytearray(data)
    changed[6] |= bit
    changed[place + 8] |= bit
    return bytes(changed)


def with_part(package, name, content=b"<a/>"):
    return make.inside(package, name, lambda _: content.decode("latin-1"))


def related(package, part, kind, target):
    link = f'<Relationship Id="rIdX" Type="http://x/{kind}" Target="{target}" TargetMode="External"/>'
    return make.inside(package, part, lambda xml: xml.replace("</Relationships>", f"{link}</Relationships>"))


def formula(text, value=None):
    book = openpyxl.Workbook()
    book.active.append(["a", "b"])
    book.active.append([1, "X"])
    sink = io.BytesIO()
    book.save(sink)
    stored = "" if value is None else f"<v>{value}</v>"
    old = '<c r="B2" t="inlineStr"><is><t>X</t></is></c>'
    return make.inside(
        sink.getvalue(),
        "xl/worksheets/sheet1.xml",
        lambda xml: xml.replace(old, f'<c r="B2"><f>{text}</f>{stored}</c>'),
    )


def span(xml):
    return make.page(extra=xml)


def output(media, value):
    data = {"output_type": "display_data", "data": {media: value}, "metadata": {}}
    return make.notebook(cell={"outputs": [data]})


ZIP = make.archive()
DOCX = make.word()
XLSX = make.workbook()
REFUSED = {
    # archives
    "bytes after a ZIP": ("a.zip", ZIP + b"x", "trailing"),
    "bytes before a ZIP": ("a.zip", b"x" + ZIP, "mismatch"),
    "bytes between members": (
        "a.zip",
        ZIP[:-22].replace(b"PK\x01\x02", b"secretPK\x01\x02") + ZIP[-22:],
        "malformed",
    ),
    "an encrypted member": ("a.zip", flagged(ZIP, 1), "encrypted"),
    "a cut ZIP": ("a.zip", ZIP[:-5], "malformed"),
    "a link in a ZIP": ("a.zip", packed([("a.csv", "/etc/hosts")], 0o120777), "irregular"),
    "an absolute name": ("a.zip", packed([("/a.csv", "a\n1\n")]), "name"),
    "a name that climbs": ("a.zip", packed([("../a.csv", "a\n1\n")]), "name"),
    "a name with a drive": ("a.zip", packed([("c:/a.csv", "a\n1\n")]), "name"),
    "two names alike but for case": (
        "a.zip",
        packed([("a.csv", "a\n1\n"), ("A.csv", "a\n1\n")]),
        "duplicate",
    ),
    "an empty archive": ("a.zip", packed([]), "empty"),
    "a program in an archive": ("a.zip", packed([("a.exe", "MZ")]), "executable"),
    "a bomb": ("a.zip", packed([("a.csv", b"0" * (24 << 20))]), "size"),
    "a link in a tar": ("a.tar", linked(tarfile.SYMTYPE), "irregular"),
    "a hard link in a tar": ("a.tar", linked(tarfile.LNKTYPE), "irregular"),
    "a device in a tar": ("a.tar", linked(tarfile.CHRTYPE), "irregular"),
    "bytes after a tar": ("a.tar", make.tar(mode="w") + b"x" * 512, "trailing"),
    "bytes after a gzip": ("a.tar.gz", make.tar() + b"x", "trailing"),
    "a bomb in a gzip": ("a.tar.gz", make.tar({"a.csv": b"0" * (24 << 20)}), "size"),
    "a single packed file": ("a.csv.gz", make.tar(), "executable"),
    # workbooks
    "macros": ("a.xlsx", with_part(XLSX, "xl/vbaProject.bin"), "active"),
    "a pivot cache": ("a.xlsx", with_part(XLSX, "xl/pivotCache/pivotCacheDefinition1.xml"), "embedded"),
    "a link to another workbook": (
        "a.xlsx",
        with_part(XLSX, "xl/externalLinks/externalLink1.xml"),
        "external",
    ),
    "an embedded object": ("a.xlsx", with_part(XLSX, "xl/embeddings/oleObject1.docx"), "embedded"),
    "a formula without a result": ("a.xlsx", formula("1+1"), "formula"),
    "a formula that loads": ("a.xlsx", formula('WEBSERVICE("http://x")', 1), "external"),
    "a number beyond all numbers": ("a.xlsx", formula("1", "1e999999999999"), "malformed"),
    "an entity": (
        "a.xlsx",
        with_part(XLSX, "docProps/custom.xml", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'),
        "active",
    ),
    "a workbook that is none": ("a.xlsx", packed([("a.csv", "a\n1\n")]), "embedded"),
    "encrypted as a whole": ("a.xlsx", b"\xd0\xcf\x11\xe0" + b"\0" * 600, "executable"),
    # Word
    "Word macros": ("a.docx", with_part(DOCX, "word/vbaProject.bin"), "active"),
    "a template from elsewhere": (
        "a.docx",
        related(DOCX, "word/_rels/document.xml.rels", "attachedTemplate", "http://x/t.dotm"),
        "external",
    ),
    "a picture from elsewhere": (
        "a.docx",
        related(DOCX, "word/_rels/document.xml.rels", "image", "http://x/p.png"),
        "external",
    ),
    "another document inside": ("a.docx", with_part(DOCX, "word/embeddings/a.docx"), "embedded"),
    "a field that loads": (
        "a.docx",
        make.inside(
            DOCX,
            "word/document.xml",
            lambda xml: xml.replace(
                "<w:sectPr", "<w:p><w:r><w:instrText>DDEAUTO c</w:instrText></w:r></w:p><w:sectPr", 1
            ),
        ),
        "external",
    ),
    # pages
    "a script": ("a.html", span("<script>1</script>"), "active"),
    "a script in what is hidden": ("a.html", span('<div hidden><img src="x" onerror="1"></div>'), "active"),
    "a handler": ("a.html", span('<p onclick="1">x</p>'), "active"),
    "an address that acts": ("a.html", span('<a href="java\tscript:1">x</a>').replace(b"\t", b""), "active"),
    "a frame": ("a.html", span("<iframe></iframe>"), "active"),
    "a form": ("a.html", span("<form></form>"), "active"),
    "a refresh": ("a.html", make.page(head='<meta http-equiv="refresh" content="0">'), "active"),
    "a remote picture": ("a.html", span('<img src="https://example.com/a.png">'), "external"),
    "a remote style": ("a.html", make.page(head='<link rel="stylesheet" href="a.css">'), "external"),
    "a style that loads": (
        "a.html",
        make.page(head="<style>p{background:url(http://x)}</style>"),
        "external",
    ),
    "a picture of an unknown kind": ("a.html", span('<img src="data:image/tiff;base64,AAAA">'), "embedded"),
    # notebooks and charts
    "an output that acts": ("a.ipynb", output("application/javascript", "1"), "active"),
    "a widget": ("a.ipynb", output("application/vnd.jupyter.widget-view+json", {}), "active"),
    "an unknown output": ("a.ipynb", output("application/pdf", "AAAA"), "embedded"),
    "a script in an output": ("a.ipynb", output("text/html", "<script>1</script>"), "active"),
    "another version": ("a.ipynb", make.notebook(nbformat=3).replace(b'"nbformat": 4, ', b""), "malformed"),
    "an expression": ("a.json", make.vega(transform=[{"calculate": "1"}]), "active"),
    "data from elsewhere": ("a.json", make.vega(datasets={}, title={"url": "http://x"}), "external"),
    "a function": ("a.json", make.echarts(title={"text": "function (a) {}"}), "active"),
    "markup in a chart": ("a.json", make.plotly(name="<img src=x>"), "active"),
    # drawings
    "a script in a drawing": ("a.svg", make.drawing("<script>1</script>"), "active"),
    "foreign content": ("a.svg", make.drawing("<foreignObject/>"), "active"),
    "an animation": ("a.svg", make.drawing("<animate/>"), "active"),
    "a handler in a drawing": ("a.svg", make.drawing('<g onload="1"/>'), "active"),
    "a remote image": ("a.svg", make.drawing('<image href="http://x/a.png"/>'), "external"),
    "a remote shape": ("a.svg", make.drawing('<use href="http://x/a.svg#b"/>'), "external"),
    "a remote style in a drawing": (
        "a.svg",
        make.drawing("<style>@import url(http://x)</style>"),
        "external",
    ),
    "an entity in a drawing": ("a.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "active"),
    "path data that are none": ("a.svg", make.drawing('<path d="M1 2 K 3"/>'), "malformed"),
    "a page as a drawing": ("a.svg", b"<html/>", "mismatch"),
    # Arrow
    "bytes after an Arrow file": ("a.feather", make.arrow() + b"x", "trailing"),
    "nested Arrow": ("a.feather", make.arrow(x=pa.array([[1], [2], [3]])), "nested"),
    "a broken Arrow file": ("a.arrow", b"ARROW1\0\0" + b"\0" * 40 + b"ARROW1", "malformed"),
    "Korean, which no rule tells apart": ("a.csv", "Ünï,1\nx,2\n".encode("latin-1"), "encoding"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_acts_loads_or_cannot_be_laid_open_is_refused(tmp_path, case):
    name, content, reason = REFUSED[case]
    document = load(tmp_path, name, content)
    assert faults(document) == [reason]
    assert not document.readable


def test_headers_of_a_member_that_disagree_are_refused(tmp_path):
    name = ZIP.index(b"a.csv")
    other = ZIP[:name] + b"b.csv" + ZIP[name + 5 :]
    assert faults(load(tmp_path, "a.zip", other)) == ["malformed"]
    size = struct.pack("<L", len(make.csv()))
    place = ZIP.index(size)
    longer = ZIP[:place] + struct.pack("<L", len(make.csv()) + 1) + ZIP[place + 4 :]
    assert faults(load(tmp_path, "a.zip", longer)) == ["malformed"]


def test_archives_nest_up_to_the_budget(tmp_path):
    inner = make.archive()
    for _ in range(2):
        inner = make.archive({"b.zip": inner})
    assert faults(load(tmp_path, "a.zip", inner)) == []
    assert faults(load(tmp_path, "a.zip", make.archive({"b.zip": inner}))) == ["nested"]
    assert faults(load(tmp_path, "a.zip", inner, Budget(archives=2))) == ["nested"]


def test_what_an_archive_unpacks_to_is_budgeted_over_all_levels(tmp_path):
    files = {f"{i}.zip": make.archive({"a.csv": make.csv() * 40}) for i in range(20)}
    data = make.archive(files)
    assert faults(load(tmp_path, "a.zip", data, Budget(file_bytes=60_000))) == []
    assert "size" in faults(load(tmp_path, "a.zip", data, Budget(file_bytes=20_000)))
    assert faults(load(tmp_path, "a.zip", data, Budget(members=10))) == ["size"]


def test_members_are_read_as_files_and_written_anew(tmp_path):
    data = make.archive({"数据/b.csv": b"b,a\n2,x\n1,y\n", "a.json": b'{"b":1, "a":2}'}, comment="x")
    document = load(tmp_path, "o.zip", data)
    assert [part.path for part in document.family()] == ["o.zip", "o.zip/数据/b.csv", "o.zip/a.json"]
    assert document.members[0].outer == "o.zip"
    once = again(tmp_path, "o.zip", data)
    with zipfile.ZipFile(io.BytesIO(once)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a.json": b'{"a":2,"b":1}\n',
            "数据/b.csv": b"a,b\nx,2\ny,1\n",
        }
        assert (archive.comment, {item.date_time[0] for item in archive.infolist()}) == (b"", {1980})
    for name in ("o.tar", "o.tgz"):
        again(tmp_path, name, make.tar(mode="w" if name == "o.tar" else "w:gz", uname="x", mtime=77))


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("gb18030", "地区,人数\n朝阳区,120\n海淀区,98\n"),
        ("gb18030", "甲,乙\n1,2\n"),
        ("gb18030", "姓名,数\n喆犇,3\n㐂䶮,4\n地区数据,1\n朝阳人数,2\n"),
        ("utf-16", "地区,人数\n朝阳区,120\n"),
        ("utf-16-le", "地区,人数\n朝阳区,120\n"),
        ("utf-16-be", "地区,人数\n朝阳区,120\n"),
        ("utf-32", "地区,人数\n朝阳区,120\n"),
        ("big5", "地區,人數\n臺北市,120\n高雄市,98\n"),
        ("cp932", "地域,人数\n東京都,120\nおおさか,98\n"),
    ],
)
def test_encodings_are_told_apart_without_loss(tmp_path, codec, text):
    document = load(tmp_path, "a.csv", text.encode(codec))
    assert faults(document) == []
    table = document.tables[0]
    rows = [table.columns, *[[str(cell) for cell in row] for row in table.data.iter_rows()]]
    assert rows == [line.split(",") for line in text.split()]


def test_a_workbook_leaves_as_plain_sheets(tmp_path):
    def change(book):
        sheet = book.active
        sheet.insert_rows(1)
        sheet["A1"] = "表 1 各区人数"
        sheet.append(["注：不含流动人口"])
        secret = book.create_sheet("x")
        secret.sheet_state = "hidden"
        secret.append(["a", "b"])
        secret.append(["007", 1.5])
        sheet.row_dimensions[4].hidden = True
        sheet["B3"].number_format = ";;;"

    data = make.workbook(change=change)
    document = load(tmp_path, "a.xlsx", data)
    assert [table.part for table in document.tables] == ["sheet 1", "sheet 2"]
    assert document.tables[0].data.rows() == [("朝阳区", 120), ("海淀区", 98), ("丰台区", 45)]
    for told in ("hidden row: 1", "hidden", ";;;", "number format that shows nothing"):
        assert told in hidden(document)
    book = openpyxl.load_workbook(io.BytesIO(again(tmp_path, "a.xlsx", data)))
    assert {sheet.title: list(sheet.values) for sheet in book} == {
        "汇总": [("district", "n"), ("丰台区", 45), ("朝阳区", 120), ("海淀区", 98)],
        "x": [("a", "b"), ("007", 1.5)],
        "备注 notes": [("汇总: 表 1 各区人数",), ("汇总: 注：不含流动人口",)],
    }
    assert {sheet.sheet_state for sheet in book} == {"visible"}


def test_a_formula_counts_as_its_result_and_is_told(tmp_path):
    document = load(tmp_path, "a.xlsx", formula("SUM(A1:A9)", 7))
    assert document.tables[0].data.rows() == [(1, 7)]
    assert "SUM(A1:A9)" in hidden(document)


def test_a_far_cell_is_no_reason_to_fill_the_memory(tmp_path):
    data = make.workbook(change=lambda book: book.active.cell(1_048_576, 16_384, 1))
    assert faults(load(tmp_path, "a.xlsx", data)) == ["size"]


def test_a_word_document_leaves_as_it_is_seen(tmp_path):
    inserted = '<w:ins w:id="1" w:author="x"><w:r><w:t>新增</w:t></w:r></w:ins>'
    deleted = '<w:del w:id="2" w:author="x"><w:r><w:delText>删去</w:delText></w:r></w:del>'
    boxed = f"<w:p>{inserted}{deleted}</w:p><w:sectPr"

    def change(document):
        table = document.add_table(2, 2)
        table.cell(0, 0).merge(table.cell(0, 1)).text = "合并"
        table.cell(1, 0).text = "甲"
        document.add_picture(io.BytesIO(make.png("图")))
        document.add_paragraph("x").add_run("隐身").font.hidden = True

    data = make.inside(
        make.word(change=change), "word/document.xml", lambda x: x.replace("<w:sectPr", boxed, 1)
    )
    document = load(tmp_path, "a.docx", data)
    assert [table.data.rows() for table in document.tables] == [
        [("朝阳区", 120), ("海淀区", 98), ("丰台区", 45)],
        [("甲", None)],
    ]
    assert "新增" in seen(document)
    assert "删去" in hidden(document)
    assert "隐身" in hidden(document)
    assert len(document.pictures) == 1
    left = docx.Document(io.BytesIO(again(tmp_path, "a.docx", data)))
    assert [p.text for p in left.paragraphs if p.text] == ["各区人数", "x", "新增"]
    assert len(left.inline_shapes) == 1
    assert [cell.text for cell in left.tables[1].rows[0].cells] == ["合并", "合并"]
    assert left.core_properties.author == ""


def test_a_page_leaves_without_attributes_and_what_is_hidden(tmp_path):
    extra = (
        '<p class="a">可见</p><p class="b">类隐</p><p style="visibility:hidden">样式隐</p><ul><li>一</ul>'
        '<pre> a\n b</pre><img alt="说明" src="data:image/png;base64,'
        f'{base64.b64encode(make.png()).decode()}">' + make.drawing("<title>题</title>").decode()
    )
    data = make.page(extra=extra, head="<style>.b, #c {display: none}</style>")
    document = load(tmp_path, "a.html", data)
    assert (len(document.tables), len(document.pictures), document.drawings) == (1, 1, 1)
    for told in ("类隐", "样式隐", "说明", "题"):
        assert told in hidden(document)
        assert told not in seen(document)
    text = again(tmp_path, "a.html", data).decode()
    assert "可见" in text
    for gone in ("类隐", "样式隐", "class", "style", "alt", "说明"):
        assert gone not in text


def test_a_notebook_leaves_as_source_and_outputs(tmp_path):
    forms = {"text/plain": "<x>", "text/html": "<table><tr><td>a</td></tr><tr><td>1</td></tr></table>",
             "image/png": base64.b64encode(make.png()).decode()}  # fmt: skip
    outputs = [
        {"output_type": "execute_result", "execution_count": 9, "data": forms, "metadata": {"x": "元"}},
        {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["\x1b[31m一\x1b[0m"]},
        {
            "output_type": "display_data",
            "data": {"application/vnd.vegalite.v5+json": json.loads(make.vega())},
        },
    ]
    data = make.notebook(cell={"id": "abc", "source": ["x = 1\n", "    y"], "outputs": outputs})
    document = load(tmp_path, "a.ipynb", data)
    assert (len(document.tables), len(document.pictures)) == (2, 1)
    assert "元" in hidden(document)
    left = json.loads(again(tmp_path, "a.ipynb", data))
    (cell,) = left["cells"]
    assert (cell["source"], cell["execution_count"], cell["metadata"]) == ("x = 1\n    y", None, {})
    assert cell["outputs"][-2]["data"] == {"text/plain": "E: v\n一"}
    assert {"id", "attachments"}.isdisjoint(cell)


@pytest.mark.parametrize("kind", ["vega", "echarts", "plotly"])
def test_data_of_a_chart_become_a_table_and_unknown_keys_go(tmp_path, kind):
    data = getattr(make, kind)(secret="藏")
    document = load(tmp_path, "a.json", data)
    assert (document.form, [t.data.rows() for t in document.tables][-1]) == (
        "chart",
        [("朝阳区", 120), ("海淀区", 98), ("丰台区", 45)],
    )
    assert "藏" in hidden(document)
    assert "藏" not in again(tmp_path, "a.json", data).decode()
    assert load(tmp_path, "a.json", data, formats=["json"]).faults == [("unknown", "")]


def test_typed_arrays_of_plotly_are_numbers(tmp_path):
    packed = {"dtype": "f8", "bdata": base64.b64encode(struct.pack("<3d", 1.5, 2, 3)).decode()}
    document = load(tmp_path, "a.json", make.plotly(y=packed))
    assert document.tables[0].data["y"].to_list() == [1.5, 2.0, 3.0]


def test_a_drawing_leaves_in_coarse_coordinates_and_colours(tmp_path):
    circle = '<circle id="张三" cx="10.123456" cy="5" r="3" fill="#1f77b4" data-x="1"/>'
    shapes = f'{circle}<path d="m1 2 3 4h5v6a1 1 0 01.5.5z"/>'
    data = make.drawing(f"<!-- 注 -->{shapes}<text x='1' y='2'>字<tspan>内</tspan></text>")
    document = load(tmp_path, "a.svg", data)
    assert {view.part: view.data.rows() for view in document.views}["path coordinates"] == [
        (1.0, 2.0), (4.0, 6.0), (9.0, 6.0), (9.0, 12.0), (9.5, 12.5)
    ]  # fmt: skip
    assert (seen(document), document.drawings) == ("字 内", 1)
    text = again(tmp_path, "a.svg", data).decode()
    assert '<circle cx="10.1" cy="5" fill="#27b" id="n1" r="3"/>' in text
    for gone in ("张三", "注", "data-x"):
        assert gone not in text
        assert gone == "data-x" or gone in hidden(document)


def test_arrow_leaves_without_metadata_and_without_values_below_nulls(tmp_path):
    values = pa.array([1, 110101, 3]).buffers()[1]
    column = pa.Array.from_buffers(pa.int64(), 3, [pa.py_buffer(b"\x05"), values])
    data = make.arrow(metadata={"k": "藏"}, x=column)
    assert struct.pack("<q", 110101) in data
    document = load(tmp_path, "a.feather", data)
    assert "藏" in hidden(document)
    once = again(tmp_path, "a.feather", data)
    assert struct.pack("<q", 110101) not in once
    assert pa.ipc.open_file(once).read_all().column("x").to_pylist() == [3, 1, None]


def test_a_reader_has_its_time(tmp_path, monkeypatch):
    def slow(data):
        try:
            time.sleep(30)
        except Exception:
            return ""  # a library that swallows everything

    monkeypatch.setattr("sandbox.egress.readers.csv.decode", slow)
    started = time.monotonic()
    assert faults(load(tmp_path, "a.csv", make.csv(), Budget(seconds=1))) == ["time"]
    assert time.monotonic() - started < 25
    monkeypatch.undo()
    assert faults(load(tmp_path, "a.csv", make.csv(), Budget(seconds=60))) == []


def test_every_reader_has_a_writer_and_every_form_an_extension():
    from sandbox.egress.canonical import WRITERS
    from sandbox.egress.readers.sniff import EXTENSIONS

    assert set(readers.READERS) == set(EXTENSIONS.values())
    assert set(WRITERS) <= {*readers.READERS, "chart"}
    assert {"chart", *readers.READERS} - set(WRITERS) <= {"skops"}


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Co", "Cn"]), max_size=8)
cells = st.one_of(
    words,
    st.integers(-(10**17), 10**17),
    st.floats(allow_nan=False, allow_infinity=False),
    st.none(),
    st.booleans(),
    st.sampled_from(["注：x", "=1+1", "007", "1.0", " ", "-0.0", "</td>", "<!--", "]]>", "&lt;"]),
)
grids = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.lists(cells, min_size=n, max_size=n), min_size=1, max_size=6)
)
SLOW = settings(max_examples=20)


def fixed(tmp_path, name, data):
    first = load(tmp_path, name, data)
    if first.readable:
        once = canonical(first)
        second = load(tmp_path, name, once)
        assert faults(second) == []
        assert canonical(second) == once


def printable(value):
    return "".join(c for c in str(value) if c.isprintable() and c not in "<>&")


@SLOW
@given(grids)
def test_canonical_workbooks_are_fixed_points(tmp_path, rows):
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append([v if not isinstance(v, str) else printable(v) for v in row])
    sink = io.BytesIO()
    for row in book.active.iter_rows():
        for cell in row:
            if cell.data_type == "f":
                cell.data_type = "s"
    book.save(sink)
    fixed(tmp_path, "a.xlsx", sink.getvalue())


@SLOW
@given(grids)
def test_canonical_word_documents_and_pages_are_fixed_points(tmp_path, rows):
    texts = [[printable(cell) for cell in row] for row in rows]
    fixed(tmp_path, "a.docx", make.word(texts))
    raw = [[str(cell) for cell in row] for row in rows]
    fixed(tmp_path, "a.html", make.page(raw, extra=f"<p>{raw[0][0]}</p><pre>{raw[-1][0]}</pre>"))


@SLOW
@given(grids, st.lists(words, max_size=4))
def test_canonical_notebooks_and_charts_are_fixed_points(tmp_path, rows, lines):
    fixed(tmp_path, "a.ipynb", make.notebook(rows, cell={"source": "\n".join(lines)}))
    fixed(
        tmp_path, "a.ipynb", make.notebook(rows, cell={"cell_type": "markdown", "source": "\n".join(lines)})
    )
    if len(rows) > 1 and len({str(name) for name in rows[0]}) == len(rows[0]):
        for kind in (make.vega, make.echarts, make.plotly):
            fixed(tmp_path, "a.json", kind(rows, title={"text": "".join(lines)}))


numbers = st.floats(-1e6, 1e6).map(repr) | st.integers(-1000, 1000).map(str)
shapes = st.sampled_from(["rect", "circle", "g", "text", "use", "path", "title", "tspan", "defs", "line"])


@SLOW
@given(st.lists(st.tuples(shapes, numbers, numbers, words), max_size=6), numbers)
@example([("rect", "1.75", "0.0", "")], "2.1183592423973865e-131")  # no number of ours: the view box goes
def test_canonical_drawings_are_fixed_points(tmp_path, items, size):
    body = "".join(
        f'<{tag} id="i{n}" x="{a}" cx="{a}" y="{b}" r="{b}" d="M{a},{b}l{b} {a}" opacity="{a}" href="#i{b}">'
        f"{printable(text)}</{tag}>"
        for n, (tag, a, b, text) in enumerate(items)
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} 7"><g>{body}</g></svg>'
    fixed(tmp_path, "a.svg", head.encode())


@SLOW
@given(
    st.lists(
        st.tuples(st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.floats(), st.none() | words,
                  st.none() | st.booleans(), st.none() | st.dates()),
        min_size=1, max_size=6,
    ),
    st.booleans(),
)  # fmt: skip
def test_canonical_arrow_is_a_fixed_point(tmp_path, rows, stream):
    kinds = [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.date32()]
    columns = [
        pa.array(list(column), kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)
    ]
    table = pa.table(dict(zip("abcde", columns, strict=True)))
    sink = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    fixed(tmp_path, "a.arrow", sink.getvalue())


@SLOW
@given(st.dictionaries(st.sampled_from(["a.csv", "b/c.csv", "x.json", "数.csv"]), grids, min_size=1))
def test_canonical_archives_are_fixed_points(tmp_path, files):
    made = {
        name: make.csv([[printable(c).replace(",", "").replace('"', "") for c in row] for row in rows])
        for name, rows in files.items()
    }
    fixed(tmp_path, "a.zip", make.archive(made))
    fixed(tmp_path, "a.tar.gz", make.tar(made))
