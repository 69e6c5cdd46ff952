"""Bytes by hash: what is no regular file, what is half written, what is too much, what was changed."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.store.blobs import Blobs
from tests.refusal import refused

CONTENT = b"district,people\nA,120\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def everything(blobs: Blobs) -> list[str]:
    return sorted(path.name for path in blobs.folder.iterdir()) if blobs.folder.exists() else []


def test_a_file_is_kept_under_its_hash(blobs: Blobs, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    assert blobs.put(source) == (SHA, len(CONTENT))
    assert blobs.put(source) == (SHA, len(CONTENT))
    assert everything(blobs) == blobs.names() == [SHA]
    assert b"".join(blobs.read(SHA)) == CONTENT
    assert blobs.verified(SHA) == blobs.path(SHA)
    assert stat.S_IMODE(blobs.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(blobs.path(SHA).stat().st_mode) == 0o644
    source.write_bytes(b"changed afterwards")
    assert blobs.verified(SHA).read_bytes() == CONTENT
    assert blobs.remove(SHA) is True
    assert blobs.remove(SHA) is False
    assert everything(blobs) == []


def test_nothing_but_a_regular_file_is_taken(blobs: Blobs, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "link").symlink_to(secret)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        names = ("link", "dangling", "folder", "fifo", "socket", "absent")
        for path in (*(tmp_path / name for name in names), Path("/dev/zero")):
            with pytest.raises(
                OSError, match=r"regular|symbolic|No such|Too many"
            ):  # at once: a FIFO without a writer does not block
                blobs.put(path)
    assert everything(blobs) == []


def test_a_stream_that_breaks_off_leaves_nothing(blobs: Blobs) -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT
        raise ConnectionError

    with pytest.raises(ConnectionError):
        blobs.take(broken())
    assert everything(blobs) == []


def test_more_than_the_limit_leaves_nothing(blobs: Blobs) -> None:
    assert blobs.take(iter([CONTENT]), limit=len(CONTENT)) == (SHA, len(CONTENT))
    with refused("TOO_LARGE"):
        blobs.take(iter([CONTENT, b"x"]), limit=len(CONTENT))
    assert everything(blobs) == [SHA]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../secret",
        "/etc/hostname",
        "0" * 64,
        "0" * 63,
        "a/" * 32,
        "." * 64,
        f"{SHA}/..",
        f"./{SHA}",
        SHA + "\n",
    ],
)
def test_a_name_that_is_no_hash_of_something_there_leads_nowhere(blobs: Blobs, name: str) -> None:
    blobs.take(iter([CONTENT]))
    (blobs.folder.parent / "secret").write_bytes(b"secret")
    for verb in (blobs.path, blobs.verified, lambda one: b"".join(blobs.read(one))):
        with refused("BLOB_MISSING"):
            verb(name)


def test_a_removal_of_what_is_no_hash_removes_nothing(blobs: Blobs) -> None:
    blobs.take(iter([CONTENT]))
    (blobs.folder.parent / "secret").write_bytes(b"secret")
    assert blobs.remove("../secret") is False
    assert (blobs.folder.parent / "secret").exists()


def test_changed_content_is_not_given(blobs: Blobs) -> None:
    blobs.take(iter([CONTENT]))
    blobs.path(SHA).write_bytes(CONTENT.replace(b"120", b"121"))
    with refused("BLOB_DAMAGED"):
        blobs.verified(SHA)


def test_a_link_in_the_folder_is_no_content(blobs: Blobs, tmp_path: Path) -> None:
    blobs.take(iter([CONTENT]))
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    blobs.path(SHA).unlink()
    (blobs.folder / SHA).symlink_to(other)
    with refused("BLOB_MISSING"):
        blobs.path(SHA)


def test_a_file_half_written_by_the_dead_is_dropped_and_no_ones_else(blobs: Blobs) -> None:
    blobs.take(iter([CONTENT]))
    old, young = blobs.folder / ".part-old", blobs.folder / ".part-young"
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (time.time() - 100, time.time() - 100))
    assert blobs.names() == [SHA]
    assert blobs.drop_parts(60) == 1
    assert everything(blobs) == [young.name, SHA]
    assert Blobs(blobs.folder / "absent").drop_parts(0) == 0


def test_many_writers_of_the_same_content_agree(blobs: Blobs) -> None:
    start, results = threading.Barrier(8), []

    def take() -> None:
        start.wait()
        results.append(blobs.take(iter([CONTENT])))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(SHA, len(CONTENT))] * 8
    assert everything(blobs) == [SHA]


def test_names_of_a_folder_that_is_not_there(blobs: Blobs) -> None:
    assert blobs.names() == []
    assert blobs.remove(SHA) is False
