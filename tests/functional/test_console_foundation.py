"""The frame and the parts of every page of the console, in a real browser under the console's real policy."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import pytest
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sandbox.console import assets
from sandbox.console.app import CSP
from sandbox.console.words import gettext, ngettext
from sandbox.core.actor import Actor, Role
from tests.plugins.browser import User, Visitor, serving

HERE = Path(__file__).parent
TEMPLATES = Path(assets.__file__).parent / "templates"
GALLERY = HERE / "console_gallery"
LIGHT, DARK = "rgb(243, 245, 248)", "rgb(16, 22, 28)"  # --paper
DOORS = ("sign_in", "choose", "step_up", "password", "error")


ACTOR = Actor("li-reviewer", "li", "bdb", Role.REVIEWER)


@dataclass(frozen=True)
class Session:
    """What the frame reads of a session."""

    account: str = "li-reviewer"
    name: str = "李评审"
    actor: Actor | None = ACTOR
    memberships: tuple[str, ...] = ("reviewer@bdb", "auditor@court")
    csrf: str = "token'\"<&"
    method: str = "local"
    must_change: bool = False
    ends_at: datetime = datetime(2026, 9, 21, 12, tzinfo=UTC)
    fresh_until: datetime | None = None


COLUMNS = [
    {"key": "id", "label": "编号", "sort": "/console/?sort=id", "order": ""},
    {"key": "state", "label": "状态"},
    {"key": "title", "label": "内容"},
    {"key": "due", "label": "期限", "sort": "/console/?sort=due", "order": "ascending", "css": "time"},
    {"key": "n", "label": "条数", "number": True, "sort": "/console/?sort=n"},
]
ROWS = [
    {"id": {"url": f"/console/r/egress-request/eg-{n}", "text": f"eg-{n}"},
     "state": {"kind": kind, "text": word}, "title": f"各区居民人数统计 <b>{n}</b>", "n": n * 1234,
     "due": {"time": "2026-09-25T08:00:00Z", "text": f"2026-09-2{n} 16:00"}, "kind": kind}
    for n, (kind, word) in enumerate(
        [("hard", "已逾期"), ("hold", "待人审"), ("flag", "提示"), ("ok", "无异议"), ("idle", "不适用")])
]  # fmt: skip
GRID = {"left": 48, "right": 16, "top": 24, "bottom": 32}
CATEGORIES = {"type": "category", "data": ["3", "5", "10", "20"]}
DOTS = [[1, 2], [2, 5], [3, 3]]
NODES = [{"name": "供给"}, {"name": "作业"}, {"name": "产品"}]
LINKS = [{"source": "供给", "target": "作业"}, {"source": "作业", "target": "产品"}]
PLANE = {"grid": GRID, "tooltip": {}, "yAxis": {"type": "value", "name": "位"}}
BELOW = {"value": 3, "itemStyle": {"color": "--hard"}}
THRESHOLD = {
    "symbol": "none", "data": [{"xAxis": "5"}], "label": {"formatter": "门限 5"},
    "lineStyle": {"color": "--hard"},
}  # fmt: skip
CHARTS: dict[str, dict[str, Any]] = {
    "bar": {**PLANE, "xAxis": CATEGORIES, "legend": {"right": 0},
            "series": [{"name": "单元格", "type": "bar", "data": [BELOW, 8, 21, 4], "markLine": THRESHOLD}]},
    "line": {**PLANE, "xAxis": CATEGORIES, "tooltip": {"trigger": "axis"},
             "series": [{"type": "line", "data": [1, 4, 2, 7]}, {"type": "line", "data": [2, 2, 5, 6]}]},
    "scatter": {**PLANE, "xAxis": {"type": "value"}, "series": [{"type": "scatter", "data": DOTS}]},
    "heatmap": {**PLANE, "xAxis": CATEGORIES, "yAxis": {"type": "category", "data": ["A", "B"]},
                "visualMap": {"max": 9, "show": False, "inRange": {"color": ["--ok-wash", "--ok"]}},
                "series": [{"type": "heatmap", "label": {"show": True}, "data": [
                    [0, 0, 1], [1, 0, 5], {"value": [2, 1, 2], "label": {"formatter": "×"}}]}]},
    "graph": {"tooltip": {}, "series": [
        {"type": "graph", "layout": "force", "label": {"show": True}, "symbolSize": 24, "data": NODES,
         "force": {"repulsion": 400}, "edgeSymbol": ["none", "arrow"], "links": LINKS}]},
}  # fmt: skip


@functools.cache
def environment(lang: str) -> Environment:
    """The console's templates as the application has them, and the gallery beside them."""
    made = Environment(
        loader=ChoiceLoader([FileSystemLoader(TEMPLATES), FileSystemLoader(GALLERY)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_callables(gettext(lang), ngettext(lang), newstyle=False)  # type: ignore[attr-defined]
    return made


def page(request: Request, template: str, status: int = 200, **more: Any) -> HTMLResponse:
    lang, theme = request.cookies.get("lang", "zh"), request.cookies.get("theme", "")
    session = None if template in ("sign_in.html",) else Session()
    body = (
        environment(lang)
        .get_template(template)
        .render(
            session=session, csrf=session.csrf if session else "", lang=lang, theme=theme,
            path=request.url.path, help_url="/console/help", asset=assets.asset, version="0.1.0",
            space_name="贵州省授权运营空间",
            **{"menu": [
                {"url": "/console/", "label": "待办", "current": True, "count": 12},
                {"url": "/console/r/egress-request", "label": "出域申请", "current": False, "count": None},
                {"url": "/console/audit", "label": "审计日志", "current": False},
            ], "errors": [], **more},
        )
    )  # fmt: skip
    headers = {"content-security-policy": CSP, "x-content-type-options": "nosniff"}
    return HTMLResponse(body, status, headers)


async def gallery(request: Request) -> Response:
    charts = request.query_params.getlist("chart")
    wrong = [{"code": "STATE", "text": "现在不能执行。", "mend": "请先补正。"}]
    return page(request, "gallery.html", columns=COLUMNS, rows=ROWS, charts=charts, errors=wrong)


async def door(request: Request) -> Response:
    name = request.path_params["name"]
    wrong = (
        [{"code": "SIGN_IN", "text": "账户或口令不对。", "mend": ""}]
        if "wrong" in request.query_params
        else []
    )
    return page(request, f"{name}.html", next="/console/r/job/1?a=1", account="", oidc=True, what="通过 eg-1",
                error={"code": "NOT_FOUND", "text": "找不到。", "mend": ""}, errors=wrong)  # fmt: skip


async def chart(request: Request) -> Response:
    name = request.path_params["name"]
    return JSONResponse(CHARTS[name]) if name in CHARTS else PlainTextResponse("", 404)


async def preferences(request: Request) -> Response:
    form = await request.form()
    response = RedirectResponse(str(form["next"]), 303)
    for name in ("lang", "theme"):
        if name in form:
            response.set_cookie(name, str(form[name]))
    return response


async def echo(request: Request) -> Response:
    """What was sent, as JSON in a page."""
    form = await request.form()
    told = {name: str(value) for name, value in form.items()}
    icon = f'<link rel="icon" href="{assets.asset("icon.svg")}">'
    return HTMLResponse(f"<!doctype html><title>x</title>{icon}<pre>{escape(json.dumps(told))}</pre>")


async def fragment(request: Request) -> Response:
    if "over" in request.cookies:
        return PlainTextResponse("", 401)
    return HTMLResponse(f'<span id="polled">{request.headers.get("x-csrf-token")}</span>')


async def bad(request: Request) -> Response:
    """Everything that a page of ours must not be."""
    body = (
        '<!doctype html><title>x</title><p style="color: red">x</p><script>1</script>'
        '<img src="https://elsewhere.invalid/x.png"><img src="/console/static/none.png">'
        '<script src="/console/bad.js"></script>'
    )
    return HTMLResponse(body, headers={"content-security-policy": CSP})


async def bad_script(request: Request) -> Response:
    script = 'console.error("own words"); missing();'
    return Response(script, headers={"content-type": "text/javascript"})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    routes = [
        Route("/console/", gallery),
        Route("/console/door/{name}", door),
        Route("/console/chart/{name}", chart),
        Route("/console/preferences", preferences, methods=["POST"]),
        Route("/console/act/{name}", echo, methods=["POST"]),
        Route("/console/fragment", fragment),
        Route("/console/bad", bad),
        Route("/console/bad.js", bad_script),
        Route("/console/static/{name:path}", assets.served().answer),
    ]
    with serving(Starlette(routes=routes)) as address:
        yield address


def opened(visitor: Visitor, url: str, path: str = "/console/", **more: Any) -> User:
    cookies = {name: more.pop(name) for name in ("lang", "theme", "over") if name in more}
    user = visitor(url, **more)
    user.context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    user.goto(path)
    return user


def background(user: User, selector: str = "body") -> str:
    found: str = user.page.eval_on_selector(selector, "one => getComputedStyle(one).backgroundColor")
    return found


# --- how it looks


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_part_is_drawn_and_accessible(visitor: Visitor, url: str, lang: str) -> None:
    user = opened(visitor, url, "/console/?" + "&".join(f"chart={name}" for name in CHARTS), lang=lang)
    for name in CHARTS:
        user.page.wait_for_selector(f'figure[data-chart$="{name}"] .canvas svg path', state="attached")
    user.page.wait_for_selector("#polled:not(:text('0'))")
    assert user.axe(("light", "dark") if lang == "zh" else ("light",)) == []  # colours know no language
    user.shot(f"gallery-{lang}-light")
    user.page.emulate_media(color_scheme="dark")
    user.page.wait_for_timeout(300)
    user.shot(f"gallery-{lang}-dark")


@pytest.mark.parametrize("name", DOORS)
def test_the_short_forms_are_accessible(visitor: Visitor, url: str, name: str) -> None:
    user = opened(visitor, url, f"/console/door/{name}?wrong=1", lang="en" if name == "choose" else "zh")
    assert user.axe() == []
    user.shot(f"door-{name}", whole=False)


def test_the_chosen_theme_wins_over_the_systems_and_paper_is_light(visitor: Visitor, url: str) -> None:
    user = opened(visitor, url, color_scheme="dark")
    assert background(user) == DARK
    with user.page.expect_navigation():
        user.page.get_by_role("button", name="主题：随系统").click()
    assert user.page.eval_on_selector("html", "one => one.dataset.theme") == "dark"
    with user.page.expect_navigation():
        user.page.get_by_role("button", name="主题：深色").click()
    assert background(user) == LIGHT
    with user.page.expect_navigation():
        user.page.get_by_role("button", name="主题：浅色").click()
    assert background(user) == DARK
    user.page.emulate_media(media="print", color_scheme="dark")
    assert background(user) == "rgb(255, 255, 255)"
    assert not user.page.locator("nav.menu").is_visible()
    assert user.page.get_by_role("heading", name="district_income_2025").is_visible()


def test_the_language_is_changed_and_the_page_stays(visitor: Visitor, url: str) -> None:
    user = opened(visitor, url)
    with user.page.expect_navigation():
        user.page.get_by_role("button", name="English").click()
    assert user.page.eval_on_selector("html", "one => one.lang") == "en"
    assert user.page.url == f"{url}/console/"
    assert user.page.get_by_role("link", name="Export CSV").is_visible()


@pytest.mark.parametrize("width", [400, 1024])
def test_nothing_runs_out_of_a_narrow_page(visitor: Visitor, url: str, width: int) -> None:
    user = opened(visitor, url, width=width)
    assert user.page.evaluate("() => document.documentElement.scrollWidth") == width
    user.shot(f"gallery-{width}")


def test_what_came_from_elsewhere_is_text(visitor: Visitor, url: str) -> None:
    user = opened(visitor, url)
    assert "统计 <b>0</b>" in user.page.locator("tbody").first.inner_text()
    assert user.page.locator("tbody b").count() == 0
    assert user.page.locator("#f-why").input_value() == "<b>&"


# --- keyboard, dialogs and forms


def test_the_keyboard_reaches_the_content_first_and_a_dialog_gives_it_back(
    visitor: Visitor, url: str
) -> None:
    page = opened(visitor, url).page
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.keyboard.press("Tab")  # from the content on, past bar and menu
    assert page.evaluate("() => document.activeElement.closest('main') !== null")
    opener = page.get_by_role("button", name="确认", exact=True).first
    opener.focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="确认")
    assert dialog.is_visible()
    for _ in range(6):  # the keyboard does not leave it
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement === document.body || "
                             "document.activeElement.closest('dialog') !== null")  # fmt: skip
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    assert opener.evaluate("one => one === document.activeElement")
    opener.click()
    dialog.get_by_role("button", name="取消").click()
    assert not dialog.is_visible()
    assert page.url == f"{url}/console/#main"


def test_an_act_is_confirmed_then_sent_once_with_its_token(visitor: Visitor, url: str) -> None:
    user = opened(visitor, url)
    sent: list[str] = []
    user.context.on("request", lambda one: sent.append(one.url) if one.method == "POST" else None)
    user.page.get_by_role("button", name="确认", exact=True).first.click()
    dialog = user.page.get_by_role("dialog", name="确认")
    dialog.get_by_role("button", name="确认").click()
    assert sent == []  # the reason is missing, and the browser says so
    dialog.get_by_role("textbox").fill("因为")
    dialog.get_by_role("button", name="确认").dblclick()
    user.page.wait_for_url("**/console/act/approve")
    assert sent == [f"{url}/console/act/approve"]
    told = json.loads(user.page.locator("pre").inner_text())
    assert told == {"csrf": Session.csrf, "event": "approve", "reason": "因为", "law": "26.2"}


def test_an_act_that_is_not_possible_says_why(visitor: Visitor, url: str) -> None:
    button = opened(visitor, url).page.get_by_role("button", name="取消", disabled=True)
    assert button.is_disabled()
    assert button.evaluate(
        "one => document.getElementById(one.getAttribute('aria-describedby')).textContent"
    ) == ("按政策不得复制")


def test_a_filter_is_applied_when_chosen(visitor: Visitor, url: str) -> None:
    page = opened(visitor, url).page
    page.get_by_role("combobox", name="人工评审").select_option("b")
    page.wait_for_url("**/console/?*")
    assert page.url == f"{url}/console/?sort=due&q=&state=b"


def test_what_is_no_json_is_said_before_it_is_sent(visitor: Visitor, url: str) -> None:
    page = opened(visitor, url).page
    box = page.locator("#f-spec")
    box.fill('{"a": ')
    assert box.evaluate("one => one.validationMessage") == "这不是合法的 JSON，请检查括号、引号和逗号。"
    box.fill('{"a": 2}')
    assert box.evaluate("one => one.validity.valid")
    assert box.get_attribute("aria-invalid") == "false"


# --- fragments, pictures, copying


def test_a_fragment_is_asked_for_with_the_token(visitor: Visitor, url: str) -> None:
    page = opened(visitor, url).page
    page.wait_for_selector("#polled:not(:text('0'))")
    assert page.locator("#polled").inner_text() == Session.csrf


def test_a_fragment_of_an_ended_session_loads_the_page_anew(visitor: Visitor, url: str) -> None:
    user = opened(visitor, url, over="yes")
    with user.refused(401):
        user.page.evaluate("() => { window.before = true }")
        user.page.wait_for_function("() => !window.before")
        user.context.clear_cookies()


def test_a_picture_that_does_not_come_leaves_its_numbers(visitor: Visitor, url: str) -> None:
    user = visitor(url)
    with user.refused(404):
        user.goto("/console/?chart=lost")
        figure = user.page.locator('figure[data-chart$="lost"]')
        figure.get_by_text("图示未能载入，数字见下表。").wait_for()
        assert figure.get_by_role("cell", name="12").is_visible()


def test_a_picture_is_drawn_anew_in_the_systems_other_theme(visitor: Visitor, url: str) -> None:
    page = opened(visitor, url, "/console/?chart=bar").page
    bar = page.locator('figure[data-chart$="bar"] svg')
    bar.locator('path[fill="#a31515"]').wait_for(state="attached")  # --hard
    page.emulate_media(color_scheme="dark")
    bar.locator('path[fill="#ff9c94"]').wait_for(state="attached")


COPIED = """(selector) => {
  getSelection().selectAllChildren(document.querySelector(selector));
  return new Promise((told) => {
    document.addEventListener("copy", (event) => told(!event.defaultPrevented), {once: true});
    document.execCommand("copy");
  });
}"""


def test_copying_is_refused_only_where_the_policy_says_so(visitor: Visitor, url: str) -> None:
    page = opened(visitor, url).page
    assert page.evaluate(COPIED, "figure:not([data-nocopy]) > pre")
    assert not page.evaluate(COPIED, "main")  # the selection holds more than the part that may not be copied
    page.get_by_text("按政策，这里的内容不得复制。").wait_for()
    assert page.locator("[data-nocopy] pre").evaluate("one => getComputedStyle(one).userSelect") == "none"


# --- the watch itself


def test_the_watch_sees_what_it_is_for(visitor: Visitor, url: str) -> None:
    user = visitor(url)
    user.goto("/console/bad")
    user.page.wait_for_timeout(200)
    found = "\n".join(user.checked())
    for wrong in ("policy: script-src-elem inline", "policy: style-src-attr inline", "404: ", "script: ",
                  "console error: own words", "policy: img-src https://elsewhere.invalid/"):  # fmt: skip
        assert wrong in found, found
    user.forget()
    user.goto("/console/door/error")


def test_axe_sees_what_it_is_for(visitor: Visitor, url: str) -> None:
    user = opened(visitor, url, "/console/door/error")
    picture = "one => one.insertAdjacentHTML('afterend', '<img src=\"/console/static/x\">')"
    with user.refused(404), user.page.expect_response("**/console/static/x"):
        user.page.eval_on_selector("h1", picture)
    assert any(one.startswith("light: image-alt") for one in user.axe(("light",)))
