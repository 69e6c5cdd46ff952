"""Every verb of the command line against a running server and worker, with its exit codes and languages."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.plugins.engine import until
from tests.plugins.live import SLOW_JOB, Live
from tests.plugins.vault import unmount

pytestmark = pytest.mark.engine
COMMAND = [sys.executable, "-m", "sandbox.cli.main"]


@dataclass
class Cli:
    """``cli("get", "job", who="li-developer")`` runs as that person; ``code`` must be its exit."""

    live: Live
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def run(
        self, *words: str, who: str = "", lang: str = "zh", **env: str
    ) -> subprocess.CompletedProcess[str]:
        told = {**self.live.space.env, "LC_ALL": f"{lang}.UTF-8", "COLUMNS": "200", **env}
        if who:
            told.setdefault("SANDBOX_TOKEN", self.token(who))
        return subprocess.run(
            [*COMMAND, *words], env=told, capture_output=True, text=True, check=False, timeout=300
        )

    def __call__(self, *words: str, who: str = "", code: int = 0, lang: str = "zh", **env: str) -> str:
        done = self.run(*words, who=who, lang=lang, **env)
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout if code == 0 else done.stderr

    def token(self, who: str) -> str:
        if who not in self.tokens:
            admin = {"SANDBOX_TOKEN": self.live.space.admin_token}
            self.tokens[who] = self("account", "token", who, "--days", "1", **admin).strip()
        return self.tokens[who]

    def manifest(self, name: str, *documents: dict[str, Any]) -> str:
        path = self.folder / name
        path.write_text(yaml.safe_dump_all(documents, allow_unicode=True), encoding="utf-8")
        return str(path)


@pytest.fixture(scope="module")
def cli(live_space: Callable[..., Live], tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return Cli(live_space("sqlite"), tmp_path_factory.mktemp("cli"))


def job_manifest(cli: Cli, seconds: float = 0) -> str:
    """A job as a developer writes it: YAML, with its code in a file beside it."""
    case = cli.live.case
    (cli.folder / "main.py").write_text(SLOW_JOB.format(seconds=seconds), encoding="utf-8")
    spec = {
        "scenario": case.scenario,
        "purpose": case.purpose,
        "inputs": [{"name": "residents", "product": case.product, "columns": ["sex"]}],
        "language": "python",
        "entry": "main.py",
        "files": ["main.py"],
        "outputs": [{"path": "by_sex.csv", "kind": "table", "dimensions": ["sex"], "counts": ["persons"]}],
    }
    return cli.manifest("job.yaml", {"kind": "job", "spec": spec})


def test_a_job_from_its_manifest_to_the_package_taken(cli: Cli) -> None:
    made = cli("apply", "-f", job_manifest(cli), who="li-developer")
    ref, state = made.split()
    assert state == "queued"
    assert cli("wait", ref, "quarantined", "failed", who="li-developer").split() == [ref, "quarantined"]
    shown = json.loads(cli("describe", ref, who="li-developer"))
    assert shown["status"]["outcome"]["end"] == "ok"
    assert "possible" in shown
    proposal = {
        "kind": "egress-request",
        "id": "eg-cli",
        "spec": {
            "job": ref.split("/")[1],
            "title": "persons by sex",
            "recipient": "developer",
            "purpose": cli.live.case.purpose,
            "form": "dataset",
        },
    }
    text = cli("apply", "-f", cli.manifest("egress.yaml", proposal), "--format", "json", who="li-developer")
    assert json.loads(text)["id"] == "eg-cli"
    cli("wait", "egress-request/eg-cli", "human_review", "--seconds", "90", who="li-developer")
    assert "NOT_RELEASED" in cli("take", "eg-cli", "-o", str(cli.folder / "x"), who="li-developer", code=3)

    points = json.loads(cli("policy", "explain", "review.points", "-p", "guizhou", "--format", "json"))[
        "value"
    ]
    form = {point: {"answer": "pass", "note": "seen"} for point in points}
    security = {"which": "security", "verdict": "pass", "points": form, "note": "seen", "no_interest": True}
    review = cli.manifest("verdict.yaml", security)
    cli("do", "egress-request/eg-cli", "give_verdict", "-f", review, who="zhou-reviewer")
    words = ("which=business_conformity", "verdict=pass", "note=fits", "no_interest=true")
    sets = [part for word in words for part in ("--set", word)]
    cli("do", "egress-request/eg-cli", "give_verdict", *sets, who="wu-reviewer")
    done = cli("do", "egress-request/eg-cli", "approve", who="wu-reviewer")
    assert done.split() == ["egress-request/eg-cli", "approved"]
    found = json.loads(cli("get", "product", "--state", "draft", "--format", "json", who="li-developer"))
    product = next(one["id"] for one in found if one["labels"].get("request") == "eg-cli")
    number = ("--set", "registration_no=GZ-CP-1", "--set", "registered_on=2026-11-21")
    cli("do", f"product/{product}", "register", *number, who="li-developer")
    cli("wait", "egress-request/eg-cli", "released", who="li-developer")

    out = cli.folder / "package.zip"
    assert cli("take", "eg-cli", "--out", str(out), who="li-developer").strip() == str(out)
    with zipfile.ZipFile(out) as bundle:
        assert bundle.read("data/by_sex.csv").decode().splitlines()[0] == "sex,persons"
    wrong = ("take", "eg-cli", "--token", "rel_" + "0" * 64, "-o", str(cli.folder / "y"))
    assert "TOKEN_INVALID" in cli(*wrong, who="li-developer", code=3)
    assert "NOT_RECIPIENT" in cli(*wrong, who="han-rival", code=3)
    assert not (cli.folder / "y").exists()
    graph = json.loads(cli("lineage", "egress-request/eg-cli", who="xu-auditor"))
    assert f"supply/{cli.live.case.supply}" in json.dumps(graph)
    assert "ROLE" in cli("lineage", "egress-request/eg-cli", who="li-developer", code=3)


def test_get_lists_what_one_may_see_and_nothing_else(cli: Cli) -> None:
    case = cli.live.case
    table = cli("get", "scenario", who="li-developer")
    assert case.scenario in table
    assert case.scenario not in cli("get", "scenario", who="han-rival")
    assert json.loads(cli("get", "scenario", "--format", "json", who="han-rival")) == []
    assert json.loads(cli("get", "job", "--state", "killed", "--format", "json", who="li-developer")) == []


def test_the_public_catalogue_needs_no_token(cli: Cli) -> None:
    listed = json.loads(cli("catalogue", SANDBOX_TOKEN=""))
    assert [one["id"] for one in listed] == [cli.live.case.entry]
    assert {field["name"] for field in listed[0]["fields"]} >= {"resident_id", "sex"}


def test_a_connector_supplies_and_nobody_else(cli: Cli) -> None:
    case = cli.live.case
    spec = {"entry": case.entry, "agreement": "ag-demo", "scenario": case.scenario, "key_id": "k1"}
    manifest, key = cli.manifest("supply.yaml", spec), str(cli.live.story.world.key)
    words = ("supply", manifest, str(case.data.file), "--key", key)
    ref = cli(*words, who="provider-connector").strip()
    assert cli("wait", ref, "available", "refused", who="lin-body").split()[1] == "available"
    assert "MANUAL_UPLOAD" in cli(*words, who="zhao-operator", code=3)
    other = cli.folder / "not-a-key.pem"
    other.write_text("nothing", encoding="utf-8")
    bad = ("supply", manifest, str(case.data.file), "--key", str(other))
    assert "FILE_UNREADABLE" in cli(*bad, who="provider-connector", code=2)


def test_accounts_are_opened_joined_and_given_tokens_by_the_administrator(cli: Cli) -> None:
    admin = {"SANDBOX_TOKEN": cli.live.space.admin_token}
    assert cli("account", "open", "new-person", "新人", "person-new", **admin).strip() == "new-person"
    joined = cli("account", "join", "new-person", "developer", "developer", **admin)
    assert joined.strip() == "new-person developer@developer"
    token = cli("account", "token", "new-person", **admin).strip()
    assert cli.live.case.scenario in cli("get", "scenario", SANDBOX_TOKEN=token)
    refused = cli("account", "open", "another", "某人", "person-x", who="li-developer", code=3)
    assert "ROLE" in refused
    assert "EXISTS" in cli("account", "open", "new-person", "新人", "person-new", code=3, **admin)
    narrow = cli("account", "token", "new-person", "--name", "look", "--scope", "read", **admin).strip()
    assert cli.live.case.scenario in cli("get", "scenario", SANDBOX_TOKEN=narrow)
    assert "SCOPE" in cli("do", "job/none", "cancel", code=3, SANDBOX_TOKEN=narrow)
    subject = ("new-person", "https://id.example", "s-1")
    assert len(cli("account", "password", "new-person", **admin).strip()) == 24
    assert cli("account", "link", *subject, **admin).strip() == " ".join(subject)
    assert "EXISTS" in cli("account", "link", *subject, code=3, **admin)
    assert cli("account", "unlink", *subject, **admin).strip() == " ".join(subject)


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("describe", "job/none"), 3, "NOT_FOUND"),
        (("describe", "no-such-kind/x"), 3, "NOT_FOUND"),
        (("describe", "nothing"), 2, "MALFORMED"),
        (("do", "scenario/sc-residents", "revoke", "--set", "cause=x"), 3, "ROLE"),
        (("do", "scenario/sc-residents", "no_such_event"), 3, "STATE"),
        (("wait", "scenario/sc-residents", "expired", "--seconds", "0.1"), 3, "STATE"),
        (("apply", "-f", "{folder}/absent.yaml"), 2, "FILE_UNREADABLE"),
        (("apply", "-f", "{folder}/broken.yaml"), 2, "FILE_UNREADABLE"),
        (("apply", "-f", "{folder}/list.yaml"), 2, "FILE_UNREADABLE"),
        (("apply", "-f", "{folder}/empty-spec.yaml"), 2, "MALFORMED"),
        (("apply", "-f", "{folder}/no-code.yaml"), 2, "FILE_UNREADABLE"),
        (("get", "no-such-kind"), 3, "NOT_FOUND"),
        (("take", "eg-none", "-o", "{folder}/z"), 3, "NOT_FOUND"),
        (("lineage", "job/none"), 3, "NOT_FOUND"),
    ],
)
def test_each_error_is_one_sentence_with_its_exit_code(
    cli: Cli, words: tuple[str, ...], code: int, error: str
) -> None:
    (cli.folder / "broken.yaml").write_text("{", encoding="utf-8")
    (cli.folder / "list.yaml").write_text("- 1\n", encoding="utf-8")
    cli.manifest("empty-spec.yaml", {"kind": "job"})
    cli.manifest("no-code.yaml", {"kind": "job", "spec": {"files": ["absent.py"]}})
    filled = [word.format(folder=cli.folder) for word in words]
    told = cli(*filled, who="li-developer", code=code)
    assert told.startswith(f"{error}: ")
    assert len(told.strip().splitlines()) == 1


def test_errors_speak_the_language_asked_for(cli: Cli) -> None:
    zh = cli("describe", "job/none", who="li-developer", code=3, lang="zh_CN")
    en = cli("describe", "job/none", who="li-developer", code=3, lang="en_US")
    assert zh == "NOT_FOUND: 找不到 job/none。\n"
    assert en == "NOT_FOUND: There is no job/none.\n"


def test_without_a_server_or_a_token_one_is_told(cli: Cli) -> None:
    away = cli("get", "job", code=3, lang="en", SANDBOX_URL="http://127.0.0.1:9", SANDBOX_TOKEN="x")
    assert away.startswith("SERVER_UNREACHABLE: ")
    assert cli("get", "job", code=3, lang="en", SANDBOX_TOKEN="").startswith("NO_TOKEN: ")
    assert cli("get", "job", code=3, SANDBOX_TOKEN="sbx_wrong").startswith("NO_TOKEN: ")
    assert "Usage" in cli("no-such-verb", code=2)


def test_init_gives_the_token_once_and_the_folder_to_nobody(cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "space"
    try:
        first = cli("init", SANDBOX_HOME=str(home)).strip()
        assert len(first) > 30
        assert cli("init", SANDBOX_HOME=str(home)).strip() == "已存在 / exists already"
    finally:
        unmount(home)
    assert home.stat().st_mode & 0o077 == 0
    assert {path.stat().st_mode & 0o077 for path in (home / "keys").iterdir()} == {0}


def test_doctor_tells_what_the_machine_guarantees(cli: Cli) -> None:
    told = cli("doctor", "--lang", "en")
    assert "✗" not in told
    assert told.count("✓") >= 5
    assert "保证" in cli("doctor", "--lang", "zh")
    without = cli.run("doctor", "--lang", "en", SANDBOX_ENGINE="unix:///nowhere.sock")
    assert without.returncode == 1
    assert "✗" in without.stdout


def test_a_worker_told_to_end_ends_and_the_next_finds_the_running_job(cli: Cli) -> None:
    live = cli.live
    job = live.job(seconds=8)
    until(lambda: f"{job}-a1-run" in live.executor.running(), 60)
    old, began = live.space.worker, time.monotonic()
    old.send_signal(signal.SIGTERM)
    assert old.wait(15) == 0
    assert time.monotonic() - began < 10
    assert live.executor.running() == [f"{job}-a1-run"]  # the container goes on
    live.space.worker = live.space.start("worker")
    live.wait("job", job, "quarantined")
    done = [entry.action for entry in live.log() if entry.object == f"job/{job}"]
    assert done == ["create", "provision", "run", "succeed", "stage"]
