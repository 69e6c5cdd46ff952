"""Keys among parameters are in no order in plain; without a fit key nothing is laid out."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from sandbox.executor.contract import Task, TaskKind
from sandbox.executor.folders import TaskFolder
from sandbox.executor.guarantees import DEFAULT_RUNTIME
from sandbox.executor.slurm import SlurmExecutor
from sandbox.executor.slurm_calls import PASSED_ON, Settings
from sandbox.executor.slurm_node import _task
from sandbox.executor.slurm_secrets import SETTING, seal, unseal
from tests.refusal import refused

SECRET = "5a" * 32
TASK = Task(
    id="job-1-a1-run",
    kind=TaskKind.RECIPE,
    image="sha256:" + "0" * 64,
    params={"recipe": {"name": "r"}, "keys": {"k": SECRET}, "tokens": SECRET},
    secrets=("keys", "tokens", "ledger"),
)


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "local.key"
    path.touch(0o600)
    path.write_text("ab" * 32 + "\n")
    monkeypatch.setenv(SETTING, str(path))
    return path


def test_what_is_written_holds_no_key_and_the_node_has_all(key: Path, tmp_path: Path) -> None:
    executor = SlurmExecutor(tmp_path / "tasks", mock.Mock(), Settings("", "docker", "python"))
    executor._measured[DEFAULT_RUNTIME] = mock.Mock(grades={})
    run = executor._lay_out(TASK, TaskFolder(executor.root, TASK.id))
    for path in executor.root.rglob("*"):
        assert not path.is_file() or SECRET not in path.read_text()
    order = run.order()
    assert order is not None
    assert order["task"]["params"] == {"recipe": {"name": "r"}}
    again = _task(order["task"], unseal(order["sealed"], TASK.id, executor.root))
    assert again == TASK
    assert SETTING in PASSED_ON


def test_a_task_without_keys_needs_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(SETTING, raising=False)
    plain = Task("job-1", TaskKind.JOB, TASK.image, {"a": 1}, secrets=("keys",))
    assert seal(plain, tmp_path) == ({"a": 1}, "")
    assert unseal("", "job-1", tmp_path) == {}


def test_a_sealed_part_is_of_one_task_and_one_key(key: Path, tmp_path: Path) -> None:
    shared = tmp_path / "tasks"
    _, sealed = seal(TASK, shared)
    assert unseal(sealed, TASK.id, shared) == {"keys": {"k": SECRET}, "tokens": SECRET}
    assert seal(TASK, shared)[1] != sealed
    bent = sealed[:-1] + ("0" if sealed[-1] != "0" else "1")
    for told, id in ((sealed, "job-2-a1-run"), (bent, TASK.id)):
        with refused("SLURM_KEY"):
            unseal(told, id, shared)
    key.write_text("cd" * 32)
    with refused("SLURM_KEY"):
        unseal(sealed, TASK.id, shared)


def _gone(key: Path) -> None:
    key.unlink()


def _open(key: Path) -> None:
    key.chmod(0o600 | stat.S_IRGRP)


def _short(key: Path) -> None:
    key.write_text("ab" * 31)


def _binary(key: Path) -> None:
    key.write_bytes(b"\xff" * 64)


@pytest.mark.parametrize("spoil", [_gone, _open, _short, _binary])
def test_an_unfit_key_seals_nothing(key: Path, tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    spoil(key)
    with refused("SLURM_KEY"):
        seal(TASK, tmp_path / "tasks")


def test_the_key_may_not_lie_beside_what_it_protects(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused("SLURM_KEY"):
        seal(TASK, tmp_path)
    monkeypatch.delenv(SETTING)
    with refused("SLURM_KEY"):
        seal(TASK, tmp_path / "tasks")
