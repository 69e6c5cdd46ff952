"""``with refused("STALE"): …``: the block must be refused with this code of our error tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sandbox.core.errors import SandboxError


@contextmanager
def refused(code: str) -> Iterator[None]:
    """Fails unless the block raises a ``SandboxError`` with ``code``."""
    with pytest.raises(SandboxError) as caught:
        yield
    assert caught.value.code == code
