"""What a report says of how a file as it leaves differs from what was submitted; the curve of an attack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sandbox.control.reports import ToldCanonical
from sandbox.egress.canonical import tables
from sandbox.egress.canonical.tables import in_order, order_of
from sandbox.egress.check import check
from sandbox.egress.checks.models_attack import measure
from sandbox.egress.context import Context
from sandbox.egress.forms import Document, Table
from sandbox.egress.report import changes as module
from sandbox.egress.report.changes import changes, remember


@pytest.fixture
def left(tmp_path: Path, policy: dict[str, Any]) -> Any:
    """The record of the one file that ``content`` leaves as."""

    def go(content: str, name: str = "a.csv") -> dict[str, Any]:
        (tmp_path / name).write_text(content, encoding="utf-8")
        report = check([tmp_path / name], [], {}, policy, "test", canonical=tmp_path / "left")
        (one,) = report.as_json()["canonical"]
        ToldCanonical.model_validate(one)  # as the control plane takes it
        return dict(one)

    return go


def test_a_table_is_sorted_and_its_numbers_are_written_anew(left: Any) -> None:
    told = left("people,district\n30,west\n1.50,east\n")["changes"]
    (table,) = told["tables"]
    assert (table["rows"], table["columns"], table["recomputed"]) == (2, 2, False)
    assert (table["rows_moved"], table["columns_moved"]) == (True, True)
    assert (table["changed"], table["rewritten"], table["emptied"], table["places"]) == (0, 2, 0, [])
    assert (told["source_bytes"], told["hidden"]) == (34, 0)


def test_a_table_that_is_canonical_already_is_not_changed(left: Any) -> None:
    told = left("district,people\neast,20\nwest,30\n")
    (table,) = told["changes"]["tables"]
    assert told["changes"]["source_sha256"] == told["sha256"]
    assert not any(
        table[key] for key in ("rows_moved", "columns_moved", "changed", "rewritten", "emptied", "places")
    )


def test_what_is_hidden_is_counted_and_not_repeated(left: Any) -> None:
    told = left("# 说明\n\n<!-- draft by hand -->\n\nplain\n", "a.md")
    assert told["changes"]["hidden"] >= 1
    assert "draft" not in str(told)


def recomputed(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Any]:
    """The record of a table whose cells the checker's own have replaced."""
    table = Table("", before.cast(pl.String), before)
    document = Document("a.csv", "a.csv", "0" * 64, 9, "csv", [table])
    context = Context([], {}, {})
    context.documents = [document]
    remember(context)
    table.data = after
    (told,) = changes(context, document)["tables"]
    return dict(told)


BEFORE = pl.DataFrame({"n": [5, 7, 9], "place": ["c", "b", "a"]})


def test_cells_that_were_replaced_stand_where_they_leave() -> None:
    told = recomputed(BEFORE, BEFORE.with_columns(n=pl.Series([5, 8, None])))
    assert (told["changed"], told["emptied"], told["rewritten"]) == (2, 1, 0)
    assert told["places"] == [[1, 2], [2, 2]]  # sorted by place, which comes first as it is a label


def test_of_a_large_table_only_its_shape_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CELLS", 5)
    told = recomputed(BEFORE, BEFORE.with_columns(n=pl.Series([5, 8, 9])))
    assert "changed" not in told
    assert (told["rows"], told["rows_moved"]) == (3, True)


def test_the_order_told_is_the_order_written(monkeypatch: pytest.MonkeyPatch) -> None:
    table, document = Table("", BEFORE, BEFORE), Document("a.csv", "a.csv", "", 0)
    names, order = order_of(table, document, False)
    assert order is not None
    assert BEFORE.select(names)[order.to_list()].equals(in_order(table, document, False))
    assert order_of(table, document, True)[1] is None
    monkeypatch.setattr(tables, "_LONG", 2)
    assert order_of(table, document, False) == (["place", "n"], None)


def test_a_record_that_cannot_be_made_keeps_no_file_back(left: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_table", lambda *given: 1 / 0)
    assert set(left("district,people\neast,20\n")) == {"path", "sha256", "bytes"}


def test_the_curve_of_an_attack_reaches_as_far_down_as_the_rows_can_tell() -> None:
    draw = np.random.default_rng(1)
    control = draw.uniform(0.5, 1, 400)
    known = measure(draw.uniform(0, 0.4, 400), control, 0.01, True)
    assert known.curve[0] == (0.005, 1.0)  # 400 rows tell nothing of one in a thousand
    assert known.curve[-1] == (1.0, 1.0)
    fair = measure(draw.uniform(0.5, 1, 400), control, 0.01, True)
    assert all(abs(caught - rate) < 0.08 for rate, caught in fair.curve)
    assert dict(fair.curve)[0.01] == fair.tpr
