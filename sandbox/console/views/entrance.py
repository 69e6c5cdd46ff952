"""Sign-in, choice of role, password, step-up, sign-out, preferences."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from sandbox.console.render import render, told
from sandbox.console.visit import BASE, PREFERENCES, Visit, go, local
from sandbox.control.identity import Grant
from sandbox.core.errors import SandboxError, fail

TICKET = "__Host-sandbox-oidc"  # binds the way to the identity provider and back to one browser
YEAR = 365 * 24 * 3600


def sign_in_page(visit: Visit, error: SandboxError | None = None) -> Response:
    """The form; who is signed in already goes on."""
    if visit.session is not None and error is None:
        return go(visit.query("next", f"{BASE}/"))
    return render(
        visit,
        "sign_in.html",
        error.status if error else 200,
        account=visit.form.get("account", ""),
        next=local(visit.form.get("next") or visit.query("next", f"{BASE}/")),
        oidc=visit.identity.oidc_enabled,
        errors=[told(visit, error)] if error else [],
    )


def sign_in(visit: Visit) -> Response:
    """Account and password; a wrong one leaves the form as it was."""
    form = visit.form
    try:
        grant = visit.identity.sign_in(form.get("account", ""), form.get("password", ""), visit.address)
    except SandboxError as error:
        return sign_in_page(visit, error)
    if visit.session is not None:
        visit.identity.sign_out(visit.cookie)
    return _onward(grant, form.get("next", ""))


def oidc_begin(visit: Visit) -> Response:
    """Off to the identity provider: the one redirect that leaves the console, to the configured issuer."""
    # with ``again`` the provider confirms who is signed in already: a step-up
    again = visit.cookie if visit.session is not None and visit.query("again") else ""
    url, ticket = visit.identity.oidc_begin(again)
    response = RedirectResponse(url, 303)
    response.set_cookie(TICKET, ticket, max_age=600, path="/", secure=True, httponly=True, samesite="lax")
    return response


def oidc_return(visit: Visit) -> Response:
    """Back from it."""
    ticket = visit.request.cookies.get(TICKET, "")
    try:
        grant = visit.identity.oidc_finish(ticket, dict(visit.request.query_params), visit.address)
    except SandboxError as error:
        response = sign_in_page(visit, error)
    else:
        response = _onward(grant, "")
    response.delete_cookie(TICKET, path="/", secure=True, httponly=True, samesite="lax")
    return response


def choose_page(visit: Visit) -> Response:
    """The organisations and roles that one may act in."""
    return render(visit, "choose.html", next=local(visit.query("next", f"{BASE}/")))


def choose(visit: Visit) -> Response:
    """Act as another of one's own roles, under a new session id."""
    return _onward(
        visit.identity.choose(visit.cookie, visit.form.get("acting", "")), visit.form.get("next", "")
    )


def password_page(visit: Visit, error: SandboxError | None = None) -> Response:
    """The form for a new password."""
    return render(
        visit,
        "password.html",
        error.status if error else 200,
        next="",
        errors=[told(visit, error)] if error else [],
    )


def password(visit: Visit) -> Response:
    """A new password; every other session of the account ends."""
    form = visit.form
    try:
        if form.get("new") != form.get("again"):
            raise fail("PASSWORD_TWICE")
        grant = visit.identity.change_password(
            visit.cookie, form.get("old", ""), form.get("new", ""), visit.address
        )
    except SandboxError as error:
        return password_page(visit, error)
    return _onward(grant, "")


def step_up_page(visit: Visit, error: SandboxError | None = None) -> Response:
    """The password once more, before a decision."""
    return render(
        visit,
        "step_up.html",
        error.status if error else 200,
        next=local(visit.form.get("next") or visit.query("next", f"{BASE}/")),
        what="",
        errors=[told(visit, error)] if error else [],
    )


def step_up(visit: Visit) -> Response:
    """Confirms the person; the session gets a new id."""
    try:
        grant = visit.identity.step_up(visit.cookie, visit.form.get("password", ""), visit.address)
    except SandboxError as error:
        return step_up_page(visit, error)
    return _onward(grant, visit.form.get("next", ""))


def sign_out(visit: Visit) -> Response:
    """The session ends."""
    visit.identity.sign_out(visit.cookie)
    return go(f"{BASE}/sign-in", "")


def preferences(visit: Visit) -> Response:
    """Language and theme, kept in the browser: they say nothing of the person."""
    response = go(visit.form.get("next", ""))
    for name, allowed in PREFERENCES.items():
        if (value := visit.form.get(name)) in allowed:
            response.set_cookie(
                name, value, max_age=YEAR, path=BASE, secure=True, httponly=True, samesite="lax"
            )
    return response


def _onward(grant: Grant, wanted: str) -> Response:
    session = grant.session
    if session.must_change:
        wanted = f"{BASE}/password"
    elif session.actor is None:
        wanted = f"{BASE}/choose"
    return go(wanted, grant.session_id)
