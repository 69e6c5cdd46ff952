"""Small images of a few files, as a build leaves them in a folder: record, layers, contents list, keys."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sandbox.executor import images as lists

PYTHON = "usr/bin/python3.11"
Entry = bytes | str | tarfile.TarInfo  # a file's content, a link's target, or anything else as it stands


class SmallImages:
    """Writes images into ``folder``; ``signed`` is what the list says of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record: dict[str, Any] = {}
        (folder / "image-layers").mkdir(parents=True)
        (folder / "image-contents").mkdir()
        self.signer = lists.make_key(folder)

    def add(
        self, name: str, *layers: dict[str, Entry], unlisted: frozenset[str] = frozenset(), mode: int = 0o644
    ) -> lists.Built:
        """An image of ``layers``, every file of which but ``unlisted`` is on its contents list."""
        made, files = [], []
        for number, layer in enumerate(layers):
            path = self.folder / f"image-layers/{name}-{number}.tar"
            with tarfile.open(path, "w") as tar:
                for file, entry in layer.items():
                    listed = self._write(tar, file, entry, mode)
                    files += [] if file in unlisted else listed
            made.append(
                {
                    "file": f"image-layers/{path.name}",
                    "diff_id": f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}",
                    "bytes": path.stat().st_size,
                }
            )
        config = json.dumps({"rootfs": {"diff_ids": [layer["diff_id"] for layer in made]}})
        contents = json.dumps({"components": [{"name": "all", "components": files}]}).encode()
        (self.folder / f"image-contents/{name}.json").write_bytes(contents)
        self.record[name] = {
            "digest": f"sha256:{hashlib.sha256(config.encode()).hexdigest()}",
            "configuration": config,
            "layers": made,
            "contents": {
                "file": f"image-contents/{name}.json",
                "sha256": hashlib.sha256(contents).hexdigest(),
            },
            "packages": {"libx": "1"},
        }
        (self.folder / lists.RECORD).write_text(json.dumps(self.record))
        return lists.read_record(self.folder)[name]

    def _write(self, tar: tarfile.TarFile, name: str, entry: Entry, mode: int) -> list[dict[str, Any]]:
        if isinstance(entry, tarfile.TarInfo):
            tar.addfile(entry)
            return []
        info = tarfile.TarInfo(name)
        info.mode = mode
        if isinstance(entry, str):
            info.type, info.linkname = tarfile.SYMTYPE, entry
            tar.addfile(info)
            return [{"name": f"/{name}", "properties": [{"name": "sandbox:link", "value": entry}]}]
        info.size = len(entry)
        tar.addfile(info, io.BytesIO(entry))
        return [{"name": f"/{name}", "hashes": [{"content": hashlib.sha256(entry).hexdigest()}]}]

    def sign(self) -> lists.ImageList:
        """Sign what was added, with the folder's own key."""
        assert self.signer is not None
        envelope = lists.sign(lists.read_record(self.folder), self.signer)
        (self.folder / lists.SIGNED).write_bytes(envelope)
        return lists.ImageList(self.folder)


@pytest.fixture
def small_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallImages:
    """An empty folder of images of the test's own, which is also where the command line looks."""
    folder = tmp_path / "images"
    monkeypatch.setenv("SANDBOX_IMAGES", str(folder))
    monkeypatch.delenv("SANDBOX_IMAGE_KEY", raising=False)
    return SmallImages(folder)
