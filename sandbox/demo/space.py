"""Starts a space of its own for the demonstration: init, API, worker, each the public command."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from sandbox.core.errors import fail
from sandbox.demo.kept import end

COMMAND = [sys.executable, "-m", "sandbox.cli.main"]
START_SECONDS = 180.0  # of the server, on a slow machine with much else to do


def said(env: Mapping[str, str], *words: str, ok: tuple[int, ...] = (0,)) -> str:
    """Standard output of one ``sandbox`` command. Any other exit than ``ok`` is a defect."""
    done = subprocess.run(  # noqa: S603  (our own command)
        [*COMMAND, *words], env=env, capture_output=True, text=True, check=False
    )
    if done.returncode not in ok:
        raise RuntimeError(f"sandbox {' '.join(words)}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def lock(folder: Path) -> None:
    """Take the keys of the vault in ``folder`` away, if there is one that is not in use."""
    home = folder / "space"
    if home.is_dir():
        said(
            {**os.environ, "SANDBOX_HOME": str(home), "SANDBOX_PROFILE": "national"},
            "keys",
            "lock",
            ok=(0, 3),
        )


class DemoSpace:
    """Processes and folder of one demonstration; ``stop`` ends exactly those that it started.

    ``env`` adds settings, e.g. ``SANDBOX_DATABASE`` for another database than SQLite in the folder.
    """

    def __init__(self, folder: Path, profile: Path, **env: str) -> None:
        self.folder = folder
        self.env = dict(os.environ)
        self._clear()
        folder.mkdir(parents=True, mode=0o700)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.env = {
            **os.environ,
            "SANDBOX_HOME": str(folder / "space"),
            "SANDBOX_PROFILE": str(profile),
            "SANDBOX_URL": self.url,
            "SANDBOX_MASTER": f"file:{self._master()}",
        }
        for name in ("SANDBOX_DATABASE", "SANDBOX_WORK_DATABASE", "SANDBOX_VAULT", "SANDBOX_AT_REST"):
            self.env.pop(name, None)
        self.env |= env
        self.admin_token = self.run("init").strip()
        self.server = self.start("serve", "--port", str(port))
        self.worker = self.start("worker")
        self._ready()

    def run(self, *words: str, ok: tuple[int, ...] = (0,), **env: str) -> str:
        """One ``sandbox`` command in this space; see ``said``."""
        return said({**self.env, **env}, *words, ok=ok)

    def stop(self) -> None:
        """End the two processes, and take the vault's keys away unless a container still has it in use."""
        self._end(self.server, self.worker)
        self.run("keys", "lock", ok=(0, 3))

    def hand_over(self) -> None:
        """End both, and start the server once more in a session of its own: it outlives this process."""
        self._end(self.server, self.worker)
        self.server = self.start("serve", "--port", self.url.rpartition(":")[2], alone=True)
        self._ready()

    def start(self, *words: str, alone: bool = False) -> subprocess.Popen[bytes]:
        """One ``sandbox`` command that stays; what it says goes to ``<verb>.log`` in the folder."""
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603  (our own command)
                [*COMMAND, *words], env=self.env, stdout=log, stderr=log, start_new_session=alone
            )

    @staticmethod
    def _end(*processes: subprocess.Popen[bytes]) -> None:
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _clear(self) -> None:
        """Remove what an earlier demonstration left, once its console has ended and its vault is shut."""
        end(self.folder)
        lock(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _master(self) -> Path:
        """A master key beside the space: good enough to show; an operator keeps it on another machine."""
        path = self.folder / "master.key"
        path.touch(0o600)
        path.write_text(secrets.token_hex(32))
        return path

    def _ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                if httpx.get(f"{self.url}/public/health", timeout=1).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        self.stop()
        raise fail("SERVER_UNREACHABLE", url=self.url)
