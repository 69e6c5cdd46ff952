"""Decoder search: simple encodings are undone, up to three deep, and what they hold is scanned again."""

from __future__ import annotations

import binascii
import lzma
import re
import zlib
from collections.abc import Mapping

import polars as pl

from sandbox.egress.decoding_steps import BASES, CIPHERS, Decoder, readable, unpack

DEPTH = 3
# Chains that turn any text into some text, or any token into some number: what they give may be an identifier
# by chance, so it counts only for a share of the values.
_NUMBERS = ("base36", "base58", "base62", "base62 (small first)", "decimal")
_CODED = (
    r"[A-Za-z0-9+/_\-]{7,}={0,6}|(?:%[0-9A-Fa-f]{2}){4,}|(?:\\u[0-9A-Fa-f]{4}){4,}|(?:&#x?[0-9A-Fa-f]+;){4,}|"
    r"(?:\\x[0-9A-Fa-f]{2}){4,}|(?:=[0-9A-F]{2}){4,}"
)
# Codes of characters one after the other, and the signs of base 85 and of rot47: taken as a whole.
_MARK = r"(?:0x|\\x|U\+|\\u|0b|0o)?"
_LISTED = rf"(?:{_MARK}[0-9A-Fa-f]{{2,8}}[;,:.\- ]{{1,2}}){{7,}}{_MARK}[0-9A-Fa-f]{{2,8}}"
_SIGNS = r"[!-~]{11,}"
_WORD = re.compile(
    r"(?![a-j]{11,}$|[qwertyuiop]{11,}$)[a-z\-_]+|[A-Z][a-z]+(?:[A-Z][a-z]+)*|[0-9.\-/:]{1,13}|[0-9]{1,4}[\-/.][0-9.\-/:]+"
)
# By the characters of a token: which coders may have written it. All others: any.
_ALPHABETS = (
    (re.compile("[01]+"), ("base2",)),
    (re.compile("[0-9]+"), ("hex", "base8", "ascii codes", "ascii codes of two digits", "decimal")),
    (re.compile("(?:0x)?(?:[0-9a-f]{16,}|[0-9A-F]{16,})"), ("hex",)),
    (
        re.compile("[A-Z2-7]+=*|[a-z2-7]+=*"),
        ("base32", "base32 (hex)", "base36", "base64", "base58", "base85"),
    ),
    (
        re.compile("[0-9A-Z]+=*|[0-9a-z]+=*"),
        ("hex", "base32 (hex)", "base36", "base64", "base58", "base62", "base85"),
    ),
    (
        re.compile("[0-9A-Za-z]+=*"),
        ("base64", "base58", "base62", "base62 (small first)", "base85", "ascii85", "z85"),
    ),
    (re.compile("[0-9A-Za-z+/_-]+=*"), ("base64", "base85", "ascii85", "z85")),
)
_SHORT = 64  # characters of a decoded text that may be an identifier in a cipher
_LONG = 4096  # characters of a whole value that is tried as one code
_CIPHERED = 60  # tokens of a place that the schoolbook ciphers are tried on


def accidental(chain: str) -> bool:
    """Whether what ``chain`` gave may be an identifier by chance."""
    return any(step in CIPHERS or step in _NUMBERS for step in chain.split(">"))


def _plausible(token: str) -> Mapping[str, Decoder]:
    """The decoders whose coders write with the characters of ``token``."""
    names = next((names for pattern, names in _ALPHABETS if pattern.fullmatch(token)), None)
    return BASES if names is None else {name: BASES[name] for name in names}


def _step(token: str, ciphers: Mapping[str, Decoder] | None = None) -> list[tuple[str, str]]:
    """All readable decodings of one token: (name of the decoder, text)."""
    found = []
    for name, decoder in (_plausible(token) if ciphers is None else ciphers).items():
        try:
            data = decoder(token)
            packed = unpack(data)
        except (ValueError, binascii.Error, zlib.error, OSError, EOFError, lzma.LZMAError, OverflowError):
            continue
        text = readable(packed if packed is not None else data)
        if text is not None and text != token:
            found.append((f"{name}+compressed" if packed is not None else name, text))
    return found


def coded(values: pl.Series) -> pl.DataFrame:
    """Which of ``values`` hold a token that may be an encoding: their ``index``."""
    text = values.cast(pl.String)
    hits = text.str.contains(f"{_CODED}|{_LISTED}|^{_SIGNS}$").fill_null(False)
    return pl.DataFrame({"index": hits.arg_true().cast(pl.Int64)})


def _candidates(series: pl.Series) -> list[tuple[int, str, str]]:
    """(index of the value, token, "") of all that may be an encoding."""
    frame = pl.DataFrame({"index": pl.int_range(0, len(series), eager=True), "token": series}).drop_nulls()
    words = frame.filter(pl.col("token").str.contains(_CODED)).with_columns(
        pl.col("token").str.extract_all(_CODED)
    )
    whole = frame.filter(
        pl.col("token").str.contains(f"^(?:{_LISTED}|{_SIGNS})$") & (pl.col("token").str.len_bytes() <= _LONG)
    )
    inside = frame.filter(pl.col("token").str.contains(_LISTED)).with_columns(
        pl.col("token").str.extract_all(_LISTED)
    )
    every = pl.concat([words.explode("token"), whole, inside.explode("token")]).unique(maintain_order=True)
    return [(int(i), str(t), "") for i, t in every.iter_rows() if not _WORD.fullmatch(t)]


def expand(values: pl.Series, budget: list[int]) -> tuple[list[int], list[str], list[str]]:
    """Everything that tokens of ``values`` decode to, up to ``DEPTH`` deep.

    ``budget`` is a one-element list of bytes left; it is drawn down and goes negative when it was not
    enough, which the caller must report. Returns (index of the value, decoded text, chain of decoders).
    """
    front = _candidates(values.cast(pl.String))
    where: list[int] = []
    texts: list[str] = []
    chains: list[str] = []
    seen: set[tuple[int, str]] = set()
    step = max(1, len(front) // _CIPHERED)
    for depth in range(DEPTH):
        following: list[tuple[int, str, str]] = []
        for number, (index, token, chain) in enumerate(front):
            budget[0] -= len(token)
            if budget[0] < 0:
                return where, texts, chains
            found = _step(token)
            if number % step == 0 and depth < DEPTH - 1 and not accidental(chain):
                found += _step(token, CIPHERS if depth == 0 or len(token) <= _SHORT else {})
            for name, text in found:
                if (index, text) in seen:
                    continue
                seen.add((index, text))
                path = f"{chain}>{name}" if chain else name
                where.append(index)
                texts.append(text)
                chains.append(path)
                # A cipher over a coding is undone; one under it is the last step.
                ciphered = name in CIPHERS
                if not (text.isdigit() and (ciphered or name in _NUMBERS)) and not (ciphered and depth):
                    following.extend((index, part, path) for part in _tokens(text))
        front = following
        step = max(1, len(front) // _CIPHERED)
    return where, texts, chains


def _tokens(text: str) -> list[str]:
    """What may be decoded once more in a decoded text: its words, or the whole."""
    found = re.findall(_CODED, text)[:1000]
    if re.fullmatch(_LISTED, text) or re.fullmatch(_SIGNS, text):
        found.append(text)
    return [token for token in found if not _WORD.fullmatch(token)]
