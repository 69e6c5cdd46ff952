"""Readers refuse what they cannot lay open; the canonical form is a fixed point."""

import io
import json
import pickle
import zipfile

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sandbox.egress.canonical import canonical
from sandbox.egress.forms import Budget
from sandbox.egress.readers import read

FORMATS = ["csv", "parquet", "json", "markdown", "png"]


def load(tmp_path, name, content, budget=None, formats=FORMATS):
    path = tmp_path / "file"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read(path, name, formats, budget or Budget())


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def png():
    sink = io.BytesIO()
    Image.radial_gradient("L").convert("RGB").resize((16, 16)).save(sink, "PNG")
    return sink.getvalue()


def archive():
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("a.csv", "a\n1\n")
    return sink.getvalue()


REFUSED = {
    "unknown extension": ("a.bin", b"abc", "unknown"),
    "no extension": ("a", b"a,b\n1,2\n", "unknown"),
    "pickle": ("a.pkl", pickle.dumps([1]), "executable"),
    "pickle as csv": ("a.csv", pickle.dumps([1]), "executable"),
    "archive that the policy does not list": ("a.zip", archive(), "unknown"),
    "archive as csv": ("a.csv", archive(), "mismatch"),
    "archive after a png": ("a.png", png() + archive(), "polyglot"),
    "bytes after a png": ("a.png", png() + b"secret", "trailing"),
    "bytes after a parquet": ("a.parquet", parquet(pa.table({"a": [1]})) + b"x", "trailing"),
    "script": ("a.csv", b"#!/bin/sh\n", "executable"),
    "elf": ("a.json", b"\x7fELF\x02\x01", "executable"),
    "pdf": ("a.md", b"%PDF-1.7 ...", "mismatch"),
    "json as csv": ("a.csv", b'[{"a": 1}]', "mismatch"),
    "png as csv": ("a.csv", png(), "mismatch"),
    "csv as png": ("a.png", b"a,b\n", "mismatch"),
    "html as csv": ("a.csv", b"<html><body>", "mismatch"),
    "script in markdown": ("a.md", b"# t\n<script>x</script>\n", "active"),
    "data in markdown": ("a.md", b"![x](data:image/png;base64,AAAA)\n", "active"),
    "broken utf-8": ("a.csv", b"a,b\n\xff\xff,1\n", "encoding"),
    "control": ("a.csv", b"a,b\n\x00,1\n", "control"),
    "ragged": ("a.csv", b"a,b\n1,2,3\n", "malformed"),
    "twice a column": ("a.csv", b"a,a\n1,2\n", "duplicate"),
    "twice but for an invisible character": ("a.csv", "a,a\u200b\n1,2\n", "duplicate"),
    "empty": ("a.csv", b"", "empty"),
    "blank": ("a.md", b" \n", "empty"),
    "twice a key": ("a.json", b'{"a": 1, "a": 2}', "duplicate"),
    "not a number": ("a.json", b'{"a": NaN}', "malformed"),
    "overflow": ("a.json", b'{"a": 1e999}', "malformed"),
    "deep": ("a.json", b"[" * 50 + b"]" * 50, "nested"),
    "deeper than the stack": ("a.json", b"[" * 100_000 + b"]" * 100_000, "malformed"),
    "huge integer": ("a.json", b"1" * 5000, "malformed"),
    "nested parquet": ("a.parquet", parquet(pa.table({"a": [[1, 2]]})), "nested"),
    "binary parquet": ("a.parquet", parquet(pa.table({"a": [b"\x01"]})), "nested"),
    "broken parquet": ("a.parquet", b"PAR1" + b"\x00" * 40 + b"PAR1", "reader"),
    "cut png": ("a.png", png()[:-20], "malformed"),
    "hidden name": (".a.csv", b"a\n1\n", "name"),
    "double extension": ("a.exe.csv", b"a\n1\n", "executable"),
    "direction mark": ("a\u202evsc.csv", b"a\n1\n", "name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_laid_open_is_refused(tmp_path, case):
    name, content, reason = REFUSED[case]
    document = load(tmp_path, name, content)
    assert (document.faults, document.tables, document.readable) == ([(reason, "")], [], False)


@pytest.mark.parametrize(
    ("budget", "name", "content"),
    [
        (Budget(file_bytes=10), "a.csv", "a,b\n1,2\n3,4\n"),
        (Budget(cells=3), "a.csv", "a,b\n1,2\n3,4\n"),
        (Budget(columns=1), "a.csv", "a,b\n1,2\n"),
        (Budget(cell_chars=3), "a.csv", "a,b\n1,20000\n"),
        (Budget(cells=3), "a.json", json.dumps([{"a": 1, "b": 2}] * 3)),
        (Budget(cells=1), "a.parquet", parquet(pa.table({"a": [1, 2]}))),
        (Budget(pixels=100), "a.png", png()),
    ],
)
def test_budgets(tmp_path, budget, name, content):
    assert load(tmp_path, name, content, budget).faults == [("size", "")]


def test_links_and_pipes_are_refused(tmp_path):
    (tmp_path / "link.csv").symlink_to("/etc/passwd")
    assert read(tmp_path / "link.csv", "link.csv", FORMATS, Budget()).faults == [("irregular", "")]
    import os

    os.mkfifo(tmp_path / "pipe.csv")
    assert read(tmp_path / "pipe.csv", "pipe.csv", FORMATS, Budget()).faults == [("irregular", "")]


def test_a_form_that_the_policy_does_not_list(tmp_path):
    assert load(tmp_path, "a.csv", "a\n1\n", formats=["json"]).faults == [("unknown", "")]


@pytest.mark.parametrize("text", ["甲;乙\n1;2\n", "甲\t乙\n1\t2\n", "\ufeff甲,乙\r\n1,2\r\n"])
def test_dialects(tmp_path, text):
    for data in (text.encode(), text.removeprefix("\ufeff").encode("gb18030")):
        document = load(tmp_path, "a.csv", data)
        assert (document.tables[0].columns, document.tables[0].data.rows()) == (["甲", "乙"], [(1, 2)])


def test_numerals_that_crash_parsers_stay_text(tmp_path):
    document = load(tmp_path, "a.csv", "a\n1e999999999999\n2\n")
    assert document.tables[0].data["a"].to_list() == ["1e999999999999", "2"]
    assert load(tmp_path, "a.csv", "a\n007\n012\n").tables[0].data["a"].to_list() == ["007", "012"]


def again(tmp_path, name, data, ordered=False):
    document = load(tmp_path, name, data)
    assert document.faults == [], document.faults
    return canonical(document, ordered)


cell = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Co", "Cn"]), max_size=12),
    st.integers(-(10**19), 10**19).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(
        [
            "=1+1",
            "#x",
            "  a  ",
            "1.0",
            "1.00",
            "-0.0",
            "a\u200bb",
            "a,b;c",
            'q"q',
            "[",
            "<html",
            "MZ",
            "\u3000",
        ]
    ),
)


@settings(max_examples=150)
@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(cell, min_size=n, max_size=n), min_size=2, max_size=8)
    )
)
def test_canonical_csv_is_a_fixed_point(tmp_path, rows):
    import csv

    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL)
    writer.writerow([f"c{i}{value or ''}" for i, value in enumerate(rows[0])])
    writer.writerows([["" if v is None else v for v in row] for row in rows[1:]])
    document = load(tmp_path, "a.csv", sink.getvalue())
    if document.faults:
        return
    once = canonical(document)
    assert again(tmp_path, "a.csv", once) == once
    shuffled = io.StringIO()
    writer = csv.writer(shuffled, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([f"c{i}{value or ''}" for i, value in enumerate(rows[0])])
    writer.writerows([["" if v is None else v for v in row] for row in rows[:0:-1]])
    assert again(tmp_path, "a.csv", shuffled.getvalue()) == once


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
trees = st.recursive(
    leaves,
    lambda c: st.one_of(st.lists(c, max_size=4), st.dictionaries(st.text(max_size=5), c, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=150)
@given(trees)
def test_canonical_json_is_a_fixed_point(tmp_path, tree):
    document = load(tmp_path, "a.json", json.dumps(tree))
    if not document.faults:
        once = canonical(document)
        assert again(tmp_path, "a.json", once) == once


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [
                "# t",
                "a  b ",
                "<!--",
                "-->",
                "| a | b |",
                "|---|---|",
                "| 1 | 2 |",
                "",
                "   - x",
                "<!",
                "\u200b",
            ]
        ),
        max_size=14,
    )
)
def test_canonical_markdown_is_a_fixed_point_without_comments(tmp_path, lines):
    document = load(tmp_path, "a.md", "\n".join(lines))
    if not document.faults:
        once = canonical(document)
        assert b"<!--" not in once
        if once.strip():
            assert again(tmp_path, "a.md", once) == once


def test_canonical_parquet_drops_metadata_and_order(tmp_path):
    table = pa.table({"b": [2, 1], "a": pa.array(["y", "x"]).dictionary_encode()}, metadata={"k": "v"})
    once = again(tmp_path, "a.parquet", parquet(table, compression="gzip"))
    assert pq.read_schema(io.BytesIO(once)).metadata is None
    assert pl.read_parquet(io.BytesIO(once)).rows() == [("x", 1), ("y", 2)]
    assert again(tmp_path, "a.parquet", once) == once
    assert again(tmp_path, "a.parquet", parquet(table.take([1, 0]))) == once
    assert again(tmp_path, "a.parquet", parquet(table), ordered=True) != once


def test_canonical_png_keeps_pixels_only(tmp_path):
    once = again(tmp_path, "a.png", png())
    assert again(tmp_path, "a.png", once) == once
    noisy = Image.open(io.BytesIO(once)).point(lambda v: v ^ 1)  # a message in the lowest bits
    sink = io.BytesIO()
    noisy.save(sink, "PNG")
    assert again(tmp_path, "a.png", sink.getvalue()) == once


def test_json_spellings_of_a_table(tmp_path):
    for value in (
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        {"columns": ["a", "b"], "data": [[1, "x"], [2, "y"]]},
        {"a": [1, 2], "b": ["x", "y"]},
    ):
        document = load(tmp_path, "a.json", json.dumps(value))
        assert document.tables[0].data.rows() == [(1, "x"), (2, "y")]
    tree = load(tmp_path, "a.json", json.dumps({"x": {"m": 1, "f": 2}})).tables[0]
    assert (tree.columns, tree.data.rows()) == (["key_1", "key_2", "value"], [("x", "m", 1), ("x", "f", 2)])
