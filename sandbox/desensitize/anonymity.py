"""Anonymity as the result of a test over a finished product, never a label (R-127). One model: k-anonymity.

The test counts *entities*: in how many ways a person's quasi-identifiers can be confused with another
person's. ``k`` is the least number of distinct entities that share one combination of them; a person with
fifty rows is one. An empty value is a value: to be without one tells people apart like any other.

Default deny: what cannot be measured is not anonymous, and a column made of an identifier, be it masked or
under a key, still leads back to its person for whoever holds the key or the rest of it. Further models
(l-diversity, t-closeness, record linkage) add their reasons to the same verdict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from sandbox.desensitize.required import needs_desensitising

ENTITY = "__entity"


def least_group(product: pl.DataFrame, entities: pl.Series, quasi: Sequence[str]) -> int:
    """The least number of distinct ``entities`` (one per row of ``product``) in a combination of ``quasi``.

    Without quasi-identifiers all rows are one combination; without rows it is 0.
    """
    if not quasi or product.is_empty():
        return entities.n_unique()
    table = product.select(quasi).with_columns(entities.alias(ENTITY))
    return int(table.group_by(quasi).agg(pl.col(ENTITY).n_unique())[ENTITY].min())  # type: ignore[arg-type]


def judge(
    product: pl.DataFrame,
    sources: Mapping[str, str],
    fields: Sequence[Mapping[str, Any]],
    entities: pl.Series | None,
    threshold: int,
    entity: str | None = None,
) -> dict[str, Any]:
    """The verdict ``{"verdict", "k", "threshold", "reasons"}`` on ``product``.

    ``sources`` gives for each of its columns the field it was made of, ``fields`` all fields of the resource
    (name, role, flags), ``entities`` the raw entity key row by row (None: none is declared, or it is not on
    the list), ``entity`` the name of its field. ``k`` is None where it could not be measured. ``verdict`` is
    true without a reason against it:

    ======================  ==================================================================
    ``ENTITY_UNKNOWN``      no entity key to count by, or a row without one
    ``QUASI_UNDECLARED``    the catalogue declares no quasi-identifier of the resource
    ``IDENTIFIER_KEPT``     a column is made of an identifier: of the entity itself, too, and of a personal
                            field whose role says nothing (``required.needs_desensitising``)
    ``EMPTY``               there is no row
    ``K_BELOW``             fewer than ``threshold`` entities share some combination
    ======================  ==================================================================
    """
    declared = {str(field["name"]) for field in fields if field.get("role") == "quasi"}
    quasi = [column for column in product.columns if sources[column] in declared]
    known = entities is not None and not entities.null_count()
    k = least_group(product, entities, quasi) if entities is not None and known else None
    return conclude(product.columns, sources, fields, k, product.height, threshold, entity)


def conclude(
    columns: Sequence[str],
    sources: Mapping[str, str],
    fields: Sequence[Mapping[str, Any]],
    k: int | None,
    rows: int,
    threshold: int,
    entity: str | None = None,
) -> dict[str, Any]:
    """The verdict as ``judge`` gives it, on a product of ``columns`` and ``rows`` whose ``k`` was measured
    elsewhere; None: it could not be, as the entity of some row is not known."""
    identifiers = {str(field["name"]) for field in fields if needs_desensitising(field)} | {entity}
    reasons = []
    if k is None:
        reasons.append("ENTITY_UNKNOWN")
    if not any(field.get("role") == "quasi" for field in fields):
        reasons.append("QUASI_UNDECLARED")
    if identifiers & {sources[column] for column in columns}:
        reasons.append("IDENTIFIER_KEPT")
    if not rows:
        reasons.append("EMPTY")
    elif k is not None and k < threshold:
        reasons.append("K_BELOW")
    return {"verdict": not reasons, "k": k, "threshold": threshold, "reasons": reasons}
