"""A supply becomes a snapshot, or is refused with nothing half-written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sandbox.core.errors import SandboxError
from sandbox.workspace import ingest

TYPES = {
    "id": "integer",
    "名称": "string",
    "v": "number",
    "d": "date",
    "t": "datetime",
    "b": "boolean",
    "m": "decimal",
}
FIELDS = [{"name": name, "type": type_, "level": 2} for name, type_ in TYPES.items()]
CSV = 'id,名称,v,d,t,b,m\n1,"甲,""x\n乙",1.5,2020-01-02,2020-01-02 10:00,是,1.10\n2,,,2020/1/3,,false,2\n'


class Place:
    """An ``/in`` and an ``/out/files`` in a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.inputs, self.out = root / "in", root / "out"
        self.inputs.mkdir()
        self.out.mkdir()

    def supply(self, content: str | bytes, **params: Any) -> dict[str, Any]:
        data = content.encode() if isinstance(content, str) else content
        (self.inputs / "data").write_bytes(data)
        stated = {
            "format": "csv",
            "fields": FIELDS,
            "entity": "id",
            "sha256": hashlib.sha256(data).hexdigest(),
            "rows": None,
        }
        return ingest.run(stated | params, self.inputs, self.out)

    def refused(self, content: str | bytes, **params: Any) -> SandboxError:
        with pytest.raises(SandboxError) as caught:
            self.supply(content, **params)
        assert list(self.out.iterdir()) == []
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def one(type_: str, **more: Any) -> list[dict[str, Any]]:
    return [{"name": "x", "type": type_, "level": 1} | more]


def parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def test_a_good_supply_becomes_a_typed_snapshot(place: Place) -> None:
    report = place.supply(CSV, rows=2)
    snapshot = place.out / "snapshot.parquet"
    assert report["ok"] is True
    assert (report["rows"], report["entities"]) == (2, 2)
    assert report["sha256"] == hashlib.sha256(snapshot.read_bytes()).hexdigest()
    assert [(c["name"], c["type"], c["nulls"]) for c in report["columns"]] == [
        (name, type_, {"名称": 1, "v": 1, "t": 1}.get(name, 0)) for name, type_ in TYPES.items()
    ]
    rows = duckdb.connect().execute("SELECT * FROM read_parquet(?)", [str(snapshot)]).fetchall()
    assert [str(cell) for cell in rows[0]] == [
        "1", '甲,"x\n乙', "1.5", "2020-01-02", "2020-01-02 10:00:00", "True", "1.1000000000",
    ]  # fmt: skip
    assert rows[1][1:3] == (None, None)
    assert [path.name for path in place.out.iterdir()] == ["snapshot.parquet"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_same_rows_give_the_same_bytes_whatever_the_encoding(
    place: Place, encoding: str, line_end: str
) -> None:
    text = "id,名称\n1,贵阳\n2,遵义\n"
    fields = [field for field in FIELDS if field["name"] in {"id", "名称"}]
    first = place.supply(text, fields=fields)
    again = place.supply(text.replace("\n", line_end).encode(encoding), fields=fields)
    assert again == first


def test_the_columns_may_come_in_any_order_and_leave_in_the_catalogues(place: Place) -> None:
    fields = [{"name": name, "type": "string", "level": 1} for name in ("a", "b")]
    first = place.supply("a,b\n1,2\n", fields=fields, entity=None)
    again = place.supply("b,a\n2,1\n", fields=fields, entity=None)
    assert first["sha256"] == again["sha256"]
    assert first["entities"] is None


def test_hash_mismatch(place: Place) -> None:
    assert place.refused(CSV, sha256="0" * 64).code == "HASH_MISMATCH"


def test_a_link_is_not_followed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x\n1\n")
    (place.inputs / "data").symlink_to(tmp_path / "elsewhere")
    digest = hashlib.sha256(b"x\n1\n").hexdigest()
    with pytest.raises(SandboxError, match="HASH_MISMATCH"):
        ingest.run(
            {"format": "csv", "fields": one("integer"), "entity": None, "sha256": digest},
            place.inputs,
            place.out,
        )


def test_schema_mismatch_counts_but_never_names_what_it_does_not_know(place: Place) -> None:
    # A file without a header: its "column names" are the first person.
    error = place.refused("520102199001011234,张三\n520102199001011235,李四\n")
    assert error.code == "SCHEMA_MISMATCH"
    assert error.details == {"missing": list(TYPES), "unexpected": 2}
    assert "张三" not in json.dumps(error.as_json(), ensure_ascii=False)


def test_schema_mismatch_of_a_repeated_column(place: Place) -> None:
    error = place.refused("x,x\n1,2\n", fields=one("integer"), entity=None)
    assert error.details == {"missing": [], "unexpected": 1}


def test_schema_is_matched_by_case(place: Place) -> None:
    assert place.refused("X\n1\n", fields=one("integer"), entity=None).code == "SCHEMA_MISMATCH"


@pytest.mark.parametrize(
    ("type_", "bad"),
    [
        ("integer", "1.5"),
        ("integer", "1e3"),
        ("integer", "99999999999999999999"),
        ("number", "nan"),
        ("number", "1e999"),
        ("number", "12px"),
        ("decimal", "1.12345678901"),
        ("date", "2020-02-30"),
        ("date", "02/03/2020"),
        ("datetime", "2020-01-01 25:00"),
        ("boolean", "maybe"),
    ],
)
def test_type_mismatch_is_counted_and_not_shown(place: Place, type_: str, bad: str) -> None:
    error = place.refused(f"x,y\n{bad},1\n,1\n{bad},1\n", fields=[*one(type_), *_y()], entity=None)
    assert error.code == "TYPE_MISMATCH"
    assert error.details == {"column": "x", "bad_rows": 2}
    assert bad not in error.message("zh") + error.message("en")


def _y() -> list[dict[str, Any]]:
    return [{"name": "y", "type": "integer", "level": 1}]


def test_rows_mismatch(place: Place) -> None:
    assert place.refused(CSV, rows=3).details == {"rows": 2, "stated": 3}


def test_entity_null(place: Place) -> None:
    error = place.refused("x,y\n,1\n2,2\n", fields=[*one("integer"), *_y()], entity="x")
    assert (error.code, error.details) == ("ENTITY_NULL", {"column": "x", "bad_rows": 1})


def test_required_null(place: Place) -> None:
    error = place.refused("x,y\n,1\n2,2\n", fields=[*one("string", required=True), *_y()], entity=None)
    assert (error.code, error.details) == ("REQUIRED_NULL", {"column": "x", "bad_rows": 1})


@pytest.mark.parametrize("level", [None, 0, 5, "2"])
def test_ungraded(place: Place, level: object) -> None:
    error = place.refused("x\n1\n", fields=one("integer", level=level), entity=None)
    assert (error.code, error.details) == ("UNGRADED", {"field": "x"})


@pytest.mark.parametrize(
    "params",
    [
        {"fields": []},
        {"fields": None},
        {"fields": [{"type": "string", "level": 1}]},
        {"fields": [{"name": "x", "type": "blob", "level": 1}]},
        {"fields": [*one("string"), {"name": "X", "type": "string", "level": 1}]},
        {"fields": one("string"), "entity": "y"},
        {"fields": one("string"), "format": "xlsx"},
    ],
)
def test_fields_invalid(place: Place, params: dict[str, Any]) -> None:
    assert place.refused("x\n1\n", **params).code == "FIELDS_INVALID"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04\x14\x00zip",
        b"\x7fELF\x02\x01\x01\x00",
        b"MZ\x90\x00\x03\x00",
        b"\x1f\x8b\x08\x00",
        b"%PDF-1.7\nx\n1\n",
        b"<html>x</html>",
        b"#!/bin/sh\n",
        b"\xef\xbb\xbf<?php x ?>",
        b"x\n1\x002\n",
        b"x\n\x1b[31m\n",
        b"x\n\xff\xfe\xff\n",
        b'x\n"never closed\n',
        b"x\n1,2\n",
        b"x\n1\n2,3,4\n",
    ],
)
def test_format_mismatch_of_what_is_no_csv(place: Place, content: bytes) -> None:
    error = place.refused(content, fields=one("string"), entity=None)
    assert (error.code, error.details) == ("FORMAT_MISMATCH", {"format": "csv"})


def test_a_header_may_begin_like_a_program(place: Place) -> None:
    fields = [{"name": name, "type": "string", "level": 1} for name in ("MZ", "XB")]
    assert place.supply("MZ,XB\n汉族,男\n", fields=fields, entity=None)["rows"] == 1


@pytest.mark.parametrize("content", [b"", b"PAR1", b"x\n1\n", b"PAR1" + b"\0" * 20 + b"PAR1"])
def test_format_mismatch_of_what_is_no_parquet(place: Place, content: bytes) -> None:
    error = place.refused(content, fields=one("string"), entity=None, format="parquet")
    assert (error.code, error.details) == ("FORMAT_MISMATCH", {"format": "parquet"})


def test_parquet_is_taken_and_rewritten(place: Place) -> None:
    table = pa.table(
        {"x": pa.array([1, 2, None], pa.int32()), "y": pa.array([1, 2, 3], pa.int8())}
    ).replace_schema_metadata({"note": "张三 520102199001011234"})
    report = place.supply(
        parquet(table), fields=[*one("number"), *_y()], entity="y", format="parquet", rows=3
    )
    assert [column["nulls"] for column in report["columns"]] == [1, 0]
    assert "张三".encode() not in (place.out / "snapshot.parquet").read_bytes()


@pytest.mark.parametrize(
    ("type_", "array", "bad_rows"),
    [
        ("integer", pa.array(["1", "2"]), 2),
        ("string", pa.array([1, 2]), 2),
        ("string", pa.array([["a"], ["b"]]), 2),
        ("number", pa.array([1.0, float("inf")]), 1),
        ("date", pa.array(["2020-01-01", "x"]), 2),
    ],
)
def test_type_mismatch_of_parquet(place: Place, type_: str, array: pa.Array, bad_rows: int) -> None:
    error = place.refused(parquet(pa.table({"x": array})), fields=one(type_), entity=None, format="parquet")
    assert (error.code, error.details) == ("TYPE_MISMATCH", {"column": "x", "bad_rows": bad_rows})


def test_nan_is_none(place: Place) -> None:
    content = parquet(pa.table({"x": pa.array([1.0, float("nan")])}))
    assert (
        place.supply(content, fields=one("number"), entity=None, format="parquet")["columns"][0]["nulls"] == 1
    )


@pytest.mark.parametrize("name", ['a"b', "a'b", "a;DROP TABLE x--", "select", "列 名", "a{b}", "filename"])
def test_hostile_column_names(place: Place, name: str) -> None:
    header = '"' + name.replace('"', '""') + '"'
    fields = [{"name": name, "type": "integer", "level": 1}]
    report = place.supply(f"{header}\n7\n", fields=fields, entity=name)
    assert (report["columns"][0]["name"], report["entities"]) == (name, 1)
    table = pq.read_table(place.out / "snapshot.parquet")
    assert table.to_pydict() == {name: [7]}
