"""Folders in plain, for a profile that allows it and an operator who asked for it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sandbox.core.errors import fail
from sandbox.vault.contract import AGREEMENTS, SCRATCH
from sandbox.vault.records import NAME


@dataclass(frozen=True)
class Plain:
    """The verbs of the contract without a key: ``unlock`` and ``hold`` have nothing to do but to be there."""

    root: Path
    encrypted: bool = False

    def unlock(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def create(self) -> None:
        self.unlock()

    def hold(self) -> None:
        self.unlock()

    def folder(self, workspace: str) -> Path:
        if not NAME.fullmatch(workspace):
            raise fail("MALFORMED", what="workspace", why="agreement/scenario")
        return self.root / AGREEMENTS / workspace

    def open(self, workspace: str) -> Path:
        folder = self.folder(workspace)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def scratch(self) -> Path:
        folder = self.root / SCRATCH
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return folder

    def scenarios(self, agreement: str) -> list[str]:
        return sorted(path.name for path in (self.root / AGREEMENTS / agreement).glob("[!.]*"))

    def record(self, workspace: str) -> None:
        return None

    def destroy(self, workspace: str) -> bool:
        folder = self.folder(workspace)
        shutil.rmtree(folder, ignore_errors=True)
        if folder.parent.is_dir() and not any(folder.parent.iterdir()):
            folder.parent.rmdir()
        return False
