"""The folder between a worker and a node: one claim, one end, whoever comes first and whoever comes late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from sandbox.executor import interposed, slots, slurm_node
from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.contract import End, Outcome
from sandbox.executor.folders import TaskFolder
from sandbox.executor.slurm_folder import CLAIM, NODE, STOP, Run
from tests.refusal import refused

OUTCOME = Outcome(
    end=End.SUCCEEDED, exit_code=0, seconds=1.5, files=Path(), report={"ok": True}, started_at=1.0,
    config_sha256="c", isolation={"kernel": {"observed": True}},
)  # fmt: skip


def laid_out(tmp_path: Path) -> Run:
    """A submission of a task."""
    return Run.lay_out(TaskFolder(tmp_path / "tasks", "job-1"), {"task": {}}, {"a": "b"})


def outcome_of_node(tmp_path: Path, text: str = "1") -> Outcome:
    """What a node's own executor would give."""
    files = tmp_path / "local" / "collected" / "files"
    files.mkdir(parents=True, exist_ok=True)
    (files / "a.csv").write_text(text)
    (files.parent / "log.txt").write_text("printed")
    return replace(OUTCOME, files=files)


def test_one_of_many_claims_the_task(tmp_path: Path) -> None:
    run = laid_out(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda number: run.make_once(CLAIM, {"slurm": number}), range(40)))
    assert made.count(True) == 1
    noted = run.notes.noted("claim")
    assert noted == {"slurm": made.index(True)}
    assert [path.name for path in run.path.iterdir() if path.name.endswith(".part")] == []


def test_the_node_s_end_comes_back_whole(tmp_path: Path) -> None:
    run = laid_out(tmp_path)
    assert run.ended() is None
    assert run.end(outcome_of_node(tmp_path), NODE)
    ended = run.ended()
    assert ended == replace(OUTCOME, files=run.files(NODE))
    assert ended is not None
    assert (ended.files / "a.csv").read_text() == "1"
    assert ended.log is not None
    assert ended.log.read_text() == "printed"
    assert not run.close(End.LOST)  # the worker comes too late
    assert run.ended() == ended


def test_a_node_that_comes_back_after_it_was_given_up_changes_nothing(tmp_path: Path) -> None:
    run = laid_out(tmp_path)
    assert run.close(End.LOST)
    assert not run.end(outcome_of_node(tmp_path), NODE)
    assert not run.refuse("ISOLATION_UNAVAILABLE", {"missing": "x"})
    ended = run.ended()
    assert ended is not None
    assert (ended.end, ended.report, list(ended.files.iterdir())) == (End.LOST, {}, [])


def test_a_submission_that_was_replaced_reaches_nothing(tmp_path: Path) -> None:
    old = laid_out(tmp_path)
    new = laid_out(tmp_path)
    assert old.ticket != new.ticket
    assert old.closed()
    assert old.order() is None
    assert not old.make_once(CLAIM, {})
    assert not old.end(outcome_of_node(tmp_path), NODE)
    assert not old.close(End.LOST)
    assert Run.of(new.home) == new
    assert new.ended() is None
    assert not new.closed()


@pytest.mark.parametrize(("asked", "end"), [(True, End.STOPPED), (False, End.LOST)])
def test_a_task_that_the_signal_of_its_stop_reached_first_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: bool, end: End
) -> None:
    """``scancel`` signals every process on the node: the task may be gone before its executor is told."""
    run = laid_out(tmp_path)
    lost = replace(outcome_of_node(tmp_path), end=End.LOST)
    order = {
        "task": {
            "id": "job-1", "kind": "job", "image": "sha256:" + "0" * 64, "params": {}, "inputs": [],
            "limits": {}, "labels": {}, "runtime": "runc", "secrets": [],
        },
        "sealed": "", "executor": "bubblewrap", "entry": [], "promised": {},
    }  # fmt: skip
    inner = mock.create_autospec(BubblewrapExecutor, instance=True)
    inner.run.return_value, inner.known.return_value = lost, []
    monkeypatch.setattr(slurm_node, "_inner", lambda *_: inner)
    monkeypatch.setattr(slurm_node, "match", lambda *_: None)
    monkeypatch.setattr(slurm_node.signal, "signal", lambda *_: None)
    monkeypatch.setattr(Run, "order", lambda _: order)
    monkeypatch.setenv("SANDBOX_SLURM_NODE_ROOT", str(tmp_path / "node"))
    if asked:
        run.notes.note(STOP, {"at": 0.0})
    assert slurm_node.Program(tmp_path / "tasks", "job-1", run.ticket).run() == 0
    ended = run.ended()
    assert ended is not None
    assert ended.end is end


def test_what_could_not_be_run_is_no_outcome(tmp_path: Path) -> None:
    run = laid_out(tmp_path)
    assert run.refused() is None
    assert run.refuse("ISOLATION_UNAVAILABLE", {"missing": "kernel"})
    assert run.refused() == ("ISOLATION_UNAVAILABLE", {"missing": "kernel"})
    assert run.ended() is None
    assert run.closed()


def test_a_crash_before_the_submission_was_whole_leaves_none(tmp_path: Path) -> None:
    run = laid_out(tmp_path)
    (run.home.path / "run.json").unlink()
    assert Run.of(run.home) is None


@pytest.mark.parametrize("name", sorted(interposed.OWN))
def test_only_a_kernel_in_user_space_may_grant_what_is_its_own(name: str) -> None:
    answers = {**dict.fromkeys(slots.REQUIRED, "EPERM"), name: slots.OPEN}
    assert slots.held(answers, "runsc") == {
        "attempts": len(answers), "refused": len(answers) - 1, "own_kernel": [name],
    }  # fmt: skip
    for runtime in ("runc", "crun", "kata"):
        with refused("ISOLATION_UNAVAILABLE"):
            slots.held(answers, runtime)


def test_and_nothing_else() -> None:
    assert interposed.OWN < slots.REQUIRED
    for name in sorted(slots.REQUIRED - interposed.OWN):
        answers = {**dict.fromkeys(slots.REQUIRED, "EPERM"), name: slots.OPEN}
        with refused("ISOLATION_UNAVAILABLE"):
            slots.held(answers, "runsc")
