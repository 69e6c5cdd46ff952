"""A page of what somebody may see: the whole list cut, for everybody, and no wider than the door."""

from __future__ import annotations

from sandbox.control.kinds import KINDS
from sandbox.control.listing import listed
from sandbox.core.actor import READS_ALL, SYSTEM, Role
from tests.plugins.space import PEOPLE, Scene
from tests.refusal import refused


def through(scene: Scene, who: str, kind: str, size: int) -> list[str]:
    found: list[str] = []
    while True:
        batch, more = listed(
            scene.space.control, scene.who(who), kind, limit=size, after=found[-1] if found else ""
        )
        found += [one.id for one in batch]
        if not more:
            return found
        assert len(batch) == size


def test_pages_are_the_list_of_the_door(granted_on: Scene) -> None:
    for who in PEOPLE:
        for kind in KINDS:
            whole = [one.id for one in granted_on.space.control.find(granted_on.who(who), kind)]
            assert sorted(through(granted_on, who, kind, 3)) == sorted(whole)


def test_a_reach_is_never_narrower_than_what_is_visible(granted: Scene) -> None:
    """Of every resource of a running space, for every actor who may see it."""
    granted.job()
    granted.request(until="human_review")
    control = granted.space.control
    looked = 0
    for kind in KINDS.values():
        for one in control.find(SYSTEM, kind.name):
            for who in PEOPLE:
                actor = granted.who(who)
                reach = kind.reach(actor)
                if reach is None or not any(seen.id == one.id for seen in control.find(actor, kind.name)):
                    continue
                looked += 1
                assert one.organisation == reach.organisation or any(
                    one.labels.get(name) == value for name, value in reach.labels
                )
    assert looked > 0


def test_states_and_orders_narrow_and_sort(granted: Scene) -> None:
    control, chief = granted.space.control, granted.who("chief")
    found, more = listed(control, chief, "organisation", states=("active",), order="id", descending=False)
    assert [one.id for one in found] == sorted(one.id for one in control.find(chief, "organisation"))
    assert not more
    assert listed(control, chief, "organisation", states=("exited",)) == ([], False)


def test_what_one_may_not_know_of_is_no_place_to_go_on_from(granted: Scene) -> None:
    job = granted.job().id
    with refused("NOT_FOUND"):
        listed(granted.space.control, granted.who("rival"), "job", after=job)


def test_an_unknown_kind_and_administrators_are_refused(granted: Scene) -> None:
    control = granted.space.control
    with refused("NOT_FOUND"):
        listed(control, granted.who("chief"), "secret")
    admin = granted.who("chief").__class__("space-admin", "space-admin", "space", Role.SPACE_ADMIN)
    assert Role.SPACE_ADMIN not in READS_ALL
    with refused("NO_DATA_RIGHT"):
        listed(control, admin, "job")
