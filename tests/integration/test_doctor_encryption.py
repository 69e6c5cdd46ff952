"""The doctor's row on encryption at rest: tried on the real file systems, and nothing of the trial stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.control import health
from sandbox.control.health import encryption
from sandbox.core.errors import fail
from sandbox.vault import volume
from sandbox.vault.volume import Image


def test_this_machine_can_keep_bytes_encrypted(tmp_path: Path) -> None:
    row = encryption(tmp_path / "space")
    assert (row.name, row.ok, row.mend_zh) == ("encryption", True, "")
    assert row.found in ("file system", "image")
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_a_named_folder_that_cannot_encrypt_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "can_encrypt", lambda folder: False)
    row = encryption(tmp_path, str(tmp_path))
    assert (row.ok, row.found) == (False, "-")
    assert "SANDBOX_VAULT" in row.mend_zh
    assert "SANDBOX_VAULT" in row.mend_en


def absent(program: str, *words: str) -> str:
    """No such program."""
    raise fail("VAULT_UNAVAILABLE", missing=program)


def test_a_machine_without_the_tools_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "can_encrypt", lambda folder: False)
    monkeypatch.setattr(volume, "_run", absent)
    row = encryption(tmp_path)
    assert (row.ok, bool(row.mend_en)) == (False, True)
    assert "mkfs.ext4" in row.found
    assert list(tmp_path.iterdir()) == []


def test_an_image_that_takes_no_key_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "can_encrypt", lambda folder: False)
    row = encryption(tmp_path)
    assert (row.ok, row.found) == (False, "image: takes no key")
    assert not Image(tmp_path / "trial.img", tmp_path / "trial").attached()
    assert list(tmp_path.iterdir()) == []
