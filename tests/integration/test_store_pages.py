"""Pages of a list, on both databases: every order, both directions, no one twice and none left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.core.lifecycle import Reach
from sandbox.core.resource import Entry, Resource
from sandbox.store import Store
from sandbox.store.reader import ORDERS
from tests.refusal import refused

T0 = datetime(2026, 11, 21, 8, tzinfo=UTC)
KEYS = {
    "created": lambda one: one.created_at,
    "changed": lambda one: one.changed_at,
    "due": lambda one: one.due_at or datetime(9999, 1, 1, tzinfo=UTC),
    "state": lambda one: one.state,
    "id": lambda one: one.id,
}


@pytest.fixture
def filled(store: Store) -> Store:
    """23 jobs of two organisations: several of one instant, some without a clock."""
    with store.write() as writer:
        for n in range(23):
            job = Resource(
                "job",
                f"j-{(n * 7) % 23:02d}",
                "dev" if n % 3 else "other",
                ("queued", "running", "purged")[n % 3],
                {},
                labels={"recipient": "dev"} if n % 5 == 0 else {},
                due_at=T0 + timedelta(days=n % 4) if n % 2 else None,
            )
            at = T0 + timedelta(seconds=n // 3)
            writer.put(job, Entry(at, "chen", "op", "operator", "apply", job.ref), expected=0)
    return store


def through(store: Store, size: int, **more: object) -> list[str]:
    """All ids, a page at a time."""
    found: list[str] = []
    with store.read() as reader:
        while batch := reader.page("job", after=found[-1] if found else "", limit=size, **more):  # type: ignore[arg-type]
            assert len(batch) <= size
            found += [one.id for one in batch]
    return found


@pytest.mark.parametrize("order", sorted(ORDERS))
@pytest.mark.parametrize("descending", [False, True])
def test_pages_are_the_sorted_list_cut(filled: Store, order: str, descending: bool) -> None:
    with filled.read() as reader:
        everything = reader.find("job")
    expected = sorted(everything, key=lambda one: (KEYS[order](one), one.id), reverse=descending)
    for size in (1, 4, 50):
        assert through(filled, size, order=order, descending=descending) == [one.id for one in expected]


def test_a_page_keeps_to_states_and_reach(filled: Store) -> None:
    with filled.read() as reader:
        everything = reader.find("job")
    queued = {one.id for one in everything if one.state in ("queued", "purged")}
    assert set(through(filled, 5, states=("queued", "purged"))) == queued
    near = {one.id for one in everything if one.organisation == "dev" or one.labels.get("recipient") == "dev"}
    assert near < {one.id for one in everything}
    assert set(through(filled, 5, reach=Reach("dev", (("recipient", "dev"),)))) == near
    assert through(filled, 5, reach=Reach("nobody")) == []


def test_what_cannot_be_in_the_store_is_on_no_page(filled: Store) -> None:
    with filled.read() as reader:
        assert reader.page("job", states=("\x00",)) == []
        with refused("NOT_FOUND"):
            reader.page("job", after="j-99")
