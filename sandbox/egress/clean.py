"""Text: what leaves is *cleaned*, what is scanned is *folded*, what is shown is *masked*."""

from __future__ import annotations

import re

import polars as pl

from sandbox.pii.normal import IGNORABLE, fold

__all__ = ["clean", "clean_text", "fold", "key", "label", "mask", "short_path"]
_SEPARATORS = r"[[\s\p{P}\p{S}]--[@#%&*+=<>$]]"  # what only divides
_LABELS = re.compile(r"[0-9]{6,}|[0-9A-Za-z+/=]{24,}|@")


# Text that ``clean`` leaves as it is: printed ASCII, Chinese characters and their marks, single spaces.
_TIDY = re.compile(r"(?:[!-~一-鿿，。：；（）、％]+(?: [!-~一-鿿，。：；（）、％]+)*)?")


def clean(values: pl.Series) -> pl.Series:
    """Text as it may leave: no invisible characters, NFC, single spaces, no outer space; idempotent."""
    return (
        values.str.replace_all(r"[\t\n\r\x{0B}\x{0C}\x{85}\p{Zl}\p{Zp}]", " ")
        .str.replace_all(IGNORABLE, "")
        .str.normalize("NFC")
        .str.replace_all(r"\p{Z}+", " ")
        .str.strip_chars(" ")
    )


def clean_text(text: str) -> str:
    """``clean`` of one string."""
    if _TIDY.fullmatch(
        text
    ):  # what nearly every cell is: a series for each would take a hundred times longer
        return text
    return str(clean(pl.Series([text], dtype=pl.String))[0])


def key(values: pl.Series) -> pl.Series:
    """Folded, upper case, without separators: equal keys are the same identifier."""
    folded = fold(values)
    if bool(folded.str.contains(_SEPARATORS).any()):
        folded = folded.str.replace_all(_SEPARATORS, "")
    return folded.str.to_uppercase()


def mask(value: str) -> str:
    """Show at most six characters and never more than a third (invariant: evidence is no leak)."""
    shown = min(6, len(value) // 3)
    tail = 1 if shown >= 4 else 0
    hidden = "*" * min(16, len(value) - shown)
    return value[: shown - tail] + hidden + (value[-1:] if tail else "")


def label(name: str) -> str:
    """A file or column name as a report may show it: masked where it may itself carry a value."""
    folded = str(fold(pl.Series([name], dtype=pl.String))[0])
    suspect = _LABELS.search(folded) or _LABELS.search(re.sub(r"[\s\-_.]", "", folded))
    if suspect or len(name) > 80:
        return mask(name)
    return clean_text(name)


def short_path(path: str) -> str:
    """A path with each part that may carry a value masked."""
    return "/".join(label(part) for part in path.split("/"))
