"""SVG: drawn shapes, text and the coordinates behind them; scripts, links and foreign content are refused.

What leaves is rebuilt from the elements and attributes below, with numbers rounded to a thousandth of the
drawing and colours to sixteen steps a channel. All else is dropped, and its text comes to light.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree
from PIL import Image, ImageColor

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers import package
from sandbox.egress.readers.grid import headed
from sandbox.egress.readers.text import decode

NAMESPACE = "http://www.w3.org/2000/svg"
_DRAWN = {
    *(
        "svg",
        "g",
        "defs",
        "symbol",
        "use",
        "path",
        "rect",
        "circle",
        "ellipse",
        "line",
        "polyline",
        "polygon",
    ),
    *(
        "text",
        "tspan",
        "textPath",
        "clipPath",
        "mask",
        "pattern",
        "marker",
        "linearGradient",
        "radialGradient",
    ),
    *("stop", "image", "a", "switch"),
}
_DROPPED = {"title", "desc", "metadata", "style"}
_NUMBERS = {
    *("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "width", "height", "dx", "dy", "offset"),
    *("fx", "fy", "stroke-width", "font-size", "opacity", "fill-opacity", "stroke-opacity", "stop-opacity"),
    *("stroke-dasharray", "stroke-dashoffset", "stroke-miterlimit", "viewBox", "points", "refX", "refY"),
    *("markerWidth", "markerHeight"),
}
_COLOURS = {"fill", "stroke", "stop-color", "color"}
_WORDS = {
    "text-anchor": r"start|middle|end",
    "font-weight": r"normal|bold|bolder|lighter|[1-9]00",
    "font-style": r"normal|italic|oblique",
    "stroke-linecap": r"butt|round|square",
    "stroke-linejoin": r"miter|round|bevel",
    "fill-rule": r"nonzero|evenodd",
    "clip-rule": r"nonzero|evenodd",
    "dominant-baseline": r"auto|middle|central|hanging|alphabetic|text-before-edge|text-after-edge",
    "gradientUnits": r"userSpaceOnUse|objectBoundingBox",
    "patternUnits": r"userSpaceOnUse|objectBoundingBox",
    "clipPathUnits": r"userSpaceOnUse|objectBoundingBox",
    "orient": r"auto|auto-start-reverse",
}
_KNOWN = frozenset(
    {*_NUMBERS, *_COLOURS, "d", "transform", "gradientTransform", "patternTransform", "style", "href"}
)
_NOTABLE = re.compile(r"[\u3400-\u9fff]|[0-9]{6}|[0-9A-Za-z+/]{20}|@|--")
_LOCAL = re.compile(r"url\(\s*['\"]?#([^'\")]+)['\"]?\s*\)|#(.+)")
_NUMBER = re.compile(r"[-+]?(?:[0-9]{1,12}\.?[0-9]{0,20}|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,2})?")
_STEPS = re.compile(r"([A-Za-z])|(" + _NUMBER.pattern + r")|[\s,]+")
_ARGUMENTS = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "A": 7, "Z": 0}
_HEX = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?:,\s*([0-9.]+)\s*)?\)")
# Named colours of CSS, and the words that may stand for one
_NAMED = frozenset({*ImageColor.colormap, "none", "currentcolor", "transparent", "inherit"})
_IMAGE = re.compile(r"data:image/(?:png|jpe?g);base64,([A-Za-z0-9+/=\s]+)", re.IGNORECASE)
_MARKS = {
    "circle": ("cx", "cy", "r"),
    "ellipse": ("cx", "cy", "rx", "ry"),
    "rect": ("x", "y", "width", "height"),
    "use": ("x", "y"),
    "line": ("x1", "y1", "x2", "y2"),
    "text": ("x", "y"),
}


def spelled(value: float, decimals: int) -> str:
    """A number in its shortest spelling with ``decimals``."""
    number = round(value, decimals)
    if not math.isfinite(number):
        raise Unreadable("malformed")
    text = f"{number:.{max(decimals, 0)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def colour(text: str) -> str | None:
    """A colour in sixteen steps a channel; None for what is none."""
    plain = text.strip()
    if match := _HEX.fullmatch(plain):
        digits = match.group(1)
        pairs = [digits[i : i + 2] for i in (0, 2, 4)] if len(digits) == 6 else [d * 2 for d in digits]
        levels = [int(pair, 16) for pair in pairs]
    elif match := _RGB.fullmatch(plain):
        levels = [min(255, int(match.group(i))) for i in (1, 2, 3)]
        if match.group(4) is not None and float(match.group(4).strip(".") or 0) == 0:
            return "none"
    else:
        # any other word would be text that a person sees nowhere and no check reads
        return plain.lower() if plain.lower() in _NAMED else None
    return "#" + "".join(f"{round(level / 17):x}" for level in levels)


def picture(document: Document, where: str, address: str, budget: Budget) -> Image.Image:
    """The pixels of a data address. Raises ``Unreadable`` (external, embedded)."""
    match = _IMAGE.fullmatch(address.strip())
    if match is None:
        raise Unreadable("embedded" if address.strip().lower().startswith("data:") else "external")
    try:
        data = base64.b64decode(re.sub(r"\s", "", match.group(1)), validate=True)
    except (binascii.Error, ValueError):
        raise Unreadable("malformed") from None
    return package.picture(document, where, data, budget)


@dataclass
class Drawing:
    """Rebuilds one drawing. ``marks``: coordinates by element."""

    document: Document
    budget: Budget
    decimals: int = 1
    marks: dict[str, list[list[str]]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    shown: set[etree._Element] = field(default_factory=set)
    images: list[tuple[etree._Element, Image.Image]] = field(default_factory=list)
    made: etree._Element = None

    def name(self, old: str) -> str:
        """An id of ours for one of the file."""
        return self.names.setdefault(old, f"n{len(self.names) + 1}")

    def numbers(self, text: str, decimals: int | None = None) -> str | None:
        """A list of numbers rounded, units dropped but for %; None for what is none."""
        values = _values(text)
        if values is None:
            return None
        places = self.decimals if decimals is None else decimals
        return " ".join(spelled(value, places) for value in values) + (
            "%" if text.strip().endswith("%") else ""
        )

    def transform(self, text: str) -> str | None:
        """The transforms of SVG 1.1, section 7.6, rounded; None for anything else."""
        found = re.findall(r"\s*,?\s*(matrix|translate|scale|rotate|skewX|skewY)\s*\(([^()]*)\)", text)
        if re.sub(r"\s*,?\s*(?:matrix|translate|scale|rotate|skewX|skewY)\s*\([^()]*\)", "", text).strip():
            return None
        parts = [(kind, self.numbers(inner, 4)) for kind, inner in found]
        return " ".join(f"{kind}({inner})" for kind, inner in parts if inner is not None)

    def path(self, text: str) -> tuple[str, list[tuple[float, float]]]:
        """(path data rounded, its end points). Raises ``Unreadable`` (malformed)."""
        out: list[str] = []
        points: list[tuple[float, float]] = []
        for command, numbers in _commands(text):
            out.append(command + " ".join(spelled(n, self.decimals) for n in numbers))
            if command != "Z":
                x, y = points[-1] if points else (0.0, 0.0)
                x = numbers[0] if command == "H" else x if command == "V" else numbers[-2]
                points.append((x, numbers[-1] if command != "H" else y))
        return "".join(out), points

    def attributes(self, node: etree._Element) -> dict[str, str]:
        """The attributes that leave. Raises ``Unreadable`` (active, external)."""
        kept: dict[str, str] = {}
        for key, value in sorted(_given(node).items()):  # ids are numbered as they come
            made = self.attribute(key, value)
            if made is not None:
                kept[key] = made
        return kept

    def attribute(self, key: str, value: str) -> str | None:
        """One attribute as it may leave, or None."""
        if key.lower().startswith("on") or re.match(r"\s*(?:javascript|vbscript)\s*:", value, re.I):
            raise Unreadable("active")
        if re.search(r"url\(\s*['\"]?(?!#|data:)", value, re.I):
            raise Unreadable("external")
        if key in ("id", "clip-path", "mask", "marker-start", "marker-mid", "marker-end") or (
            key in _COLOURS and "url(" in value
        ):
            match = _LOCAL.fullmatch(value.strip())
            if key == "id":
                return self.name(value)
            return f"url(#{self.name(match.group(1))})" if match and match.group(1) else None
        if key in _COLOURS:
            return colour(value)
        if key in ("transform", "gradientTransform", "patternTransform"):
            return self.transform(value)
        if key == "d":
            return self.path(value)[0]
        if key in _NUMBERS:
            fine = "opacity" in key or key == "offset"
            return self.numbers(value, 2 if fine else None)
        if key == "font-family":
            kinds = re.findall(r"serif|sans-serif|monospace", value)
            return kinds[-1] if kinds else "sans-serif"
        return value if key in _WORDS and re.fullmatch(_WORDS[key], value) else None

    def rebuild(self, node: etree._Element, level: int = 0) -> etree._Element | None:
        """The element as it may leave, or None. Raises ``Unreadable``."""
        name = package.local(node)
        if level > self.budget.depth:
            raise Unreadable("nested")
        if not name or name in _DROPPED:
            text = "" if not name else str(node.text or "")
            if re.search(r"@import|url\(\s*['\"]?(?!#|data:)|expression\s*\(", text, re.I):
                raise Unreadable("external")
            return None
        if name not in _DRAWN:
            raise Unreadable("active")
        given = _given(node)
        if (
            given.get("display") == "none"
            or given.get("visibility") in ("hidden", "collapse")
            or self.numbers(given.get("opacity", "1"), 2) == "0"
        ):
            return None
        kept = self.attributes(node)
        made = etree.Element("g" if name in ("a", "switch") else name, kept)
        address = next((str(v) for k, v in node.attrib.items() if package.name_of(k) == "href"), "")
        if name == "image":
            self.images.append((made, picture(self.document, "drawing image", address, self.budget)))
        elif address and name != "a":
            match = _LOCAL.fullmatch(address.strip())
            if match is None or not match.group(2):
                raise Unreadable("external")
            made.set("href", f"#{self.name(match.group(2))}")
        elif address and re.match(r"\s*(?:javascript|data|vbscript)\s*:", address, re.I):
            raise Unreadable("active")
        self._mark(name, node, kept)
        if name in ("text", "tspan", "textPath") and node.text and node.text.strip():
            made.text = clean_text(node.text)
            self.shown.add(node)
            self.texts.append(made.text)
        for child in node:
            inner = self.rebuild(child, level + 1)
            if inner is not None:
                made.append(inner)
                if name in ("text", "tspan") and child.tail and child.tail.strip():
                    inner.tail = clean_text(child.tail)
                    self.texts.append(inner.tail)
        return made

    def _mark(self, name: str, node: etree._Element, kept: dict[str, str]) -> None:
        rows = self.marks.setdefault(name, [])
        if name in _MARKS and any(key in kept for key in _MARKS[name]):
            rows.append([kept.get(key, "") for key in _MARKS[name]])
        elif name == "path" and node.get("d"):
            rows += [
                [spelled(x, self.decimals), spelled(y, self.decimals)] for x, y in self.path(node.get("d"))[1]
            ]
        elif name in ("polyline", "polygon") and "points" in kept:
            flat = kept["points"].split()
            rows += [list(pair) for pair in zip(flat[::2], flat[1::2], strict=False)]
        if sum(map(len, self.marks.values())) > self.budget.cells // 4:
            raise Unreadable("size")


_PROLOGUE = re.compile(
    r"^\s*(?:<\?xml [^<>]*\?>)?\s*"
    r"(?:<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1\.[01]//EN\"\s+\"[^\"<>]{1,80}\"\s*>)?"
)


def parse(text: str) -> etree._Element:
    """The tree of a drawing; the document type of SVG 1.1 is known and not loaded. Raises ``Unreadable``."""
    return package.tree(_PROLOGUE.sub("", text, count=1).encode())


def _values(text: str) -> list[float] | None:
    """The numbers of an attribute, units dropped; None for what is no list of numbers."""
    plain = re.sub(r"(?<=[0-9.])(?:px|pt|mm|cm|em)\b", "", text.strip()).removesuffix("%")
    parts = re.split(r"[\s,]+", plain)
    return [float(part) for part in parts] if all(_NUMBER.fullmatch(part) for part in parts) else None


def _given(node: etree._Element) -> dict[str, str]:
    """The attributes of an element, those of its style included."""
    given = {package.name_of(key): str(value) for key, value in node.attrib.items()}
    for part in given.pop("style", "").split(";"):
        key, _, value = part.partition(":")
        given[key.strip()] = value.strip()
    return given


def _commands(text: str) -> Iterator[tuple[str, list[float]]]:
    """The commands of path data (SVG 1.1, section 8.3) in absolute coordinates. Raises ``Unreadable``."""
    position, command, x, y, first = 0, "", 0.0, 0.0, (0.0, 0.0)
    while position < len(text):
        if match := re.compile(r"[\s,]+").match(text, position):
            position = match.end()
            continue
        if text[position].isalpha():
            command, position = text[position], position + 1
        elif not command or command in "zZ":
            raise Unreadable("malformed")
        kind = command.upper()
        if kind not in _ARGUMENTS:
            raise Unreadable("malformed")
        numbers: list[float] = []
        for index in range(_ARGUMENTS[kind]):
            position = re.compile(r"[\s,]*").match(text, position).end()  # type: ignore[union-attr]
            flag = kind == "A" and index in (3, 4)  # flags may stand without a separator
            match = re.compile("[01]").match(text, position) if flag else _NUMBER.match(text, position)
            if match is None:
                raise Unreadable("malformed")
            numbers.append(float(match.group()))
            position = match.end()
        if command.islower():
            step = {"H": [x], "V": [y], "A": [0, 0, 0, 0, 0, x, y]}.get(kind, [x, y] * (len(numbers) // 2))
            numbers = [a + b for a, b in zip(numbers, step, strict=True)]
        if kind == "Z":
            x, y = first
        else:
            x = numbers[0] if kind == "H" else x if kind == "V" else numbers[-2]
            y = numbers[-1] if kind != "H" else y
        if kind == "M":
            first = (x, y)
        yield kind, numbers
        command = {"m": "l", "M": "L"}.get(command, command)


def _decimals(root: etree._Element) -> int:
    """Decimals that make a thousandth of the drawing."""
    given = _given(root)  # what does not leave as a number does not count: the drawing is read again
    sizes = (_values(given.get("viewBox", "")) or [])[2:4]
    if not sizes:
        sizes = [number for key in ("width", "height") for number in (_values(given.get(key, "")) or [])[:1]]
    size = float(f"{max(sizes, default=0.0):.3g}")  # the same after rounding
    if not math.isfinite(size):
        raise Unreadable("malformed")
    return min(6, max(0, 3 - math.floor(math.log10(size)))) if round(size, 6) > 0 else 1


def lay_open(document: Document, root: etree._Element, budget: Budget, where: str = "") -> Drawing:
    """Rebuild a drawing (``Drawing.made``); text becomes pieces, coordinates views, the rest hidden pieces.

    Raises ``Unreadable``.
    """
    drawing = Drawing(document, budget, _decimals(root))
    made = drawing.rebuild(root)
    if made is None:
        raise Unreadable("empty")
    drawing.made = made
    document.drawings += 1
    label = f"{where} " if where else ""
    document.pieces.extend(Piece(f"{label}text {i + 1}", text) for i, text in enumerate(drawing.texts))
    package.bring_to_light(
        document, f"{label}drawing", root, lambda element: element in drawing.shown, known=_KNOWN
    )
    document.pieces = [
        piece for piece in document.pieces if not (piece.hidden and piece.text in drawing.texts)
    ]
    styles = {str(node.get("style", "")) for node in root.iter("*")}
    unlike = sorted(style for style in styles if _NOTABLE.search(style))
    document.pieces.extend(Piece(f"{label}style", style, hidden=True) for style in unlike)
    for name, rows in drawing.marks.items():
        columns = [list(_MARKS.get(name, ("x", "y")))]
        built = headed(f"{label}{name} coordinates", columns + rows, budget) if len(rows) > 1 else None
        if built is not None:
            document.views.append(built)
    return drawing


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``. Raises ``Unreadable`` (active, external, embedded, malformed, nested, size)."""
    root = parse(decode(data))
    if package.local(root) != "svg":
        raise Unreadable("mismatch")
    document.body = lay_open(document, root, budget)
