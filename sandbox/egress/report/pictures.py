"""The pictures of a report as inline SVG: sizes and map of cells, overlap with releases, bits, attacks."""

from __future__ import annotations

from html import escape
from math import log10
from typing import Any

from sandbox.egress.report.words import safe, visible, word

_COLOURS = {".": "#7fb694", "s": "#c93a34", "d": "#b06a10", "0": "#4a6fa5", "?": "#9aa4ad"}
_MARKS = {"s": "×", "d": "!", "0": "0"}  # not by colour alone
_WIDE, _COLUMNS, _SIDE = 420, 26, 16  # legible on a narrow screen, and two beside one another on a wide one
_LABEL, _BAR, _ROW = 78, 210, 22
_RELEASES = ("DIFFERENCING", "RECONSTRUCTION", "LEDGER")
_LEAST = 3  # decades of rates that a curve shows


def _text(x: float, y: float, words: Any, anchor: str = "start", extra: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{extra}>{escape(visible(words))}</text>'


def _svg(width: float, height: float, body: str, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img">'
        f"<title>{escape(visible(title))}</title>{body}</svg>"
    )


def _key(colour: str) -> str:
    """A square of a colour, for a legend. No style attribute: the console's policy allows none."""
    return (
        '<svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">'
        f'<rect width="10" height="10" fill="{colour}"/></svg>'
    )


def _bar(y: float, label: str, share: float, told: str, colour: str, left: float = _LABEL) -> str:
    """A bar with its label before and its value behind it; ``left``: how wide the label is."""
    long = max(0.0, min(1.0, share)) * (_BAR + _LABEL - left)
    return (
        _text(left, y + 14, label, "end")
        + f'<rect x="{left + 8:.0f}" y="{y:.0f}" width="{max(long, 1):.1f}" height="18" fill="{colour}"/>'
        + _text(left + 14 + long, y + 14, told)
    )


def _line(x1: float, y1: float, x2: float, y2: float, extra: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="currentColor"{extra}/>'


def _figure(caption: str, picture: str) -> str:
    return f"<figure><figcaption>{caption}</figcaption>{picture}</figure>"


def _sizes(one: dict[str, Any], lang: str) -> str:
    """Bands of sizes, with the line of the threshold between those that are too small and the others."""
    most = max((band["cells"] for band in one["sizes"]), default=0) or 1
    small = sum(1 for band in one["sizes"] if band["below"])
    gap = 16 if small else 0
    bars = "".join(
        _bar(
            _ROW * number + (0 if band["below"] else gap),
            band["label"],
            band["cells"] / most,
            f"{band['cells']} {word('cells', lang)}",
            _COLOURS["s"] if band["below"] else "#3f7d50",
        )
        for number, band in enumerate(one["sizes"])
    )
    if small:
        y = _ROW * small + gap / 2
        told = f"{word('limit_line', lang)} {one['threshold']}"
        bars += _line(0, y, _WIDE, y, ' stroke-width="1.5" stroke-dasharray="6 4"')
        bars += _text(_WIDE, y - 4, told, "end")
    name = f"{one['path']} {one['part']}".strip()
    caption = (
        f"{escape(word('sizes', lang))}: {safe(name)} ({escape(word('s', lang))}: &lt; {one['threshold']})"
    )
    return _figure(caption, _svg(_WIDE, _ROW * len(one["sizes"]) + gap, bars, word("sizes", lang)))


def _map(one: dict[str, Any], lang: str) -> str:
    states = [state if state in _COLOURS else "?" for state in one["states"]]
    squares = []
    for number, state in enumerate(states):
        x, y = number % _COLUMNS * _SIDE, number // _COLUMNS * _SIDE
        squares.append(f'<rect x="{x}" y="{y}" width="14" height="14" fill="{_COLOURS[state]}"/>')
        if state in _MARKS:
            squares.append(_text(x + 7, y + 11, _MARKS[state], "middle", ' class="mark"'))
    told = " · ".join(
        f'<span class="key">{_key(colour)} {escape(word(state, lang))} {states.count(state)}</span>'
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
        colour = "#c93a34" if item["severity"] == "hard" else "#b06a10"
        y = 40 * number
        bars.append(_text(0, y + 12, f"{str(told.get('release', ''))[:24]} · {item['rule']}"))
        bars.append(_bar(y + 17, "", share, words, colour, -8))
    return _figure(caption, _svg(_WIDE, 40 * len(bars) / 2, "".join(bars), word("overlap", lang)))


def _bits(report: dict[str, Any], lang: str, budget: int | None) -> str:
    told = report.get("capacity") or {}
    limit = _number(told.get("budget")) or float(budget or 0)
    if not told or not limit:
        return ""
    bits, spent = _number(told.get("bits")), _number(told.get("spent"))
    rows = [("spent", spent, "#8a8f94"), ("this", bits, "#3a74b8"), ("budget", limit, "#7fb694")]
    bars = "".join(
        _bar(_ROW * n, word(name, lang), value / limit, f"{value:,.0f} {word('bits', lang)}", colour, 140)
        for n, (name, value, colour) in enumerate(rows)
    )
    head = word("capacity_head", lang)
    return _figure(escape(head), _svg(_WIDE, 66, bars, head))


def _number(told: Any) -> float:
    return float(told) if isinstance(told, int | float) and told == told else 0.0


def _curve(one: dict[str, Any], lang: str) -> str:
    """Rates of true against rates of false positives, by decades: what matters is where few are false."""
    left, low, wide, high = 58.0, 178.0, 340.0, 160.0

    def x(rate: float) -> float:
        return left + wide * _decade(rate)

    def y(rate: float) -> float:
        return low - high * _decade(rate)

    parts = []
    for decade in range(_LEAST + 1):
        rate = 10.0 ** (decade - _LEAST)
        thin = ' stroke-opacity="0.25"'
        parts += [
            _line(x(rate), low, x(rate), low - high, thin),
            _line(left, y(rate), left + wide, y(rate), thin),
        ]
        parts += [
            _text(x(rate), low + 15, f"{rate:.3g}", "middle"),
            _text(left - 6, y(rate) + 4, f"{rate:.3g}", "end"),
        ]
    parts.append(_line(left, low, left + wide, low - high, ' stroke-dasharray="5 4"'))
    parts.append(_text(x(0.35), y(0.09), word("chance", lang), "middle"))
    points = [(float(false), float(true)) for false, true in one["curve"]]
    colour = _COLOURS["s"] if one["auc"] > one["threshold"] else "#3f7d50"
    told = " ".join(f"{x(false):.1f},{y(true):.1f}" for false, true in points)
    parts.append(f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="3"/>')
    parts += [
        f'<circle cx="{x(false):.1f}" cy="{y(true):.1f}" r="3.5" fill="{colour}"/>' for false, true in points
    ]
    parts.append(_text(left + wide / 2, low + 32, word("false", lang), "middle"))
    parts.append(_text(0, 11, word("true", lang)))
    caption = (
        f"{escape(word('attack', lang))}: {safe(one['path'])} · {safe(one['raw'])} — AUC {one['auc']:.3g} "
        f"({escape(word('limit', lang))} {one['threshold']:.3g}) · {escape(word('low', lang))} "
        f"{one['tpr']:.1%} · {one['rows']:,} {escape(word('of_rows', lang))}"
    )
    return _figure(caption, _svg(_WIDE, low + 38, "".join(parts), word("attack", lang)))


def _decade(rate: float) -> float:
    """Where a rate stands on an axis of ``_LEAST`` decades, 0 to 1; what is smaller stands at its foot."""
    return 1 + log10(max(rate, 10.0**-_LEAST)) / _LEAST


def drawn(report: dict[str, Any], lang: str, budget: int | None) -> str:
    """The section with all pictures."""
    tables = report.get("pictures") or ()
    parts = [_bits(report, lang, budget), _overlap(report, lang)]
    parts += [_sizes(one, lang) + _map(one, lang) for one in tables]
    parts += [_curve(one, lang) for one in report.get("attacks") or ()]
    return f"<h2>{escape(word('pictures', lang))}</h2>" + "".join(parts)
