"""The Merkle tree of RFC 6962 section 2.1, over SHA-256 or SM3.

Leaf hash H(0x00 || entry), node hash H(0x01 || left || right), empty root H(). The running state of
an append-only log of *n* entries is its *compact range*: the roots of the complete subtrees that
*n* splits into, the largest first, at most 64 of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.hazmat.primitives import hashes

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail

HASH_BYTES = 32


class Algorithm(StrEnum):
    """The hash of a log; a property of its origin, never mixed within one log."""

    SHA256 = "sha256"
    SM3 = "sm3"  # GB/T 32905-2016


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _sm3(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize()


_HASHES: dict[Algorithm, Callable[[bytes], bytes]] = {Algorithm.SHA256: _sha256, Algorithm.SM3: _sm3}


@dataclass(frozen=True)
class Hasher:
    """The two domain-separated hashes of one algorithm."""

    algorithm: Algorithm
    digest: Callable[[bytes], bytes]

    def empty(self) -> bytes:
        """The root of the tree without entries."""
        return self.digest(b"")

    def leaf(self, entry: bytes) -> bytes:
        """The hash of one entry."""
        return self.digest(b"\x00" + entry)

    def node(self, left: bytes, right: bytes) -> bytes:
        """The hash over two subtrees."""
        return self.digest(b"\x01" + left + right)


def hasher(algorithm: str) -> Hasher:
    """The hasher named ``algorithm``; raises AUDIT_ALGORITHM for an unknown name."""
    if algorithm not in _HASHES:
        raise fail("AUDIT_ALGORITHM", algorithm=algorithm)
    chosen = Algorithm(algorithm)
    return Hasher(chosen, _HASHES[chosen])


@dataclass(frozen=True)
class CompactRange:
    """The state of a log of ``size`` entries: ``size.bit_count()`` subtree roots, largest first."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes, h: Hasher) -> CompactRange:
        """The state after one more entry with leaf hash ``leaf``."""
        stack = list(self.hashes)
        size = self.size
        while size & 1:  # every low one bit is a complete subtree that now gets its right sibling
            leaf = h.node(stack.pop(), leaf)
            size >>= 1
        stack.append(leaf)
        return CompactRange(self.size + 1, tuple(stack))

    def root(self, h: Hasher) -> bytes:
        """The root hash of the whole tree."""
        if not self.hashes:
            return h.empty()
        *rest, root = self.hashes
        for left in reversed(rest):
            root = h.node(left, root)
        return root

    def to_bytes(self) -> bytes:
        """The subtree roots, one after the other; the inverse of ``from_bytes``."""
        return b"".join(self.hashes)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> CompactRange:
        """Read what ``to_bytes`` wrote; raises AUDIT_HEAD when it does not fit ``size``."""
        if len(data) != size.bit_count() * HASH_BYTES:
            raise fail("AUDIT_HEAD", size=size)
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))


def root_of(leaves: Sequence[bytes], h: Hasher) -> bytes:
    """The root over leaf hashes."""
    state = CompactRange()
    for leaf in leaves:
        state = state.append(leaf, h)
    return state.root(h)


def _split(size: int) -> int:
    """The largest power of two smaller than ``size`` (RFC 6962: k < n <= 2k)."""
    return 1 << ((size - 1).bit_length() - 1)


Root = Callable[[int, int], bytes]  # the root over the leaves from one position up to another


def over(leaves: Sequence[bytes], h: Hasher) -> Root:
    """The roots of parts of a tree whose leaves are all at hand."""
    return lambda start, stop: root_of(leaves[start:stop], h)


class Roots:
    """Roots of parts of a log that only grows: those of complete subtrees of ``BLOCK`` leaves and more never
    change and are remembered, so that a proof reads no more than a few blocks. Safe for threads."""

    BLOCK = 512  # leaves; a power of two

    def __init__(self, h: Hasher) -> None:
        self._hasher = h
        self._known: dict[tuple[int, int], bytes] = {}

    def over(self, leaves: Callable[[int, int], Sequence[bytes]]) -> Root:
        """The roots of parts whose leaves ``leaves(start, stop)`` reads."""

        def root(start: int, stop: int) -> bytes:
            size = stop - start
            known = self._known.get((start, stop))
            if known is not None:
                return known
            if size <= self.BLOCK:
                made = root_of(leaves(start, stop), self._hasher)
            else:
                middle = start + _split(size)
                made = self._hasher.node(root(start, middle), root(middle, stop))
            if size >= self.BLOCK and not size & (size - 1):
                self._known[start, stop] = made
            return made

        return root


def inclusion_proof(root: Root, index: int, size: int) -> list[bytes]:
    """The audit path of entry ``index`` in the tree of ``size`` entries (RFC 6962 section 2.1.1).

    Raises AUDIT_PROOF when there is no such entry.
    """
    if not 0 <= index < size:
        raise fail("AUDIT_PROOF", old=index, new=size, size=size)
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(root(middle, stop))
            stop = middle
        else:
            path.append(root(start, middle))
            start = middle
    path.reverse()
    return path


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes, h: Hasher
) -> bool:
    """Whether ``proof`` shows ``leaf`` at ``index`` of the tree ``size``, ``root`` (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, node = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if position & 1 or position == last:
            node = h.node(sibling, node)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            node = h.node(node, sibling)
        position >>= 1
        last >>= 1
    return last == 0 and node == root


def consistency_proof(root: Root, old: int, size: int) -> list[bytes]:
    """The proof that the first ``old`` of ``size`` entries are the tree of that size (RFC 6962 2.1.2).

    Raises AUDIT_PROOF unless 0 < old <= size.
    """
    if not 0 < old <= size:
        raise fail("AUDIT_PROOF", old=old, new=size, size=size)
    path: list[bytes] = []
    start, stop, whole = 0, size, True  # whole: the old tree is all of the part, and its root is known
    while old < stop:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(root(middle, stop))
            stop = middle
        else:
            path.append(root(start, middle))
            start, whole = middle, False
    if not whole:
        path.append(root(start, stop))
    path.reverse()
    return path


def verify_consistency(
    old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes, h: Hasher
) -> bool:
    """Whether the tree ``new`` extends the tree ``old`` (RFC 9162 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    from_old = from_new = path[0]
    for node in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            from_old = h.node(node, from_old)
            from_new = h.node(node, from_new)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            from_new = h.node(from_new, node)
        position >>= 1
        last >>= 1
    return last == 0 and from_old == old_root and from_new == new_root
