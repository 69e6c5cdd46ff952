"""Every page of the console in a browser, in both languages and themes, as someone who may open it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.console.pages import PAGES
from tests.attack.doors import one_of_each
from tests.plugins.browser import User, Visitor, serving
from tests.plugins.console import PASSWORD, Consoles, consoles_of
from tests.plugins.space import ADMINISTRATOR, Scene

# who opens what, as (page's name, its path); {kind} stands for the id of the one resource of that kind
ROUNDS: dict[str, tuple[tuple[str, str], ...]] = {
    "reviewer": (
        ("home", "/"),
        ("review-queue", "/review"),
        ("review", "/review/{egress-request}"),
        ("step-up", "/step-up"),
        ("audit", "/audit"),
        ("audit-entry", "/audit/3"),
        ("audit-checkpoints", "/audit/checkpoints"),
        ("help", "/help"),
        ("guide", "/help/reviewer"),
    ),
    "developer": (
        ("develop", "/develop"),
        ("develop-job", "/develop/job"),
        ("job-form", "/develop/job/form"),
        ("develop-catalogue", "/develop/catalogue?find=district"),
        ("develop-entry", "/develop/catalogue-entry/ce-a"),
        ("apply", "/develop/scenario?entry=ce-a"),
        ("mend", "/develop/mend/{egress-request}"),
        ("release", "/release/{egress-request}"),
        ("list", "/r/job"),
        ("resource", "/r/job/{job}"),
        ("new", "/r/job/new"),
        ("choose", "/choose"),
        ("password", "/password"),
    ),
    "operator": (
        ("operate", "/operate"),
        ("grading", "/grading/{supply}"),
        ("recipe", "/operate/recipe"),
        ("frontier", "/operate/frontier"),
        ("workspaces", "/operate/workspaces"),
        ("exit", "/operate/exit/{agreement}"),
    ),
    "": (
        ("public", "/public"),
        ("public-products", "/public/products"),
        ("public-catalogue", "/public/catalogue"),
        ("public-entry", "/public/catalogue-entry/ce-a"),
        ("public-negative", "/public/negative-list"),
        ("sign-in", "/sign-in"),
    ),
}
# answers that are no page: a file, a part of a page, a redirect to elsewhere
NO_PAGE = {
    "list-csv",
    "audit-bundle",
    "audit-proof",
    "review-file",
    "review-earlier",
    "review-record",
    "release-receipt",
    "certificate",
    "help-picture",
    "frontier-chart",
    "state",
    "halts",
    "halts-new",
    "halted",
    "develop-state",
    "oidc",
    "oidc-return",
}
THEMES = {"zh": ("light", "dark"), "en": ("light",)}  # colours know no language
CONTINUE = "form.stack button"


def signed_in(consoles: Consoles, visitor: Visitor, url: str, who: str, lang: str) -> User:
    """``who`` for the first time, with the start password an administrator gave; "" is nobody."""
    user = visitor(url)
    user.context.add_cookies([{"name": "lang", "value": lang, "url": f"{url}/console"}])
    if who:
        account = consoles.scene.who(who).account
        start = consoles.identity.start_password(ADMINISTRATOR, account)
        user.goto("/console/sign-in")
        for field, value in (("account", account), ("password", start)):
            user.page.fill(f"#f-{field}", value)
        user.page.click(CONTINUE)
        user.page.wait_for_url("**/console/password")
        for field, value in (("old", start), ("new", PASSWORD), ("again", PASSWORD)):
            user.page.fill(f"#f-{field}", value)
        user.page.click(CONTINUE)
        user.page.wait_for_url("**/console/")
    return user


@pytest.fixture
def served(scene: Scene) -> Iterator[tuple[Consoles, str]]:
    """A console with one resource of each kind, and its address."""
    consoles = consoles_of(scene)
    one_of_each(scene)
    with serving(consoles.app) as url:
        yield consoles, url


def test_the_round_misses_no_page() -> None:
    seen = {name for pages in ROUNDS.values() for name, _ in pages}
    assert seen == {page.name for page in PAGES if page.method == "GET"} - NO_PAGE


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_is_accessible(served: tuple[Consoles, str], visitor: Visitor, lang: str) -> None:
    consoles, url = served
    ids = {"egress-request": "eg-a", "job": "job-a", "supply": "su-a", "agreement": "ag-a"}
    found = []
    for who, pages in ROUNDS.items():
        user = signed_in(consoles, visitor, url, who, lang)
        for name, path in pages:
            assert user.goto("/console" + path.format(**ids)).status == 200, name
            assert user.page.locator("h1").count() == 1, name
            found += [f"{name}: {one}" for one in user.axe(THEMES[lang])]
            user.shot(f"{name}-{lang}")
    assert found == []


def test_a_refusal_is_a_page_that_says_what_to_do(served: tuple[Consoles, str], visitor: Visitor) -> None:
    consoles, url = served
    user = signed_in(consoles, visitor, url, "developer", "zh")
    with user.refused(403, 404):
        assert user.goto("/console/review").status == 403
        assert user.page.get_by_text("PAGE_ROLE", exact=True).is_visible()
        assert user.axe() == []
        assert user.goto("/console/r/job/none").status == 404
        assert user.axe() == []
    user.shot("refused")
    user.page.get_by_role("link", name="回到首页").click()
    user.page.wait_for_url("**/console/")
    user.page.get_by_role("button", name="退出登录").click()
    user.page.wait_for_url("**/console/sign-in")
    user.goto("/console/r/job")  # the session is gone
    assert "/console/sign-in?next=" in user.page.url
