"""What leaves: the form written anew. The same form always gives the same bytes, and only this leaves.

``canonical(read(canonical(read(x)))) == canonical(read(x))`` for every form. A writer is one function
``(document, ordered) -> bytes``; this table lists them by form as ``module:function``, imported when used.
"""

from __future__ import annotations

import importlib

from sandbox.egress.forms import Document

WRITERS = {
    "csv": "tables:csv",
    "parquet": "tables:parquet",
    "arrow": "tables:arrow",
    "json": "tree:json",
    "jsonl": "tree:jsonl",
    "chart": "tree:chart",
    "markdown": "markdown:markdown",
    "png": "images:png",
    "xlsx": "office:xlsx",
    "docx": "office:docx",
    "ipynb": "notebook:ipynb",
    "html": "markup:html",
    "svg": "markup:svg",
    "zip": "archives:zip",
    "tar": "archives:tar",
    "jpeg": "images:jpeg",
    "pdf": "pages:pdf",
    "onnx": "models:onnx",
    "safetensors": "models:safetensors",
    "skops": "models:skops",
}


def canonical(document: Document, ordered: bool = False) -> bytes:
    """The bytes of a readable ``document`` as they may leave. ``ordered``: its row order was declared."""
    module, _, function = WRITERS[document.form].partition(":")
    written = getattr(importlib.import_module(f"{__name__}.{module}"), function)(document, ordered)
    assert isinstance(written, bytes)
    return written
