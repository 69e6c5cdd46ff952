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
) -> dict[str, Any]:
    """The verdict ``{"verdict", "k", "threshold", "reasons"}`` on ``product``.

    ``sources`` gives for each of its columns the field it was made of, ``fields`` all fields of the resource
    (name, role), ``entities`` the raw entity key row by row (None: none is declared, or it is not on the
    list). ``k`` is None where it could not be measured. ``verdict`` is true without a reason against it:

    ======================  ==================================================================
    ``ENTITY_UNKNOWN``      no entity key to count by, or a row without one
    ``QUASI_UNDECLARED``    the catalogue declares no quasi-identifier of the resource
    ``IDENTIFIER_KEPT``     a column is made of an identifier
    ``EMPTY``               there is no row
    ``K_BELOW``             fewer than ``threshold`` entities share some combination
    ======================  ==================================================================
    """
    identifiers = {str(field["name"]) for field in fields if field.get("role") == "identifier"}
    declared = {str(field["name"]) for field in fields if field.get("role") == "quasi"}
    quasi = [column for column in product.columns if sources[column] in declared]
    reasons = []
    k = None
    if entities is None or entities.null_count():
        reasons.append("ENTITY_UNKNOWN")
    else:
        k = least_group(product, entities, quasi)
    if not declared:
        reasons.append("QUASI_UNDECLARED")
    if identifiers & {sources[column] for column in product.columns}:
        reasons.append("IDENTIFIER_KEPT")
    if product.is_empty():
        reasons.append("EMPTY")
    elif k is not None and k < threshold:
        reasons.append("K_BELOW")
    return {"verdict": not reasons, "k": k, "threshold": threshold, "reasons": reasons}
