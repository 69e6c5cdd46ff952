"""Who is affiliated with whom: the graph behind every separation of duty (requirements A.2, SD-1, SD-3)."""

from __future__ import annotations

from sandbox.core.actor import MANAGING, OPERATING
from sandbox.core.errors import fail
from sandbox.core.lifecycle import Policy, World
from sandbox.core.resource import Resource


def neighbours(world: World, threshold: float) -> dict[str, set[str]]:
    """For each organisation those it is directly bound to.

    Bound are: declared control or a holding of at least ``threshold`` (a share of 1), an agent and its
    principal, the same legal representative, a natural person with accounts in both.
    """
    organisations = world.find("organisation")
    edges: dict[str, set[str]] = {org.id: set() for org in organisations}

    def bind(a: str, b: str) -> None:
        edges.setdefault(a, set()).add(b)
        edges.setdefault(b, set()).add(a)

    holders: dict[str, str] = {}
    for org in organisations:
        for control in org.spec.get("controlled_by", ()):
            if control["declared_control"] or control["share"] >= threshold:
                bind(org.id, control["organisation"])
        for principal in org.spec.get("agent_of", ()):
            bind(org.id, principal)
        people = {f"account:{person}" for person in world.persons(org.id)}
        if org.spec.get("legal_representative"):
            people.add(f"representative:{org.spec['legal_representative']}")
        for person in people:
            bind(org.id, holders.setdefault(person, org.id))
    return edges


def affiliated(world: World, policy: Policy, a: str, b: str) -> bool:
    """Whether ``a`` and ``b`` are the same or joined by any chain: parent, child, sibling, agent, person."""
    edges = neighbours(world, float(policy.get("affiliate.control_threshold")))
    reached, frontier = {a}, [a]
    while frontier:
        for other in edges.get(frontier.pop(), ()):
            if other not in reached:
                reached.add(other)
                frontier.append(other)
    return b in reached


def apart(world: World, policy: Policy, managing: str, operating: str) -> None:
    """SD-3: the managing and the operating organisation are different and unaffiliated.

    Raises SOD_MANAGE_OPERATE.
    """
    if affiliated(world, policy, managing, operating):
        raise fail("SOD_MANAGE_OPERATE", a=managing, b=operating)


def one_side(roles: frozenset[str] | set[str], who: str) -> None:
    """SD-3 for one organisation or account: not both sides. Raises SOD_MANAGE_OPERATE."""
    if roles & MANAGING and roles & OPERATING:
        raise fail(
            "SOD_MANAGE_OPERATE",
            a=f"{who}:{min(roles & MANAGING)}",
            b=f"{who}:{min(roles & OPERATING)}",
        )


def no_redevelopment(world: World, policy: Policy, operator: str, organisation: str) -> None:
    """SD-1: the operator of a scope and its affiliates do not re-develop in it. Raises SOD_REDEV."""
    if policy.get("sod.operator_redevelopment_ban") and affiliated(world, policy, operator, organisation):
        raise fail("SOD_REDEV", operator=operator, other=organisation)


def redevelopment_in_scope(world: World, policy: Policy, organisation: Resource, roles: set[str]) -> None:
    """SD-1 when an organisation takes the developer role: not if it or an affiliate operates a live scope."""
    if "developer" not in roles:
        return
    for agreement in world.find("agreement", state=("signed", "active", "suspended")):
        if agreement.spec["operator"] == organisation.id:
            raise fail("SOD_REDEV", operator=agreement.spec["operator"], other=organisation.id)
