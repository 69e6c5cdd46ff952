"""The frontier of risk against loss of a search for anonymity: the operator chooses by looking."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from sandbox.console.forms import read_yaml, short_enough
from sandbox.console.nodes import Frontier, Point, packed, read_report, unpacked
from sandbox.console.render import render, told
from sandbox.console.visit import BASE, MAX_FILE, Visit, go
from sandbox.core.errors import SandboxError, fail

URL = f"{BASE}/operate/frontier"
MAX_FILES = 2
METHODS: dict[str, str] = {"lattice": "泛化格", "mondrian": "Mondrian"}
RELEASES: dict[str, str] = {"public": "公开共享", "controlled": "受控共享", "enclave": "领地共享"}


@dataclass(frozen=True)
class Row:
    """A point as a line of the table. ``url``: the editor with it, "" where a recipe cannot say it."""

    number: int
    method: str
    point: Point
    levels: str
    url: str


@dataclass(frozen=True)
class FrontierPage:
    """What ``frontier.html`` shows."""

    rows: tuple[Row, ...]
    chart_url: str
    described: bool  # the hierarchies are known


def _url(at: str, number: int) -> str:
    return f"{BASE}/operate/recipe?at={at}&point={number}"


def _sorted(frontier: Frontier) -> list[tuple[int, Point]]:
    return sorted(enumerate(frontier.points), key=lambda one: (one[1].method, -one[1].risk))


def model(visit: Visit, at: str, frontier: Frontier) -> FrontierPage:
    """The points, the riskiest of each method first."""
    described = bool(frontier.columns)
    return FrontierPage(
        rows=tuple(
            Row(
                number,
                visit.say(METHODS[point.method]),
                point,
                ", ".join(f"{name} {level}" for name, level in (point.levels or {}).items()),
                _url(at, number) if point.levels and described else "",
            )
            for number, point in _sorted(frontier)
        ),
        chart_url=f"{URL}/chart.json?at={at}",
        described=described,
    )


def _shown(visit: Visit, page: FrontierPage | None, error: SandboxError | None = None) -> Response:
    return render(
        visit,
        "frontier.html",
        error.status if error else 200,
        page=page,
        max_kib=MAX_FILE >> 10,
        url=URL,
        errors=[told(visit, error)] if error else [],
    )


def page(visit: Visit) -> Response:
    """The form, and with ``at`` the picture."""
    at = visit.query("at")
    if not at:
        return _shown(visit, None)
    try:
        return _shown(visit, model(visit, at, unpacked(at)))
    except SandboxError as error:
        return _shown(visit, None, error)


def read(visit: Visit) -> Response:
    """The report of a search and the description that it was made with, from the operator's files: on to the
    page that draws it. A refusal shows the form again."""
    try:
        return go(f"{URL}?at={packed(_given(visit))}")
    except SandboxError as error:
        return _shown(visit, None, error)


def _given(visit: Visit) -> Frontier:
    """Raises FRONTIER_REPORT, FORM_YAML, FORM_YAML_LONG, TOO_LARGE."""
    report = description = None
    for one in visit.files:
        if len(one.content) > MAX_FILE:
            raise fail("TOO_LARGE", max=MAX_FILE)
        try:
            text = one.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise fail("FRONTIER_REPORT", what="UTF-8") from None
        try:
            found: Any = json.loads(text)
        except (ValueError, RecursionError):
            short_enough(text)
            found = read_yaml(text, "fields")
        if isinstance(found, dict) and "frontier" in found:
            report = found
        else:
            description = found
    return read_report(report, description)


def chart(visit: Visit) -> Response:
    """The picture: the highest risk across, logarithmic, the loss upwards. Raises FRONTIER_REPORT."""
    at = visit.query("at")
    return JSONResponse(option(visit, at, unpacked(at)), headers={"cache-control": "no-store"})


def option(visit: Visit, at: str, frontier: Frontier) -> dict[str, Any]:
    """As ``macros.chart`` has it: filled marks are on the frontier, the ringed one was asked for."""
    series: list[dict[str, Any]] = []
    for method, symbol, colour in (("lattice", "circle", "--accent"), ("mondrian", "rect", "--hold")):
        own = [(number, one) for number, one in _sorted(frontier) if one.method == method]
        if not own:
            continue
        series.append(
            {
                "name": visit.say(METHODS[method]),
                "type": "line",
                "lineStyle": {"width": 1, "color": colour},
                "itemStyle": {"color": colour},
                "data": [_mark(visit, at, frontier, symbol, *one) for one in own],
            }
        )
    if series and frontier.releases:
        series[0]["markLine"] = {
            "symbol": "none",
            "lineStyle": {"type": "dashed", "color": "--hard"},
            "label": {"formatter": "{b}", "position": "end"},
            "data": [
                {"xAxis": risk, "name": visit.say(RELEASES[name])}
                for name, risk in frontier.releases.items()
                if risk
            ],
        }
    return {
        "legend": {"bottom": 0},
        "grid": {"left": 64, "right": 24, "top": 34, "bottom": 66},
        "tooltip": {"trigger": "item", "formatter": "{a} · {b}"},
        "xAxis": {
            "type": "log",
            "name": visit.say("最高重标识风险（对数）"),
            "nameLocation": "middle",
            "nameGap": 26,
            "max": 1,
        },
        "yAxis": {"type": "value", "name": visit.say("损失（粒度）"), "min": 0, "boundaryGap": [0, "15%"]},
        "series": series,
    }


def _mark(
    visit: Visit, at: str, frontier: Frontier, symbol: str, number: int, point: Point
) -> dict[str, Any]:
    filled = symbol if point.pareto else f"empty{symbol.capitalize()}"
    told = {
        "value": [point.risk, point.loss],
        "name": f"k = {point.k}",
        "symbol": filled,
        "symbolSize": 16 if point.chosen else 9,
        "label": {"show": True, "formatter": "{b}", "position": "top", "color": "--ink"},
    }
    if point.levels and frontier.columns:
        told["url"] = _url(at, number)
    return told
