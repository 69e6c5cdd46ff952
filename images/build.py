"""Builds the two images without a registry, a Dockerfile or a network inside the build.

``.venv/bin/python images/build.py [--force]``: ``job`` and ``check`` from three kinds of layer:

- *base*: Python 3.11 and a few libraries, unpacked from the distribution's packages (no shell, no package
  manager, no setuid file), and the locked Python packages of ``requirements/images.txt``, precompiled;
- *pillow* (``check`` only): what opens pictures;
- *own*: our data-plane packages and the policies, a small layer that a change of code rebuilds in seconds.

The layers are tar files with sorted names and one fixed time, and the image's configuration is written here,
so equal inputs give an equal digest. The engine is handed a `docker save` archive
(https://github.com/moby/moby/blob/master/image/spec/v1.2.md); a layer it has already is left out.
``var/images.json`` says what was built from what. Distribution packages are verified by apt.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import io
import json
import os
import py_compile
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker

REPO = Path(__file__).resolve().parents[1]
VAR = REPO / "var"
CACHE = VAR / "image-layers"
RECORD = VAR / "images.json"
ENGINE = os.environ.get("SANDBOX_ENGINE", "unix:///run/sandbox-engine/docker.sock")
EPOCH = 1767225600  # 2026-01-01T00:00:00Z: the time of every file and image
CREATED = "2026-01-01T00:00:00Z"
UID = 61000  # the images' own user; a task runs as a user of its own (sandbox/executor/profile.py)
SITE = "usr/local/lib/python3.11/dist-packages"

# The whole of the root file system. dbm, curses, readline and nis stay out: a task has no terminal.
DEBS = (
    "libbz2-1.0",
    "libc6",
    "libcrypt1",
    "libexpat1",
    "libffi8",
    "libgcc-s1",
    "libgomp1",
    "liblzma5",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libsqlite3-0",
    "libssl3",
    "libstdc++6",
    "libuuid1",
    "python3.11-minimal",
    "python3.11",
    "tzdata",
    "zlib1g",
)
DEB_EXCLUDE = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/lintian",
    "usr/share/applications",
    "usr/share/binfmts",
    "usr/share/pixmaps",
    "usr/sbin",
    "etc/apt",
)
SITE_EXCLUDE = {"tests", "include", "__pycache__", "bin"}
OWN = ("__init__.py", "core", "policy", "task", "workspace", "desensitize")
PILLOW = "pillow"


@dataclass(frozen=True)
class Image:
    """One image: the packages of ours that it holds beyond ``OWN``, and its extra layers."""

    name: str
    own: tuple[str, ...]
    layers: tuple[str, ...]


IMAGES = (Image("job", OWN, ("base",)), Image("check", (*OWN, "egress"), ("base", "pillow")))


def say(zh: str, en: str) -> None:
    """One line, both languages."""
    print(f"  {zh} / {en}", flush=True)


def digest_of(parts: Iterator[bytes] | list[bytes]) -> str:
    """SHA-256 over length-prefixed parts."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def locked(name: str) -> list[str]:
    """The lines of ``requirements/images.txt`` that belong to ``name``."""
    lines = (REPO / "requirements/images.txt").read_text().splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = start + 1
    while end < len(lines) and lines[end].startswith(" "):
        end += 1
    return lines[start:end]


def recipe_hash() -> str:
    """Hash of what the cached layers depend on: this file and the lock file."""
    return digest_of([Path(__file__).read_bytes(), (REPO / "requirements/images.txt").read_bytes()])


def run(*command: str, **options: Any) -> None:
    """A build step; its output is shown only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} … ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def write_layer(target: Path, entries: list[tuple[str, Path]]) -> None:
    """A reproducible tar of ``(name in image, file on disk)``; parents are added, setuid bits dropped."""

    def clean(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = EPOCH
        executable = info.isdir() or info.mode & 0o111
        info.mode = 0o1777 if info.name == "tmp" else 0o755 if executable else 0o644
        return info

    parents = {str(parent) for name, _ in entries for parent in Path(name).parents if str(parent) != "."}
    listed = {name for name, _ in entries}
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        folder = tarfile.TarInfo()
        for name in sorted(parents | listed):
            if name in listed:
                continue
            folder = tarfile.TarInfo(name)
            folder.type = tarfile.DIRTYPE
            folder.mode = 0o755
            entries.append((name, Path()))
        for name, path in sorted(entries):
            if path == Path():
                folder = tarfile.TarInfo(name)
                folder.type = tarfile.DIRTYPE
                folder.mode = 0o755
                tar.addfile(clean(folder))
            else:
                tar.add(path, name, recursive=False, filter=clean)


def tree(root: Path, prefix: str = "") -> list[tuple[str, Path]]:
    """Every file, link and folder below ``root``, named from ``prefix``."""
    return [(str(Path(prefix) / path.relative_to(root)), path) for path in root.rglob("*")]


def pip_site(target: Path, requirement: Path) -> None:
    """The locked packages into ``target``, trimmed of what a task never needs."""
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-compile", "--no-deps",
        "--only-binary=:all:", "--python-version=3.11", "--target", str(target), "-r", str(requirement),
    )  # fmt: skip
    for path in list(target.rglob("*")):
        if path.is_dir() and not path.is_symlink() and path.name in SITE_EXCLUDE:
            shutil.rmtree(path)
        elif path.suffix in {".pyi", ".pxd", ".h"} or ("flight" in path.name and path.suffix != ".py"):
            path.unlink(missing_ok=True)
    for record in target.glob("*.dist-info/RECORD"):
        record.unlink()  # lists the files that were just removed


def compile_python(root: Path, folder: str) -> None:
    """Byte code beside the source, made by the image's own interpreter; never checked against the source."""
    (root / "dev/shm").mkdir(parents=True, exist_ok=True)
    run(
        "/usr/sbin/chroot", str(root), "/usr/bin/python3.11", "-m", "compileall", "-q", "-j0",
        "--invalidation-mode", "unchecked-hash", f"/{folder}",
        env={"PATH": "/usr/bin", "PYTHONHASHSEED": "0"},
    )  # fmt: skip
    shutil.rmtree(root / "dev")


def make_rootfs(root: Path) -> dict[str, str]:
    """The distribution's packages unpacked into ``root``; returns their versions."""
    for folder in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    downloads = CACHE / "debs"
    shutil.rmtree(downloads, ignore_errors=True)
    downloads.mkdir(parents=True)
    if subprocess.run(["apt-cache", "show", "python3.11-minimal"], capture_output=True).returncode:
        run("apt-get", "update", "-qq")
    run("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *DEBS, cwd=downloads)
    versions = {}
    exclude = [f"--exclude=./{path}" for path in DEB_EXCLUDE]
    for deb in sorted(downloads.glob("*.deb")):
        name, version, _ = deb.name.split("_", 2)
        versions[name] = version.replace("%3a", ":")
        archive = downloads / "data.tar"
        with archive.open("wb") as out:
            subprocess.run(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=out, check=True)
        run("tar", "-x", "--keep-directory-symlink", *exclude, "-C", str(root), "-f", str(archive))
    shutil.rmtree(downloads)
    (root / "usr/bin/python3").symlink_to("python3.11")
    etc = root / "etc"
    (etc / "passwd").write_text(f"job:x:{UID}:{UID}:job:/tmp:/usr/sbin/nologin\n")
    (etc / "group").write_text(f"job:x:{UID}:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    run("ldconfig", "-r", str(root))
    for spare in ("var", "sbin", "usr/sbin"):
        path = root / spare
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    for mount in ("in", "out", "tmp", "proc", "sys", "dev"):
        (root / mount).mkdir(exist_ok=True)
    compile_python(root, "usr/lib/python3.11")
    return versions


def make_base(target: Path) -> dict[str, Any]:
    """The layer ``base``: root file system, Python packages without Pillow."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        versions = make_rootfs(root)
        lines = (REPO / "requirements/images.txt").read_text().splitlines()
        pillow = set(locked(PILLOW))
        requirement = Path(scratch) / "base.txt"
        requirement.write_text("\n".join(line for line in lines if line not in pillow) + "\n")
        pip_site(root / SITE, requirement)
        compile_python(root, SITE)
        for folder in ("proc", "sys", "dev", "tmp"):
            (root / folder).mkdir(exist_ok=True)
        write_layer(target, tree(root))
    return {"packages": versions}


def make_pillow(target: Path) -> dict[str, Any]:
    """The layer ``pillow``."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        site = Path(scratch) / "site"
        requirement = Path(scratch) / "pillow.txt"
        requirement.write_text("\n".join(locked(PILLOW)) + "\n")
        pip_site(site, requirement)
        write_layer(target, tree(site, SITE))
    return {}


LAYERS: dict[str, Callable[[Path], dict[str, Any]]] = {"base": make_base, "pillow": make_pillow}


def cached_layer(name: str, recipe: str) -> tuple[Path, dict[str, Any]]:
    """The tar of the layer ``name`` and what is noted of it, built if the recipe changed."""
    target, note = CACHE / f"{name}.tar", CACHE / f"{name}.json"
    if note.exists():
        known: dict[str, Any] = json.loads(note.read_text())
        if known["recipe"] == recipe and target.exists():
            return target, known
    say(f"制作镜像层 {name}", f"making the image layer {name}")
    note.unlink(missing_ok=True)
    known = {"recipe": recipe, **LAYERS[name](target)}
    with target.open("rb") as file:
        known["diff_id"] = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    note.write_text(json.dumps(known, indent=1))
    return target, known


def own_files(image: Image) -> list[tuple[str, Path]]:
    """Our own files in ``image``: the packages that exist by now, and the policies beside them."""
    found = []
    for part in image.own:
        path = REPO / "sandbox" / part
        inside = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
        found += [(f"{SITE}/{file.relative_to(REPO)}", file) for file in inside if wanted(file)]
    policies = sorted((REPO / "policies").rglob("*"))
    return found + [(f"{SITE}/{file.relative_to(REPO)}", file) for file in policies if wanted(file)]


def compiled(files: list[tuple[str, Path]], scratch: Path) -> list[tuple[str, Path]]:
    """Byte code for our own modules (the build runs on the images' Python version), placed beside them."""
    found = []
    for name, file in files:
        if file.suffix != ".py":
            continue
        target = Path(importlib.util.cache_from_source(name))
        code = scratch / hashlib.sha256(name.encode()).hexdigest()
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(file), str(code), f"/{name}", doraise=True, invalidation_mode=mode)
        found.append((str(target), code))
    return found


def wanted(file: Path) -> bool:
    """Whether a file of ours goes into an image; the one exit (gate.py) is the control plane's."""
    hidden = any(part.startswith((".", "__pycache__")) for part in file.relative_to(REPO).parts)
    return file.is_file() and not hidden and file.relative_to(REPO) != Path("sandbox/egress/gate.py")


def own_hash(image: Image) -> str:
    """Hash of ``own_files``: names and contents."""
    return digest_of([part for name, file in own_files(image) for part in (name.encode(), file.read_bytes())])


def configuration(image: Image, diff_ids: list[str]) -> bytes:
    """The image's configuration; its SHA-256 is the image's digest."""
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": CREATED,
            "config": {
                "User": f"{UID}:{UID}",
                "Env": ["PATH=/usr/bin"],
                "WorkingDir": "/tmp",  # noqa: S108 - the container's own, in memory
                "Cmd": ["python3", "-I", "-m", "sandbox.task"],
            },
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": [{"created": CREATED, "created_by": "images/build.py"} for _ in diff_ids],
        },
        sort_keys=True,
        separators=(",", ":"),
    ).encode()


def load(client: docker.APIClient, image: Image, layers: list[tuple[str, Path]]) -> str:
    """Hand the engine an archive of ``layers`` (diff id, tar); returns the digest of the image."""
    config = configuration(image, [diff_id for diff_id, _ in layers])
    name = hashlib.sha256(config).hexdigest()
    manifest = [
        {
            "Config": f"{name}.json",
            "RepoTags": [f"sandbox/{image.name}:current"],
            "Layers": [f"{diff_id.removeprefix('sha256:')}.tar" for diff_id, _ in layers],
        }
    ]
    present = engine_layers(client)
    with tempfile.TemporaryFile(dir=CACHE) as archive:
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for label, content in (
                ("manifest.json", json.dumps(manifest).encode()),
                (f"{name}.json", config),
            ):
                info = tarfile.TarInfo(label)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            chain: list[str] = []
            for diff_id, path in layers:
                chain.append(diff_id)
                if tuple(chain) not in present:
                    tar.add(path, f"{diff_id.removeprefix('sha256:')}.tar")
        archive.seek(0)
        for answer in client.load_image(archive):
            if "error" in answer:
                sys.exit(f"the engine refused the image {image.name}: {answer['error']}")
    digest = f"sha256:{name}"
    client.inspect_image(digest)  # raises if the engine knows it by another digest
    return digest


def engine_layers(client: docker.APIClient) -> set[tuple[str, ...]]:
    """The layer chains that the engine holds, as tuples of diff ids from the bottom up."""
    chains = set()
    for known in client.images(name="sandbox/*"):
        ids = client.inspect_image(known["Id"])["RootFS"].get("Layers", [])
        chains |= {tuple(ids[:depth]) for depth in range(1, len(ids) + 1)}
    return chains


def is_current(client: docker.APIClient, image: Image, inputs: str) -> bool:
    """Whether ``image`` was built from ``inputs`` and the engine's tag still stands at it."""
    if not RECORD.exists():
        return False
    noted = json.loads(RECORD.read_text()).get(image.name, {})
    if noted.get("inputs") != inputs:
        return False
    try:
        return bool(client.inspect_image(f"sandbox/{image.name}:current")["Id"] == noted["digest"])
    except docker.errors.ImageNotFound:
        return False


def build(client: docker.APIClient, image: Image, recipe: str) -> dict[str, Any]:
    """Build ``image`` and return its record."""
    inputs = digest_of([recipe.encode(), own_hash(image).encode()])
    layers: list[tuple[str, Path]] = []
    packages: dict[str, str] = {}
    for name in image.layers:
        path, known = cached_layer(name, recipe)
        layers.append((known["diff_id"], path))
        packages |= known.get("packages", {})
    own = CACHE / f"own-{image.name}.tar"
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        files = own_files(image)
        write_layer(own, files + compiled(files, Path(scratch)))
    layers.append((f"sha256:{hashlib.sha256(own.read_bytes()).hexdigest()}", own))
    digest = load(client, image, layers)
    say(f"镜像 {image.name} 已就绪：{digest[:19]}", f"image {image.name} is ready: {digest[:19]}")
    return {"digest": digest, "inputs": inputs, "packages": packages}


@contextmanager
def alone() -> Iterator[None]:
    """One build at a time in this folder."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main() -> None:
    """Build what is not current; write ``var/images.json``."""
    force = "--force" in sys.argv[1:]
    with alone():
        client = docker.APIClient(base_url=ENGINE, version="1.41", timeout=600)
        recipe = recipe_hash()
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        for image in IMAGES:
            inputs = digest_of([recipe.encode(), own_hash(image).encode()])
            if force or not is_current(client, image, inputs):
                record[image.name] = build(client, image, recipe)
                RECORD.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
