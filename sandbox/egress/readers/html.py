"""HTML reports: headings, paragraphs, lists, tables, pictures, inline drawings; nothing that acts or loads.

libxml2 parses, without network. What a style hides is dropped and comes to light, and so do comments,
attributes, style sheets and the head. Scripts, frames, forms, media and anything loaded from elsewhere are
refused: what a browser would make of them cannot be known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import lxml.html
from lxml import etree

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Block, Budget, Document, Piece, Unreadable
from sandbox.egress.readers import package, svg
from sandbox.egress.readers.grid import headed, square, tidy
from sandbox.egress.readers.text import decode

_ACTIVE = {
    *(
        "script",
        "iframe",
        "frame",
        "frameset",
        "object",
        "embed",
        "applet",
        "base",
        "form",
        "input",
        "button",
    ),
    *("select", "option", "textarea", "video", "audio", "source", "track", "portal", "canvas", "math", "svg"),
    *("bgsound", "layer", "keygen", "isindex", "param"),
}
_UNSEEN = {"template", "noscript", "datalist", "head", "title", "style", "meta", "link"}
_LEVELS = {f"h{i}": i for i in range(1, 7)}
_BLOCKS = {
    *(
        "p",
        "div",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "nav",
        "aside",
        "figure",
        "figcaption",
        "ul",
    ),
    *(
        "ol",
        "dl",
        "dt",
        "dd",
        "blockquote",
        "body",
        "html",
        "details",
        "summary",
        "address",
        "center",
        "hr",
        "br",
    ),
    *("fieldset", "legend", "hgroup", "dialog", "caption"),
}
_HIDES = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|(?:^|[;\s])opacity\s*:\s*0*(?:\.0*)?\s*(?:;|$|!)|"
    r"font-size\s*:\s*[01](?:\.\d+)?(?:px|pt|em|%)?\s*(?:;|$|!)|(?:^|[;\s])color\s*:\s*(?:transparent|white|#fff)|"
    r"(?:text-indent|left|top|margin-left)\s*:\s*-\d{3,}|clip(?:-path)?\s*:",
    re.IGNORECASE,
)
_LOADS = re.compile(r"@import|url\(\s*['\"]?(?!#)|expression\s*\(|behaviou?r\s*:|-moz-binding", re.IGNORECASE)
_ACTS = re.compile(r"\s*(?:javascript|vbscript|data)\s*:", re.IGNORECASE)
_RULES = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"^(?:([\w-]+)|\.([\w-]+)|#([\w-]+)|([\w-]+)\.([\w-]+))$")
_DRAWING = re.compile(r"<svg[\s>].*?</svg\s*>", re.IGNORECASE | re.DOTALL)
_PLACE = "data-drawing"


class _Sheet:
    """Which elements the style sheets of the file hide, by the simple selectors only."""

    def __init__(self, root: etree._Element) -> None:
        self.tags: set[tuple[str, str]] = set()
        self.ids: set[str] = set()
        for node in root.iter("style"):
            text = str(node.text or "")
            if _LOADS.search(text):
                raise Unreadable("external")
            for selectors, rules in _RULES.findall(re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)):
                for selector in selectors.split(",") if _HIDES.search(rules) else ():
                    match = _SIMPLE.match(selector.strip())
                    if match and match.group(3):
                        self.ids.add(match.group(3))
                    elif match:
                        tag = match.group(1) or match.group(4) or ""
                        self.tags.add((tag, match.group(2) or match.group(5) or ""))

    def hides(self, node: etree._Element, tag: str) -> bool:
        """Whether a rule of the sheets hides ``node``."""
        names = ["", *str(node.get("class", "")).split()]
        return str(node.get("id", "")) in self.ids or any(
            (t, n) in self.tags for t in ("", tag) for n in names
        )


class _Page:
    """Collects the blocks of a page in reading order."""

    def __init__(
        self, document: Document, root: etree._Element, drawings: list[svg.Drawing], budget: Budget
    ) -> None:
        self.document, self.budget, self.drawings = document, budget, drawings
        self.sheet = _Sheet(root)
        self.blocks: list[Block] = []
        self.shown: set[tuple[etree._Element, bool]] = set()
        self.line: list[str] = []

    def refuse(self, node: etree._Element, tag: str) -> None:
        """Raise ``Unreadable`` for what acts or loads."""
        if tag in _ACTIVE:
            raise Unreadable("active")
        for key, value in node.attrib.items():
            name = str(key).lower()
            if name.startswith("on") or (name in ("href", "xlink:href", "cite") and _ACTS.match(str(value))):
                raise Unreadable("active")
            if name == "style" and _LOADS.search(str(value)):
                raise Unreadable("external")
            if name in ("background", "srcset", "poster", "ping", "manifest", "lowsrc", "dynsrc"):
                raise Unreadable("external")
        kind = str(node.get("http-equiv", "")).lower()
        if tag == "meta" and kind not in ("", "content-type", "x-ua-compatible", "content-language"):
            raise Unreadable("active")
        if tag == "link" and str(node.get("rel", "")).lower() not in ("canonical", "author", "license"):
            raise Unreadable("external")

    def unseen(self, node: etree._Element, tag: str) -> bool:
        """Whether the element and all below it is not shown."""
        style = str(node.get("style", ""))
        return (
            tag in _UNSEEN
            or node.get("hidden") is not None
            or _HIDES.search(style) is not None
            or self.sheet.hides(node, tag)
        )

    def flush(self, kind: str = "text", level: int = 0) -> None:
        """End the line that is being collected."""
        text = clean_text("".join(self.line))
        self.line = []
        if text:
            self.blocks.append(Block(kind, text, level))
            self.document.pieces.append(Piece(f"paragraph {len(self.blocks)}", text))

    def walk(self, node: etree._Element, level: int = 0) -> None:
        """Add what ``node`` shows. Raises ``Unreadable``."""
        if level > 8 * self.budget.depth:
            raise Unreadable("nested")
        tag = str(node.tag).lower() if isinstance(node.tag, str) else ""
        if not tag:
            return
        self.refuse(node, tag)
        if self.unseen(node, tag):
            for inner in node.iter("*"):
                self.refuse(inner, str(inner.tag).lower())
            return
        if tag in ("img", "image"):
            self.picture(node)
        elif tag == "table":
            self.flush()
            self.table(node, level)
        elif tag == "pre":
            self.flush()
            self.listing(node)
        else:
            kind = "heading" if tag in _LEVELS else "item" if tag == "li" else "text"
            breaks = tag in _BLOCKS or kind != "text"
            if breaks:
                self.flush()
            self.inline(node, level)
            if breaks:
                self.flush(kind, _LEVELS.get(tag, 0))

    def inline(self, node: etree._Element, level: int) -> None:
        """The text of ``node`` and what its children show."""
        self.shown.add((node, False))
        self.line.append(str(node.text or ""))
        for child in node:
            self.walk(child, level + 1)
            self.shown.add((child, True))
            self.line.append(str(child.tail or ""))

    def picture(self, node: etree._Element) -> None:
        """An inline drawing, or a picture in a data address."""
        place = str(node.get(_PLACE, ""))
        if place.isdigit() and int(place) < len(self.drawings):
            self.flush()
            self.blocks.append(Block("drawing", drawing=self.drawings[int(place)]))
            return
        where = f"picture {len(self.document.pictures) + 1}"
        image = svg.picture(self.document, where, str(node.get("src", "")), self.budget)
        self.flush()
        self.blocks.append(Block("picture", image=image))

    def listing(self, node: etree._Element) -> None:
        """Preformatted text, line by line."""
        part = _Page.__new__(_Page)
        part.__dict__.update(self.__dict__, line=[], blocks=[])
        part.inline(node, 0)
        lines = [clean_text(line) for line in "".join(part.line).split("\n")]
        kept = [line for line in lines if line]
        if kept:
            self.blocks.append(Block("code", "\n".join(kept)))
            start = len(self.blocks)
            self.document.pieces += [Piece(f"listing {start} line {i + 1}", t) for i, t in enumerate(kept)]
        self.blocks += part.blocks

    def cell(self, node: etree._Element, level: int) -> tuple[str, list[Block]]:
        """The text of a cell, and its pictures."""
        part = _Page.__new__(_Page)
        part.__dict__.update(self.__dict__, line=[], blocks=[])
        before = len(self.document.pieces), len(self.document.tables)
        part.inline(node, level + 1)
        part.flush()
        del self.document.pieces[before[0] :], self.document.tables[before[1] :]
        texts = [
            text for block in part.blocks for text in [block.text, *(" ".join(row) for row in block.rows)]
        ]
        return " ".join(text for text in texts if text), [b for b in part.blocks if b.image or b.drawing]

    def table(self, node: etree._Element, level: int) -> None:
        """A table; cells over several columns or rows are repeated."""
        rows: list[list[str]] = []
        late: list[Block] = []
        spans: dict[tuple[int, int], str] = {}
        for line in _lines(node):
            number = len(rows)
            row: list[str] = []
            self.refuse(line, "tr")
            if self.unseen(line, "tr"):
                continue
            for cell in line:
                tag = str(cell.tag).lower() if isinstance(cell.tag, str) else ""
                if tag not in ("td", "th"):
                    continue
                self.refuse(cell, tag)
                text, more = ("", []) if self.unseen(cell, tag) else self.cell(cell, level)
                late += more
                while (number, len(row)) in spans:
                    row.append(spans.pop((number, len(row))))
                wide, high = _span(cell, "colspan"), _span(cell, "rowspan")
                if len(row) + wide > self.budget.columns or wide * high > 10_000:
                    raise Unreadable("size")
                for below in range(1, high):
                    spans.update({(number + below, len(row) + i): text for i in range(wide)})
                row += [text] * wide
            while (number, len(row)) in spans:
                row.append(spans.pop((number, len(row))))
            rows.append(row)
            if len(rows) * max(map(len, rows[:1]), default=1) > self.budget.cells:
                raise Unreadable("size")
        for caption in node.iterchildren("caption"):
            self.walk(caption, level + 1)
        kept = square(tidy(rows), self.budget)
        if kept:
            built = headed(f"table {len(self.document.tables) + 1}", kept, self.budget)
            if built is not None:
                self.document.tables.append(built)
            else:
                self.document.pieces.append(Piece(f"table row {len(self.blocks) + 1}", " ".join(kept[0])))
            self.blocks.append(Block("table", rows=kept))
        self.blocks += late


def _lines(table: etree._Element) -> Iterator[etree._Element]:
    for child in table:
        tag = str(child.tag).lower() if isinstance(child.tag, str) else ""
        if tag == "tr":
            yield child
        elif tag in ("thead", "tbody", "tfoot"):
            yield from child.iterchildren("tr")


def _span(cell: etree._Element, name: str) -> int:
    text = str(cell.get(name, "1"))
    return min(1000, max(1, int(text))) if text.isdigit() and len(text) < 6 else 1


def lay_open(document: Document, text: str, budget: Budget) -> list[Block]:
    """The blocks of a page or fragment; tables, pieces and pictures go into ``document``.

    Raises ``Unreadable`` (active, external, embedded, nested, size, malformed).
    """
    drawings: list[svg.Drawing] = []

    def draw(match: re.Match[str]) -> str:
        drawings.append(
            svg.lay_open(document, svg.parse(match.group()), budget, f"drawing {len(drawings) + 1}")
        )
        return f'<img {_PLACE}="{len(drawings) - 1}">'

    plain = _DRAWING.sub(draw, re.sub(r"^\s*<\?xml[^<>]*\?>", "", text))
    parser = lxml.html.HTMLParser(no_network=True, huge_tree=False, remove_comments=False, remove_pis=False)
    try:
        root = lxml.html.document_fromstring(plain, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        raise Unreadable("malformed") from None
    for node in root.iter("*"):
        if str(node.tag).lower() in _ACTIVE:
            raise Unreadable("active")
    page = _Page(document, root, drawings, budget)
    page.walk(root)
    page.flush()
    kept = dict.fromkeys(node for node, tail in page.shown if not tail)
    tails = {node for node, tail in page.shown if tail}
    for node in root.iter():
        if node.tail and node not in tails and node.tail.strip():
            document.pieces.append(Piece("text not shown", node.tail.strip(), hidden=True))
    for node in list(root.iter()):
        node.tail = None
    package.bring_to_light(
        document, "page", root, lambda node: node in kept, known=frozenset({"src", _PLACE})
    )
    return page.blocks


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``; blocks as the body. Raises ``Unreadable``."""
    blocks = lay_open(document, decode(data), budget)
    if not blocks:
        raise Unreadable("empty")
    document.body = blocks
