"""The log in the database, exported and verified: by the library and by the command line."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import text
from typer.testing import CliRunner

from sandbox.api.app import create_app
from sandbox.audit import Checkpoint, FileSigner, VerifierKey, verify_bundle
from sandbox.audit.entry import encode
from sandbox.audit.tree import CompactRange, hasher, verify_consistency, verify_inclusion
from sandbox.cli.audit import app
from sandbox.control.space import Settings, Space
from sandbox.core.resource import Entry, Resource
from sandbox.store import Store
from tests.plugins.vault import MASTER, folder_of
from tests.refusal import refused

AT = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


def entry(object: str, actor: str = "chen") -> Entry:
    return Entry(AT, actor, "op", "operator", "apply", object)


def fill(store: Store, start: int, count: int) -> None:
    with store.write() as writer:
        for number in range(start, start + count):
            made = Resource("job", f"j-{number}", "op", "draft", {})
            writer.put(made, entry(made.ref, f"a{number}"), expected=0)


@pytest.fixture(params=["sha256", "sm3"])
def log(request: pytest.FixtureRequest, database_url: str, signer: FileSigner) -> Iterator[Store]:
    """Twelve entries, signed at five and at twelve."""
    store = Store(database_url, algorithm=request.param, signer=signer)
    store.upgrade()
    fill(store, 0, 5)
    store.checkpoint()
    fill(store, 5, 7)
    store.checkpoint()
    yield store
    store.close()


def signed(store: Store) -> list[tuple[Checkpoint, VerifierKey]]:
    with store.read() as reader:
        return reader.checkpoints()


def break_in(store: Store, *statements: str) -> None:
    """As one who owns the database: the triggers are taken away first."""
    with store._engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            drops = [f"DROP TRIGGER {name}" for name in names.scalars()]
            drops.append("PRAGMA defer_foreign_keys = ON")
        else:
            drops = [
                "DROP FUNCTION sandbox_append_only() CASCADE",
                "ALTER TABLE resource_version DROP CONSTRAINT fk_resource_version_entry",
            ]
        for statement in [*drops, *statements]:
            connection.execute(text(statement))


def test_the_exported_bundle_verifies_with_what_was_handed_out(log: Store, tmp_path: Path) -> None:
    (early, key), (late, _) = signed(log)
    assert (early.size, late.size) == (5, 12)
    assert log.export(tmp_path / "bundle") == late
    for checkpoint in (early, late):
        result = verify_bundle(tmp_path / "bundle", checkpoint.note, str(key))
        assert (result.ok, result.size, result.checkpoints) == (True, 12, 2)


def test_an_export_signs_the_present_head_first(log: Store, tmp_path: Path) -> None:
    fill(log, 12, 3)
    assert log.export(tmp_path / "bundle.tar").size == 15
    assert verify_bundle(tmp_path / "bundle.tar").size == 15


def test_a_head_is_signed_once(log: Store) -> None:
    assert log.checkpoint() == log.checkpoint()
    assert len(signed(log)) == 2


def test_without_a_key_nothing_is_signed_and_the_signed_part_is_exported(
    log: Store, database_url: str, tmp_path: Path
) -> None:
    fill(log, 12, 3)
    keyless = Store(database_url, algorithm=signed(log)[0][0].algorithm)
    with refused("AUDIT_NO_SIGNER"):
        keyless.checkpoint()
    assert keyless.export(tmp_path / "bundle").size == 12
    assert verify_bundle(tmp_path / "bundle").size == 12
    keyless.close()


def test_a_log_that_was_never_signed_is_not_exported(database_url: str, tmp_path: Path) -> None:
    store = Store(database_url)
    store.upgrade()
    with refused("AUDIT_BUNDLE"):
        store.export(tmp_path / "bundle")
    store.close()


def test_a_receipt_can_be_proved(log: Store) -> None:
    """Inclusion of one entry, and that the later log extends the earlier."""
    (early, _), (late, _) = signed(log)
    h = hasher(late.algorithm)
    with log.read() as reader:
        leaves = [leaf for _, _, leaf, _ in reader.raw_entries(12)]
        for seq in range(5):
            proof = reader.inclusion(seq, 12)
            assert verify_inclusion(leaves[seq], seq, 12, proof, late.root, h)
            assert not verify_inclusion(leaves[seq + 1], seq, 12, proof, late.root, h)
        proof = reader.consistency(5, 12)
        assert verify_consistency(5, 12, proof, early.root, late.root, h)
    with refused("AUDIT_PROOF"), log.read() as reader:
        reader.inclusion(12, 12)
    with refused("AUDIT_PROOF"), log.read() as reader:
        reader.consistency(5, 13)


def test_the_owner_of_the_database_changes_an_entry(log: Store, tmp_path: Path) -> None:
    early = signed(log)[0][0]
    forged = {
        "sqlite": "CAST(replace(CAST(body AS TEXT), '\"a7\"', '\"b7\"') AS BLOB)",
        "postgresql": "convert_to(replace(convert_from(body, 'UTF8'), '\"a7\"', '\"b7\"'), 'UTF8')",
    }[log._engine.dialect.name]
    break_in(log, f"UPDATE audit SET body = {forged} WHERE seq = 7")
    log.export(tmp_path / "after")
    result = verify_bundle(tmp_path / "after", early.note)
    assert (result.ok, result.problem, result.position) == (False, "CHANGED", 7)


def test_the_owner_of_the_database_deletes_an_entry(log: Store, tmp_path: Path) -> None:
    break_in(log, "DELETE FROM resource_version WHERE entry = 7", "DELETE FROM audit WHERE seq = 7")
    log.export(tmp_path / "after")
    result = verify_bundle(tmp_path / "after")
    assert (result.ok, result.problem, result.position) == (False, "DELETED", 7)


def test_the_owner_of_the_database_rewrites_everything(log: Store, tmp_path: Path) -> None:
    """Bodies, leaves, head and checkpoints, signed anew by the space's own key: one note outside shows it."""
    (early, key), _ = signed(log)
    h = hasher(early.algorithm)
    with log.read() as reader:
        rows = list(reader.raw_entries(12))
    state = CompactRange()
    break_in(log, "DELETE FROM checkpoint")
    with log._engine.begin() as connection:
        for seq, body, _, _ in rows:
            forged = body.replace(b'"a2"', b'"b2"')
            state = state.append(h.leaf(forged), h)
            connection.execute(
                text("UPDATE audit SET body = :body, leaf = :leaf WHERE seq = :seq"),
                {"body": forged, "leaf": h.leaf(forged), "seq": seq},
            )
        connection.execute(text("UPDATE audit_head SET hashes = :hashes"), {"hashes": state.to_bytes()})
    log.export(tmp_path / "after")
    assert verify_bundle(tmp_path / "after", public_key=str(key)).ok
    result = verify_bundle(tmp_path / "after", early.note, str(key))
    assert (result.ok, result.problem, result.position, result.position_until) == (False, "ROOT", 0, 4)


def test_a_damaged_head_stops_writing(log: Store) -> None:
    break_in(log, "UPDATE audit_head SET size = 13")
    with refused("AUDIT_HEAD"), log.write():
        pass


def test_an_entry_that_was_tampered_with_is_not_shown_as_one(log: Store) -> None:
    with log.read() as reader:
        assert reader.entries(start=11)[0][0] == 11
    forged = encode(entry("job/x")).replace(b'"format":1', b'"format":9')
    hexed = f"X'{forged.hex()}'" if log._engine.dialect.name == "sqlite" else f"'\\x{forged.hex()}'"
    break_in(log, f"UPDATE audit SET body = {hexed} WHERE seq = 11")
    with refused("AUDIT_ENTRY"), log.read() as reader:
        reader.entries(start=11)


# the command line


def cli(*words: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.requirement("R-195")
def test_verify_exits_1_with_the_position_of_a_changed_byte(log: Store, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    log.export(bundle)
    (note, key) = (bundle / "checkpoint.txt", bundle / "keys.txt")
    assert cli("verify", bundle, "--checkpoint", note, "--key", key, "--lang", "en")[0] == 0

    lines = (bundle / "entries.jsonl").read_bytes().splitlines(keepends=True)
    lines[6] = lines[6].replace(b"a6", b"a7")
    (bundle / "entries.jsonl").write_bytes(b"".join(lines))
    code, out, _ = cli("verify", bundle, "--checkpoint", note, "--key", key, "--lang", "en")
    assert code == 1
    assert "entry 6 was changed" in out
    code, out, _ = cli("verify", bundle, "--format", "json")
    assert code == 1
    told = json.loads(out)
    assert (told["ok"], told["problem"], told["position"]) == (False, "CHANGED", 6)
    assert "第 6 条被改动" in told["message_zh"]


@pytest.mark.requirement("R-195")
def test_no_route_deletes_or_edits_events(database_url: str, tmp_path: Path) -> None:
    """With the administrator's own token: every verb but GET on the log is refused and changes nothing."""
    settings = Settings(
        tmp_path / "home",
        database_url,
        f"sqlite:///{tmp_path}/work.db",
        master=MASTER,
        vault=str(folder_of(tmp_path)),
    )
    token = Space.init(settings)
    space = Space(settings)
    routes = [route for route in create_app(space).routes if isinstance(route, APIRoute)]
    assert "/v1/audit" in {route.path for route in routes}
    changing = [route for route in routes if (route.methods or set()) - {"GET", "HEAD"}]
    assert changing
    assert [
        route.path for route in changing if "audit" in route.path or "DELETE" in (route.methods or set())
    ] == []

    with space.store.read() as reader:
        before = reader.entries()
    assert before

    async def answers() -> dict[tuple[str, str], int]:
        transport = httpx.ASGITransport(create_app(space))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://space", headers=headers) as client:
            return {
                (verb, path): (await client.request(verb, path, json={})).status_code
                for path in ("/v1/audit", "/v1/audit/0", "/v1/audit/bundle")
                for verb in ("DELETE", "PUT", "PATCH", "POST")
            }

    given = asyncio.run(answers())
    assert {call: code for call, code in given.items() if code not in (404, 405, 422)} == {}
    with space.store.read() as reader:
        assert reader.entries()[: len(before)] == before
    space.store.close()


def test_verify_warns_of_what_it_could_not_hold_the_bundle_against(log: Store, tmp_path: Path) -> None:
    log.export(tmp_path / "bundle")
    code, out, err = cli("verify", tmp_path / "bundle", "--lang", "zh")
    assert code == 0
    assert "审计日志完好：12 条" in out
    assert "--key" in err
    assert "--checkpoint" in err


@pytest.mark.parametrize(
    ("environment", "word"),
    [({"LC_ALL": "", "LANG": "C"}, "完好"), ({"LC_ALL": "", "LANG": "en_US.UTF-8"}, "intact")],
)
def test_the_language_is_chinese_unless_english_is_asked_for(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], word: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store.export(tmp_path / "bundle")
    assert word in cli("verify", tmp_path / "bundle")[1]


def test_verify_refuses_what_is_no_bundle_checkpoint_or_key(store: Store, tmp_path: Path) -> None:
    store.export(tmp_path / "bundle")
    (tmp_path / "empty").mkdir()
    code, out, err = cli("verify", tmp_path / "empty", "--format", "json")
    assert code == 1
    assert json.loads(out)["code"] == "AUDIT_BUNDLE"
    assert "AUDIT_BUNDLE" in err
    code, out, err = cli("verify", tmp_path / "empty")
    assert (code, out, "AUDIT_BUNDLE" in err) == (1, "", True)
    assert cli("verify", tmp_path / "absent")[0] == 2
    for option, expected in (("--checkpoint", "AUDIT_CHECKPOINT"), ("--key", "AUDIT_KEY")):
        code, _, err = cli("verify", tmp_path / "bundle", option, tmp_path / "absent")
        assert code == 2
        assert expected in err


def test_export_and_verify_through_the_command_line(
    database_url: str, signer: FileSigner, tmp_path: Path
) -> None:
    store = Store(database_url)
    store.upgrade()
    fill(store, 0, 3)
    store.close()
    words: list[str | Path] = [
        "export",
        "--database",
        database_url,
        "--out",
        tmp_path / "bundle",
        "--lang",
        "en",
    ]
    code, _, err = cli(*words)
    assert (code, "AUDIT_BUNDLE" in err) == (2, True)
    code, out, _ = cli(*words, "--signing-key", tmp_path / "signing.key")
    assert code == 0
    assert "exported 3 entries" in out
    assert cli("verify", tmp_path / "bundle")[0] == 0
    code, _, err = cli(*words, "--signing-key", tmp_path / "signing.key")
    assert (code, "AUDIT_BUNDLE" in err) == (2, True)
    assert cli("export", "--database", "nonsense", "--out", tmp_path / "x")[0] == 2


def test_verifying_needs_no_database_library(log: Store, tmp_path: Path) -> None:
    """An auditor's machine has the verifier and nothing of the space."""
    log.export(tmp_path / "bundle")
    program = (
        "import sys; sys.argv = ['audit', 'verify', sys.argv[1]]; from sandbox.cli.audit import app\n"
        "try: app()\n"
        "finally: assert not {'sqlalchemy', 'psycopg', 'alembic', 'duckdb'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "bundle")], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
