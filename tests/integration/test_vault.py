"""The vault on the kernel's encryption: unreadable without the key, whole after a crash, gone for good."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from sandbox.executor import mounts
from sandbox.vault import Folder, Image, Master, State, Vault, vault, vault_at, volume
from sandbox.vault.fscrypt import Presence, policy_of, presence
from tests.plugins.vault import MASTER
from tests.refusal import refused

VaultMaker = Callable[..., Vault]
CANARY = b"canary-7f3a-" * 4
WORKSPACE = "ag-a/sc-a"


def again(known: Vault, master: str = MASTER) -> Vault:
    """The same vault for a process that starts now."""
    return Vault(known.volume, known.keys, Master(master))


def identifier(known: Vault, workspace: str = WORKSPACE) -> bytes:
    found = policy_of(known.folder(workspace))
    assert found is not None
    return found[1]


def contains(file: Path, what: bytes) -> bool:
    """Whether a file's bytes hold ``what``."""
    os.sync()
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as raw:
        return raw.find(what) >= 0


@pytest.fixture
def images(tmp_path: Path) -> Iterator[Callable[[], Vault]]:
    """A vault on an image of its own, in the test's folder."""
    made: list[Image] = []

    def make() -> Vault:
        image = Image(tmp_path / "vault.img", tmp_path / "vault", 256 << 20)
        made.append(image)
        fresh = Vault(image, tmp_path / "keys", Master(MASTER))
        fresh.create()
        return fresh

    yield make
    for image in made:
        image.detach()


# --- readable with the key only


def test_a_workspace_is_encrypted_with_a_key_of_its_own(vault: Vault) -> None:
    one, two = vault.open("ag-a/sc-a"), vault.open("ag-a/sc-b")
    assert vault.open("ag-a/sc-a") == one
    (one / "file").write_bytes(CANARY)
    (two / "file").write_bytes(CANARY)
    policies = {policy_of(one), policy_of(two), policy_of(vault.scratch())}
    assert {found[0] for found in policies if found} == {"aes-256-xts"}
    assert len({found[1] for found in policies if found}) == 3
    assert vault.status() == {"ag-a/sc-a": State.OPEN, "ag-a/sc-b": State.OPEN}
    with pytest.raises(OSError, match="link") as caught:
        os.link(one / "file", two / "linked")
    assert caught.value.errno == errno.EXDEV


def test_without_its_key_neither_names_nor_contents_are_readable(vault: Vault) -> None:
    folder = vault.open(WORKSPACE)
    (folder / "income-of-residents").write_bytes(CANARY)
    assert vault.close(WORKSPACE)
    assert vault.status() == {WORKSPACE: State.CLOSED}
    (name,) = [path.name for path in folder.iterdir()]
    assert "residents" not in name
    with pytest.raises(OSError, match="key") as caught:
        (folder / name).read_bytes()
    assert caught.value.errno == errno.ENOKEY
    with pytest.raises(OSError, match="key"):
        (folder / "new").write_bytes(b"x")
    assert (vault.open(WORKSPACE) / "income-of-residents").read_bytes() == CANARY


def test_a_task_of_another_user_reads_what_is_bound_for_it(vault: Vault, tmp_path: Path) -> None:
    file = vault.open(WORKSPACE) / "data"
    file.write_bytes(CANARY)
    file.chmod(0o644)
    shown = Path("/run") / f"sbx-test-{secrets.token_hex(4)}"
    shown.touch()
    try:
        mounts.bind_read_only(file, shown)
        seen = subprocess.run(["cat", shown], capture_output=True, check=True, user=61000, group=61000)
        assert seen.stdout == CANARY
        direct = subprocess.run(["cat", file], capture_output=True, check=False, user=61000, group=61000)
        assert direct.returncode != 0
    finally:
        mounts.unmount_below(shown)
        shown.unlink()


def test_the_raw_volume_holds_no_canary(images: Callable[[], Vault]) -> None:
    """With a control: the same bytes beside the workspaces, in plain, are found."""
    made = images()
    assert isinstance(made.volume, Image)
    named = secrets.token_hex(12)
    for folder in (made.open(WORKSPACE), made.scratch()):
        (folder / named).write_bytes(CANARY * 1000)
    assert not contains(made.volume.file, CANARY)
    assert not contains(made.volume.file, named.encode())
    control = made.root / named
    control.write_bytes(CANARY * 1000)
    assert contains(made.volume.file, CANARY)
    assert contains(made.volume.file, named.encode())


# --- starting again


def test_a_new_start_gives_the_keys_back_and_scratch_anew(images: Callable[[], Vault]) -> None:
    made = images()
    (made.open(WORKSPACE) / "snapshot").write_bytes(CANARY)
    (made.scratch() / "spent").write_bytes(CANARY)
    kept = identifier(made)
    made.lock()
    assert not made.volume.attached()
    assert again(made).status() == {WORKSPACE: State.CLOSED}
    started = again(made)
    started.unlock()
    assert (started.folder(WORKSPACE) / "snapshot").read_bytes() == CANARY
    assert identifier(started) == kept
    assert list(started.scratch().iterdir()) == []


def test_scratch_stays_for_a_process_that_starts_beside_another(vault: Vault) -> None:
    (vault.scratch() / "task").write_bytes(b"running")
    assert (again(vault).scratch() / "task").read_bytes() == b"running"


def test_what_was_synced_is_there_after_a_power_cut(images: Callable[[], Vault], tmp_path: Path) -> None:
    """The image as it stands while it is in use, brought up elsewhere: its journal is played back."""
    made = images()
    assert isinstance(made.volume, Image)
    with (made.open(WORKSPACE) / "snapshot").open("wb") as file:
        file.write(CANARY)
        file.flush()
        os.fsync(file.fileno())
    elsewhere = Image(tmp_path / "copy.img", tmp_path / "copy")
    shutil.copyfile(made.volume.file, elsewhere.file)
    revived = Vault(elsewhere, made.keys, Master(MASTER))
    try:
        assert (revived.open(WORKSPACE) / "snapshot").read_bytes() == CANARY
    finally:
        elsewhere.detach()


def test_one_image_is_never_on_two_devices(images: Callable[[], Vault], tmp_path: Path) -> None:
    made = images()
    assert isinstance(made.volume, Image)
    second = Image(made.volume.file, tmp_path / "second")
    second.attach()
    try:
        assert second.root.stat().st_dev == made.root.stat().st_dev
    finally:
        assert second.detach()
    assert made.volume.attached()


# --- destruction


@pytest.mark.requirement("R-100")
def test_after_the_keys_destruction_no_copy_of_the_volume_opens(
    images: Callable[[], Vault], tmp_path: Path
) -> None:
    made = images()
    assert isinstance(made.volume, Image)
    database = made.open(WORKSPACE) / "snapshot.duckdb"
    with duckdb.connect(str(database)) as opened:
        opened.execute("CREATE TABLE people AS SELECT ? AS name", [CANARY.decode()])
    assert not contains(made.volume.file, CANARY)
    made.lock()
    backup, records = tmp_path / "backup.img", tmp_path / "backup-of-keys"
    shutil.copyfile(made.volume.file, backup)
    shutil.copytree(made.keys / "workspaces", records)

    assert again(made).destroy(WORKSPACE)
    assert again(made).status() == {}
    assert not made.folder(WORKSPACE).exists()
    assert not again(made).destroy(WORKSPACE)
    made.lock()
    shutil.copyfile(backup, made.volume.file)
    revived = again(made)
    revived.unlock()
    assert revived.status() == {WORKSPACE: State.GONE}
    with refused("VAULT_KEY_GONE"):
        revived.open(WORKSPACE)
    (name,) = list(revived.folder(WORKSPACE).iterdir())
    for path in (name, database):
        with pytest.raises((duckdb.IOException, OSError)):
            duckdb.connect(str(path), read_only=True)
    # the control: the copy is sound, it is the key that it lacks
    shutil.copytree(records, made.keys / "workspaces", dirs_exist_ok=True)
    with duckdb.connect(str(again(made).open(WORKSPACE) / database.name), read_only=True) as opened:
        assert opened.execute("SELECT name FROM people").fetchall() == [(CANARY.decode(),)]


def test_a_destroyed_key_is_not_in_the_kernel_either(vault: Vault) -> None:
    vault.open(WORKSPACE)
    gone = identifier(vault)
    assert presence(vault.root, gone) == Presence.PRESENT
    vault.destroy(WORKSPACE)
    assert presence(vault.root, gone) == Presence.ABSENT
    vault.open(WORKSPACE)
    assert identifier(vault) != gone


# --- rotation


def filled(known: Vault) -> dict[str, bytes]:
    folder = known.open(WORKSPACE)
    content = {"raw/a": CANARY, "raw/b": b"", "keys/k": secrets.token_bytes(64)}
    for name, raw in content.items():
        (folder / name).parent.mkdir(exist_ok=True, mode=0o700)
        (folder / name).write_bytes(raw)
    (folder / "keys/k").chmod(0o600)
    return content


def read(known: Vault) -> dict[str, bytes]:
    folder = known.open(WORKSPACE)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_rotation_changes_the_key_and_nothing_else(vault: Vault) -> None:
    content, old = filled(vault), identifier(vault)
    vault.rotate(WORKSPACE)
    assert read(vault) == content
    assert (vault.folder(WORKSPACE) / "keys/k").stat().st_mode & 0o777 == 0o600
    assert identifier(vault) != old
    assert presence(vault.root, old) == Presence.ABSENT
    assert [path.name for path in vault.folder(WORKSPACE).parent.iterdir()] == ["sc-a"]
    assert read(again(vault)) == content


@pytest.mark.parametrize("where", ["_copy", "_sync", "exchange", "exchanged", "remove"])
def test_a_rotation_that_is_cut_off_is_finished_or_undone(
    vault_of_test: Vault, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    content, old = filled(vault_of_test), identifier(vault_of_test)

    def cut(*paths: Path) -> None:
        if where == "exchanged":
            volume.exchange(*paths)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(vault.fscrypt if where == "remove" else vault, where.removesuffix("d"), cut)
        with pytest.raises(KeyboardInterrupt):
            vault_of_test.rotate(WORKSPACE)
    for _ in range(2):
        assert read(again(vault_of_test)) == content
        record = vault_of_test.records.read(WORKSPACE, Master(MASTER))
        assert record.coming is None
        assert [path.name for path in vault_of_test.folder(WORKSPACE).parent.iterdir()] == ["sc-a"]
    assert (identifier(vault_of_test) == old) == (where in ("_copy", "_sync", "exchange"))
    vault_of_test.rotate(WORKSPACE)
    assert read(again(vault_of_test)) == content


@pytest.fixture
def vault_of_test(new_vault: VaultMaker) -> Vault:
    """The fixture under another name: ``vault`` is the module here."""
    return new_vault()


def test_another_master_wraps_the_same_keys(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEW_MASTER", secrets.token_hex(32))
    content = filled(vault)
    vault.open("ag-a/sc-b")
    kept = identifier(vault)
    assert again(vault).rewrap(Master("env:NEW_MASTER")) == 2
    with refused("VAULT_MASTER_WRONG"):
        again(vault).open(WORKSPACE)
    assert set(again(vault).status().values()) == {State.OTHER_MASTER}
    new = again(vault, "env:NEW_MASTER")
    assert read(new) == content
    assert identifier(new) == kept
    assert again(vault, "env:NEW_MASTER").rewrap(Master("env:NEW_MASTER")) == 0


def test_a_rewrapping_that_is_cut_off_is_finished_when_repeated(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEW_MASTER", secrets.token_hex(32))
    content, new = filled(vault), Master("env:NEW_MASTER")
    vault.open("ag-a/sc-b")
    vault.records.write(vault.records.read("ag-a/sc-b", vault.master), new)
    with refused("VAULT_MASTER_WRONG"):
        again(vault).unlock()
    assert again(vault).rewrap(new) == 1
    assert read(again(vault, "env:NEW_MASTER")) == content


def test_while_it_is_in_use_no_key_is_changed(vault: Vault) -> None:
    filled(vault)
    working = again(vault)
    working.hold()
    for act in (lambda: vault.rotate(WORKSPACE), lambda: vault.rewrap(Master(MASTER)), vault.lock):
        with refused("VAULT_IN_USE"):
            act()
    with refused("VAULT_IN_USE"):
        working.lock()
    again(vault).hold()  # a second worker may be there
    working.release()


def test_a_file_in_use_keeps_the_vault_from_being_locked(images: Callable[[], Vault]) -> None:
    made = images()
    with (made.open(WORKSPACE) / "open").open("wb"), refused("VAULT_IN_USE"):
        made.lock()
    made.lock()


# --- what is not as it should be


def test_a_folder_that_is_not_encrypted_with_its_key_is_not_used(vault: Vault) -> None:
    filled(vault)
    folder = vault.folder(WORKSPACE)
    shutil.rmtree(folder)
    folder.mkdir()
    with refused("VAULT_MIXED"):
        again(vault).open(WORKSPACE)
    folder.rmdir()
    vault.open("ag-a/sc-b").rename(folder)
    with refused("VAULT_MIXED"):
        again(vault).open(WORKSPACE)


def test_one_damaged_record_closes_one_workspace(vault: Vault) -> None:
    filled(vault)
    vault.open("ag-a/sc-b")
    vault.close("ag-a/sc-b")
    vault.records.path("ag-a/sc-b").write_text("{}")
    started = again(vault)
    assert read(started)
    with refused("VAULT_RECORD_DAMAGED"):
        started.open("ag-a/sc-b")
    assert started.status() == {WORKSPACE: State.OPEN, "ag-a/sc-b": State.DAMAGED}


def test_what_is_unknown_cannot_be_rotated(vault: Vault) -> None:
    with refused("VAULT_UNKNOWN"):
        vault.rotate("ag-a/none")
    for name in ("..", "ag-a", "ag-a/../x"):
        with refused("MALFORMED"):
            vault.open(name)


def test_a_cipher_that_the_kernel_lacks_is_not_replaced(new_vault: VaultMaker) -> None:
    made = new_vault()
    other = Vault(made.volume, made.keys, Master(MASTER), "sm4-xts")
    if "sm4" in Path("/proc/crypto").read_text():  # a kernel that has it must use it
        found = policy_of(other.open(WORKSPACE))
        assert found is not None
        assert found[0] == "sm4-xts"
    else:
        with refused("VAULT_CIPHER"):
            other.open(WORKSPACE)
        assert made.status() == {}
        with refused("VAULT_CIPHER"):
            Vault(Folder(made.root / "fresh"), made.keys, Master(MASTER), "sm4-xts").create()


def test_a_machine_that_cannot_encrypt_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_memory = Path("/dev/shm") / secrets.token_hex(8)
    try:
        with refused("VAULT_UNAVAILABLE"):
            Folder(in_memory).create()
    finally:
        in_memory.rmdir()
    with refused("VAULT_UNAVAILABLE"):
        Image(tmp_path / "small.img", tmp_path / "small", 1 << 20).create()
    with refused("VAULT_NOT_HERE"):
        Image(tmp_path / "absent.img", tmp_path / "absent").attach()
    with refused("VAULT_NOT_HERE"):
        Folder(tmp_path / "absent").attach()
    monkeypatch.setattr(volume, "_PATH", "/nowhere")
    with refused("VAULT_UNAVAILABLE"):
        Image(tmp_path / "vault.img", tmp_path / "vault", 256 << 20).create()
    assert [path.name for path in tmp_path.iterdir()] == []


def test_another_mount_in_the_vaults_place_is_not_taken_for_it(
    images: Callable[[], Vault], tmp_path: Path
) -> None:
    made = images()
    made.lock()
    mounts.tmpfs(made.root, size=1 << 20, inodes=10, uid=0)
    try:
        with refused("VAULT_NOT_HERE"):
            made.unlock()
    finally:
        mounts.unmount_below(made.root)


# --- the settings


def test_plain_needs_the_profiles_leave(tmp_path: Path) -> None:
    policy = {"storage.plain": "forbidden", "storage.cipher": "aes-256-xts"}
    with refused("VAULT_PLAIN_FORBIDDEN"):
        vault_at(tmp_path, policy.get, "plain", master="")
    with refused("VAULT_SETTING"):
        vault_at(tmp_path, policy.get, "none", master="")
    plain = vault_at(tmp_path, {**policy, "storage.plain": "allowed"}.get, "plain", master="")
    plain.create()
    (plain.open(WORKSPACE) / "file").write_bytes(CANARY)
    (plain.scratch() / "file").write_bytes(CANARY)
    assert not plain.encrypted
    assert plain.record(WORKSPACE) is None
    assert plain.scenarios("ag-a") == ["sc-a"]
    assert not plain.destroy(WORKSPACE)
    assert not (plain.root / "agreements" / "ag-a").exists()
    with refused("MALFORMED"):
        plain.open("..")


def test_without_a_folder_named_the_home_gets_an_image(tmp_path: Path) -> None:
    policy = {"storage.plain": "forbidden", "storage.cipher": "aes-256-xts"}
    chosen = vault_at(tmp_path, policy.get, "encrypted", master=MASTER, size=256 << 20)
    assert isinstance(chosen, Vault)
    expected = Folder if volume.can_encrypt(tmp_path) else Image
    assert isinstance(chosen.volume, expected)
    chosen.create()
    chosen.open(WORKSPACE)
    found = vault_at(tmp_path, policy.get, "encrypted", master=MASTER)
    assert isinstance(found, Vault)
    assert found.status() == {WORKSPACE: State.OPEN}
    found.lock()
