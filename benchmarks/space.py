"""A space to measure: real server and worker, a small register, a scenario for each organisation."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sandbox.cli.client import Client
from sandbox.control.places import Places
from sandbox.control.space import Settings
from sandbox.demo.cases import CONTRACT
from sandbox.demo.data import HERE, residents
from sandbox.demo.space import DemoSpace
from sandbox.demo.story import Story
from sandbox.executor.contract import Limits
from sandbox.executor.docker import DockerExecutor
from sandbox.policy.load import load_profile

ENDED = {"quarantined", "failed", "denied", "killed"}
SQL = "CREATE TABLE by_sex AS SELECT sex, count(*) AS persons FROM residents GROUP BY sex ORDER BY sex;\n"


@dataclass
class Developer:
    """One organisation: its person's client, its scenario, its primary product."""

    organisation: str
    client: Client
    scenario: str = ""
    product: str = ""


def machine() -> str:
    """What a table was measured on, and how busy it was."""
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release().split('-')[0]}; "
        f"load at the start {os.getloadavg()[0]:.1f}"
    )


def limits_of(file: Path) -> Limits:
    """A profile's bounds of a job."""
    get = load_profile(str(file)).get
    return Limits(
        seconds=float(get("job.timeout_seconds")),
        memory_bytes=int(get("job.memory_bytes")),
        cpus=float(get("job.cpus")),
        pids=int(get("job.pids")),
        output_bytes=int(get("job.output_bytes")),
        output_files=int(get("job.output_files")),
        tmp_bytes=int(get("job.tmp_bytes")),
    )


class MeasuredSpace:
    """``developers`` of them, ready to submit. ``env`` adds settings, e.g. ``SANDBOX_DATABASE``."""

    def __init__(self, folder: Path, developers: int = 1, rows: int = 5000, **env: str) -> None:
        self.space = DemoSpace(folder / "demo", HERE / "profile.yaml", **env)
        self.story = Story(self.space, [residents(folder / "demo", rows)])
        for act in ("parties", "catalogue", "agreement"):
            getattr(self.story, act)()
        self.case = self.story.cases[0]
        self.developers = [self._register(number) for number in range(developers)]
        for developer in self.developers:
            self._scenario(developer)
        for developer in self.developers:
            self._data(developer)

    def _register(self, number: int) -> Developer:
        name = f"developer-{number}"
        admin = Client(self.space.url, self.space.admin_token)
        admin.create("organisation", {"name_zh": name, "name_en": name, "roles": ["developer"]}, name)
        admin.act("organisation", name, "activate")
        admin.call("POST", "/v1/accounts", json={"id": f"p-{name}", "name": name, "person": f"person-{name}"})
        body = {"organisation": name, "role": "developer"}
        admin.call("POST", f"/v1/accounts/p-{name}/memberships", json=body)
        token = admin.call("POST", f"/v1/accounts/p-{name}/tokens", json={"name": "bench", "days": 7}).json()
        admin.close()
        return Developer(name, Client(self.space.url, token["token"]))

    def _scenario(self, developer: Developer) -> None:
        w, today = self.story.world, self.story.today
        spec = {
            "agreement": "ag-demo",
            "title": "统计",
            "purpose": self.case.purpose,
            "description": "按组汇总",
            "list": [{"entry": self.case.entry, "columns": self.case.data.columns}],
            "starts": today.isoformat(),
            "ends": (today + timedelta(days=180)).isoformat(),
            "uses": 10_000,
        }
        developer.scenario = developer.client.create("scenario", spec)["id"]
        three = ("reasonable", "compliant", "safe")
        answers = {"answers": dict.fromkeys(three, "yes"), "notes": dict.fromkeys(three, "已核")}
        for who in ("chen-authority", "sun-provider"):
            w[who].act("scenario", developer.scenario, "assess", answers)
        w["chen-authority"].act("scenario", developer.scenario, "approve")
        w["zhao-operator"].act("scenario", developer.scenario, "contract", {"text_sha256": CONTRACT})
        developer.client.act("scenario", developer.scenario, "accept", {"text_sha256": CONTRACT})

    def _data(self, developer: Developer) -> None:
        w, data = self.story.world, self.case.data
        manifest = {
            "entry": self.case.entry,
            "agreement": "ag-demo",
            "scenario": developer.scenario,
            "key_id": "k1",
        }
        supply = w["provider-connector"].supply(manifest, data.file, w.key)["id"]
        w["lin-body"].wait("supply", supply, {"available", "refused"})
        spec = {
            "scenario": developer.scenario,
            "purpose": self.case.purpose,
            "language": "recipe",
            "recipe": data.recipe,
            "inputs": [{"name": data.table, "entry": self.case.entry, "columns": data.columns}],
        }
        job = w["zhao-operator"].create("job", spec)["id"]
        done = w["zhao-operator"].wait("job", job, {"kept", "failed", "denied"})
        developer.product = done["status"]["keep"]["product"]
        w["zhao-operator"].act("product", developer.product, "offer", {"scenario": developer.scenario})

    def job(self, developer: Developer, code: str = SQL, output: str = "by_sex.csv") -> dict[str, Any]:
        """The specification of a SQL job (a Python one if ``code`` is given with another output)."""
        return {
            "scenario": developer.scenario,
            "purpose": self.case.purpose,
            "inputs": [{"name": "residents", "product": developer.product, "columns": ["sex", "district"]}],
            "language": "sql" if code is SQL else "python",
            "entry": "main.sql" if code is SQL else "main.py",
            "code": {"main.sql" if code is SQL else "main.py": code},
            "outputs": [{"path": output, "kind": "table"}],
        }

    @property
    def places(self) -> Places:
        """Where the space's bytes lie."""
        return Places(Settings.from_env(self.space.env).resting())

    @property
    def executor(self) -> DockerExecutor:
        """The executor that the worker uses."""
        return DockerExecutor(self.places.tasks)

    def close(self) -> None:
        """End the processes, remove every container and mount."""
        for developer in self.developers:
            developer.client.close()
        self.story.world.close()
        executor = self.executor
        for process in (self.space.server, self.space.worker):
            process.terminate()
            process.wait(30)
        executor.prepare([])
        executor.close()
        for task in executor.known():
            executor.discard(task)
        self.space.stop()
