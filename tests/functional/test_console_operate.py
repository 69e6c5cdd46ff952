"""The operator's pages and the provider's grading without a browser: what they show, send and refuse."""

from __future__ import annotations

import hashlib
import html
import re
from typing import Any

import httpx
import lxml.html
import pytest

from sandbox.core.errors import SandboxError, fail
from sandbox.desensitize.profile.model import (
    About,
    Combination,
    Dependency,
    FieldProposal,
    Profile,
    Reason,
    Shape,
)
from tests.plugins.console import PASSWORD, Consoles, consoles_of
from tests.plugins.space import Scene

ROWS = 5000


def proposed(name: str, **over: Any) -> FieldProposal:
    told: dict[str, Any] = {
        "name": name,
        "type": "string",
        "category": "people",
        "level": 3,
        "confidence": 0.9,
        "shape": Shape(rows=ROWS, nulls=0, distinct=40, longest=12),
    }
    return FieldProposal(**{**told, **over})


# the entry of the scene says: district a quasi-identifier of level 3, phone an identifier, day nothing
PROPOSAL = Profile(
    rows=ROWS,
    about=About.PERSON,
    entity="person_id",
    fields=(
        proposed(
            "person_id",
            kind="resident_id",
            flags=("personal",),
            role="identifier",
            strength="direct",
            shape=Shape(rows=ROWS, nulls=0, distinct=4900, longest=18),
        ),
        proposed(
            "district",
            kind="address",
            category="个人位置信息",
            level=4,
            flags=("personal",),
            role="identifier",
            strength="indirect",
            statutory="personal",
            reasons=(Reason(code="ADDRESS_FORM", counts={"share": 98}),),
            conflict=True,
        ),
        proposed("income", type="integer", role="sensitive"),
        proposed("phone", kind="mobile", flags=("personal",), role="identifier"),
        proposed("day", type="date", confidence=0.3),
    ),
    sensitive_group=True,
    keys=(("person_id",),),
    dependencies=(Dependency(columns=("person_id",), determines="district", holds=0.997),),
    combinations=(Combination(columns=("district", "day"), entities=4900, unique=980),),
)
LAXER = [
    {"field": "district", "what": "level", "entry": 3, "proposed": 4, "confidence": 0.9, "codes": []},
    {
        "field": "district",
        "what": "flag",
        "entry": None,
        "proposed": "personal",
        "confidence": 0.9,
        "codes": [],
    },
    {
        "field": "",
        "what": "sensitive_group",
        "entry": False,
        "proposed": True,
        "confidence": 0.8,
        "codes": [],
    },
]


def supplied(scene: Scene, grading: dict[str, Any] | None = None, id: str = "su-g") -> None:
    """A supply whose snapshot was profiled."""
    scene.supply(id, until="quarantined", content=id.encode())
    told = {"proposal": PROPOSAL.model_dump(mode="json"), "laxer": LAXER} if grading is None else grading
    snapshot = {
        "sha256": hashlib.sha256(b"snapshot" + id.encode()).hexdigest(),
        "rows": ROWS,
        "entities": 4900,
        "columns": [],
        "task": {},
        "grading": told,
    }
    scene.act("system", "supply", id, "load", snapshot)
    scene.act("system", "supply", id, "open")


@pytest.fixture
def desk(granted: Scene) -> Consoles:
    """A console over a granted scene with a profiled supply."""
    supplied(granted)
    return consoles_of(granted)


def texts(page: str, path: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in lxml.html.fromstring(page).xpath(path)]


def form_of(page: str) -> dict[str, str]:
    """What the grading form would send as it stands."""
    form = lxml.html.fromstring(page).xpath("//form[contains(@action, '/grading/')]")[0]
    return {name: value for name, value in form.form_values() if name != "csrf"}


def code(answer: httpx.Response) -> str:
    found = re.search(r'<small class="code">([A-Z_]+)</small>', answer.text)
    return found[1] if found else ""


DECIDED = {"do.1": "take", "do.sensitive_group": "take"}


# --- grading


def test_each_field_shows_counts_proposal_and_what_stands(desk: Consoles) -> None:
    page = desk("editor").get("/grading/su-g").text
    district = texts(page, "//article[.//h3[contains(., 'district')]]")[0]
    for told in ("40", "0.8%", "个人位置信息", "间接标识", "0.90", "98% 的不同取值有门牌地址的格式。"):
        assert told in district, told
    assert "现行较宽松" in district
    assert "列名与内容不符" in district
    assert "由 person_id 决定（99.7%）" in district
    assert "与 day 组合，20.0% 的主体独一无二" in district
    assert "单列键" in texts(page, "//article[.//h3[contains(., 'person_id')]]")[0]
    assert "条目有 3 处比提议宽松" in page
    english = desk("confirmer")
    english.post("/preferences", {"lang": "en"})
    assert (
        "98% of the distinct values have the form of a street address." in english.get("/grading/su-g").text
    )


def test_the_custody_stands_below_with_hashes_and_who(desk: Consoles) -> None:
    links = texts(desk("operator").get("/grading/su-g").text, "//ol[contains(@class,'custody')]/li")
    assert [re.sub(r"^\S+ \S+ ", "", one).split("：")[0] for one in links] == [
        "connector 发起供给",
        "connector 送达并隔离",
        "系统 检查并装载",
        "系统 开放使用",
    ]
    assert hashlib.sha256(b"su-g").hexdigest() in links[1]
    assert hashlib.sha256(b"snapshotsu-g").hexdigest() in links[2]


def test_what_is_laxer_must_be_decided_and_nothing_is_preselected_there(desk: Consoles) -> None:
    editor, scene = desk("editor"), desk.scene
    form = form_of(editor.get("/grading/su-g").text)
    assert "do.1" not in form
    assert form["do.0"] == form["do.2"] == "keep"
    before = scene.get("catalogue-entry", "ce-a")
    for missing in ("do.1", "do.sensitive_group"):
        given = {**form, **DECIDED, "go": "send"}
        del given[missing]
        answer = editor.post("/grading/su-g", given)
        assert (answer.status_code, code(answer)) == (422, "GRADING_UNDECIDED"), missing
    assert scene.get("catalogue-entry", "ce-a") == before


def test_changes_are_shown_first_and_then_sent_as_one_edit(desk: Consoles) -> None:
    editor, scene = desk("editor"), desk.scene
    form = {**form_of(editor.get("/grading/su-g").text), **DECIDED}
    own = {"do.2": "change", "category.2": "收入", "level.2": "4", "role.2": "sensitive"}
    form |= own | {"flag.2.sensitive_personal": "on"}
    before, entries = scene.get("catalogue-entry", "ce-a"), scene.logged()
    looked = editor.post("/grading/su-g", {**form, "go": "look"})
    assert looked.status_code == 200
    assert scene.get("catalogue-entry", "ce-a") == before
    rows = texts(looked.text, "//section[contains(., '将要送出的改动')]//tbody/tr")
    assert "district 级别 3 4 按提议" in rows
    assert "income 级别 3 4 手工" in rows
    assert "income 法定类别 — 敏感个人信息 手工" in rows
    assert "— 敏感群体 否 是 按提议" in rows
    again = form_of(looked.text)
    assert {name: again[name] for name in form} == form  # nothing that was decided is lost
    answer = editor.post("/grading/su-g", {**again, "go": "send"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/grading/su-g")
    after = scene.get("catalogue-entry", "ce-a")
    assert (after.state, after.version) == ("graded", before.version + 1)
    fields = {one["name"]: one for one in after.spec["fields"]}
    assert (fields["district"]["level"], fields["district"]["role"]) == (4, "identifier")
    assert fields["district"]["category"] == "个人位置信息"
    assert (fields["income"]["category"], fields["income"]["flags"]) == ("收入", ["sensitive_personal"])
    assert after.spec["sensitive_group"] is True
    untouched = {
        name: value for name, value in before.spec.items() if name not in ("fields", "sensitive_group")
    }
    assert {name: after.spec[name] for name in untouched} == untouched
    assert [one.action for one in scene.log(entries)].count("edit") == 1
    page = editor.get("/grading/su-g").text
    assert "已按提议修改" in texts(page, "//article[.//h3[contains(., 'district')]]")[0]
    assert "已手工修改" in texts(page, "//article[.//h3[contains(., 'income')]]")[0]


def sent(desk: Consoles) -> None:
    editor = desk("editor")
    form = {**form_of(editor.get("/grading/su-g").text), **DECIDED, "go": "send"}
    assert editor.post("/grading/su-g", form).status_code == 303


def test_another_person_confirms_and_the_editor_may_not(desk: Consoles) -> None:
    sent(desk)
    scene = desk.scene
    version = str(scene.get("catalogue-entry", "ce-a").version)
    assert "由修改者之外的另一人确认" in html.unescape(desk("confirmer").get("/grading/su-g").text)
    own = {"version": version, "password": PASSWORD}
    refused = desk("editor").post("/r/catalogue-entry/ce-a/confirm", own)
    assert (refused.status_code, code(refused)) == (403, "FOUR_EYES")
    assert desk("confirmer").post("/r/catalogue-entry/ce-a/confirm", own).status_code == 303
    assert scene.state("catalogue-entry", "ce-a") == "confirmed"


def test_the_operator_looks_and_the_door_refuses_the_rest(desk: Consoles) -> None:
    operator, scene = desk("operator"), desk.scene
    page = operator.get("/grading/su-g").text
    assert "可以修改条目的是" in page
    assert not re.search(r'name="do\.', page)
    before = scene.logged()
    answer = operator.post("/grading/su-g", {**DECIDED, "go": "send"})
    assert (answer.status_code, code(answer)) == (403, "ROLE")
    assert [one.reason for one in scene.log(before)] == ["ROLE"]
    sent(desk)  # from here on the entry is its provider's to see
    assert "由数据提供单位确认之后才能看到" in operator.get("/grading/su-g").text
    assert operator.post("/grading/su-g", {**DECIDED, "go": "send"}).status_code == 404


@pytest.mark.parametrize(
    ("over", "refusal"),
    [
        ({"do.2": "change", "level.2": "9", "category.2": "x"}, "GRADING_LEVEL"),
        ({"do.1": "sure"}, "GRADING_UNDECIDED"),
        ({"do.1": "keep", "do.sensitive_group": "keep"}, "GRADING_SAME"),
        ({"do.2": "change", "level.2": "2", "category.2": " "}, "UNGRADED"),
        ({"version": "1"}, "STALE"),
    ],
)
def test_what_is_refused_changes_nothing_and_says_why(
    desk: Consoles, over: dict[str, str], refusal: str
) -> None:
    editor, scene = desk("editor"), desk.scene
    before = scene.get("catalogue-entry", "ce-a")
    form = {**form_of(editor.get("/grading/su-g").text), **DECIDED, **over, "go": "send"}
    answer = editor.post("/grading/su-g", form)
    assert code(answer) == refusal
    assert answer.status_code in (403, 409, 422)
    assert scene.get("catalogue-entry", "ce-a") == before


def test_a_supply_without_a_proposal_says_so(granted: Scene) -> None:
    supplied(granted, {"code": "TASK_TIMED_OUT"})
    desk = consoles_of(granted)
    assert "剖析没有做成：TASK_TIMED_OUT" in desk("editor").get("/grading/su-g").text
    assert "目前没有" in desk("editor").get("/grading/su-a").text
    assert desk("editor").post("/grading/su-g", {"go": "send"}).status_code == 422


def test_nobody_else_learns_of_it(desk: Consoles) -> None:
    for who, status in (
        ("bureau-editor", 404),
        ("other-operator", 404),
        ("developer", 403),
        ("reviewer", 403),
    ):
        answer = desk(who).get("/grading/su-g")
        assert answer.status_code == status, who
        assert "个人位置信息" not in answer.text


# --- the desk, workspaces, exits


def test_the_desk_tells_custody_grading_and_what_waits(desk: Consoles) -> None:
    scene = desk.scene
    scene.supply("su-r", until="quarantined", content=b"bad")
    scene.act("system", "supply", "su-r", "refuse", {"code": "HASH_MISMATCH", "details": {}})
    page = desk("operator").get("/operate").text
    rows = texts(page, "//section[.//h2[contains(., '数据供给')]]//tbody/tr")
    good = next(row for row in rows if row.startswith("su-g"))
    assert "2 处较宽松" not in good
    assert "3 处较宽松" in good
    refused = next(row for row in rows if row.startswith("su-r"))
    assert "拒绝装载" in refused
    assert "HASH_MISMATCH" in refused
    assert "/console/grading/su-r" not in page  # there is no snapshot to grade
    awaited = "//ul[contains(@class,'awaited')]/li"
    assert [one for one in texts(page, awaited) if "pr-b" in one] == []
    scene.primary("pr-b", until="kept", job="job-b")  # to be offered
    assert [one for one in texts(desk("operator").get("/operate").text, awaited) if "pr-b" in one] != []
    assert "su-g" not in desk("other-operator").get("/operate").text


def put(scene: Scene, place: str, size: int) -> None:
    scene.space.places.blobs("ag-a", "sc-a", place).take(iter([bytes(size)]))


def test_workspaces_are_counted_and_what_is_not_the_operators_is_coarse(desk: Consoles) -> None:
    scene = desk.scene
    put(scene, "raw", 3072)
    put(scene, "log", 77)
    page = desk("operator").get("/operate/workspaces").text
    told = " | ".join(texts(page, "//tbody/tr"))
    assert "快照 raw 1 3 KiB" in told
    assert "作业日志（密封） log 1 ≤ 1 MiB" in told
    assert "77" not in told
    assert "sc-a" in page
    before = scene.logged()
    for who, status in (("other-operator", 404), ("developer", 403), ("editor", 403)):
        assert desk(who).get("/operate/workspaces?agreement=ag-a").status_code == status, who
    assert "NOT_YOURS" not in [one.reason for one in scene.log(before)]
    assert "没有由您运营的协议" in desk("other-operator").get("/operate/workspaces").text


def test_who_operates_it_not_is_refused_and_noted(granted: Scene) -> None:
    before = granted.logged()
    with pytest.raises(SandboxError) as refused:
        granted.space.workspaces.of(granted.who("body"), "ag-a")
    assert refused.value.code == "NOT_YOURS"
    assert [(one.action, one.reason) for one in granted.log(before)] == [("read-workspaces", "NOT_YOURS")]


def test_a_vault_that_cannot_be_read_says_so(desk: Consoles, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(agreement: str) -> None:
        raise fail("ENGINE_UNREACHABLE", socket="vault")

    monkeypatch.setattr(desk.scene.space.places, "inventory", closed)
    answer = desk("operator").get("/operate/workspaces")
    assert (answer.status_code, code(answer)) == (503, "ENGINE_UNREACHABLE")


def leaving(scene: Scene, items: int = 3) -> None:
    """The agreement ends; its certificate has ``items``."""
    who = "chief" if "data_authority" in scene.control.policy.get("authorisation.authoriser") else "body"
    scene.act(who, "agreement", "ag-a", "terminate", {"ground": "term", "law": "GD 39"})
    scene.act("operator", "agreement", "ag-a", "hand_over", {"reason": "handed"})
    removed = [{"scenario": "sc-a", "place": "raw", "name": f"{n:064x}", "bytes": 2048} for n in range(items)]
    told = {"removed": removed, "left": 0, "keys_destroyed": 2}
    scene.act("system", "agreement", "ag-a", "certify", told)


def test_a_certificate_shows_every_item_and_how_to_verify(granted: Scene) -> None:
    desk = consoles_of(granted)
    operator = desk("operator")
    assert "还没有删除证明" in operator.get("/operate/exit/ag-a").text
    leaving(granted, items=205)
    assert "/console/operate/exit/ag-a" in operator.get("/operate").text
    page = operator.get("/operate/exit/ag-a").text
    items = "//section[.//h2[contains(., '逐项')]]//tbody/tr"
    assert len(texts(page, items)) == 200
    assert f"{0:064x}" in page
    last = operator.get("/operate/exit/ag-a?from=200").text
    assert [row.split()[2] for row in texts(last, items)] == [f"{n:064x}" for n in range(200, 205)]
    assert "sc-a 快照 205 410 KiB" in texts(page, "//section[.//h2[text()='证明']]//tbody/tr")
    assert "sandbox audit verify audit.tar --checkpoint checkpoint.txt --key keys.txt" in page
    assert "核验删除之后，系统封存日志" in page
    who = "chief" if "data_authority" in granted.control.policy.get("authorisation.authoriser") else "body"
    granted.act(who, "agreement", "ag-a", "verify_deletion")
    seal = {"size": 321, "root": "ab" * 32, "purge_not_before": "2031-01-01"}
    granted.act("system", "agreement", "ag-a", "seal_logs", seal)
    page = operator.get("/operate/exit/ag-a").text
    assert "ab" * 32 in page
    assert "2031-01-01" in page
    assert desk("auditor").get("/operate/exit/ag-a").status_code == 200
    for person, status in (("other-operator", 404), ("developer", 403), ("editor", 403)):
        assert desk(person).get("/operate/exit/ag-a").status_code == status, person
