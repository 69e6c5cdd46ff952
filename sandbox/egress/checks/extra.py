"""Checks that a profile adds to ours (R-149): plug-ins of Python packages that stand in the check image.

A package offers a plug-in as an entry point of the group ``sandbox.egress.checks``; its object is a
``Plugin``. A profile names it in ``egress.checks``. A name that nothing offers is an error, not a check left
out: what the policy demands and the image cannot do ends in a rejection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import entry_points

from sandbox.core.errors import fail
from sandbox.egress import codes  # noqa: F401  (defines the codes raised here)
from sandbox.egress.checks.base import Check, Run
from sandbox.egress.context import Context
from sandbox.egress.families import EXTRA
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document
from sandbox.egress.messages import Rule

GROUP = "sandbox.egress.checks"
_POINT = re.compile(r"26\.[1-6]")


@dataclass(frozen=True)
class Plugin:
    """Rules and the checks that raise them. A rule's name begins with ``X_``, so that it can never stand for
    one of ours; its findings are built by ``Rule.finding`` and keep what ``messages.finding`` asks."""

    rules: Mapping[str, Rule]
    checks: tuple[Check, ...]


def plugins(context: Context) -> list[Plugin]:
    """The plug-ins that the policy names, in its order; looked up once a run.

    Raises EGRESS_PARAMS when the policy's value is no list of names, EGRESS_PLUGIN when a name is offered by
    no package or by several, and when what is offered is no plug-in.
    """
    if "plugins" not in context.memo:
        names = context.policy.get("egress.checks") or []
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise fail("EGRESS_PARAMS", why="egress.checks")
        context.memo["plugins"] = [_load(name) for name in dict.fromkeys(names)]
    found: list[Plugin] = context.memo["plugins"]
    return found


def _load(name: str) -> Plugin:
    offered = list(entry_points(group=GROUP, name=name))
    try:
        plugin = offered[0].load() if len(offered) == 1 else None
    except Exception:  # of a package that is not ours
        plugin = None
    if not isinstance(plugin, Plugin) or not _sound(plugin):
        raise fail("EGRESS_PLUGIN", name=name)
    return replace(plugin, checks=tuple(replace(one, run=_held(one)) for one in plugin.checks))


def _sound(plugin: Plugin) -> bool:
    """Whether its rules are named as they must be, serve a review point, and cover its checks."""
    named = all(EXTRA.fullmatch(name) and _POINT.fullmatch(rule.point) for name, rule in plugin.rules.items())
    return named and bool(plugin.checks) and all(set(one.rules) <= set(plugin.rules) for one in plugin.checks)


def _held(check: Check) -> Run:
    """The check's function, which may raise the rules that it states and no others."""

    def run(document: Document, context: Context) -> Iterable[Finding]:
        found = list(check.run(document, context))
        if any(one.rule not in check.rules for one in found):
            raise ValueError("a finding of another rule")
        return found

    return run
