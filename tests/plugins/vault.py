"""One encrypted volume for the spaces of a test run, each in a folder of its own (a volume costs a mount).

A machine that cannot encrypt fails the tests that need it: ``make setup`` provides what they need.
"""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox.vault import Folder, Image, Master, Vault
from sandbox.vault.settings import IMAGE, ROOT

os.environ.setdefault("TEST_MASTER_KEY", secrets.token_hex(32))
MASTER = "env:TEST_MASTER_KEY"
SIZE = 4 << 30  # sparse
_MEMORY = Path("/dev/shm")  # a test's bytes need not last


@functools.cache
def volume() -> Image:
    """The volume of this process, mounted now if it was not; ``pytest_unconfigure`` takes it away."""
    folder = Path(tempfile.mkdtemp(prefix="sbx-vault-", dir=_MEMORY if _MEMORY.is_dir() else None))
    made = Image(folder / "image", folder / "root", SIZE)
    made.create()
    made.attach()
    return made


def pytest_unconfigure() -> None:
    if volume.cache_info().currsize:
        made = volume()
        made.detach()
        shutil.rmtree(made.file.parent)
        volume.cache_clear()


def unmount(home: Path) -> None:
    """Take away the volume of its own that the space at ``home`` may have mounted: a mount left behind holds
    a loop device and stops the test run's own tidying."""
    Image(home / IMAGE, home / ROOT).detach()


def _mounted_below(folder: Path) -> list[Path]:
    """Mounts in ``folder``, the inner ones first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    points = (Path(line.split()[4]) for line in lines)
    return sorted((path for path in points if path.is_relative_to(folder)), reverse=True)


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_mounted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The last teardown of a file of tests: a mount that one of them left is taken away, and named."""
    yield
    left = _mounted_below(tmp_path_factory.getbasetemp())
    for path in left:
        subprocess.run(["umount", str(path)], check=False)
    assert left == []


def folder_of(home: Path) -> Path:
    """Where the bytes of the space at ``home`` rest."""
    return volume().root / hashlib.sha256(str(home).encode()).hexdigest()[:16]


def vault_of(home: Path) -> Vault:
    """The vault of the space at ``home``, made if it is new."""
    vault = Vault(Folder(folder_of(home)), home / "keys", Master(MASTER))
    vault.create()
    return vault


def copy_vault(source: Path, home: Path) -> None:
    """Give the copied space at ``home`` workspaces of its own with the content of those of ``source``."""
    shutil.rmtree(home / "keys" / "workspaces", ignore_errors=True)
    old, new = vault_of(source), vault_of(home)
    for workspace in old.status():
        shutil.copytree(old.open(workspace), new.open(workspace), dirs_exist_ok=True)


@pytest.fixture
def new_vault(tmp_path: Path) -> Iterator[Callable[..., Vault]]:
    """``new_vault()`` gives an empty vault; ``new_vault("b")`` another one."""
    made: list[Path] = []

    def make(name: str = "a") -> Vault:
        made.append(tmp_path / name)
        return vault_of(made[-1])

    yield make
    for home in made:
        shutil.rmtree(folder_of(home), ignore_errors=True)


@pytest.fixture
def vault(new_vault: Callable[..., Vault]) -> Vault:
    """An empty vault."""
    return new_vault()
