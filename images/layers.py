"""Makes layers: reproducible tar files, and for each a note of which package every file in it comes from.

A layer is made in a scratch folder from downloads whose hash is known: distribution packages (verified by
apt) and locked wheels (verified by pip). Everything in it that depends on the day, the machine or the folder
is fixed: order, times, owners, modes, and the byte code, which the image's own interpreter writes.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from images import components, recipe

REPO = Path(__file__).resolve().parents[1]
LOCK = REPO / "requirements/images.txt"
EXECUTABLE = {recipe.PYTHON, recipe.OCR_PROGRAM, "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"}
TAG = ".cpython-311.pyc"
SHARDS = 4  # of the byte-code compilation; fixed, for what one process writes depends on what it wrote before
CODE = """
import py_compile, sys
mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
for name in sys.stdin.read().splitlines():
    try:
        py_compile.compile(f"{sys.argv[1]}/{name}", dfile=f"/{name}", doraise=True, invalidation_mode=mode)
    except py_compile.PyCompileError:
        pass  # a template for another version of Python: nothing imports it
"""


@dataclass
class Content:
    """What a layer will hold: files and links below ``root``, and the package that each path is of."""

    root: Path
    owner: dict[str, str] = field(default_factory=dict)  # path in the image -> key in ``parts``
    parts: dict[str, dict[str, Any]] = field(default_factory=dict)  # key -> component (components.py)

    def paths(self) -> list[str]:
        """Every path below ``root``, sorted."""
        return sorted(str(path.relative_to(self.root)) for path in self.root.rglob("*"))


def run(*command: str, **options: Any) -> str:
    """A build step; its output is shown only if it fails, which ends the build."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command[:6])} … ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    output: str = done.stdout
    return output


# -- the tar ------------------------------------------------------------------------------------------


def write_layer(target: Path, content: Content) -> list[dict[str, Any]]:
    """Write ``content`` to the tar ``target``; returns its components, each with its files and their hashes.

    A file of no known package ends the build: nothing gets into an image by accident.
    """
    files: dict[str, list[dict[str, Any]]] = {key: [] for key in content.parts}
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in content.paths():
            path = content.root / name
            info = tarfile.TarInfo(name)
            info.mtime = recipe.EPOCH
            info.mode = 0o1777 if name == "tmp" else 0o755 if path.is_dir() or name in EXECUTABLE else 0o644
            if path.is_symlink():
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, str(path.readlink()), 0o777
                tar.addfile(info)
                entry = components.link(name, info.linkname)
            elif path.is_dir():
                info.type = tarfile.DIRTYPE
                tar.addfile(info)
                continue
            else:
                info.size = path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
                    file.seek(0)
                    entry = components.file(name, hashlib.file_digest(file, "sha256").hexdigest())
            if name not in content.owner:
                sys.exit(f"{target.name}: {name} is of no known package")
            files[content.owner[name]].append(entry)
    return [{**part, "components": files[key]} for key, part in sorted(content.parts.items()) if files[key]]


def interpreter(rootfs: Path) -> tuple[list[str], dict[str, str]]:
    """Command and environment of the image's own Python, run from the unpacked ``rootfs`` without chroot."""
    libraries = rootfs / "usr/lib/x86_64-linux-gnu"
    loader = libraries / "ld-linux-x86-64.so.2"
    command = [str(loader), "--library-path", str(libraries), str(rootfs / recipe.PYTHON), "-s", "-S", "-B"]
    return command, {"PYTHONHOME": str(rootfs / "usr"), "PYTHONHASHSEED": "0", "PYTHONWARNINGS": "ignore"}


def compile_python(content: Content, rootfs: Path) -> None:
    """Byte code beside every source file of ``content``, never checked against the source when loaded."""
    command, env = interpreter(rootfs)
    sources = [name for name in content.paths() if name.endswith(".py")]

    def shard(number: int) -> None:
        names = "\n".join(sources[number::SHARDS])
        run(*command, "-c", CODE, str(content.root), input=names, env=env)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(shard, range(SHARDS)))
    for name in content.paths():
        folder, inside, file = name.rpartition("/__pycache__/")
        if inside:
            content.owner[name] = content.owner[f"{folder}/{file.removesuffix(TAG)}.py"]


def unpack(layer: Path, target: Path) -> Path:
    """The tar ``layer`` of ours unpacked into ``target``, modes and owners apart."""
    target.mkdir(parents=True)
    run("tar", "-x", "--no-same-owner", "-C", str(target), "-f", str(layer))
    return target


# -- distribution packages ----------------------------------------------------------------------------


def merged(name: str) -> str:
    """A path of a package as it stands in the image, where /lib, /lib64, /bin are links into /usr."""
    plain = name.removeprefix("./").rstrip("/")
    top = plain.partition("/")[0]
    return f"usr/{plain}" if top in {"bin", "lib", "lib64", "sbin"} else plain


def excluded(name: str) -> bool:
    """Whether a path of a distribution package stays out."""
    return any(name == path or name.startswith(f"{path}/") for path in recipe.DEB_EXCLUDE)


def extract(deb: Path, content: Content, key: str, keep: tuple[str, ...] = (".*",)) -> bytes:
    """The files of ``deb`` into ``content`` as those of ``key``; returns its copyright file.

    ``keep``: patterns, one of which a whole path must match.
    """
    kept = re.compile("|".join(keep), re.DOTALL)
    copyright_file = b""
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE)
    with process, tarfile.open(fileobj=process.stdout, mode="r|") as tar:
        for member in tar:
            name = merged(member.name)
            if name.startswith("usr/share/doc/") and name.endswith("/copyright") and member.isfile():
                copyright_file = tar.extractfile(member).read()  # type: ignore[union-attr]
            if name in {"", "."} or excluded(name):
                continue
            path = content.root / name
            if member.isdir():
                if keep == (".*",):
                    path.mkdir(parents=True, exist_ok=True)
                continue
            if not kept.fullmatch(name):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            if member.issym():
                path.symlink_to(member.linkname)
            elif member.islnk():
                os.link(content.root / merged(member.linkname), path)
            elif member.isfile():
                with path.open("wb") as out:
                    shutil.copyfileobj(tar.extractfile(member), out)  # type: ignore[arg-type]
                if name in EXECUTABLE:
                    path.chmod(0o755)
            else:
                sys.exit(f"{deb.name}: {name} is neither file, folder nor link")
            content.owner[name] = key
    if process.returncode:
        sys.exit(f"dpkg-deb cannot read {deb.name}")
    return copyright_file


def download_debs(folder: Path, packages: tuple[str, ...]) -> list[Path]:
    """The distribution's ``packages`` in ``folder``, at the version apt would install; apt verifies them.

    What is there already is not fetched anew. The package lists are renewed when they are absent or too old.
    """
    folder.mkdir(parents=True, exist_ok=True)
    download = ("apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages)
    if subprocess.run(download, cwd=folder, capture_output=True).returncode:
        run("apt-get", "update", "-qq")
        run(*download, cwd=folder)
    listed = run("apt-get", "download", "--print-uris", "-qq", *packages).splitlines()
    return sorted(folder / line.split()[1] for line in listed)


def _add_debs(content: Content, downloads: Path, packages: tuple[str, ...], **options: Any) -> None:
    for deb in download_debs(downloads, packages):
        part = components.from_deb(deb)
        content.parts[part["bom-ref"]] = part
        part["licenses"] = components.debian_licences(extract(deb, content, part["bom-ref"], **options))


def ocr_content(scratch: Path, downloads: Path) -> Content:
    """The layer ``ocr``: a program that reads the text of pictures, above ``rootfs``."""
    content = Content(scratch / "root")
    _add_debs(content, downloads, recipe.OCR_DEBS, keep=recipe.OCR_KEEP)
    return content


def rootfs_content(scratch: Path, downloads: Path) -> Content:
    """The layer ``rootfs``: Python and the libraries it needs, users, and the places for mounts."""
    content = Content(scratch / "root")
    for folder in ("bin", "lib", "lib64", "sbin"):
        (content.root / "usr" / folder).mkdir(parents=True)
        (content.root / folder).symlink_to(f"usr/{folder}")
        content.owner[folder] = components.OWN
    _add_debs(content, downloads, recipe.DEBS)
    etc = content.root / "etc"
    etc.mkdir(exist_ok=True)
    (content.root / "usr/bin/python3").symlink_to("python3.11")
    (etc / "passwd").write_text(f"job:x:{recipe.UID}:{recipe.UID}:job:/tmp:/usr/sbin/nologin\n")
    (etc / "group").write_text(f"job:x:{recipe.UID}:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")
    for name in ("usr/bin/python3", "etc/passwd", "etc/group", "etc/nsswitch.conf"):
        content.owner[name] = components.OWN
    for mount in ("in", "out", "tmp", "proc", "sys", "dev"):
        (content.root / mount).mkdir(exist_ok=True)
    content.parts[components.OWN] = components.own("rootfs")
    compile_python(content, content.root)
    return content


# -- wheels -------------------------------------------------------------------------------------------


def locked(text: str) -> dict[str, str]:
    """Package -> its lines in the lock file ``text``."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            name = line.partition("==")[0]
        found[name] = found.get(name, "") + line
    return found


def check_complete(lock: dict[str, str]) -> None:
    """Every locked package is in exactly one layer; else the build ends."""
    listed = sorted(name for names in recipe.WHEELS.values() for name in names)
    if listed != sorted(lock):
        odd = sorted(set(listed) ^ set(lock)) or "one stands in two layers"
        sys.exit(f"images/recipe.py and requirements/images.txt differ: {odd}")


def wanted_of_wheel(path: Path) -> bool:
    """Whether a file of a wheel goes into the image. RECORD would list what was left out."""
    if recipe.WHEEL_FOLDERS.intersection(path.parts[:-1]) or path.suffix in recipe.WHEEL_SUFFIXES:
        return False
    named = any(part in path.name for part in recipe.WHEEL_PARTS) and path.suffix != ".py"
    return not named and path.name not in {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}


def wheel_content(scratch: Path, requirements: str, rootfs: Path) -> Content:
    """A layer of locked packages, trimmed of what a task never needs."""
    content, installed = Content(scratch / "root"), scratch / "installed"
    wishes, report = scratch / "requirements.txt", scratch / "report.json"
    wishes.write_text(requirements)
    run(
        sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-compile", "--no-deps",
        "--only-binary=:all:", "--python-version=3.11", "--disable-pip-version-check",
        "--report", str(report), "--target", str(installed), "-r", str(wishes),
    )  # fmt: skip
    for told in json.loads(report.read_text())["install"]:
        part = components.from_wheel(told)
        key = part["bom-ref"]
        content.parts[key] = part
        info = components.dist_info(installed, part)
        for line in (info / "RECORD").read_text().splitlines():
            path = Path(line.rsplit(",", 2)[0].strip('"'))
            if ".." in path.parts or not wanted_of_wheel(path) or not (installed / path).is_file():
                continue
            target = content.root / recipe.SITE / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.name == "METADATA":  # its description is a web page: links, badges, hosts
                target.write_bytes(components.header((installed / path).read_bytes()))
            else:
                shutil.move(installed / path, target)
            content.owner[f"{recipe.SITE}/{path}"] = key
    compile_python(content, rootfs)
    return content


# -- our own files ------------------------------------------------------------------------------------


def module_file(repo: Path, module: str) -> Path | None:
    """The file of a module of ours, None for a name that is none (a function of one, say)."""
    path = repo / module.replace(".", "/")
    if (path / "__init__.py").is_file():
        return path / "__init__.py"
    return path.with_suffix(".py") if path.with_suffix(".py").is_file() else None


def imported(file: Path) -> Iterable[str]:
    """The names of ours that ``file`` imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def wanted(repo: Path, file: Path) -> bool:
    """Whether a file of ours may go into an image."""
    relative = file.relative_to(repo)
    hidden = any(part.startswith((".", "__pycache__")) for part in relative.parts)
    return file.is_file() and not hidden and ".".join(relative.with_suffix("").parts) not in recipe.NEVER


def own_files(image: recipe.Image, repo: Path = REPO) -> list[Path]:
    """Our own files in ``image``, sorted: its roots whole, what they import, the policies."""
    found: set[Path] = set()
    for root in image.roots:
        found |= {file for file in (repo / root.replace(".", "/")).rglob("*") if wanted(repo, file)}
    pending = sorted(file for file in found if file.suffix == ".py")
    while pending:
        file = pending.pop()
        ours = {name for name in imported(file) if name.partition(".")[0] == "sandbox"}
        parents = {".".join(file.relative_to(repo).parts[:depth]) for depth in range(1, 4)} | ours
        for name in {part for one in parents for part in _prefixes(one)}:
            target = module_file(repo, name)
            if target is not None and target not in found and wanted(repo, target):
                found.add(target)
                pending.append(target)
    if image.policies:
        found |= {file for file in (repo / "policies").rglob("*") if wanted(repo, file)}
    return sorted(found)


def _prefixes(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: depth + 1]) for depth in range(len(parts))]


def own_content(scratch: Path, image: recipe.Image, rootfs: Path, repo: Path = REPO) -> Content:
    """The top layer of ``image``."""
    content = Content(scratch / "root", parts={components.OWN: components.own(image.name)})
    for file in own_files(image, repo):
        name = f"{recipe.SITE}/{file.relative_to(repo)}"
        (content.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, content.root / name)
        content.owner[name] = components.OWN
    compile_python(content, rootfs)
    return content
