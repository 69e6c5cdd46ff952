"""The main paths of authority, provider, auditor and the public in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.audit import verify_bundle
from sandbox.audit.proof import verify_proof
from tests.plugins.browser import User, Visitor, serving
from tests.plugins.console import PASSWORD, Consoles, consoles_of
from tests.plugins.space import ADMINISTRATOR, Scene

THEMES = ("light", "dark")


@pytest.fixture
def house(granted: Scene) -> Iterator[tuple[Consoles, str]]:
    """A console over a space in which work is under way, and its address."""
    granted.job()
    granted.request(until="human_review")
    granted.job("job-b", until="running")
    consoles = consoles_of(granted)
    with serving(consoles.app) as url:
        yield consoles, url


def signed_in(house: tuple[Consoles, str], visitor: Visitor, who: str) -> User:
    """``who``, with the password they have chosen."""
    consoles, url = house
    account, identity = consoles.scene.who(who).account, consoles.identity
    start = identity.start_password(ADMINISTRATOR, account)
    grant = identity.sign_in(account, start, "192.0.2.1")
    identity.change_password(grant.session_id, start, PASSWORD, "192.0.2.1")
    user = visitor(url)
    user.goto("/console/")
    user.page.fill("#f-account", account)
    user.page.fill("#f-password", PASSWORD)
    user.page.click("form.stack button")
    user.page.wait_for_url("**/console/")
    return user


def test_an_authority_suspends_knowing_what_stops(house: tuple[Consoles, str], visitor: Visitor) -> None:
    scene = house[0].scene
    scene.agreement("ag-b", until="draft")
    user = signed_in(house, visitor, "chief")
    page = user.page
    assert user.axe(THEMES) == []
    user.shot("authority-home")
    assert page.locator(".decision").count() == 1  # the draft, before what else there is
    page.goto(f"{house[1]}/console/r/agreement/ag-a")
    form = page.locator("form[action$='/agreement/ag-a/suspend']")
    page.locator("details:has(form[action$='/agreement/ag-a/suspend']) > summary").click()
    counted = page.locator("details[open] table.halts")
    counted.wait_for()
    text = counted.inner_text()
    for id in ("job-b", "su-a", "sc-a", "eg-a"):
        assert id in text
    assert user.axe(THEMES) == []
    user.shot("authority-halts")
    form.locator("[name=reason]").fill("逾期未整改")
    form.locator("[name=password]").fill(PASSWORD)
    form.locator("button").click()
    after = page.locator("table.halts")
    after.first.wait_for()
    text = after.first.inner_text()
    for id in ("job-b", "su-a", "sc-a", "eg-a"):
        assert id in text
    assert scene.state("job", "job-b") == "killed"
    user.shot("authority-halted")


def test_an_order_counts_as_its_form_is_filled_in(house: tuple[Consoles, str], visitor: Visitor) -> None:
    user = signed_in(house, visitor, "chief")
    page = user.page
    page.goto(f"{house[1]}/console/r/rectification/new")
    page.fill("[name=agreement]", "ag-a")
    page.check("[name=suspend]")
    page.locator("table.halts").wait_for()
    assert "job-b" in page.locator("table.halts").inner_text()
    page.uncheck("[name=suspend]")
    page.locator("table.halts").wait_for(state="detached")
    asked = [one for one in user.problems if "password" in one]
    assert asked == []


def test_a_provider_confirms_what_has_changed(house: tuple[Consoles, str], visitor: Visitor) -> None:
    scene = house[0].scene
    spec = scene.entry_spec(update_frequency="daily")
    spec["fields"][1]["level"] = 4
    scene.act("editor", "catalogue-entry", "ce-a", "edit", spec)
    user = signed_in(house, visitor, "confirmer")
    page = user.page
    card = page.locator(".decision")
    assert "district" in card.inner_text()
    assert user.axe(THEMES) == []
    user.shot("provider-home")
    card.locator("a.button").click()
    page.wait_for_url("**/console/r/catalogue-entry/ce-a")
    page.locator("details:has(form[action$='/confirm']) > summary").click()
    form = page.locator("form[action$='/confirm']")
    form.locator("[name=password]").fill(PASSWORD)
    form.locator("button").click()
    page.wait_for_function("() => !document.querySelector(\"form[action$='/confirm']\")")
    assert scene.state("catalogue-entry", "ce-a") == "confirmed"
    user.goto("/console/")
    assert page.locator(".decision").count() == 0


def test_an_auditor_finds_an_entry_and_takes_its_proof_along(
    house: tuple[Consoles, str], visitor: Visitor, tmp_path: Path
) -> None:
    held = house[0].scene.store.checkpoint()
    user = signed_in(house, visitor, "auditor")
    page = user.page
    user.shot("auditor-home")
    user.goto("/console/audit")
    page.fill("#f-actor", "opco")
    page.fill("#f-action", "offer")
    page.press("#f-action", "Enter")
    page.wait_for_url("**action=offer**")
    assert page.locator("main tbody tr").count() == 1
    user.shot("audit-search")
    page.locator("main tbody tr td a").first.click()
    page.locator("ol.proof").wait_for()
    assert user.axe(THEMES) == []
    user.shot("audit-proof")
    with page.expect_download() as taken:
        page.locator("a[href*='proof.json']").click()
    proof = tmp_path / "proof.json"
    taken.value.save_as(proof)
    assert verify_proof(proof.read_bytes(), held.note).ok
    user.goto("/console/audit/checkpoints")
    user.shot("audit-checkpoints")
    with page.expect_download() as taken:
        page.locator(f"a[href='/console/audit/bundle?size={held.size}']").click()
    bundle = tmp_path / "bundle.tar"
    taken.value.save_as(bundle)
    assert verify_bundle(bundle, held.note).ok


def test_the_public_reads_without_an_account(house: tuple[Consoles, str], visitor: Visitor) -> None:
    user = visitor(house[1])
    page = user.page
    user.goto("/console/public")
    user.shot("public-use")
    page.locator("nav.tabs a[href$='/public/catalogue']").click()
    page.fill("#f-find", "income")
    page.press("#f-find", "Enter")
    page.wait_for_url("**find=income**")
    user.shot("public-search")
    page.locator("main tbody th a").click()
    page.wait_for_url("**/public/catalogue-entry/ce-a")
    assert page.locator("main tbody tr").count() == 5
    user.shot("public-found")
    user.goto("/console/public/catalogue?find=nothing")
    assert page.locator(".empty").count() == 1
    page.locator("header button[name=theme]").click()  # a stranger chooses, too, and gets another copy
    page.wait_for_function("() => document.documentElement.dataset.theme === 'dark'")


def test_what_is_refused_is_said(house: tuple[Consoles, str], visitor: Visitor) -> None:
    user = signed_in(house, visitor, "developer")
    with user.refused(403, 404):
        for path, code in (
            ("/audit", "PAGE_ROLE"),
            ("/audit/3/proof.json", "PAGE_ROLE"),
            ("/public/catalogue-entry/none", "NOT_FOUND"),
        ):
            assert user.goto(f"/console{path}").status in (403, 404)
            assert user.page.get_by_text(code, exact=True).is_visible()
