"""docx: paragraphs, tables and pictures in reading order; what Word does not show is laid open and dropped.

Insertions count as accepted and deletions as done: what a person sees on opening is what leaves. Footnotes
and endnotes follow the text. Headers, footers, comments, properties, field codes, hidden or white runs and
text in unused parts are hidden pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname

from lxml import etree
from PIL import Image

from sandbox.egress.clean import clean_text
from sandbox.egress.forms import Block, Budget, Document, Piece, Unreadable
from sandbox.egress.readers import package
from sandbox.egress.readers.grid import headed, square, tidy

_PARTS = (
    (r"word/document\.xml", "main"),
    (r"word/(?:footnotes|endnotes)\.xml", "notes"),
    (r"word/(?:header|footer)\d*\.xml", "text"),
    (r"word/(?:comments|commentsExtended|commentsIds|commentsExtensible|people)\.xml", "text"),
    (r"word/glossary/(?:document|settings|styles|fontTable|webSettings)\.xml", "text"),
    (r"word/vbaProject.*|word/vbaData\.xml", "active"),
)
_SHOWN = {"t", "tab", "br", "cr", "noBreakHyphen", "sym"}
_GONE = {"del", "moveFrom", "Fallback", "rPr", "pPr", "instrText", "delText", "delInstrText"}
_LOADS = re.compile(r"\b(?:DDEAUTO|DDE|INCLUDETEXT|INCLUDEPICTURE|IMPORT|LINK|MACROBUTTON|DATABASE)\b", re.I)
_TINY = 3  # half points: nobody reads letters of 1.5 points


def _on(properties: etree._Element | None, name: str) -> bool:
    mark = properties.find(f"{{*}}{name}") if properties is not None else None
    return mark is not None and str(_value(mark) or "1") not in ("0", "false", "off")


def _value(node: etree._Element | None) -> str | None:
    if node is None:
        return None
    return next((str(v) for k, v in node.attrib.items() if package.name_of(k) == "val"), None)


def _unseen(run: etree._Element) -> bool:
    """Whether a run is formatted so that nobody sees it."""
    properties = run.find("{*}rPr")
    if properties is None:
        return False
    size, color = _value(properties.find("{*}sz")), str(_value(properties.find("{*}color")) or "")
    shaded = properties.find("{*}shd") is not None or properties.find("{*}highlight") is not None
    white = re.fullmatch(r"(?i)f[a-f0-9]f[a-f0-9]f[a-f0-9]", color) is not None and not shaded
    tiny = size is not None and size.isdigit() and int(size) <= _TINY
    return _on(properties, "vanish") or _on(properties, "webHidden") or white or tiny


def _walk(node: etree._Element, shown: bool) -> Iterator[tuple[etree._Element, bool]]:
    """Text-bearing leaves and drawings below ``node``, and whether a person sees them."""
    for child in node:
        name = package.local(child)
        if name in _SHOWN or name in ("delText", "instrText", "delInstrText", "blip", "imagedata"):
            yield child, shown and name in (*_SHOWN, "blip", "imagedata")
        elif name not in ("tbl", "p"):
            seen = shown and name not in _GONE and not (name == "r" and _unseen(child))
            yield from _walk(child, seen)


def _leaf(node: etree._Element) -> str:
    name = package.local(node)
    if name in ("tab", "br", "cr"):
        return " "
    if name == "sym":
        code = next((str(v) for k, v in node.attrib.items() if package.name_of(k) == "char"), "")
        return chr(int(code, 16)) if re.fullmatch(r"[0-9A-Fa-f]{4}", code) else ""
    return "-" if name == "noBreakHyphen" else str(node.text or "")


class _Story:
    """Collects the blocks of one part in reading order."""

    def __init__(
        self, document: Document, part: str, pictures: dict[str, Image.Image], budget: Budget
    ) -> None:
        self.document, self.part, self.budget = document, part, budget
        self.pictures = pictures
        self.blocks: list[Block] = []
        self.shown: set[etree._Element] = set()
        self.tables = 0

    def _text(self, paragraph: etree._Element) -> tuple[str, list[str]]:
        """(visible text, parts of the pictures shown) of a paragraph."""
        text, images = [], []
        for leaf, shown in _walk(paragraph, True):
            if package.local(leaf) in ("blip", "imagedata"):
                target = next(
                    (str(v) for k, v in leaf.attrib.items() if package.name_of(k) in ("embed", "id")), ""
                )
                images += [target] if shown else []
            elif shown:
                self.shown.add(leaf)
                text.append(_leaf(leaf))
        return clean_text("".join(text)), images

    def paragraph(self, node: etree._Element, level: int) -> str:
        """Add a paragraph, then what boxes inside it hold; gives its text."""
        text, images = self._text(node)
        if text:
            self.blocks.append(Block("text", text))
            self.document.pieces.append(Piece(f"{self.part} paragraph {len(self.blocks)}", text))
        for target in images:
            if target not in self.pictures:
                raise Unreadable("embedded")
            self.blocks.append(Block("picture", image=self.pictures[target]))
        for box in node.iter("{*}txbxContent"):
            if not any(package.local(parent) in _GONE for parent in box.iterancestors()):
                self.body(box, level + 1)
        return text

    def _cell(self, cell: etree._Element, level: int) -> str:
        """The text of a cell; tables and pictures inside it follow the table as blocks of their own."""
        inner = _Story(self.document, self.part, self.pictures, self.budget)
        before = len(self.document.pieces)
        inner.body(cell, level + 1)
        del self.document.pieces[before:]
        self.shown |= inner.shown
        rest = [row for block in inner.blocks for row in block.rows]
        texts = [block.text for block in inner.blocks if block.text] + [" ".join(row) for row in rest]
        self.late += [block for block in inner.blocks if block.kind == "picture"]
        return " ".join(texts)

    late: list[Block]

    def table(self, node: etree._Element, level: int) -> None:
        """Add a table: merged cells are repeated where they reach."""
        self.late = []
        rows: list[list[str]] = []
        for line in node.iter("{*}tr"):
            if line.getparent() is not node and package.local(line.getparent()) != "sdtContent":
                continue
            row: list[str] = []
            for cell in line.iter("{*}tc"):
                if next((a for a in cell.iterancestors("{*}tr")), None) is not line:
                    continue
                properties = cell.find("{*}tcPr")
                span = _value(properties.find("{*}gridSpan")) if properties is not None else None
                merge = properties.find("{*}vMerge") if properties is not None else None
                text = self._cell(cell, level)
                above = rows[-1][len(row)] if rows and len(row) < len(rows[-1]) else ""
                if merge is not None and (_value(merge) or "continue") == "continue" and not text:
                    text = above
                wide = int(span) if span and span.isdigit() else 1
                if len(row) + wide > self.budget.columns:
                    raise Unreadable("size")
                row += [text] * wide
            rows.append(row)
        self.add_table(rows)
        self.blocks += self.late

    def add_table(self, rows: list[list[str]]) -> None:
        """Add a table from its cells, the first row its header."""
        kept = square(tidy(rows), self.budget)
        if not kept:
            return
        self.tables += 1
        built = headed(f"table {len(self.document.tables) + 1}", kept, self.budget)
        if built is not None:
            self.document.tables.append(built)
        else:
            self.document.pieces.append(Piece(f"{self.part} table {self.tables}", " ".join(kept[0])))
        self.blocks.append(Block("table", rows=kept))

    def body(self, node: etree._Element, level: int = 0) -> None:
        """Add everything below ``node``. Raises ``Unreadable`` (nested)."""
        if level > self.budget.depth:
            raise Unreadable("nested")
        for child in node:
            name = package.local(child)
            if name == "p":
                self.paragraph(child, level)
            elif name == "tbl":
                self.table(child, level)
            elif name == "altChunk":
                raise Unreadable("embedded")
            elif name not in _GONE:
                self.body(child, level + 1)


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document``: tables, text, pictures, everything unseen as hidden pieces; blocks as the body.

    Raises ``Unreadable`` (active, external, embedded, encrypted, malformed, nested, size, empty).
    """
    files, roles = package.parts(document, data, budget, _PARTS)
    if "word/document.xml" not in files:
        raise Unreadable("malformed")
    pictures = package.sidelights(document, files, roles, budget)
    blocks: list[Block] = []
    for name in sorted(roles, key=lambda part: (roles[part] != "main", part)):
        if roles[name] not in ("main", "notes"):
            continue
        root = package.tree(files[name])
        if any(_LOADS.search(_code(node)) for node in root.iter("{*}instrText", "{*}fldSimple")):
            raise Unreadable("external")
        if any(package.local(node) in ("object", "control", "OLEObject") for node in root.iter()):
            raise Unreadable("embedded")
        rels = f"{dirname(name)}/_rels/{name.rsplit('/', 1)[-1]}.rels"
        targets = package.links(rels, files[rels])[0] if rels in files else {}
        known = {key: pictures[part] for key, part in targets.items() if part in pictures}
        story = _Story(document, name.removeprefix("word/").removesuffix(".xml"), known, budget)
        story.body(root)
        blocks += story.blocks
        package.bring_to_light(document, name, root, lambda element, seen=story.shown: element in seen)  # type: ignore[misc]
    if not blocks:
        raise Unreadable("empty")
    document.body = blocks


def _code(node: etree._Element) -> str:
    told = next((str(v) for k, v in node.attrib.items() if package.name_of(k) == "instr"), "")
    return told + str(node.text or "")
