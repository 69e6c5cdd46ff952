"""The record of re-identifications that are done by hand: appended and flushed before anything is told."""

from __future__ import annotations

import getpass
import hashlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


def recorded(
    path: Path, project: str, recipient: str, domain: str, tokens: Sequence[str], reason: str
) -> None:
    """Append one line: when, who (the account of this machine), what for, how many tokens and a hash of
    each; the hash of the line before, so that a line taken out shows. Neither token nor value is in it.
    OSError if it cannot be written: then nothing may be told."""
    before = path.read_bytes().splitlines()[-1:] if path.exists() else []
    line = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "by": getpass.getuser(),
        "project": project,
        "recipient": recipient,
        "domain": domain,
        "reason": reason,
        "tokens": [hashlib.sha256(token.encode()).hexdigest() for token in tokens],
        "before": hashlib.sha256(before[0] if before else b"").hexdigest(),
    }
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8"
    ) as file:
        file.write(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n")
        file.flush()
        os.fsync(file.fileno())
