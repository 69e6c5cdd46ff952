"""The vault: one encrypted folder per workspace, each with a key of its own, wrapped by the master key.

::

    <root>/agreements/<agreement>/<scenario>   one workspace, one key
    <root>/scratch                             tasks in hand; its key exists in the kernel's memory only
    <keys>/workspaces/…                        the wrapped keys (``records``), not on the volume
    <keys>/vault.lock, vault.use               who decides now; who works with it

A workspace's key is given to the file system when the vault is unlocked, and stays there until ``close``,
``lock``, an unmount or the end of the machine. Every file below a workspace is then read and written as
any other is, by containers too. ``destroy`` removes the wrapped key: that is the deletion.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.core.errors import SandboxError, fail
from sandbox.vault import fscrypt
from sandbox.vault.contract import AGREEMENTS, SCRATCH, State
from sandbox.vault.master import Master
from sandbox.vault.records import NAME, Record, Records
from sandbox.vault.volume import Volume, exchange


class Vault:
    """See the module's text. ``keys`` is a folder outside the volume; ``cipher``: see ``fscrypt.CIPHERS``."""

    encrypted = True

    def __init__(self, volume: Volume, keys: Path, master: Master, cipher: str = "aes-256-xts") -> None:
        self.volume = volume
        self.root = volume.root
        self.keys = keys
        self.records = Records(keys / "workspaces")
        self.master = master
        self.cipher = cipher
        self._ready: set[str] = set()
        self._unlocked = False
        self._held: int | None = None

    def create(self) -> None:
        """Make the volume and show that it can do what is asked, before anything is entrusted to it.

        Raises VAULT_UNAVAILABLE, VAULT_CIPHER, and what ``Master.secret`` raises.
        """
        self.master.secret("wrap")
        with self._deciding():
            self.volume.create()
            self.volume.attach()
            self._fresh_scratch()

    def unlock(self) -> None:
        """Attach the volume, give it the keys of all workspaces, make fresh scratch if the old key is gone.

        Raises VAULT_UNAVAILABLE, VAULT_NOT_HERE, VAULT_MASTER_WRONG and what ``Master.secret`` raises. A
        workspace whose record is damaged stays closed, and says so when it is opened.
        """
        if self._unlocked and self.volume.attached():
            return
        with self._deciding():
            self.volume.attach()
            self._fresh_scratch()
            for workspace in self.records.names():
                try:
                    self._load(workspace)
                except SandboxError as error:
                    if error.code not in ("VAULT_RECORD_DAMAGED", "VAULT_MIXED"):
                        raise
        self._unlocked = True

    def hold(self) -> None:
        if self._held is None:
            self._held = self._flock("vault.use", fcntl.LOCK_SH | fcntl.LOCK_NB)
        self.unlock()

    def release(self) -> None:
        """The end of ``hold``."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def folder(self, workspace: str) -> Path:
        if not NAME.fullmatch(workspace):
            raise fail("MALFORMED", what="workspace", why="agreement/scenario")
        return self.root / AGREEMENTS / workspace

    def open(self, workspace: str) -> Path:
        """The folder of a workspace, made with a new key if there is none.

        Raises VAULT_KEY_GONE, VAULT_RECORD_DAMAGED, VAULT_MIXED and what ``unlock`` raises.
        """
        folder = self.folder(workspace)
        if workspace in self._ready and folder.is_dir():
            return folder
        self.unlock()
        with self._deciding():
            fresh = self.record(workspace) is None
            if fresh:
                if folder.exists():
                    raise fail("VAULT_KEY_GONE", workspace=workspace)
                self.records.write(Record(workspace, secrets.token_bytes(fscrypt.KEY_BYTES)), self.master)
            identifier = self._load(workspace)
            try:
                if not folder.exists():
                    self._make(folder, identifier)
            except SandboxError:
                if fresh:
                    self.records.destroy(workspace)
                raise
        self._ready.add(workspace)
        return folder

    def close(self, workspace: str) -> bool:
        """Take its key from the file system; ``open`` gives it back. Whether no file of it is still open."""
        self._ready.discard(workspace)
        found = self._policy(workspace)
        return found is None or fscrypt.remove(self.root, found)

    def destroy(self, workspace: str) -> bool:
        """First the wrapped key (that is the deletion), the folder, then the kernel's key. Idempotent."""
        self._ready.discard(workspace)
        with self._deciding():
            self.volume.attach()
            folder = self.folder(workspace)
            identifier = self._policy(workspace)
            had = self.records.destroy(workspace)
            for gone in (folder, _beside(folder)):
                shutil.rmtree(gone, ignore_errors=True)
            if identifier:
                fscrypt.remove(self.root, identifier)
            if folder.parent.is_dir() and not any(folder.parent.iterdir()):
                folder.parent.rmdir()
        return had

    def rotate(self, workspace: str) -> None:
        """Encrypt everything of a workspace anew under a new key; the old key is destroyed.

        Whole or not at all: what a crash interrupts is finished, or undone, when the workspace is next
        opened. Raises VAULT_IN_USE, VAULT_UNKNOWN and what ``open`` raises.
        """
        with self._alone():
            if self.record(workspace) is None:
                raise fail("VAULT_UNKNOWN", workspace=workspace)
            self._ready.discard(workspace)  # one that was broken off is settled first
            folder = self.open(workspace)
            with self._deciding():
                old = self.records.read(workspace, self.master)
                coming = secrets.token_bytes(fscrypt.KEY_BYTES)
                self.records.write(Record(workspace, old.key, coming), self.master)
                beside = _beside(folder)
                beside.mkdir(mode=0o700)
                fscrypt.protect(beside, fscrypt.add(self.root, coming), self.cipher)
                _copy(folder, beside)
                exchange(folder, beside)
                _sync(folder.parent)
                self._settle(Record(workspace, old.key, coming))

    def rewrap(self, new: Master) -> int:
        """Wrap every workspace's key by another master key; how many were not yet.

        May be repeated after a crash. Raises VAULT_IN_USE, VAULT_MASTER_WRONG, VAULT_RECORD_DAMAGED and what
        ``Master.secret`` raises.
        """
        with self._alone(), self._deciding():
            todo = [name for name in self.records.names() if self.records.wrapped_by(name) != new.name]
            for record in [self.records.read(name, self.master) for name in todo]:
                self.records.write(record, new)
            self.master = new
        return len(todo)

    def lock(self) -> None:
        """Take every key from the file system and unmount what we mounted. Raises VAULT_IN_USE."""
        with self._alone(), self._deciding():
            self._ready.clear()
            self._unlocked = False
            if not self.volume.attached():
                return
            # not by the unmount alone: a process with mounts of its own would keep the keys alive
            known = [self._policy(workspace) for workspace in self.records.names()]
            busy = [one for one in known if one and not fscrypt.remove(self.root, one)]
            if busy:
                raise fail("VAULT_IN_USE", what=f"{len(busy)}")
            if not self.volume.detach() and (found := self._policy_at(self.root / SCRATCH)):
                fscrypt.remove(self.root, found)

    def status(self) -> dict[str, State]:
        """Every workspace that has a key or a folder, and how it stands. Opens nothing."""
        return {name: self._state(name) for name in self._known()}

    def scratch(self) -> Path:
        self.unlock()
        return self.root / SCRATCH

    def scenarios(self, agreement: str) -> list[str]:
        return [name.partition("/")[2] for name in self._known() if name.startswith(f"{agreement}/")]

    def record(self, workspace: str) -> Path | None:
        path = self.records.path(workspace)
        return path if path.is_file() else None

    # --- how it is done; the callers hold ``_deciding``

    def _known(self) -> list[str]:
        """Every workspace that has a key or a folder."""
        folders = self.root.glob(f"{AGREEMENTS}/*/[!.]*") if self.volume.attached() else ()
        return sorted({f"{path.parent.name}/{path.name}" for path in folders} | set(self.records.names()))

    def _state(self, workspace: str) -> State:
        if self.record(workspace) is None:
            return State.GONE
        try:
            self.records.read(workspace, self.master)
        except SandboxError as error:
            other = error.code == "VAULT_MASTER_WRONG"
            return State.OTHER_MASTER if other else State.DAMAGED
        found = self._policy(workspace) if self.volume.attached() else None
        given = found is not None and fscrypt.presence(self.root, found) == fscrypt.Presence.PRESENT
        return State.OPEN if given else State.CLOSED

    def _load(self, workspace: str) -> bytes:
        """Give the file system its key (the identifier is returned), after finishing a rotation."""
        record = self.records.read(workspace, self.master)
        if record.coming is not None:
            record = self._settle(record)
        identifier = fscrypt.add(self.root, record.key)
        folder = self.folder(workspace)
        if folder.exists():
            found = fscrypt.policy_of(folder)
            if found is None or not found[0] or found[1] != identifier:
                raise fail("VAULT_MIXED", workspace=workspace)
        return identifier

    def _settle(self, record: Record) -> Record:
        """Finish a rotation if the folder has the coming key, else undo it; the record that stays."""
        assert record.coming is not None
        folder = self.folder(record.workspace)
        old, new = (fscrypt.add(self.root, key) for key in (record.key, record.coming))
        done = self._policy(record.workspace) == new
        shutil.rmtree(_beside(folder), ignore_errors=True)
        fscrypt.remove(self.root, old if done else new)
        stays = Record(record.workspace, record.coming if done else record.key)
        self.records.write(stays, self.master)
        return stays

    def _make(self, folder: Path, identifier: bytes) -> None:
        """The folder is there encrypted, or not at all."""
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        try:
            fscrypt.protect(part, identifier, self.cipher)
            (
                part / "probe"
            ).touch()  # a kernel takes the policy of a cipher that it lacks, and no file after that
            (part / "probe").unlink()
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            if error.errno in fscrypt.NO_CIPHER:
                raise fail("VAULT_CIPHER", cipher=self.cipher) from None
            raise
        part.rename(folder)
        _sync(folder.parent)

    def _fresh_scratch(self) -> None:
        """Scratch as it is while its key is there; else what is in it is lost for good: begin anew."""
        folder = self.root / SCRATCH
        found = self._policy_at(folder)
        if found and fscrypt.presence(self.root, found) == fscrypt.Presence.PRESENT:
            return
        if folder.exists():
            shutil.rmtree(folder)
        self._make(folder, fscrypt.add(self.root, secrets.token_bytes(fscrypt.KEY_BYTES)))

    def _policy(self, workspace: str) -> bytes | None:
        return self._policy_at(self.folder(workspace))

    @staticmethod
    def _policy_at(folder: Path) -> bytes | None:
        """The identifier of the key of a folder; None if there is none."""
        try:
            found = fscrypt.policy_of(folder)
        except FileNotFoundError:
            return None
        return found[1] if found else None

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """One process and thread at a time makes, opens and destroys."""
        handle = self._flock("vault.lock", fcntl.LOCK_EX)
        try:
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No server and no worker has the vault in hand; VAULT_IN_USE else."""
        handle = self._flock("vault.use", fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            os.close(handle)

    def _flock(self, name: str, how: int) -> int:
        self.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.keys / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, how)
        except BlockingIOError:
            os.close(handle)
            raise fail("VAULT_IN_USE", what=name) from None
        return handle


def _beside(folder: Path) -> Path:
    """Where a rotation builds what will take the folder's place."""
    return folder.with_name(f".{folder.name}.next")


def _copy(source: Path, target: Path) -> None:
    """Everything of ``source`` into the empty ``target``, lasting. Links between files become copies."""
    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
    for folder, _, files in os.walk(target):
        for name in files:
            with (Path(folder) / name).open("rb") as file:
                os.fsync(file.fileno())
        _sync(Path(folder))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
