"""``scripts/engine``: starting twice is starting once; what the engine runs with."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import docker
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/engine"


def engine(*verb: str, address: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script; ``address`` stands for ``SANDBOX_ENGINE``."""
    env = {**os.environ, **({"SANDBOX_ENGINE": address} if address else {})}
    return subprocess.run([str(SCRIPT), *verb], capture_output=True, text=True, env=env, timeout=120)


def test_a_running_engine_is_reused(engine_api: docker.APIClient) -> None:
    before = engine_api.info()["ID"]
    pid = Path("/run/sandbox-engine/dockerd.pid").read_text()
    started = engine("start")
    assert started.returncode == 0
    assert "已在运行" in started.stdout
    assert "running already" in started.stdout
    assert Path("/run/sandbox-engine/dockerd.pid").read_text() == pid
    assert engine_api.info()["ID"] == before
    assert engine("status").returncode == 0


def test_status_tells_a_missing_engine(tmp_path: Path) -> None:
    assert engine("status", address=f"unix://{tmp_path}/none.sock").returncode == 3


@pytest.mark.parametrize("verb", [(), ("restart",), ("start", "now")])
def test_an_unknown_verb_shows_the_usage(verb: tuple[str, ...]) -> None:
    done = engine(*verb)
    assert done.returncode != 0
    assert "start|stop|status" in done.stderr


def test_the_engine_itself_is_hardened(engine_api: docker.APIClient) -> None:
    """What holds for a container that states nothing, which none of ours is."""
    info = engine_api.info()
    assert [network["Name"] for network in engine_api.networks() if network["Driver"] == "bridge"] == []
    assert info["LoggingDriver"] == "none"
    assert info["LiveRestoreEnabled"] is True
    assert any(option.startswith("name=seccomp,profile=/") for option in info["SecurityOptions"])
    assert Path("/run/sandbox-engine").stat().st_mode & 0o077 == 0
    assert Path("/var/lib/sandbox-engine").stat().st_mode & 0o077 == 0
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    assert not [line for line in listening.splitlines() if ":0947 " in line or ":0948 " in line]  # 2375, 2376
