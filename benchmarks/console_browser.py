"""How long a page of the console takes in a browser until it can be used, cold and warm.

``python benchmarks/console_browser.py [--rounds 7]`` serves a console with one resource of each kind on this
machine and opens its pages in the distribution's Chromium. Cold: a new browser context, so nothing is cached
and no connection is open; warm: the page once more in the same context. Until usable: from the start of the
navigation to the end of its load event and the frame drawn after it, as the browser's own clock has it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import BrowserContext, Page, sync_playwright

from benchmarks.space import machine
from sandbox.console.visit import COOKIE
from tests.attack.doors import one_of_each
from tests.plugins.browser import CHROMIUM, FLAGS, serving
from tests.plugins.console import PASSWORD, consoles_of
from tests.plugins.space import ADMINISTRATOR, open_scene

PAGES = {
    "待办 / first page": "/",
    "评审队列 / queue": "/review",
    "评审 / review": "/review/eg-a",
    "审计 / audit log": "/audit",
}
USABLE = """() => new Promise((told) => {
  const measured = () => requestAnimationFrame(() => setTimeout(() => {
    const files = performance.getEntriesByType("resource");
    const [page] = performance.getEntriesByType("navigation");
    told([performance.now(), page.responseStart - page.requestStart, 1 + files.length,
          page.transferSize + files.reduce((sum, one) => sum + one.transferSize, 0)]);
  }));
  if (document.readyState === "complete") measured(); else addEventListener("load", measured);
})"""
HEAD = (
    "| 页 / page | 冷，中位 ms / cold, median | 冷，最大 / max | 热，中位 / warm, median | 热，最大 / max "
    "| 其中等服务端 / of it the server | 冷：请求、KiB / cold: requests, KiB | 热：KiB / warm |\n"
    "|---|---|---|---|---|---|---|---|"
)


def opened(page: Page, address: str) -> tuple[float, float, int, float]:
    """Milliseconds until usable, of them those until the server answered, requests made, KiB taken.

    The browser is asked after the load event, so the time is the later of that event and the question: what a
    question costs is in the number, and only ever makes it worse.
    """
    response = page.goto(address)
    if response is None or response.status != 200 or response.url != address:
        raise RuntimeError(f"{address} was not opened: {response and response.status}")
    milliseconds, server, requests, taken = page.evaluate(USABLE)
    return milliseconds, server, requests, taken / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    sys.stdout.write(f"{machine()}; {rounds} rounds\n\n{HEAD}\n")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "space"
        home.mkdir(mode=0o700)
        scene = open_scene(home, f"sqlite:///{home}/facts.db", "guizhou", Ed25519PrivateKey.generate())
        scene.found()
        one_of_each(scene)
        consoles = consoles_of(scene)
        account = scene.who("reviewer").account
        start = consoles.identity.start_password(ADMINISTRATOR, account)
        grant = consoles.identity.sign_in(account, start, "127.0.0.1")
        grant = consoles.identity.change_password(grant.session_id, start, PASSWORD, "127.0.0.1")
        with serving(consoles.app) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))

            def context() -> BrowserContext:
                made = browser.new_context(viewport={"width": 1280, "height": 800})
                place = url.replace("http:", "https:")  # such a cookie is taken from there only
                made.add_cookies([{"name": COOKIE, "value": grant.session_id, "url": place, "secure": True}])
                return made

            for name, path in PAGES.items():
                cold, warm = [], []
                for _ in range(rounds):
                    user = context()
                    page = user.new_page()
                    cold.append(opened(page, f"{url}/console{path}"))
                    warm.append(opened(page, f"{url}/console{path}"))
                    user.close()
                cells = [name]
                for figures in (cold, warm):
                    times = [one[0] for one in figures]
                    cells += [f"{statistics.median(times):.0f}", f"{max(times):.0f}"]
                cells += [f"{statistics.median(one[1] for one in warm):.0f}"]
                cells += [f"{cold[0][2]}, {cold[0][3]:.0f}", f"{warm[0][3]:.0f}"]
                sys.stdout.write(f"| {' | '.join(cells)} |\n")
                sys.stdout.flush()
            browser.close()
        scene.store.close()


if __name__ == "__main__":
    main()
