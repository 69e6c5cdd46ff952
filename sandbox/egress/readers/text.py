"""Bytes to text: what marks itself, UTF-8, UTF-16, or the East Asian encoding that fits best.

Nothing is replaced and nothing is lost: every codec is strict. Encodings without a mark are told apart by
the share of characters from the encoding's own common ones (GB 2312 level 1, Big5 level 1, JIS level 1 and
kana): a text read in the wrong one is full of rare characters. Where none stands out the text stays unread.
General detectors take short tables for Korean: charset-normalizer 3.5 does with 52 bytes of GB 18030.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections import Counter

from sandbox.egress.forms import Unreadable

_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Codec -> first bytes of its common characters (punctuation; then the common words). In order of preference.
_COMMON = {
    "gb18030": (range(0xA1, 0xA4), range(0xB0, 0xD8)),
    "big5": (range(0xA1, 0xA4), range(0xA4, 0xC7)),
    "cp932": (range(0x81, 0x84), range(0x88, 0x98)),
}
_SAMPLE = 1 << 20  # characters the share is taken of
_LEAST, _AHEAD = 0.7, 0.1


def _strict(data: bytes, codec: str) -> str | None:
    """The text, if every character of it is assigned. Private and unassigned ones betray noise."""
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    if any(unicodedata.category(char) in ("Cn", "Co", "Cs") for char in set(text)):
        return None
    return text


def _share(text: str, codec: str) -> float:
    """The share of common characters among those beyond ASCII."""
    common = total = 0
    for char, count in Counter(text[:_SAMPLE]).items():
        if char > "\x7f":
            code = char.encode(codec)
            total += count
            second = codec != "gb18030" or (len(code) == 2 and code[1] >= 0xA1)  # GB 2312 has no lower ones
            common += count * (second and len(code) == 2 and any(code[0] in span for span in _COMMON[codec]))
    return common / total if total else 1.0


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark: ASCII in it leaves every other byte empty."""
    if len(data) % 2 or data.count(0) < len(data) // 10:
        return None
    texts = [_strict(data, codec) for codec in ("utf-16-le", "utf-16-be")]
    sound = [text for text in texts if text is not None and not _CONTROL.search(text) and "\n" in text]
    return sound[0] if len(sound) == 1 else None


def _unmarked(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and "\x00" not in text:
        return text
    wide = _wide(data)
    if wide is not None:
        return wide
    if text:
        return text
    found = {codec: said for codec in _COMMON if (said := _strict(data, codec)) is not None}
    ranked = sorted(((_share(said, codec), codec) for codec, said in found.items()), key=lambda r: -r[0])
    if ranked and ranked[0][0] >= _LEAST:
        ahead = len(ranked) == 1 or ranked[0][0] >= ranked[1][0] + _AHEAD
        if ahead or ranked[0][1] == "gb18030":  # the national standard: it need only not fit worse
            return found[ranked[0][1]]
    raise Unreadable("encoding")


def decode(data: bytes) -> str:
    """The text of ``data`` with ``\\n`` line ends. Raises ``Unreadable`` (encoding, control)."""
    mark, codec = next(((mark, codec) for mark, codec in _MARKS if data.startswith(mark)), (b"", ""))
    if codec:
        try:
            text = data.removeprefix(mark).decode(codec)
        except UnicodeDecodeError:
            raise Unreadable("encoding") from None
    else:
        text = _unmarked(data)
    if _CONTROL.search(text):
        raise Unreadable("control")
    return text.replace("\r\n", "\n").replace("\r", "\n")
