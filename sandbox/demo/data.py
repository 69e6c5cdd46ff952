"""What goes in: the two data sets of the demonstration, or a CSV file of one's own.

A data set is a CSV, its catalogue entry, a recipe for the primary product, and a job. For a file of
one's own they are derived here from a look at the file: this is the provider's side, outside the domain.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.core.errors import fail
from sandbox.demo import fair, register

HERE = Path(__file__).parent


@dataclass(frozen=True)
class DataSet:
    """``job`` is the JobSpec without scenario, purpose and input; ``columns`` what the list asks for."""

    name: str
    file: Path
    entry: dict[str, Any]
    registration_no: str
    columns: list[str]
    recipe: dict[str, Any]
    product_columns: list[str]
    table: str
    job: dict[str, Any]

    @property
    def rows(self) -> int:
        """Rows of the file, without its header."""
        with self.file.open(encoding="utf-8-sig", newline="") as source:
            return sum(1 for _ in csv.reader(source)) - 1


def entry_of(name: str) -> dict[str, Any]:
    """The catalogue entry from ``<name>.fields.yaml``."""
    described: dict[str, Any] = yaml.safe_load((HERE / f"{name}.fields.yaml").read_text(encoding="utf-8"))
    return {"category": "人口" if name == "register" else "社会调查", **described}


def code(name: str) -> dict[str, str]:
    """One job file as the API takes it."""
    return {name: (HERE / "jobs" / name).read_text(encoding="utf-8")}


def residents(folder: Path, rows: int) -> DataSet:
    """The synthetic register of ``rows`` persons."""
    file = folder / "residents.csv"
    register.main([str(file), "--rows", str(rows)])
    kept = ["sex", "district", "education", "occupation", "income"]
    return DataSet(
        name="residents",
        file=file,
        entry=entry_of("register"),
        registration_no="GZ-DJ-2026-000101",
        columns=["resident_id", "birth_date", *kept],
        recipe={
            "name": "居民登记初级产品",
            "version": "1",
            "steps": [
                {
                    "column": "resident_id",
                    "transform": "pseudonym",
                    "params": {"key": "subject", "prefix": "P"},
                    "output": "person",
                },
                {
                    "column": "birth_date",
                    "transform": "generalise",
                    "params": {"by": "date", "to": "decade"},
                    "output": "born",
                },
                {"column": "income", "transform": "top_code", "params": {"limit": 200000}},
            ],
            "keep": ["sex", "district", "education", "occupation"],
        },
        product_columns=["sex", "district", "income"],
        table="residents",
        job={
            "language": "sql",
            "entry": "income.sql",
            "code": code("income.sql"),
            "outputs": [
                {
                    "path": "income_by_county.csv",
                    "kind": "table",
                    "dimensions": ["district", "sex"],
                    "counts": ["persons"],
                    "measures": ["mean_income"],
                }
            ],
        },
    )


def survey(folder: Path) -> DataSet:
    """The real survey that statsmodels bundles: 6,366 persons."""
    file = folder / "survey.csv"
    fair.main([str(file)])
    kept = ["age", "educ", "occupation", "affairs"]
    return DataSet(
        name="survey",
        file=file,
        entry=entry_of("fair"),
        registration_no="GZ-DJ-2026-000102",
        columns=kept,
        recipe={
            "name": "婚姻调查初级产品",
            "version": "1",
            "steps": [{"column": "affairs", "transform": "round", "params": {"to": 0.1}}],
            "keep": ["age", "educ", "occupation"],
        },
        product_columns=["age", "affairs"],
        table="survey",
        job={
            "language": "python",
            "entry": "survey.py",
            "code": code("survey.py"),
            "outputs": [
                {
                    "path": "affairs_by_age.csv",
                    "kind": "table",
                    "dimensions": ["age"],
                    "counts": ["persons", "with_affair"],
                },
                {"path": "report.md", "kind": "report"},
            ],
        },
    )


SAMPLE = 20_000  # rows looked at to describe a file of one's own
DIMENSION = 60  # at most so many different values make a column a dimension


def own(path: Path) -> DataSet:
    """A CSV of one's own (UTF-8, with a header): described by a look at it; counted by its coarsest column.

    Raises FILE_UNREADABLE when it has no header, no rows or no column that can be counted by.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as source:
            reader = csv.reader(source)
            header = next(reader, [])
            rows = [row for _, row in zip(range(SAMPLE), reader, strict=False)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise fail("FILE_UNREADABLE", path=str(path), why=type(error).__name__) from error
    bad = [name for name in header if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name)]
    if not header or not rows or bad or len(set(header)) != len(header):
        why = (
            f"column names must match [A-Za-z_][A-Za-z0-9_]*: {', '.join(bad)}"
            if bad
            else "no header or rows"
        )
        raise fail("FILE_UNREADABLE", path=str(path), why=why)
    values = {name: [row[i] for row in rows if i < len(row)] for i, name in enumerate(header)}
    distinct = {name: len(set(found)) for name, found in values.items()}
    dimensions = sorted((n for n in header if 1 < distinct[n] <= DIMENSION), key=lambda n: distinct[n])
    if not dimensions:
        raise fail(
            "FILE_UNREADABLE", path=str(path), why=f"no column with 2 to {DIMENSION} values to count by"
        )
    fields = [_field(name, distinct[name], len(rows), name in dimensions) for name in header]
    by = dimensions[0]
    script = (
        f'CREATE TABLE counted AS SELECT "{by}", count(*) AS persons FROM own '
        f'GROUP BY "{by}" HAVING count(*) >= 20 ORDER BY 1;\n'
    )
    return DataSet(
        name="own",
        file=path,
        entry={
            "title_zh": "自有数据",
            "title_en": "Own data",
            "category": "其他",
            "entity": None,
            "update_frequency": "once",
            "fields": fields,
        },
        registration_no="GZ-DJ-2026-000199",
        columns=dimensions[:8],
        recipe={"name": "自有数据初级产品", "version": "1", "steps": [], "keep": dimensions[:8]},
        product_columns=[by],
        table="own",
        job={
            "language": "sql",
            "entry": "count.sql",
            "code": {"count.sql": script},
            "outputs": [{"path": "counted.csv", "kind": "table", "dimensions": [by], "counts": ["persons"]}],
        },
    )


def _field(name: str, distinct: int, rows: int, dimension: bool) -> dict[str, Any]:
    """A first grading: near-unique columns are identifiers, coarse ones quasi-identifiers."""
    unique = distinct > 0.9 * rows
    return {
        "name": name,
        "title_zh": name,
        "title_en": name,
        "type": "string",
        "category": "个人基本资料",
        "level": 4 if unique else 2,
        "flags": ["personal"],
        "role": "identifier" if unique else "quasi" if dimension else "other",
    }
