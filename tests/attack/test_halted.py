"""A job that halts what runs it gains nothing: it is ended, or was not heard."""

from __future__ import annotations

import time

import pytest

from sandbox.executor.contract import End
from tests.plugins.bubblewrap import BubblewrapProber
from tests.plugins.engine import ProbeExecutor

HALT = """
import signal
if os.fork() == 0:
    os.kill(os.getppid(), signal.SIGSTOP)
    os._exit(0)
os.wait()
report['went_on'] = True
"""


def test_without_an_engine_it_is_noticed_within_seconds(bubblewrapped: BubblewrapProber) -> None:
    begun = time.monotonic()
    outcome = bubblewrapped.run(bubblewrapped.task(HALT, seconds=180))
    assert (outcome.end, outcome.report) == (End.FAILED, {})
    assert time.monotonic() - begun < 120


@pytest.mark.engine
def test_the_first_process_of_a_container_does_not_hear_it(prober: ProbeExecutor) -> None:
    outcome = prober.run(prober.task(HALT, seconds=60))
    assert (outcome.end, outcome.report) == (End.SUCCEEDED, {"went_on": True})
