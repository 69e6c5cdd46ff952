"""The purge of the log: refused within retention, then bodies go and the log verifies as before (R-193)."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from typer.testing import CliRunner

import sandbox
from sandbox.audit import verify_bundle
from sandbox.audit.purged import MOST_RANGES
from sandbox.cli.audit import app
from sandbox.control import space as spaces
from sandbox.control.door import Control
from sandbox.control.purge import Purged, purge
from sandbox.control.space import Settings
from sandbox.control.work import Work
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Entry
from sandbox.executor.stub import StubExecutor
from sandbox.policy.parameters import PARAMETERS
from sandbox.store import Store
from tests.plugins.space import Scene
from tests.refusal import refused

CANARY = "decision-canary-4711"


@pytest.fixture
def ended(granted_on: Scene, tmp_path: Path) -> Scene:
    """An agreement of five years' retention that was terminated, deleted, sealed and closed."""
    scene = granted_on
    scene.overlay(logs__retention_years=5, logs__site_floor_years=5)
    work = Work(scene.control, StubExecutor(tmp_path / "tasks", {}), scene.space.places, scene.space.gate)
    scene.act("chief", "agreement", "ag-a", "terminate", {"ground": "term", "law": "GD 39"})
    scene.act("operator", "agreement", "ag-a", "hand_over", {"reason": "done"})
    work.step("agreement/ag-a")
    scene.act("chief", "agreement", "ag-a", "verify_deletion")
    work.step("agreement/ag-a")
    return scene


def sealed(scene: Scene) -> datetime:
    return datetime.fromisoformat(scene.get("agreement", "ag-a").status["seal_logs"]["at"])


def years_later(instant: datetime, years: int) -> datetime:
    return instant.replace(year=instant.year + years)


def tried(scene: Scene, who: str = "admin", agreement: str = "ag-a") -> Purged:
    return purge(scene.control, scene.who(who), agreement)


def of_agreement(scene: Scene) -> list[int]:
    with scene.store.read() as reader:
        mine = [*reader.entries_of("agreement", "ag-a"), *reader.entries(object="agreement/ag-a")]
    return sorted(seq for seq, _ in mine)


@pytest.mark.requirement("R-193")
def test_purged_no_earlier_than_five_years_after_event_and_termination(ended: Scene, tmp_path: Path) -> None:
    scene, end = ended, sealed(ended)
    before = dict(enumerate(scene.log()))
    mine = of_agreement(scene)
    assert {before[seq].object.split("/")[0] for seq in mine} >= {
        "agreement",
        "scenario",
        "supply",
        "product",
    }
    assert min(before[seq].at for seq in mine) < end  # events of before the termination wait for it
    outside = scene.store.checkpoint()

    scene.clock.now = years_later(end, 5) - timedelta(days=1)  # 4 years, 364 days
    with pytest.raises(SandboxError) as caught:
        tried(scene)
    assert (caught.value.code, caught.value.details["until"]) == (
        "RETENTION",
        years_later(end, 5).date().isoformat(),
    )
    assert {seq: before[seq] for seq, entry in enumerate(scene.log()) if seq in before} == before
    note = scene.log()[-1]
    assert (note.action, note.object, note.reason) == ("purge-log", "audit/ag-a", "RETENTION")

    scene.clock.now = years_later(end, 5) - timedelta(milliseconds=2)
    with refused("RETENTION"):
        tried(scene)
    scene.clock.now = years_later(end, 5) + timedelta(seconds=10)
    assert tried(scene) == Purged(len(mine), 0, None)

    told = [entry for entry in scene.log() if entry.action == "purge-log" and entry.outcome == "done"]
    assert [(one.actor, one.role, one.object) for one in told] == [
        ("space-admin", "space_admin", "audit/ag-a")
    ]
    assert told[0].details["entries"] == len(mine)
    with scene.store.read() as reader:
        left = dict(reader.entries())
        raw = list(reader.raw_entries(len(before)))
    assert set(before) - set(left) == set(mine)
    assert {seq: left[seq] for seq in before if seq in left} == {
        seq: entry for seq, entry in before.items() if seq not in mine
    }
    assert all((body == b"") == (seq in mine) == (by is not None) for seq, body, _, by in raw)
    assert of_agreement(scene) == []

    scene.store.export(tmp_path / "bundle")
    for note_text in (None, outside.note):  # also against a checkpoint that was handed out before the purge
        result = verify_bundle(tmp_path / "bundle", note_text)
        assert (result.ok, result.purged) == (True, len(mine)), result
    assert str(len(mine)) in result.message("zh")
    assert "purged" in result.message("en")
    exported = (tmp_path / "bundle" / "entries.jsonl").read_text(encoding="utf-8")
    assert '"object":"scenario/sc-a"' not in exported

    size = len(scene.log())
    assert tried(scene) == Purged(0, 0, None)  # a second time there is nothing to do, and nothing to tell
    assert len(scene.log()) == size


def test_what_happened_after_the_end_is_kept_its_own_five_years(ended: Scene) -> None:
    end = sealed(ended)
    mine = of_agreement(ended)
    ended.clock.now = end + timedelta(days=100)
    ended.act("chief", "agreement", "ag-a", "close", {"receipt": "filed"})
    closed = ended.get("agreement", "ag-a").changed_at
    assert closed is not None
    ended.clock.now = years_later(end, 5) + timedelta(seconds=10)
    assert tried(ended) == Purged(len(mine), 1, years_later(closed, 5).date())
    with refused("RETENTION"):
        tried(ended)
    ended.clock.now = years_later(closed, 5) + timedelta(seconds=10)
    assert tried(ended) == Purged(1, 0, None)


def test_the_seal_stands_though_the_profile_was_shortened_since(ended: Scene) -> None:
    end = sealed(ended)
    ended.overlay(logs__retention_years=1, logs__site_floor_years=1)
    ended.clock.now = years_later(end, 2)
    with pytest.raises(SandboxError) as caught:
        tried(ended)
    promised = date.fromisoformat(ended.get("agreement", "ag-a").status["seal_logs"]["purge_not_before"])
    assert caught.value.details["until"] == promised.isoformat() == years_later(end, 5).date().isoformat()


def test_only_an_administrator_and_only_of_a_terminated_agreement(granted_on: Scene) -> None:
    scene = granted_on
    for who in ("chief", "operator", "auditor", "developer", "system"):
        with refused("ROLE"):
            tried(scene, who)
        assert (scene.log()[-1].reason, scene.log()[-1].action) == ("ROLE", "purge-log")
    with refused("NOT_FOUND"):
        tried(scene, agreement="ag-none")
    scene.clock.move(days=365 * 30)
    with pytest.raises(SandboxError) as caught:
        tried(scene)  # it never ended: however old its entries, their time has not begun
    assert caught.value.code == "RETENTION"
    assert caught.value.details["until"] > scene.clock.now.date().isoformat()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET body = '' WHERE seq = 3",
        "UPDATE audit SET body = '{}' WHERE seq = 0",
        "UPDATE audit SET leaf = body WHERE seq = 0",
        "UPDATE audit SET object = 'x', body = '' WHERE seq = 0",
        "UPDATE audit SET seq = 900, body = '' WHERE seq = 0",
        "DELETE FROM audit WHERE seq = 0",
        "UPDATE audit_purged SET entry = 4",
        "DELETE FROM audit_purged",
        "INSERT INTO audit_purged (seq, entry) VALUES (4, 2)",
        "INSERT INTO audit_purged (seq, entry) VALUES (4, 4000)",
    ],
)
def test_the_database_lets_nothing_through_but_an_empty_body_of_an_entry_that_is_named(
    database_url: str, statement: str
) -> None:
    store = filled(database_url, 6)
    with store.write() as writer:
        writer.purge([0, 1], entry("audit/ag", action="purge-log"))
    with store._engine.begin() as connection:
        connection.execute(text("INSERT INTO audit_purged (seq, entry) VALUES (2, 6)"))
        connection.execute(text("UPDATE audit SET body = '' WHERE seq = 2"))  # named: this much may be
    with store._engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text(statement))
    store.close()


def entry(object: str, action: str = "apply", **more: object) -> Entry:
    return Entry(datetime(2026, 11, 21, tzinfo=UTC), "chen", "op", "operator", action, object, **more)


def filled(url: str, count: int) -> Store:
    store = Store(url)
    store.upgrade()
    with store.write() as writer:
        for number in range(count):
            writer.note(entry(f"job/{number}", reason=CANARY))
    return store


@pytest.mark.parametrize("wrong", [entry("audit/x"), entry("audit/x", "purge-log", outcome="refused")])
def test_a_purge_takes_an_entry_that_tells_of_it(database_url: str, wrong: Entry) -> None:
    store = filled(database_url, 3)
    with refused("ENTRY_MISMATCH"), store.write() as writer:
        writer.purge([0], wrong)
    with store.read() as reader:
        assert len(reader.entries()) == 3
    store.close()


def test_nothing_of_the_payload_is_left_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "facts.db"
    store = filled(f"sqlite:///{path}", 400)
    with store.write() as writer:
        writer.purge(list(range(400)), entry("audit/ag", "purge-log"))
    store.scrub()
    files = [one for one in tmp_path.iterdir() if one.is_file()]
    assert path in files
    assert [one.name for one in files if CANARY.encode() in one.read_bytes()] == []
    store.close()


def test_scattered_entries_are_told_in_several(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_RANGES > 1000
    monkeypatch.setattr("sandbox.store.writer.MOST_RANGES", 3)
    store = filled(database_url, 20)
    with store.write() as writer:
        assert writer.purge(list(range(0, 20, 2)), entry("audit/ag", "purge-log")) == 10
    with store.read() as reader:
        told = [one.details["positions"] for _, one in reader.entries() if one.action == "purge-log"]
    assert [len(positions) for positions in told] == [3, 3, 3, 1]
    assert [one for positions in told for one in positions] == [[seq, seq] for seq in range(0, 20, 2)]
    store.close()


@pytest.mark.requirement("R-193")
def test_no_setting_samples_the_log(granted: Scene) -> None:
    """Every act leaves its entry: no parameter, setting or argument of the writers could leave one out."""
    names = [parameter.key for parameter in PARAMETERS.values()]
    names += [field.name for field in dataclasses.fields(Settings)]
    for made in (Store.__init__, Control.__init__, Control.note, Store.write):
        names += list(inspect.signature(made).parameters)
    source = "\n".join(
        path.read_text(encoding="utf-8") for path in Path(sandbox.__file__).parent.rglob("*.py")
    )
    names += re.findall(r"SANDBOX_[A-Z_]+", source)
    assert {"logs.retention_years", "database", "SANDBOX_DATABASE"} <= set(names)
    wrong = re.compile(r"sampl|log_level|log_rate|audit_(off|on|rate|level)|throttl", re.IGNORECASE)
    assert [name for name in names if wrong.search(name)] == []
    assert sorted(name for name in names if name.startswith("logs.")) == [
        "logs.clock_start",
        "logs.retention_years",
        "logs.scope",
        "logs.site_floor_years",
    ]
    size = len(granted.log())
    for number in range(200):
        granted.control.note(granted.who("reviewer"), "read-evidence", f"egress-request/{number}")
    assert [one.object for one in granted.log(size)] == [f"egress-request/{number}" for number in range(200)]


@pytest.mark.parametrize(("late", "code", "said"), [(False, 2, "RETENTION"), (True, 0, "purged")])
def test_the_command(
    scene_of: object, late: bool, code: int, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scene: Scene = scene_of(granted=True)  # type: ignore[operator]
    work = Work(scene.control, StubExecutor(tmp_path / "tasks", {}), scene.space.places, scene.space.gate)
    scene.act("chief", "agreement", "ag-a", "terminate", {"ground": "term", "law": "GD 39"})
    scene.act("operator", "agreement", "ag-a", "hand_over", {"reason": "done"})
    work.step("agreement/ag-a")
    scene.act("chief", "agreement", "ag-a", "verify_deletion")
    work.step("agreement/ag-a")
    if late:
        scene.clock.now = years_later(sealed(scene), 6)
    settings = scene.space.settings
    monkeypatch.setattr(spaces, "Space", functools.partial(spaces.Space, clock=scene.clock))
    env = {
        "SANDBOX_HOME": str(settings.home),
        "SANDBOX_DATABASE": settings.database,
        "SANDBOX_PROFILE": settings.profile,
        "SANDBOX_TOKEN": scene.token("admin"),
    }
    ran = CliRunner().invoke(app, ["purge", "ag-a", "--lang", "en"], env=env)
    assert ran.exit_code == code, ran.output
    assert said in ran.output
    ran = CliRunner().invoke(app, ["purge", "ag-a"], env={**env, "SANDBOX_TOKEN": scene.token("chief")})
    assert (ran.exit_code, "ROLE" in ran.output) == (2, True)
