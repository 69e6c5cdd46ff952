"""Names inside charts and JSON: wherever a job may choose one, the checks read it, or it does not leave."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save

from sandbox.egress.canonical import canonical
from sandbox.egress.check import check
from sandbox.egress.forms import Budget, Document
from sandbox.egress.readers import read
from sandbox.policy import load_profile

SECRET = "520502197703309324"
VEGA: dict[str, Any] = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "mark": "bar",
    "data": {"values": [{"sex": "男", "n": 147}, {"sex": "女", "n": 153}]},
    "encoding": {"x": {"field": "sex", "type": "nominal"}, "y": {"field": "n", "type": "quantitative"}},
}
ECHARTS: dict[str, Any] = {"series": [{"type": "bar", "data": [147, 153]}], "xAxis": {"data": ["男", "女"]}}
PLACES: dict[str, Any] = {
    "a set of data of its own": VEGA | {"datasets": {SECRET: [{"sex": "男", "n": 147}]}},
    "an empty set of data": VEGA | {"datasets": {SECRET: []}},
    "a name inside a set of data": VEGA | {"datasets": {"d": {SECRET: {"x": 1}}}},
    "a column without a value": VEGA | {"datasets": {"d": [{SECRET: {"b": {}}}]}},
    "a source": ECHARTS | {"dataset": {"source": {SECRET: {"a": 5}}}},
    "a source of one number": ECHARTS | {"dataset": {"source": {SECRET: [5]}}},
    "a record with nothing in it": [{SECRET: {}, "a": {"b": 1}}, {"a": {"b": 2}}],
    "a branch with nothing in it": {"x": {SECRET: {}}, "y": {"b": 1}},
    "an empty list": {"x": {SECRET: []}, "y": [1, 2]},
    "a list in a list": [1, [[], []], {SECRET: []}],
}


def _words(document: Document) -> list[str]:
    """All that the checks may read: text, names of columns, cells."""
    tables = [*document.tables, *document.views]
    cells = [str(cell) for table in tables for name in table.columns for cell in table.data[name]]
    return [piece.text for piece in document.pieces] + [n for t in tables for n in t.columns] + cells


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_a_job_chose_is_read(place: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(PLACES[place], ensure_ascii=False), encoding="utf-8")
    document = read(tmp_path / "a.json", "a.json", ["json", "chart"], Budget())
    assert document.readable
    assert SECRET.encode() in canonical(document, False)
    assert any(SECRET in word for word in _words(document))


def test_lone_numbers_of_a_chart_are_read_unless_they_are_round(tmp_path: Path) -> None:
    """An identity number in four sizes, each of which says nothing."""
    layers = [{"width": 52050, "height": 21977}, {"width": 3309, "height": 324}]
    layers += [{"width": 720, "height": 52000}, {"width": -45, "height": 1.5}]
    (tmp_path / "a.json").write_text(json.dumps(VEGA | {"layer": layers}), encoding="utf-8")
    words = _words(read(tmp_path / "a.json", "a.json", ["json", "chart"], Budget()))
    assert {"52050", "21977", "3309", "324"} <= set(words)
    assert not {"720", "52000", "-45", "1.5"} & set(words)


def test_the_smallest_number_that_a_double_holds_breaks_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sex,x\n男,5e-324\n女,0.5\n", encoding="utf-8")
    report = check([tmp_path], [], {}, load_profile("national").values(), "national")
    assert report.capacity["bits"] >= 64


WORDS = ("qzvkxj", "abcdefghijklmnopqrst", "zhangsan")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text x="1" y="2">a</text>{}</svg>'


def test_a_colour_that_is_none_carries_no_word(tmp_path: Path) -> None:
    """Twenty letters that no person sees and no check reads, in every element of a drawing."""
    bars = "".join(f'<rect x="{i}" width="2" height="2" fill="{word}"/>' for i, word in enumerate(WORDS))
    bars += '<rect x="5" width="2" height="2" fill="SteelBlue" stroke="none"/>'
    (tmp_path / "a.svg").write_text(SVG.format(bars))
    left = canonical(read(tmp_path / "a.svg", "a.svg", ["svg"], Budget()), False).decode()
    assert not [word for word in WORDS if word in left]
    assert 'fill="steelblue"' in left
    assert 'stroke="none"' in left


@pytest.mark.parametrize("name", ["chart.json", "drawing.svg", "weights.safetensors"])
def test_what_says_more_than_is_measured_is_charged_with_all_its_bytes(name: str, tmp_path: Path) -> None:
    content = {
        "chart.json": json.dumps(VEGA, ensure_ascii=False).encode(),
        "drawing.svg": SVG.format('<path d="M0 0L1 2L3 4"/>').encode(),
        "weights.safetensors": save({"w": np.arange(4, dtype=np.float32)}),
    }[name]
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / name).write_bytes(content)
    report = check(
        [tmp_path / "outputs"],
        [],
        {},
        load_profile("national").values(),
        "national",
        canonical=tmp_path / "canonical",
    )
    written = tmp_path / "canonical" / name
    size = written.stat().st_size if written.exists() else len(content)
    assert report.capacity["bits"] == 8 * size
