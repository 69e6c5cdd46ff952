"""The path from a supply to a verdict on a machine where tasks run in bubblewrap: no engine takes part."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sandbox.executor.bubblewrap import BubblewrapExecutor
from sandbox.executor.docker import DockerExecutor, calls
from tests.plugins.engine import containers
from tests.plugins.live import Live, LiveMaker


@pytest.fixture(scope="module")
def live(live_space: LiveMaker) -> Iterator[Live]:
    """A space whose worker was started with ``SANDBOX_EXECUTOR=bubblewrap``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SANDBOX_EXECUTOR", "bubblewrap")
        yield live_space("sqlite", 500)


def test_a_job_over_a_primary_product_runs_is_checked_and_outlives_its_worker(live: Live) -> None:
    job = live.job(seconds=4)
    live.wait("job", job, "running")
    executor = BubblewrapExecutor(live.places.tasks)
    live.kill("job running")
    done = live.wait("job", job, "quarantined")
    assert '"executor": "bubblewrap"' in json.dumps(done.status)
    request = live.propose(job)
    checked = live.wait("egress-request", request, "human_review", "auto_rejected")
    assert checked.state == "human_review", checked.status
    unused = DockerExecutor(live.places.tasks)
    with calls(unused.engine) as api:
        assert containers(api, unused) == []
    assert executor.running() == []
