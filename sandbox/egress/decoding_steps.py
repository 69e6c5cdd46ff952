"""One step of decoding each: text to bytes. A decoder raises ``ValueError`` for what no coder wrote."""

from __future__ import annotations

import base64
import bz2
import html
import lzma
import quopri
import re
import zlib
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

_INFLATED = 1 << 20  # bytes a compressed token may give
_58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGITS = "0123456789"
_UPPER, _LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
# Integers in other bases: the two orders of letters in use, and base 58 of wallets.
_ALPHABETS = {
    "base36": _DIGITS + _LOWER,
    "base58": _58,
    "base62": _DIGITS + _UPPER + _LOWER,
    "base62 (small first)": _DIGITS + _LOWER + _UPPER,
}
_MOST = 400  # characters of a number in another base: its value is computed at once
# Digits written as other characters one to one, where no key is needed to guess them.
_DIGIT_MAPS = {
    "letters": "abcdefghij",
    "letters from one": "jabcdefghi",
    "letters A": "ABCDEFGHIJ",
    "letters A from one": "JABCDEFGHI",
    "keyboard": "pqwertyuio",
    "keyboard P": "PQWERTYUIO",
    "shifted": ")!@#$%^&*(",
    "stems": "癸甲乙丙丁戊己庚辛壬",
    "stems from zero": "甲乙丙丁戊己庚辛壬癸",
}


def _need(condition: bool) -> None:
    if not condition:
        raise ValueError


def _hex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _base64(text: str) -> bytes:
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    _need(len(body) % 4 != 1)
    return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)


def _base32(text: str) -> bytes:
    body = text.rstrip("=").upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))


def _base32_hex(text: str) -> bytes:
    body = text.rstrip("=").upper()
    return base64.b32hexdecode(body + "=" * (-len(body) % 8))


def _base85(text: str) -> bytes:
    return base64.b85decode(text)


def _ascii85(text: str) -> bytes:
    return base64.a85decode(text, adobe=text.startswith("<~"))


def _z85(text: str) -> bytes:
    z = _DIGITS + _LOWER + _UPPER + ".-:+=^!/*?&<>()[]{}@%$#"
    b = _DIGITS + _UPPER + _LOWER + "!#$%&()*+-;<=>?@^_`{|}~"
    _need(all(char in z for char in text))
    return base64.b85decode(text.translate(str.maketrans(z, b)))


def _number(alphabet: str) -> Callable[[str], bytes]:
    """Decode a number in base ``len(alphabet)``: as bytes, or as the decimal number itself."""
    places = {char: place for place, char in enumerate(alphabet)}

    def decode(text: str) -> bytes:
        _need(len(text) <= _MOST and not text.isdigit())
        value = 0
        for char in text if len(alphabet) > 36 else text.lower():
            _need(char in places)
            value = value * len(alphabet) + places[char]
        data = value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
        # A telephone number in base 36 is the number; a text in base 58 is its bytes.
        return data if _printable(data) else str(value).encode()

    return decode


def _decimal(text: str) -> bytes:
    """The bytes of a text read as one big number."""
    _need(text.isdigit() and 19 < len(text) <= _MOST)
    value = int(text)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _printable(data: bytes) -> bool:
    return len(data) >= 4 and all(32 <= byte < 127 for byte in data)


def _codes(text: str) -> bytes:
    """Numbers of characters in base 2, 8, 10 or 16, with anything between: 49 51 56, U+0031, \\x31."""
    parts = re.findall(r"(?:0x|\\x|U\+|\\u|&#x?|0b|0o)?([0-9A-Fa-f]+)", text)
    _need(len(parts) >= 8)
    hexadecimal = re.search(r"0x|\\x|U\+|\\u|&#x", text) is not None
    for base in (16,) if hexadecimal else (2, 8, 10, 16):
        try:
            values = [int(part, base) for part in parts]
        except ValueError:
            continue
        if (
            all(32 <= value < 0x110000 for value in values)
            and sum(value < 127 for value in values) > len(values) / 2
        ):
            return "".join(map(chr, values)).encode("utf-8", "replace")
    raise ValueError


def _fixed(width: int, base: int) -> Callable[[str], bytes]:
    """Decode bytes written with ``width`` digits of ``base`` each and nothing between."""

    def decode(text: str) -> bytes:
        _need(len(text) % width == 0 and len(text) >= 8 * width and text.isdigit())
        return bytes(int(text[i : i + width], base) for i in range(0, len(text), width))

    return decode


def _url(text: str) -> bytes:
    _need("%" in text)
    return unquote_to_bytes(text)


def _escapes(text: str) -> bytes:
    if re.search(r"\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}", text):
        return re.sub(
            r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2}))",
            lambda m: chr(int(m.group(1) or m.group(2), 16)),
            text,
        ).encode("utf-8", "replace")
    _need("&" in text)
    return html.unescape(text).encode()


def _quoted(text: str) -> bytes:
    _need(re.search(r"=[0-9A-F]{2}", text) is not None)
    return quopri.decodestring(text.encode())


def _caesar(shift: int) -> Callable[[str], bytes]:
    turned = str.maketrans(_UPPER + _LOWER, _UPPER[shift:] + _UPPER[:shift] + _LOWER[shift:] + _LOWER[:shift])

    def decode(text: str) -> bytes:
        _need(any(char.isalpha() for char in text))
        return text.translate(turned).encode()

    return decode


def _rot47(text: str) -> bytes:
    _need(all(32 <= ord(char) < 127 for char in text))
    return "".join(chr(33 + (ord(char) - 33 + 47) % 94) if char != " " else " " for char in text).encode()


def _atbash(text: str) -> bytes:
    _need(any(char.isalpha() for char in text))
    return text.translate(str.maketrans(_UPPER + _LOWER, _UPPER[::-1] + _LOWER[::-1])).encode()


def _digit_map(signs: str) -> Callable[[str], bytes]:
    back = str.maketrans(signs, _DIGITS)

    def decode(text: str) -> bytes:
        _need(sum(char in signs for char in text) >= 0.9 * len(text))
        return text.translate(back).encode()

    return decode


def _digit_shift(shift: int) -> Callable[[str], bytes]:
    turned = _DIGITS[shift:] + _DIGITS[:shift]

    def decode(text: str) -> bytes:
        _need(sum(char.isdigit() for char in text) >= 0.9 * len(text))
        return text.translate(str.maketrans(_DIGITS, turned)).encode()

    return decode


def _complement(text: str) -> bytes:
    _need(sum(char.isdigit() for char in text) >= 0.9 * len(text))
    return text.translate(str.maketrans(_DIGITS, _DIGITS[::-1])).encode()


def _reversed(text: str) -> bytes:
    return text[::-1].encode()


def _pairs(text: str) -> bytes:
    """Neighbours exchanged."""
    return "".join(text[i : i + 2][::-1] for i in range(0, len(text), 2)).encode()


def _rails(stride: int) -> Callable[[str], bytes]:
    """Undo writing every ``stride``-th character first."""

    def decode(text: str) -> bytes:
        order = [place for start in range(stride) for place in range(start, len(text), stride)]
        found = [""] * len(text)
        for place, char in zip(order, text, strict=True):
            found[place] = char
        return "".join(found).encode()

    return decode


def _halves(text: str) -> bytes:
    half = len(text) // 2
    return (text[half:] + text[:half]).encode()


Decoder = Callable[[str], bytes]
# What only the right decoder turns into text that can be read.
BASES: dict[str, Decoder] = {
    "hex": _hex,
    "base64": _base64,
    "base32": _base32,
    "base32 (hex)": _base32_hex,
    "base85": _base85,
    "ascii85": _ascii85,
    "z85": _z85,
    "base2": _fixed(8, 2),
    "base8": _fixed(3, 8),
    "ascii codes": _fixed(3, 10),
    "ascii codes of two digits": _fixed(2, 10),
    "decimal": _decimal,
    "character codes": _codes,
    "url": _url,
    "escape": _escapes,
    "quoted-printable": _quoted,
    **{name: _number(alphabet) for name, alphabet in _ALPHABETS.items()},
}
# What turns any text into another: the result counts only when it is an identifier, in many cells.
CIPHERS: dict[str, Decoder] = {
    "reversed": _reversed,
    "pairs exchanged": _pairs,
    "halves exchanged": _halves,
    "stride 2": _rails(2),
    "stride 3": _rails(3),
    "rot13": _caesar(13),
    "rot47": _rot47,
    "atbash": _atbash,
    "complement": _complement,
    **{f"Caesar {shift}": _caesar(shift) for shift in range(1, 26) if shift != 13},
    **{f"digits + {shift}": _digit_shift(shift) for shift in range(1, 10)},
    **{f"digits as {name}": _digit_map(signs) for name, signs in _DIGIT_MAPS.items()},
}


def unpack(data: bytes) -> bytes | None:
    """Inflated ``data`` if it is zlib, gzip, bzip2, xz or bare deflate; None if it is none of them."""
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and len(data) > 2):
        return zlib.decompressobj(47).decompress(data, _INFLATED)
    if data[:3] == b"BZh":
        return bz2.BZ2Decompressor().decompress(data, _INFLATED)
    if data[:6] == b"\xfd7zXZ\x00" or data[:5] == b"\x5d\x00\x00\x80\x00":
        return lzma.LZMADecompressor(memlimit=64 << 20).decompress(data, _INFLATED)
    if len(data) >= 8 and not data.isascii():
        try:
            engine = zlib.decompressobj(-15)
            found = engine.decompress(data, _INFLATED)
        except zlib.error:
            return None
        return found if engine.eof and not engine.unused_data and len(found) >= 8 else None
    return None


def readable(data: bytes) -> str | None:
    """The text of ``data`` if it is nearly all printable, in UTF-8, GB 18030 or UTF-16."""
    for encoding in ("utf-16-le", "utf-16-be") if data.count(0) >= len(data) / 3 else ("utf-8", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        good = len(text) if text.isprintable() else sum(c.isprintable() or c in "\n\t\r" for c in text)
        # Any bytes are some Chinese characters: only those in use count.
        usual = encoding != "gb18030" or all("\u4e00" <= char <= "\u9fa5" or char.isascii() for char in text)
        if len(text) >= 4 and good >= 0.95 * len(text) and usual:
            return text
    return None
