"""The capacity budget of a scenario: what its releases could have carried unseen, in bits.

Each release is charged what the checker bounds it at (``sandbox.egress.capacity``), in the transaction that
releases it, and nothing is given back: what has been read cannot be recalled.
"""

from __future__ import annotations

from typing import Any

from sandbox.authorisation import codes  # noqa: F401
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Case, Policy
from sandbox.core.resource import Resource

KEY = "egress.capacity_bits_per_scenario"


def spent(scenario: Resource) -> int:
    """Bits charged so far."""
    return int(scenario.status.get("capacity", {}).get("bits", 0))


def affordable(scenario: Resource, bits: int, policy: Policy) -> None:
    """Raises CAPACITY_SPENT when ``bits`` more would exceed the scenario's budget."""
    budget, before = int(policy.get(KEY)), spent(scenario)
    if before + bits > budget:
        raise fail("CAPACITY_SPENT", scenario=scenario.id, bits=bits, spent=before, budget=budget)


def capacity_left(case: Case) -> None:
    """Guard of the charge: the budget holds with it."""
    affordable(case.resource, case.payload.bits, case.policy)


def charged(case: Case) -> dict[str, Any]:
    """Record: the sum with this release."""
    return {"capacity": {"bits": spent(case.resource) + case.payload.bits, "at": case.now.isoformat()}}
