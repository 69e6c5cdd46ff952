"""A question's whole path on the real engine: estimated, paid, answered, checked, released, asked again."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.core.errors import SandboxError
from sandbox.core.resource import Resource
from tests.plugins.live import Live, LiveMaker

pytestmark = pytest.mark.engine
QUERY: dict[str, Any] = {
    "by": [{"column": "sex", "keys": ["男", "女", "未知"]}],
    "measures": [
        {"name": "persons", "of": "distinct"},
        {"name": "income", "of": "mean", "column": "income", "lower": 0, "upper": 400000},
    ],
    "nano_rho": 4_000_000,
}


@pytest.fixture(scope="module")
def live(live_space: LiveMaker) -> Live:
    return live_space(rows=500)


def asked(live: Live, **over: Any) -> dict[str, Any]:
    return {
        "scenario": live.case.scenario,
        "purpose": live.case.purpose,
        "language": "dp",
        "query": {**QUERY, **over},
        "inputs": [
            {"name": "residents", "product": live.case.product, "columns": ["person", "sex", "income"]}
        ],
        "outputs": [
            {
                "path": "by_sex.csv",
                "kind": "table",
                "dimensions": ["sex"],
                "counts": ["persons"],
                "measures": ["income"],
            }
        ],
    }


def answered(live: Live, spec: dict[str, Any]) -> Resource:
    id = live.story.world["li-developer"].create("job", spec)["id"]
    return live.wait("job", id, "quarantined", "failed", "denied")


def spent(live: Live) -> dict[str, int]:
    return {one.spec["level"]: one.status["budget"]["nano_rho"] for one in live.find("dp-budget")}


def test_a_question_is_paid_answered_and_released_once(live: Live, tmp_path: Path) -> None:
    developer = live.story.world["li-developer"]
    spec = asked(live)
    told = developer.call("POST", "/v1/dp/estimate", json={"spec": spec}).json()
    assert told["holds"]
    assert spent(live) == {}

    job = answered(live, spec)
    assert job.state == "quarantined", job.status
    release = live.get("dp-release", job.status["dp"]["release"])
    assert release.state == "sealed"
    assert spent(live) == dict.fromkeys(("use", "scenario", "entities"), told["nano_rho"])

    request = live.propose(job.id)
    seen = live.wait("egress-request", request, "human_review", "auto_rejected")
    assert seen.state == "human_review", seen.status["check"]
    check = seen.status["check"]
    assert check["dp"]["nano_rho"] == release.spec["nano_rho"]
    exact = {one["rule"]: one["result"] for one in check["rules"]}
    assert exact["SMALL_CELL"] == exact["DIFFERENCING"] == "not_applicable"
    assert exact["IDENTIFIER"] == exact["PURPOSE"] == "no_objection"

    page = f"/v1/egress-request/{request}/report"
    assert release.id in live.story.world["zhou-reviewer"].call("GET", page).text
    assert release.id not in developer.call("GET", page).text  # the submitter's sight is the coarse one

    live.approve(request)
    live.register(request)
    live.wait("egress-request", request, "released")
    token = developer.get(f"/v1/egress-request/{request}/token")["token"]
    path = f"/v1/egress-request/{request}/package"
    package = developer.call("POST", path, json={"token": token}).content
    with zipfile.ZipFile(io.BytesIO(package)) as bundle:
        record = json.loads(bundle.read("package.json"))
        rows = bundle.read("data/by_sex.csv").decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["sex", "女", "未知", "男"]  # nobody's cell comes out too
    assert record["lineage"]["dp"]["release"] == release.id
    assert record["lineage"]["dp"]["nano_rho"] == told["nano_rho"]
    assert (record["lineage"]["dp"]["epsilon"], record["lineage"]["dp"]["delta"]) == (
        told["epsilon"],
        "1000000000e-15",
    )

    again = answered(live, spec)
    assert again.status["outputs"] == job.status["outputs"]  # the sealed bytes, where they lie
    assert again.status["dp"] == job.status["dp"]
    assert spent(live) == dict.fromkeys(("use", "scenario", "entities"), told["nano_rho"])


def test_beyond_the_budget_and_past_the_grant_the_answer_is_a_refusal(live: Live) -> None:
    developer = live.story.world["li-developer"]
    before = spent(live)
    for over, status, code in (
        ({"nano_rho": 10**9}, 409, "BUDGET"),
        ({"where": [{"column": "birth_date", "op": "not_null"}]}, 403, "COLUMN_NOT_GRANTED"),
        ({"by": [{"column": "person", "keys": ["P1"]}]}, 422, "DP_IDENTIFIER"),
        ({"measures": []}, 422, "DP_QUERY"),
    ):
        with pytest.raises(SandboxError) as caught:
            developer.create("job", asked(live, **over))
        assert (caught.value.code, caught.value.status) == (code, status)
    with pytest.raises(SandboxError) as caught:
        live.story.world["han-rival"].create("job", asked(live))
    assert caught.value.code == "SCENARIO_UNKNOWN"
    assert spent(live) == before


def test_the_command_line_tells_cost_rest_and_book(live: Live, tmp_path: Path) -> None:
    space, developer = live.space, live.story.world["li-developer"]
    file = tmp_path / "query.yaml"
    file.write_text(yaml.safe_dump({**QUERY, "nano_rho": 1_000_000}, allow_unicode=True), encoding="utf-8")
    who = {
        "COLUMNS": "200",
        "SANDBOX_TOKEN": developer._http.headers["authorization"].removeprefix("Bearer "),
    }
    words = ("dp", "estimate", str(file), "--scenario", live.case.scenario, "--product", live.case.product)
    told = json.loads(space.run(*words, "--format", "json", **who))
    assert told["nano_rho"] <= 1_000_000
    shown = space.run(*words, **who)
    assert f"{told['nano_rho']} nano-ρ" in shown
    assert "entities" in shown
    assert live.case.scenario in space.run("dp", "budget", "--scenario", live.case.scenario, **who)
