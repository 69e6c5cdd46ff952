"""The keys of a recipe: one for every project, recipient and name, all from the key of the workspace.

``places.key`` makes the workspace's key at random and it dies with the workspace: with it go all that
are derived from it. Two recipients get keys that have nothing to do with each other, so that nobody can
join their pseudonyms, tokens or shifted dates; nor can two projects.
"""

from __future__ import annotations

from sandbox.desensitize.transforms.base import subkey

SECRET = "recipes"  # noqa: S105 - the name under which the workspace keeps the key that these come from
VAULT = "token vault"  # the name of the token vault's key; no recipe can name a key so (``KeyName``)


def recipient_key(workspace: bytes, project: str, recipient: str, name: str) -> bytes:
    """32 bytes for the key ``name`` of a recipe whose product ``recipient`` gets in ``project``."""
    return subkey(workspace, "recipient", project, recipient, name)
