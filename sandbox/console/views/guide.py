"""Help inside: the documents as pages of the console, the guide of one's own role first."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup
from starlette.responses import Response

from sandbox.console import guides
from sandbox.console.helps import GUIDES, own
from sandbox.console.render import render
from sandbox.console.visit import Visit
from sandbox.core.errors import fail


@dataclass(frozen=True)
class Entry:
    """A document in the list."""

    title: str
    url: str
    current: bool


@dataclass(frozen=True)
class HelpPage:
    """What ``help.html`` shows; ``body`` is "" on the first page."""

    title: str
    body: Markup
    contents: tuple[guides.Heading, ...]
    own: Entry
    guides: tuple[Entry, ...]
    reference: tuple[Entry, ...]


def model(visit: Visit, name: str) -> HelpPage:
    """The document ``name``, or the list alone for "". Raises NO_PAGE, HELP_MISSING."""
    shown = guides.document(name, visit.lang) if name else None
    first = own(visit.actor.role)

    def entry(one: str) -> Entry:
        return Entry(guides.title(one), f"{guides.HELP}/{one}", one == name)

    rest = tuple(one for one in guides.files() if one not in GUIDES and not one.startswith("adr-"))
    return HelpPage(
        title=shown.title if shown else visit.say("帮助"),
        body=shown.body if shown else Markup(""),
        contents=shown.contents if shown else (),
        own=entry(first),
        guides=tuple(entry(one) for one in GUIDES if one != first),
        reference=tuple(entry(one) for one in rest),
    )


def page(visit: Visit) -> Response:
    """The list of the documents."""
    return render(visit, "help.html", page=model(visit, ""))


def guide(visit: Visit) -> Response:
    """One document. Raises NO_PAGE."""
    return render(visit, "help.html", page=model(visit, visit.segment("guide")))


def picture(visit: Visit) -> Response:
    """A picture of the guides. Raises NO_PAGE."""
    found = guides.pictures().get(visit.segment("name"))
    if found is None:
        raise fail("NO_PAGE")
    return Response(found.read_bytes(), media_type="image/png")
