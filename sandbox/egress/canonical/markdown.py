"""Markdown: no comments, no invisible characters, single spaces."""

from __future__ import annotations

import re

import polars as pl

from sandbox.egress.clean import clean
from sandbox.egress.forms import Document
from sandbox.egress.readers.markdown import COMMENT


def markdown(document: Document, ordered: bool) -> bytes:
    """A Markdown file; the order of its lines is its content."""
    text = str(document.body)
    while True:
        lines = pl.Series(text.split("\n"), dtype=pl.String)
        indent = [min(12, len(line) - len(line.lstrip(" "))) // 2 * 2 for line in lines]
        tidy = [" " * depth + line if line else "" for depth, line in zip(indent, clean(lines), strict=True)]
        fresh = re.sub(r"\n{3,}", "\n\n", COMMENT.sub("", "\n".join(tidy))).strip("\n")
        if fresh == text:
            return (fresh + "\n").encode()
        text = fresh
