"""The page of an egress request's check, as whoever asks may see it."""

from __future__ import annotations

from typing import Any, Protocol

from sandbox.core.errors import fail
from sandbox.core.resource import Resource
from sandbox.egress.report.html import coarse_html, html
from sandbox.egress.report.view import cited
from sandbox.review import codes  # noqa: F401


class Cited(Protocol):
    """What a page needs of a profile."""

    def basis(self, key: str) -> tuple[Any, str, str, str]: ...


def request_page(request: Resource, policy: Cited, lang: str) -> str:
    """The page of ``request``, which the caller has got through the door: what its view left out is not in
    it. Raises UNCHECKED."""
    check = request.status.get("check")
    if check is None:
        raise fail("UNCHECKED")
    if "checker" not in check:  # the view that ``sandbox.review.coarse`` gives
        return coarse_html(check, lang)
    report = {"policy": request.status.get("decision", {}).get("policy", ""), **check}
    return html(report, lang, cited(check, policy.basis))
