"""Several writers at once, each with a store of its own as separate processes have, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sandbox.audit import FileSigner
from sandbox.audit.tree import hasher, root_of
from sandbox.core.errors import Conflict
from sandbox.core.resource import Entry, Resource
from sandbox.store import Store
from tests.refusal import refused

WRITERS = 4
ROUNDS = 25
AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)


def entry(object: str, actor: str = "chen") -> Entry:
    return Entry(AT, actor, "op", "operator", "count", object)


@pytest.fixture
def stores(database_url: str, signer: FileSigner) -> Iterator[list[Store]]:
    opened = [Store(database_url, signer=signer) for _ in range(WRITERS)]
    opened[0].upgrade()
    yield opened
    for store in opened:
        store.close()


def together(stores: list[Store], act: Callable[[Store, int], int]) -> list[int]:
    """``act(store, number)`` in one thread per store, begun at the same moment; an error in any fails."""
    start = threading.Barrier(len(stores))

    def run(pair: tuple[int, Store]) -> int:
        start.wait()
        return act(pair[1], pair[0])

    with ThreadPoolExecutor(len(stores)) as pool:
        return list(pool.map(run, enumerate(stores)))


def assert_log_is_whole(store: Store, size: int) -> None:
    """Dense sequence, every leaf the hash of its body, the kept head the root over all of them."""
    h = hasher("sha256")
    with store.read() as reader:
        rows = list(reader.raw_entries(size + 1))
        head = reader.head()
    assert [seq for seq, *_ in rows] == list(range(size))
    assert all(h.leaf(body) == leaf for _, body, leaf, _ in rows)
    assert head.size == size
    assert head.root(h) == root_of([leaf for _, _, leaf, _ in rows], h)


def test_no_update_is_lost_under_contention(stores: list[Store]) -> None:
    """Compare-and-set: read in one transaction, write in the next, again when somebody was faster."""
    with stores[0].write() as writer:
        counter = Resource("counter", "c", "op", "open", {"n": 0})
        writer.put(counter, entry("counter/c"), expected=0)

    def count(store: Store, number: int) -> int:
        stale = 0
        for _ in range(ROUNDS):
            while True:
                with store.read() as reader:
                    seen = reader.get("counter", "c")
                assert seen is not None
                counted = replace(seen, spec={"n": seen.spec["n"] + 1})
                try:
                    with store.write() as writer:
                        writer.put(counted, entry("counter/c", f"w{number}"), expected=seen.version)
                except Conflict:
                    stale += 1
                else:
                    break
        return stale

    stale = together(stores, count)
    with stores[0].read() as reader:
        last = reader.get("counter", "c")
        history = reader.history("counter", "c")
    assert last is not None
    assert last.spec == {"n": WRITERS * ROUNDS}
    assert [version.spec["n"] for version in history] == list(range(WRITERS * ROUNDS + 1))
    assert sum(stale) > 0, "the writers never met: the test showed nothing"
    assert_log_is_whole(stores[0], WRITERS * ROUNDS + 1)


def test_what_a_guard_has_read_cannot_change_under_it(stores: list[Store]) -> None:
    """Write skew: each debits only while it sees something left, and the sum must not go below nothing."""
    with stores[0].write() as writer:
        writer.put(Resource("grant", "g", "op", "open", {}), entry("grant/g"), expected=0)

    def debit(store: Store, number: int) -> int:
        taken = 0
        for turn in range(10):
            with store.write() as writer:
                if len(writer.find("use", labels={"grant": "g"})) < 7:
                    use = Resource("use", f"{number}-{turn}", "op", "open", {}, labels={"grant": "g"})
                    writer.put(use, entry(use.ref), expected=0)
                    taken += 1
        return taken

    assert sum(together(stores, debit)) == 7


def test_appends_under_contention_give_one_dense_log(stores: list[Store]) -> None:
    def append(store: Store, number: int) -> int:
        for turn in range(ROUNDS):
            with store.write() as writer:
                first = writer.note(entry(f"job/{number}", f"w{number}-{turn}"))
                assert writer.note(entry(f"job/{number}", f"w{number}-{turn}b")) == first + 1
        return ROUNDS

    together(stores, append)
    assert_log_is_whole(stores[0], WRITERS * ROUNDS * 2)
    with stores[0].read() as reader:
        actors = [told.actor for _, told in reader.entries()]
    assert len(set(actors)) == len(actors)


def test_of_many_who_make_the_same_thing_one_does(stores: list[Store]) -> None:
    def make(store: Store, number: int) -> int:
        try:
            with store.write() as writer:
                writer.put(Resource("job", "j", "op", "draft", {"by": number}), entry("job/j"), expected=0)
        except Conflict:
            return 0
        return 1

    assert sum(together(stores, make)) == 1
    assert_log_is_whole(stores[0], 1)


def test_checkpoints_at_the_same_head_are_one(stores: list[Store]) -> None:
    with stores[0].write() as writer:
        writer.note(entry("job/j"))
    assert together(stores, lambda store, _: store.checkpoint().size) == [1] * WRITERS
    with stores[0].read() as reader:
        assert [checkpoint.size for checkpoint, _ in reader.checkpoints()] == [1]


def test_upgrades_at_the_same_time_do_it_once(blank_database_url: str) -> None:
    stores = [Store(blank_database_url) for _ in range(WRITERS)]

    def upgrade(store: Store, number: int) -> int:
        store.upgrade()
        return number

    together(stores, upgrade)
    with stores[0].write() as writer:
        assert writer.note(entry("job/j")) == 0
    for store in stores:
        store.close()


def test_a_writer_that_waits_too_long_is_told_so(
    stores: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is 30 s; here it is cut short for the second writer's connection."""
    impatient = stores[1]
    with impatient._engine.connect() as connection:  # its one pooled connection
        sqlite = connection.dialect.name == "sqlite"
        connection.exec_driver_sql("PRAGMA busy_timeout=50" if sqlite else "SET lock_timeout='50ms'")
        connection.commit()
    with stores[0].write() as writer:
        with refused("STORE_UNAVAILABLE"), impatient.write():
            pass
        writer.note(entry("job/j"))
    assert_log_is_whole(stores[0], 1)
