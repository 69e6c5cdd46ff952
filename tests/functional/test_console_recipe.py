"""The recipe editor and the frontier without a browser: skeleton, check, preview, submission, refusals."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import lxml.html
import pytest
import yaml

from sandbox.console import nodes
from sandbox.console.recipe_lines import line_of
from sandbox.control.previewing import LABEL, OF_SERVER, Previews
from sandbox.core.errors import fail
from sandbox.desensitize import preview_task
from sandbox.desensitize.search.hierarchy import HierarchySpec
from sandbox.desensitize.transforms import TRANSFORMS
from sandbox.executor.contract import End, TaskKind
from sandbox.executor.stub import PlayedEnd, Room, StubExecutor
from tests.plugins.console import Consoles, consoles_of
from tests.plugins.space import PURPOSE, Scene

GOOD = """name: ce-a-primary
version: "1"
steps:
  - {column: person_id, transform: pseudonym, params: {key: subject}}
  - {column: income, transform: round, params: {to: 1000}}
keep: [district]
"""


def texts(page: str, path: str) -> list[str]:
    return [" ".join(one.text_content().split()) for one in lxml.html.fromstring(page).xpath(path)]


def code(answer: httpx.Response) -> str:
    found = re.search(r'<small class="code">([A-Z_]+)</small>', answer.text)
    return found[1] if found else ""


def text_of(page: str) -> str:
    found = lxml.html.fromstring(page).xpath("//textarea[@name='recipe']")
    return str(found[0].text_content()).lstrip("\n")


@pytest.fixture
def executor(granted: Scene, tmp_path: Path) -> StubExecutor:
    """An executor without containers that really runs the room."""
    made = StubExecutor(tmp_path / "tasks", {TaskKind.PREVIEW: preview_task.run})
    granted.space.previews = Previews(granted.control, lambda: tmp_path / "tasks", lambda root: made)
    return made


@pytest.fixture
def desk(granted: Scene, executor: StubExecutor) -> Consoles:
    """A console whose server may try recipes."""
    return consoles_of(granted)


def sent(desk: Consoles, text: str, go: str = "check", **over: str) -> httpx.Response:
    form = {"for": "sc-a/ce-a", "recipe": text, "go": go, **over}
    return desk("operator").post("/operate/recipe", form)


# --- the editor


def test_it_begins_with_what_the_policy_requires_of_the_granted_columns(desk: Consoles) -> None:
    page = desk("operator").get("/operate/recipe").text
    made = yaml.safe_load(text_of(page))
    assert {step["column"] for step in made["steps"]} | set(made["keep"]) <= {
        "person_id",
        "district",
        "income",
    }
    assert {"column": "person_id", "transform": "pseudonym", "params": {"key": "subject"}} in made["steps"]
    rows = texts(page, "//aside//tbody/tr")
    assert [row.split()[0] for row in rows] == ["person_id", "district", "income"]  # phone was not granted
    assert "标识" in rows[0]
    assert "假名" in rows[0]
    assert sent(desk, text_of(page)).status_code == 200


def test_every_transform_is_told_with_parameters_and_guarantees(desk: Consoles) -> None:
    page = desk("operator").get("/operate/recipe").text
    told = texts(page, "//dl[@class='transforms']/dt")
    assert [one.split()[0] for one in told] == list(TRANSFORMS)
    assert told[list(TRANSFORMS).index("generalise")].endswith(TRANSFORMS["generalise"].title_zh)
    about = texts(page, "//dl[@class='transforms']/dd")
    assert "band | age | date | prefix" in about[list(TRANSFORMS).index("generalise")]
    assert "持密钥者可还原或枚举" in about[list(TRANSFORMS).index("pseudonym")]


def test_a_recipe_that_holds_is_explained_in_both_languages(desk: Consoles) -> None:
    answer = sent(desk, GOOD)
    assert answer.status_code == 200
    assert "方案 ce-a-primary 版本 1：3 列进，3 列出。" in answer.text
    assert "Recipe ce-a-primary, version 1: 3 columns in, 3 out." in answer.text
    assert text_of(answer.text) == GOOD
    rows = texts(answer.text, "//section[contains(., '检查结果')]//tbody/tr")
    assert [row.split()[0] for row in rows] == ["person_id", "district", "income"]


PSEUDONYM = "  - {column: person_id, transform: pseudonym, params: {key: subject}}\n"
BARE = GOOD.replace(PSEUDONYM, "").replace("[district]", "[district, person_id]")
YEAR = "transform: generalise, params: {by: date, to: year}"
DATED = GOOD.replace("transform: round, params: {to: 1000}", YEAR)
# what is written, its refusal, and the line that is named
WRONG: tuple[tuple[str, str, int | None], ...] = (
    ("name: [", "FORM_YAML", 1),
    ("name: a\nversion: '1'\nsteps:\n  - {column: a, transform: [}\n", "FORM_YAML", 4),
    (GOOD.replace("person_id", "nobody"), "RECIPE_COLUMN", 4),
    (GOOD.replace("round", "shuffle"), "RECIPE_UNKNOWN_TRANSFORM", 5),
    (GOOD.replace("{to: 1000}", "{to: x}"), "RECIPE_PARAMETER", 5),
    (DATED, "RECIPE_TYPE", 5),
    (GOOD.replace("keep: [district]", "keep: [district, phone]"), "RECIPE_COLUMN", 6),
    (GOOD.replace('version: "1"\n', ""), "RECIPE_MALFORMED", None),
    (GOOD.replace("  - {column: person_id", "  - {colum: person_id"), "RECIPE_MALFORMED", 4),
    (BARE, "PI_NOT_DESENSITISED", 5),
    ("- a list\n", "RECIPE_MALFORMED", None),
    ("a: &x [1]\nb: *x\n", "FORM_YAML", 2),
    ("a:\n  " + "[" * 41 + "]" * 41, "FORM_YAML", 2),
    ("x: " + "y" * 70_000, "FORM_YAML_LONG", None),
)


def test_a_refusal_says_where_and_what_to_mend(desk: Consoles) -> None:
    before = desk.scene.everything()
    for text, refusal, line in WRONG:
        answer = sent(desk, text, "submit")
        assert code(answer) == refusal, text[:200]
        assert 400 <= answer.status_code < 500
        found = re.search(r"第 (\d+) 行", html.unescape(answer.text))
        assert (int(found[1]) if found else None) == line, text[:200]
        assert text_of(answer.text) == text  # what was written is still there
    assert desk.scene.everything() == before


def test_one_button_makes_it_a_job(desk: Consoles) -> None:
    answer = sent(desk, GOOD, "submit")
    assert answer.status_code == 303, answer.text
    job = desk.scene.get("job", answer.headers["location"].rpartition("/")[2])
    assert (job.state, job.organisation, job.spec["language"]) == ("queued", "opco", "recipe")
    assert job.spec["purpose"] == PURPOSE
    assert job.spec["recipe"] == yaml.safe_load(GOOD)
    assert job.spec["inputs"][0]["columns"] == ["person_id", "district", "income"]


def test_what_the_door_refuses_is_shown_with_the_text(desk: Consoles) -> None:
    desk.scene.act("body", "supply", "su-a", "pause", {"cause": "look"})
    page = desk("operator").get("/operate/recipe").text
    assert "（尚无供给）" in page
    answer = sent(desk, GOOD, "submit")
    assert (answer.status_code, code(answer)) == (409, "NO_SUPPLY")
    assert text_of(answer.text) == GOOD


def test_a_table_that_is_not_the_operators_is_not_found(desk: Consoles) -> None:
    for asked in ("sc-z/ce-a", "sc-a/ce-z", "<b>"):
        assert desk("operator").get("/operate/recipe", params={"for": asked}).status_code == 404
        assert sent(desk, GOOD, **{"for": asked}).status_code == 404
    other = desk("other-operator")
    assert "sc-a" not in other.get("/operate/recipe").text
    assert other.post("/operate/recipe", {"recipe": GOOD, "go": "preview"}).status_code == 404
    assert desk("developer").get("/operate/recipe").status_code == 403


# --- the preview


def test_a_preview_shows_made_up_cells_and_leaves_only_a_note(desk: Consoles, executor: StubExecutor) -> None:
    desk("operator")
    start, before = desk.scene.logged(), desk.scene.everything()
    answer = sent(desk, GOOD, "preview")
    assert answer.status_code == 200, code(answer)
    rows = texts(answer.text, "//table[@class='tried']/tbody/tr")
    assert [row.split()[0] for row in rows] == ["person_id", "district", "income"]
    cells = texts(answer.text, "//table[@class='tried']/tbody/tr[3]//li")
    incomes = [[int(one) for one in cell.split(" → ")] for cell in cells if "∅" not in cell]
    assert len(cells) == 8
    assert incomes
    assert all(abs(made - was) <= 500 and made % 1000 == 0 for was, made in incomes)
    assert "DUMMY" in rows[0]  # what is made up says so
    (task,) = executor.tasks
    assert (task.kind, task.inputs, task.labels, task.level) == (TaskKind.PREVIEW, (), {LABEL: "opco"}, 1)
    assert executor.known() == []
    noted = desk.scene.log(start)
    assert [(one.action, one.object, one.outcome) for one in noted] == [
        ("preview-recipe", "scenario/sc-a", "done")
    ]
    assert set(noted[0].details) == {"recipe_sha256", "columns"}
    assert desk.scene.everything() == before


def ends(end: End) -> Room:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise PlayedEnd(end)

    return room


def says(report: dict[str, Any]) -> Room:
    return lambda params, inputs, out: report


def refuses(name: str, **details: Any) -> Room:
    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        raise fail(name, **details)

    return room


CELLS = {"name": "a", "source": "a", "transforms": [], "before": ["x"] * 9, "after": []}
LIED = {"ok": True, "aligned": True, "columns": [CELLS]}


BROKEN: tuple[tuple[Room, str, int], ...] = (
    (ends(End.TIMED_OUT), "PREVIEW_FAILED", 503),
    (ends(End.OUT_OF_MEMORY), "PREVIEW_FAILED", 503),
    (says({"ok": True}), "PREVIEW_FAILED", 503),
    (says(LIED), "PREVIEW_FAILED", 503),
    (says({"ok": False, "code": "RECIPE_MADE_UP"}), "PREVIEW_FAILED", 503),
    (refuses("RECIPE_NO_EFFECT", columns="income"), "RECIPE_NO_EFFECT", 409),
    (refuses("RECIPE_TYPE", step=2, transform="round", type="x", column="y"), "RECIPE_TYPE", 422),
)


def test_a_preview_that_does_not_come_about_says_why(desk: Consoles, executor: StubExecutor) -> None:
    desk("operator")
    for room, refusal, status in BROKEN:
        executor.rooms[TaskKind.PREVIEW] = room
        start = desk.scene.logged()
        answer = sent(desk, GOOD, "preview")
        assert (code(answer), answer.status_code) == (refusal, status)
        assert text_of(answer.text) == GOOD
        assert "检查结果" in answer.text  # what needs no container is there all the same
        assert [one.reason for one in desk.scene.log(start)] == [refusal]
        assert executor.known() == []


def test_without_an_executor_it_says_so(granted: Scene, tmp_path: Path) -> None:
    desk = consoles_of(granted)  # of a server that may start none
    answer = sent(desk, GOOD, "preview")
    assert (answer.status_code, code(answer)) == (503, "PREVIEW_UNAVAILABLE")

    class Gone(StubExecutor):
        def image(self, name: str) -> str:
            raise fail("ENGINE_UNREACHABLE", socket="unix")

        def discard(self, task_id: str) -> None:
            raise fail("ENGINE_UNREACHABLE", socket="unix")

    granted.space.previews = Previews(granted.control, lambda: tmp_path, lambda root: Gone(root, {}))
    answer = sent(desk, GOOD, "preview")
    assert (answer.status_code, code(answer)) == (503, "PREVIEW_UNAVAILABLE")
    assert "ENGINE_UNREACHABLE" in answer.text

    weak = StubExecutor(tmp_path / "weak", {TaskKind.PREVIEW: preview_task.run})
    weak.plays = {}
    granted.space.previews = Previews(granted.control, lambda: tmp_path, lambda root: weak)
    assert code(sent(desk, GOOD, "preview")) == "PREVIEW_UNAVAILABLE"
    assert weak.tasks == []


@pytest.fixture
def held(desk: Consoles, executor: StubExecutor) -> Iterator[threading.Event]:
    """A preview of the operator that goes on until the event is set."""
    begun, goes = threading.Event(), threading.Event()

    def room(params: dict[str, Any], inputs: Path, out: Path) -> dict[str, Any]:
        begun.set()
        assert goes.wait(60)
        return {"ok": True, "aligned": True, "columns": []}

    executor.rooms[TaskKind.PREVIEW] = room
    desk("operator")
    worker = threading.Thread(target=sent, args=(desk, GOOD, "preview"))
    worker.start()
    assert begun.wait(60)
    yield goes
    goes.set()
    worker.join(60)
    assert not worker.is_alive()


def test_an_organisation_has_one_at_a_time(
    desk: Consoles, held: threading.Event, executor: StubExecutor
) -> None:
    again = desk.fresh("operator")
    form = {"for": "sc-a/ce-a", "recipe": GOOD, "go": "preview"}
    answer = again.post("/operate/recipe", form)
    assert (answer.status_code, code(answer)) == (429, "PREVIEW_BUSY")
    assert len(executor.tasks) == 1
    # of another server's process only the executor knows
    previews = desk.scene.space.previews
    previews._now.clear()
    assert code(again.post("/operate/recipe", form)) == "PREVIEW_BUSY"
    previews._now["others"] = OF_SERVER
    assert code(again.post("/operate/recipe", form)) == "PREVIEW_BUSY"
    del previews._now["others"]
    assert len(executor.tasks) == 1


def test_what_a_killed_server_left_is_discarded(desk: Consoles, executor: StubExecutor) -> None:
    for name in ("preview-1000000000-abc", "other-1000000000-abc"):
        (executor.root / name).mkdir(parents=True)
    assert sent(desk, GOOD, "preview").status_code == 200
    assert executor.known() == ["other-1000000000-abc"]


# --- lines


@pytest.mark.parametrize("text", ["", "null", "- 1", "a: b", "steps: x"])
def test_a_text_without_steps_has_no_line(text: str) -> None:
    assert line_of(text, fail("RECIPE_TYPE", step=3, transform="x", type="y", column="zz")) is None
    assert line_of(text, fail("RECIPE_MALFORMED", field="steps.2.column")) in (None, 1)


# --- the frontier

POINT = {
    "method": "lattice",
    "asked_k": 5,
    "k": 6,
    "risk": 1 / 6,
    "average_risk": 0.1,
    "loss": 0.4,
    "entropy": 0.3,
    "suppressed": 3,
    "classes": 9,
    "levels": {"income": 2, "district": 1},
    "chosen": True,
    "pareto": True,
}
REPORT = {
    "frontier": [
        POINT,
        {**POINT, "k": 2, "risk": 0.5, "loss": 0.1, "levels": {"income": 1, "district": 0}, "chosen": False},
        {**POINT, "method": "mondrian", "levels": None, "chosen": False, "pareto": False},
    ],
    "releases": {"public": 0.05, "controlled": 0.2, "enclave": 0.5},
}
FIELDS = """fields:
  - {name: income, role: quasi, hierarchy: {by: band, widths: [1000, 5000, 20000]}}
  - {name: district, role: quasi, hierarchy: {by: prefix, lengths: [4, 2]}}
"""


def read(desk: Consoles, report: Any = REPORT, fields: str | None = FIELDS) -> httpx.Response:
    body = report if isinstance(report, bytes) else json.dumps(report).encode()
    files = [("report", ("report.json", body))]
    files += [("fields", ("fields.yaml", fields.encode()))] if fields is not None else []
    return desk("operator").post("/operate/frontier", files=files)


def test_a_search_is_drawn_and_a_point_fills_the_editor(desk: Consoles) -> None:
    answer = read(desk)
    assert answer.status_code == 303, answer.text
    place = answer.headers["location"].removeprefix("/console")
    page = desk("operator").get(place).text
    rows = texts(page, "//table/tbody/tr")
    assert [row.split()[:2] for row in rows] == [["2", "泛化格"], ["6", "泛化格"], ["6", "Mondrian"]]
    links = lxml.html.fromstring(page).xpath("//table//a/@href")
    assert len(links) == 2  # what Mondrian did no recipe can say
    chart = html.unescape(re.findall(r'data-chart="/console([^"]*)"', page)[0])
    told = desk("operator").get(chart).json()
    assert [one["name"] for one in told["series"]] == ["泛化格", "Mondrian"]
    first = told["series"][0]
    assert [one["value"] for one in first["data"]] == [[0.5, 0.1], [1 / 6, 0.4]]
    assert [one["url"] for one in first["data"]] == links
    assert {one["xAxis"] for one in first["markLine"]["data"]} == {0.05, 0.2, 0.5}
    assert all("url" not in one for one in told["series"][1]["data"])
    editor = desk("operator").get(links[1].removeprefix("/console")).text
    made = yaml.safe_load(text_of(editor))
    steps = {step["column"]: step["params"] for step in made["steps"]}
    assert steps["income"] == {"by": "band", "width": 5000.0}
    assert steps["district"] == {"by": "prefix", "length": 4}
    assert "已按边界上的点填入：k = 6，损失 0.400。" in editor
    assert "另抑制了 3 行" in editor
    assert sent(desk, text_of(editor)).status_code == 200
    lower = yaml.safe_load(text_of(desk("operator").get(links[0].removeprefix("/console")).text))
    assert "district" in lower["keep"]  # level 0 is the value itself


NO_REPORT: tuple[tuple[Any, str | None, str], ...] = (
    (b"\xff\xfe", None, "FRONTIER_REPORT"),
    ({}, None, "FRONTIER_REPORT"),
    ({"frontier": []}, None, "FRONTIER_REPORT"),
    ({"frontier": [{**POINT, "risk": 2}]}, None, "FRONTIER_REPORT"),
    ({"frontier": [{**POINT, "method": "guess"}]}, None, "FRONTIER_REPORT"),
    ({"frontier": [POINT] * 61}, None, "FRONTIER_REPORT"),
    (REPORT, "fields: [{name: a, hierarchy: {by: guess}}]", "FRONTIER_REPORT"),
    (REPORT, "a: [", "FORM_YAML"),
    (REPORT, "a: " + "b" * 70_000, "FORM_YAML_LONG"),
    (b"x" * ((1 << 20) + 1), None, "TOO_LARGE"),
)


def test_what_is_no_report_is_refused(desk: Consoles) -> None:
    for report, fields, refusal in NO_REPORT:
        answer = read(desk, report, fields)
        assert code(answer) == refusal, (fields, str(report)[:80])
        assert 400 <= answer.status_code < 500


def test_a_report_that_does_not_fit_an_address_is_refused(desk: Consoles) -> None:
    draw = random.Random(7)
    levels = {f"{draw.randbytes(60).hex()}": 1 for _ in range(40)}
    points = [
        {**POINT, "levels": dict(draw.sample(sorted(levels.items()), 40)), "loss": draw.random()}
        for _ in range(60)
    ]
    assert code(read(desk, {"frontier": points}, None)) == "FRONTIER_LONG"


def test_without_a_description_nothing_can_be_chosen(desk: Consoles) -> None:
    place = read(desk, fields=None).headers["location"].removeprefix("/console")
    page = desk("operator").get(place).text
    assert "没有随报告给出字段说明" in page
    assert "/operate/recipe?at=" not in page


BOMB = base64.urlsafe_b64encode(zlib.compress(b"[" * 100_000)).decode()


def test_an_address_that_was_tampered_with_is_refused(desk: Consoles) -> None:
    person = desk("operator")
    for at in ("x", "====", "eJw", "A" * 7000, "%00", "..", BOMB):
        for path in ("/operate/frontier", "/operate/frontier/chart.json", "/operate/recipe"):
            answer = person.get(path, params={"at": at, "point": "0"})
            assert answer.status_code == 422, (path, at[:20])
            assert "FRONTIER_REPORT" in answer.text


def test_a_point_that_no_recipe_can_say_is_refused(desk: Consoles) -> None:
    at = nodes.packed(nodes.read_report(REPORT, None))
    for point in ("2", "9", "-1", "x", ""):
        answer = desk("operator").get("/operate/recipe", params={"at": at, "point": point})
        assert (answer.status_code, code(answer)) == (422, "FRONTIER_POINT"), point


def test_a_level_is_the_step_that_the_search_took() -> None:
    rules: dict[str, dict[str, Any]] = {
        "age": {"by": "age"},
        "code": {"by": "prefix", "lengths": (8, 4)},
        "day": {"by": "date", "to": ("month", "year")},
        "pay": {"by": "band", "widths": (10.0,), "start": 5.0},
        "text": {"by": "file"},
        "name": {"by": "top"},
    }
    for rule in rules.values():  # what the page takes for a hierarchy the search does, too
        HierarchySpec.model_validate({**rule, **({"path": "x"} if rule["by"] == "file" else {})})
    point = {**POINT, "levels": {"age": 3, "code": 1, "day": 2, "pay": 2, "text": 1, "name": 1, "gone": 1}}
    found = nodes.read_report(
        {"frontier": [point]}, [{"name": name, "hierarchy": rule} for name, rule in rules.items()]
    )
    assert nodes.unpacked(nodes.packed(found)) == found
    recipe = {"name": "a", "steps": [{"column": "age", "transform": "mask"}], "keep": ["name", "other"]}
    made, unsaid = nodes.with_point(recipe, found, 0, dict.fromkeys([*rules, "other"], "string"))
    assert [(step["column"], step["params"]) for step in made["steps"]] == [
        ("age", {"by": "band", "width": 20.0}),
        ("day", {"by": "date", "to": "year"}),
    ]
    assert made["keep"] == ["other"]  # the top of a hierarchy: no value stays
    assert unsaid == ["code", "text"]  # eight characters are more than a recipe keeps; a file is not here
