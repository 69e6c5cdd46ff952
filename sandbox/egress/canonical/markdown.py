"""Markdown, as its reader settled it."""

from __future__ import annotations

from sandbox.egress.forms import Document


def markdown(document: Document, ordered: bool) -> bytes:
    """A Markdown file; the order of its lines is its content."""
    return f"{document.body}\n".encode()
