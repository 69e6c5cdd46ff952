"""What every test may use; the fixtures themselves are in ``plugins/``."""

from pathlib import Path

_HERE = Path(__file__).parent

pytest_plugins = [
    f"tests.plugins.{path.stem}"
    for path in sorted((_HERE / "plugins").glob("*.py"))
    if path.stem != "__init__"
]
