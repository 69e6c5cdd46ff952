"""Unpacked images do not pile up: what the signed list no longer has goes, unless a task runs on it."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path
from typing import Any

from sandbox.executor.house import Given
from sandbox.executor.images import Layer
from sandbox.executor.rootfs import Rootfs


class Listed:
    """A list of images whose signature is not the question here; each has one layer with one file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, dict[str, Any]] = {}

    def put(self, name: str, text: str) -> str:
        """The image ``name`` from now on; its digest."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            info = tarfile.TarInfo("file.txt")
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        diff = f"sha256:{hashlib.sha256(content.getvalue()).hexdigest()}"
        (self.folder / f"{diff[7:]}.tar").write_bytes(content.getvalue())
        digest = f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        self.rows[name] = {"digest": digest, "layers": [diff]}
        return digest

    def signed(self) -> dict[str, dict[str, Any]]:
        return self.rows

    def check(self, digest: str) -> str:
        return next(name for name, row in self.rows.items() if row["digest"] == digest)

    def layers(self, name: str) -> tuple[Layer, ...]:
        return tuple(Layer(one, self.folder / f"{one[7:]}.tar", 1) for one in self.rows[name]["layers"])


def test_what_is_no_longer_listed_goes_unless_it_is_held(tmp_path: Path) -> None:
    listed: Any = Listed(tmp_path)
    rootfs = Rootfs(listed)
    used, unused = listed.put("sql", "used"), listed.put("check", "unused")
    held = Given.open("root", str(rootfs.path(used)))
    held.hold()
    layers = {one["layers"][0][7:] for one in listed.rows.values()}
    rootfs.path(unused)
    (rootfs.folder / "mine").mkdir()  # nothing of ours: stays

    fresh = [listed.put("sql", "newer"), listed.put("check", "newer too")]
    assert (rootfs.path(fresh[0]) / "file.txt").read_text() == "newer"
    assert names(rootfs.folder) == {used[7:], fresh[0][7:], "layers", "mine"}
    assert not names(rootfs.folder / "layers") & layers
    assert (tmp_path / "rootfs" / used[7:] / "file.txt").read_text() == "used"  # whole, its layer gone

    os.close(held.handle)
    rootfs.path(fresh[1])
    assert names(rootfs.folder) == {fresh[0][7:], fresh[1][7:], "layers", "mine"}


def names(folder: Path) -> set[str]:
    """What stands in a folder, but for what is hidden."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}
