"""What a document says, every cell, header and line of it, folded: for checks that look for words."""

from __future__ import annotations

import polars as pl

from sandbox.egress.clean import fold
from sandbox.egress.forms import Document


def spoken(document: Document, wanted: str) -> list[tuple[str, str]]:
    """(place, folded text) of every line and header, of the file's own name, and of the cells that match
    ``wanted`` (a pattern of the regex crate that lets more through than the check looks for)."""
    name = document.path.rpartition("/")[2].rpartition(".")[0]
    texts = [("name", name), *((piece.where, piece.text) for piece in document.pieces)]
    for table in document.tables:
        texts += [(f"{table.part} header".strip(), column) for column in table.columns]
        for number, column in enumerate(table.columns):
            if table.data[column].dtype == pl.String:
                values = table.shown(column).values
                hits = values.filter(values.str.contains(wanted))
                texts += [(f"{table.part} column {number + 1}".strip(), value) for value in hits]
    folded = fold(pl.Series([text for _, text in texts], dtype=pl.String))
    return [(where, text) for (where, _), text in zip(texts, folded, strict=True)]
