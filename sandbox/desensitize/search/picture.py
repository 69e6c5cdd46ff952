"""Pictures for the report: SVG without script, text escaped, numbers only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

WIDTH, HEIGHT = 640, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 20, 20, 46
_COLOURS = {"lattice": "#1b4f8a", "mondrian": "#7a4a00"}


def _frame(body: str, label: str, height: int = HEIGHT) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
        f'height="{height}" role="img" aria-label="{escape(label)}">{body}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}/>'


def _mark(method: str, x: float, y: float, best: bool) -> str:
    colour = _COLOURS[method]
    fill = colour if best else "#fff"
    if method == "lattice":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" stroke="{colour}" fill="{fill}"/>'
    return f'<rect x="{x - 5:.1f}" y="{y - 5:.1f}" width="10" height="10" stroke="{colour}" fill="{fill}"/>'


def frontier(
    points: Sequence[Mapping[str, Any]], thresholds: Mapping[str, float], words: Mapping[str, str]
) -> str:
    """Highest risk (across, logarithmic) against loss (upwards); filled marks are on the frontier, the ring
    is the one chosen. ``thresholds``: risks that kinds of release accept. ``words``: see ``report``."""
    if not points:
        return ""
    risks = [*(float(p["risk"]) for p in points), *thresholds.values()]
    low, high = math.log10(min(risks)) - 0.1, math.log10(max(risks)) + 0.1
    most = max(float(p["loss"]) for p in points) * 1.1 or 1.0

    def at(risk: float, loss: float) -> tuple[float, float]:
        x = _LEFT + (math.log10(risk) - low) / (high - low) * (WIDTH - _LEFT - _RIGHT)
        return x, HEIGHT - _BOTTOM - loss / most * (HEIGHT - _TOP - _BOTTOM)

    axis = 'stroke="#555"'
    body = [
        _line(_LEFT, HEIGHT - _BOTTOM, WIDTH - _RIGHT, HEIGHT - _BOTTOM, axis),
        _line(_LEFT, _TOP, _LEFT, HEIGHT - _BOTTOM, axis),
        _text((WIDTH + _LEFT) / 2, HEIGHT - 8, words["risk_axis"]),
        f'<text transform="translate(14 {HEIGHT / 2:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(words['loss_axis'])}</text>",
    ]
    for step in range(5):
        loss = most * step / 4
        body.append(_text(_LEFT - 6, at(10**low, loss)[1] + 4, f"{loss:.2f}", "end"))
    for name, risk in thresholds.items():
        x, _ = at(risk, 0)
        body.append(_line(x, _TOP, x, HEIGHT - _BOTTOM, 'stroke="#9b1c1c" stroke-dasharray="4 3"'))
        body.append(_text(x, _TOP - 6, words[name]))
        body.append(_text(x, HEIGHT - _BOTTOM + 16, f"{risk:.3g}"))
    for method in _COLOURS:
        own = sorted((p for p in points if p["method"] == method), key=lambda p: float(p["risk"]))
        way = " ".join("{:.1f},{:.1f}".format(*at(float(p["risk"]), float(p["loss"]))) for p in own)
        if way:
            body.append(f'<polyline points="{way}" fill="none" stroke="{_COLOURS[method]}"/>')
        for point in own:
            x, y = at(float(point["risk"]), float(point["loss"]))
            body.append(_mark(method, x, y, bool(point["pareto"])))
            body.append(_text(x, y - 9, f"k={int(point['k'])}"))
            if point["chosen"]:
                body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="10" fill="none" stroke="#1d5c2e"/>')
    return _frame("".join(body), words["frontier"])


def bars(rows: Sequence[tuple[str, float, str]], label: str) -> str:
    """Horizontal bars: (name, value from 0 to 1, what is written beside it)."""
    step, left = 26, 170
    body = []
    for number, (name, value, told) in enumerate(rows):
        y = 8 + number * step
        wide = max(0.0, min(value, 1.0)) * (WIDTH - left - 90)
        body.append(_text(left - 8, y + 14, name, "end"))
        body.append(f'<rect x="{left}" y="{y}" width="{wide:.1f}" height="18" fill="#1b4f8a"/>')
        body.append(_text(left + wide + 6, y + 14, told, "start"))
    return _frame("".join(body), label, 16 + step * len(rows))
