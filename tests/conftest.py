"""What every test may use; the fixtures themselves are in ``plugins/``."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.plugins")  # now, as they import one another in any order
_PLUGINS = Path(__file__).parent / "plugins"

pytest_plugins = [
    "tests.trace",
    *(f"tests.plugins.{path.stem}" for path in sorted(_PLUGINS.glob("*.py"))),
]
