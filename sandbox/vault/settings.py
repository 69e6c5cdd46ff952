"""Which resting place a space has: by its settings, within what its profile allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sandbox.core.errors import fail
from sandbox.vault.contract import AtRest
from sandbox.vault.master import Master
from sandbox.vault.plain import Plain
from sandbox.vault.vault import Vault
from sandbox.vault.volume import Folder, Image, Volume, can_encrypt

IMAGE = "vault.img"
ROOT = "vault"


def _volume(home: Path, folder: str, size: int) -> Volume:
    """``folder`` if one is named; else the home's file system if it encrypts; else an image in the home."""
    if folder:
        return Folder(Path(folder))
    own = home / ROOT
    image = home / IMAGE
    if not image.exists() and home.is_dir() and can_encrypt(home):
        return Folder(own)
    return Image(image, own, size)


def _encrypted(home: Path, get: Callable[[str], Any], master: str, folder: str, size: int) -> AtRest:
    return Vault(_volume(home, folder, size), home / "keys", Master(master), get("storage.cipher"))


def _plain(home: Path, get: Callable[[str], Any], master: str, folder: str, size: int) -> AtRest:
    if get("storage.plain") != "allowed":
        raise fail("VAULT_PLAIN_FORBIDDEN")
    return Plain(home / ROOT)


AT_REST: Mapping[str, Callable[[Path, Callable[[str], Any], str, str, int], AtRest]] = {
    "encrypted": _encrypted,
    "plain": _plain,
}


def vault_at(
    home: Path, get: Callable[[str], Any], at_rest: str, *, master: str, folder: str = "", size: int = 0
) -> AtRest:
    """The resting place of the space at ``home`` (nothing is opened yet).

    ``get`` reads policy parameters; ``at_rest`` is a key of ``AT_REST``; ``master``, ``folder`` and ``size``
    (bytes) as the settings SANDBOX_MASTER, SANDBOX_VAULT and SANDBOX_VAULT_BYTES say. Raises VAULT_SETTING,
    VAULT_PLAIN_FORBIDDEN.
    """
    if at_rest not in AT_REST:
        raise fail("VAULT_SETTING", name="SANDBOX_AT_REST", value=at_rest, may=", ".join(AT_REST))
    return AT_REST[at_rest](home, get, master, folder, size)
