"""Keeps containers ready for the tasks that are likely to come.

A thread of the worker. It makes one container at a time, so that getting ready never takes more than one
core from what runs, and looks again when one was claimed, when something else is wanted, and from time
to time, since a container that waited too long ends by itself.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

import docker

from sandbox.core.errors import SandboxError
from sandbox.executor.contract import Shape
from sandbox.executor.slots import AHEAD, Slots

LOOK_SECONDS = 60.0
RETRY_SECONDS = 5.0
log = logging.getLogger(__name__)


class Ahead:
    """Fills ``slots`` up to what is wanted; see the module's text."""

    def __init__(self, slots: Slots, calls: Callable[[], AbstractContextManager[docker.APIClient]]) -> None:
        self.slots = slots
        self.calls = calls
        self.wanted: tuple[Shape, ...] = ()
        self._news = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def want(self, wanted: Sequence[Shape]) -> None:
        """From now on keep these ready and no others."""
        self.wanted = tuple(wanted)
        if self._thread is None:
            self._thread = threading.Thread(target=self._fill, name="ahead", daemon=True)
            self._thread.start()
        self.look()

    def look(self) -> None:
        """One was taken."""
        self._news.set()

    def close(self) -> None:
        """End the thread and remove what waits."""
        self.wanted, self._over = (), True
        self._news.set()
        if self._thread is not None:
            self._thread.join()
        with self.calls() as api:
            self._drop_unwanted(api)

    def _fill(self) -> None:
        while not self._over:
            self._news.clear()
            pause = LOOK_SECONDS
            try:
                with self.calls() as api:
                    self.slots.reap(api)
                    self._drop_unwanted(api)
                    while missing := self._missing():  # nothing is wanted any more once it is over
                        self.slots.make(api, missing[0], AHEAD)
            except SandboxError as error:  # said again, and to somebody, by the task that needs it
                log.warning("no container made ahead: %s", error)
                pause = RETRY_SECONDS
            except OSError as error:
                log.warning("no container made ahead: %s", error.strerror)
                pause = RETRY_SECONDS
            self._news.wait(pause)

    def _missing(self) -> list[Shape]:
        """What is wanted and does not wait."""
        there = Counter(_key(slot.shape) for _, slot in self.slots.ready() if slot.waits)
        missing = []
        for shape in self.wanted:
            if there[_key(asdict(shape))] > 0:
                there[_key(asdict(shape))] -= 1
            else:
                missing.append(shape)
        return missing

    def _drop_unwanted(self, api: docker.APIClient) -> None:
        wanted = Counter(_key(asdict(shape)) for shape in self.wanted)
        for folder, slot in self.slots.ready():
            wanted[_key(slot.shape)] -= 1
            if wanted[_key(slot.shape)] >= 0:
                continue
            mine = self.slots.set_aside(folder)
            if mine is not None:
                self.slots.drop(api, slot.slot)
                mine.remove()


def _key(shape: dict[str, Any]) -> tuple[Any, ...]:
    return (shape["image"], shape.get("runtime"), *sorted(shape["limits"].items()))
