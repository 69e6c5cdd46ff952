"""The master key's sources and the wrapped keys: what is wrong, exposed, exchanged or altered is refused."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

import pytest

from sandbox.core.errors import SandboxError
from sandbox.vault import Master
from sandbox.vault.records import Record, Records, unwrap, wrap
from tests.refusal import refused

KEY = bytes(range(64))


@pytest.fixture
def master(monkeypatch: pytest.MonkeyPatch) -> Master:
    monkeypatch.setenv("MASTER_ONE", secrets.token_hex(32))
    return Master("env:MASTER_ONE")


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Master:
    monkeypatch.setenv("MASTER_TWO", secrets.token_hex(32))
    return Master("env:MASTER_TWO")


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "workspaces")


# --- the master


def test_the_three_sources_give_the_same_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = secrets.token_hex(32)
    monkeypatch.setenv("MASTER", text)
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_text(text + "\n")
    names = {Master(one).name for one in ("env:MASTER", f"file:{path}", f"command:cat {path}")}
    assert len(names) == 1
    assert text not in names
    assert Master("env:MASTER").secret("a") != Master("env:MASTER").secret("b")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o700])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_text(secrets.token_hex(32))
    path.chmod(mode)
    with refused("VAULT_MASTER_EXPOSED"):
        Master(f"file:{path}").secret("wrap")


def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.touch(0o600)
    path.write_text(secrets.token_hex(32))
    os.chown(path, 61000, 61000)
    with refused("VAULT_MASTER_EXPOSED"):
        Master(f"file:{path}").secret("wrap")


def test_no_source_and_an_unknown_one(tmp_path: Path) -> None:
    with refused("VAULT_MASTER_MISSING"):
        Master("").secret("wrap")
    for source in ("https://keys", "file:", "env"):
        with refused("VAULT_SETTING"):
            Master(source).secret("wrap")


@pytest.mark.parametrize(
    "source",
    [
        "file:absent",
        "env:NOT_SET_ANYWHERE",
        "command:false",
        "command:/no/such/program",
        "command:'",
        "command:true",
    ],
)
def test_a_source_that_gives_nothing_is_told(source: str) -> None:
    with refused("VAULT_MASTER_UNUSABLE"):
        Master(source).secret("wrap")


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.touch(0o600)
    for text in ("", "ab" * 31, "AB" * 32, "ab" * 33, "zz" * 32):
        path.write_text(text)
        with refused("VAULT_MASTER_UNUSABLE"):
            Master(f"file:{path}").secret("wrap")
    link = tmp_path / "link"
    link.symlink_to(path)
    path.write_text("ab" * 32)
    assert Master(f"file:{path}").name
    for odd in (link, tmp_path):
        with refused("VAULT_MASTER_UNUSABLE"):
            Master(f"file:{odd}").secret("wrap")


def test_a_commands_arguments_are_not_told() -> None:
    with pytest.raises(SandboxError) as caught:
        Master("command:/bin/false --pin 4711").secret("wrap")
    assert caught.value.code == "VAULT_MASTER_UNUSABLE"
    assert "4711" not in json.dumps(caught.value.as_json())
    assert caught.value.details["source"] == "command:false"


# --- the wrapping


def test_a_key_is_unwrapped_by_its_master_for_its_workspace_only(master: Master, other: Master) -> None:
    text = wrap(master, "ag/sc", KEY)
    assert unwrap(master, "ag/sc", text) == KEY
    assert wrap(master, "ag/sc", KEY) != text  # a fresh nonce
    for who, workspace in ((other, "ag/sc"), (master, "ag/other")):
        with refused("VAULT_RECORD_DAMAGED"):
            unwrap(who, workspace, text)


def test_any_altered_byte_is_noticed(master: Master) -> None:
    raw = base64.b64decode(wrap(master, "ag/sc", KEY))
    for place in range(len(raw)):
        bad = bytearray(raw)
        bad[place] ^= 1
        with refused("VAULT_RECORD_DAMAGED"):
            unwrap(master, "ag/sc", base64.b64encode(bad).decode())
    for text in ("", "!", base64.b64encode(raw[:-1]).decode()):
        with refused("VAULT_RECORD_DAMAGED"):
            unwrap(master, "ag/sc", text)


# --- the records


def test_a_record_comes_back_and_holds_no_key_in_plain(records: Records, master: Master) -> None:
    coming = secrets.token_bytes(64)
    for record in (Record("ag/sc", KEY), Record("ag/sc", KEY, coming)):
        records.write(record, master)
        assert records.read("ag/sc", master) == record
    assert records.names() == ["ag/sc"]
    raw = records.path("ag/sc").read_bytes()
    for key in (KEY, coming):
        assert not {key, key.hex().encode(), base64.b64encode(key)[:40]} & {raw}
        assert key.hex().encode() not in raw
        assert base64.b64encode(key)[:40] not in raw
    assert records.path("ag/sc").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in records.path("ag/sc").parent.iterdir()] == ["sc.json"]


def test_another_master_is_told_from_damage(records: Records, master: Master, other: Master) -> None:
    records.write(Record("ag/sc", KEY), master)
    with refused("VAULT_MASTER_WRONG"):
        records.read("ag/sc", other)
    with refused("VAULT_UNKNOWN"):
        records.read("ag/none", master)


def test_records_cannot_be_exchanged_or_altered(records: Records, master: Master) -> None:
    for workspace in ("ag/one", "ag/two"):
        records.write(Record(workspace, secrets.token_bytes(64)), master)
    content = json.loads(records.path("ag/one").read_text())
    for damage in (
        content,  # the other one's, as it is
        {**content, "workspace": "ag/two"},  # and renamed
        {key: value for key, value in content.items() if key != "coming"},
        [],
    ):
        records.path("ag/two").write_text(json.dumps(damage))
        with refused("VAULT_RECORD_DAMAGED"):
            records.read("ag/two", master)
    records.path("ag/two").write_bytes(b"\xff{")
    with refused("VAULT_RECORD_DAMAGED"):
        records.read("ag/two", master)


def test_what_is_destroyed_or_replaced_is_overwritten(
    records: Records, master: Master, tmp_path: Path
) -> None:
    """A second name keeps the old block in sight."""
    records.write(Record("ag/sc", KEY), master)
    first, second = tmp_path / "first", tmp_path / "second"
    os.link(records.path("ag/sc"), first)
    records.write(Record("ag/sc", KEY), master)
    os.link(records.path("ag/sc"), second)
    assert set(first.read_bytes()) == {0}
    assert set(second.read_bytes()) != {0}
    assert records.destroy("ag/sc")
    assert set(second.read_bytes()) == {0}
    assert not records.destroy("ag/sc")
    assert records.names() == []


@pytest.mark.parametrize(
    "name", ["", "ag", "../x/y", "ag/..", "ag/.hidden", "/ag/sc", "ag/sc/x", "ag\n/sc", "a" * 200 + "/b"]
)
def test_a_workspaces_name_is_never_a_path(records: Records, name: str) -> None:
    with refused("MALFORMED"):
        records.path(name)
