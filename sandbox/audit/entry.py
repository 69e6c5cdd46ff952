"""An audit entry as bytes: RFC 8785 canonical JSON. These bytes are what is hashed, stored and exported."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import rfc8785

import sandbox.audit.codes  # noqa: F401 - states the error codes raised here
from sandbox.core.errors import fail
from sandbox.core.resource import Entry

FORMAT = 1  # raised when a field changes its meaning; a reader refuses formats that it does not know
MAX_ENTRY_BYTES = 256 << 10  # an entry holds references and codes: more is data on its way out

_TEXT = tuple(field.name for field in fields(Entry) if field.name not in ("at", "details"))
_OUTCOMES = ("done", "refused")


def encode(entry: Entry) -> bytes:
    """The canonical bytes of ``entry``.

    Raises AUDIT_ENTRY: a time without zone, an outcome other than done or refused, details that
    are not JSON or lose precision as JSON numbers, more than ``MAX_ENTRY_BYTES``.
    """
    if entry.at.tzinfo is None:
        raise fail("AUDIT_ENTRY", why="time without zone")
    if entry.outcome not in _OUTCOMES:
        raise fail("AUDIT_ENTRY", why="outcome is neither done nor refused")
    body: dict[str, Any] = {name: getattr(entry, name) for name in _TEXT}
    body["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    body["details"] = entry.details
    body["format"] = FORMAT
    try:
        # UnicodeEncodeError (a lone surrogate) and the number domain errors are ValueErrors
        data = rfc8785.dumps(body)
    except (rfc8785.CanonicalizationError, ValueError) as error:
        raise fail("AUDIT_ENTRY", why=f"not canonical JSON ({type(error).__name__})") from None
    if len(data) > MAX_ENTRY_BYTES:
        raise fail("AUDIT_ENTRY", why=f"{len(data)} bytes, at most {MAX_ENTRY_BYTES}")
    return data


def decode(data: bytes) -> Entry:
    """The entry in canonical bytes; raises AUDIT_ENTRY unless ``encode`` could have written them."""
    entry = read(data)
    if encode(entry) != data:
        raise fail("AUDIT_ENTRY", why="not the canonical form of this format")
    return entry


def read(data: bytes) -> Entry:
    """The entry in bytes of our own store, where what vouches for them is the log's tree, not their form.

    Raises AUDIT_ENTRY for what is no entry of this format.
    """
    try:
        body = json.loads(data)
        stamp = datetime.fromisoformat(body.pop("at"))
        known = body.pop("format") == FORMAT
        entry = Entry(at=stamp, **body)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise fail("AUDIT_ENTRY", why="not an entry") from None
    if not known:
        raise fail("AUDIT_ENTRY", why="not the canonical form of this format")
    return entry
