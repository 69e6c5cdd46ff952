"""What is different between two versions of a specification, line by line, as a person compares them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 12  # lines that are shown
KEYS = ("name", "entry", "path", "id", "organisation")  # what items of a list are told apart by
LONGEST = 160  # characters of a value


@dataclass(frozen=True)
class Change:
    """``path`` are names of fields or of items of lists; ``before``, ``after`` are "" where there is none."""

    path: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """The first ``MOST`` lines, and how many more there are."""

    lines: tuple[Change, ...]
    rest: int


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    """Every difference between two specs (plain JSON), in the order of the fields."""
    found = list(_different((), before, after))
    return Changes(tuple(found[:MOST]), max(0, len(found) - MOST))


def _different(path: tuple[str, ...], before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    left, right = _parts(before), _parts(after)
    if left is None or right is None or not (left or right):
        yield Change(path, _text(before), _text(after))
        return
    for name in dict.fromkeys((*left, *right)):
        yield from _different((*path, name), left.get(name), right.get(name))


def _parts(value: Any) -> dict[str, Any] | None:
    """What a value consists of by name; None for one that is compared as a whole. Nothing has no parts."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(name): one for name, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(not isinstance(one, (Mapping, list, tuple)) for one in value):
            return {str(one): True for one in value}
        for key in KEYS:
            names = [one.get(key) if isinstance(one, Mapping) else None for one in value]
            if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
                return dict(zip((str(name) for name in names), value, strict=True))
    return None


def _text(value: Any) -> str:
    if value is None or value == "":
        return ""
    if value is True:
        return "✓"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
