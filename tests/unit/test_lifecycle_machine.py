"""Anybody does anything in any order to scenarios, jobs, requests and products; what must hold, holds."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from sandbox.audit.bundle import verify_bundle
from sandbox.control.kinds import kind_of
from sandbox.core.errors import Conflict, Forbidden, Invalid, NotFound
from sandbox.core.resource import Resource
from tests.plugins.space import CONTRACT, PEOPLE, Scene, SceneMaker

WALKED = ("agreement", "scenario", "supply", "job", "egress-request", "product")
USES = 20
ANYBODY = ["system", "system", "system", *PEOPLE, "admin"]  # the machine acts most
EVENTS = sorted({(kind, row.event) for kind in WALKED for row in kind_of(kind).transitions if row.source})
AHEAD = {
    *(("job", event) for event in ("provision", "run", "succeed", "stage")),
    *(
        ("egress-request", event)
        for event in ("begin_check", "forward", "hold", "clear", "give_verdict", "approve")
    ),
    ("product", "register"),
    ("product", "offer"),
}
# ends that leave nothing to do have their own tests; a debit is only ever the effect of a start, a charge of
# a release
APART = {("agreement", "terminate"), ("scenario", "revoke"), ("scenario", "debit"), ("scenario", "charge")}
EVENTS = [one for one in EVENTS if one not in APART]


def payload_of(scene: Scene, resource: Resource, event: str, odd: bool) -> dict[str, Any]:
    """A payload that could do, or (``odd``) another one of the same event."""
    cause, told = {"cause": "because"}, scene.answers("reasonable") if odd else scene.answers()
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "assess": lambda: told,
        "amend": lambda: {"list": [{"entry": "ce-a", "columns": ["phone" if odd else "district"]}]},
        "reject_amendment": lambda: {"reason": "no", "law": "CD 23"},
        "contract": lambda: {"text_sha256": CONTRACT},
        "accept": lambda: {"text_sha256": CONTRACT},
        "suspend": lambda: {"reason": "breach"} if resource.kind == "agreement" else cause,
        "resume": lambda: {"reason": "mended"} if resource.kind == "agreement" else cause,
        "provision": lambda: scene._start(resource.id),
        "succeed": scene.ran,
        "fail": lambda: scene.ran("failed"),
        "stage": lambda: {"outputs": [{"path": "out.csv", "sha256": "0" * 64, "bytes": 1, "kind": "table"}]},
        "forward": lambda: scene.check(resource.id, "hold", *([scene.finding()] if odd else [])),
        "hold": lambda: scene.check(resource.id),
        "object": lambda: scene.check(resource.id, "reject", scene.finding()),
        "clear": lambda: {"procedure_ref": "procedure-1"},
        "give_verdict": lambda: scene.verdict(*(("business_conformity",) if odd else ())),
        "note": lambda: {"text": "seen"},
        "attach_opinion": lambda: {
            **{"expert": "an expert", "expert_organisation": "dev" if odd else "institute", "text": "fits"},
            "no_interest": True,
        },
        "return": lambda: {"reasons": ["mend"]},
        "reject": lambda: {"reason": "no", "law": "GD 26"},
        "register": lambda: {"registration_no": "CP-1", "registered_on": "2026-09-21"},
        "offer": lambda: {"scenario": "sc-a"},
        "download": lambda: {"token": "rel_" + "0" * 60},
    }
    needs = {row.payload.__name__ for row in kind_of(resource.kind).transitions if row.event == event}
    return makers[event]() if event in makers else cause if "Cause" in needs else {}


class Walk(RuleBasedStateMachine):
    """One space; ``make`` gives a fresh one."""

    make: SceneMaker
    reached: set[tuple[str, str]]

    def __init__(self) -> None:
        super().__init__()
        self.scene: Scene = type(self).make(granted=True)
        self.refusals = 0
        self.done = self.noted = 0
        self.changes = sum(one.version for one in self.scene.everything().values())
        self.entries = self.scene.logged()

    def _try(self, who: str, attempt: Callable[[], Any]) -> None:
        try:
            attempt()
        except (Invalid, Forbidden, NotFound, Conflict):  # nothing else: a defect fails the test
            self.refusals += who != "system"

    @rule(who=st.sampled_from(["developer", "developer", "operator", "rival", "reviewer"]))
    def submit(self, who: str) -> None:
        self._try(who, lambda: self.scene.create(who, "job", self.scene.job_spec()))

    @rule(who=st.sampled_from(["developer", "rival"]), risky=st.booleans(), data=st.data())
    def propose(self, who: str, risky: bool, data: st.DataObject) -> None:
        there = self.scene.everything().values()
        ready = [one.id for one in there if (one.kind, one.state) == ("job", "quarantined")]
        jobs = ready or [one.id for one in there if one.kind == "job"]
        spec = self.scene.request_spec(job=data.draw(st.sampled_from(jobs)), high_risk=risky)
        self._try(who, lambda: self.scene.create(who, "egress-request", spec))

    @rule(who=st.sampled_from(ANYBODY), allowed=st.booleans(), odd=st.booleans(), data=st.data())
    def act(self, who: str, allowed: bool, odd: bool, data: st.DataObject) -> None:
        """Any event of any table on anything that is there, by anybody or by somebody who may."""
        there = [one for one in self.scene.everything().values() if one.kind in WALKED]
        one = data.draw(st.sampled_from(there))
        rows = kind_of(one.kind).possible(one.state) if allowed else kind_of(one.kind).transitions
        events = sorted({row.event for row in rows if (one.kind, row.event) in EVENTS} - {"keep", "release"})
        if events:
            event = data.draw(st.sampled_from(events))
            may = {role for row in rows if row.event == event for role in row.by}
            if allowed:
                who = data.draw(st.sampled_from([n for n in ANYBODY if self.scene.who(n).role in may]))
            self._act(who, one, event, payload_of(self.scene, one, event, odd))

    @initialize(seed=st.integers(0, 2**32))
    def begin(self, seed: int) -> None:
        """A scene in the middle of things: left to chance alone, a walk seldom gets past the queue."""
        for id in ("job-a", "job-b", "job-c"):
            self.scene.job(id)
            self.scene.request(f"eg-{id[-1]}", until="requested", job=id, high_risk=id == "job-b")
        self.advance_by(random.Random(seed), 40, careless=False)

    @rule(seed=st.integers(0, 2**32), steps=st.integers(5, 25), careless=st.booleans())
    def advance(self, seed: int, steps: int, careless: bool) -> None:
        self.advance_by(random.Random(seed), steps, careless)

    def advance_by(self, chance: random.Random, steps: int, careless: bool) -> None:
        """Steps that lead on, by somebody who may."""
        for _ in range(steps):
            ways = [
                (one, row)
                for one in self.scene.everything().values()
                for row in kind_of(one.kind).possible(one.state)
                if (one.kind, row.event) in AHEAD
            ]
            if ways:
                one, row = chance.choice(ways)
                who = chance.choice([n for n in ("system", *PEOPLE) if self.scene.who(n).role in row.by])
                given = payload_of(self.scene, one, row.event, chance.random() < (0.3 if careless else 0.1))
                if row.event == "give_verdict" and not careless:
                    given = self.scene.verdict(chance.choice(["security", "business_conformity"]))
                self._act(who, one, row.event, given)

    def _act(self, who: str, one: Resource, event: str, given: dict[str, Any]) -> None:
        self._try(who, lambda: self.scene.act(who, one.kind, one.id, event, given))

    @rule(id=st.integers(0, 3))
    def release(self, id: int) -> None:
        ready = [one for one in self.scene.everything().values() if one.state == "releasing"]
        for one in ready[: id + 1]:
            self._try("system", lambda one=one: self.scene.space.gate.release(one.id))

    @precondition(lambda self: self.scene.clock.now.year == 2026)
    @rule(days=st.sampled_from([1, 15, 40]))
    def wait(self, days: int) -> None:
        self.scene.clock.move(days=days)
        self.scene.control.tick()

    @invariant()
    def holds(self) -> None:
        there = self.scene.everything()
        self.reached.update((one.kind, one.state) for one in there.values())
        self._released_only_after_people_said_so(there)
        self._every_start_took_one_use(there)
        self._every_change_and_every_refusal_has_its_one_entry(there)

    def _released_only_after_people_said_so(self, there: dict[str, Resource]) -> None:
        for one in there.values():
            if one.kind != "egress-request" or "release" not in one.status:
                continue
            verdicts = one.status["verdicts"]
            assert {v["which"] for v in verdicts} == {"security", "business_conformity"}
            assert all(v["verdict"] == "pass" and v["organisation"] == "bdb" for v in verdicts)
            assert all(found["severity"] != "hard" for found in one.status["check"]["findings"])
            security = {v["person"] for v in verdicts if v["which"] == "security"}
            risky = one.spec["high_risk"] or one.status["check"]["verdict"] == "hold"
            assert len(security) >= (2 if risky else 1)
            products = [p for p in there.values() if p.kind == "product" and p.spec["request"] == one.id]
            assert [bool(p.status.get("registration")) for p in products] == [True]

    def _every_start_took_one_use(self, there: dict[str, Resource]) -> None:
        started = sum(one.kind == "job" and "provision" in one.status for one in there.values())
        left = there["scenario/sc-a"].status["grant"]["uses_left"]
        assert left == USES - started
        assert left >= 0

    def _every_change_and_every_refusal_has_its_one_entry(self, there: dict[str, Resource]) -> None:
        for entry in self.scene.log(self.entries):
            self.entries += 1
            self.done += entry.outcome == "done"
            self.noted += entry.outcome == "refused"
        assert self.done == sum(one.version for one in there.values()) - self.changes
        assert self.noted == self.refusals

    def teardown(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.scene.store.export(Path(folder) / "bundle")
            assert verify_bundle(Path(folder) / "bundle").ok
        self.scene.store.close()


def test_what_must_hold_holds_whoever_does_whatever(scene_of: SceneMaker) -> None:
    class Here(Walk):
        make = staticmethod(scene_of)
        reached = set()

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
    assert ("egress-request", "released") in Here.reached, "the walks do not come far enough to tell"
