"""Decoder search: simple encodings are undone, up to three deep, and what they hold is scanned again."""

from __future__ import annotations

import base64
import binascii
import bz2
import html
import lzma
import re
import zlib
from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import polars as pl

DEPTH = 3
ACCIDENTAL = ("reversed",)  # chains whose result may be a number by chance
_CODED = (
    r"[A-Za-z0-9+/_\-]{8,}={0,6}|(?:%[0-9A-Fa-f]{2}){4,}|(?:\\u[0-9A-Fa-f]{4}){4,}|(?:&#x?[0-9A-Fa-f]+;){4,}"
)
_INFLATED = 1 << 20  # bytes a compressed token may give


def _hex(text: str) -> bytes:
    return bytes.fromhex(text)


def _base64(text: str) -> bytes:
    body = text.rstrip("=").replace("-", "+").replace("_", "/")
    if len(body) % 4 == 1:
        raise ValueError
    return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)


def _base32(text: str) -> bytes:
    body = text.rstrip("=").upper()
    return base64.b32decode(body + "=" * (-len(body) % 8))


def _base85(text: str) -> bytes:
    return base64.b85decode(text)


def _url(text: str) -> bytes:
    if "%" not in text:
        raise ValueError
    return unquote_to_bytes(text)


def _escapes(text: str) -> bytes:
    if "\\u" in text:
        return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda m: chr(int(m.group(1), 16)), text).encode()
    if "&#" in text:
        return html.unescape(text).encode()
    raise ValueError


def _reversed(text: str) -> bytes:
    return text[::-1].encode()


def _unpack(data: bytes) -> bytes | None:
    """Inflated ``data`` if it is zlib, gzip, bzip2 or xz."""
    if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and len(data) > 2):
        engine = zlib.decompressobj(47)
        return engine.decompress(data, _INFLATED)
    if data[:3] == b"BZh":
        return bz2.BZ2Decompressor().decompress(data, _INFLATED)
    if data[:6] == b"\xfd7zXZ\x00":
        return lzma.LZMADecompressor(memlimit=64 << 20).decompress(data, _INFLATED)
    return None


_DECODERS: tuple[tuple[str, Callable[[str], bytes]], ...] = (
    ("hex", _hex),
    ("base64", _base64),
    ("base32", _base32),
    ("base85", _base85),
    ("url", _url),
    ("escape", _escapes),
    ("reversed", _reversed),
)
_WORD = re.compile(r"[a-z\-_]+|[A-Z][a-z]+(?:[A-Z][a-z]+)*|[0-9.\-/:]+")


def _readable(data: bytes) -> str | None:
    """The text of ``data`` if it is nearly all printable."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    good = sum(char.isprintable() or char in "\n\t\r" for char in text)
    return text if len(text) >= 4 and good >= 0.95 * len(text) else None


def _step(token: str) -> list[tuple[str, str]]:
    """All readable decodings of one token: (name of the decoder, text)."""
    found = []
    for name, decoder in _DECODERS:
        try:
            data = decoder(token)
            packed = _unpack(data)
        except (ValueError, binascii.Error, zlib.error, OSError, EOFError, lzma.LZMAError):
            continue
        text = _readable(packed if packed is not None else data)
        if text is not None and text != token:
            found.append((f"{name}+compressed" if packed is not None else name, text))
    return found


def coded(values: pl.Series) -> pl.DataFrame:
    """Which of ``values`` hold a token that may be an encoding: their ``index``."""
    hits = values.cast(pl.String).str.contains(_CODED).fill_null(False)
    return pl.DataFrame({"index": hits.arg_true().cast(pl.Int64)})


def expand(values: pl.Series, budget: list[int]) -> tuple[list[int], list[str], list[str]]:
    """Everything that tokens of ``values`` decode to.

    ``budget`` is a one-element list of bytes left; it is drawn down and goes negative when it was not
    enough, which the caller must report. Returns (index of the value, decoded text, chain of decoders).
    """
    series = values.cast(pl.String)
    candidates = (
        pl.DataFrame({"index": pl.arange(0, len(series), eager=True), "token": series})
        .filter(pl.col("token").str.contains(_CODED))
        .with_columns(pl.col("token").str.extract_all(_CODED))
        .explode("token")
        .unique(maintain_order=True)
    )
    front = [
        (int(index), str(token), "") for index, token in candidates.iter_rows() if not _WORD.fullmatch(token)
    ] + [(int(i), str(t), "") for i, t in candidates.iter_rows() if re.fullmatch(r"[0-9]{14,}", t)]
    where: list[int] = []
    texts: list[str] = []
    chains: list[str] = []
    seen: set[tuple[int, str]] = set()
    for _ in range(DEPTH):
        following: list[tuple[int, str, str]] = []
        for index, token, chain in front:
            budget[0] -= len(token)
            if budget[0] < 0:
                return where, texts, chains
            for name, text in _step(token):
                if (index, text) in seen or (name == "reversed" and chain.endswith("reversed")):
                    continue
                seen.add((index, text))
                path = f"{chain}>{name}" if chain else name
                where.append(index)
                texts.append(text)
                chains.append(path)
                following.extend((index, part, path) for part in re.findall(_CODED, text)[:1000])
        front = following
    return where, texts, chains
