"""Format-preserving encryption and tokens in the image where jobs of a space run."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sandbox.desensitize.keys import recipient_key
from sandbox.desensitize.tokens import TokenVault
from sandbox.desensitize.transforms.base import Setting
from sandbox.desensitize.transforms.fpe import FpeParams, restore
from sandbox.executor.contract import End, Input, Limits, Outcome, Task, TaskKind
from sandbox.executor.docker import DockerExecutor

pytestmark = pytest.mark.engine

KEY, TOKENS = recipient_key(b"k" * 32, "sc", "dev", "k"), recipient_key(b"k" * 32, "sc", "dev", "token vault")
PEOPLE = [f"1380000{number:04d}" for number in range(300)]
FIELDS: list[dict[str, Any]] = [
    {"name": "phone", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "name", "type": "string", "flags": ["personal"], "role": "identifier"},
    {"name": "income", "type": "integer", "flags": [], "role": "other"},
]


def run(
    executor: DockerExecutor, params: dict[str, Any], kind: TaskKind = TaskKind.RECIPE, **inputs: Path
) -> Outcome:
    task = Task(
        id=f"room-{uuid.uuid4().hex[:12]}",
        kind=kind,
        image=executor.image("check"),
        params=params,
        inputs=tuple(Input(name, path) for name, path in inputs.items()),
        limits=Limits(seconds=120, memory_bytes=1 << 30, output_bytes=64 << 20, tmp_bytes=64 << 20),
    )
    outcome = executor.run(task)
    assert (outcome.end, outcome.report.get("code")) == (End.SUCCEEDED, None)
    return outcome


def test_numbers_are_enciphered_and_names_get_tokens_that_the_next_job_gives_again(
    executor: DockerExecutor, tmp_path: Path
) -> None:
    names = [f"n{number % 150}" for number in range(300)]
    frame = pl.DataFrame({"phone": PEOPLE, "name": names, "income": list(range(300))})
    frame.write_parquet(tmp_path / "data")
    (tmp_path / "data").chmod(0o644)
    form = {"key": "k", "form": "mobile", "cipher": "sm4"}
    steps = [
        {"column": "phone", "transform": "fpe", "params": form},
        {"column": "name", "transform": "token", "params": {"domain": "person"}},
    ]
    params = {
        "recipe": {"name": "r", "version": "1", "steps": steps, "keep": ["income"]},
        "fields": FIELDS,
        "keys": {"k": KEY.hex()},
        "tokens": TOKENS.hex(),
        "anonymity": {"entity": "phone", "fields": FIELDS, "threshold": 10},
    }
    first = run(executor, params, data=tmp_path / "data")
    product = pl.read_parquet(first.files / "product.parquet")
    back = restore(
        product["phone"], FpeParams.model_validate({**form, "on_error": "null"}), Setting({"k": KEY})
    )
    assert back.to_list() == PEOPLE
    assert not set(product["phone"]) & set(PEOPLE)
    vault = TokenVault.load(first.files / "tokens.vault", TOKENS)
    assert vault.reidentify("person", product["name"].to_list()) == names
    again = run(executor, params, data=tmp_path / "data", tokens=first.files / "tokens.vault")
    assert pl.read_parquet(again.files / "product.parquet")["name"].equals(product["name"])
    for path in first.files.iterdir():
        assert b"n149" not in path.read_bytes()


def test_tokens_are_led_back_in_the_container(executor: DockerExecutor, tmp_path: Path) -> None:
    vault = TokenVault()
    tokens = vault.tokens("person", pl.Series(PEOPLE[:3])).to_list()
    vault.save(tmp_path / "tokens", TOKENS)
    pl.DataFrame({"person": tokens[:2]}).write_parquet(tmp_path / "data")
    for name in ("tokens", "data"):
        (tmp_path / name).chmod(0o644)
    told = {"key": TOKENS.hex(), "domain": "person", "column": "person", "tokens": tokens}
    given = {"tokens": tmp_path / "tokens", "data": tmp_path / "data"}
    outcome = run(executor, told, TaskKind.REIDENTIFY, **given)
    assert outcome.report == {"ok": True}
    answer = json.loads((outcome.files / "answer.json").read_text())
    assert [one["value"] for one in answer["values"]] == [*PEOPLE[:2], None]
