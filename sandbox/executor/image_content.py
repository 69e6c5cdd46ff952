"""Looks into an image: every file is on the signed contents list, and nothing is there to escalate with.

The image is read from the engine (what would really run) or from the layers of the build. Its hash chain is
followed from the digest: configuration, layers, files. The checker shares no table with the build, so that a
mistake there shows here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BufferedReader
from pathlib import Path
from typing import Any, cast

from docker.errors import ImageNotFound

from sandbox.executor.docker import calls
from sandbox.executor.images import Built

SAVE_SECONDS = 600.0
LINK = "sandbox:link"
PROGRAMS = {"usr/bin/python3.11", "usr/bin/tesseract", "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"}
SHELLS = {"ash", "bash", "busybox", "csh", "dash", "fish", "ksh", "rbash", "sh", "tcsh", "toybox", "zsh"}
MANAGERS = {
    "apk", "apt", "apt-get", "conda", "dnf", "dpkg", "easy_install", "ensurepip", "gem", "npm", "pip", "pip3",
    "rpm", "setuptools", "uv", "yum",
}  # fmt: skip
SETTINGS = {
    ".condarc", ".npmrc", ".pypirc", "apt.conf", "direct_url.json", "pip.conf", "pip.ini", "sources.list",
    "uv.toml",
}  # fmt: skip
APT = Path("/etc/apt")


class Flaw(StrEnum):
    """What is wrong with an image; each value is a word of ``sandbox images verify``."""

    ABSENT = "absent"  # the engine, or the folder of the build, does not have it
    CHAIN = "chain"  # configuration or layer has not the hash that the digest says
    CONTENTS = "contents"  # the contents list is not the one that was signed
    UNLISTED = "unlisted"  # a file of no package on the list
    ALTERED = "altered"  # a file that is not the one on the list
    MISSING = "missing"  # a file on the list that is not there
    DEVICE = "device"  # neither file, folder nor symbolic link; also what hides a file of a lower layer
    SETUID = "setuid"
    WRITABLE = "writable"  # by everybody, /tmp apart; or owned by another than root
    PROGRAM = "program"  # executable, and neither Python, the loader nor the reader of pictures
    SHELL = "shell"
    MANAGER = "manager"  # of packages
    SETTING = "setting"  # a package manager's, where addresses stand
    HOST = "host"  # a mirror that this machine uses is named in it


@dataclass(frozen=True)
class Finding:
    """One flaw, and where: a path in the image, or the image's part."""

    flaw: Flaw
    where: str


@dataclass(frozen=True)
class Opened:
    """An image's bytes: its configuration and its layers (uncompressed tars), bottom first."""

    configuration: bytes
    layers: list[BufferedReader]


@contextmanager
def from_folder(built: Built) -> Iterator[Opened | None]:
    """The image from the layers of the build; None if one is not there."""
    with ExitStack() as stack:
        try:
            files = [stack.enter_context(layer.file.open("rb")) for layer in built.layers]
        except OSError:
            yield None
            return
        yield Opened(built.configuration, list(files))


@contextmanager
def from_engine(built: Built, engine: str) -> Iterator[Opened | None]:
    """The image as the engine at ``engine`` gives it out; None if it has none. ENGINE_UNREACHABLE."""
    with ExitStack() as stack:
        api = stack.enter_context(calls(engine))
        api.timeout = SAVE_SECONDS
        archive = stack.enter_context(tempfile.TemporaryFile())
        try:
            api.inspect_image(built.digest)  # an absent one is a 500 when saved
            for part in api.get_image(built.digest):
                archive.write(part)
        except ImageNotFound:
            yield None
            return
        archive.seek(0)
        outer = stack.enter_context(tarfile.open(fileobj=archive))
        yield _saved(outer)


def _saved(outer: tarfile.TarFile) -> Opened:
    """An archive of `docker save`; in it, a layer may be a link to another."""

    def member(name: str) -> BufferedReader:
        file = outer.extractfile(name)
        assert file is not None
        return cast(BufferedReader, file)

    manifest = json.load(member("manifest.json"))[0]
    return Opened(member(manifest["Config"]).read(), [member(name) for name in manifest["Layers"]])


def mirror_hosts() -> set[str]:
    """The hosts that this machine takes packages from: in apt's sources, pip's settings and environment."""
    texts = [os.environ.get(name, "") for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL")]
    for path in (APT / "sources.list", *sorted(APT.glob("sources.list.d/*"))):
        if path.is_file():
            lines = path.read_text(errors="replace").splitlines()
            texts += [line for line in lines if not line.startswith("#")]
    command = [sys.executable, "-m", "pip", "config", "list"]
    texts.append(subprocess.run(command, capture_output=True, text=True, check=False).stdout)  # noqa: S603
    return set(re.findall(r"https?://(?:[^/@\s]*@)?([^/:\s'\"]+)", "\n".join(texts)))


def examine(built: Built, opened: Opened | None, signed: dict[str, Any], hosts: set[str]) -> list[Finding]:
    """Everything that is wrong with ``built``, whose statement on the signed list is ``signed``."""
    if opened is None:
        return [Finding(Flaw.ABSENT, built.name)]
    found = list(_chain(built, opened, signed))
    try:
        document = built.contents.read_bytes()
        if hashlib.sha256(document).hexdigest() != signed["contents_sha256"]:
            found.append(Finding(Flaw.CONTENTS, built.contents.name))
        listed = listed_files(json.loads(document))
    except (OSError, ValueError, KeyError, TypeError):
        return [*found, Finding(Flaw.CONTENTS, built.contents.name)]
    seen: set[str] = set()
    for layer in opened.layers:
        layer.seek(0)
        with tarfile.open(fileobj=layer, mode="r:") as tar:
            for member in tar:
                seen.add(member.name)
                found += [Finding(flaw, f"/{member.name}") for flaw in _flaws(tar, member, listed, hosts)]
    return found + [Finding(Flaw.MISSING, f"/{name}") for name in sorted(set(listed) - seen)]


def _chain(built: Built, opened: Opened, signed: dict[str, Any]) -> Iterator[Finding]:
    """Digest -> configuration -> layers."""
    if f"sha256:{hashlib.sha256(opened.configuration).hexdigest()}" != signed["digest"]:
        yield Finding(Flaw.CHAIN, "configuration")
        return
    named = json.loads(opened.configuration)["rootfs"]["diff_ids"]
    there = [f"sha256:{hashlib.file_digest(layer, 'sha256').hexdigest()}" for layer in opened.layers]
    if named != signed["layers"] or len(named) != len(there):
        yield Finding(Flaw.CHAIN, built.name)
    yield from (Finding(Flaw.CHAIN, name) for name, seen in zip(named, there, strict=False) if name != seen)


def listed_files(contents: dict[str, Any]) -> dict[str, str]:
    """Path in the image -> SHA-256 of the file or ``-> target`` of the link, from a contents list."""
    found = {}
    for part in contents["components"]:
        for file in part.get("components", []):
            links = [one["value"] for one in file.get("properties", []) if one["name"] == LINK]
            name = str(file["name"]).removeprefix("/")
            found[name] = f"-> {links[0]}" if links else str(file["hashes"][0]["content"])
    return found


def _flaws(
    tar: tarfile.TarFile, member: tarfile.TarInfo, listed: dict[str, str], hosts: set[str]
) -> Iterator[Flaw]:
    name, last = member.name, Path(member.name).name
    by_name = {Flaw.SHELL: SHELLS, Flaw.MANAGER: MANAGERS, Flaw.SETTING: SETTINGS}
    yield from (flaw for flaw, names in by_name.items() if last in names)
    if member.mode & 0o6000:
        yield Flaw.SETUID
    if (member.mode & 0o022 and not member.issym() and name != "tmp") or member.uid or member.gid:
        yield Flaw.WRITABLE
    if member.isdir():
        return
    if not (member.isreg() or member.issym()) or last.startswith(".wh."):
        yield Flaw.DEVICE
        return
    actual = f"-> {member.linkname}"
    if member.isreg():
        if member.mode & 0o111 and name not in PROGRAMS:
            yield Flaw.PROGRAM
        content = tar.extractfile(member).read()  # type: ignore[union-attr]
        actual = hashlib.sha256(content).hexdigest()
        if any(host.encode() in content for host in hosts):
            yield Flaw.HOST
    if name not in listed:
        yield Flaw.UNLISTED
    elif listed[name] != actual:
        yield Flaw.ALTERED
