"""HTML without attributes, and drawings as their reader rebuilt them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape

from lxml import etree

from sandbox.egress.canonical.images import requantised
from sandbox.egress.forms import Block, Document
from sandbox.egress.readers.svg import NAMESPACE, Drawing

_HEAD = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n'


def drawn(drawing: Drawing) -> str:
    """The rebuilt drawing as XML."""
    for element, image in drawing.images:
        element.set("href", "data:image/png;base64," + base64.b64encode(requantised(image)).decode())
    drawing.made.set("xmlns", NAMESPACE)
    return str(etree.tostring(drawing.made, encoding="unicode", with_tail=False))


def _row(cells: list[str], tag: str) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell, quote=False)}</{tag}>" for cell in cells) + "</tr>\n"


def _block(block: Block) -> str:
    text = escape(block.text, quote=False)
    if block.image is not None:
        return (
            f'<p><img src="data:image/png;base64,{base64.b64encode(requantised(block.image)).decode()}"></p>'
        )
    if block.drawing is not None:
        return f"<p>{drawn(block.drawing)}</p>"
    if block.rows:
        body = _row(block.rows[0], "th") + "".join(_row(row, "td") for row in block.rows[1:])
        return f"<table>\n{body}</table>"
    if block.kind == "heading":
        return f"<h{block.level}>{text}</h{block.level}>"
    return {"item": f"<ul><li>{text}</li></ul>", "code": f"<pre>{text}</pre>"}.get(
        block.kind, f"<p>{text}</p>"
    )


def page(blocks: Iterable[Block]) -> str:
    """A whole page of ``blocks``."""
    return _HEAD + "".join(f"{_block(block)}\n" for block in blocks) + "</body></html>\n"


def html(document: Document, ordered: bool) -> bytes:
    """A page of headings, paragraphs, lists, tables and pictures."""
    return page(document.body).encode()


def svg(document: Document, ordered: bool) -> bytes:
    """A drawing."""
    return (drawn(document.body) + "\n").encode()
