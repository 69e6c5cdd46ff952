"""Fixtures of the egress checker: a register of persons, its policy values, one call to check an output."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

POLICY = {
    "egress.min_cell": 10,
    "egress.min_cell_sensitive": 20,
    "egress.k_min": 10,
    "egress.l_min": 2,
    "egress.t_max": 0.2,
    "egress.dominance_n": 2,
    "egress.dominance_k": 0.85,
    "egress.p_percent": 0.10,
    "egress.ledger_rate_hold": 0.10,
    "egress.ledger_rate_max": 0.20,
    "egress.raw_overlap_rows": 0,
    "egress.raw_overlap_columns": 3,
    "egress.formats": [
        *(
            "csv",
            "parquet",
            "arrow",
            "json",
            "chart",
            "markdown",
            "html",
            "ipynb",
            "xlsx",
            "docx",
            "pdf",
            "png",
        ),
        *("jpeg", "svg", "zip", "tar", "onnx", "safetensors", "skops"),
    ],
}
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def resident_id(region: str, birth: str, serial: int) -> str:
    """A number with a valid check digit (GB 11643)."""
    body = f"{region}{birth}{serial:03d}"
    return body + "10X98765432"[sum(int(d) * w for d, w in zip(body, _WEIGHTS, strict=True)) % 11]


def register(rows: int, seed: int = 7) -> pl.DataFrame:
    """Persons with identity numbers, names, telephones and joint attributes; the same for a seed."""
    import numpy as np

    draw = np.random.default_rng(seed)
    districts = ["东城区", "西城区", "朝阳区", "海淀区", "丰台区", "通州区"]
    regions = ["110101", "110102", "110105", "110108", "110106", "110112"]
    place = draw.choice(6, rows, p=[0.1, 0.1, 0.3, 0.25, 0.15, 0.1])
    years, months, days = (
        draw.integers(1940, 2006, rows),
        draw.integers(1, 13, rows),
        draw.integers(1, 29, rows),
    )
    births = [f"{y}{m:02d}{d:02d}" for y, m, d in zip(years, months, days, strict=True)]
    return pl.DataFrame(
        {
            "id_no": [
                resident_id(regions[p], b, i % 1000)
                for i, (p, b) in enumerate(zip(place, births, strict=True))
            ],
            "name": [
                "王李张刘陈杨赵黄周吴"[draw.integers(10)]
                + "伟芳娜敏静丽强磊军洋"[draw.integers(10)]
                + "勇艳杰娟涛明超霞平刚"[draw.integers(10)]
                for _ in range(rows)
            ],
            "phone": [f"13{draw.integers(10**8, 10**9)}" for _ in range(rows)],
            "district": [districts[p] for p in place],
            "birth": [f"{b[:4]}-{b[4:6]}-{b[6:]}" for b in births],
            "age": 2026 - years,
            "sex": draw.choice(["男", "女"], rows),
            "occupation": draw.choice(["工人", "教师", "医生", "职员", "其他"], rows),
            "income": np.round(np.exp(draw.normal(10.8, 0.6, rows)), 2),
            "disease": draw.choice(["无", "高血压", "糖尿病"], rows, p=[0.7, 0.2, 0.1]),
        }
    ).unique("id_no", maintain_order=True)


@pytest.fixture(scope="session")
def persons() -> pl.DataFrame:
    """4,000 persons."""
    return register(4000)


@pytest.fixture(scope="session")
def persons_file(persons: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as Parquet."""
    path = tmp_path_factory.mktemp("raw") / "persons.parquet"
    persons.write_parquet(path)
    return path


@pytest.fixture
def policy() -> dict[str, Any]:
    """The thresholds of requirements C.2.1."""
    return dict(POLICY)


@pytest.fixture
def attack(persons_file: Path, policy: dict[str, Any], tmp_path: Path) -> Callable[..., Any]:
    """Write one output (frame, text or bytes) and check it against the register; ``raws=[]`` for without."""
    from sandbox.egress.check import check, declarations
    from sandbox.egress.context import RawTable

    raw = RawTable(
        "persons",
        persons_file,
        "id_no",
        ("district", "sex", "age", "occupation", "birth"),
        ("disease",),
        ("name", "phone"),
    )

    def go(content: Any, name: str = "out.csv", **options: Any) -> Any:
        folder = tmp_path / f"outputs{len(list(tmp_path.iterdir()))}"
        path = folder / name
        path.parent.mkdir(parents=True)
        if isinstance(content, pl.DataFrame):
            (content.write_parquet if name.endswith(".parquet") else content.write_csv)(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        values = options.pop("policy", policy)
        declared = declarations(options.pop("declared", []))
        return check([folder], options.pop("raws", [raw]), declared, values, "test@1", **options)

    return go
