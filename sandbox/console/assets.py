"""What pages load beside their HTML: our own style and script, and what npm brought (``frontend/``).

Each file is served under a name with the hash of its bytes in it, so that a browser keeps it for ever and
still never sees an old one. All of it is read once, at start; a request picks a row of that table and
nothing else.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.console import codes  # noqa: F401
from sandbox.core.errors import fail

HERE = Path(__file__).parent
STATIC = HERE / "static"
PREFIX = "/console/static/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
REQUIRED = ("app.css", "dark.css", "app.js", "icon.svg", "vendor/htmx.js", "vendor/charts.js")
FOR_TESTS = "vendor/test/"  # brought by npm for the tests, never served
_KEPT = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Vary": "Accept-Encoding",
}


@dataclass(frozen=True)
class Asset:
    """One file: its bytes, the same in gzip where that is smaller, and what it is."""

    url: str
    kind: str
    plain: bytes
    packed: bytes | None


class Assets:
    """All files of ``folder`` that a page may load.

    Raises ASSETS_MISSING if one that every page needs is not there.
    """

    def __init__(self, folder: Path = STATIC) -> None:
        missing = [name for name in REQUIRED if not (folder / name).is_file()]
        if missing:
            raise fail("ASSETS_MISSING", missing=", ".join(missing))
        self.by_name: Mapping[str, Asset] = {
            name: _read(folder / name, name)
            for name in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))
            if Path(name).suffix in TYPES and not name.startswith(FOR_TESTS)
        }
        self._by_url = {one.url: one for one in self.by_name.values()}

    def url(self, name: str) -> str:
        """The address of ``name`` ("app.css"). KeyError for a name that is not there."""
        return self.by_name[name].url

    async def answer(self, request: Request) -> Response:
        """The file that the request's path names, or 404. The path is compared, never opened."""
        found = self._by_url.get(request.url.path)
        if found is None:
            return Response(status_code=404)
        headers = {**_KEPT, "Content-Type": found.kind}
        if found.packed is not None and _takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(found.packed, headers={**headers, "Content-Encoding": "gzip"})
        return Response(found.plain, headers=headers)

    def route(self) -> Route:
        """The one route under which all of them are served, within the console's own application."""
        return Route("/static/{name:path}", self.answer, methods=["GET"], name="static")


@functools.cache
def served() -> Assets:
    """The files of this installation, read once. Raises ASSETS_MISSING."""
    return Assets()


def asset(name: str) -> str:
    """For templates: the address of ``name`` ("app.css")."""
    return served().url(name)


def routes() -> list[Route]:
    """For the application, at its start: a missing file is told then, not on a page."""
    return [served().route()]


def _read(path: Path, name: str) -> Asset:
    plain = path.read_bytes()
    stem, _, suffix = name.rpartition(".")
    packed = gzip.compress(plain, 9, mtime=0) if suffix != "png" else plain
    return Asset(
        url=f"{PREFIX}{stem}.{hashlib.sha256(plain).hexdigest()[:12]}.{suffix}",
        kind=TYPES["." + suffix],
        plain=plain,
        packed=packed if len(packed) < len(plain) else None,
    )


def _takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding lists gzip and does not refuse it (RFC 9110, 12.5.3)."""
    for part in header.lower().split(","):
        coding, *parameters = (piece.strip() for piece in part.split(";"))
        if coding == "gzip":
            return not any(
                one.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000") for one in parameters
            )
    return False
