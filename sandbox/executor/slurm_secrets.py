"""Keys among a task's parameters on their way to a node: sealed, never in plain on the shared file system.

What is unlinked there may live on in snapshots and backups, longer than the key of the workspace that it was
derived from. So the parameters that ``Task.secrets`` names are sealed (AES-256-GCM, the task's id bound in)
under a key that every worker and node has in a file of its own disk, ``SANDBOX_SLURM_KEY``: 64 hexadecimal
digits, for its owner alone. Whoever replaces that file on all machines makes every older order unreadable.
"""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.core.errors import fail
from sandbox.executor import codes as codes  # registers the error codes
from sandbox.executor.contract import Task

SETTING = "SANDBOX_SLURM_KEY"
NONCE = 12  # bytes; SP 800-38D, section 8.2.2: at random, fewer than 2**32 orders under one key


def _machine(shared: Path) -> AESGCM:
    """The cipher under this machine's key. Raises SLURM_KEY if there is none that is fit: not named, not
    there, open to others, malformed, or below ``shared``, beside what it is to protect."""
    named = os.environ.get(SETTING, "")
    if not named:
        raise fail("SLURM_KEY", why="not set")
    path = Path(named).resolve()
    try:
        mode, text = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise fail("SLURM_KEY", why="unreadable") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise fail("SLURM_KEY", why="0600")
    if path.is_relative_to(shared.resolve()):
        raise fail("SLURM_KEY", why="on the shared file system")
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise fail("SLURM_KEY", why="64 hexadecimal digits")
    return AESGCM(bytes.fromhex(text))


def seal(task: Task, shared: Path) -> tuple[dict[str, Any], str]:
    """The parameters of ``task`` without its secrets, and these, sealed, as hex ("" if it has none).
    ``shared`` is the folder that all machines see. Raises SLURM_KEY."""
    hidden = {name: task.params[name] for name in task.secrets if name in task.params}
    if not hidden:
        return task.params, ""
    nonce = os.urandom(NONCE)
    sealed = _machine(shared).encrypt(nonce, json.dumps(hidden).encode(), task.id.encode())
    plain = {name: value for name, value in task.params.items() if name not in hidden}
    return plain, (nonce + sealed).hex()


def unseal(told: str, task_id: str, shared: Path) -> dict[str, Any]:
    """The secrets of an order; none for "". Raises SLURM_KEY, also where this machine's key is another."""
    if not told:
        return {}
    body = bytes.fromhex(told)
    try:
        plain = _machine(shared).decrypt(body[:NONCE], body[NONCE:], task_id.encode())
    except InvalidTag:
        raise fail("SLURM_KEY", why="another one than the worker's") from None
    secrets: dict[str, Any] = json.loads(plain)
    return secrets
