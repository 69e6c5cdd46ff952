"""The developer's and the operator's pages without a browser: what is left, held, and to be taken."""

from __future__ import annotations

import hashlib
import html
import io
import json
import re
import zipfile
from typing import Any

import httpx
import pytest
import yaml

from sandbox.console.forms import MAX_YAML
from sandbox.core.actor import Actor, Role
from tests.plugins.console import Consoles, Person, consoles_of
from tests.plugins.space import PURPOSE, Scene

SECRET = "rule-text-for-reviewers"


@pytest.fixture
def consoles_granted(granted: Scene) -> Consoles:
    """A console over a scene in which jobs can be submitted."""
    return consoles_of(granted)


def manifest(scene: Scene, **over: Any) -> str:
    spec = {key: value for key, value in scene.job_spec(**over).items() if key != "code"}
    return str(yaml.safe_dump({"kind": "job", "spec": spec}))


def submitted(
    person: Person, text: str, files: tuple[tuple[str, bytes], ...] = (), **form: str
) -> httpx.Response:
    """The form of a job as a browser sends it."""
    sent = [("files", (name, content)) for name, content in files] or [("files", ("", b""))]
    return person.post("/develop/job", {"manifest": text, **form}, files=sent)


# --- what is left, what is held


def test_the_desk_tells_what_is_left_of_a_grant(consoles_granted: Consoles) -> None:
    scene, developer = consoles_granted.scene, consoles_granted("developer")
    page = developer.get("/develop").text
    assert "剩 19 / 20 次" in page  # the primary product took one
    assert "还有 344 天" in page  # 21 September 2026 to 31 August 2027
    assert "差分隐私预算：尚未动用" in page
    assert "/console/develop/job/form?scenario=sc-a" in page
    scene.clock.move(days=400)
    page = developer_again(consoles_granted).get("/develop").text
    assert "授权期已过" in page
    assert "/console/develop/job/form?scenario=sc-a" not in page


def developer_again(desk: Consoles) -> Person:
    """The developer, signed in anew: the session has run out meanwhile."""
    return desk.fresh("developer")


def test_the_budget_of_differential_privacy_is_told_as_epsilon(consoles_granted: Consoles) -> None:
    scene = consoles_granted.scene
    machine = Actor("system", "", "space", Role.SYSTEM)
    scene.control.create(machine, "dp-budget", {"level": "scenario", "scenario": "sc-a"}, id="dpb-a")
    charge = {
        "release": "dpr-a",
        "agreement": "ag-a",
        "nano_rho": 10**6,
        "delta_e15": 0,
        "delta_bound": 10**6,
    }
    scene.act("system", "dp-budget", "dpb-a", "charge", charge)
    page = consoles_granted("developer").get("/develop").text
    assert "差分隐私预算 · 整个场景" in page
    found = re.search(r"剩 ε ([\d.]+) / ([\d.]+)", page)
    assert found
    left, total, cap = (
        float(found[1]),
        float(found[2]),
        float(scene.control.policy.get("dp.epsilon_scenario")),
    )
    assert cap - 0.001 < total <= cap
    assert 0 < left < total
    assert "差分隐私预算 · 整个场景" not in consoles_granted("rival").get("/develop").text


def test_what_is_held_is_told_by_family_and_how_to_mend_and_no_finer(consoles_granted: Consoles) -> None:
    scene, developer = consoles_granted.scene, consoles_granted("developer")
    scene.job()
    scene.request(until="auto_check")
    finding = scene.finding(evidence={"count": 7}, where=SECRET, message_zh=SECRET)
    scene.act("system", "egress-request", "eg-a", "object", scene.check("eg-a", "reject", finding))
    page = developer.get("/develop").text
    assert "个人信息和商业秘密" in page
    assert "如何修改：删除标识" in page
    assert "out.csv" in page
    for kept in (SECRET, "SMALL_CELL", "26.4"):
        assert kept not in page
    developer.post("/preferences", {"lang": "en"})
    assert "How to mend: Remove identifiers" in developer.get("/develop").text


def test_the_desk_asks_again_only_while_a_machine_is_at_something(consoles_granted: Consoles) -> None:
    scene, developer = consoles_granted.scene, consoles_granted("developer")
    assert "data-poll" not in developer.get("/develop").text
    scene.job(until="running")
    page = developer.get("/develop").text
    assert 'hx-get="/console/develop/state"' in page
    part = developer.get("/develop/state").text
    assert "运行中" in part
    assert "<html" not in part
    scene.act("system", "job", "job-a", "succeed", scene.ran())
    assert "运行成功" in developer.get("/develop/state").text
    scene.act("system", "job", "job-a", "fail", scene.ran("failed"))
    assert developer.get("/develop/state").status_code == 286  # htmx asks no more


def test_outputs_in_quarantine_lead_to_the_form_of_a_request(consoles_granted: Consoles) -> None:
    consoles_granted.scene.job()
    developer = consoles_granted("developer")
    found = re.search(r'href="/console(/r/egress-request/new[^"]*)"', developer.get("/develop").text)
    assert found
    page = developer.get(html.unescape(found[1])).text
    for name, value in (("job", "job-a"), ("purpose", PURPOSE), ("recipient", "dev")):
        assert re.search(f'name="{name}"[^>]* value="{value}"', page), name
    page = developer.get('/r/egress-request/new?title="><b>&high_risk=on&form=model').text
    assert "<b>" not in page
    assert not re.search(r'name="high_risk"[^>]* checked', page)  # a link ticks and chooses nothing
    assert 'value="model" selected' not in page


def test_other_organisations_work_is_not_seen(consoles_granted: Consoles) -> None:
    consoles_granted.scene.job()
    consoles_granted.scene.request(until="human_review")
    page = consoles_granted("rival").get("/develop").text
    for name in ("eg-a", "job-a", "sc-a"):
        assert name not in page


# --- a job


def test_a_job_is_submitted_from_its_manifest_and_files(consoles_granted: Consoles) -> None:
    scene, developer = consoles_granted.scene, consoles_granted("developer")
    page = html.unescape(developer.get("/develop/job?scenario=sc-a").text)
    assert f"purpose: {PURPOSE}" in page
    assert "product: pr-a" in page
    text = manifest(scene, files=["main.sql"])
    answer = submitted(developer, text, (("main.sql", b"SELECT 1\n"),))
    assert answer.status_code == 303, answer.text
    made = scene.get("job", answer.headers["location"].rpartition("/")[2])
    assert (made.organisation, made.spec["code"]) == ("dev", {"main.sql": "SELECT 1\n"})
    answer = submitted(developer, f"id: job-typed\n{manifest(scene)}", code="SELECT 2\r\n")
    assert answer.headers["location"] == "/console/r/job/job-typed"
    assert scene.get("job", "job-typed").spec["code"] == {"main.sql": "SELECT 2\n"}


@pytest.mark.parametrize(
    ("over", "files", "code"),
    [
        ({"purpose": "something-else"}, (("main.sql", b"SELECT 1"),), "PURPOSE_MISMATCH"),
        ({"scenario": "sc-none"}, (("main.sql", b"SELECT 1"),), "SCENARIO_UNKNOWN"),
        ({}, (), "ENTRY_MISSING"),
        ({}, (("../main.sql", b"SELECT 1"),), "MALFORMED"),
        ({}, (("main.sql", b"SELECT 1"), ("main.sql", b"SELECT 2")), "MALFORMED"),
        ({"files": ["main.sql", "more.sql"]}, (("main.sql", b"SELECT 1"),), "MALFORMED"),
        ({"files": "main.sql"}, (("main.sql", b"SELECT 1"),), "MALFORMED"),
        ({}, (("main.sql", b"\xff\xfe"),), "MALFORMED"),
        ({}, (("main.sql", b"-" * ((1 << 20) + 1)),), "TOO_LARGE"),
        ({}, (("main.sql", b"DROP TABLE t"),), "SQL"),
    ],
)
def test_a_refused_job_says_why_and_does_not_come_into_being(
    consoles_granted: Consoles, over: dict[str, Any], files: tuple[tuple[str, bytes], ...], code: str
) -> None:
    before = consoles_granted.scene.everything()
    text = manifest(consoles_granted.scene, **over)
    answer = submitted(consoles_granted("developer"), text, files)
    assert 400 <= answer.status_code < 500
    assert code in answer.text
    assert "kind: job" in html.unescape(answer.text)  # what was typed is still there
    assert consoles_granted.scene.everything() == before


def test_a_manifest_is_bounded_and_its_code_may_be_longer(consoles_granted: Consoles) -> None:
    text = manifest(consoles_granted.scene)
    long = b"SELECT 1 --" + b"x" * MAX_YAML
    answer = submitted(consoles_granted("developer"), text, (("main.sql", long),))
    assert answer.status_code == 303, answer.text
    answer = submitted(consoles_granted("developer"), f"{text}# {'x' * MAX_YAML}", (("main.sql", long),))
    assert (answer.status_code, "FORM_YAML_LONG" in answer.text) == (422, True)


@pytest.mark.parametrize(
    "text", ["", "- a", "kind: scenario\nspec: {}", "spec: [", "spec: x", "a: &b 1\nc: *b"]
)
def test_what_is_no_manifest_is_refused(consoles_granted: Consoles, text: str) -> None:
    answer = submitted(consoles_granted("developer"), text)
    assert answer.status_code in (400, 422)
    assert "MALFORMED" in answer.text or "FORM_YAML" in answer.text


def test_files_come_with_no_other_form(consoles_granted: Consoles) -> None:
    developer = consoles_granted("developer")
    answer = developer.post("/preferences", {"lang": "en"}, files=[("files", ("a.txt", b"x"))])
    assert answer.status_code >= 400
    many = tuple((f"f{n}.sql", b"x") for n in range(65))
    assert submitted(developer, manifest(consoles_granted.scene), many).status_code >= 400


# --- a release


def test_the_recipient_takes_the_package_through_the_gate(consoles_granted: Consoles) -> None:
    scene, developer = consoles_granted.scene, consoles_granted("developer")
    scene.job()
    told = scene.request().status["release"]
    assert "/console/release/eg-a" in developer.get("/develop").text
    page = developer.get("/release/eg-a").text
    assert told["package_sha256"] in page
    before = scene.logged()
    answer = developer.post("/release/eg-a/package")
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="eg-a.zip"'
    assert answer.headers["cache-control"] == "no-store"
    assert hashlib.sha256(answer.content).hexdigest() == told["package_sha256"]
    with zipfile.ZipFile(io.BytesIO(answer.content)) as bundle:
        assert bundle.read("data/out.csv") == b"district,people\nA,120\n"
        assert json.loads(bundle.read("package.json"))["recipient"] == "dev"
    assert [(one.action, one.outcome) for one in scene.log(before)] == [
        ("take-token", "done"),
        ("download", "done"),
    ]
    assert len(scene.get("egress-request", "eg-a").status["downloads"]) == 1


def test_a_recalled_or_expired_release_is_refused_with_its_code(consoles_granted: Consoles) -> None:
    scene, developer = consoles_granted.scene, consoles_granted("developer")
    scene.job()
    scene.request()
    scene.clock.move(days=400)
    developer = consoles_granted.fresh("developer")
    page = developer.get("/release/eg-a").text
    assert "TOKEN_EXPIRED" in page
    assert "/package" not in page
    answer = developer.post("/release/eg-a/package")
    assert (answer.status_code >= 400, "TOKEN_EXPIRED" in answer.text) == (True, True)
    scene.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "found-later"})
    page = developer.get("/release/eg-a").text
    assert "NOT_RELEASED" in page
    assert "found-later" in page
    answer = developer.post("/release/eg-a/package")
    assert "NOT_RELEASED" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_only_the_recipient_takes_it(granted: Scene) -> None:
    granted.job()
    granted.request(recipient="dev-two")
    desk = consoles_of(granted)
    page = desk("developer").get("/release/eg-a").text  # who asked for it
    assert "NOT_RECIPIENT" in page
    assert "NOT_RECIPIENT" in desk("developer").post("/release/eg-a/package").text
    assert "/console/release/eg-a" not in desk("developer").get("/develop").text
    assert "/console/release/eg-a" in desk("rival").get("/develop").text
    assert desk("rival").post("/release/eg-a/package").headers["content-type"] == "application/zip"


def test_of_anothers_release_nothing_is_told(consoles_granted: Consoles) -> None:
    consoles_granted.scene.job()
    consoles_granted.scene.request()
    for who in ("rival", "operator"):
        for path in ("/release/eg-a", "/release/eg-none"):
            assert consoles_granted(who).get(path).status_code == 404
            answer = consoles_granted(who).post(f"{path}/package")
            assert (answer.status_code, "NOT_FOUND" in answer.text) == (404, True)


# --- the operator


def test_the_operators_desk_tells_custody_products_and_exits(consoles_granted: Consoles) -> None:
    scene, operator = consoles_granted.scene, consoles_granted("operator")
    scene.supply("su-b", until="quarantined", content=b"more")
    page = operator.get("/operate").text
    supply = scene.get("supply", "su-a")
    assert supply.status["deliver"]["sha256"][:16] in page
    assert ">connector<" in page
    assert ">5000<" in page
    assert "su-b" in page
    assert "job-primary" in page
    assert "pr-a" in page
    assert "未匿名" in page
    assert "3 / 10" in page
    assert "保留了标识" in page
    assert "没有正在退出的协议" in page
    ground = {"ground": "term", "law": "GD 39"}
    scene.act("chief", "agreement", "ag-a", "terminate", ground)
    scene.act("operator", "agreement", "ag-a", "hand_over", {"reason": "done"})
    removed = [{"place": "quarantine"}, {"place": "snapshot"}]
    certificate = {"removed": removed, "left": 0, "keys_destroyed": 3}
    scene.act("system", "agreement", "ag-a", "certify", certificate)
    page = operator.get("/operate").text
    assert "删除中" in page
    for number in (2, 0, 3):
        assert f'<td class="number"><bdi>{number}</bdi></td>' in page.replace("number ", "number")
    assert "su-a" not in consoles_granted("other-operator").get("/operate").text


# --- who, and from where


PAGES = {
    "/develop": ("operator", "reviewer", "auditor"),
    "/develop/state": ("operator", "reviewer"),
    "/develop/job": ("operator", "reviewer"),
    "/release/eg-a": ("reviewer", "auditor", "chief"),
    "/operate": ("developer", "reviewer"),
}
FORMS = {"/develop/job": "operator", "/release/eg-a/package": "reviewer"}


def test_pages_are_for_their_role(consoles_granted: Consoles) -> None:
    for path, others in PAGES.items():
        answer = consoles_granted.stranger().get(path)
        assert (answer.status_code, answer.headers["location"][:17]) == (303, "/console/sign-in?")
        for who in others:
            answer = consoles_granted(who).get(path)
            assert (answer.status_code, "PAGE_ROLE" in answer.text) == (403, True)


def test_forms_from_elsewhere_are_refused(consoles_granted: Consoles) -> None:
    developer = consoles_granted("developer")
    consoles_granted.scene.job()
    consoles_granted.scene.request()
    before = consoles_granted.scene.everything()
    for path, other in FORMS.items():
        for headers, form in (
            ({}, {}),
            ({"origin": "https://evil.test"}, {}),
            (developer.headers, {"csrf": "guessed"}),
        ):
            answer = developer.post(path, form, headers=headers)
            assert (answer.status_code, "FOREIGN_FORM" in answer.text) == (403, True)
        assert "PAGE_ROLE" in consoles_granted(other).post(path).text
        assert consoles_granted.stranger().post(path).status_code in (401, 403)
    assert consoles_granted.scene.everything() == before
