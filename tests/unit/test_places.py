"""The folders of the domain: keys made once, inputs assembled whole and never touched again, deletion."""

from __future__ import annotations

import re
import stat
import threading
from pathlib import Path

import pytest

from sandbox.control.places import Places
from sandbox.vault import Vault
from tests.refusal import refused


@pytest.fixture
def places(vault: Vault) -> Places:
    return Places(vault)


def test_a_key_is_made_once_for_each_workspace_and_name(places: Places) -> None:
    key = places.key("ag-a", "sc-a", "subject")
    assert re.fullmatch(r"[0-9a-f]{64}", key)
    assert places.key("ag-a", "sc-a", "subject") == key
    others = {
        places.key("ag-a", "sc-a", "other"),
        places.key("ag-a", "sc-b", "subject"),
        places.key("ag-b", "sc-a", "subject"),
    }
    assert len(others | {key}) == 4


def test_a_keys_name_is_never_a_path(places: Places, tmp_path: Path) -> None:
    for name in ("../../escape", "/etc/passwd", "a/b", "..", "", "x" * 5000, "主体"):
        places.key("ag-a", "sc-a", name)
    keys = places.agreements / "ag-a" / "sc-a" / "keys"
    assert len(list(keys.iterdir())) == 7
    assert {path for path in places.vault.root.rglob("*") if path.is_file()} == set(keys.iterdir())
    assert not (tmp_path / "escape").exists()
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o600}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700


def test_all_who_ask_for_a_new_key_at_once_get_the_same(places: Places) -> None:
    start, keys = threading.Barrier(8), []

    def ask() -> None:
        start.wait()
        keys.append(places.key("ag-a", "sc-a", "subject"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1
    assert len(list((places.agreements / "ag-a" / "sc-a" / "keys").iterdir())) == 1  # no part is left


def test_what_was_assembled_is_whole_and_stays_as_it_is(places: Places, tmp_path: Path) -> None:
    """After a crash the container that has the folder mounted may still run: it must not change under it."""
    source = tmp_path / "home" / "source"
    source.parent.mkdir()
    source.write_bytes(b"data")
    folder = places.assemble("job-a", "data", {"a.parquet": source, "eg-1/b.csv": source})
    identity = folder.stat().st_ino, (folder / "a.parquet").stat().st_ino
    assert (folder / "eg-1" / "b.csv").read_bytes() == b"data"
    again = places.assemble("job-a", "data", {"other": source})
    assert again == folder
    assert (folder.stat().st_ino, (folder / "a.parquet").stat().st_ino) == identity
    assert places.assemblies() == ["job-a"]
    places.forget("job-a")
    assert places.assemblies() == []
    assert source.read_bytes() == b"data"
    places.forget("job-a")


def test_what_cannot_be_assembled_whole_is_not_there(places: Places, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    with pytest.raises(OSError, match="absent"):
        places.assemble("job-a", "data", {"a": source, "b": tmp_path / "absent"})
    assert [path.name for path in (places.assembled / "job-a").iterdir()] == []


@pytest.mark.parametrize("name", ["../x.py", "/tmp/x.py", "a/b.py", "..", ""])
def test_a_code_files_name_is_never_a_path(places: Places, tmp_path: Path, name: str) -> None:
    with refused("MALFORMED"):
        places.write("job-a", "code", {"main.py": "x", name: "y"})
    assert [path for path in places.vault.root.rglob("*") if path.is_file()] == []
    assert [path.name for path in tmp_path.iterdir()] == ["a"]  # the vault's keys


def test_code_is_written_as_it_is(places: Places) -> None:
    folder = places.write("job-a", "code", {"main.py": "print('中文')\n", "b.sql": "SELECT 1"})
    assert (folder / "main.py").read_text(encoding="utf-8") == "print('中文')\n"
    assert places.write("job-a", "code", {"main.py": "other"}) == folder
    assert (folder / "main.py").read_text(encoding="utf-8") == "print('中文')\n"


def test_two_workers_assemble_the_same_at_once(places: Places, tmp_path: Path) -> None:
    source = tmp_path / "home" / "source"
    source.parent.mkdir()
    source.write_bytes(b"data")
    start, folders = threading.Barrier(6), []

    def assemble() -> None:
        start.wait()
        folders.append(places.assemble("job-a", "data", {"a": source}))

    threads = [threading.Thread(target=assemble) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(folders) == 6
    assert [path.name for path in (places.assembled / "job-a").iterdir()] == ["data"]


def test_an_inventory_and_the_end_of_everything(places: Places) -> None:
    places.blobs("ag-a", "sc-a", "raw").take(iter([b"raw"]))
    places.key("ag-a", "sc-b", "subject")
    kept, _ = places.blobs("ag-b", "sc-c", "raw").take(iter([b"another's"]))
    kept_files = [one for one in places.inventory("ag-a") if not one["name"].endswith(".json")]
    assert sorted((one["scenario"], one["place"], one["bytes"]) for one in kept_files) == [
        ("sc-a", "raw", 3),
        ("sc-b", "keys", 64),
    ]
    wrapped = [one for one in places.inventory("ag-a") if one["name"].endswith(".json")]
    assert [(one["scenario"], one["place"]) for one in wrapped] == [("sc-a", "keys"), ("sc-b", "keys")]
    assert places.scenarios() == [("ag-a", "sc-a"), ("ag-a", "sc-b"), ("ag-b", "sc-c")]
    places.destroy("ag-a")
    assert places.inventory("ag-a") == []
    assert not (places.agreements / "ag-a").exists()
    assert places.blobs("ag-b", "sc-c", "raw").names() == [kept]
    places.destroy("ag-a")


def test_a_destroyed_key_does_not_come_back(places: Places) -> None:
    before = places.key("ag-a", "sc-a", "subject")
    places.destroy("ag-a")
    assert places.key("ag-a", "sc-a", "subject") != before


def test_inputs_of_several_keys_are_copied_and_the_most_bytes_are_not(places: Places, tmp_path: Path) -> None:
    large, _ = places.blobs("ag-a", "sc-a", "raw").take(iter([b"large" * 100]))
    small, _ = places.blobs("ag-a", "sc-b", "review").take(iter([b"small"]))
    sources = {
        "large": places.blobs("ag-a", "sc-a", "raw").path(large),
        "small": places.blobs("ag-a", "sc-b", "review").path(small),
    }
    folder = places.assemble("job-a", "data", sources)
    assert folder.is_relative_to(places.agreements / "ag-a" / "sc-a")
    assert (folder / "large").stat().st_ino == sources["large"].stat().st_ino
    assert (folder / "small").stat().st_ino != sources["small"].stat().st_ino
    assert (folder / "small").read_bytes() == b"small"
    assert stat.S_IMODE((folder / "small").stat().st_mode) == 0o644
    code = places.write("job-a", "code", {"main.py": "x"})
    assert code.is_relative_to(places.assembled)
    assert places.assemblies() == ["job-a"]
    assert places.scenarios() == [("ag-a", "sc-a"), ("ag-a", "sc-b")]
    places.forget("job-a")
    assert places.assemblies() == []
    assert not folder.exists()


def test_looking_makes_no_workspace(places: Places) -> None:
    assert places.blobs("ag-a", "sc-a", "raw").names() == []
    assert places.inventory("ag-a") == []
    places.destroy("ag-a")
    assert places.scenarios() == []
    assert not (places.agreements / "ag-a").exists()
