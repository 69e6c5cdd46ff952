"""Forms that are not ours, sessions of somebody else, redirects that lead away, bodies that are no form."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from sandbox.api.bounds import MAX_BODY
from sandbox.control import accounts
from sandbox.core.actor import Role
from tests.attack.doors import SESSION, Line, Lines, answered, code_of, lines_over
from tests.plugins.console import ORIGIN, PASSWORD, consoles_of
from tests.plugins.space import ADMINISTRATOR, Scene

FORGED = "https://console.test.evil"
ENTRY = {"name_zh": "甲", "name_en": "a", "roles": "[developer]"}


@pytest.fixture
def lines(scene: Scene) -> Iterator[Lines]:
    with lines_over(consoles_of(scene)) as made:
        yield made


# --- forms that are not ours

ORIGINS = (
    None, "", "null", FORGED, "https://evil.test", "http://console.test", "https://console.test:444",
    "https://console.test@evil.test", "https://console.test.", "https://xconsole.test", "//console.test",
    "console.test", "https://console.test, https://evil.test", "https://console.test/", "http://[", "https://[::1",
    "HTTPS://CONSOLE.TEST.EVIL", "https://console.test%2eevil", "file://", "https://console.test\x80",
)  # fmt: skip


def organisations(scene: Scene) -> set[str]:
    return {one.id for ref, one in scene.everything().items() if ref.startswith("organisation/")}


def test_a_form_counts_only_from_our_own_page(lines: Lines) -> None:
    admin, before = lines("admin"), organisations(lines.scene)
    form = {"csrf": admin.csrf, "id": "org-forged", **ENTRY}
    for origin in ORIGINS:
        headers = [] if origin is None else [(b"origin", origin.encode("latin-1"))]
        answer = answered(admin.ask("POST", "/console/r/organisation/new", data=form, headers=headers))
        assert (answer.status_code, code_of(answer)) == (403, "FOREIGN_FORM"), origin
    assert organisations(lines.scene) == before
    assert admin.post("/r/organisation/new", form).status_code == 303  # and from ours it does
    assert organisations(lines.scene) == {*before, "org-forged"}


def test_a_form_counts_only_with_the_session_s_own_token(lines: Lines) -> None:
    admin, reviewer, before = lines("admin"), lines("reviewer"), organisations(lines.scene)
    other = lines.fresh("admin")  # the same person's other browser
    given = (
        None, "", " ", reviewer.csrf, other.csrf, admin.csrf[:-1], admin.csrf + "x", admin.csrf.swapcase(),
        "\x00", "…" * 40, "x" * 100_000, admin.cookie, "null", "undefined",
    )  # fmt: skip
    for token in given:
        form = {"id": "org-forged", **ENTRY} | ({} if token is None else {"csrf": token})
        headers = {"origin": ORIGIN}
        answer = answered(admin.ask("POST", "/console/r/organisation/new", data=form, headers=headers))
        assert code_of(answer) == "FOREIGN_FORM", token
    answer = answered(
        admin.ask("POST", f"/console/r/organisation/new?csrf={admin.csrf}", headers={"origin": ORIGIN})
    )
    assert code_of(answer) == "FOREIGN_FORM"
    answer = answered(
        admin.ask(
            "POST", "/console/r/organisation/new", data=form, headers={"origin": ORIGIN, "x-csrf-token": "x"}
        )
    )
    assert code_of(answer) == "FOREIGN_FORM"
    for path in ("/sign-out", "/choose", "/password", "/step-up", "/preferences", "/sign-in"):
        answer = answered(
            admin.ask("POST", f"/console{path}", data={"lang": "en"}, headers={"origin": ORIGIN})
        )
        assert code_of(answer) == "FOREIGN_FORM", path
    assert admin.get("/").status_code == 200  # and nobody has been signed out
    assert organisations(lines.scene) == before


def test_signing_in_and_preferences_without_a_session_need_our_page_too(lines: Lines) -> None:
    """Else a foreign page could sign its reader in as somebody else."""
    lines("developer")
    for path, form in (
        ("/sign-in", {"account": "developer", "password": PASSWORD}),
        ("/preferences", {"lang": "en"}),
    ):
        stranger = lines.stranger()
        for origin in ORIGINS:
            headers = [] if origin is None else [(b"origin", origin.encode("latin-1"))]
            answer = answered(stranger.ask("POST", f"/console{path}", data=form, headers=headers))
            assert code_of(answer) == "FOREIGN_FORM", (path, origin)
        assert not stranger.http.cookies
        assert stranger.post(path, form).status_code == 303


# --- sessions


def cookies_of(answer: httpx.Response) -> dict[str, Any]:
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.get_list("set-cookie"):
        found.load(line)
    return dict(found)


def alive(lines: Lines, id: str) -> bool:
    """Whether a session id lets anybody in."""
    return lines.stranger({SESSION: id}).get("/choose").status_code == 200


def test_the_cookie_holds_to_this_host_and_to_the_browser(lines: Lines) -> None:
    lines("developer")
    answer = lines.stranger().post("/sign-in", {"account": "developer", "password": PASSWORD})
    told = answer.headers["set-cookie"]
    held = cookies_of(answer)[SESSION]
    assert held["secure"]
    assert held["httponly"]
    assert (held["path"], held["samesite"].lower(), held["domain"]) == ("/", "lax", "")
    assert (held["max-age"], held["expires"]) == ("", "")  # gone when the browser closes
    assert told.startswith("__Host-")
    assert len(held.value) >= 43  # 256 bits
    gone = cookies_of(lines("developer").post("/sign-out"))[SESSION]
    assert (gone.value, gone["max-age"]) == ("", "0")


def test_a_planted_id_is_worth_nothing(lines: Lines) -> None:
    rival = lines("rival")
    lines("developer")
    for planted in ("x" * 43, rival.cookie, "", "\x7f", "a" * 8000):
        victim = lines.stranger({SESSION: planted})
        if planted == rival.cookie:
            victim.read_csrf()  # the attacker's own session was planted whole
        answer = victim.post("/sign-in", {"account": "developer", "password": PASSWORD})
        fresh = cookies_of(answer)[SESSION].value
        assert fresh not in ("", planted)
        assert alive(lines, fresh)
        assert not planted or not alive(lines, planted)


def turn(line: Line, what: str) -> None:
    """Whatever gives a session another id."""
    acts: dict[str, tuple[str, dict[str, str]]] = {
        "step-up": ("/step-up", {"password": PASSWORD}),
        "choose": ("/choose", {"acting": "developer@dev-two"}),
        "password": ("/password", {"old": PASSWORD, "new": PASSWORD + "-7", "again": PASSWORD + "-7"}),
        "sign-out": ("/sign-out", {}),
    }
    path, form = acts[what]
    assert line.post(path, form).status_code == 303, what


@pytest.mark.parametrize("what", ["step-up", "choose", "password", "sign-out"])
def test_the_id_before_a_change_opens_nothing(what: str, lines: Lines) -> None:
    accounts.add_membership(lines.scene.control, ADMINISTRATOR, "developer", "dev-two", Role.DEVELOPER)
    line = lines("developer")
    assert line.post("/choose", {"acting": "developer@dev"}).status_code == 303
    line.read_csrf()
    id, token, other = line.cookie, line.csrf, lines.fresh("developer")
    turn(line, what)
    assert not alive(lines, id)
    assert alive(lines, other.cookie) == (what != "password")  # a new password ends all others
    if what != "sign-out":
        assert line.cookie != id
        assert alive(lines, line.cookie)
        answer = line.post("/sign-out", {"csrf": token})
        assert code_of(answer) == "FOREIGN_FORM"  # the token was the old id's
    # neither id nor token stands in any page or address
    for answer in line.seen:
        held = {cookie.value for cookie in cookies_of(answer).values() if cookie.value}
        assert not any(value in answer.text or value in answer.headers.get("location", "") for value in held)


def test_ids_that_are_none(lines: Lines) -> None:
    for value in (
        "",
        '"',
        "a b",
        "../../x",
        "%00",
        "é".encode().decode("latin-1"),
        "x" * 60_000,
        "null",
        "0",
    ):
        headers = [(b"cookie", f"{SESSION}={value}".encode("latin-1"))]
        answer = answered(lines.stranger().ask("GET", "/console/", headers=headers))
        assert answer.status_code == 303, value[:20]
        assert answer.headers["location"].startswith("/console/sign-in")


# --- redirects and headers

AWAY = (
    "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test", "https://evil.test", "https:evil.test",
    "javascript:alert(1)", "data:text/html,x", "/console//evil.test", "/console/../../evil",
    "/console/%2e%2e/x",
    "%2f%2fevil.test", "/%2f%2fevil.test", "/console/\r\nset-cookie: a=b", "/console/%0d%0aset-cookie:%20a=b",
    "/console/\u2028x", "/console\u3002evil.test", "/consoleevil", "/console@evil.test", "/console:80/",
    "/v1/kinds", "/console/\x00", "/console/x?next=//evil.test", "/console/" + "a" * 9000,
    "/console/;@evil.test",
    "/console/\t//evil.test", " //evil.test", "\u00a0//evil.test", "/console#//evil.test", "?//evil.test",
)  # fmt: skip
STAYS = re.compile(r"/console(/[A-Za-z0-9._~-]+)*/?(\?[A-Za-z0-9._~=&%+-]*)?\Z")


def stays(answer: httpx.Response, given: str) -> None:
    where = answer.headers["location"]
    assert STAYS.match(where), (given, where)
    assert ".." not in where
    assert "a" not in cookies_of(answer), given
    assert answer.url.join(where).host == "console.test"


def test_no_next_leads_away(lines: Lines) -> None:
    line = lines("developer")
    for given in AWAY:
        stays(line.get("/sign-in", params={"next": given}), given)  # signed in already
        for path in ("/sign-in", "/step-up", "/choose"):
            page = (lines.stranger() if path == "/sign-in" else line).get(path, params={"next": given})
            shown = re.search(r'name="next" value="([^"]*)"', page.text)
            assert shown is None or STAYS.match(shown[1].replace("&amp;", "&")), given
        stays(line.post("/preferences", {"next": given, "lang": "zh"}), given)
        stays(line.post("/choose", {"acting": "developer@dev", "next": given}), given)
        line.read_csrf()
    for given in AWAY[:12]:
        stays(line.post("/step-up", {"password": PASSWORD, "next": given}), given)
        line.read_csrf()
        fresh = lines.stranger()
        stays(fresh.post("/sign-in", {"account": "developer", "password": PASSWORD, "next": given}), given)


def test_a_host_that_is_another_s_does_not_come_back(lines: Lines) -> None:
    lines("developer")
    stranger = lines.stranger()
    for path in ("/console/", "/console/sign-in", "/console/r/job?x=1", "/console/oidc"):
        for headers in (
            {"host": "evil.test"},
            {"x-forwarded-host": "evil.test"},
            {"forwarded": "host=evil.test"},
        ):
            answer = answered(stranger.ask("GET", path, headers=headers))
            assert "evil.test" not in answer.text, path
            assert "evil.test" not in str(answer.headers), path


# --- bodies that are no form


def test_what_is_no_form_is_refused_and_nothing_breaks(lines: Lines) -> None:
    admin, before = lines("admin"), organisations(lines.scene)
    own = {"origin": ORIGIN, "x-csrf-token": admin.csrf}
    many = "&".join(f"f{n}=x" for n in range(5000))
    part = "--b\r\ncontent-disposition: form-data; name={}\r\n{}\r\n{}\r\n--b--\r\n"
    hostile = (
        "../../etc/passwd",
        "..\\..\\x",
        "a\x00.csv",
        "a" * 4000,
        "=cmd|x.csv",
        "\u202egnp.exe",
        ".",
        "",
    )
    bodies: list[tuple[str, bytes]] = [
        ("application/json", b'{"id":"org-forged"}'),
        ("text/plain", b"id=org-forged"),
        ("", b"id=org-forged"),
        ("application/x-www-form-urlencoded", many.encode()),
        ("application/x-www-form-urlencoded", b"%ff%fe=%00&=&&&==;id=%ED%A0%80"),
        ("multipart/form-data", b"--b--"),
        ("multipart/form-data; boundary=", b"--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\nnonsense"),
        ("multipart/form-data; boundary=b", part.format('"id"', "content-type: x\r\nx" * 50, "x").encode()),
        (
            "multipart/form-data; boundary=b; charset=unicode_escape",
            part.format('"csrf"', "", "\\ud800").encode(),
        ),
        ("multipart/form-data; boundary=b; charset=nothing", part.format('"id"', "", "é").encode()),
        *(
            (
                "multipart/form-data; boundary=b",
                part.format(f'"note"; filename="{name}"', "content-type: text/csv\r\n", "x").encode("utf-8"),
            )
            for name in hostile
        ),
    ]
    for path in (
        "/r/organisation/new",
        "/r/organisation/dev/suspend",
        "/step-up",
        "/preferences",
        "/nothing",
    ):
        for kind, content in bodies:
            headers = {**own, **({"content-type": kind} if kind else {})}
            answer = answered(admin.ask("POST", f"/console{path}", content=content, headers=headers))
            assert answer.status_code in (303, 400, 403, 404, 409, 422, 429), (path, kind, content[:40])
    assert organisations(lines.scene) == before
    assert lines.scene.state("organisation", "dev") == "active"


def test_what_is_too_large_is_refused_unread(lines: Lines) -> None:
    admin = lines("admin")
    for headers in (
        {"content-length": str(MAX_BODY + 1)},
        {"content-length": "9" * 5000},
        {"content-length": "-1"},
        {"content-length": "\u00b2"},
        {"transfer-encoding": "chunked"},
        {"transfer-encoding": "Chunked"},
        {"transfer-encoding": "gzip, CHUNKED"},
    ):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = admin.ask(
            "POST", "/console/preferences", content=b"x", headers=[(b"origin", ORIGIN.encode()), *raw]
        )
        assert answer.json()["code"] == "TOO_LARGE", headers
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["x-content-type-options"] == "nosniff"
