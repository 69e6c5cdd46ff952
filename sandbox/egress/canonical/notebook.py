"""Notebooks: cells of source and outputs in their own canonical forms, and nothing else."""

from __future__ import annotations

import base64
from typing import Any

from sandbox.egress.canonical import markup, tree
from sandbox.egress.canonical.images import requantised
from sandbox.egress.canonical.markdown import markdown
from sandbox.egress.forms import Document
from sandbox.egress.readers.notebook import Cell


def _markdown(body: Any) -> str:
    return "" if body is None else markdown(Document("", "", "", 0, body=body), True).decode().rstrip("\n")


def _output(media: str, body: Any) -> tuple[str, Any]:
    """(media type, JSON value) of one output."""
    if media.startswith("image/svg"):
        return media, markup.drawn(body)
    if media.startswith("image/"):
        return "image/png", base64.b64encode(requantised(body)).decode()
    if media == "text/html":
        return media, markup.page(body)
    if media == "text/markdown":
        return media, _markdown(body)
    if media.endswith("json"):
        return media, tree.tidy(body, True)
    return media, "\n".join(body)


def _cell(cell: Cell) -> dict[str, Any]:
    if cell.kind == "markdown":
        return {"cell_type": "markdown", "metadata": {}, "source": _markdown(cell.source)}
    made: dict[str, Any] = {"cell_type": cell.kind, "metadata": {}, "source": "\n".join(cell.source)}
    if cell.kind == "code":
        found = [_output(media, body) for media, body in cell.outputs]
        made["outputs"] = [
            {"output_type": "display_data", "data": {media: value}, "metadata": {}} for media, value in found
        ]
        made["execution_count"] = None
    return made


def ipynb(document: Document, ordered: bool) -> bytes:
    """A notebook of format 4.4, the last without identifiers of cells."""
    cells = [_cell(cell) for cell in document.body]
    return (tree.dump({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}) + "\n").encode()
