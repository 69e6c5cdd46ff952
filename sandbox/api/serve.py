"""The API and the console on one socket, in one process or several that share what they loaded.

Python runs one thread at a time, so a server of one process uses one core. The parent opens the socket, loads
everything and forks before any thread runs or any connection is open; the children accept from the same
socket. What must be common to them (sessions, limits, idempotency keys) stands in the store.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
from collections.abc import Callable

import anyio.to_thread
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.api import codes  # noqa: F401
from sandbox.core.errors import fail

KEEP_ALIVE = 30  # seconds: a browser that asks again shortly finds its connection open
THREADS = 8  # answers at once in a process; more of them only wait for the interpreter, each with its memory
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_LIBC = ctypes.CDLL(None, use_errno=True)


def processes(wanted: int) -> int:
    """How many there will be: as many as wanted; 0: one for each core, at most two, as the database's writers
    are serial anyway."""
    return wanted or min(2, len(os.sched_getaffinity(0)))


def listen(host: str, port: int) -> socket.socket:
    """The socket. Raises ADDRESS_TAKEN."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise fail("ADDRESS_TAKEN", address=f"{host}:{port}", why=str(error.strerror)) from None
    made.listen(1024)
    return made


def serve(listening: socket.socket, make: Callable[[], ASGIApp], count: int) -> int:
    """Serve on the socket until SIGTERM or SIGINT, in ``count`` processes, each with a ``make()`` of its own.

    Returns the exit status: 1 where one of several ended by itself; the others are ended then."""
    if count == 1:
        run(listening, make)
        return 0
    gc.freeze()  # what is loaded stays in pages that the children share
    children = [_child(listening, make) for _ in range(count)]
    asked = False

    def forward(number: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, forward)
    left = set(children)
    while left:
        ended, _ = os.wait()
        left.discard(ended)
        if not asked:
            asked = True
            for child in left:
                os.kill(child, signal.SIGTERM)
            while left:
                left.discard(os.wait()[0])
            return 1
    return 0


def _child(listening: socket.socket, make: Callable[[], ASGIApp]) -> int:
    parent, child = os.getpid(), os.fork()
    if child:
        return child
    status = 1
    try:
        os.setpgid(0, 0)  # a terminal's Ctrl-C goes to the parent alone, which passes it on
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)  # its port is free at once, too
        if os.getppid() == parent:  # else it has died before it could be asked for
            run(listening, make)
        status = 0
    finally:
        os._exit(status)


def run(listening: socket.socket, make: Callable[[], ASGIApp]) -> None:
    """Serve in this process."""
    app = _bounded(make())
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_keep_alive=KEEP_ALIVE)
    uvicorn.Server(config).run([listening])


def _bounded(app: ASGIApp) -> ASGIApp:
    """``app`` with at most ``THREADS`` of its answers made at once. The limit is the event loop's, so it is
    set from within it: as the application starts."""

    async def bounded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        await app(scope, receive, send)

    return bounded
