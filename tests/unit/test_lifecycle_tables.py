"""The tables themselves, and that the door lets nobody do what they do not have."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.control.door import Control, Sight
from sandbox.control.kinds import KINDS, kind_of
from sandbox.core.actor import SYSTEM, Role
from sandbox.core.errors import SandboxError
from sandbox.core.lifecycle import Kind, Model, Policy, State, Transition, defects
from sandbox.core.resource import Entry, Resource
from tests.plugins.questions import started
from tests.plugins.reidentify import requested
from tests.plugins.space import PEOPLE, Scene
from tests.refusal import refused

ALL = list(KINDS.values())
EVENTS = {kind.name: sorted({row.event for row in kind.transitions if row.source}) for kind in ALL}


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_tables_have_no_defects(kind: Kind) -> None:
    assert defects(kind) == []


def _broken(**over: object) -> Kind:
    states = (State("open", "开", "open", "operator"), State("done", "完", "done", ""))
    rows = (
        Transition("create", (), "open", frozenset({Role.OPERATOR}), "建", "create", "GD 1"),
        Transition("finish", ("open",), "done", frozenset({Role.OPERATOR}), "完", "finish", "GD 1"),
    )
    told: dict[str, object] = {"states": states, "transitions": rows, **over}
    return Kind("thing", "物", "thing", Model, prefix="th", **told)  # type: ignore[arg-type]


def test_a_sound_table_passes() -> None:
    assert defects(_broken()) == []


GOOD = _broken().transitions
BACK = replace(GOOD[1], source=("done",), target="open")


@pytest.mark.parametrize(
    ("found", "over"),
    [
        ("stands twice", {"states": (*_broken().states, _broken().states[0])}),
        ("exactly one creation", {"transitions": GOOD[1:]}),
        ("finish from open stands twice", {"transitions": (*GOOD, GOOD[1])}),
        ("unknown state", {"transitions": (GOOD[0], replace(GOOD[1], target="gone"))}),
        ("no actor", {"transitions": (GOOD[0], replace(GOOD[1], by=frozenset()))}),
        ("no citation", {"transitions": (GOOD[0], replace(GOOD[1], cite=""))}),
        ("no label", {"transitions": (GOOD[0], replace(GOOD[1], en=""))}),
        ("cannot be reached", {"states": (*_broken().states, State("lost", "失", "lost", ""))}),
        (
            "final state done leads on",
            {"transitions": (*GOOD, replace(GOOD[1], source=("done",), target="open"))},
        ),
        ("lapses by unknown", {"states": (replace(_broken().states[0], lapse="x"), _broken().states[1])}),
        ("no way on", {"states": (_broken().states[0], State("done", "完", "done", "operator"))}),
        ("working state x", {"working": frozenset({"x"})}),
    ],
)
def test_each_defect_of_a_table_is_found(found: str, over: dict[str, object]) -> None:
    assert any(found in one for one in defects(_broken(**over)))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_everything_is_said_in_both_languages(kind: Kind) -> None:
    said = [
        (kind.zh, kind.en),
        *((s.zh, s.en) for s in kind.states),
        *((r.zh, r.en) for r in kind.transitions),
    ]
    for zh, en in said:
        assert any("一" <= letter <= "鿿" for letter in zh)
        assert en.isascii()
        assert en.strip()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_every_row_cites_an_article_or_gives_its_reason(kind: Kind) -> None:
    for row in kind.transitions:
        assert row.cite.startswith(("CN ", "GZ ", "GD ", "CD ", "GM ", "default: ")), row.event


def test_time_alone_approves_nothing() -> None:
    lapses = {
        (kind.name, state.name, row.target)
        for kind in ALL
        for state in kind.states
        if state.lapse and (row := kind.row(state.lapse, state.name)) is not None
    }
    assert lapses == {
        ("scenario", "granted", "expired"),
        ("job", "quarantined", "purging"),
        ("job", "failed", "purging"),
        ("reidentification", "answered", "closing"),
    }


def test_every_deadline_is_a_parameter_of_every_profile_and_has_a_unit(granted: Scene) -> None:
    policy: Policy = granted.control.policy
    for kind in ALL:
        for row in kind.transitions:
            if isinstance(row.clock, str):
                assert row.clock.endswith(("_wd", "_days"))
                assert int(policy.get(row.clock)) > 0


def test_no_role_but_the_systems_acts_in_a_state_the_machine_works_on_unless_to_stop_it() -> None:
    stops = {"kill", "cancel", "recall", "emergency_stop", "verify_deletion"}
    for kind in ALL:
        for state in kind.working:
            for row in kind.possible(state):
                assert row.by == {Role.SYSTEM} or row.event in stops, (kind.name, state, row.event)


def test_outside_the_table_there_is_no_way_for_any_kind_state_event_role() -> None:
    asked = 0
    for kind in ALL:
        for state in kind.states:
            resource = Resource(kind.name, "x", "x", state.name, {})
            allowed = {row.event: row.by for row in kind.possible(state.name)}
            for event in EVENTS[kind.name]:
                if event not in allowed:
                    with refused("STATE"):
                        Control._row(kind, event, resource)
                    continue
                row = Control._row(kind, event, resource)
                for role in Role:
                    asked += 1
                    if role in allowed[event]:
                        Control._role(replace(SYSTEM, role=role), row)
                    else:
                        with refused("ROLE"):
                            Control._role(replace(SYSTEM, role=role), row)
    assert asked > 500


def _every_state(scene: Scene) -> None:
    """A row of every kind in every state, made from the real ones: states that take days to reach."""
    scene.job()
    scene.request()
    started(scene)
    requested(scene)
    scene.create("chief", "negative-list-entry", {"entry": "ce-a", "reason": "secret", "law": "law"})
    order = {"agreement": "ag-a", "breach": "leak", "items": ["mend"], "law": "CD 34"}
    scene.create("body", "rectification", order)
    for kind in ALL:
        with scene.store.write() as writer:
            model = writer.find(kind.name)[0]
            if kind.name == "dp-budget":  # the database opens none that has spent
                model = writer.history(kind.name, model.id)[0]
            for state in kind.states:
                copy = replace(model, id=f"x-{state.name.replace('_', '-')}", state=state.name, version=0)
                made = Entry(scene.clock(), "system", "x", "system", "fabricate", copy.ref, after=state.name)
                writer.put(copy, made, expected=0)


def test_the_door_refuses_what_the_table_does_not_have_and_notes_it_once(granted: Scene) -> None:
    _every_state(granted)
    people = [*PEOPLE, "admin"]

    @settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def refuse(data: st.DataObject) -> None:
        kind = kind_of(data.draw(st.sampled_from(sorted(KINDS))))
        state = data.draw(st.sampled_from([state.name for state in kind.states]))
        event = data.draw(st.sampled_from(EVENTS[kind.name]))
        actor = granted.who(data.draw(st.sampled_from(people)))
        id = f"x-{state.replace('_', '-')}"
        before = granted.get(kind.name, id)
        row = kind.row(event, state)
        with granted.store.read() as reader:
            visible = granted.control.sees(actor, before, Sight(reader))
        expected = "NOT_FOUND" if not visible else "STATE" if row is None else "ROLE"
        if row is not None and actor.role in row.by and visible:
            return
        entries = granted.logged()
        with refused(expected):
            granted.control.act(actor, kind.name, id, event, {})
        assert granted.get(kind.name, id) == before
        assert [(e.outcome, e.reason, e.actor) for e in granted.log(entries)] == [
            ("refused", expected, actor.account)
        ]

    refuse()


def test_an_actor_without_the_role_creates_nothing_of_any_kind(granted: Scene) -> None:
    for kind in ALL:
        for name in [*PEOPLE, "admin"]:
            if granted.who(name).role in kind.create.by:
                continue
            entries = granted.logged()
            with refused("ROLE"):
                granted.control.create(granted.who(name), kind.name, {})
            assert [entry.reason for entry in granted.log(entries)] == ["ROLE"]


def test_overdue_is_flagged_once_escalated_and_changes_no_state(granted: Scene) -> None:
    granted.job()
    granted.request(until="human_review")
    due = granted.get("egress-request", "eg-a").due_at
    assert isinstance(due, datetime)
    granted.clock.now = due - timedelta(seconds=1)
    assert granted.control.tick() == []
    granted.clock.move(seconds=2)
    assert "egress-request/eg-a" in granted.control.tick()
    late = granted.get("egress-request", "eg-a")
    assert (late.state, late.overdue, late.status["escalated"]["to"]) == (
        "human_review",
        True,
        "data_authority",
    )
    assert "egress-request/eg-a" not in granted.control.tick()
    entry = next(e for e in granted.log() if e.action == "overdue")
    assert (entry.actor, entry.object, entry.before, entry.after) == (
        "system",
        "egress-request/eg-a",
        "human_review",
        "human_review",
    )


def test_a_clock_that_ran_out_while_something_else_moved_the_row_is_left_alone(
    granted: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted.clock.move(days=400)
    act = granted.control.act

    def first_another(*given: object, **more: object) -> Resource:
        granted.control.act = act
        act(granted.who("chief"), "scenario", "sc-a", "revoke", {"cause": "breach"})
        return act(*given, **more)

    monkeypatch.setattr(granted.control, "act", first_another)
    assert "scenario/sc-a" not in granted.control.tick()
    assert granted.state("scenario", "sc-a") == "revoked"


def test_an_unknown_kind_is_not_found(granted: Scene) -> None:
    for call in (
        lambda: granted.control.act(SYSTEM, "thing", "x-1", "do"),
        lambda: granted.control.create(SYSTEM, "thing", {}),
        lambda: granted.control.get(SYSTEM, "thing", "x-1"),
        lambda: granted.control.find(SYSTEM, "thing"),
    ):
        with refused("NOT_FOUND"):
            call()


@pytest.mark.parametrize("id", ["x", "X-1", "-a-", "a" * 42, "a b", "a/b", "abc\n", "../x", "abc\x00"])
def test_a_chosen_id_is_a_plain_word(id: str, scene: Scene) -> None:
    with refused("MALFORMED"):
        scene.control.create(scene.who("editor"), "catalogue-entry", scene.entry_spec(), id=id)
    assert scene.log()[-1].object == "catalogue-entry/-"


def test_a_stale_version_is_refused_and_a_taken_id_too(granted: Scene) -> None:
    with refused("STALE"):
        granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach"}, expected=1)
    with refused("EXISTS"):
        granted.control.create(granted.who("editor"), "catalogue-entry", granted.entry_spec(), id="ce-a")
    with pytest.raises(SandboxError):
        granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "breach", "more": 1})
    assert granted.state("agreement", "ag-a") == "active"
