"""Chart specifications (Vega-Lite, ECharts, Plotly): their data become tables, the rest is rebuilt.

A key that is not in the table of the kind is dropped and its text comes to light; expressions and addresses
are refused, because a browser would run or load them.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers import package
from sandbox.egress.readers.grid import headed

_WORDS = {
    "vega-lite": """
        $schema title subtitle text width height data values name datasets mark type encoding x y x2
        y2 xOffset yOffset color fill stroke opacity size shape theta radius row column facet order
        detail tooltip latitude longitude key field aggregate bin maxbins step timeUnit stack sort
        scale domain range scheme zero nice axis legend format labels labelAngle grid value layer
        hconcat vconcat concat repeat spec resolve columns spacing align point line filled
        interpolate strokeWidth innerRadius outerRadius orient reverse op
    """,
    "echarts": """
        title text subtext legend data tooltip trigger xAxis yAxis type name series stack dataset
        source dimensions encode x y itemName value grid left right top bottom radar indicator max
        min visualMap label show position color itemStyle lineStyle areaStyle smooth barWidth radius
        center roseType polar angleAxis radiusAxis inverse splitNumber axisLabel rotate interval
        boundaryGap nameLocation symbolSize symbol orient width height opacity children categories
        links target
    """,
    "plotly": """
        data layout type name x y z text labels values parents mode marker color size line width
        orientation title xaxis yaxis xaxis2 yaxis2 barmode showlegend legend hole opacity open high
        low close locations lat lon error_x error_y array base fill shape textposition range
        tickvals ticktext tickangle height colorbar colorscale nbinsx nbinsy symbol dash stackgroup
        textinfo automargin
    """,
}
_KEYS = {kind: frozenset(words.split()) for kind, words in _WORDS.items()}
_ACTS = {"expr", "signal", "calculate", "params", "transform", "renderItem", "graphic", "onclick", "frames"}
_LOADS = {"url", "backgroundImage"}
_SPEECH = re.compile(
    r"\bfunction\s*\(|=>|javascript\s*:|<\s*[a-z!/]|\bdata\s*:[\w/]+[;,]|(?:image|path)://", re.I
)
_FAR = re.compile(r"(?:https?|ftp)://|^//", re.I)
_PARTS = ("layer", "hconcat", "vconcat", "concat")  # lists of things, not of records
_DRAWN = ("series", "data", *_PARTS)
_TELLING = 3  # significant digits from which a lone number is worth a line: sizes and angles are round
_TYPES = {"i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"}


def kind(value: Any) -> str | None:
    """Which kind of specification ``value`` is, or None."""
    if not isinstance(value, dict):
        return None
    if "vega-lite" in str(value.get("$schema", "")):
        return "vega-lite"
    traces = value.get("data")
    if isinstance(traces, list) and isinstance(value.get("layout"), dict):
        return "plotly" if all(isinstance(trace, dict) for trace in traces) else None
    series = value.get("series")
    inside = isinstance(series, list) and series and all(isinstance(s, dict) and "type" in s for s in series)
    return "echarts" if inside else None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _strings(child)
    if isinstance(value, dict):
        yield from value


def _typed(value: Mapping[str, Any]) -> list[Any]:
    """Plotly's typed arrays: base64 of little-endian numbers. Raises ``Unreadable`` (malformed)."""
    if value["dtype"] not in _TYPES or "shape" in value:
        raise Unreadable("malformed")
    try:
        data = base64.b64decode(str(value["bdata"]), validate=True)
        found = np.frombuffer(data, np.dtype(f"<{value['dtype']}")).tolist()
    except (binascii.Error, ValueError):
        raise Unreadable("malformed") from None
    return [None if isinstance(v, float) and not np.isfinite(v) else v for v in found]


class _Rebuild:
    """Filters a specification by the keys of its kind."""

    def __init__(self, document: Document, of: str) -> None:
        self.document, self.keys, self.of = document, _KEYS[of], of

    def text(self, text: str, where: str) -> str:
        """A string as it may leave. Raises ``Unreadable`` (active, external)."""
        if _SPEECH.search(text):
            raise Unreadable("active")
        if _FAR.search(text) and where != "$schema":
            raise Unreadable("external")
        return clean_text(text)

    def value(self, value: Any, where: str) -> Any:
        """Any part as it may leave."""
        if isinstance(value, str):
            return self.text(value, where)
        if isinstance(value, list):
            return [self.value(child, where) for child in value]
        if not isinstance(value, dict):
            return value
        if {"bdata", "dtype"} <= set(value):
            return _typed(value)
        free = where in ("values", "datasets", "source") or (self.of == "vega-lite" and where == "datasets")
        kept: dict[str, Any] = {}
        for key, child in value.items():
            if key in _ACTS:
                raise Unreadable("active")
            if key in _LOADS:
                raise Unreadable("external")
            if free:
                kept[self.text(key, where)] = self.value(child, "values")
            elif key in self.keys:
                kept[key] = self.value(child, key)
            else:
                dropped = {text for text in _strings({key: child}) if not package.closed(text)}
                self.document.pieces += [
                    Piece(f"dropped {where}".strip(), t, hidden=True) for t in sorted(dropped)
                ]
        if where == "$root" and self.of == "vega-lite":
            kept["$schema"] = "https://vega.github.io/schema/vega-lite/v5.json"
        return kept


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool)


class _Tables:
    """Takes the data out of a rebuilt specification: a table a list of records, a set of equal lists."""

    def __init__(self, document: Document, budget: Budget, known: frozenset[str]) -> None:
        self.document, self.budget, self.known = document, budget, known
        self.count = 0

    def add(self, names: list[str], columns: list[list[Any]]) -> None:
        """A table of columns of equal length."""
        self.count += 1
        rows = [[_cell(value) for value in row] for row in zip(*columns, strict=True)]
        built = headed(f"data {self.count}", [names, *rows], self.budget)
        if built is not None:
            self.document.tables.append(built)

    def records(self, rows: list[Any]) -> bool:
        """Take a list of records or of points; False if it is neither."""
        if len(rows) and all(isinstance(row, dict) for row in rows):
            flat = [dict(_flat(row)) for row in rows]
            names = list(dict.fromkeys(name for row in flat for name in row))
            self.add(names, [[row.get(name) for row in flat] for name in names])
            return True
        if len(rows) and all(isinstance(row, list) and all(map(_scalar, row)) for row in rows):
            wide = max(map(len, rows))
            self.add(
                [f"value {i + 1}" for i in range(wide)],
                [[row[i] if i < len(row) else None for row in rows] for i in range(wide)],
            )
            return True
        return False

    def walk(self, value: Any, where: str, axis: list[Any] | None = None) -> None:
        """Everything below ``value``. ``axis``: categories that a list of the same length belongs to."""
        if isinstance(value, str):
            if value:
                self.document.pieces.append(Piece(where, value))
        elif isinstance(value, dict):
            lists = {
                k: v for k, v in value.items() if isinstance(v, list) and len(v) > 1 and all(map(_scalar, v))
            }
            sizes = {len(v) for v in lists.values()}
            if len(lists) > 1 and len(sizes) == 1:
                self.add(list(lists), list(lists.values()))
            else:
                for key, column in lists.items():
                    paired = axis is not None and len(axis) == len(column) and column is not axis
                    names = ["category", key] if paired else [key]
                    self.add(names, [axis, column] if paired and axis is not None else [column])
            for key, child in value.items():
                if key not in lists:
                    if key not in self.known:  # the name of a set of data, which is the job's to choose
                        self.document.pieces.append(Piece(f"{where} name".strip(), key))
                    self.walk(child, f"{where} {key}".strip(), axis)
        elif isinstance(value, list):
            if where.rpartition(" ")[2] in _PARTS or not self.records(value):
                for child in value:
                    self.walk(child, where, axis)
        elif _significant(_cell(value)) >= _TELLING:
            self.document.pieces.append(Piece(where, _cell(value)))


def _significant(number: str) -> int:
    """Digits of a number without leading and trailing noughts."""
    return len(re.sub(r"[^0-9]", "", number.lower().partition("e")[0]).strip("0"))


def _flat(row: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        name = f"{path}.{key}" if path else key
        if value in ({}, []):  # nothing inside: the name is there all the same
            yield name, None
        elif isinstance(value, dict):
            yield from _flat(value, name)
        elif isinstance(value, list):
            yield from _flat({str(i + 1): child for i, child in enumerate(value)}, name)
        else:
            yield name, value


def _axis(spec: Mapping[str, Any]) -> list[Any] | None:
    """The categories of an ECharts axis."""
    for name in ("xAxis", "yAxis"):
        axes = spec.get(name)
        for axis in axes if isinstance(axes, list) else [axes]:
            if (
                isinstance(axis, dict)
                and isinstance(axis.get("data"), list)
                and all(map(_scalar, axis["data"]))
            ):
                return list(axis["data"])
    return None


def lay_open(document: Document, value: Any, budget: Budget) -> Any:
    """The specification as it may leave; its data are added to ``document`` as tables, its text as pieces.

    Raises ``Unreadable`` (active, external, malformed, nested, size).
    """
    of = kind(value)
    assert of is not None
    spec = _Rebuild(document, of).value(value, "$root")
    tables = _Tables(document, budget, _KEYS[of])
    axis = _axis(spec)
    for key, child in spec.items():
        if key == "$schema":
            continue
        things = key in _DRAWN and isinstance(child, list)
        for index, thing in enumerate(child if things else [child]):
            own = None if key in ("xAxis", "yAxis") else axis
            tables.walk(thing, f"{key} {index + 1}" if things else key, own)
    return spec
