"""The room that runs a desensitising recipe: snapshot in, primary product out.

Input ``/in/data`` (Parquet snapshot) and params ``{"recipe": {...}, "fields": [{"name", "type", "level",
"flags", "role", ...}], "keys": {"<key name>": "<hex>"}, "rules": {"required", "decimals"}, "anonymity":
{"entity": "<field>" | null, "fields": [{"name", "role"}, ...], "threshold": k}, "tokens": "<hex of a
key>"}``. ``rules`` may be absent: nothing is required then. ``tokens`` and the input ``/in/tokens``
(absent: an empty one) are there if the recipe draws tokens. Writes ``product.parquet``, and
``tokens.vault`` where tokens were drawn, and returns the report that becomes the product's lineage (R-103,
R-137): see ``sandbox.desensitize.report``.

The snapshot is read and the product written batch by batch. ``rows`` of a step counts the cells it changed.
Keys are used and never written.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.parquet as pq
from pydantic import ValidationError

from sandbox.core.errors import fail
from sandbox.desensitize.anonymity import conclude
from sandbox.desensitize.classes import Classes
from sandbox.desensitize.effect import Distinct, Effect
from sandbox.desensitize.execute import ENTITY, RAW, Execution, Source, Work
from sandbox.desensitize.precision import Precision
from sandbox.desensitize.recipe import Product, Recipe, Rules, plan, validate_recipe
from sandbox.desensitize.report import SCHEMA, checked
from sandbox.desensitize.required import needs_desensitising, with_entity
from sandbox.desensitize.scan import Scan

if TYPE_CHECKING:
    from sandbox.desensitize.tokens import TokenVault

PRODUCT, TOKENS = "product.parquet", "tokens.vault"
SHORTEST_KEY = 16  # bytes; 128 bits
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


def key_of(name: str, text: Any) -> bytes:
    """A key from its hex. Raises RECIPE_KEY if it is missing, malformed or short."""
    if not isinstance(text, str) or not _HEX.fullmatch(text) or len(text) < 2 * SHORTEST_KEY:
        raise fail("RECIPE_KEY", key=name)
    return bytes.fromhex(text)


def _keys(recipe: Recipe, given: Any) -> dict[str, bytes]:
    """The keys the recipe needs."""
    told = given if isinstance(given, dict) else {}
    return {name: key_of(name, told.get(name)) for name in sorted(recipe.keys)}


def _tokens(recipe: Recipe, key: Any, inputs: Path) -> TokenVault | None:
    """The token vault, if the recipe needs one. Raises RECIPE_TOKENS."""
    if not recipe.needs_tokens:
        return None
    if key is None:
        raise fail("RECIPE_TOKENS", file=TOKENS)
    from sandbox.desensitize.tokens import TokenVault

    file = inputs / "tokens"
    opened = key_of("tokens", key)
    return TokenVault.load(file, opened) if file.exists() else TokenVault()


@dataclass
class Measured:
    """What is counted on the way, batch by batch."""

    columns: Sequence[Product]
    before: Classes
    after: Classes
    entity: str | None
    marks: dict[str, frozenset[str]]
    effects: Sequence[Effect]
    precision: Precision | None = None  # None: the policy asks for none
    rows: int = 0
    scans: dict[tuple[str, str], Scan] = field(default_factory=dict)
    empty: Counter[tuple[str, str]] = field(default_factory=Counter)
    distinct: dict[tuple[str, str], Distinct] = field(default_factory=dict)

    def add(self, frame: pl.DataFrame, work: Work, product: pl.DataFrame) -> None:
        """Count one batch of the snapshot and what was made of it."""
        self.rows += product.height
        for when, table in (("before", frame), ("after", product)):
            for column in table.iter_columns():
                self.scans.setdefault((when, column.name), Scan()).add(column)
                self.empty[when, column.name] += column.null_count()
                self.distinct.setdefault((when, column.name), Distinct()).add(column)
        for effect in self.effects:
            effect.add(work[RAW + effect.column.source], product[effect.column.name])
        if self.precision is not None:
            self.precision.add(frame, product)
        self.before.add(frame, frame[self.entity] if self.entity else None)
        self.after.add(product, work[ENTITY] if self.entity else None)

    def identifiers(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The two scans, and what in the second is so on purpose."""
        scans: dict[str, dict[str, dict[str, int]]] = {"before": {}, "after": {}}
        marked: dict[str, dict[str, int]] = {}
        for (when, name), scan in self.scans.items():
            meant = self.marks.get(name, frozenset()) if when == "after" else frozenset()
            for kind, cells in scan.found.items():
                place = marked if kind in meant else scans[when]
                place.setdefault(name, {})[kind] = cells
        return scans, marked

    def loss(self, changed: dict[str, int]) -> list[dict[str, Any]]:
        """The rows of ``report.Loss``."""
        return [
            {
                "column": column.name,
                "source": column.source,
                "changed": changed.get(column.name, 0),
                "empty_before": self.empty["before", column.source],
                "empty_after": self.empty["after", column.name],
                "distinct_before": self.distinct["before", column.source].count,
                "distinct_after": self.distinct["after", column.name].count,
            }
            for column in self.columns
        ]


def marks_of(recipe: Recipe, columns: Sequence[Product]) -> dict[str, frozenset[str]]:
    """The kinds of identifier that a product's column looks like on purpose: of the step that wrote it
    last."""
    last = {target: step for step in recipe.steps for target in step.targets}
    return {
        column.name: last[column.name].row.marks(last[column.name].parameters)
        for column in columns
        if column.name in last
    }


def run(
    params: dict[str, Any], inputs: Path, out: Path, told: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """See the module's text. ``told`` is called with the number of rows that were done, once for each pass
    over them. Raises the codes of ``codes.py``."""
    fields = params.get("fields")
    if not isinstance(fields, list) or not all(
        isinstance(f, dict) and {"name", "type"} <= f.keys() for f in fields
    ):
        raise fail("RECIPE_MALFORMED", field="fields")
    try:
        rules = Rules.model_validate(params["rules"]) if params.get("rules") is not None else None
    except ValidationError:
        raise fail("RECIPE_MALFORMED", field="rules") from None
    asked = params.get("anonymity")
    if not isinstance(asked, dict) or type(asked.get("threshold")) is not int:
        raise fail("RECIPE_MALFORMED", field="anonymity")
    fields = with_entity(fields, asked.get("entity"))
    asked = {**asked, "fields": with_entity(asked["fields"], asked.get("entity"))}
    recipe = validate_recipe(params.get("recipe"), fields, rules)
    columns = plan(recipe, fields, rules)
    keys = _keys(recipe, params.get("keys"))
    source = Source(inputs / "data", {field["name"] for field in fields})
    entity = asked.get("entity") if asked.get("entity") in source.names else None
    tokens = _tokens(recipe, params.get("tokens"), inputs)
    named = {str(field["name"]) for field in fields if needs_desensitising(field)}
    effects = [Effect(column, column.source in named) for column in columns if column.protecting]
    watched = frozenset(effect.column.source for effect in effects)
    execution = Execution(recipe, source, keys, tokens, entity, watched)
    if told is not None:
        execution.told = told
    declared = {str(f["name"]) for f in asked["fields"] if f.get("role") == "quasi"}
    measured = Measured(
        columns,
        Classes([f["name"] for f in fields if f["name"] in declared]),
        Classes([column.name for column in columns if column.source in declared]),
        entity,
        marks_of(recipe, columns),
        effects,
        Precision.of(rules.decimals, columns, recipe, fields)
        if rules and rules.decimals is not None
        else None,
    )
    partial = out / f".{PRODUCT}.partial"
    try:
        _write(execution, columns, measured, partial)
        identifiers, marked = measured.identifiers()
        if left := identifiers["after"]:
            raise fail("IDENTIFIERS_REMAIN", columns=sorted(left), found=left)
        if void := [effect.column.name for effect in effects if effect.none(execution.changed)]:
            raise fail("RECIPE_NO_EFFECT", columns=", ".join(void))
        if measured.precision is not None and (fine := measured.precision.too_fine()):
            raise fail("RECIPE_TOO_FINE", columns=", ".join(fine), most=measured.precision.most)
        partial.replace(out / PRODUCT)
    finally:
        with suppress(FileNotFoundError):
            partial.unlink()
    if tokens is not None:
        tokens.save(out / TOKENS, key_of("tokens", params["tokens"]))
    return _report(execution, columns, measured, identifiers, marked, fields, asked, out / PRODUCT)


def _write(execution: Execution, columns: Sequence[Product], measured: Measured, target: Path) -> None:
    """Run, and write the product as it comes."""
    writer: pq.ParquetWriter | None = None
    try:
        for frame, work in execution.batches():
            product = pl.DataFrame([work[column.name].alias(column.name) for column in columns])
            measured.add(frame, work, product)
            table = product.to_arrow()
            writer = writer or pq.ParquetWriter(target, table.schema, compression="zstd")
            writer.write_table(table.cast(writer.schema), row_group_size=122_880)
    finally:
        if writer is not None:
            writer.close()


def _report(
    execution: Execution,
    columns: Sequence[Product],
    measured: Measured,
    identifiers: dict[str, Any],
    marked: dict[str, Any],
    fields: list[dict[str, Any]],
    asked: dict[str, Any],
    product: Path,
) -> dict[str, Any]:
    recipe = execution.recipe
    steps, changed = [], Counter[str]()
    for number, step in enumerate(recipe.steps):
        zh, en = step.row.explain(step.parameters)
        for column, target in zip(step.sources, step.targets or step.sources, strict=True):
            rows = execution.changed.get((number, target), 0)
            changed[target] += rows
            told = {"column": column, "output": target, "transform": step.transform}
            steps.append(told | {"parameter_hash": step.parameter_hash, "rows": rows, "zh": zh, "en": en})
    risks = {"before": measured.before.measured(), "after": measured.after.measured()}
    known = measured.entity is not None and not measured.after.unknown
    verdict = conclude(
        [column.name for column in columns],
        {column.name: column.source for column in columns},
        asked["fields"],
        risks["after"]["k"] if known else None,
        measured.rows,
        asked["threshold"],
        asked.get("entity"),
    )
    kept = {column.source for column in columns}
    with product.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return checked(
        {
            "schema": SCHEMA,
            "ok": True,
            "rows": measured.rows,
            "rows_before": execution.source.rows,
            "sha256": sha256,
            "recipe": {"name": recipe.name, "version": recipe.version, "sha256": recipe.sha256},
            "steps": steps,
            "columns": [
                {"name": c.name, "type": c.type, "source": c.source, "transforms": list(c.transforms)}
                for c in columns
            ],
            "dropped": [field["name"] for field in fields if field["name"] not in kept],
            "identifiers": identifiers,
            "marked": marked,
            "level": "anonymised" if verdict["verdict"] else "desensitised",
            "anonymity": verdict,
            "metrics": {
                "before": {"quasi": measured.before.quasi, **risks["before"]},
                "after": {"quasi": measured.after.quasi, **risks["after"]},
                "loss": measured.loss(changed),
            },
        }
    )
