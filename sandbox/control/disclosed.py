"""What the public may read without an account: metadata and what has been authorised, never a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from sandbox.core.lifecycle import Policy
from sandbox.core.resource import Resource
from sandbox.store import Reader, Store

ENTRY_STATES = ("confirmed", "included", "conditional", "excluded")
AGREEMENT_STATES = ("active", "suspended")
PRODUCT_STATES = ("registered",)
GRANTED = ("granted", "amending", "suspended", "revoked", "expired")  # scenarios that were granted once
FIELD_KEYS = ("name", "title_zh", "title_en", "type", "category", "level", "flags")
COUNTED_FOR = timedelta(minutes=10)  # how long a count of the use is given again
BATCH = 500


def entry(one: Resource) -> dict[str, Any]:
    """Metadata of a confirmed entry: its fields with grades (R-008, R-015)."""
    return {
        "id": one.id,
        "title_zh": one.spec["title_zh"],
        "title_en": one.spec["title_en"],
        "provider": one.organisation,
        "category": one.spec["category"],
        "update_frequency": one.spec["update_frequency"],
        "authorisation": one.state,
        "registration_no": one.status.get("registration", {}).get("registration_no", ""),
        "version": one.version,
        "fields": [{key: field[key] for key in FIELD_KEYS} for field in one.spec["fields"]],
    }


def catalogue(store: Store) -> list[dict[str, Any]]:
    """Every confirmed entry, as ``entry`` tells it."""
    with store.read() as reader:
        return [entry(one) for one in reader.find("catalogue-entry", state=ENTRY_STATES)]


def negative_list(store: Store) -> list[dict[str, Any]]:
    """The negative list."""
    with store.read() as reader:
        return [{"id": one.id, **one.spec} for one in reader.find("negative-list-entry", state="listed")]


def agreement(one: Resource) -> dict[str, Any]:
    """授权对象、内容、范围和时限 of an agreement (GD 23, CD 32)."""
    return {
        "id": one.id,
        "object": one.spec["operator"],
        "content": one.spec["title"],
        "scope": one.spec["scope"],
        "term": [one.spec["starts"], one.spec["ends"]],
    }


def agreements(store: Store) -> list[dict[str, Any]]:
    """Every live agreement, as ``agreement`` tells it."""
    with store.read() as reader:
        return [agreement(one) for one in reader.find("agreement", state=AGREEMENT_STATES)]


def product(one: Resource) -> dict[str, Any]:
    """A registered product: what it is, whose, and the numbers of the resources behind it (R-178)."""
    registration = one.status["registration"]
    return {
        "id": one.id,
        "title": one.spec["title"],
        "form": one.spec["form"],
        "maker": one.organisation,
        "agreement": one.spec["agreement"],
        "registration_no": registration["registration_no"],
        "registered_on": str(registration["registered_on"]),
        "sources": registration["sources"],
    }


def products(store: Store) -> list[dict[str, Any]]:
    """Every registered product, as ``product`` tells it."""
    with store.read() as reader:
        return [product(one) for one in reader.find("product", state=PRODUCT_STATES)]


@dataclass(frozen=True)
class Use:
    """The use made of live agreements, ``rows`` as JSON, as it was counted at ``at``."""

    at: datetime
    rows: tuple[dict[str, Any], ...]


_USE: WeakKeyDictionary[Store, Use] = WeakKeyDictionary()
_COUNTING = Lock()


def use(store: Store, policy: Policy, now: datetime) -> Use:
    """How much each live agreement is used (R-217): scenarios granted, uses of data, products registered.

    A count between 1 and the profile's least cell less 1 is told as ``{"fewer_than": least}``: what few have
    done would say who did what when. Scenarios and uses are rounded down to its multiples: who asks again and
    again would take one exact count from the next and see single uses come. Counted anew at most every
    ``COUNTED_FOR``, for whoever asks.
    """
    with _COUNTING:
        known = _USE.get(store)
        if known is None or not known.at <= now < known.at + COUNTED_FOR:
            with store.read() as reader:
                known = Use(now, tuple(_use(reader, int(policy.get("egress.min_cell")))))
            _USE[store] = known
        return known


def _use(reader: Reader, least: int) -> Iterator[dict[str, Any]]:
    live = {one.id: [0, 0, 0] for one in reader.find("agreement", state=AGREEMENT_STATES)}
    for one in _all(reader, "scenario", GRANTED):
        counts = live.get(one.spec["agreement"])
        if counts is not None:
            counts[0] += 1
            counts[1] += one.spec["uses"] - one.status["grant"]["uses_left"]
    for one in _all(reader, "product", PRODUCT_STATES):
        if one.spec["agreement"] in live:
            live[one.spec["agreement"]][2] += 1
    for id, (scenarios, uses, made) in live.items():
        rounded = [count - count % least for count in (scenarios, uses)]  # products are listed by name
        told = [
            count if exact == 0 or exact >= least else {"fewer_than": least}
            for exact, count in zip((scenarios, uses, made), (*rounded, made), strict=True)
        ]
        yield {"agreement": id, **dict(zip(("scenarios", "uses", "products"), told, strict=True))}


def _all(reader: Reader, kind: str, states: tuple[str, ...]) -> Iterator[Resource]:
    """All of a kind in these states, ``BATCH`` of them in memory at a time."""
    after = ""
    while batch := reader.page(kind, states=states, order="id", after=after, limit=BATCH):
        yield from batch
        after = batch[-1].id


def checkpoint(store: Store) -> str:
    """The newest signed head of the audit log; "" before the first one."""
    with store.read() as reader:
        newest = reader.newest_checkpoint()
    return newest.note if newest else ""
