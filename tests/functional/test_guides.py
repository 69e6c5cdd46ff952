"""The guides are played, block by block, by the people they are for: a real space, API, worker and engine.

What stands in a guide is what is run; only placeholders ("put yours here") are filled in. A block that is
neither played nor excused fails the last test.
"""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sandbox.control.places import LEDGER, Places
from sandbox.control.space import Settings
from sandbox.executor.docker import DockerExecutor
from tests.plugins.vault import MASTER, unmount

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BIN = Path(sys.executable).parent
SECONDS = 300

PEOPLE = {  # account -> organisation, role; the guides' own person is opened by the guide
    "lin-body": ("bureau", "implementing_body"),
    "zhou-reviewer": ("bureau", "reviewer"),
    "sun-office": ("office", "provider"),
    "qian-office": ("office", "provider"),
    "office-connector": ("office", "connector"),
    "zhao-opco": ("opco", "operator"),
    "li-lab": ("lab", "developer"),
    "xu-audit": ("audit-office", "auditor"),
}
STEPS = (  # who, guide, section, block of the section
    ("sun-office", "provider", 1, 0),
    ("qian-office", "provider", 2, 0),
    ("sun-office", "provider", 2, 1),
    ("chen-bureau", "authority", 1, 0),
    ("zhao-opco", "operator", 1, 0),
    ("chen-bureau", "authority", 1, 1),
    ("li-lab", "developer", 1, 0),
    ("sun-office", "provider", 3, 0),
    ("chen-bureau", "authority", 2, 0),
    ("zhao-opco", "operator", 1, 1),
    ("li-lab", "developer", 1, 1),
    ("office-connector", "provider", 4, 1),
    ("zhao-opco", "operator", 2, 0),
    ("zhao-opco", "operator", 3, 0),
    ("zhao-opco", "operator", 4, 0),
    ("li-lab", "developer", 2, 0),
    ("li-lab", "developer", 3, 0),
    ("zhou-reviewer", "reviewer", 1, 0),
    ("zhou-reviewer", "reviewer", 2, 0),
    ("zhou-reviewer", "reviewer", 3, 0),
    ("zhou-reviewer", "reviewer", 4, 0),
    ("li-lab", "developer", 4, 0),
    ("xu-audit", "auditor", 1, 0),
    ("xu-audit", "auditor", 2, 0),
    ("xu-audit", "auditor", 4, 0),
    ("chen-bureau", "authority", 3, 0),
    ("chen-bureau", "authority", 4, 0),
    ("zhao-opco", "operator", 5, 0),
    ("chen-bureau", "authority", 4, 1),
    ("zhou-reviewer", "reviewer", 4, 1),
    ("chen-bureau", "authority", 5, 0),
    ("zhao-opco", "operator", 5, 1),
    ("chen-bureau", "authority", 5, 1),
    ("admin", "administrator", 3, 1),
    ("admin", "administrator", 3, 2),
)
PREPARED = {  # done by ``Play.begin``
    ("administrator", 1, 0),  # init, serve and worker with the test's folder and port
    ("administrator", 2, 0),
    ("administrator", 3, 0),
    ("administrator", 5, 0),  # with the processes stopped: tests/functional/test_at_rest.py
    ("provider", 4, 0),  # the key is made here: the machine may have no openssl
}
# of data with an entity column, which the survey here has not: see tests/functional/test_dp_budget_path.py
ELSEWHERE = {("developer", 2, 1), ("auditor", 1, 1)}
# the review room and the audit routes are reached with curl; a machine for tests may have none
CURL = f"""#!{sys.executable}
import sys, httpx
words, headers, out = sys.argv[1:], {{}}, None
while words[:-1]:
    word = words.pop(0)
    if word == "-H":
        name, _, value = words.pop(0).partition(": ")
        headers[name] = value
    elif word == "-o":
        out = words.pop(0)
answer = httpx.get(words[-1], headers=headers)
answer.raise_for_status()
(open(out, "wb") if out else sys.stdout.buffer).write(answer.content)
"""


def blocks(guide: str) -> dict[tuple[str, int, int], str]:
    """The shell blocks of a guide by (guide, section, number)."""
    text = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    found = {}
    for section, body in re.findall(r"^## (\d+) .*?\n(.*?)(?=^## |\Z)", text, re.M | re.S):
        for number, block in enumerate(re.findall(r"^```bash\n(.*?)^```", body, re.M | re.S)):
            found[guide, int(section), number] = block
    return found


ALL = {key: block for path in sorted(GUIDES.glob("*.md")) for key, block in blocks(path.stem).items()}


@dataclass
class Play:
    """The folder that everybody works in, and what has been said so far."""

    folder: Path
    url: str
    tokens: dict[str, str] = field(default_factory=dict)
    said: dict[tuple[str, int, int], str] = field(default_factory=dict)
    filled: dict[str, str] = field(default_factory=dict)  # placeholder of the guides -> what it stands for

    def env(self, who: str) -> dict[str, str]:
        """The settings of one person's terminal."""
        # coverage of it is measured elsewhere; here it would take longer than the commands
        kept = {
            name: value
            for name, value in os.environ.items()
            if name == "SANDBOX_ENGINE" or not name.startswith(("SANDBOX_", "COVERAGE_", "COV_"))
        }
        return {
            **kept,
            "PATH": f"{self.folder / 'bin'}:{BIN}:/usr/bin:/bin",
            "LANG": "zh_CN.UTF-8",
            "SANDBOX_HOME": str(self.folder / "space"),
            "SANDBOX_PROFILE": "guizhou",
            "SANDBOX_URL": self.url,
            "SANDBOX_MASTER": MASTER,
            "SANDBOX_TOKEN": self.tokens.get(who, ""),
        }

    def run(self, who: str, script: str) -> str:
        """A script of ``who``; its output. Any failure fails the test with what was said."""
        for placeholder, value in self.filled.items():
            script = script.replace(placeholder, value)
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.env(who),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{who}: {script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def play(self, who: str, guide: str, section: int, number: int) -> None:
        """One block of a guide."""
        key = (guide, section, number)
        self.said[key] = self.run(who, ALL[key])

    def seen(self, who: str, words: str) -> Any:
        """The JSON that a command prints."""
        return json.loads(self.run(who, f"sandbox {words}"))

    def post(self, path: str, **body: Any) -> Any:
        """One call of the administrator's: the commands for it are in the guide's own block."""
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        return httpx.post(f"{self.url}/v1/{path}", json=body, headers=headers).raise_for_status().json()

    def begin(self) -> None:
        """Organisations and accounts, as the administrator's guide says, and the provider's key."""
        key = Ed25519PrivateKey.generate()
        (self.folder / "manifest.pem").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.filled["提供单位的 Ed25519 公钥，base64"] = base64.b64encode(public).decode()
        self.filled["首个管理员的令牌"] = self.tokens["admin"]
        self.play("admin", "administrator", 2, 0)
        self.play("admin", "administrator", 3, 0)
        self.tokens["chen-bureau"] = self.said["administrator", 3, 0].split()[-1]
        for account, (organisation, role) in PEOPLE.items():
            self.post("accounts", id=account, name=account, person=f"person-{account}")
            self.post(f"accounts/{account}/memberships", organisation=organisation, role=role)
            self.tokens[account] = self.post(f"accounts/{account}/tokens", name="cli", days=1)["token"]
        for name in ("agreement.pdf", "contract.pdf"):
            (self.folder / name).write_text(name)
        self.run("office-connector", "python -m sandbox.demo.fair survey.csv")
        self.run("admin", f"sandbox audit export --out early --database {self.database} {self.signing}")
        (self.folder / "early" / "keys.txt").rename(self.folder / "keys.txt")

    @property
    def database(self) -> str:
        """The address of the space's database."""
        return f"sqlite:///{self.folder}/space/sandbox.db"

    @property
    def signing(self) -> str:
        """The option with the log's key."""
        return f"--signing-key {self.folder}/space/keys/audit.pem"

    def before(self, step: tuple[str, str, int, int]) -> None:
        """What has to have happened, or to be known, before a step."""
        key = step[1:]
        if key == ("operator", 2, 0):
            self.until("zhao-opco", "get supply --format json", lambda all_: all_[0]["state"] == "available")
        elif key == ("operator", 4, 0):
            job = self.seen("zhao-opco", "describe job/job-primary")
            self.filled["pr-0123abcdef"] = job["status"]["keep"]["product"]
        elif key == ("developer", 4, 0):
            drafts = self.seen("li-lab", "get product --state draft --format json")
            self.filled["pr-4567abcdef"] = drafts[0]["id"]
        elif key == ("authority", 3, 0):
            self.run("sun-office", ALL["provider", 1, 0].replace("ce-survey", "ce-secret"))
        elif key == ("authority", 5, 1):
            self.until("chen-bureau", "describe agreement/ag-2026-1", lambda one: "certify" in one["status"])

    def until(self, who: str, words: str, holds: Any) -> None:
        """Look again until it holds."""
        deadline = time.monotonic() + SECONDS
        while not holds(self.seen(who, words)):
            assert time.monotonic() < deadline, words
            time.sleep(0.5)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Play]:
    """Everything played once; the processes are ended afterwards."""
    folder = tmp_path_factory.mktemp("guides")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    play = Play(folder, f"http://127.0.0.1:{port}")
    (folder / "bin").mkdir()
    (folder / "bin" / "curl").write_text(CURL)
    (folder / "bin" / "curl").chmod(0o755)
    play.tokens["admin"] = play.run("admin", "sandbox init").strip()
    commands = (["serve", "--port", str(port)], ["worker"])
    log = (folder / "log").open("wb")
    processes = [
        subprocess.Popen([BIN / "sandbox", *words], env=play.env("admin"), stdout=log, stderr=log)
        for words in commands
    ]
    try:
        for _ in range(SECONDS * 5):
            try:
                httpx.get(f"{play.url}/public/health", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        play.begin()
        for step in STEPS:
            play.before(step)
            play.play(*step)
        yield play
    finally:
        with ExitStack() as ends:  # each is done whatever became of the others
            ends.callback(unmount, folder / "space")
            ends.callback(play.run, "admin", "sandbox keys lock")
            ends.callback(discard, play)
            ends.callback(log.close)
            for process in processes:
                ends.callback(process.wait, 60)
                ends.callback(process.terminate)


def discard(play: Play) -> None:
    """Every task of the space."""
    executor = DockerExecutor(Settings.from_env(play.env("admin")).resting().scratch() / "tasks")
    for task in executor.known():
        executor.discard(task)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("key", "words"),
    [
        (("authority", 1, 1), "ag-2026-1 active"),
        (("developer", 1, 1), "sc-survey granted"),
        (("operator", 3, 0), "job-primary kept"),
        (("developer", 2, 0), "job-age quarantined"),
        (("developer", 3, 0), "eg-age human_review"),
        (("reviewer", 2, 0), "age,persons\n17.5,139\n"),
        (("reviewer", 4, 0), "eg-age approved"),
        (("developer", 4, 0), "eg-age released"),
        (("auditor", 2, 0), "审计日志完好"),
        (("reviewer", 4, 1), "eg-age recalled"),
        (("authority", 5, 1), "ag-2026-1 closed"),
    ],
    ids=str,
)
def test_a_block_of_a_guide_does_what_it_says(played: Play, key: tuple[str, int, int], words: str) -> None:
    assert words in played.said[key]


@pytest.mark.engine
def test_what_the_developer_took_is_what_the_reviewer_saw(played: Play) -> None:
    with zipfile.ZipFile(played.folder / "eg-age.zip") as package:
        assert package.read("data/by_age.csv").decode() == played.said["reviewer", 2, 0]
        record = json.loads(package.read("package.json"))
    assert record["recipient"] == "lab"
    assert [given["which"] for given in record["decisions"]] == [
        "security",
        "business_conformity",
        "approval",
    ]


@pytest.mark.engine
def test_nothing_of_the_agreement_is_left(played: Play) -> None:
    places = Places(Settings.from_env(played.env("admin")).resting())
    assert places.inventory("ag-2026-1") == []
    # the release ledger outlives every agreement: what was released has been seen
    assert places.scenarios() == [LEDGER]
    kept = {path for path in (played.folder / "space" / "keys" / "workspaces").rglob("*") if path.is_file()}
    assert {path.name for path in kept} == {f"{LEDGER[1]}.json"}


def test_every_block_is_played_or_prepared() -> None:
    steps = {step[1:] for step in STEPS}
    assert sorted(set(ALL) - steps - PREPARED - ELSEWHERE) == []
    assert sorted((steps | PREPARED | ELSEWHERE) - set(ALL)) == []
