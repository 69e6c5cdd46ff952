"""Pairs of cells whose symmetric difference is a group below the threshold: exact, over any two snapshots.

Fingerprints decide nearly all pairs: sets that differ in fewer than t entities differ in fewer than t blocks,
so what the fingerprints drop is safe, and the few that stay are compared entity by entity.
"""

from __future__ import annotations

import numpy as np

from sandbox.egress.ledger.books import Book

_CHUNK = 1 << 16
_FIRST = 16  # blocks looked at before all of them


def close_pairs(new: Book, old: Book, threshold: int, most: int = 10_000) -> np.ndarray:
    """Pairs (new cell, old cell, |A △ B|) with 1 ≤ |A △ B| < ``threshold``; at most ``most``."""
    order = np.argsort(old.sizes, kind="stable")
    sizes = old.sizes[order]
    low = np.searchsorted(sizes, new.sizes - threshold, side="right")
    high = np.searchsorted(sizes, new.sizes + threshold, side="left")
    width = high - low
    left = np.repeat(np.arange(len(width)), width)
    offset = np.arange(width.sum()) - np.repeat(np.cumsum(width) - width, width)
    right = order[np.repeat(low, width) + offset]
    found: list[tuple[int, int, int]] = []
    for start in range(0, len(left), _CHUNK):
        a, b = left[start : start + _CHUNK], right[start : start + _CHUNK]
        near = (new.prints[a, :_FIRST] != old.prints[b, :_FIRST]).sum(axis=1) < threshold
        a, b = a[near], b[near]
        differ = (new.prints[a] != old.prints[b]).sum(axis=1)
        near = (differ > 0) & (differ < threshold)
        for i, j in zip(a[near], b[near], strict=True):
            gap = len(np.setxor1d(new.universe[new.cell(i)], old.universe[old.cell(j)], assume_unique=True))
            if 0 < gap < threshold:
                found.append((int(i), int(j), gap))
                if len(found) >= most:
                    return np.array(found)
    return np.array(found, dtype=np.int64).reshape(-1, 3)
