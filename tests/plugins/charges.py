"""Charges to the privacy budget from many processes that are killed: the load, and what must hold after it.

Each fifth question is asked by two processes; a process that is killed is started again and asks its last
questions once more. Costs are such that not all of it can be paid. Used by the integration test and, larger,
by ``benchmarks/dp_budget.py``.
"""

from __future__ import annotations

import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox.audit.tree import hasher, root_of
from sandbox.authorisation.dp_budget import Budget, nano_rho_of, scope_id
from sandbox.control.door import Control
from sandbox.core.actor import Actor, Role
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Entry, Resource
from sandbox.operation.dp_release import release_id
from sandbox.policy.load import load_calendar, load_profile
from sandbox.store import Store

MACHINE = Actor("system", "", "space", Role.SYSTEM)
BOUND = 10**7  # delta of 1e-8
EPSILON = {"dp.epsilon_total": 0.2, "dp.epsilon_scenario": 0.5, "dp.epsilon_entities": 0.6}
DATASETS = {"ce-a": "residents", "ce-b": "residents", "ce-c": "firms", "ce-d": "firms"}  # with their domain
SCENARIOS, RECIPIENTS = ("sc-a", "sc-b", "sc-c"), ("dev", "dev-two")
BACK = 10  # questions that a process asks again when it is started again
LOOK = 0.005  # seconds between two looks at how far they are
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Strict:
    """The national profile with small budgets."""

    base: Any
    id: str = "national+load"

    def get(self, key: str) -> Any:
        return EPSILON.get(key, self.base.get(key) if key not in EPSILON else None)


@dataclass
class Outcome:
    """What the processes met, and what stands in the store."""

    seconds: float = 0.0
    kills: int = 0
    met: Counter[str] = field(default_factory=Counter)
    releases: int = 0
    charges: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def asked(number: int, mean: int) -> dict[str, Any]:
    """Question ``number`` and its cost: the same whoever asks."""
    chance = random.Random(number)
    dataset, scenario = chance.choice(sorted(DATASETS)), chance.choice(SCENARIOS)
    recipient = chance.choice(RECIPIENTS)
    scopes = [
        Budget(level="use", dataset=dataset, scenario=scenario, recipient=recipient, year=2026),
        Budget(level="scenario", scenario=scenario),
        Budget(level="entities", domain=DATASETS[dataset]),
    ]
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    return {
        "asked_sha256": digest,
        "query_sha256": digest,
        "job": f"job-{number}",
        "scenario": scenario,
        "agreement": "ag-a",
        "recipient": recipient,
        "datasets": [dataset],
        "nano_rho": chance.randint(1, 2 * mean),
        "delta_e15": chance.choice((0, 0, 1)),
        "delta_bound": BOUND,
        "epsilon": "0.0000",
        "scopes": [scope.model_dump() for scope in scopes],
    }


def control_of(url: str) -> Control:
    """A door of its own, as every process has."""
    return Control(Store(url), Strict(load_profile("national")), load_calendar())


def prepare(url: str) -> None:
    """The tables, and the one agreement whose rules are asked."""
    store = Store(url)
    store.upgrade()
    spec = {"egress_rules": {}}
    entry = Entry(datetime.now(UTC), "system", "bdb", "system", "fabricate", "agreement/ag-a", after="active")
    with store.write() as writer:
        writer.put(Resource("agreement", "ag-a", "bdb", "active", spec), entry, expected=0)
    store.close()


def charge(control: Control, number: int, mean: int) -> str:
    """Ask once: ``charged``, ``known``, or the code of the refusal."""
    spec = asked(number, mean)
    while True:
        try:
            control.create(MACHINE, "dp-release", spec, id=release_id(spec["asked_sha256"]))
            return "charged"
        except SandboxError as error:
            if error.code == "EXISTS":
                return "known"
            if error.code != "STORE_UNAVAILABLE":  # the database is busy with the others
                return error.code


def work(url: str, numbers: list[int], mean: int, place: Path) -> None:
    """In a process of its own: ask what is left of ``numbers``; how far it came stands in ``place``."""
    control, begin = control_of(url), max(_reached(place) - BACK, 0)
    for position in range(begin, len(numbers)):
        met = charge(control, numbers[position], mean)
        with place.open("a") as file:  # one short write: whole or not there
            file.write(f"{position} {met}\n")


def _reached(place: Path) -> int:
    whole = place.read_text().split("\n")[:-1] if place.exists() else []
    return int(whole[-1].split()[0]) if whole else 0


def _asked(places: list[Path]) -> int:
    """How many answers all processes have had."""
    return sum(place.read_bytes().count(b"\n") for place in places if place.exists())


def load(url: str, questions: int, processes: int, kills: int, seed: int) -> Outcome:
    """``questions`` from ``processes`` at once, ``kills`` times one is killed; what stands is checked."""
    prepare(url)
    chance, result = random.Random(seed), Outcome()
    # in all 1.3 times what the two domains of entities can pay
    mean = max(1, int(1.3 * 2 * nano_rho_of(EPSILON["dp.epsilon_entities"], BOUND) / questions))
    mine = [list(range(one, questions, processes)) for one in range(processes)]
    both = [a + b[::5] for a, b in zip(mine, mine[1:] + mine[:1], strict=True)]
    shares = [chance.sample(one, len(one)) for one in both]
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(number) for number in range(processes)]

        for number, share in enumerate(shares):
            (Path(folder) / f"{number}.json").write_text(json.dumps(share))

        # A fork of this process would take over the threads' locks and objects of all it has loaded: a
        # collection of garbage in the child then ends it, or never ends.
        def start(number: int) -> subprocess.Popen[bytes]:
            given = (url, str(mean), f"{folder}/{number}.json", str(places[number]))
            return subprocess.Popen((sys.executable, "-m", __spec__.name, *given), cwd=ROOT)

        running = {number: start(number) for number in range(processes)}
        total, sent = sum(map(len, shares)), 0
        while running:
            # spread over the work, however fast the machine does it
            if sent < kills and _asked(places) * (kills + 1) >= (sent + 1) * total:
                running[chance.choice(sorted(running))].kill()
                sent += 1
            time.sleep(LOOK)
            for number, process in list(running.items()):
                status = process.poll()
                if status is None:
                    continue
                del running[number]
                if status == -signal.SIGKILL and result.kills < sent:
                    result.kills += 1
                    running[number] = start(number)
                elif status:
                    result.wrong.append(f"process {number} ended with {status}")
        result.seconds = time.monotonic() - began
        for place in places:
            result.met.update(line.split()[1] for line in place.read_text().split("\n")[:-1])
    check(url, questions, mean, result)
    return result


def check(url: str, questions: int, mean: int, result: Outcome) -> None:
    """Every sum is that of its releases, none is above its cap, what was refused did not fit, the log is
    whole."""
    control = control_of(url)
    with control.store.read() as reader:
        releases = {one.id: one for one in reader.find("dp-release")}
        books = {one.id: one for one in reader.find("dp-budget")}
        versions = {id: reader.history("dp-budget", id) for id in books}
        rows = list(reader.raw_entries(1 << 60))
        head = reader.head()
    result.releases, result.charges = len(releases), sum(len(told) - 1 for told in versions.values())
    expected: Counter[str] = Counter()
    for release in releases.values():
        for scope in release.spec["scopes"]:
            expected[scope_id(Budget.model_validate(scope))] += release.spec["nano_rho"]
    for id, book in books.items():
        told = book.status["budget"]
        result.spent[_name(book.spec)] = told["nano_rho"]
        named = [version.status["charge"]["release"] for version in versions[id][1:]]
        if told["nano_rho"] != expected[id] or len(set(named)) != len(named) or set(named) - set(releases):
            result.wrong.append(f"{_name(book.spec)}: spent {told['nano_rho']}, charged {expected[id]}")
        if told["nano_rho"] > told["cap_nano_rho"] or told["delta_e15"] > told["cap_delta_e15"]:
            result.wrong.append(f"{_name(book.spec)}: above its cap")
    for number in range(questions):
        spec = asked(number, mean)
        if release_id(spec["asked_sha256"]) not in releases and charge(control, number, mean) != "BUDGET":
            result.wrong.append(f"question {number}: refused though it fits")
    h = hasher("sha256")
    if head.root(h) != root_of([leaf for _, _, leaf, _ in rows], h) or len(rows) != head.size:
        result.wrong.append("the audit log is not whole")
    control.store.close()


def _name(spec: Mapping[str, Any]) -> str:
    return " ".join(str(value) for value in spec.values() if value)


if __name__ == "__main__":
    work(sys.argv[1], json.loads(Path(sys.argv[3]).read_text()), int(sys.argv[2]), Path(sys.argv[4]))
