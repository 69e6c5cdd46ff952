"""``sandbox policy``: what a person or a script gets from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.cli.policy import app
from sandbox.policy.load import profile_names

FOLDER = Path(__file__).parents[2] / "policies"
RUN = CliRunner()


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    monkeypatch.delenv("SANDBOX_POLICIES", raising=False)


def test_show_lists_every_value_and_says_that_a_draft_is_one() -> None:
    shown = RUN.invoke(app, ["show", "chengdu", "--format", "json"])
    assert shown.exit_code == 0
    data = json.loads(shown.stdout)
    assert data["profile"] == "chengdu@1.0.0-draft"
    assert data["draft"] is True
    assert len(data["sha256"]) == 64
    assert data["parameters"]["agreement.max_term_years"]["value"] == 5
    table = RUN.invoke(app, ["show", "chengdu", "--basis", "stated"])
    assert "协议最长期限" in table.stdout
    assert "egress.min_cell" not in table.stdout
    assert "POLICY_DRAFT" in table.stderr


def test_explain_prints_the_chain_in_both_languages() -> None:
    zh = RUN.invoke(app, ["explain", "agreement.max_term_years", "--profile", "guizhou"])
    assert zh.exit_code == 0
    lines = [line for line in zh.stdout.splitlines() if "@1." in line]
    assert ["→" in line for line in lines] == [True, False]
    assert "明文" in lines[0]
    assert "解读 二(二)" in lines[0]
    assert "默认" in lines[1]
    en = RUN.invoke(app, ["explain", "agreement.max_term_years", "-p", "guizhou", "--lang", "en"])
    assert "longest term of an agreement" in en.stdout
    assert "an exception needs a decision" in en.stdout
    told = RUN.invoke(app, ["explain", "trade.channel", "-p", "guangdong"])
    assert "与上级明文不同: guangdong@1.0.0 required ≠ national@1.1.0 encouraged" in told.stdout


def test_explain_as_json() -> None:
    data = json.loads(
        RUN.invoke(app, ["explain", "trade.channel", "-p", "guangdong", "--format", "json"]).stdout
    )
    assert data["value"] == "required"
    assert [source["applies"] for source in data["sources"]] == [True, False]
    assert data["disagreements"][0]["parent_value"] == "encouraged"


def test_diff_lists_values_and_sources() -> None:
    every = RUN.invoke(app, ["diff", "chengdu", "guangdong"])
    assert every.exit_code == 0
    term = next(line for line in every.stdout.splitlines() if "agreement.max_term_years" in line)
    assert "=" in term
    assert "第17条(二)" in term
    assert "第22条(二)" in term
    logs = next(line for line in every.stdout.splitlines() if "logs.retention_years" in line)
    assert "≠" in logs
    assert "1  (明文 第26条)" in logs
    assert "5  (明文 第39条)" in logs
    values = json.loads(
        RUN.invoke(app, ["diff", "chengdu", "guangdong", "--values-only", "--format", "json"]).stdout
    )
    keys = [row["key"] for row in values["rows"]]
    assert "logs.retention_years" in keys
    assert "agreement.max_term_years" not in keys


def test_lint_of_all_and_of_a_broken_file(tmp_path: Path) -> None:
    good = RUN.invoke(app, ["lint"])
    assert good.exit_code == 0
    assert good.stdout.splitlines() == [f"{name}: 无问题" for name in profile_names(FOLDER)]
    broken = tmp_path / "site.yaml"
    sound = (FOLDER / "guizhou.yaml").read_text("utf-8")
    broken.write_text(sound.replace("cite: 解读 二(二)", "cite: ''", 1), "utf-8")
    found = RUN.invoke(app, ["lint", str(broken), "--lang", "en"])
    assert found.exit_code == 1
    assert "POLICY_CITE_MISSING" in found.stdout
    assert "name the article" in found.stdout
    data = json.loads(RUN.invoke(app, ["lint", str(broken), "--format", "json"]).stdout)
    assert [problem["code"] for problem in data[str(broken)]] == ["POLICY_CITE_MISSING"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "atlantis"], "POLICY_NOT_FOUND"),
        (["explain", "no.such.key"], "POLICY_MISSING"),
        (["diff", "national", "atlantis"], "POLICY_NOT_FOUND"),
    ],
)
def test_refusals_go_to_stderr_with_their_code(arguments: list[str], code: str) -> None:
    result = RUN.invoke(app, arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"{code}: ")
