"""The ledger's arithmetic against enumeration and against plain linear algebra; its files."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.egress.ledger import store, system
from sandbox.egress.ledger.books import MOST_LAYERS, Book, book, common, epoch
from sandbox.egress.ledger.compare import How, compare
from sandbox.egress.ledger.cuts import contingency, small_cuts
from sandbox.egress.ledger.pairs import close_pairs
from sandbox.egress.ledger.span import MOST_CELLS, layers_of, spanned
from tests.refusal import refused


def universe(count: int, seed: int = 0) -> np.ndarray:
    return np.sort(np.random.default_rng(seed).choice(2**62, count, replace=False).astype(np.uint64) * 4)


def rows(*books: Book) -> np.ndarray:
    """The cells as 0/1 rows."""
    found = np.zeros((sum(len(b.sizes) for b in books), len(books[0].universe)))
    at = 0
    for one in books:
        for cell in range(len(one.sizes)):
            found[at, one.cell(cell)] = 1
            at += 1
    return found


def parted(codes: np.ndarray, name: str, on: np.ndarray, **more: object) -> Book:
    """The disjoint cells of a code array."""
    return book(name, name, on, [np.flatnonzero(codes == c) for c in np.unique(codes[codes >= 0])], **more)


codes = st.lists(st.integers(-1, 3), min_size=12, max_size=24)


@settings(deadline=None, max_examples=150)
@given(codes, st.data(), st.integers(2, 6))
def test_two_layers_are_decided_as_enumeration_decides(one: list, data: st.DataObject, t: int) -> None:
    a = np.array(one)
    b = np.array(data.draw(st.lists(st.integers(-1, 3), min_size=len(one), max_size=len(one))))
    small = False
    for x in product((0, 1), repeat=4):
        for y in product((0, 1), repeat=4):
            left = np.append(x, 0)[a] - np.append(y, 0)[b]
            small |= 0 < np.count_nonzero(left) < t
    assert (small_cuts(a, b, t) > 0) == small


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(2, 12))
def test_close_pairs_are_exactly_the_close_ones(seed: int, t: int) -> None:
    draw = np.random.default_rng(seed)
    on = universe(300, seed)
    base = [np.flatnonzero(draw.random(300) < share) for share in (0.1, 0.5, 0.9)]
    near = [np.setxor1d(one, draw.choice(300, draw.integers(0, 15), replace=False)) for one in base * 3]
    new, old = book("n", "n", on, near), book("o", "o", on, base)
    wanted = {
        (i, j, len(np.setxor1d(x, y)))
        for i, x in enumerate(near)
        for j, y in enumerate(base)
        if 0 < len(np.setxor1d(x, y)) < t
    }
    assert {tuple(map(int, row)) for row in close_pairs(new, old, t)} == wanted


def test_pairs_are_found_over_two_snapshots() -> None:
    on = universe(1000)
    earlier, later = on[5:], on[:-7]
    old = book("o", "o", earlier, [np.arange(0, 500)])
    new = book("n", "n", later, [np.arange(5, 508), np.arange(5, 505), np.arange(100, 500)])
    assert [tuple(map(int, row)) for row in close_pairs(new, old, 10)] == [(0, 0, 3)]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6))
def test_determined_entities_are_those_of_linear_algebra(seed: int) -> None:
    draw = np.random.default_rng(seed)
    on = universe(40, seed)
    old = [parted(draw.integers(-1, 6, 40), f"o{i}", on) for i in range(3)]
    new = [parted(draw.integers(-1, 6, 40), "n", on)]
    threshold = 3

    def fixed(matrix: np.ndarray) -> np.ndarray:
        return np.linalg.pinv(matrix) @ matrix

    whole, before = fixed(rows(*old, *new)), fixed(rows(*old))
    _, atom = np.unique(rows(*old, *new), axis=1, return_inverse=True)
    wanted = 0
    for one in range(atom.max() + 1):
        mark = (atom == one).astype(float)
        if mark.sum() < threshold:
            known = [np.allclose(projection @ mark, mark, atol=1e-6) for projection in (before, whole)]
            wanted += int(mark.sum()) if known == [False, True] else 0
    found = spanned(new, old, threshold)
    assert found is not None
    assert found.determined == wanted
    assert found.rank == np.linalg.matrix_rank(rows(*old, *new))
    assert found.rank_before == np.linalg.matrix_rank(rows(*old))


@pytest.mark.parametrize("sparse", [0, 3, 10**6])
def test_what_is_eliminated_sparsely_and_densely_is_one_factor(
    sparse: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "_SPARSE", sparse)
    monkeypatch.setattr(system, "_ROWS", 5)
    draw = np.random.default_rng(3)
    on = universe(200)
    books = [parted(draw.integers(-1, size, 200), f"b{size}", on) for size in (9, 30, 12)]
    layers = layers_of(books)
    made = system.System(layers, layers[2].start)
    matrix = rows(*books)
    gram = matrix @ matrix.T
    right = draw.standard_normal((len(gram), 2))
    assert np.allclose(gram @ made.solve(right), right, atol=1e-2)
    first = layers[2].start
    older = made.solve(right, older=True)
    assert np.allclose(gram[:first, :first] @ older[:first], right[:first], atol=1e-2)
    assert not older[first:].any()
    for row in (first, len(gram) - 1):
        near, *_ = np.linalg.lstsq(matrix[: max(row, first)].T, matrix[row], rcond=None)
        wanted = np.sum((matrix[row] - near @ matrix[: len(near)]) ** 2) if row == first else None
        assert wanted is None or made.distance[row] == pytest.approx(wanted, rel=1e-3)
        weights = made.nearest(np.array([row]))[:, 0]
        left = matrix[row] - weights @ matrix
        assert np.sum(left**2) == pytest.approx(made.distance[row], rel=1e-2)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_a_group_that_some_sum_leaves_is_proven_or_suspected(seed: int, size: int) -> None:
    draw = np.random.default_rng(seed)
    on = universe(400, seed)
    layers = [draw.integers(0, 5, 400) for _ in range(3)]
    union = (layers[0] == 1) | (layers[1] == 2) | (layers[2] == 3)
    whole = [np.flatnonzero(union)]
    group = draw.choice(whole[0], size, replace=False)
    parts = [np.flatnonzero(layer == c) for layer, c in zip(layers, (1, 2, 3), strict=True)]
    pieces = [np.setdiff1d(parts[1], parts[0]), np.setdiff1d(parts[2], np.union1d(parts[0], parts[1]))]
    old = [book(f"o{i}", "o", on, [one]) for i, one in enumerate([parts[0], *pieces])]
    new = [book("n", "n", on, [np.setdiff1d(whole[0], group)])]
    found = spanned(new, old, 10)
    assert found is not None
    assert found.proven or found.determined
    safe = spanned([book("n", "n", on, whole)], old, 10)
    assert safe is not None
    assert (safe.proven, safe.determined, safe.suspects) == (0, 0, 0)


def test_what_was_published_already_adds_nothing() -> None:
    on = universe(200)
    codes = np.arange(200) % 7
    old, again = parted(codes, "o", on), parted(codes, "n", on)
    found = spanned([again], [old], 10)
    assert found is not None
    assert (found.rank, found.rank_before) == (7, 7)
    assert compare([again], [old], 0.0) == []


def test_more_cells_than_can_be_solved_are_said_to_be() -> None:
    count = MOST_CELLS + 1
    on = universe(count)
    big = parted(np.arange(count), "o", on)
    assert spanned([book("n", "n", on, [np.arange(100)])], [big], 10) is None


def test_cells_that_overlap_lie_in_several_layers_and_too_many_are_left() -> None:
    on = universe(100)
    one = book("o", "o", on, [np.arange(i, 100) for i in range(MOST_LAYERS + 2)])
    layers, left = one.layers
    assert (len(layers), left) == (MOST_LAYERS, 2)
    for layer, code in enumerate(layers):
        assert np.array_equal(np.flatnonzero(code == layer), one.cell(layer))
    new = book("n", "n", on, [np.arange(30, 60)])
    assert How.LEFT_OVER in {hit.how for hit in compare([new], [one], 1.0)}


def test_the_rate_counts_independent_statistics_an_entity() -> None:
    on = universe(400)
    old = parted(np.arange(400) // 20, "o", on)
    new = parted(np.arange(400) % 20, "n", on)
    hits = [hit for hit in compare([new], [old], 0.05) if hit.how is How.RATE]
    assert [hit.rate for hit in hits] == [39 / 400]  # both layers sum up to all: one is redundant
    assert [hit for hit in compare([new], [old], 0.1) if hit.how is How.RATE] == []


def test_shadows_meet_only_groups_of_public_attributes() -> None:
    on = universe(300)
    scope, less = np.arange(300), np.arange(1, 300)
    kinds = [np.arange(0, 150), np.arange(150, 300)]
    old = [
        book("o", "o", on, kinds, deep=True, base=False, threshold=10),
        book("o", "o", on, [scope], shadow=True, threshold=10),
    ]
    untouched = [np.arange(150, 300)]  # by itself the published cell tells nothing new
    new = [
        book("n", "n", on, untouched, deep=True, base=False, threshold=10),
        book("n", "n", on, [less], shadow=True, threshold=10),
    ]
    hits = compare(new, old, 1.0)
    assert [(hit.how, hit.book, hit.releases) for hit in hits] == [(How.PAIR, 1, ("o",))]
    assert compare(new[:1], old, 1.0) == []


def test_a_table_of_counts_may_be_revised_and_one_of_amounts_may_not() -> None:
    on = universe(300)
    old = {"threshold": 10, "epoch": "a"}
    now = {"threshold": 10, "epoch": "b"}
    for deep, how in ((False, How.REVISION), (True, How.PAIR)):
        earlier = book("o", "o", on[3:], [np.arange(297)], [7], deep=deep, **old)
        later = book("n", "n", on, [np.arange(300)], [7], deep=deep, **now)
        assert {hit.how for hit in compare([later], [earlier], 1.0)} == {how}
    other = book("n", "n", on, [np.arange(300)], [8], **now)  # another definition is no revision
    earlier = book("o", "o", on[3:], [np.arange(297)], [7], **old)
    assert {hit.how for hit in compare([other], [earlier], 1.0)} == {How.PAIR}


def test_numbers_that_are_not_the_recount_are_no_revision() -> None:
    on = universe(300)
    cells = [np.arange(150), np.arange(150, 300)]
    named = [(("sex", 1),), (("sex", 2),)]

    def table(release: str, epoch: str, stated: list[int]) -> Book:
        counts = {"n": np.array(stated, dtype=float)}
        exact = stated == [150, 150]
        one = book(release, "t", on, cells, [1, 2], threshold=10, epoch=epoch, stated=counts, exact=exact)
        return replace(one, dims=named)

    old = table("o", "a", [150, 150])
    assert compare([table("n", "b", [150, 150])], [old], 1.0) == []
    for epoch_ in ("a", "b"):
        hits = compare([table("n", epoch_, [150, 149])], [old], 1.0)
        assert [hit.how for hit in hits] == [How.STATED]
    assert compare([table("n", "b", [150, 100])], [old], 1.0) == []


def test_universes_are_joined_by_hash() -> None:
    on = universe(50)
    one, other = book("a", "a", on[:30], [np.arange(10)]), book("b", "b", on[20:], [np.arange(5)])
    whole, (first, second) = common([one, other])
    assert np.array_equal(whole, on)
    assert np.array_equal(whole[first.cell(0)], on[:10])
    assert np.array_equal(whole[second.cell(0)], on[20:25])
    assert np.array_equal(second.prints, other.prints)


def test_contingency_counts_those_outside_too() -> None:
    u, v, n = contingency(np.array([0, 0, -1, 1]), np.array([-1, 2, -1, 2]))
    assert sorted(zip(u.tolist(), v.tolist(), n.tolist(), strict=True)) == [
        (-1, -1, 1),
        (0, -1, 1),
        (0, 2, 1),
        (1, 2, 1),
    ]


# --- files


def written(folder: Path, count: int = 300) -> list[Book]:
    on = universe(count)
    one = parted(np.arange(count) % 3, "", on, threshold=10, epoch=epoch(on), deep=True)
    two = book("", "t 2", on, [np.arange(20)], threshold=20, epoch=epoch(on), shadow=True)
    store.write(folder, [one, two], {"scenario": "sc-a", "recipient": "dev"})
    return [one, two]


def test_books_are_read_as_they_were_written(tmp_path: Path) -> None:
    books = written(tmp_path / "eg-a")
    for told, given_ in zip(store.read(tmp_path), books, strict=True):
        assert (told.release, told.scenario, told.recipient) == ("eg-a", "sc-a", "dev")
        for name in ("universe", "starts", "members", "keys"):
            assert np.array_equal(getattr(told, name), getattr(given_, name)), name
        for name in ("table", "kinds", "exact", "deep", "shadow", "base", "threshold", "epoch"):
            assert getattr(told, name) == getattr(given_, name), name
        assert [tuple(map(tuple, cell)) for cell in told.dims] == list(given_.dims)


def test_the_same_books_are_the_same_bytes_and_a_universe_is_kept_once(tmp_path: Path) -> None:
    first = written(tmp_path / "a")
    told = store.write(tmp_path / "b", first, {"scenario": "sc-a", "recipient": "dev"})
    for file in told:
        assert (tmp_path / "a" / file["path"]).read_bytes() == (tmp_path / "b" / file["path"]).read_bytes()
    assert len(told) == 2


def test_a_request_without_tables_leaves_a_record_too(tmp_path: Path) -> None:
    assert [file["path"] for file in store.write(tmp_path / "a", [], {})] == ["cells.parquet"]
    assert store.read(tmp_path) == []


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-40])


def _other_universe(file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"hash": pa.array(universe(300, 9), pa.uint64())}), file)


@pytest.mark.parametrize("damage", [_cut, _other_universe, Path.unlink])
@pytest.mark.parametrize("which", ["cells.parquet", "universe-*.parquet"])
def test_a_damaged_record_is_no_empty_one(tmp_path: Path, which: str, damage: object) -> None:
    written(tmp_path / "eg-a")
    damage(next((tmp_path / "eg-a").glob(which)))
    with refused("EGRESS_LEDGER"):
        store.read(tmp_path)
