"""The images' layers unpacked, for an executor without an engine; an image is named by its digest here too.

``<store>/images.json`` and ``<store>/image-layers/*.tar`` are what ``images/build.py`` writes: per image its
digest and the ordered list of its layers, each with the hash of its tar (``diff_id``). Below
``<store>/rootfs`` stand ``layers/<hash>``, each unpacked once, and ``<digest>``, the image: the same files
under further names (hard links), upper layers over lower ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sandbox
from sandbox.core.errors import fail
from sandbox.executor import codes as codes  # registers the error codes

DEFAULT_STORE = Path(sandbox.__file__).resolve().parents[1] / "var"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Rootfs:
    """The images below ``store``, by default the folder that ``SANDBOX_IMAGES`` names, else ``var``."""

    def __init__(self, store: Path | None = None) -> None:
        self.store = (store or Path(os.environ.get("SANDBOX_IMAGES") or DEFAULT_STORE)).resolve()
        self.folder = self.store / "rootfs"

    def _record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads((self.store / "images.json").read_text())
        except (OSError, ValueError):
            return {}
        return record

    def digest(self, name: str) -> str:
        """The digest of the built image ``name``; IMAGE_UNKNOWN if there is none."""
        known = self._record().get(name)
        if not known:
            raise fail("IMAGE_UNKNOWN", image=name)
        return str(known["digest"])

    def path(self, digest: str) -> Path:
        """The root file system of the image ``digest`` (``sha256:…``), unpacked now if it never was.

        IMAGE_UNKNOWN if there are no such layers, or if what stands there could be changed by others.
        """
        target = self.folder / digest.removeprefix("sha256:")
        if not target.is_dir():
            self._unpack(digest, target)
        for trusted in (self.folder, target):
            told = trusted.stat()
            if told.st_uid not in (0, os.geteuid()) or told.st_mode & OTHERS_WRITE:
                raise fail("IMAGE_UNKNOWN", image=digest)
        return target

    def _unpack(self, digest: str, target: Path) -> None:
        known = next((one for one in self._record().values() if one.get("digest") == digest), None)
        if known is None or "layers" not in known:
            raise fail("IMAGE_UNKNOWN", image=digest)
        try:
            with self._alone():
                if target.is_dir():  # by another process while we waited
                    return
                part = self._fresh(target)
                for layer in known["layers"]:
                    _merge(self._layer(layer["file"], layer["diff_id"]), part)
                part.chmod(0o755)
                part.rename(target)
        except (OSError, subprocess.CalledProcessError) as error:
            raise fail("IMAGE_UNKNOWN", image=digest) from error

    def _layer(self, file: str, diff_id: str) -> Path:
        """The layer ``diff_id`` unpacked. OSError if the tar is absent or is not that layer."""
        target = self.folder / "layers" / diff_id.removeprefix("sha256:")
        if target.is_dir():
            return target
        archive = self.store / "image-layers" / Path(file).name
        with archive.open("rb") as content:
            if f"sha256:{hashlib.file_digest(content, 'sha256').hexdigest()}" != diff_id:
                raise OSError(f"{file} is not {diff_id}")
            content.seek(0)
            part = self._fresh(target)
            command = ["tar", "--extract", "--no-same-owner", "--same-permissions", "--directory", str(part)]
            subprocess.run(command, stdin=content, check=True, capture_output=True)  # noqa: S603 - as above
        part.rename(target)
        return target

    @staticmethod
    def _fresh(target: Path) -> Path:
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o755, parents=True)
        return part

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process unpacks at a time."""
        self.folder.mkdir(mode=0o755, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _merge(layer: Path, target: Path) -> None:
    """Give every entry of ``layer`` a name below ``target`` too; a file replaces a file of a lower layer."""
    for folder, inner, files in os.walk(layer):
        here = target / Path(folder).relative_to(layer)
        links = [name for name in inner if (Path(folder) / name).is_symlink()]
        for name in inner:
            if name not in links and not (here / name).is_dir():
                (here / name).mkdir()
                (here / name).chmod(stat.S_IMODE((Path(folder) / name).stat().st_mode))
        for name in (*files, *links):
            (here / name).unlink(missing_ok=True)
            os.link(Path(folder) / name, here / name, follow_symlinks=False)
