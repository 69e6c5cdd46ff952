"""safetensors: a JSON header and plain arrays; every byte belongs to one of them."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load

from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.readers.models import Model, keep, say


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Unreadable("duplicate")
    return dict(pairs)


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with its arrays, their names and its metadata. Raises ``Unreadable``."""
    if len(data) < 8:
        raise Unreadable("malformed")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, budget.cell_chars):
        raise Unreadable("malformed")
    try:
        header = json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=_once)
        arrays: dict[str, np.ndarray] = load(data)  # checks that the arrays fill the rest without a gap
    except (ValueError, RecursionError, SafetensorError):
        raise Unreadable("malformed") from None
    if len(arrays) > budget.columns or sum(array.size for array in arrays.values()) > budget.cells:
        raise Unreadable("size")
    for key, value in dict(header.get("__metadata__") or {}).items():
        say(document, "metadata", f"{key}: {value}", hidden=True)
    for number, name in enumerate(sorted(arrays), 1):
        say(document, f"array {number}", name)
        keep(document, f"array {number}", arrays[name])
    document.body = Model(source=arrays)
