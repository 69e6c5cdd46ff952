"""Where bytes lie inside the domain. One folder per agreement and scenario, so that an end can be proven.

::

    <home>/agreements/<agreement>/<scenario>/quarantine   supplies as delivered
                                             raw          snapshots
                                             primary      primary products
                                             staging      outputs of jobs
                                             review       canonical files, as they would leave
                                             keys         pseudonym keys
    <home>/tasks                                          the executor's
    <home>/assembled                                      folders made of links, as inputs of a task

What has left is not here: only the gate knows that folder.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.store.blobs import PART, Blobs, sync_folder


class Places:
    """The folders below ``home``."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.agreements = home / "agreements"
        self.tasks = home / "tasks"
        self.assembled = home / "assembled"

    def scenarios(self) -> list[tuple[str, str]]:
        """The agreements and scenarios that have a folder."""
        return [(path.parent.name, path.name) for path in sorted(self.agreements.glob("*/*"))]

    def drop_parts(self, agreement: str, scenario: str, seconds: float) -> None:
        """Remove files half written by a process that died, untouched for ``seconds``."""
        for folder in (self.agreements / agreement / scenario).glob("*"):
            Blobs(folder).drop_parts(seconds)

    def blobs(self, agreement: str, scenario: str, what: str) -> Blobs:
        """One content-addressed folder of a scenario's workspace (R-097: nothing is shared between two)."""
        return Blobs(self.agreements / agreement / scenario / what)

    def key(self, agreement: str, scenario: str, name: str) -> str:
        """The hex of a 256-bit key of this workspace, made when first asked for; it dies with it."""
        folder = self.agreements / agreement / scenario / "keys"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / hashlib.sha256(name.encode()).hexdigest()[:32]  # the name is the recipe's to choose
        part = folder / f"{PART}{secrets.token_hex(8)}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # atomic: the first one to arrive decides
        except FileExistsError:
            pass
        finally:
            part.unlink()
        sync_folder(folder)
        return path.read_text()

    def assemble(self, task: str, name: str, files: Mapping[str, Path]) -> Path:
        """A folder ``name`` of hard links for the input of ``task``."""

        def fill(folder: Path) -> None:
            for file, source in files.items():
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
                os.link(source, target)

        return self._once(task, name, fill)

    def write(self, task: str, name: str, texts: Mapping[str, str]) -> Path:
        """A folder ``name`` of small text files (a developer's code) for the input of ``task``."""

        def fill(folder: Path) -> None:
            for file, text in texts.items():
                # the names are the developer's; the door holds them to plain ones
                if Path(file).name != file or file in ("", ".."):
                    raise fail("MALFORMED", what="code", why="not a plain file name")
                (folder / file).write_text(text, encoding="utf-8")

        return self._once(task, name, fill)

    def _once(self, task: str, name: str, fill: Callable[[Path], None]) -> Path:
        """The folder is there whole or not at all, and is never touched again: after a crash the container
        that has it mounted may still run."""
        folder = self.assembled / task / name
        if folder.is_dir():
            return folder
        part = self.assembled / task / f"{PART}{secrets.token_hex(8)}"
        part.mkdir(parents=True, mode=0o755)
        try:
            fill(part)
            part.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another worker was first, with the same content
                raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return folder

    def assemblies(self) -> list[str]:
        """The tasks that something was assembled for."""
        return sorted(path.name for path in self.assembled.iterdir()) if self.assembled.is_dir() else []

    def forget(self, task: str) -> None:
        """Remove what was assembled for a task."""
        shutil.rmtree(self.assembled / task, ignore_errors=True)

    def inventory(self, agreement: str) -> list[dict[str, Any]]:
        """Every file kept under an agreement: scenario, kind of place, name (a hash), bytes."""
        folder = self.agreements / agreement
        return [
            {
                "scenario": path.relative_to(folder).parts[0],
                "place": path.parent.name,
                "name": path.name,
                "bytes": path.stat().st_size,
            }
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    def destroy(self, agreement: str) -> None:
        """Delete everything kept under an agreement. Keys are overwritten first."""
        folder = self.agreements / agreement
        for key in folder.glob("*/keys/*"):
            key.write_bytes(b"\0" * key.stat().st_size)
        shutil.rmtree(folder, ignore_errors=True)
