"""The report against names and values that are markup, that turn the text round, or that drive a terminal."""

from __future__ import annotations

import contextlib
import io
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from sandbox.cli.egress import app
from sandbox.egress.report.html import coarse_html, html
from sandbox.egress.report.view import cited, text
from sandbox.policy.load import load_profile

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "\u202egnp.exe\u2066",
    "\x1b]0;owned\x07\x1b[2J",
    "[red]rich[/red]",
    "a\u200bb\ufeff\x00",
    "&lt;b&gt;",
]
TAGS = frozenset(
    [
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "main",
        "h1",
        "h2",
        "h3",
        "p",
        "span",
        "bdi",
        "ul",
        "li",
        "strong",
        "section",
        "small",
        "dl",
        "dt",
        "dd",
        "br",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "figure",
        "figcaption",
        "svg",
        "rect",
        "text",
        "line",
        "polyline",
        "circle",
    ]
)
ATTRIBUTES = frozenset(
    [
        "lang",
        "charset",
        "http-equiv",
        "content",
        "name",
        "class",
        "scope",
        "viewbox",
        "width",
        "height",
        "role",
        "x",
        "y",
        "fill",
        "text-anchor",
        "aria-hidden",
        *("x1", "y1", "x2", "y2", "cx", "cy", "r", "points"),
        *("stroke", "stroke-width", "stroke-dasharray", "stroke-opacity"),
    ]
)


class Page(HTMLParser):
    """Fails on any element or attribute that the page does not make itself, and collects the text."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            assert "url(" not in (value or "")
            assert "alert" not in (value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


def told(word: str) -> dict[str, Any]:
    """A report that says ``word`` wherever a container or a file may choose the words."""
    finding = {
        "rule": "DIFFERENCING", "point": "26.4", "severity": "hard", "path": word, "where": word,
        "message_zh": word, "message_en": word, "hint": f"{word} / {word}",
        "evidence": {word: word, "release": word, "count": 3},
    }  # fmt: skip
    bands = [{"label": word, "cells": 3, "below": True}]
    return {
        "verdict": "reject", "policy": word, "checker": word, "seconds": 1.0, "error": word,
        "findings": [finding, {**finding, "rule": word, "severity": "flag"}],
        "rules": [
            {"rule": "DIFFERENCING", "point": word, "version": word, "result": word, "thresholds": ["k"]}
        ],
        "files": [{"path": word, "form": word, "verdict": word, "sha256": word}],
        "capacity": {"bits": 9, "files": [{"path": word, "bits": 9, "tables": 1, "recomputed": 0}]},
        "thresholds": {"k": word}, "check_seconds": {word: 0.1},
        "pictures": [
            {"path": word, "part": word, "threshold": 9, "cells": 3, "states": ".sd0?<", "sizes": bands}
        ],
        "attacks": [
            {
                **{"path": word, "raw": word, "auc": 0.7, "threshold": 0.6, "tpr": 0.1, "rows": 9},
                "curve": [[0, 1]],
            }
        ],
    }  # fmt: skip


def read(page: str) -> str:
    parser = Page()
    parser.feed(page)
    return parser.text


@pytest.mark.parametrize("lang", ["zh", "en", "<b>"])
@pytest.mark.parametrize("word", HOSTILE)
def test_nothing_told_becomes_markup_or_direction(word: str, lang: str) -> None:
    report = told(word)
    page = html(report, lang, cited(report, lambda key: (word, "default", word, f"{word} / {word}")), 100)
    for hidden in "\x1b\x07\x00\u202e\u2066\u200b\ufeff":
        assert hidden not in page
    if word.isprintable():
        assert word in read(page)
    else:
        assert "⟨U+" in read(page)
    rows = {
        "path": word,
        "family": word,
        "family_zh": word,
        "family_en": word,
        "severity": word,
        "hint": word,
    }
    read(coarse_html({"verdict": word, "findings": [rows]}, lang))


@given(st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_any_text_stays_text(word: str) -> None:
    read(html(told(word), "zh"))


@pytest.mark.parametrize("word", HOSTILE)
def test_a_terminal_is_sent_no_command(word: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        text({**told(word), "rules": []}, "en")
    shown = out.getvalue()
    assert not any(hidden in shown for hidden in "\x1b\x07\x00\u202e\u2066")
    if word.startswith("[red]"):
        assert "[red]" in shown


def test_a_file_and_columns_that_are_markup(tmp_path: Path) -> None:
    """Through the command: what the readers let pass is escaped as well, and nothing is fetched."""
    path = tmp_path / "a<b onload=alert(1)>.csv"
    path.write_text(
        '<script>alert(1)</script>,n\n"<img src=x onerror=alert(1)>",3\n=HYPERLINK(1),12\n', "utf-8"
    )
    run = CliRunner().invoke(app, ["check", str(path), "--isolation", "none", "--format", "html"])
    assert run.exit_code in (10, 20)
    assert "default-src 'none'" in run.stdout.replace("&#x27;", "'")
    assert "http://" not in run.stdout
    assert "https://" not in run.stdout
    assert "SHA-256" in read(run.stdout)


def test_the_json_cites_every_threshold_and_no_value(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("district,n\nA,7\nB,31\n", "utf-8")
    body = json.loads(CliRunner().invoke(app, ["check", str(path), "--isolation", "none"]).stdout)
    profile = load_profile("national")
    keys = {key for rule in body["rules"] for key in rule["thresholds"]}
    assert keys
    assert keys <= set(body["thresholds"])
    for key, told_of in body["thresholds"].items():
        source = profile.source(key)
        assert told_of == {
            "value": source.value, "basis": source.basis, "cite": source.cite, "note": source.note,
        }  # fmt: skip
    assert set(body["check_seconds"])


def test_a_stricter_agreement_is_told() -> None:
    shown = cited({"thresholds": {"k": 20, "m": 5}}, lambda key: ({"k": 10, "m": 5}[key], "default", "", "n"))
    assert (shown["k"]["basis"], shown["m"]["basis"]) == ("agreement", "default")


def test_the_pictures_count_cells_as_the_recount_does(tmp_path: Path) -> None:
    raw = ["id,district"] + [f"p{n},{'A' if n < 30 else 'B'}" for n in range(34)]
    (tmp_path / "raw.csv").write_text("\n".join([*raw, "p0,A"]) + "\n", "utf-8")
    (tmp_path / "t.csv").write_text("district,n\nA,30\nB,4\n", "utf-8")
    run = CliRunner().invoke(
        app,
        [
            *("check", str(tmp_path / "t.csv"), "--raw", f"r={tmp_path / 'raw.csv'}"),
            *("--entity", "r=id", "--isolation", "none"),
        ],
    )
    (picture,) = json.loads(run.stdout)["pictures"]
    assert (picture["cells"], picture["states"]) == (2, ".s")
    assert {band["label"]: band["cells"] for band in picture["sizes"] if band["cells"]} == {
        "1–4": 1,
        "20–49": 1,
    }
