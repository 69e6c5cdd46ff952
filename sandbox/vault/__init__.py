"""Encryption at rest: a key per workspace, wrapped by a master key; destroying the key is the deletion."""

from sandbox.vault.contract import AtRest, State
from sandbox.vault.master import Master
from sandbox.vault.plain import Plain
from sandbox.vault.settings import AT_REST, vault_at
from sandbox.vault.vault import Vault
from sandbox.vault.volume import Folder, Image, Volume

__all__ = [
    "AT_REST",
    "AtRest",
    "Folder",
    "Image",
    "Master",
    "Plain",
    "State",
    "Vault",
    "Volume",
    "vault_at",
]
