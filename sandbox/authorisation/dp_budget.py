"""Budget of differential privacy (差分隐私预算): one row a scope, charged and never given back.

The unit is zCDP (Bun and Steinke 2016), because it adds up exactly: ρ in integer nano-ρ, δ in integer 1e-15.
A release is charged to every scope it falls into, in the transaction that starts its job, before any noise is
drawn:

- ``use``: one resource, in one scenario, for one recipient, in one calendar year (policy, Q-06);
- ``scenario``: everything asked in one scenario;
- ``entities``: everything ever asked, by anybody, of resources that tell of the same entities.

The policy states caps as ε; the δ beside it is 1/n² (``dp.delta``), n being the entities of the snapshot
rounded up to a power of ten, so that a budget tells no more of a count than its order. Half of that δ is
for what mechanisms spend, half for the conversion of ρ into ε. A scope keeps the least δ it was ever told.
Versions of a row are the book: each names its release. The database refuses a lower sum too (migration 0003).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import rfc8785
from pydantic import Field as Bound

from sandbox.authorisation import codes  # noqa: F401
from sandbox.authorisation.scenario_spec import user_of
from sandbox.core.actor import MACHINE, READS_ALL, Actor, Role
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Kind, Model, Policy, State, Transition, World
from sandbox.core.records import need
from sandbox.core.resource import Resource
from sandbox.desensitize.dp.accounting import epsilon

NAME = "dp-budget"
E15 = 10**15  # δ is counted in units of 1e-15
CAPS = {"use": "dp.epsilon_total", "scenario": "dp.epsilon_scenario", "entities": "dp.epsilon_entities"}
LEAST_DELTA = 2  # units: one for mechanisms, one for the conversion
MOST_DELTA = 10**9  # units: 1e-6; a snapshot of fewer than a thousand entities gets no more
MOST_NANO_RHO = 10**15  # ρ = 10^6: no ε that a policy states comes near


class Budget(Model):
    """Which scope: ``level`` and the names that make it; those of other levels are empty."""

    level: Literal["use", "scenario", "entities"]
    dataset: str = ""
    scenario: str = ""
    recipient: str = ""
    year: int = 0
    domain: str = ""


class DpCharge(Model):
    """What one release costs this scope. ``delta_bound``: the δ of its snapshot, in 1e-15."""

    release: str
    agreement: str
    nano_rho: int = Bound(ge=1, lt=1 << 53)
    delta_e15: int = Bound(ge=0, lt=1 << 53)
    delta_bound: int = Bound(ge=LEAST_DELTA, le=MOST_DELTA)


@dataclass(frozen=True)
class Sum:
    """What a scope has spent, and the least δ it was told."""

    nano_rho: int = 0
    delta_e15: int = 0
    delta_bound: int = MOST_DELTA
    charges: int = 0


@dataclass(frozen=True)
class Caps:
    """What may be spent in all: ``nano_rho``; ``delta_e15`` by mechanisms; ``epsilon`` at ``delta_bound``."""

    nano_rho: int
    delta_e15: int
    epsilon: float
    delta_bound: int


def domain_of(entry: Resource) -> str:
    """The domain of entities that a resource tells of; none declared: its own."""
    return str(entry.spec.get("entity_domain") or entry.id)


def scope_id(scope: Budget) -> str:
    """The id of a scope's row: of what it is, so that it is found without a search."""
    return f"dpb-{hashlib.sha256(rfc8785.dumps(scope.model_dump())).hexdigest()[:36]}"


def delta_bound(entities: int) -> int:
    """δ ≤ 1/n² in 1e-15, n rounded up to a power of ten; from ``LEAST_DELTA`` to ``MOST_DELTA``."""
    n: int = 10 ** len(str(max(entities, 2) - 1))
    return min(max(E15 // n**2, LEAST_DELTA), MOST_DELTA)


def told_epsilon(nano_rho: int, bound: int) -> float:
    """ε of ``nano_rho`` at δ ``bound``, half of which mechanisms may spend; 0 for nothing."""
    return epsilon(nano_rho, bound, bound // 2)


@functools.lru_cache(maxsize=256)
def nano_rho_of(most: float, bound: int) -> int:
    """The largest ρ whose ε at δ ``bound`` is at most ``most``. ε grows with ρ, so halving finds it."""
    low, high = 0, MOST_NANO_RHO
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if told_epsilon(middle, bound) <= most else (low, middle)
    return low


def sum_of(row: Resource | None) -> Sum:
    """What a scope has spent; nothing if there is no row yet."""
    if row is None:
        return Sum()
    told = row.status["budget"]
    return Sum(told["nano_rho"], told["delta_e15"], told["delta_bound"], told["charges"])


def caps(level: str, policy: Policy, rules: Mapping[str, float], bound: int) -> Caps:
    """The profile's cap of a level at δ ``bound``, tightened by an agreement's ``egress_rules``."""
    key = CAPS[level]
    most = min(float(policy.get(key)), float(rules.get(key, policy.get(key))))
    return Caps(nano_rho_of(most, bound), bound // 2, most, bound)


def affordable(
    scope: Budget, before: Sum, charge: DpCharge, policy: Policy, rules: Mapping[str, float]
) -> Caps:
    """The caps that hold with ``charge``; raises BUDGET, which says what is left and what was asked.

    What it says follows from earlier queries and from this one, never from data.
    """
    bound = min(before.delta_bound, charge.delta_bound)
    cap = caps(scope.level, policy, rules, bound)
    left, left_delta = max(cap.nano_rho - before.nano_rho, 0), max(cap.delta_e15 - before.delta_e15, 0)
    # a smaller delta than before may have made of what was spent more than there is: then nothing fits
    over = before.delta_e15 + charge.delta_e15 > cap.delta_e15
    if charge.nano_rho > left or over:
        raise fail(
            "BUDGET",
            scope=scope.level,
            asked_nano_rho=charge.nano_rho,
            left_nano_rho=left,
            asked_delta_e15=charge.delta_e15,
            left_delta_e15=left_delta,
            asked_epsilon=round_up(told_epsilon(charge.nano_rho, bound)),
            left_epsilon=round_down(told_epsilon(left, bound)),
            delta=f"{bound}e-15",
        )
    return cap


def round_up(value: float) -> str:
    """Four decimals, not below the value."""
    return f"{-(-value * 10_000 // 1) / 10_000:.4f}"


def round_down(value: float) -> str:
    """Four decimals, not above the value."""
    return f"{value * 10_000 // 1 / 10_000:.4f}"


def left_of(row: Resource) -> tuple[str, str]:
    """ε that a scope has left, and ε in all, as of its last charge: four decimals, rounded down."""
    told, spent = row.status["budget"], sum_of(row)
    left = max(told["cap_nano_rho"] - spent.nano_rho, 0)
    in_all = told_epsilon(told["cap_nano_rho"], spent.delta_bound)
    return round_down(told_epsilon(left, spent.delta_bound)), round_down(in_all)


def rules_of(case: Case, agreement: str) -> dict[str, float]:
    """The thresholds that an agreement's clauses tighten."""
    return dict(need(case, "agreement", agreement).spec["egress_rules"])


def budget_left(case: Case) -> None:
    """Guard: the scope's cap holds with this charge."""
    affordable(
        Budget.model_validate(case.resource.spec),
        sum_of(case.resource),
        case.payload,
        case.policy,
        rules_of(case, case.payload.agreement),
    )


def opened(case: Case) -> dict[str, Any]:
    """Record: nothing is spent yet."""
    nothing = {"nano_rho": 0, "delta_e15": 0, "charges": 0, "delta_bound": MOST_DELTA}
    return {"budget": {**nothing, "cap_nano_rho": 0, "cap_delta_e15": 0}}


def charged(case: Case) -> dict[str, Any]:
    """Record: the sums with this release, the caps they were held against, and which release it was."""
    charge, before = case.payload, sum_of(case.resource)
    bound = min(before.delta_bound, charge.delta_bound)
    cap = caps(case.resource.spec["level"], case.policy, rules_of(case, charge.agreement), bound)
    return {
        "budget": {
            "nano_rho": before.nano_rho + charge.nano_rho,
            "delta_e15": before.delta_e15 + charge.delta_e15,
            "charges": before.charges + 1,
            "delta_bound": bound,
            "cap_nano_rho": cap.nano_rho,
            "cap_delta_e15": cap.delta_e15,
        },
        "charge": {**charge.model_dump(), "at": case.now.isoformat()},
    }


def labels(case: Case) -> dict[str, str]:
    """Index: by each name of the scope."""
    told = case.payload.model_dump(exclude={"year"})
    return {key: value for key, value in told.items() if value}


def visible(actor: Actor, resource: Resource, world: World) -> bool:
    """The supervising side all; whoever uses the scenario, and its recipient, what is theirs; a provider
    what concerns its resources."""
    spec = resource.spec
    scenario = world.get("scenario", spec["scenario"])
    if actor.role in READS_ALL:
        return True
    if actor.role == Role.PROVIDER:
        own = world.find("catalogue-entry", organisation=actor.organisation)
        return spec["dataset"] in {one.id for one in own} or spec["domain"] in map(domain_of, own)
    return actor.organisation in {spec["recipient"], user_of(scenario) if scenario else ""} - {""}


# fmt: off
TRANSITIONS = (
    Transition("create", (), "open", MACHINE, "建账", "open", "default: R-134; a scope is opened by its "
               "first charge", payload=Budget, record=opened),
    Transition("charge", ("open",), "open", MACHINE, "核减预算", "charge", "default: R-134; nothing is given "
               "back, what was answered cannot be recalled", payload=DpCharge, guards=(budget_left,),
               record=charged),
)
# fmt: on

KIND = Kind(
    name=NAME,
    zh="差分隐私预算",
    en="budget of differential privacy",
    prefix="dpb",
    spec=Budget,
    labels=labels,
    visible=visible,
    states=(State("open", "记账中", "open", ""),),
    transitions=TRANSITIONS,
)
