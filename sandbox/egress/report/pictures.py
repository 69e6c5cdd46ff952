"""The pictures of a report as inline SVG: sizes of cells, map of cells, overlap with releases, bits."""

from __future__ import annotations

from html import escape
from typing import Any

from sandbox.egress.report.words import safe, visible, word

_COLOURS = {".": "#b9dcc2", "s": "#9b1c1c", "d": "#c46a00", "0": "#4a6fa5", "?": "#e4e4e4"}
_MARKS = {"s": "×", "d": "!", "0": "0"}  # not by colour alone
_WIDE, _COLUMNS, _SIDE = 640, 40, 16
_RELEASES = ("DIFFERENCING", "RECONSTRUCTION", "LEDGER")


def _text(x: float, y: float, words: Any, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{extra}>{escape(visible(words))}</text>'


def _svg(width: float, height: float, body: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img">'
        f"<title>{escape(visible(title))}</title>{body}</svg>"
    )


def _bar(y: float, label: str, share: float, told: str, colour: str) -> str:
    long = max(0.0, min(1.0, share)) * 380
    return (
        _text(150, y + 14, label, "end")
        + f'<rect x="160" y="{y:.0f}" width="{max(long, 1):.1f}" height="18" fill="{colour}"/>'
        + _text(168 + long, y + 14, told)
    )


def _figure(caption: str, picture: str) -> str:
    return f"<figure><figcaption>{caption}</figcaption>{picture}</figure>"


def _sizes(one: dict[str, Any], lang: str) -> str:
    most = max((band["cells"] for band in one["sizes"]), default=0) or 1
    bars = "".join(
        _bar(
            22 * number,
            band["label"],
            band["cells"] / most,
            f"{band['cells']} {word('cells', lang)}",
            _COLOURS["s"] if band["below"] else "#4d8c5e",
        )
        for number, band in enumerate(one["sizes"])
    )
    name = f"{one['path']} {one['part']}".strip()
    caption = (
        f"{escape(word('sizes', lang))}: {safe(name)} ({escape(word('s', lang))}: &lt; {one['threshold']})"
    )
    return _figure(caption, _svg(_WIDE, 22 * len(one["sizes"]), bars, word("sizes", lang)))


def _map(one: dict[str, Any], lang: str) -> str:
    states = [state if state in _COLOURS else "?" for state in one["states"]]
    squares = []
    for number, state in enumerate(states):
        x, y = number % _COLUMNS * _SIDE, number // _COLUMNS * _SIDE
        squares.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{_COLOURS[state]}"/>')
        if state in _MARKS:
            squares.append(_text(x + 7, y + 11, _MARKS[state], "middle", ' style="fill:#fff"'))
    told = " · ".join(
        f'<span style="border-left:.9em solid {colour};padding-left:.3em">{escape(word(state, lang))} '
        f"{states.count(state)}</span>"
        for state, colour in _COLOURS.items()
        if state in states
    )
    height = -(-len(states) // _COLUMNS) * _SIDE
    caption = f"{escape(word('map', lang))} ({len(states)} / {one['cells']}): {told}"
    return _figure(caption, _svg(_COLUMNS * _SIDE, height, "".join(squares), word("map", lang)))


def _overlap(report: dict[str, Any], lang: str) -> str:
    found = [item for item in report["findings"] if item["rule"] in _RELEASES]
    caption = escape(word("overlap", lang))
    if not found:
        seen = (report.get("ledger") or {}).get("seen")
        told = len(seen) if isinstance(seen, list | tuple) else "?"
        return _figure(caption, f"<p>{escape(word('no_overlap', lang))}: {told}</p>")
    bars = []
    most = max((_number(item["evidence"].get("count")) for item in found), default=0) or 1
    for number, item in enumerate(found[:20]):
        told = item["evidence"]
        rate, limit = _number(told.get("rate")), _number(told.get("limit"))
        share = rate / limit if limit else _number(told.get("count")) / most
        words = (
            f"{rate:g} / {word('limit', lang)} {limit:g}" if limit else f"{_number(told.get('count')):g} ×"
        )
        colour = "#9b1c1c" if item["severity"] == "hard" else "#c46a00"
        bars.append(
            _bar(22 * number, str(told.get("release", ""))[:24], share, f"{item['rule']} {words}", colour)
        )
    return _figure(caption, _svg(_WIDE, 22 * len(bars), "".join(bars), word("overlap", lang)))


def _bits(report: dict[str, Any], lang: str, budget: int | None) -> str:
    told = report.get("capacity") or {}
    limit = _number(told.get("budget")) or float(budget or 0)
    if not told or not limit:
        return ""
    bits, spent = _number(told.get("bits")), _number(told.get("spent"))
    rows = [("spent", spent, "#8a8f94"), ("this", bits, "#1b4f8a"), ("budget", limit, "#b9dcc2")]
    bars = "".join(
        _bar(22 * n, word(name, lang), value / limit, f"{value:,.0f} {word('bits', lang)}", colour)
        for n, (name, value, colour) in enumerate(rows)
    )
    head = word("capacity_head", lang)
    return _figure(escape(head), _svg(_WIDE, 66, bars, head))


def _number(told: Any) -> float:
    return float(told) if isinstance(told, int | float) and told == told else 0.0


def drawn(report: dict[str, Any], lang: str, budget: int | None) -> str:
    """The section with all pictures."""
    tables = report.get("pictures") or ()
    parts = [_bits(report, lang, budget), _overlap(report, lang)]
    parts += [_sizes(one, lang) + _map(one, lang) for one in tables]
    return f"<h2>{escape(word('pictures', lang))}</h2>" + "".join(parts)
