"""Characters that stand for another: what NFKC leaves apart although a reader takes it for the same.

Sources: Unicode 15 character names; Unicode Technical Standard 39 (confusables) for the letters. Only what a
digit or a Latin letter can be mistaken for is here, because only those make identifiers.
"""

from __future__ import annotations

import sys
import unicodedata
from functools import cache

# Runs of code points that count upwards: (first code point, first value, how many).
_COUNTED = (
    (0x2776, 1, 10),  # negative circled
    (0x2780, 1, 10),  # sans-serif circled
    (0x278A, 1, 10),  # negative sans-serif circled
    (0x24F5, 1, 10),  # double circled
    (0x24EB, 11, 10),  # negative circled, 11 to 20
    (0x24FF, 0, 1),
    (0x1F10B, 0, 1),
    (0x1F10C, 0, 1),
    (0x3021, 1, 9),  # Suzhou numerals
    (0x1D360, 1, 9),  # counting rods
    (0x1D369, 1, 9),
)
# Alphabets in order: the code point of their A.
_ALPHABETS = (0x1F150, 0x1F170, 0x1F1E6)  # negative circled, negative squared, regional indicators
_LETTERS = {
    # Cyrillic
    **dict(zip("АВСЕНІЈКМОРЅТУХԌԚԜҮ", "ABCEHIJKMOPSTYXGQWY", strict=True)),
    **dict(zip("асеіјорѕухһԁԛԝҽӏ", "aceijopsyxhdqwel", strict=True)),
    # Greek
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC", strict=True)),
    **dict(zip("ανορυκιτϲ", "avopukitc", strict=True)),
    # Armenian, small capitals, other Latin
    **dict(zip("օսոհ", "ounh", strict=True)),
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "ABCDEFGHIJKLMNOPRSTUVWYZ", strict=True)),
    **dict(zip("ɑɡıȷℓ℮", "agijle", strict=True)),
    # Digits only by their look
    **dict(zip("ЗƷЧбƖǀ∣৪", "33461118", strict=True)),
}
# What is read as a digit among digits, and only there.
LOOKALIKES = dict(zip("OoQlIiZzSsBbGgq", "000111225586699"[:15], strict=True))


@cache
def translation() -> dict[str, str]:
    """Each character that stands for digits or a Latin letter, and what it stands for."""
    table: dict[str, str] = {}
    for first, value, count in _COUNTED:
        table.update({chr(first + i): str(value + i) for i in range(count)})
    for first in _ALPHABETS:
        table.update({chr(first + i): chr(65 + i) for i in range(26)})
    table.update(_LETTERS)
    for point in range(128, sys.maxunicode + 1):
        char = chr(point)
        if unicodedata.category(char) == "Nd":
            table[char] = str(unicodedata.digit(char))
    return table


@cache
def bracketed() -> dict[str, str]:
    """Characters that NFKC would take apart into a digit or letter and its brackets or full stop."""
    found = {chr(0x2474 + i): str(i + 1) for i in range(20)} | {
        chr(0x2488 + i): str(i + 1) for i in range(20)
    }
    found |= {chr(0x1F101 + i): str(i) for i in range(10)} | {"\U0001f100": "0"}
    return found | {chr(0x249C + i): chr(97 + i) for i in range(26)}
