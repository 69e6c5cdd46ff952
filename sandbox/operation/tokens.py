"""The token vault of a workspace (令牌库): which jobs draw from it, one after another, and which state of it
a job begins with.

A job that draws tokens takes the vault as the last such job left it and leaves a new one that holds the old
one whole, so that a value has one token in all products of the scenario. That needs one order: while such a
job is under way, the next one of its scenario waits. What is kept here of a vault is its hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sandbox.core.lifecycle import World
from sandbox.core.resource import Resource
from sandbox.desensitize.recipe import validate_recipe

TRANSFORM = "token"


def draws(job: Resource) -> bool:
    """Whether a job's recipe draws tokens."""
    recipe = job.spec.get("recipe") or {}
    return any(step["transform"] == TRANSFORM for step in recipe.get("steps", ()))


def free(waiting: Iterable[Resource], active: Sequence[Resource]) -> list[Resource]:
    """Those of ``waiting`` for whom the vault that they draw from is free, or who draw from none."""
    busy = {job.labels["scenario"] for job in active if draws(job)}
    return [job for job in waiting if not (draws(job) and job.labels["scenario"] in busy)]


def left_by(job: Resource) -> str:
    """The hash of the vault that a kept job left; "" if it drew no token."""
    return str(job.status.get("keep", {}).get("tokens", ""))


def vault_of(world: World, scenario: str) -> str:
    """The hash of the vault as the last job of the scenario left it; "" if there is none yet."""
    kept = [job for job in world.find("job", state="kept", labels={"scenario": scenario}) if left_by(job)]
    return left_by(max(kept, key=lambda job: str(job.status["keep"]["at"]))) if kept else ""


def domain_of(job: Resource, column: str) -> str:
    """The set of values whose tokens stand in ``column`` of what a recipe made; "" if it holds none: the last
    step that wrote it drew no tokens, or no step did."""
    recipe = job.spec.get("recipe")
    steps = validate_recipe(recipe).steps if recipe else ()
    wrote = [step for step in steps if column in step.targets]
    return str(wrote[-1].params["domain"]) if wrote and wrote[-1].transform == TRANSFORM else ""
