"""The five profiles as shipped: complete, cited, and with the values of the parameter table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.policy.load import lint, load_profile, profile_names
from sandbox.policy.model import diff
from sandbox.policy.parameter import Order
from sandbox.policy.parameters import PARAMETERS, authorising, engineering, running

FOLDER = Path(__file__).parents[2] / "policies"
FIVE = ["chengdu", "guangdong", "guangming", "guizhou", "national"]


def test_the_registry_has_every_row_of_the_parameter_table_once() -> None:
    rows = (*authorising.ROWS, *running.ROWS, *engineering.ROWS)
    assert len(rows) == len(PARAMETERS)
    seeds = {row.seed for row in rows}
    wanted = {f"P-{n:02d}" for n in range(1, 98)} | {f"Q-{n:02d}" for n in range(1, 21)}
    assert seeds - {""} == wanted
    assert all(row.zh and row.en and row.used_by.startswith("R-") for row in rows)


@pytest.mark.requirement("R-205")
@pytest.mark.parametrize("name", FIVE)
def test_each_parameter_of_each_profile_has_value_basis_and_cite(name: str) -> None:
    assert profile_names(FOLDER) == FIVE
    assert lint(name, FOLDER) == []
    written: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))[
        "parameters"
    ]
    for key, entry in written.items():
        assert "value" in entry, key
        assert entry["basis"] in ("stated", "default"), key
        assert entry["cite" if entry["basis"] == "stated" else "note"].strip(), key
    profile = load_profile(name, FOLDER)
    assert profile.values().keys() == PARAMETERS.keys()
    for key in PARAMETERS:
        source = profile.source(key)
        assert source.cite if source.basis == "stated" else source.note, key


@pytest.mark.parametrize("name", FIVE)
def test_a_profile_tells_its_own_instrument(name: str) -> None:
    """Nothing that describes the instrument is inherited from another one."""
    profile = load_profile(name, FOLDER)
    own = [
        key
        for key, parameter in PARAMETERS.items()
        if parameter.order is Order.OWN and key != "legacy.conformity_deadline"
    ]
    assert {profile.source(key).profile for key in own} == {profile.id.removesuffix("-draft")}


@pytest.mark.requirement("R-213")
def test_each_profile_names_its_interpreting_authority_or_says_that_none_is_stated() -> None:
    named = {name: load_profile(name, FOLDER).get("instrument.interpreting_authority") for name in FIVE}
    assert named == {
        "chengdu": "市公共数据主管部门",
        "guangdong": "广东省政务服务和数据管理局",
        "guangming": "not stated",
        "guizhou": "not stated",
        "national": "not stated",
    }


# Rows of the parameter table (requirements part C.2) where the jurisdictions differ most.
TABLE: dict[str, dict[str, Any]] = {
    "agreement.max_term_years": {"national": 3, "guizhou": 3, "chengdu": 5, "guangdong": 5, "guangming": 3},
    "authorisation.mode_default": {
        "national": "overall",
        "guizhou": "overall",
        "chengdu": "overall",
        "guangdong": "scenario",
        "guangming": "overall",
    },
    "scenario.applicant": {
        "guizhou": ["developer"],
        "chengdu": ["operator"],
        "guangdong": ["operator"],
    },
    "scenario.two_step": {"chengdu": True, "guangdong": False, "guizhou": False},
    "scenario.formal_review_wd": {"chengdu": 5},
    "scenario.provider_review_wd": {"chengdu": 5},
    "scenario.review_wd": {"guangdong": 10},
    "supply.delivery_wd": {"chengdu": 5},
    "supply.collection_wd": {"guangdong": 20},
    "operator.candidate_notice_days": {"guangdong": 5},
    "review.product_wd": {"national": 10, "guangdong": 10},
    "logs.retention_years": {"chengdu": 1, "guangdong": 5, "national": 5},
    "trade.channel": {"guizhou": "encouraged", "guangdong": "required", "national": "encouraged"},
    "price.public_class": {"chengdu": "free", "guangdong": "conditionally_free"},
    "personal.basis": {
        "guangdong": "anonymised_or_consent",
        "guizhou": "anonymised",
        "chengdu": "anonymised",
    },
    "personal.consented_record_allowed": {"guangdong": True, "guizhou": False},
    "egress.min_cell": dict.fromkeys(FIVE, 10),
    "egress.min_cell_sensitive": dict.fromkeys(FIVE, 20),
    "job.log_to_developer": dict.fromkeys(FIVE, "status_only"),
    "sod.operator_redevelopment_ban": dict.fromkeys(FIVE, True),
    "reversibility.ban": dict.fromkeys(FIVE, True),
    "raw.egress": dict.fromkeys(FIVE, "forbidden"),
    "raw.developer_use": dict.fromkeys(FIVE, "forbidden"),
    "instrument.validity_years": {"chengdu": 5, "guangdong": 2, "guizhou": None},
}


@pytest.mark.parametrize("key", TABLE)
def test_values_of_the_parameter_table(key: str) -> None:
    assert {name: load_profile(name, FOLDER).get(key) for name in TABLE[key]} == TABLE[key]


def test_guizhou_routes_scenarios_by_mode_and_chengdu_forbids_third_parties_by_mode() -> None:
    guizhou, chengdu = load_profile("guizhou", FOLDER), load_profile("chengdu", FOLDER)
    assert guizhou.get("scenario.reviewer")["overall"] == ["data_authority", "provider"]
    assert guizhou.get("scenario.reviewer")["sectoral"] == ["sector_authority"]
    third = chengdu.get("sod.third_party_redevelopment")
    assert third == {"overall": "allowed", "sectoral": "forbidden", "scenario": "forbidden"}


@pytest.mark.parametrize("name", FIVE)
def test_thirteen_clauses_and_the_six_points(name: str) -> None:
    profile = load_profile(name, FOLDER)
    assert len(set(profile.get("agreement.required_clauses"))) == 13
    assert {f"26.{n}" for n in range(1, 7)} <= set(profile.get("review.points"))
    assert ("26.6-R" in profile.get("review.points")) == (name != "guangdong")


@pytest.mark.parametrize("name", FIVE)
def test_only_drafts_are_marked_as_drafts(name: str) -> None:
    assert load_profile(name, FOLDER).draft == (name in ("chengdu", "guangdong"))


@pytest.mark.requirement("R-292")
def test_diff_of_chengdu_and_guangdong_has_the_rows_of_the_table() -> None:
    rows = {row.key: row for row in diff(load_profile("chengdu", FOLDER), load_profile("guangdong", FOLDER))}

    def side(key: str) -> list[tuple[Any, str, str]]:
        return [(s.value, s.basis, s.cite) for s in (rows[key].left, rows[key].right)]

    assert side("agreement.max_term_years") == [(5, "stated", "第17条(二)"), (5, "stated", "第22条(二)")]
    assert rows["agreement.max_term_years"].same_value
    assert side("scenario.formal_review_wd") == [(5, "stated", "第23条"), (5, "default", "")]
    assert side("scenario.provider_review_wd") == [(5, "stated", "第23条"), (5, "default", "")]
    assert side("scenario.review_wd") == [(10, "default", ""), (10, "stated", "第24条")]
    assert side("review.product_wd") == [(10, "default", ""), (10, "stated", "第26条")]
    assert side("logs.retention_years") == [(1, "stated", "第26条"), (5, "stated", "第39条")]
    assert not rows["logs.retention_years"].same_value
    assert rows["sod.department_self_sale_ban"].same_value  # the same, but only Guangdong states it
    assert "egress.min_cell" not in rows  # alike in value, basis and source
