"""The console under load: server time per page with a full store, and 200 people browsing and polling.

``python benchmarks/console.py`` fills a SQLite store (10,000 egress requests with their checks, 100,000 audit
entries in all) through the store's writer, then (1) asks every page in this process, one after another, and
prints median and 95th percentile; (2) starts a server of its own on the loopback address, as ``sandbox
serve`` does, and lets 200 people with a session each work for ``--seconds`` (120): a random page of theirs,
read for ``--read`` seconds on average, and a fragment every two seconds meanwhile, as a page asks while a
machine is at work (real pages stop asking when it is not). ``--read 2`` is a crowd in a hurry: a page every
two seconds. It prints errors, latency and the server's memory. Nothing leaves the machine.
With ``--folder`` the store stays there, and a later run measures without filling it again.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

sys.path.insert(0, str(Path(__file__).parents[1]))

from fastapi import FastAPI

from sandbox.api import serve as server
from sandbox.api.app import create_app
from sandbox.control.identity import Identity
from sandbox.control.space import Settings, Space
from sandbox.core.resource import Entry
from tests.plugins.space import ADMINISTRATOR, Scene, open_scene
from tests.plugins.vault import MASTER, folder_of

COOKIE = "__Host-sandbox"
CHEAP = PasswordHasher(
    time_cost=1, memory_cost=8, parallelism=1
)  # what a password costs is not measured here
PASSWORD = "kiln-harbour-violet-42"  # noqa: S105 - of people who live for one measurement
POLL = 2.0  # seconds between two polls of a page
STATES = ("human_review", "released", "returned", "rejected", "auto_rejected")
# who -> pages of theirs; {n} is one of the requests
PAGES: dict[str, tuple[str, ...]] = {
    "reviewer": (
        "/", "/review", "/review/eg-{n}", "/r/egress-request", "/r/egress-request?order=due&dir=asc",
        "/r/egress-request?state=released", "/r/egress-request/eg-{n}", "/r/egress-request/eg-{n}/state",
        "/r/job", "/r/scenario/sc-a",
    ),
    "developer": (
        "/", "/r/egress-request", "/r/egress-request/eg-{n}", "/r/egress-request/eg-{n}/state",
        "/r/job/job-a", "/r/scenario", "/r/catalogue-entry/ce-a",
    ),
    "auditor": (
        "/", "/audit", "/audit?start={n}", "/audit?object=egress-request/eg-{n}", "/audit/{n}",
        "/r/egress-request",
    ),
    "operator": ("/", "/r/supply", "/r/job", "/r/product/pr-a"),
    "": ("/public", "/sign-in"),
}  # fmt: skip


def fill(home: Path, requests: int, entries: int) -> Scene:
    """A space with the parties and one case, then copies of its egress request and its log entries."""
    database = f"sqlite:///{home}/facts.db"
    if home.exists():
        scene = open_scene(home, database, "guizhou", Ed25519PrivateKey.generate(), new=False)
        scene.store.upgrade()
        return scene
    home.mkdir(mode=0o700, parents=True)
    scene = open_scene(home, database, "guizhou", Ed25519PrivateKey.generate())
    scene.found()
    scene.granted()
    scene.job()
    model = scene.request(until="human_review")
    found = [
        scene.finding(severity="flag", point=point) for point in ("26.1", "26.3", "26.4") for _ in range(4)
    ]
    model = replace(model, status={**model.status, "check": {**model.status["check"], "findings": found}})
    chance, batch = random.Random(7), 1000
    for start in range(0, requests, batch):
        with scene.store.write() as writer:
            for n in range(start, min(start + batch, requests)):
                at = scene.clock()
                due = at + timedelta(days=chance.randrange(-5, 30))
                state = STATES[0] if n % 25 == 0 else STATES[n % len(STATES)]
                one = replace(model, id=f"eg-{n}", state=state, due_at=due if state == STATES[0] else None)
                writer.put(one, Entry(at, "system", "", "system", "forward", one.ref), expected=0)
    with scene.store.read() as reader:
        left = entries - reader.head().size
    for start in range(0, left, batch):
        with scene.store.write() as writer:
            for n in range(start, min(start + batch, left)):
                ref = f"egress-request/eg-{chance.randrange(requests)}"
                writer.note(
                    Entry(scene.clock(), "reviewer", "bdb", "reviewer", "open-output", ref, details={"n": n})
                )
    scene.store.checkpoint()
    return scene


def signed_in(scene: Scene, identity: Identity, who: str, times: int) -> list[str]:
    """That many sessions of a person."""
    start = identity.start_password(ADMINISTRATOR, who)
    first = identity.sign_in(who, start, "192.0.2.1")
    identity.change_password(first.session_id, start, PASSWORD, "192.0.2.1")
    return [identity.sign_in(who, PASSWORD, "192.0.2.1").session_id for _ in range(times)]


def machine() -> str:
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def rank(values: list[float], share: float) -> float:
    """The smallest value with at least ``share`` of all at or below it."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]


async def alone(
    app: Any, sessions: dict[str, str], requests: int, rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Every page ``rounds`` times, one request at a time: milliseconds that it took, and of processor."""
    took: dict[str, list[tuple[float, float]]] = {}
    chance = random.Random(3)
    transport = httpx.ASGITransport(app)
    for who, paths in PAGES.items():
        cookies = {COOKIE: sessions[who]} if who else {}
        async with httpx.AsyncClient(
            transport=transport, base_url="https://console.test", cookies=cookies, trust_env=False
        ) as http:
            for path in paths:
                for turn in range(rounds + 2):
                    request = http.build_request(
                        "GET", "/console" + path.format(n=chance.randrange(requests // 25) * 25)
                    )
                    begun, used = time.perf_counter(), time.process_time()
                    answer = await http.send(request)
                    spent = ((time.perf_counter() - begun) * 1000, (time.process_time() - used) * 1000)
                    assert answer.status_code == 200, (path, answer.status_code, answer.text[:300])
                    if turn >= 2:  # the first fill caches
                        took.setdefault(f"{who or 'nobody'} {path}", []).append(spent)
    return took


def serve(home: str, descriptor: int, processes: int) -> None:
    """The server: the space as it stands, on a socket that is open already, as ``sandbox serve`` does it."""
    settings = Settings(home=Path(home), database=f"sqlite:///{home}/facts.db", work_database="",
                        profile="guizhou", master=MASTER, vault=str(folder_of(Path(home))))  # fmt: skip

    def make() -> FastAPI:
        space = Space(settings)
        return create_app(space, Identity(space.control, settings, hasher=CHEAP))

    with socket.socket(fileno=descriptor) as listening:
        sys.exit(server.serve(listening, make, processes))


def memory(pid: int) -> float:
    """MiB that a process and its children hold now, what they share counted once."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    held = 0
    for one in (str(pid), *children):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                held += int(line.split()[1])
    return held / 1024


async def watched(pid: int, most: list[float]) -> None:
    """Look at the server's memory once a second, until cancelled."""
    while True:
        most[0] = max(most[0], memory(pid))
        await asyncio.sleep(1)


async def crowd(
    pid: int, address: str, sessions: list[tuple[str, str]], requests: int, told: argparse.Namespace
) -> tuple[dict[str, list[float]], Counter[str], float]:
    """Everybody at once: latencies of pages and of polls (ms), what was answered, memory (MiB)."""
    took: dict[str, list[float]] = {"page": [], "poll": []}
    met: Counter[str] = Counter()
    most = [0.0]
    limits = httpx.Limits(max_connections=len(sessions), max_keepalive_connections=len(sessions))
    async with httpx.AsyncClient(base_url=address, limits=limits, timeout=30, trust_env=False) as http:
        end = time.monotonic() + told.seconds

        async def ask(kind: str, path: str, id: str) -> None:
            begun = time.perf_counter()
            try:
                answer = await http.get(f"/console{path}", headers={"cookie": f"{COOKIE}={id}"} if id else {})
                met[str(answer.status_code)] += 1
            except httpx.HTTPError as error:
                met[type(error).__name__] += 1
            took[kind].append((time.perf_counter() - begun) * 1000)

        async def person(number: int, who: str, id: str) -> None:
            chance = random.Random(number)
            await asyncio.sleep(chance.random() * told.read)
            while time.monotonic() < end:
                n = chance.randrange(requests // 25) * 25
                await ask("page", chance.choice(PAGES[who]).format(n=n), id)
                turned = time.monotonic() + told.read * (0.5 + chance.random())
                while (left := min(turned, end) - time.monotonic()) > POLL and who != "operator":
                    await asyncio.sleep(POLL)
                    await ask("poll", f"/r/egress-request/eg-{n}/state", id)
                    left = turned - time.monotonic()
                await asyncio.sleep(max(0.0, left))

        watch = asyncio.create_task(watched(pid, most))
        await asyncio.gather(*(person(n, who, id) for n, (who, id) in enumerate(sessions)))
        watch.cancel()
    return took, met, most[0]


def main() -> None:
    """Fill, measure, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--users", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument(
        "--read", type=float, default=10, help="seconds that a person reads a page, on average"
    )
    parser.add_argument("--processes", type=int, default=server.processes(0))
    parser.add_argument("--folder", help="where the store is made and stays, or was made before")
    parser.add_argument("--serve", nargs=2, metavar=("HOME", "SOCKET"), help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.serve:
        serve(told.serve[0], int(told.serve[1]), told.processes)
        return
    with tempfile.TemporaryDirectory() as folder:
        home = Path(told.folder or folder) / "space"
        begun = time.monotonic()
        scene = fill(home, told.requests, told.entries)
        print(
            f"Filled in {time.monotonic() - begun:.0f} s: {told.requests} requests, {told.entries} entries.\n"
        )
        try:
            pages(scene, told)
            if told.users and told.seconds:
                together(scene, home, told)
        finally:
            scene.store.close()


def pages(scene: Scene, told: argparse.Namespace) -> None:
    """Server time per page."""
    identity = Identity(scene.space.control, scene.space.settings, hasher=CHEAP)
    sessions = {who: signed_in(scene, identity, who, 1)[0] for who in PAGES if who}
    before = machine()
    took = asyncio.run(alone(create_app(scene.space, identity), sessions, told.requests, told.rounds))
    print(f"Server time per page, {told.rounds} times each; {before}; after: {machine()}.\n")
    print("| page | p50 ms | p95 ms | processor p50 ms | p95 ms |")
    print("|---|---|---|---|---|")
    every = [value for values in took.values() for value in values]
    for name, values in (*took.items(), ("**all**", every)):
        wall, used = ([one[n] for one in values] for n in (0, 1))
        figures = " | ".join(f"{rank(one, share):.1f}" for one in (wall, used) for share in (0.5, 0.95))
        print(f"| {name} | {figures} |")
    print(flush=True)


def together(scene: Scene, home: Path, told: argparse.Namespace) -> None:
    """Everybody at once, against a process of its own."""
    people = [who for who in PAGES if who]
    scene.clock.now = datetime.now(UTC)  # the server lives by the real clock
    identity = Identity(scene.space.control, scene.space.settings, hasher=CHEAP)
    each = -(-told.users // len(people))
    sessions = [(who, id) for who in people for id in signed_in(scene, identity, who, each)][: told.users]
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(1024)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        command = [sys.executable, __file__, "--serve", str(home), str(listening.fileno())]
        command += ["--processes", str(told.processes)]
        served = subprocess.Popen(command, pass_fds=[listening.fileno()])
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                httpx.get(f"{address}/public/health", timeout=5, trust_env=False).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        before, begun = machine(), time.monotonic()
        took, met, held = asyncio.run(crowd(served.pid, address, sessions, told.requests, told))
        length = time.monotonic() - begun
    finally:
        served.terminate()
        served.wait(30)
    every = [value for values in took.values() for value in values]
    wrong = sum(count for answer, count in met.items() if answer != "200")
    print(
        f"{told.users} people for {length:.0f} s, each reading a page for {told.read:g} s on average, "
        f"polling every {POLL:g} s meanwhile; {told.processes} processes; {before}; after: {machine()}.\n"
    )
    print("| asked for | number | per second | p50 ms | p95 ms | p99 ms |")
    print("|---|---|---|---|---|---|")
    for name, values in (("pages", took["page"]), ("polls", took["poll"]), ("**all**", every)):
        if values:
            figures = " | ".join(f"{rank(values, share):.0f}" for share in (0.5, 0.95, 0.99))
            print(f"| {name} | {len(values)} | {len(values) / length:.0f} | {figures} |")
    print(f"\nErrors: {wrong}. Memory of the server at most: {held:.0f} MiB (what is shared counted once).")
    if wrong:
        print(f"Answered: {dict(met)}.")


if __name__ == "__main__":
    main()
