"""Text that a person who looks at a page would not see, and text layers that say other than what is there.

Only the rendered page leaves; but who hides text tried something, and what was checked must be what is seen.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import SequenceMatcher

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding
from sandbox.egress.forms import Document, Line, Picture
from sandbox.egress.messages import finding

_SHORT = 4  # letters; a shorter line is too easily misread
_ALIKE = 0.6  # of the letters of a line, found in order on the page; the recogniser misreads one in thirty
_SHARE = 0.1  # of the lines that may read otherwise
_NEAR = 6.0  # pixels by which boxes may miss each other
_BLOCK = 2  # letters in a row that count as found


def _letters(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(char for char in folded if char.isalnum())


def _beside(line: Line, others: list[Line]) -> str:
    """The letters of ``others`` whose boxes touch that of ``line``, from the left."""
    left, top, right, bottom = line.box
    near = [
        other
        for other in others
        if other.box[0] < right + _NEAR
        and other.box[2] > left - _NEAR
        and other.box[1] < bottom + _NEAR
        and other.box[3] > top - _NEAR
    ]
    return "".join(_letters(other.text) for other in sorted(near, key=lambda other: other.box[0]))


def reads_alike(line: Line, lines: list[Line]) -> bool:
    """Whether what stands at the place of ``line`` reads as it says, within the recogniser's errors."""
    wanted = _letters(line.text)
    blocks = SequenceMatcher(None, wanted, _beside(line, lines), autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= _BLOCK) >= _ALIKE * len(wanted)


def _unlike(picture: Picture) -> tuple[int, int]:
    """(lines of the text layer that read otherwise, lines compared) of a picture that was read."""
    long = [line for line in picture.stated or [] if line.shown and len(_letters(line.text)) >= _SHORT]
    return sum(not reads_alike(line, picture.lines) for line in long), len(long)


def _unseen(picture: Picture) -> int:
    """Lines nobody sees; not an invisible layer that says what the picture shows: scanners add that."""
    if picture.hidden:
        return len(picture.lines)
    hidden = [line for line in picture.stated or [] if not line.shown]
    return sum(not (_letters(line.text) and reads_alike(line, picture.lines)) for line in hidden)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hold for unseen lines, one for a text layer that reads otherwise."""
    unseen = [(picture.where, count) for picture in document.pictures if (count := _unseen(picture))]
    if unseen:
        evidence = {"count": sum(count for _, count in unseen)}
        yield finding("HIDDEN_TEXT", document.shown, unseen[0][0], evidence)
    compared = [(picture.where, _unlike(picture)) for picture in document.pictures if not picture.unread]
    unlike, total = (sum(counts[i] for _, counts in compared) for i in (0, 1))
    if unlike > _SHARE * total:
        where = next(where for where, counts in compared if counts[0])
        yield finding("TEXT_LAYER", document.shown, where, {"count": unlike, "total": total})


CHECK = Check(("HIDDEN_TEXT", "TEXT_LAYER"), "image", run)
