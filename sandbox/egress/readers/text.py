"""Bytes to text: UTF-8 (with or without mark) or GB 18030, nothing guessed, nothing replaced."""

from __future__ import annotations

import codecs
import re
import unicodedata

from sandbox.egress.forms import Unreadable

_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


def decode(data: bytes) -> str:
    """The text of ``data`` with ``\\n`` line ends. Raises ``Unreadable`` (encoding, control)."""
    plain = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError:
        try:
            text = plain.decode("gb18030")
        except UnicodeDecodeError:
            raise Unreadable("encoding") from None
        # GB 18030 gives a character for almost any bytes: unassigned and private ones betray noise.
        if any(unicodedata.category(char) in ("Cn", "Co", "Cs") for char in set(text)):
            raise Unreadable("encoding") from None
    if _CONTROL.search(text):
        raise Unreadable("control")
    return text.replace("\r\n", "\n").replace("\r", "\n")
