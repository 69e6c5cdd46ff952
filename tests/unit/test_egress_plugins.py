"""The hook for checks that a profile adds: they run and are reported; what is not there is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.core.errors import SandboxError
from sandbox.policy.parameters import PARAMETERS
from sandbox.review.coarse import coarse
from tests.plugins.egress import POLICY
from tests.plugins.space import Scene
from tests.refusal import refused

Offer = Callable[..., dict[str, Any]]
MODULE = """
from sandbox.egress.checks.base import Check
from sandbox.egress.checks.extra import Plugin
from sandbox.egress.messages import Rule
from sandbox.egress.findings import Severity

WIDE = Rule("{point}", Severity.HOLD, "有 {{count}} 列。", "{{count}} columns.", "少几列 / Use fewer columns")

def run(document, context):
    {body}

PLUGIN = Plugin({{"{rule}": WIDE}}, (Check(("X_WIDE",), "table", run, ("egress.min_cell",)),))
"""
FINDS = (
    'yield from (WIDE.finding("X_WIDE", document.shown, table.part, {"count": len(table.columns)}) '
    "for table in document.tables if len(table.columns) > 2)"
)


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Install a package that offers the plug-in ``wide``; the policy that names it."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def go(body: str = FINDS, point: str = "26.6", rule: str = "X_WIDE", names: int = 1) -> dict[str, Any]:
        module = f"plugin_{abs(hash((body, point, rule)))}"
        (tmp_path / "site").mkdir(exist_ok=True)
        (tmp_path / "site" / f"{module}.py").write_text(MODULE.format(body=body, point=point, rule=rule))
        for number in range(names):
            info = tmp_path / "site" / f"wide{number}-1.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: wide{number}\nVersion: 1\n")
            (info / "entry_points.txt").write_text(f"[sandbox.egress.checks]\nwide = {module}:PLUGIN\n")
        sys.modules.pop(module, None)
        return {**POLICY, "egress.checks": ["wide"]}

    return go


@pytest.fixture
def counts(persons: pl.DataFrame) -> pl.DataFrame:
    return persons.group_by("district", "sex").agg(n=pl.len())


def test_a_plugin_runs_and_stands_in_the_report(
    attack: Callable[..., Any], offer: Offer, counts: pl.DataFrame
) -> None:
    policy = offer()
    held = attack(counts, policy=policy)
    assert [(one.rule, one.severity.value, one.evidence) for one in held.findings] == [
        ("X_WIDE", "hold", {"count": 3})
    ]
    fine = attack(counts.group_by("district").agg(pl.col("n").sum()), policy=policy)
    results = [next(one for one in report.rules if one["rule"] == "X_WIDE") for report in (held, fine)]
    assert [(one["result"], one["point"]) for one in results] == [("hold", "26.6"), ("no_objection", "26.6")]
    assert "X_WIDE" not in {one["rule"] for one in attack(counts).rules}  # another profile does not have it


def test_of_a_plugins_finding_the_submitter_learns_its_kind_only(
    attack: Callable[..., Any], offer: Offer, counts: pl.DataFrame
) -> None:
    report = attack(counts, policy=offer()).as_json()
    told = coarse({**report, "outputs": ["out.csv"]})
    assert [(one["path"], one["family"], one["severity"]) for one in told["findings"]] == [
        ("out.csv", "other", "hold")
    ]
    assert coarse({"verdict": "hold", "findings": [{"rule": "OURS", "severity": "hold", "path": ""}]}) == {
        "verdict": "hold",
        "findings": [],
    }


@pytest.mark.parametrize(
    "body",
    [
        'raise ValueError("110101199003077475")',
        'yield WIDE.finding("SMALL_CELL", "", "", {"count": 1})',  # a rule that is not its own
        "return 7",
    ],
)
def test_a_plugin_that_fails_is_a_rejection(
    attack: Callable[..., Any], offer: Offer, counts: pl.DataFrame, body: str
) -> None:
    report = attack(counts, policy=offer(body))
    assert [(one.rule, one.severity.value) for one in report.findings] == [("CHECK_ERROR", "hard")]
    assert report.verdict.value == "reject"
    assert "110101199003077475" not in str(report.as_json())


@pytest.mark.requirement("R-149")
def test_a_plugin_is_reported_and_its_error_lets_no_request_pass(
    attack: Callable[..., Any], offer: Offer, counts: pl.DataFrame, granted: Scene
) -> None:
    assert "X_WIDE" in {one["rule"] for one in attack(counts, policy=offer()).rules}
    report = attack(counts, policy=offer("raise ValueError")).as_json()
    assert [(one["rule"], one["evidence"]) for one in report["findings"]] == [("CHECK_ERROR", {})]
    granted.job()
    granted.request(until="auto_check")
    check = granted.check("eg-a", report["verdict"], *report["findings"], canonical=[])
    with refused("HARD_FINDING"):  # nor does a check that is said to have raised no objection
        granted.act("system", "egress-request", "eg-a", "forward", {**check, "verdict": "no_objection"})
        granted.act("reviewer", "egress-request", "eg-a", "give_verdict", granted.verdict())


@pytest.mark.parametrize(
    "how",
    [
        {"point": "26.7"},
        {"rule": "SMALL_CELL"},  # it cannot stand for one of ours
        {"body": "pass", "rule": "X_OTHER"},  # a rule that its check does not state
        {"body": "syntax error"},
        {"names": 2},  # two packages offer it: nobody knows which is meant
    ],
)
def test_a_plugin_that_is_none_is_refused(
    attack: Callable[..., Any], offer: Offer, counts: pl.DataFrame, how: dict[str, Any]
) -> None:
    with pytest.raises(SandboxError, match="EGRESS_PLUGIN"):
        attack(counts, policy=offer(**how))


@pytest.mark.parametrize(
    ("names", "code"), [(["absent"], "EGRESS_PLUGIN"), ("wide", "EGRESS_PARAMS"), ([7], "EGRESS_PARAMS")]
)
def test_a_name_that_nobody_offers_is_an_error_and_no_check_left_out(
    attack: Callable[..., Any], counts: pl.DataFrame, names: Any, code: str
) -> None:
    with pytest.raises(SandboxError, match=code):
        attack(counts, policy={**POLICY, "egress.checks": names})


def test_a_lower_profile_may_add_checks_and_take_none_away() -> None:
    assert PARAMETERS["egress.checks"].order.name == "SUPERSET"
