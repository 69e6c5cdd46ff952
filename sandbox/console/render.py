"""Templates to pages. A template gets a view model and says nothing of its own about who may do what."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse

from sandbox import __version__
from sandbox.console import menu
from sandbox.console.assets import asset
from sandbox.console.helps import explained
from sandbox.console.labels import FIELDS, ROLES, VALUES
from sandbox.console.visit import Visit
from sandbox.console.words import gettext, ngettext, when
from sandbox.core.errors import SandboxError

TEMPLATES = Path(__file__).parent / "templates"


@functools.cache
def environment(lang: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    say = gettext(lang)
    made.install_gettext_callables(say, ngettext(lang), newstyle=False)  # type: ignore[attr-defined]
    made.globals["_"] = say  # the extension's own goes round by the context, for each text of a page
    made.filters["when"] = when
    made.filters["moment"] = when
    made.globals["labelled"] = lambda options: [(one, say(VALUES.get(one, one))) for one in options]
    made.filters["field"] = lambda name: say(FIELDS.get(str(name), str(name)))
    made.filters["value"] = lambda word: say(VALUES.get(word, word)) if isinstance(word, str) else word
    made.filters["role"] = lambda role: say(ROLES.get(str(role), str(role)))
    return made


def render(visit: Visit, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """The page: ``template`` with what every page needs and ``context``."""
    session = visit.session
    body = (
        environment(visit.lang)
        .get_template(template)
        .render(
            session=session,
            csrf=session.csrf if session else "",
            lang=visit.lang,
            theme=visit.theme,
            menu=menu.entries(visit),
            path=visit.request.url.path,
            help_url=explained(visit.request.url.path, session.actor.role)
            if session and session.actor
            else "",
            asset=asset,
            version=__version__,
            space_name=visit.space.settings.origin,
            status=status,
            errors=context.pop("errors", []),
            **context,
        )
    )
    return HTMLResponse(body, status)


def told(visit: Visit, error: SandboxError) -> dict[str, str]:
    """A refusal as pages show it: its code, and the sentence that says what to do."""
    return {"code": error.code, "text": error.message(visit.lang), "mend": ""}
