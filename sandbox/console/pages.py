"""The table of pages: path, who may open it, and what answers. The menu and the tests read it, too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response

from sandbox.console import codes  # noqa: F401
from sandbox.console.refused import note_once
from sandbox.console.views import (
    apply,
    audit,
    catalogue,
    develop,
    entrance,
    frontier,
    grading,
    guide,
    halts,
    home,
    job_form,
    mend,
    operate,
    papers,
    public,
    recipe,
    release,
    resource,
    resources,
    review,
    review_queue,
    workspaces,
)
from sandbox.console.visit import BASE, Visit, go
from sandbox.control.door import ADMINISTERED
from sandbox.control.kinds import KINDS
from sandbox.core.actor import OPERATING, OPERATOR, READS_ALL, Role
from sandbox.core.errors import fail

ANYONE = frozenset[Role]()  # no account needed
SIGNED_IN = frozenset(Role) - {Role.SYSTEM}
REVIEWER = frozenset({Role.REVIEWER})
DEVELOPER = frozenset({Role.DEVELOPER})
MANY = 1000  # fields of a form that has one for each column
PARTIES = OPERATING | READS_ALL
GRADING = OPERATOR | {Role.PROVIDER}
MAX_FIELDS = 200  # of a form


@dataclass(frozen=True)
class Page:
    """One row. ``path`` is below ``/console``; ``early``: open to an account that has no role chosen yet or
    must change its password first; ``polls``: asked for by a page itself, again and again; ``files``: so
    many may come with its form; ``fields``: so many controls may it have."""

    path: str
    method: str
    name: str
    who: frozenset[Role]
    answer: Callable[[Visit], Response]
    early: bool = False
    polls: bool = False
    files: int = 0
    fields: int = MAX_FIELDS


# fmt: off
PAGES = (
    Page("/", "GET", "home", SIGNED_IN, home.page),
    Page("/sign-in", "GET", "sign-in", ANYONE, entrance.sign_in_page),
    Page("/sign-in", "POST", "sign-in-done", ANYONE, entrance.sign_in),
    Page("/oidc", "GET", "oidc", ANYONE, entrance.oidc_begin),
    Page("/oidc/return", "GET", "oidc-return", ANYONE, entrance.oidc_return),
    Page("/choose", "GET", "choose", SIGNED_IN, entrance.choose_page, early=True),
    Page("/choose", "POST", "choose-done", SIGNED_IN, entrance.choose, early=True),
    Page("/password", "GET", "password", SIGNED_IN, entrance.password_page, early=True),
    Page("/password", "POST", "password-done", SIGNED_IN, entrance.password, early=True),
    Page("/step-up", "GET", "step-up", SIGNED_IN, entrance.step_up_page),
    Page("/step-up", "POST", "step-up-done", SIGNED_IN, entrance.step_up),
    Page("/sign-out", "POST", "sign-out", SIGNED_IN, entrance.sign_out, early=True),
    Page("/preferences", "POST", "preferences", ANYONE, entrance.preferences),
    Page("/review", "GET", "review-queue", REVIEWER, review_queue.queue),
    Page("/review/{id}", "GET", "review", REVIEWER, review.page),
    Page("/review/{id}/verdict", "POST", "review-verdict", REVIEWER, review.give_verdict),
    Page("/review/{id}/act/{event}", "POST", "review-act", REVIEWER, review.act),
    Page("/review/{id}/file/{path:path}", "GET", "review-file", REVIEWER, review.file),
    Page("/review/{id}/earlier/{path:path}", "GET", "review-earlier", REVIEWER, review.earlier),
    Page("/review/{id}/record.pdf", "GET", "review-record", READS_ALL, papers.record),
    Page("/develop", "GET", "develop", DEVELOPER, develop.page),
    Page("/develop/state", "GET", "develop-state", DEVELOPER, develop.state, polls=True),
    Page("/develop/job", "GET", "develop-job", DEVELOPER, job_form.job_page),
    Page("/develop/job", "POST", "develop-submit", DEVELOPER, job_form.submit, files=job_form.MAX_FILES),
    Page("/develop/job/form", "GET", "job-form", DEVELOPER, job_form.guided),
    Page("/develop/job/form", "POST", "job-form-sent", DEVELOPER, job_form.guided_send, fields=MANY),
    Page("/develop/catalogue", "GET", "develop-catalogue", DEVELOPER, catalogue.page),
    Page("/develop/catalogue-entry/{id}", "GET", "develop-entry", DEVELOPER, catalogue.entry_page),
    Page("/develop/scenario", "GET", "apply", DEVELOPER, apply.page),
    Page("/develop/scenario", "POST", "apply-sent", DEVELOPER, apply.send, fields=MANY),
    Page("/develop/mend/{id}", "GET", "mend", DEVELOPER, mend.page),
    Page("/develop/mend/{id}", "POST", "mend-prepare", DEVELOPER, mend.prepare),
    Page("/release/{id}", "GET", "release", OPERATING, release.page),
    Page("/release/{id}/package", "POST", "release-package", OPERATING, release.take),
    Page("/release/{id}/receipt.pdf", "GET", "release-receipt", PARTIES, papers.receipt),
    Page("/operate", "GET", "operate", OPERATOR, operate.page),
    Page("/operate/recipe", "GET", "recipe", OPERATOR, recipe.page),
    Page("/operate/recipe", "POST", "recipe-act", OPERATOR, recipe.act),
    Page("/operate/workspaces", "GET", "workspaces", OPERATOR, workspaces.page),
    Page("/operate/exit/{id}", "GET", "exit", OPERATOR | READS_ALL, workspaces.exit_page),
    Page("/operate/frontier", "GET", "frontier", OPERATOR, frontier.page),
    Page("/operate/frontier", "POST", "frontier-read", OPERATOR, frontier.read, files=frontier.MAX_FILES),
    Page("/operate/frontier/chart.json", "GET", "frontier-chart", OPERATOR, frontier.chart),
    Page("/grading/{id}", "GET", "grading", GRADING, grading.page),
    Page("/grading/{id}", "POST", "grading-decide", GRADING, grading.decide, fields=grading.FIELDS),
    Page("/audit", "GET", "audit", READS_ALL, audit.page),
    Page("/audit/bundle", "GET", "audit-bundle", READS_ALL, audit.bundle),
    Page("/audit/checkpoints", "GET", "audit-checkpoints", READS_ALL, audit.checkpoints),
    Page("/audit/{seq}/proof.json", "GET", "audit-proof", READS_ALL, audit.proof),
    Page("/audit/{seq}", "GET", "audit-entry", READS_ALL, audit.entry),
    Page("/help", "GET", "help", SIGNED_IN, guide.page),
    Page("/help/{guide}", "GET", "guide", SIGNED_IN, guide.guide),
    Page("/help/pictures/{name}", "GET", "help-picture", SIGNED_IN, guide.picture),
    Page("/public", "GET", "public", ANYONE, public.page),
    Page("/public/products", "GET", "public-products", ANYONE, public.products),
    Page("/public/catalogue", "GET", "public-catalogue", ANYONE, public.catalogue),
    Page("/public/catalogue-entry/{id}", "GET", "public-entry", ANYONE, public.entry),
    Page("/public/negative-list", "GET", "public-negative", ANYONE, public.negative_list),
    Page("/r/{kind}", "GET", "list", SIGNED_IN, resources.page),
    Page("/r/{kind}/export.csv", "GET", "list-csv", SIGNED_IN, resources.csv),
    Page("/r/{kind}/new/halts", "GET", "halts-new", SIGNED_IN, halts.before_new),
    Page("/r/{kind}/new", "GET", "new", SIGNED_IN, resource.new_page),
    Page("/r/{kind}/new", "POST", "create", SIGNED_IN, resource.create),
    Page("/r/agreement/{id}/certificate.pdf", "GET", "certificate", PARTIES, papers.certificate),
    Page("/r/{kind}/{id}", "GET", "resource", SIGNED_IN, resource.page),
    Page("/r/{kind}/{id}/state", "GET", "state", SIGNED_IN, resource.state, polls=True),
    Page("/r/{kind}/{id}/halted", "GET", "halted", SIGNED_IN, halts.after),
    Page("/r/{kind}/{id}/{event}/halts", "GET", "halts", SIGNED_IN, halts.before),
    Page("/r/{kind}/{id}/{event}", "POST", "act", SIGNED_IN, resource.act),
)
# fmt: on


def admit(page: Page, visit: Visit) -> Response | None:
    """None: the page may be opened. Otherwise where to go first. Raises NO_SESSION, and PAGE_ROLE and
    NO_DATA_RIGHT, of which the audit log is told."""
    if page.who == ANYONE:
        return None
    session = visit.session
    if session is None:
        if visit.request.method != "GET":
            raise fail("NO_SESSION")
        wanted = visit.request.url.path + (f"?{visit.request.url.query}" if visit.request.url.query else "")
        return go(f"{BASE}/sign-in?next={quote(wanted, safe='')}")
    if page.early:
        return None
    if session.must_change:
        return go(f"{BASE}/password")
    if session.actor is None:
        return go(f"{BASE}/choose")
    if session.actor.role not in page.who:
        if page.method == "GET":
            note_once(visit, "open-page", f"page/{page.name}", "PAGE_ROLE")
        else:
            visit.control.note(session.actor, "open-page", f"page/{page.name}", reason="PAGE_ROLE")
        may = ", ".join(sorted(str(role) for role in page.who))
        raise fail("PAGE_ROLE", role=str(session.actor.role), may=may)
    kind = str(visit.request.path_params.get("kind", ""))
    if (
        page.method == "GET"
        and page.name != "new"  # which says who may
        and session.actor.role == Role.SPACE_ADMIN
        and kind in KINDS.keys() - ADMINISTERED
    ):
        note_once(visit, "read", f"{kind}/-", "NO_DATA_RIGHT")
        raise fail("NO_DATA_RIGHT")  # as the door would say, which notes it every time
    return None
