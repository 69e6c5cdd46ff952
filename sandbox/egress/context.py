"""What a check holds while it attacks an output: raw tables, declarations, policy values, history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sandbox.egress.clean import key, label
from sandbox.egress.forms import Budget, Document
from sandbox.egress.lexicon import hashes
from sandbox.egress.rawdata import Engine, RawIndex

if TYPE_CHECKING:
    from sandbox.egress.recompute.tables import Script, Told

_PERSONAL = frozenset({"personal", "sensitive_personal"})
_WORDS = re.compile(r"[\u3400-\u9fff·]{2,6}|[0-9A-Za-z@.]{6,}")


@dataclass(frozen=True)
class RawTable:
    """One raw snapshot. ``entity`` None: each row is its own entity (invariant: entities, not rows)."""

    name: str
    path: Path
    entity: str | None = None
    quasi: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    sensitive_group: bool = False  # minors, patients, …: the stricter cell threshold holds
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)  # column: its flags in the catalogue
    reversible: tuple[str, ...] = ()  # columns of codes that a key or a table of the domain leads back

    @property
    def unsaid(self) -> tuple[str, ...]:
        """The personal columns of which nobody stated a role."""
        stated = {*self.quasi, *self.sensitive, *self.identifiers, self.entity}
        personal = (column for column, own in self.flags.items() if _PERSONAL & {*own})
        return tuple(column for column in personal if column not in stated)


@dataclass(frozen=True)
class Declared:
    """What the job declared of one output. Empty column lists constrain nothing.

    ``statistics``: which function (``recompute.facts.FUNCTIONS``) of which raw column a measure is.
    """

    path: str
    kind: str = "table"
    dimensions: tuple[str, ...] = ()
    counts: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    ordered: bool = False
    statistics: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # column: {"fn", "of"}
    precision: Mapping[str, int] = field(default_factory=dict)  # column: decimals that leave

    @property
    def columns(self) -> set[str]:
        """Every column that was declared."""
        return {*self.dimensions, *self.counts, *self.measures}


@dataclass(frozen=True)
class Scope:
    """What the request is for and what it was granted, as who orders the check states it.

    ``columns``: every column that the job was given; ``sources``: of each resource behind it ``name``,
    ``provider``, ``registration_no``.
    """

    purpose: str
    granted_purpose: str
    columns: tuple[str, ...]
    sources: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Paid:
    """An answer under differential privacy whose budget was charged, as the control plane states it.

    ``sha256``: of the very file; ``noise``: columns whose numbers carry noise, with its entropy in bits.
    """

    release: str
    sha256: str
    nano_rho: int
    noise: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Release:
    """An earlier release: its id and its files, read like outputs."""

    id: str
    documents: list[Document]
    declared: dict[str, Declared]


class PolicyMissing(Exception):
    """The policy states no (usable) value for ``key``."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass
class Context:
    """One check run. ``policy`` maps keys such as ``egress.min_cell`` to values."""

    raws: Sequence[RawTable]
    declared: Mapping[str, Declared]
    policy: Mapping[str, Any]
    documents: list[Document] = field(default_factory=list)
    history: list[Release] = field(default_factory=list)
    recipient: Mapping[str, str] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    ledger: Any = None  # ``ledger.room.Ledger``: what was released before, by entity sets
    script: Script | None = None  # of a SQL job, see ``recompute``
    scope: Scope | None = None  # None: nobody stated it, nothing is said of it
    paid: Mapping[str, Paid] = field(default_factory=dict)  # by path; a job has no say in it
    blind: bool = False  # no row of raw data is looked at

    def __post_init__(self) -> None:
        self.decode_budget = [self.budget.decoded_bytes]
        self.recomputed: dict[int, Told] = {}  # by identity of the table, filled by ``recompute``
        self.memo: dict[str, Any] = {}  # what a check computed once for the whole set
        self._persons: dict[str, bool] = {}
        self.shapes: dict[tuple[int, str], Any] = {}  # filled by ``shape``: one recognition a table and raw

    @cached_property
    def engine(self) -> Engine:
        """The DuckDB connection all recounts share."""
        return Engine()

    @cached_property
    def indexes(self) -> list[RawIndex]:
        """One index a raw table, built on first use; none if ``blind``."""
        return [
            RawIndex(
                self.engine,
                number,
                raw.name,
                raw.path,
                raw.entity,
                raw.quasi,
                raw.sensitive,
                raw.identifiers,
                raw.unsaid,
            )
            for number, raw in enumerate(() if self.blind else self.raws)
        ]

    def blinded(self) -> Context:
        """The same run for files that were paid for: what is said of them must not follow from a row."""
        return replace(self, blind=True)

    def payment(self, document: Document) -> Paid | None:
        """The charge that paid for this very file; None: its values are taken for exact."""
        paid = self.paid.get(document.path)
        return paid if paid is not None and paid.sha256 == document.sha256 else None

    @property
    def exact(self) -> list[Document]:
        """The files whose values are taken for exact."""
        return [document for document in self.documents if self.payment(document) is None]

    def number(self, key: str) -> float:
        """A numeric threshold. Raises ``PolicyMissing``."""
        value = self.policy.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PolicyMissing(key)
        return float(value)

    def formats(self) -> list[str]:
        """The allow-list of forms. Raises ``PolicyMissing``."""
        value = self.policy.get("egress.formats")
        if not isinstance(value, list | tuple) or not value:
            raise PolicyMissing("egress.formats")
        return [{"md": "markdown", "jsonl": "json"}.get(str(form), str(form)) for form in value]

    def min_cell(self, raw: str) -> float:
        """The cell threshold that holds for outputs of raw table ``raw``. Raises ``PolicyMissing``."""
        strict = any(table.sensitive_group for table in self.raws if table.name == raw)
        return self.number("egress.min_cell_sensitive" if strict else "egress.min_cell")

    @cached_property
    def _known_labels(self) -> set[str]:
        names = {column for index in self.indexes for column in index.columns}
        return names | {column for item in self.declared.values() for column in item.columns}

    def learn(self, texts: Iterable[str]) -> None:
        """Find out at once which of ``texts`` name a person; ``names_person`` then knows."""
        fresh = list(dict.fromkeys(text for text in texts if text not in self._persons))
        words = [(i, word) for i, text in enumerate(fresh) for word in (text, *_WORDS.findall(text))]
        spoken: set[int] = set()
        if self.raws and fresh:
            hits = self.identifying(pl.Series([word for _, word in words], dtype=pl.String))
            spoken = {words[int(i)][0] for i in hits["index"]}
            for i, whole in enumerate(key(pl.Series(fresh, dtype=pl.String))):
                if i not in spoken and any(index.phrases.find([whole]) for index in self.indexes):
                    spoken.add(i)
        self._persons.update((text, i in spoken) for i, text in enumerate(fresh))

    def names_person(self, text: str) -> bool:
        """Whether ``text`` is, or holds, a raw identifier: then a report may not repeat it."""
        self.learn([text])
        return self._persons[text]

    def column(self, number: int, name: str) -> str:
        """A column as a report may name it: its number, and its name unless that may be a value."""
        if name not in self._known_labels and self.names_person(name):
            return f"column {number + 1}"
        return f"column {number + 1} ({label(name)})"

    def identifying(self, values: pl.Series) -> pl.DataFrame:
        """Which of ``values`` are values of declared identifier columns (or entity keys) of a raw table.

        Rows (index, raw, column, strong): ``strong`` when chance can be excluded by the value's length.
        """
        keys = key(values.cast(pl.String))
        parts = [
            pl.DataFrame(
                schema={"index": pl.Int64, "raw": pl.String, "column": pl.String, "strong": pl.Boolean}
            )
        ]
        bits = hashes(keys)
        for index in self.indexes:
            for column, lexicon in index.keys.items():
                hits = np.flatnonzero(lexicon.find(keys, bits) >= 0)
                if not len(hits):
                    continue
                found = keys.gather(hits)
                strong = (found.str.len_chars() >= 8) & found.str.contains(r"[0-9]{6}|@")
                parts.append(
                    pl.DataFrame({"index": hits, "strong": strong}).select(
                        "index", raw=pl.lit(index.name), column=pl.lit(column), strong="strong"
                    )
                )
        return pl.concat(parts).sort("index", maintain_order=True)
