"""The Merkle tree against RFC 6962: published vectors, and the RFC's own recursive definition."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.audit import tree
from sandbox.core.errors import Internal, Invalid, SandboxError

SHA256, SM3 = tree.hasher("sha256"), tree.hasher("sm3")

# The test vectors of the Certificate Transparency code base for RFC 6962.
VECTOR_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
VECTOR_INCLUSION = {  # (index, size) -> path
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
}
VECTOR_CONSISTENCY = {  # (old, new) -> path
    (1, 1): [],
    (1, 8): VECTOR_INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}


def naive_root(entries: list[bytes], h: tree.Hasher) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if not entries:
        return h.digest(b"")
    if len(entries) == 1:
        return h.digest(b"\x00" + entries[0])
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return h.digest(b"\x01" + naive_root(entries[:k], h) + naive_root(entries[k:], h))


def leaves_of(entries: list[bytes], h: tree.Hasher) -> list[bytes]:
    return [h.leaf(entry) for entry in entries]


def proof_inclusion(leaves: list[bytes], index: int) -> list[bytes]:
    return tree.inclusion_proof(tree.over(leaves, SHA256), index, len(leaves))


def proof_consistency(leaves: list[bytes], old: int) -> list[bytes]:
    return tree.consistency_proof(tree.over(leaves, SHA256), old, len(leaves))


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_published_vectors(size: int) -> None:
    assert tree.root_of(leaves_of(VECTOR_LEAVES[:size], SHA256), SHA256).hex() == VECTOR_ROOTS[size]


@pytest.mark.parametrize(("index", "size"), VECTOR_INCLUSION)
def test_inclusion_proofs_of_the_published_vectors(index: int, size: int) -> None:
    leaves = leaves_of(VECTOR_LEAVES[:size], SHA256)
    proof = proof_inclusion(leaves, index)
    assert [node.hex() for node in proof] == VECTOR_INCLUSION[index, size]


@pytest.mark.parametrize(("old", "new"), VECTOR_CONSISTENCY)
def test_consistency_proofs_of_the_published_vectors(old: int, new: int) -> None:
    proof = proof_consistency(leaves_of(VECTOR_LEAVES[:new], SHA256), old)
    assert [node.hex() for node in proof] == VECTOR_CONSISTENCY[old, new]


def test_sm3_is_the_hash_of_the_standard() -> None:
    """GB/T 32905-2016, appendix A, example 1."""
    assert SM3.digest(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"


@given(st.lists(st.binary(max_size=40), max_size=70), st.sampled_from([SHA256, SM3]))
def test_compact_range_gives_the_recursive_root(entries: list[bytes], h: tree.Hasher) -> None:
    state = tree.CompactRange()
    for entry in entries:
        state = state.append(h.leaf(entry), h)
    assert state.size == len(entries)
    assert len(state.hashes) == len(entries).bit_count()
    assert state.root(h) == naive_root(entries, h)
    assert tree.CompactRange.from_bytes(state.size, state.to_bytes()) == state


@given(st.data())
def test_inclusion_is_shown_and_nothing_else_is(data: st.DataObject) -> None:
    entries = data.draw(st.lists(st.binary(max_size=8), min_size=1, max_size=40, unique=True))
    index = data.draw(st.integers(0, len(entries) - 1))
    leaves = leaves_of(entries, SHA256)
    root, size = naive_root(entries, SHA256), len(entries)
    proof = proof_inclusion(leaves, index)

    def shown(leaf: bytes, at: int, of: int, path: list[bytes], under: bytes) -> bool:
        return tree.verify_inclusion(leaf, at, of, path, under, SHA256)

    assert shown(leaves[index], index, size, proof, root)
    wrong = hashlib.sha256(b"another").digest()
    assert not shown(wrong, index, size, proof, root)
    assert not shown(leaves[index], index, size, proof, wrong)
    assert not shown(leaves[index], index, size, [*proof, wrong], root)
    assert not shown(leaves[index], size, size, proof, root)
    assert not shown(leaves[index], -1, size, proof, root)
    if proof:
        assert not shown(leaves[index], index, size, proof[:-1], root)
        other = (index + 1) % size
        assert not shown(leaves[index], other, size, proof, root)


@given(st.data())
def test_consistency_is_shown_and_a_rewritten_past_is_not(data: st.DataObject) -> None:
    entries = data.draw(st.lists(st.binary(max_size=8), min_size=1, max_size=40))
    old = data.draw(st.integers(1, len(entries)))
    new = len(entries)
    leaves = leaves_of(entries, SHA256)
    old_root, new_root = naive_root(entries[:old], SHA256), naive_root(entries, SHA256)
    proof = proof_consistency(leaves, old)

    def shown(path: list[bytes], before: bytes, after: bytes) -> bool:
        return tree.verify_consistency(old, new, path, before, after, SHA256)

    assert shown(proof, old_root, new_root)
    wrong = hashlib.sha256(b"another").digest()
    assert not shown(proof, wrong, new_root)
    assert not shown(proof, old_root, wrong)
    assert not shown([*proof, wrong], old_root, new_root)
    if proof:
        assert not shown(proof[:-1], old_root, new_root)
        assert not shown([wrong, *proof[1:]], old_root, new_root)
    assert not tree.verify_consistency(0, new, proof, SHA256.empty(), new_root, SHA256)
    assert not tree.verify_consistency(new + 1, new, proof, old_root, new_root, SHA256)


def test_every_proof_of_every_small_tree_verifies() -> None:
    """Exhaustive: which branches of the verifier are taken depends on the bits of both sizes."""
    leaves = leaves_of([bytes([number]) for number in range(33)], SHA256)
    roots = [tree.root_of(leaves[:size], SHA256) for size in range(34)]
    for size in range(1, 34):
        for index in range(size):
            proof = proof_inclusion(leaves[:size], index)
            assert tree.verify_inclusion(leaves[index], index, size, proof, roots[size], SHA256)
        for old in range(1, size + 1):
            proof = proof_consistency(leaves[:size], old)
            assert tree.verify_consistency(old, size, proof, roots[old], roots[size], SHA256)
            if old < size:
                assert not tree.verify_consistency(old, size, proof, roots[old - 1], roots[size], SHA256)


@given(st.data())
def test_a_growing_log_is_proven_from_blocks_that_are_read_once(data: st.DataObject) -> None:
    leaves = leaves_of([bytes([number]) for number in range(70)], SHA256)
    read: list[tuple[int, int]] = []

    def part(start: int, stop: int) -> list[bytes]:
        assert stop - start <= 8
        read.append((start, stop))
        return leaves[start:stop]

    class Small(tree.Roots):
        BLOCK = 8

    remembered = Small(SHA256).over(part)
    for size in sorted(data.draw(st.lists(st.integers(1, 70), min_size=1, max_size=5))):
        index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
        assert tree.inclusion_proof(remembered, index, size) == proof_inclusion(leaves[:size], index)
        assert tree.consistency_proof(remembered, old, size) == proof_consistency(leaves[:size], old)
    whole = [one for one in read if one[1] - one[0] == 8]
    assert len(whole) == len(set(whole))


def test_an_empty_proof_between_different_sizes_shows_nothing() -> None:
    root = SHA256.leaf(b"a")
    assert not tree.verify_consistency(3, 5, [], root, root, SHA256)


@pytest.mark.parametrize("index", [-1, 3])
def test_no_inclusion_proof_outside_the_log(index: int) -> None:
    with pytest.raises(SandboxError) as caught:
        proof_inclusion(leaves_of(VECTOR_LEAVES[:3], SHA256), index)
    assert caught.value.code == "AUDIT_PROOF"
    assert isinstance(caught.value, Invalid)


@pytest.mark.parametrize("old", [0, 4])
def test_no_consistency_proof_outside_the_log(old: int) -> None:
    with pytest.raises(SandboxError) as caught:
        proof_consistency(leaves_of(VECTOR_LEAVES[:3], SHA256), old)
    assert caught.value.code == "AUDIT_PROOF"


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(SandboxError) as caught:
        tree.hasher("md5")
    assert caught.value.code == "AUDIT_ALGORITHM"


def test_a_range_that_does_not_fit_its_size_is_refused() -> None:
    with pytest.raises(Internal) as caught:
        tree.CompactRange.from_bytes(3, b"\x00" * 32)
    assert caught.value.code == "AUDIT_HEAD"
