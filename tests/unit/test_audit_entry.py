"""Audit entries as canonical bytes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.audit.entry import MAX_ENTRY_BYTES, decode, encode
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Entry

ENTRY = Entry(
    at=datetime(2026, 11, 21, 8, 30, 0, 120, tzinfo=UTC),
    actor="chen",
    organisation="op-1",
    role="operator",
    action="submit",
    object="job/j-1",
    details={"rows": 3, "列": ["区"]},
)
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)


def test_the_bytes_are_canonical_json() -> None:
    """RFC 8785: keys sorted, no blanks, UTF-8 as it is; the time in UTC with microseconds."""
    assert encode(ENTRY).decode() == (
        '{"action":"submit","actor":"chen","after":"","at":"2026-11-21T08:30:00.000120Z","before":"",'
        '"details":{"rows":3,"列":["区"]},"format":1,"object":"job/j-1","organisation":"op-1",'
        '"outcome":"done","policy":"","reason":"","request":"","role":"operator"}'
    )


@given(
    at=st.datetimes(timezones=st.just(UTC)),
    details=st.dictionaries(_text, _json, max_size=4),
    actor=_text,
    reason=_text,
    outcome=st.sampled_from(["done", "refused"]),
)
def test_what_is_written_is_read_back(
    at: datetime, details: dict[str, object], actor: str, reason: str, outcome: str
) -> None:
    entry = replace(ENTRY, at=at, details=details, actor=actor, reason=reason, outcome=outcome)
    assert decode(encode(entry)) == entry


def test_another_zone_is_the_same_instant() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert encode(replace(ENTRY, at=ENTRY.at.astimezone(shanghai))) == encode(ENTRY)


@pytest.mark.parametrize(
    "change",
    [
        {"at": datetime(2026, 11, 21)},  # noqa: DTZ001 - that is the point
        {"outcome": "maybe"},
        {"details": {"x": float("nan")}},
        {"details": {"x": 2**60}},
        {"details": {"x": object()}},
        {"details": {1: "key is no text"}},
        {"details": {"x": datetime(2026, 1, 1, tzinfo=UTC)}},
        {"reason": "\ud800"},
        {"reason": "x" * MAX_ENTRY_BYTES},
    ],
)
def test_what_cannot_be_recorded_exactly_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(SandboxError) as caught:
        encode(replace(ENTRY, **change))  # type: ignore[arg-type]
    assert caught.value.code == "AUDIT_ENTRY"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"format":1', b'"format":2'),
        (b'"format":1', b'"format": 1'),
        (b'"actor":"chen"', b'"actor":"chen","extra":"x"'),
        (b'"actor":"chen",', b""),
        (b"2026-11-21T", b"2026-11-21 "),
        (b'"outcome":"done"', b'"outcome":"perhaps"'),
        (b'"outcome":"done"', b'"outcome":1'),
        (b"{", b"["),
    ],
)
def test_what_encode_would_not_have_written_is_refused(old: bytes, new: bytes) -> None:
    data = encode(ENTRY)
    assert old in data
    with pytest.raises(SandboxError) as caught:
        decode(data.replace(old, new, 1))
    assert caught.value.code == "AUDIT_ENTRY"


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"\xff"])
def test_what_is_no_entry_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(SandboxError) as caught:
        decode(data)
    assert caught.value.code == "AUDIT_ENTRY"
