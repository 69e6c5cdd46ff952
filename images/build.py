"""Builds the images without a registry, a Dockerfile or a network inside the build.

``.venv/bin/python images/build.py [--force] [--without-engine] [--folder FOLDER] [--tag PREFIX]``

The tables stand in ``recipe.py``, how a layer is made in ``layers.py``. Layers are tar files with
sorted names and one fixed time, and an image's configuration is written here, so equal inputs give an equal
digest. In FOLDER (``SANDBOX_IMAGES``, by default ``var``) lie afterwards:

- ``image-layers/<layer>-<12 hex of its diff id>.tar``: the layers, uncompressed;
- ``image-contents/<image>.cdx.json``: what is in each image, CycloneDX 1.6;
- ``images.json``: per image its digest, configuration, layers from the bottom (file, diff id, bytes), the
  hash of its contents list, and the packages with their versions;
- ``images.signed.json``, ``images.pub``, ``keys/images.pem``: the list of images that may run, and its keys.

The engine gets the layers it lacks; ``--without-engine`` is for a machine that has none (bubblewrap).
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file: its neighbours are ``images.*``
from images import components, layers, recipe
from images.load import has, load, tag_of
from sandbox.executor import images as lists

ENGINE = os.environ.get("SANDBOX_ENGINE", "unix:///run/sandbox-engine/docker.sock")
FORMAT = "2"  # of the notes and the record: another one is made anew


def say(zh: str, en: str) -> None:
    """One line, both languages."""
    print(f"  {zh} / {en}", flush=True)


def hash_of(*parts: bytes | str) -> str:
    """SHA-256 over length-prefixed parts."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "big") + raw)
    return total.hexdigest()


class Workshop:
    """The layers in ``folder``, each made when it is first asked for and its inputs have changed."""

    def __init__(self, folder: Path, force: bool = False) -> None:
        self.folder = folder
        self.cache = folder / "image-layers"
        self.contents = folder / "image-contents"
        self.lock = layers.locked(layers.LOCK.read_text())
        self._force = force
        self._made: dict[str, dict[str, Any]] = {}
        layers.check_complete(self.lock)
        for path in (self.cache, self.contents):
            path.mkdir(parents=True, exist_ok=True)

    def requirements(self, name: str) -> str:
        """The lines of the lock file for the layer ``name``."""
        return "".join(self.lock[package] for package in recipe.WHEELS[name])

    def inputs(self, name: str) -> str:
        """Hash of what the layer ``name`` depends on."""
        code = [(layers.REPO / f"images/{file}.py").read_bytes() for file in ("layers", "components")]
        if name == recipe.ROOTFS:
            return hash_of(FORMAT, *code, *recipe.DEBS, *recipe.DEB_EXCLUDE)
        if name == recipe.OCR:
            return hash_of(FORMAT, *code, *recipe.OCR_DEBS, *recipe.OCR_KEEP)
        left_out = sorted([*recipe.WHEEL_FOLDERS, *recipe.WHEEL_SUFFIXES, *recipe.WHEEL_PARTS])
        return hash_of(
            FORMAT, *code, self.requirements(name), *left_out, self.layer(recipe.ROOTFS)["diff_id"]
        )

    def layer(self, name: str) -> dict[str, Any]:
        """The note of a shared layer: ``inputs``, ``diff_id``, ``file``, ``bytes``, ``components``."""
        if name in self._made:
            return self._made[name]
        inputs, note = self.inputs(name), self.cache / f"{name}.json"
        known = json.loads(note.read_text()) if note.exists() else {}
        if self._force or known.get("inputs") != inputs or not (self.folder / known["file"]).exists():
            say(f"制作镜像层 {name}", f"making the image layer {name}")
            known = {"inputs": inputs, **self._write(name, self._maker(name))}
            lists.write(note, json.dumps(known).encode())
        self._made[name] = known
        return known

    def own(self, image: recipe.Image) -> dict[str, Any]:
        """The top layer of ``image``, as ``layer``."""
        rootfs = self.file(recipe.ROOTFS)

        def make(scratch: Path) -> layers.Content:
            return layers.own_content(scratch, image, layers.unpack(rootfs, scratch / "rootfs"))

        return self._write(f"own-{image.name}", make)

    def own_hash(self, image: recipe.Image) -> str:
        """Hash of the names and contents of our own files in ``image``."""
        found = [(str(file.relative_to(layers.REPO)), file) for file in layers.own_files(image)]
        return hash_of(*(part for name, file in found for part in (name, file.read_bytes())))

    def file(self, name: str) -> Path:
        """The tar of a shared layer."""
        return self.folder / str(self.layer(name)["file"])

    def _maker(self, name: str) -> Callable[[Path], layers.Content]:
        if name == recipe.ROOTFS:
            return lambda scratch: layers.rootfs_content(scratch, self.cache / "debs")
        if name == recipe.OCR:
            return lambda scratch: layers.ocr_content(scratch, self.cache / "debs")
        rootfs, wishes = self.file(recipe.ROOTFS), self.requirements(name)
        return lambda scratch: layers.wheel_content(
            scratch, wishes, layers.unpack(rootfs, scratch / "rootfs")
        )

    def _write(self, name: str, make: Callable[[Path], layers.Content]) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=self.cache) as scratch:
            part = Path(scratch) / "layer.tar"
            parts = layers.write_layer(part, make(Path(scratch)))
            with part.open("rb") as file:
                diff_id = hashlib.file_digest(file, "sha256").hexdigest()
            target = self.cache / f"{name}-{diff_id[:12]}.tar"
            part.replace(target)
        return {
            "diff_id": f"sha256:{diff_id}",
            "file": str(target.relative_to(self.folder)),
            "bytes": target.stat().st_size,
            "components": parts,
        }

    def inputs_of(self, image: recipe.Image) -> str:
        """Hash of all that ``image`` is made from; makes the shared layers that are not there."""
        below = [str(self.layer(name)["diff_id"]) for name in image.layers]
        return hash_of(FORMAT, self.own_hash(image), *below, configuration(image, []))

    def image(self, image: recipe.Image) -> dict[str, Any]:
        """Build ``image``: its row of the record."""
        made = [*(self.layer(name) for name in image.layers), self.own(image)]
        config = configuration(image, [layer["diff_id"] for layer in made])
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        parts = [part for layer in made for part in layer["components"]]
        contents = self.contents / f"{image.name}.cdx.json"
        document = components.document(image.name, digest, parts)
        lists.write(contents, document)
        return {
            "digest": digest,
            "inputs": self.inputs_of(image),
            "configuration": config.decode(),
            "layers": [{key: layer[key] for key in ("file", "diff_id", "bytes")} for layer in made],
            "contents": {
                "file": str(contents.relative_to(self.folder)),
                "sha256": hashlib.sha256(document).hexdigest(),
            },
            "packages": {part["bom-ref"]: part["version"] for part in parts if "version" in part},
        }

    def tidy(self, record: dict[str, Any]) -> None:
        """Remove layers that no image of ``record`` names."""
        named = {layer["file"] for row in record.values() for layer in row["layers"]}
        for path in self.cache.glob("*.tar"):
            if str(path.relative_to(self.folder)) not in named:
                path.unlink()
        for path in (*self.cache.glob("*.json"), *self.contents.glob("*.json")):
            if path.name.split(".")[0] not in {*recipe.WHEELS, *recipe.DEB_LAYERS, *record}:
                path.unlink()


def configuration(image: recipe.Image, diff_ids: list[str]) -> bytes:
    """The image's configuration; its SHA-256 is the image's digest."""
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": recipe.CREATED,
            "config": {
                "User": f"{recipe.UID}:{recipe.UID}",
                "Env": ["PATH=/usr/bin", f"TASK_IMAGE={image.name}"],
                "WorkingDir": "/tmp",  # noqa: S108 - the container's own, in memory
                "Cmd": ["python3", "-I", "-m", "sandbox.task"],
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [
                {"created": recipe.CREATED, "created_by": f"images/build.py {image.name}"} for _ in diff_ids
            ],
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One build at a time in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(
    folder: Path, client: docker.APIClient | None, tag: str, images: tuple[recipe.Image, ...], force: bool
) -> dict[str, Any]:
    """Build what is not current, hand it to the engine, write the record and sign the list.

    The order matters to a worker that runs meanwhile: an image is in the engine before the list names it.
    """
    path = folder / lists.RECORD
    record = json.loads(path.read_text()) if path.exists() else {}
    record = {image.name: record[image.name] for image in images if "layers" in record.get(image.name, {})}
    workshop = Workshop(folder, force)
    for image in images:
        known = record.get(image.name, {})
        whole = all((folder / layer["file"]).exists() for layer in known.get("layers", [{"file": "-"}]))
        if force or not whole or known["inputs"] != workshop.inputs_of(image):
            record[image.name] = workshop.image(image)
            digest = record[image.name]["digest"]
            say(f"镜像 {image.name} 已就绪：{digest[:19]}", f"image {image.name} is ready: {digest[:19]}")
    encoded = (json.dumps(record, indent=1, sort_keys=True) + "\n").encode()
    if not path.exists() or path.read_bytes() != encoded:
        lists.write(path, encoded)
    built = lists.read_record(folder)
    for image in images if client else ():
        if not has(client, built[image.name].digest, tag_of(tag, image.name)):
            load(client, built[image.name], tag_of(tag, image.name), folder)
    sign(folder, built)
    workshop.tidy(record)
    return record


def sign(folder: Path, built: dict[str, lists.Built]) -> None:
    """Sign the list if the key is here; say so if it is not."""
    signer = lists.make_key(folder)
    if signer is None:
        say(
            "签名密钥不在本机，请运行 sandbox images sign",
            "the signing key is elsewhere: run sandbox images sign",
        )
        return
    envelope, target = lists.sign(built, signer), folder / lists.SIGNED
    if not target.exists() or target.read_bytes() != envelope:
        lists.write(target, envelope)


def main() -> None:
    """Build, with the options of the module's text."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--force", action="store_true", help="make every layer anew")
    parser.add_argument("--without-engine", action="store_true", help="layers, record and list only")
    parser.add_argument("--folder", type=Path, default=lists.home())
    parser.add_argument("--tag", default="sandbox", help="prefix of the engine's tags")
    options = parser.parse_args()
    with alone(options.folder):
        client = None
        if not options.without_engine:
            client = docker.APIClient(base_url=ENGINE, version="1.41", timeout=600)
        build(options.folder, client, options.tag, recipe.IMAGES, options.force)


if __name__ == "__main__":
    main()
