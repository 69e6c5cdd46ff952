"""The images' layers unpacked, for an executor without an engine; an image is named by its digest here too.

What may run, and its layers, say the signed list and the build's record (``images``). Below ``rootfs`` in the
same folder stand ``layers/<hash>``, each unpacked once, and ``<digest>``, the image: the same files under
further names (hard links), upper layers over lower ones.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.core.errors import fail
from sandbox.executor.images import ImageList, Layer

DIGEST = re.compile("[0-9a-f]{64}")
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Rootfs:
    """The images of ``images``, by default those of ``images.home()``, unpacked beside their list."""

    def __init__(self, images: ImageList | None = None) -> None:
        self.images = images or ImageList()
        self.folder = self.images.folder.resolve() / "rootfs"

    def path(self, digest: str) -> Path:
        """The root file system of the image ``digest`` (``sha256:…``), unpacked now if it never was.

        IMAGE_LIST, IMAGE_UNTRUSTED and IMAGE_RECORD as in ``images``; IMAGE_UNTRUSTED too if somebody else
        could change what stands there; IMAGE_UNKNOWN if it cannot be unpacked.
        """
        name = self.images.check(digest)
        target = self.folder / digest.removeprefix("sha256:")
        if not target.is_dir():
            self._unpack(name, digest, target)
        for trusted in (self.folder, target):
            told = trusted.stat()
            if told.st_uid not in (0, os.geteuid()) or told.st_mode & OTHERS_WRITE:
                raise fail("IMAGE_UNTRUSTED", image=digest)
        return target

    def _unpack(self, name: str, digest: str, target: Path) -> None:
        try:
            with self._alone():
                if target.is_dir():  # by another process while we waited
                    return
                part = self._fresh(target)
                for layer in self.images.layers(name):
                    _merge(self._layer(layer), part)
                part.chmod(0o755)
                part.rename(target)
                self._prune()
        except (OSError, subprocess.CalledProcessError) as error:
            raise fail("IMAGE_UNKNOWN", image=digest) from error

    def _layer(self, layer: Layer) -> Path:
        """The layer unpacked; its tar has been compared with its hash."""
        target = self.folder / "layers" / layer.diff_id.removeprefix("sha256:")
        if target.is_dir():
            return target
        part = self._fresh(target)
        command = ["tar", "--extract", "--no-same-owner", "--same-permissions", "--directory", str(part)]
        with layer.file.open("rb") as content:
            subprocess.run(command, stdin=content, check=True, capture_output=True)  # noqa: S603 - as above
        part.chmod(0o755)
        part.rename(target)
        return target

    def _prune(self) -> None:
        """Remove what was unpacked of images and layers that the signed list no longer has; an image that a
        task still runs on (``house.Given.hold``) stays until the next time."""
        signed = self.images.signed().values()
        digests = {row["digest"] for row in signed}
        layers = {layer for row in signed for layer in row["layers"]}
        for folder, kept in ((self.folder, digests), (self.folder / "layers", layers)):
            for path in folder.iterdir():
                if not DIGEST.fullmatch(path.name) or f"sha256:{path.name}" in kept or not _unused(path):
                    continue
                gone = path.with_name(f".{path.name}.part")  # half of it shall not stand under its name
                shutil.rmtree(gone, ignore_errors=True)
                path.rename(gone)
                shutil.rmtree(gone)

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


def _unused(path: Path) -> bool:
    """Whether nobody holds the folder."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


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
