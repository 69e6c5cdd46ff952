"""Which tests stay together when pytest-xdist runs them in several processes (``make test`` does).

A file of the functional and the integration tests stays in one process: its tests share a scene that takes
up to a minute to play. All others are dealt out one by one, last, so that the processes end together.
Servers and scenes of a session are made once per process; each has folders, ports and containers of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

# folder -> its place in the order; files of the first two stay whole
ORDER = {"functional": 0, "integration": 1, "attack": 2, "unit": 3}
WHOLE = {"functional", "integration"}
# parameters of a whole file that are scenes of their own
SCENES = {"test_crash.py": ("[sqlite]", "[postgresql]")}


def together(nodeid: str) -> str:
    """The name of what ``nodeid`` must stay together with: equal for two tests of one process."""
    path = nodeid.partition("::")[0]
    *_, folder, file = ["", *path.split("/")]
    if folder not in WHOLE:
        return nodeid
    return path + next((scene for scene in SCENES.get(file, ()) if nodeid.endswith(scene)), "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long scenes first; the order within a file stays."""
    items.sort(key=lambda item: ORDER.get(item.path.parent.name, len(ORDER)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """xdist's own scheduler of scopes, with ours as scopes and the order as collected."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduler(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return together(nodeid)

    config.option.loadscopereorder = False
    return Scheduler(config, log)
