"""Answer under differential privacy (差分隐私答复): what was asked, what it cost, and the one answer to it.

Its id is made of the question: the canonical query, the snapshot, the granted view, the recipient. Its
creation charges every scope or does not happen, and precedes all noise; ``seal`` fixes the answer by its
hash, once. Whoever asks the same again is given the sealed answer and pays nothing. A draw that was begun is
spent: where its job ends without a seal, that very end may have followed from the noise, and so tells of it.
The charge stays, the release is ``lost``, and who asks again pays for the next draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from pydantic import Field as Bound

from sandbox.authorisation.dp_budget import NAME as BUDGET
from sandbox.authorisation.dp_budget import Budget, DpCharge, scope_id
from sandbox.core.actor import MACHINE, READS_ALL, Actor
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Command, Kind, Model, State, Transition, World
from sandbox.core.records import limited, signed
from sandbox.core.resource import Resource
from sandbox.operation import codes  # noqa: F401

NAME = "dp-release"
SPACE = "space"  # a scope is shared: it belongs to no party
SHA256 = r"^[0-9a-f]{64}$"


class DpRelease(Model):
    """The question and its price. ``epsilon`` is told at ``delta_e15`` + the δ of the conversion, in all
    ``delta_bound`` at the most; ``scopes`` are what it is charged to; ``noise`` is the scale of the noise in
    each column of the answer, as far as the query states it; ``draw`` counts the lost ones before it."""

    asked_sha256: str = Bound(pattern=SHA256)
    query_sha256: str = Bound(pattern=SHA256)
    job: str
    scenario: str
    agreement: str
    recipient: str
    datasets: tuple[str, ...] = Bound(min_length=1)
    nano_rho: int = Bound(ge=1, lt=1 << 53)
    delta_e15: int = Bound(ge=0, lt=1 << 53)
    delta_bound: int = Bound(ge=1, lt=1 << 53)
    epsilon: str = Bound(pattern=r"^\d+\.\d{4}$")
    scopes: tuple[Budget, ...] = Bound(min_length=1)
    noise: dict[str, float] = Bound(default_factory=dict)
    draw: int = Bound(default=0, ge=0)


class Seal(Model):
    """The answer: which job's container drew it, its hash and size."""

    job: str
    sha256: str = Bound(pattern=SHA256)
    bytes: int = Bound(ge=0, lt=1 << 50)


class Lost(Model):
    """The job that ended without a seal after its draw had begun."""

    job: str


def charges(case: Case, after: Resource) -> Iterable[Command]:
    """Effect: every scope is charged, in this transaction; the first charge of a scope opens it."""
    asked: DpRelease = case.payload
    cost = DpCharge(
        release=after.id,
        agreement=asked.agreement,
        nano_rho=asked.nano_rho,
        delta_e15=asked.delta_e15,
        delta_bound=asked.delta_bound,
    ).model_dump()
    for scope in asked.scopes:
        id = scope_id(scope)
        if case.world.get(BUDGET, id) is None:
            yield Command(BUDGET, id, "create", scope.model_dump(), organisation=SPACE, creates=True)
        yield Command(BUDGET, id, "charge", cost)


def named_by_question(case: Case) -> None:
    """Guard: the id is the question's and that of its next draw, so that one question has one answer."""
    asked = case.payload.asked_sha256
    draw, _ = present(case.world, asked)
    if (case.payload.draw, case.resource.id) != (draw, release_id(asked, draw)):
        raise fail("DP_ID", release=case.resource.id)


def release_id(asked_sha256: str, draw: int = 0) -> str:
    """The id of the answer to a question, ``draw`` of whose draws were lost."""
    digest = hashlib.sha256(f"{asked_sha256}/{draw}".encode()).hexdigest() if draw else asked_sha256
    return f"dpr-{digest[:36]}"


def present(world: World, asked_sha256: str) -> tuple[int, Resource | None]:
    """How many draws of a question were lost, and the row of the one that was not; None: none is paid for."""
    draw = 0
    while (row := world.get(NAME, release_id(asked_sha256, draw))) is not None and row.state == "lost":
        draw += 1
    return draw, row


def sealed(case: Case) -> dict[str, Any]:
    """Record: the answer by its hash."""
    return {"seal": signed(case)}


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """Who asked, the recipient, the supervising side."""
    return actor.role in READS_ALL or actor.organisation in (
        resource.organisation,
        resource.spec["recipient"],
    )


def view(actor: Actor, resource: Resource) -> Resource:
    """Outside the supervising side no hash and no size of an answer: it has not left yet."""
    if actor.role in READS_ALL:
        return resource
    return limited(resource, status={})


def labels(case: Case) -> dict[str, str]:
    """Index: by scenario, agreement and recipient."""
    return {
        "scenario": case.payload.scenario,
        "agreement": case.payload.agreement,
        "recipient": case.payload.recipient,
    }


# fmt: off
TRANSITIONS = (
    Transition("create", (), "charged", MACHINE, "核减", "charge",
               "default: R-134; paid before it is answered", payload=DpRelease,
               guards=(named_by_question,), effects=(charges,)),
    Transition("seal", ("charged",), "sealed", MACHINE, "封存", "seal",
               "default: R-134; one question, one answer", payload=Seal, record=sealed),
    Transition("lose", ("charged",), "lost", MACHINE, "作废", "lose",
               "default: R-134; a draw that was begun is spent", payload=Lost),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="差分隐私答复",
    en="answer under differential privacy",
    prefix="dpr",
    spec=DpRelease,
    labels=labels,
    visible=visible,
    view=view,
    states=(
        State("charged", "已付，待答复", "paid, not answered yet", "system"),
        State("sealed", "已封存", "sealed", ""),
        State("lost", "未封存即结束", "ended without a seal", ""),
    ),
    transitions=TRANSITIONS,
)
