"""What a review's record costs as PDF, and what pages wait while one is drawn.

``python benchmarks/console_papers.py [--rounds 3]`` serves a console on this machine, takes the record of a
request with 0, 10 and 100 findings, and asks a small page again and again meanwhile. Seconds are those of the
answer; memory is the largest that any process which drew has held.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import pypdfium2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.space import machine
from sandbox.console import paper
from sandbox.console.visit import COOKIE
from sandbox.core.resource import Entry
from tests.plugins.browser import serving
from tests.plugins.console import PASSWORD, consoles_of
from tests.plugins.space import ADMINISTRATOR, Scene, open_scene

FINDINGS = (0, 10, 100)
HEAD = (
    "| 发现 / findings | 页、KiB / pages, KiB | 首次，中位、最大 s / drawn, median, max "
    "| 再取 ms / kept | 进程内存 MiB / memory | 其间的页 p50、最大 ms / pages meanwhile |\n"
    "|---|---|---|---|---|---|"
)


def with_findings(scene: Scene, count: int) -> None:
    """The one request, with so many findings."""
    request = scene.get("egress-request", "eg-a")
    found = [
        scene.finding(
            severity="flag",
            message_zh=f"第 {n} 个单元格的主体数低于门限",
            message_en=f"cell {n} has fewer entities than the threshold",
            evidence={"cells": n, "threshold": 10},
            hint="合并类别或抑制 / merge or suppress",
        )
        for n in range(count)
    ]
    status = {**request.status, "check": {**request.status["check"], "findings": found}}
    with scene.store.write() as writer:
        entry = Entry(scene.clock(), "system", "", "system", "note", request.ref)
        writer.put(replace(request, status=status), entry, expected=request.version)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    sys.stdout.write(f"{machine()}; {rounds} rounds\n\n{HEAD}\n")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "space"
        home.mkdir(mode=0o700)
        scene = open_scene(home, f"sqlite:///{home}/facts.db", "guizhou", Ed25519PrivateKey.generate())
        scene.found()
        scene.granted()
        scene.job()
        scene.request(until="human_review")
        consoles = consoles_of(scene)
        account = scene.who("auditor").account
        start = consoles.identity.start_password(ADMINISTRATOR, account)
        grant = consoles.identity.sign_in(account, start, "127.0.0.1")
        grant = consoles.identity.change_password(grant.session_id, start, PASSWORD, "127.0.0.1")
        headers = {"cookie": f"{COOKIE}={grant.session_id}"}
        with (
            serving(consoles.app) as url,
            httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as client,
            httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False) as other,
        ):
            for count in FINDINGS:
                with_findings(scene, count)
                drawn, waited, over = [], [], threading.Event()

                def meanwhile(over: threading.Event = over, waited: list[float] = waited) -> None:
                    while not over.is_set():
                        begun = time.perf_counter()
                        other.get("/console/review/eg-a/record")  # refused at once: a page of its own
                        waited.append(1000 * (time.perf_counter() - begun))
                        time.sleep(0.05)

                thread = threading.Thread(target=meanwhile)
                thread.start()
                try:
                    for _ in range(rounds):
                        paper._kept.clear()
                        begun = time.perf_counter()
                        answer = client.get("/console/review/eg-a/record.pdf").raise_for_status()
                        drawn.append(time.perf_counter() - begun)
                finally:
                    over.set()
                    thread.join()
                begun = time.perf_counter()
                client.get("/console/review/eg-a/record.pdf")
                kept = 1000 * (time.perf_counter() - begun)
                document = pypdfium2.PdfDocument(answer.content)
                pages = len(document)
                document.close()
                memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
                cells = (
                    count, f"{pages}, {len(answer.content) / 1024:.0f}",
                    f"{statistics.median(drawn):.1f}, {max(drawn):.1f}", f"{kept:.0f}", f"{memory:.0f}",
                    f"{statistics.median(waited):.0f}, {max(waited):.0f}",
                )  # fmt: skip
                sys.stdout.write(f"| {' | '.join(str(cell) for cell in cells)} |\n")
                sys.stdout.flush()
        scene.store.close()


if __name__ == "__main__":
    main()
