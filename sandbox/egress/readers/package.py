"""What office documents have in common (ECMA-376 part 2): parts in a ZIP, relationships, properties, charts.

A part that is not in the reader's table is refused. Of the parts that are, everything that is no visible
content comes to light as hidden pieces: no text or attribute is known to be harmless only by its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from lxml import etree
from PIL import Image

from sandbox.egress.forms import Budget, Document, Piece, Unreadable
from sandbox.egress.readers import jpeg, png
from sandbox.egress.readers.grid import headed
from sandbox.egress.readers.image import printed
from sandbox.egress.readers.zips import unpack

# Parts of both kinds of document -> what happens: "text" (to light), "picture", or the reason of refusal.
COMMON = (
    (r"\[Content_Types\]\.xml|_rels/\.rels|(?:.*/)?_rels/[^/]+\.rels", "links"),
    (r"docProps/(?:core|app|custom)\.xml|customXml/[^/]+\.xml", "text"),
    (r"(?:xl|word)/(?:theme/theme\d*|styles|fontTable|settings|webSettings|stylesWithEffects)\.xml", "style"),
    (r"word/numbering\.xml", "style"),
    (r"(?:xl|word)/(?:theme/)?media/[^/]+\.(?:png|jpe?g|PNG|JPE?G)", "picture"),
    (r"docProps/thumbnail\.(?:jpe?g|png)", "bytes"),
    (r"(?:xl|word)/charts/(?:chart|style|colors)\d*\.xml", "chart"),
    (r"(?:xl|word)/printerSettings/[^/]+\.bin", "bytes"),
    (r".*vbaProject.*|.*vbaData.*|.*activeX.*|.*macrosheets.*|.*ctrlProps.*|.*\.bin", "active"),
    (r".*externalLinks.*|.*connections\.xml|.*queryTables.*", "external"),
)
_FREE_LINKS = ("/hyperlink",)  # relationships that nothing loads before a person asks for it
_AXES = ("cat", "val", "xVal", "yVal", "bubbleSize")
_STANDARD = re.compile(
    r"docProps/(?:core|app|custom)\.xml|xl/(?:workbook|styles|sharedStrings|theme/theme1)\.xml|"
    r"word/(?:document|styles|settings|webSettings|fontTable|footnotes|endnotes|comments|numbering)\.xml|"
    r"word/(?:header|footer)[0-9]{1,2}\.xml|xl/(?:worksheets/sheet|comments/comment|charts/chart)[0-9]{1,2}\.xml"
)
_ANY = re.compile(r"\S")
# Styles are dropped and full of names of fonts: only what is long, quoted or has numbers in it counts.
_IN_STYLES = re.compile(r"@|(?<![0-9A-F])(?![0-9A-F]{20}(?![0-9A-F]))[0-9A-F]*[0-9]{6}|.{40}|\"|;;")
# What an attribute may say without being worth a look: words, short numbers, colours, cells, parts, spaces.
_PLAIN = re.compile(
    r"(?!.*[0-9]{6})(?:[A-Za-z][A-Za-z0-9_.\-]{0,39}|[A-Za-z0-9.\-]+:[A-Za-z0-9]+|"
    r"[A-Za-z0-9]+(?: [A-Za-z0-9]+){1,3}|"
    r"/?(?:[A-Za-z_.]+/)*[A-Za-z]+[0-9]{0,3}\.[A-Za-z]{2,4}|application/[\w.+\-]+|image/\w+)|"
    r"[-+]?[0-9]{1,9}(?:\.[0-9]{1,16})?%?|#?[0-9A-Fa-f]{6,8}|\{[0-9A-Fa-f\-]{36}\}|[0-9A-F]{20}|"
    r"\$?[A-Z]{1,3}\$?[0-9]{1,7}(?::\$?[A-Z]{1,3}\$?[0-9]{1,7})?|\d{4}-\d\d-\d\dT[\d:.]+Z|\s*|"
    r"(?:https?://(?:schemas\.openxmlformats\.org|schemas\.microsoft\.com|purl\.org|www\.w3\.org)/|urn:)[\w./:\-]*"
)


def closed(text: str) -> bool:
    """Whether ``text`` is a word, a short number or another thing that says nothing."""
    return _PLAIN.fullmatch(text) is not None


def tree(data: bytes) -> etree._Element:
    """One XML part. No entity is resolved and nothing is loaded. Raises ``Unreadable``."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_blank_text=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        raise Unreadable("malformed") from None
    if root.getroottree().docinfo.doctype or root.getroottree().docinfo.internalDTD is not None:
        raise Unreadable("active")
    return root


def local(element: etree._Element) -> str:
    """The name of an element without its namespace; "" for comments and instructions."""
    return str(element.tag).rpartition("}")[2] if isinstance(element.tag, str) else ""


def name_of(attribute: str | bytes) -> str:
    """The name of an attribute without its namespace."""
    return str(attribute).rpartition("}")[2]


def loose(
    root: etree._Element, visible: Callable[[etree._Element], bool], known: frozenset[str]
) -> Iterator[str]:
    """Every text and every attribute that is no closed word or short number, but for the text of ``visible``
    elements and ``known`` attributes."""
    for element in root.iter():
        if not isinstance(element.tag, str):
            yield element.text or ""  # a comment or a processing instruction
        else:
            if element.text and not visible(element):
                yield element.text
            for name, value in element.attrib.items():
                if name_of(name) not in known and not _PLAIN.fullmatch(str(value)):
                    yield str(value)
        yield element.tail or ""


def bring_to_light(
    document: Document,
    where: str,
    root: etree._Element,
    visible: Callable[[etree._Element], bool],
    notable: re.Pattern[str] = _ANY,
    known: frozenset[str] = frozenset(),
) -> None:
    """Those of ``loose`` of one part that are ``notable``, as hidden pieces, each once."""
    seen: dict[str, None] = {}
    for text in loose(root, visible, known):
        if notable.search(text) and not re.fullmatch(r"\s*[-+]?[0-9.]{1,4}\s*", text):
            seen.setdefault(text.strip())
    document.pieces.extend(Piece(where, text, hidden=True) for text in seen)


def links(part: str, data: bytes) -> tuple[dict[str, str], list[str]]:
    """({id: part that it points to}, [addresses outside]) of a relationships part.

    Raises ``Unreadable`` (external) for anything outside that opening the document would load.
    """
    folder = PurePosixPath(part).parent.parent
    inside, outside = {}, []
    for item in tree(data):
        if local(item) != "Relationship":
            continue
        target = str(item.get("Target", ""))
        if str(item.get("TargetMode", "")).lower() == "external":
            if not str(item.get("Type", "")).endswith(_FREE_LINKS):
                raise Unreadable("external")
            outside.append(target)
        else:
            path = target.lstrip("/") if target.startswith("/") else str(folder / target)
            parts: list[str] = []
            for step in path.split("/"):
                if step == "..":
                    parts = parts[:-1]
                elif step not in ("", "."):
                    parts.append(step)
            inside[str(item.get("Id", ""))] = "/".join(parts)
    return inside, outside


def picture(document: Document, where: str, data: bytes, budget: Budget) -> Image.Image:
    """Read an embedded PNG or JPEG as if it were a file: its pixels, and all that hides in it.

    Raises ``Unreadable`` (embedded) for any other image.
    """
    part = Document(where, where, "", len(data))
    if data.startswith(b"\x89PNG"):
        png.read(part, data, budget)
    elif data.startswith(b"\xff\xd8\xff"):
        jpeg.read(part, data, budget)
    else:
        raise Unreadable("embedded")
    for piece in part.pieces:
        document.pieces.append(Piece(f"{where} {piece.where}".strip(), piece.text, piece.hidden))
    for seen in part.pictures:
        seen.where = f"{where} {seen.where}".strip()
        document.pictures.append(seen)
    image = part.body
    assert isinstance(image, Image.Image)
    return image


def _points(node: etree._Element | None) -> list[str]:
    if node is None:
        return []
    return [str(v.text or "") for pt in node.iter("{*}pt") for v in pt.iter("{*}v")]


def chart(document: Document, where: str, root: etree._Element, budget: Budget) -> None:
    """The numbers a chart keeps of its source, a table a series."""
    for number, series in enumerate(root.iter("{*}ser"), 1):
        found = {local(child): _points(child) for child in series if local(child) in _AXES}
        lists = {name: values for name, values in found.items() if values}
        high = max((len(values) for values in lists.values()), default=0)
        rows = [[values[i] if i < len(values) else "" for values in lists.values()] for i in range(high)]
        built = headed(f"{where} series {number}", [list(lists), *rows], budget) if lists else None
        if built is not None:
            document.tables.append(built)


def parts(
    document: Document, data: bytes, budget: Budget, own: tuple[tuple[str, str], ...]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """({part: content}, {part: what happens to it}) of an office document.

    ``own``: (pattern of a part's name, what happens) of the kind of document. Raises ``Unreadable`` for a
    part in neither table (embedded), or in one with a reason.
    """
    files = dict(unpack(document, data, budget))
    roles: dict[str, str] = {}
    for name in files:
        role = next((role for pattern, role in (*own, *COMMON) if re.fullmatch(pattern, name)), "embedded")
        if role in ("active", "external", "embedded"):
            raise Unreadable(role)
        roles[name] = role
    for name, role in roles.items():
        if role == "links" and name.endswith(".rels"):
            _, outside = links(name, files[name])
            document.pieces.extend(Piece("link", address, hidden=True) for address in outside)
    return files, roles


def told(files: dict[str, bytes], name: str) -> str:
    """A part as a report may name it: by its name where that is one of the standard's, else by its number."""
    return name if _STANDARD.fullmatch(name) else f"part {list(files).index(name) + 1}"


def sidelights(
    document: Document, files: dict[str, bytes], roles: dict[str, str], budget: Budget
) -> dict[str, Image.Image]:
    """Bring parts that are no visible content to light; gives the pictures by part."""
    pictures: dict[str, Image.Image] = {}
    for name, role in roles.items():
        if role == "picture":
            pictures[name] = picture(document, told(files, name), files[name], budget)
        elif role == "bytes":
            document.pieces.append(Piece(told(files, name), printed(files[name]), hidden=True))
        elif role in ("text", "style", "chart", "links"):
            root = tree(files[name])
            if role == "chart":
                chart(document, told(files, name), root, budget)
            notable = _IN_STYLES if role == "style" else _ANY
            bring_to_light(document, told(files, name), root, lambda element: False, notable)
    return pictures
