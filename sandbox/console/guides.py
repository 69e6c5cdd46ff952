"""The documents as pages of the console: Markdown in, HTML that its policy allows out.

They lie beside the package in a checkout, and under ``share/sandbox-space/docs`` of the environment where
a wheel put them (docs/adr/0024). Raw HTML in them is shown as text, except ``<br>``; links lead to
other pages of the help, and what they name outside of it stays words; a picture is one of
``docs/screenshots``.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markupsafe import Markup, escape

from sandbox.console import codes  # noqa: F401
from sandbox.core.errors import fail

PLACES = (Path(__file__).parents[2] / "docs", Path(sys.prefix) / "share" / "sandbox-space" / "docs")
HELP = "/console/help"
CODE = re.compile(r"[A-Z][A-Z0-9_]+\Z")  # of an error
NUMBERED = re.compile(r"(\d+) ")  # a section of a guide
KIND = re.compile(r" · `([a-z-]+)`\Z")  # how the heading of a lifecycle ends


@dataclass(frozen=True)
class Heading:
    """An entry of a document's table of contents."""

    level: int
    anchor: str
    text: str


@dataclass(frozen=True)
class Document:
    """One document as a page: ``name`` is its place in the address."""

    name: str
    title: str
    body: Markup
    contents: tuple[Heading, ...]
    anchors: frozenset[str]


@functools.cache
def folder() -> Path:
    """Where the documents lie. Raises HELP_MISSING."""
    for place in PLACES:
        if (place / "guides").is_dir():
            return place
    raise fail("HELP_MISSING")


@functools.cache
def files() -> Mapping[str, Path]:
    """Every document by its name in the address: guides by theirs, decisions as ``adr-…``."""
    found = {path.stem: path for path in sorted(folder().glob("*.md")) if path.stem != "README"}
    found |= {path.stem: path for path in sorted((folder() / "guides").glob("*.md"))}
    return found | {f"adr-{path.stem}": path for path in sorted((folder() / "adr").glob("*.md"))}


@functools.cache
def pictures() -> Mapping[str, Path]:
    """Every picture by its file name."""
    return {path.name: path for path in sorted((folder() / "screenshots").glob("*.png"))}


def title(name: str) -> str:
    """The first heading of a document."""
    with files()[name].open(encoding="utf-8") as text:
        return next((line[2:].strip() for line in text if line.startswith("# ")), name)


def slug(heading: str) -> str:
    """The fragment that a forge gives a heading, which the documents' links use."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@functools.cache
def document(name: str, lang: str = "zh") -> Document:
    """The document as a page, its pictures in the visitor's language. Raises NO_PAGE for an unknown name."""
    path = files().get(name)
    if path is None:
        raise fail("NO_PAGE")
    parser = _parser()
    environment = {"path": path, "lang": lang}
    tokens = parser.parse(path.read_text(encoding="utf-8"), environment)
    anchors: set[str] = set()
    contents = _headings(tokens, anchors)
    _rows(tokens, anchors)
    _english(tokens)
    body = Markup(parser.renderer.render(tokens, parser.options, environment))  # noqa: S704 - see above
    first = next((one.text for one in contents if one.level == 1), name)
    shown = tuple(one for one in contents if one.level == 2)
    return Document(name, first, body, shown, frozenset(anchors))


# --- what Markdown becomes


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "xhtmlOut": False}).enable("table")
    parser.inline.ruler.before("html_inline", "line_break", _line_break)
    for name, rule in (
        ("fence", _fence), ("code_block", _fence), ("link_open", _link_open), ("link_close", _link_close),
        ("image", _image), ("heading_open", _heading_open),
        ("table_open", _table_open), ("table_close", _table_close),
    ):  # fmt: skip
        parser.add_render_rule(name, rule)
    return parser


def _line_break(state: StateInline, silent: bool) -> bool:
    """``<br>``, the one tag that tables need."""
    if not state.src.startswith("<br>", state.pos):
        return False
    if not silent:
        state.push("hardbreak", "br", 0)
    state.pos += len("<br>")
    return True


def _heading_open(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A section can be linked to by its number, too, which no new wording changes."""
    token = tokens[at]
    part = f'<span id="{escape(token.meta["part"])}"></span>' if "part" in token.meta else ""
    return f'<{token.tag} id="{escape(str(token.attrs["id"]))}">{part}'


def _fence(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """Code can be reached and scrolled by keyboard. A diagram's source is left out: its tables follow it."""
    if tokens[at].info.strip() == "mermaid":
        return ""
    text = escape(tokens[at].content)
    return f'<figure class="codeblock"><pre tabindex="0">{text}</pre></figure>\n'


def _table_open(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return '<div class="box" tabindex="0"><table>\n'


def _table_close(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


def _link_open(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """Only to the help itself; anything else stays words."""
    href = address(str(tokens[at].attrs.get("href", "")), env["path"])
    return f'<a href="{escape(href)}">' if href else "<span>"


def _link_close(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    opened = next(one for one in reversed(tokens[:at]) if one.type == "link_open")
    return "</a>" if address(str(opened.attrs.get("href", "")), env["path"]) else "</span>"


def _image(self: Any, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    name, words = PurePosixPath(str(tokens[at].attrs.get("src", ""))).name, escape(tokens[at].content)
    name = re.sub(r"-zh\.png\Z", f"-{env['lang']}.png", name)
    if name not in pictures():
        return f"<span>{words}</span>"
    return f'<img class="shot" src="{HELP}/pictures/{escape(name)}" alt="{words}" loading="lazy">'


def address(href: str, path: Path) -> str:
    """Where a link of the document at ``path`` leads within the help; "" for anything outside of it."""
    target, _, fragment = unquote(href).partition("#")
    end = f"#{fragment}" if fragment else ""
    if not target:
        return end
    if ":" in target:
        return ""
    full = (path.parent / target).resolve()
    name = next((name for name, one in files().items() if one.resolve() == full), "")
    return f"{HELP}/{name}{end}" if name else ""


def _headings(tokens: Sequence[Token], anchors: set[str]) -> list[Heading]:
    """Give every heading its anchor; one that ends in the name of a kind has that name."""
    found = []
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            inline = tokens[at + 1]
            kind = KIND.search(inline.content)
            anchor = kind[1] if kind else slug(inline.content)
            token.attrSet("id", anchor)
            anchors.add(anchor)
            if (number := NUMBERED.match(inline.content)) and f"part-{number[1]}" not in anchors:
                token.meta["part"] = f"part-{number[1]}"
            elif inline.content.endswith("/ in the console"):
                token.meta["part"] = "part-console"
            anchors.add(str(token.meta.get("part", anchor)))
            found.append(Heading(int(token.tag[1]), anchor, inline.content.replace("`", "")))
    return found


def _rows(tokens: Sequence[Token], anchors: set[str]) -> None:
    """A row of a table that begins with the code of an error can be linked to by it."""
    for at, token in enumerate(tokens):
        if token.type == "tr_open" and at + 2 < len(tokens):
            children = tokens[at + 2].children or []
            if children and children[0].type == "code_inline" and CODE.match(children[0].content):
                code = children[0].content
                if code not in anchors:
                    token.attrSet("id", code)
                    anchors.add(code)


def _english(tokens: Sequence[Token]) -> None:
    """A paragraph in italics is the English of the one before it."""
    for at, token in enumerate(tokens):
        if token.type == "paragraph_open":
            children = tokens[at + 1].children or []
            if children and children[0].type == "em_open" and children[-1].type == "em_close":
                token.attrSet("class", "en")
                token.attrSet("lang", "en")
