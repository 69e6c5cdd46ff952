"""What `sandbox doctor` finds out about the space itself, beside what the executor says of the machine."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sandbox.core.errors import SandboxError
from sandbox.executor.doctor import Health
from sandbox.vault.volume import LEAST_BYTES, Image, can_encrypt

MEND = (
    "以 root 运行，安装 e2fsprogs 与 mount；或把 SANDBOX_VAULT 指到 mkfs.ext4 -O encrypt 的文件系统上",
    "run as root with e2fsprogs and mount installed, or set SANDBOX_VAULT to a place on mkfs.ext4 -O encrypt",
)


def encryption(home: Path, folder: str = "") -> Health:
    """Whether bytes can rest encrypted for a space at ``home``; ``folder`` as the setting SANDBOX_VAULT says.

    Tried, not read: a key is given to the file system and taken away again, on the home's own if it takes
    keys, else on an image made for the trial and removed (a third of a second).
    """
    asked = Path(folder) if folder else home
    place = next(path for path in (asked, *asked.parents) if path.is_dir())
    found = "file system" if can_encrypt(place) else "" if folder else _on_image(place)
    ok = found in ("file system", "image")
    mend = ("", "") if ok else MEND
    return Health("encryption", "静态加密可用", "encryption at rest works", ok, found or "-", *mend)


def _on_image(place: Path) -> str:
    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=place) as trial:
        image = Image(Path(trial, "trial.img"), Path(trial, "trial"), LEAST_BYTES)
        try:
            image.create()
            image.attach()
            return "image" if can_encrypt(image.root) else "image: takes no key"
        except (SandboxError, OSError) as error:
            return str(error)[:120]
        finally:
            image.detach()
