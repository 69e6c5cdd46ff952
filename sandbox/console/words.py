"""Chinese as templates and tables have it; English from ``locale/en.po`` (gettext, msgid is the Chinese)."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polib  # type: ignore[import-untyped]

from sandbox.core.calendar import BEIJING

LANGUAGES = ("zh", "en")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|\+00:00)\Z")  # as we store them
CATALOGUE = Path(__file__).parent / "locale" / "en.po"


@functools.cache
def english() -> dict[str, str]:
    """msgid -> msgstr of every translated entry."""
    return {entry.msgid: entry.msgstr for entry in polib.pofile(str(CATALOGUE)) if entry.msgstr}


def gettext(lang: str) -> Callable[[str], str]:
    """The look-up of one language; a text without a translation stays as it is (a test finds those)."""
    if lang == "zh":
        return str
    table = english()
    return lambda text: table.get(text, text)


def ngettext(lang: str) -> Callable[[str, str, int], str]:
    """Chinese has one form; English looks up the singular or the plural."""
    look = gettext(lang)
    return lambda one, many, n: look(one if n == 1 else many)


def when(moment: datetime | str | None) -> str:
    """An aware time, or its ISO text, in Beijing time to the minute; "" for none, a text that is no time as
    it is."""
    if not moment:
        return ""
    if isinstance(moment, datetime):
        return moment.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M")
    try:
        return when(datetime.fromisoformat(moment)) if _MOMENT.match(moment) else moment
    except ValueError:  # the thirty-first of February
        return moment
