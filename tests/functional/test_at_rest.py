"""After jobs over raw rows: not one identity in plain anywhere below the space, in use or at rest."""

from __future__ import annotations

import csv
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.control.space import Settings
from sandbox.demo.space import COMMAND
from sandbox.vault import Image, Vault
from tests.plugins.live import Live, LiveMaker

pytestmark = pytest.mark.engine
SAMPLE = 40


@pytest.fixture(scope="module")
def live(live_space: LiveMaker) -> Live:
    """A space that has loaded rows, made a primary product and run a job over it."""
    made = live_space()
    job = made.job()
    made.wait("job", job, "quarantined")
    return made


@pytest.fixture(scope="module")
def identities(live: Live) -> list[bytes]:
    """Identity numbers of the delivered file, as they would stand in plain."""
    with live.case.data.file.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["resident_id"].encode() for row in rows[:SAMPLE]]


def resting(live: Live) -> Vault:
    vault = Settings.from_env(live.space.env).resting()
    assert isinstance(vault, Vault)
    return vault


# In a process of its own: to close a file of SQLite is to lose the locks that this process has on it.
# Holes of a sparse file are passed over; pieces overlap, so that no value is cut in two.
SCAN = """
import os, re, sys
path, *values = sys.argv[1:]
wanted, found = re.compile(b"|".join(re.escape(bytes.fromhex(one)) for one in values)), set()
with open(path, "rb") as opened:
    place, end = 0, os.fstat(opened.fileno()).st_size
    while place < end:
        try:
            place = os.lseek(opened.fileno(), place, os.SEEK_DATA)
        except OSError:
            break
        found |= set(wanted.findall(os.pread(opened.fileno(), (4 << 20) + 64, place)))
        place += 4 << 20
print(len(found))
"""


def holds(file: Path, values: list[bytes]) -> int:
    """How many of ``values`` stand in the file's bytes."""
    command = [sys.executable, "-c", SCAN, str(file), *(value.hex() for value in values)]
    return int(subprocess.run(command, capture_output=True, check=True).stdout)


def keys(live: Live, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    told = {**live.space.env, "LC_ALL": "en_US.UTF-8", "COLUMNS": "120", **env}
    command = [*COMMAND, "keys", *words]
    return subprocess.run(command, env=told, capture_output=True, text=True, check=False)


def test_a_canary_is_in_no_byte_on_disk(live: Live, identities: list[bytes]) -> None:
    """Looked for in every file below the space, the raw image of the vault included. The controls: the very
    bytes are in the opened vault, and a plain file on the same volume is found in the raw image."""
    vault, home = resting(live), live.space.folder / "space"
    assert isinstance(vault.volume, Image)
    opened = [path for path in vault.root.rglob("*") if path.is_file()]
    assert any(path.parent.name == "raw" for path in opened)
    control = vault.root / "control"
    marker = secrets.token_hex(16).encode()
    control.write_bytes(marker)
    os.sync()
    try:
        closed = [path for path in home.rglob("*") if path.is_file() and not path.is_relative_to(vault.root)]
        assert vault.volume.file in closed
        assert {path.name: found for path in closed if (found := holds(path, identities))} == {}
        assert holds(vault.volume.file, [marker]) == 1
    finally:
        control.unlink()
    plain = vault.open(f"ag-demo/{live.case.scenario}") / "control"
    plain.write_bytes(b"\n".join(identities))
    os.sync()
    assert holds(plain, identities) == SAMPLE
    assert holds(vault.volume.file, identities) == 0
    plain.unlink()


def test_the_names_of_tasks_and_files_are_not_readable_either(live: Live) -> None:
    vault = resting(live)
    assert isinstance(vault.volume, Image)
    (name,) = [path.name for path in (vault.folder(f"ag-demo/{live.case.scenario}") / "raw").iterdir()]
    os.sync()
    assert holds(vault.volume.file, [name.encode()]) == 0


def test_keys_stand_open_and_are_not_changed_under_running_processes(live: Live) -> None:
    told = keys(live, "status")
    assert told.returncode == 0
    assert f"ag-demo/{live.case.scenario}" in told.stdout
    assert "readable" in told.stdout
    for words in (("rotate", "ag-demo", live.case.scenario), ("rewrap", "--to", "env:NEW"), ("lock",)):
        done = keys(live, *words, NEW=secrets.token_hex(32))
        assert done.returncode == 3
        assert "VAULT_IN_USE" in done.stderr
    refused = [entry for entry in live.log() if entry.outcome == "refused" and entry.reason == "VAULT_IN_USE"]
    assert [entry.action for entry in refused] == ["rotate-key", "rewrap-keys"]
    assert len(keys(live, "new").stdout.strip()) == 64


def test_stopped_rotated_rewrapped_and_started_it_goes_on(live: Live, tmp_path: Path) -> None:
    space, scenario = live.space, live.case.scenario
    for process in (space.server, space.worker):
        process.terminate()
        process.wait(60)
    before = {path.name for path in live.places.blobs("ag-demo", scenario, "raw").folder.iterdir()}
    new = tmp_path / "new-master.key"
    new.touch(0o600)
    new.write_text(keys(live, "new").stdout)
    assert keys(live, "rotate", "ag-demo", scenario).returncode == 0
    assert keys(live, "rewrap", "--to", f"file:{new}").returncode == 0
    told = keys(live, "status")
    assert told.returncode == 1
    assert "another master" in told.stdout
    refused = keys(live, "unlock")
    assert refused.returncode == 3
    assert "VAULT_MASTER_WRONG" in refused.stderr
    space.env["SANDBOX_MASTER"] = f"file:{new}"
    assert keys(live, "status").returncode == 0
    space.server = space.start("serve", "--port", space.url.rpartition(":")[2])
    space.worker = space.start("worker")
    space._ready()
    assert {path.name for path in live.places.blobs("ag-demo", scenario, "raw").folder.iterdir()} == before
    live.wait("job", live.job(), "quarantined")
    done = {entry.action: entry for entry in live.log() if entry.outcome == "done"}
    assert done["rotate-key"].object == f"workspace/ag-demo/{scenario}"
    assert done["rewrap-keys"].details["workspaces"] >= 1
    spoken = json.dumps([entry.details for entry in live.log()])
    assert new.read_text().strip() not in spoken


def test_without_its_master_nothing_starts(live: Live, tmp_path: Path) -> None:
    for home, env, code in (
        (tmp_path / "a", {"SANDBOX_MASTER": ""}, "VAULT_MASTER_MISSING"),
        (tmp_path / "b", {"SANDBOX_AT_REST": "plain"}, "VAULT_PLAIN_FORBIDDEN"),
    ):
        told = {**live.space.env, **env, "SANDBOX_HOME": str(home), "LC_ALL": "en_US.UTF-8"}
        told.pop("SANDBOX_DATABASE", None)
        done = subprocess.run(
            [sys.executable, "-m", "sandbox.cli.main", "init"],
            env=told,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 3
        assert code in done.stderr


def test_a_space_in_plain_has_no_keys(live: Live, tmp_path: Path) -> None:
    profile = tmp_path / "plain.yaml"
    profile.write_text(
        "profile: {name: plain, title: 明文, title_en: plain, version: 1.0.0, "
        "extends: national, status: in_force}\n"
        'parameters:\n  storage.plain: {value: allowed, basis: default, note: "测试 / a test"}\n',
        encoding="utf-8",
    )
    env = {
        "SANDBOX_PROFILE": str(profile),
        "SANDBOX_AT_REST": "plain",
        "SANDBOX_HOME": str(tmp_path / "home"),
    }
    done = keys(live, "status", **env)
    assert done.returncode == 2
    assert "VAULT_PLAIN" in done.stderr
