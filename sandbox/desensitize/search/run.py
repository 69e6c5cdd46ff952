"""The whole of it: a table and what is asked for in, a proven product and a report without raw values out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sandbox.core.errors import fail
from sandbox.desensitize import (
    anonymity,
    codes,  # noqa: F401  (defines IDENTIFIERS_REMAIN)
)
from sandbox.desensitize.measures import RELEASES, Measures, measure, risk
from sandbox.desensitize.scan import scan
from sandbox.desensitize.search.describe import Description, FieldSpec, Wanted
from sandbox.desensitize.search.groups import Sensitive, Table
from sandbox.desensitize.search.hierarchy import Hierarchy, HierarchySpec, Ints, build
from sandbox.desensitize.search.lattice import Lattice, search
from sandbox.desensitize.search.mondrian import mondrian
from sandbox.desensitize.search.proof import Proof, prove
from sandbox.desensitize.search.recoding import Recoding, of_node, of_partition, product
from sandbox.desensitize.search.utility import utility

Progress = Callable[[str, float], None]
_SLACK = (0.0, 0.05, 0.1, 0.2, 0.4)


@dataclass(frozen=True)
class Outcome:
    """``product``: the table that was proven. ``report``: JSON; counts, thresholds, names of columns only."""

    product: pl.DataFrame
    report: dict[str, Any]


def read(path: Path, form: str) -> pl.DataFrame:
    """A file of ``form`` parquet or csv (UTF-8). Raises ANONYMISE_TABLE."""
    try:
        if form == "parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, infer_schema_length=None, encoding="utf8")
    except (pl.exceptions.PolarsError, OSError):
        raise fail("ANONYMISE_TABLE") from None


def _steps(sizes: np.ndarray) -> list[list[float]]:
    """The share of the entities in classes of from 2^i up to below 2^(i + 1): (from, to, share)."""
    if not len(sizes):
        return []
    step = np.floor(np.log2(sizes)).astype(int)
    share = np.bincount(step, weights=sizes) / sizes.sum()
    return [[2**i, 2 ** (i + 1) - 1, float(share[i])] for i in range(int(step.min()), len(share))]


def _coded(column: pl.Series, values: list[Any]) -> Ints:
    """The place of each cell's value among ``values``, in which every one of them is."""
    filled = pl.Series(values, dtype=column.dtype, strict=False)
    place = pl.DataFrame({"v": filled, "p": np.arange(len(values), dtype=np.int32)})
    found = column.to_frame("v").join(place, on="v", how="left", nulls_equal=True, maintain_order="left")
    return found["p"].to_numpy().astype(np.int32)


def _hierarchy(column: pl.Series, spec: HierarchySpec | None, folder: Path | None) -> Hierarchy:
    if column.dtype.is_nested() or column.dtype == pl.Binary:
        raise fail("ANONYMISE_COLUMN", column=column.name)
    if column.dtype.is_float() and column.is_nan().any():
        raise fail("ANONYMISE_VALUES", column=column.name, number=int(column.is_nan().sum()))
    return build(column.name, column.unique().to_list(), spec or HierarchySpec(), folder)


def _quasi(column: pl.Series, field: FieldSpec, folder: Path | None) -> tuple[Ints, Hierarchy]:
    h = _hierarchy(column, field.hierarchy, folder)
    if field.by_group and h.numbers is not None:
        h = Hierarchy(h.levels, h.labels)
    return _coded(column, [_typed(value, column) for value in h.labels[0]]), h


def _typed(value: Any, column: pl.Series) -> Any:
    """A leaf as a value of the column; leaves of a file that the column does not have are text."""
    return value if not isinstance(value, str) or column.dtype == pl.String else None


def _sensitive(column: pl.Series, field: FieldSpec, folder: Path | None) -> Sensitive:
    if field.hierarchy is not None:
        tree = _hierarchy(column, field.hierarchy, folder)
        codes = _coded(column, [_typed(value, column) for value in tree.labels[0]])
        return Sensitive(codes, tree.leaves, tree)
    values = column.unique().sort(nulls_last=False).to_list()
    return Sensitive(_coded(column, values), len(values))


def table_of(frame: pl.DataFrame, description: Description, folder: Path | None = None) -> Table:
    """``frame`` coded for a search. Raises ANONYMISE_COLUMN (a described column that is not there, or of a
    type that has no values to group by), ANONYMISE_HIERARCHY, ANONYMISE_VALUES."""
    named = [field.name for field in description.fields]
    for name in [*named, description.entity or named[0]]:
        if name not in frame.columns:
            raise fail("ANONYMISE_COLUMN", column=name)
    fields = {field.name: field for field in description.fields}
    quasi = description.named("quasi")
    if not quasi:
        raise fail("ANONYMISE_MALFORMED", field="fields.role")
    coded = [_quasi(frame[name], fields[name], folder) for name in quasi]
    entity = None
    if description.entity is not None:
        people = frame[description.entity]
        if people.null_count():
            raise fail("ANONYMISE_VALUES", column=description.entity, number=people.null_count())
        entity = people.rank("dense").to_numpy().astype(np.int32) - 1
    return Table(
        quasi,
        tuple(leaves for leaves, _ in coded),
        tuple(h for _, h in coded),
        {name: _sensitive(frame[name], fields[name], folder) for name in description.named("sensitive")},
        entity,
    )


def recode(
    table: Table,
    wanted: Wanted,
    fields: tuple[FieldSpec, ...],
    lattice: Lattice | None,
    k: int,
    tell: Progress,
    slack: float = 0.0,
) -> tuple[Recoding, dict[str, Any]]:
    """(the recoding for ``k``, how it was found). ``lattice``: of ``table``, for the method that needs one.
    ``slack``: by how much of themselves the thresholds of relative models are made stricter (Mondrian).
    Raises ANONYMISE_NONE."""
    models = wanted.models(fields, k)
    if lattice is None:
        strict = [
            m.model_copy(update={"at_most": m.at_most * (1 - slack)}) if m.relative else m for m in models
        ]
        parts = mondrian(table, strict, wanted.relaxed, lambda part: tell("search", part))
        told = {"method": "mondrian", "relaxed": wanted.relaxed, "slack": slack}
        return of_partition(table, parts), told
    result = search(lattice, models, wanted.loss, wanted.suppress, progress=lambda part: tell("search", part))
    if result.best is None or result.best.suppressed == table.rows:
        raise fail("ANONYMISE_NONE")
    told = {
        "method": "lattice",
        "loss": {**wanted.loss.model_dump(), "value": result.best.loss},
        "levels": dict(zip(table.names, result.best.node, strict=True)),
        "heights": dict(zip(table.names, table.heights, strict=True)),
        "nodes": result.nodes,
        "looked_at": result.looked_at,
        "optimal": result.proven,
    }
    return of_node(table, result.best), told


def _before(frame: pl.DataFrame, description: Description, release: str) -> dict[str, Any]:
    """Classes and risks of the table as it came in."""
    import duckdb

    with duckdb.connect() as connection:
        connection.register("source", frame.to_arrow())
        found: Measures = measure(connection, "source", description.named("quasi"), None, description.entity)
    at = risk(found.sizes, release, bool(description.named("identifier")))
    return {"k": found.k, "classes": len(found.sizes), "uniques": found.uniques, "risk": _risk(at)}


def _risk(at: Any) -> dict[str, Any]:
    return {
        "threshold": at.tau,
        "over": at.over,
        "highest": at.highest,
        "average": at.average,
        "level": at.level,
    }


def _proven(
    frame: pl.DataFrame,
    table: Table,
    description: Description,
    wanted: Wanted,
    lattice: Lattice | None,
    tell: Progress,
) -> tuple[pl.DataFrame, Recoding, dict[str, Any], Proof]:
    """(the product, its recoding, how it was found, its proof). The product still has a column of entities.

    Where entities have several rows the whole that a class is compared with is the sum of the classes, and
    Mondrian has those only when it is done: if it misses them its thresholds are made stricter.
    """
    trees = {name: column.tree for name, column in table.sensitive.items() if column.tree is not None}
    models = wanted.models(description.fields)
    keep = [*description.named("sensitive"), *description.named("other")]
    if description.entity is not None:
        frame = frame.with_columns(frame[description.entity].alias(anonymity.ENTITY))
        keep.append(anonymity.ENTITY)
    for slack in _SLACK if lattice is None and table.several else _SLACK[:1]:
        recoding, told = recode(table, wanted, description.fields, lattice, wanted.least, tell, slack)
        tell("prove", 0.0)
        made = product(frame, recoding, keep)
        entities = None if description.entity is None else made[anonymity.ENTITY]
        seen = made.drop(anonymity.ENTITY, strict=False)
        proof = prove(seen, table.names, models, entities, trees, wanted.release, identified=False)
        if not proof.failed:
            return made, recoding, told, proof
    raise fail("ANONYMISE_UNPROVEN", models=", ".join(proof.failed))


def anonymise(
    frame: pl.DataFrame,
    description: Description,
    wanted: Wanted,
    folder: Path | None = None,
    tell: Progress = lambda step, part: None,
) -> Outcome:
    """Search, recode, prove.

    ``folder``: where hierarchy files are looked for. ``tell``: called with the step and the part of it that
    is done. The verdict (``report["anonymity"]``) is that of ``sandbox.desensitize.anonymity`` over the
    product, and of nothing else; its threshold is k, and at least what the release asks for. Raises the codes
    ``ANONYMISE_…``.
    """
    tell("read", 0.0)
    threshold = wanted.of_release * (2 if description.sensitive_group else 1)
    if wanted.k is None:
        wanted = wanted.model_copy(update={"k": threshold})
    table = table_of(frame, description, folder)
    lattice = Lattice(table) if wanted.method == "lattice" else None
    models = wanted.models(description.fields)
    made, recoding, told, proof = _proven(frame, table, description, wanted, lattice, tell)
    people = made[anonymity.ENTITY] if description.entity is not None else None
    made = made.drop(anonymity.ENTITY, strict=False)
    if identifiers := scan(made):
        raise fail("IDENTIFIERS_REMAIN", columns=sorted(identifiers), found=identifiers)
    if description.one_row_each:
        people = pl.Series(np.arange(made.height))
    verdict = anonymity.judge(
        made,
        {name: name for name in made.columns},
        [{"name": f.name, "role": description.role(f), "flags": f.flags} for f in description.fields],
        people,
        max(wanted.least, threshold),
        description.entity,
    )
    report: dict[str, Any] = {
        "rows": {"in": frame.height, "out": made.height, "suppressed": recoding.suppressed},
        "columns": {
            "quasi": list(table.names),
            "sensitive": list(description.named("sensitive")),
            "kept": list(description.named("other")),
            "dropped": [name for name in frame.columns if name not in made.columns],
        },
        "models": [model.model_dump(exclude_defaults=True) for model in models],
        "search": told,
        "before": _before(frame, description, wanted.release),
        "after": proof.figures,
        "sizes": _steps(proof.measures.sizes),
        "releases": RELEASES,
        "utility": utility(recoding, wanted.least, description.queries),
        "anonymity": verdict,
    }
    if wanted.frontier:
        from sandbox.desensitize.search.frontier import frontier

        report["frontier"] = frontier(table, wanted, description.fields, lattice, tell)
    return Outcome(made, report)
