"""The report of a run as one page: no script, nothing from outside; pictures are inline SVG. Counts and
names of columns only; whatever comes from the report is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

_CSP = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.55 "Noto Sans CJK SC","Microsoft
YaHei",sans-serif;color:#1a1a1a;max-width:62em;margin:1.5em auto; padding:0
1em}h1{font-size:1.4em}h2{font-size:1.1em;border-bottom:1px solid #c8ccd0;margin-top:1.5em}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #c8ccd0;padding:.3em .5em;text-align:left;
overflow-wrap:anywhere}th{background:#f2f4f6}figure{margin:.6em 0;break-inside:avoid}figcaption{color:#555}
svg{max-width:100%;height:auto}svg text{font:12px sans-serif}.yes{color:#1d5c2e}.no{color:#9b1c1c}
"""
# word -> Chinese, English
_WORDS: dict[str, tuple[str, str]] = {
    "title": ("脱敏报告", "Desensitisation report"),
    "anonymised": ("已匿名化（检验通过）", "anonymised (the test was passed)"),
    "desensitised": ("已脱敏，仍是个人信息，不出域", "desensitised: still personal data, it stays inside"),
    "reasons": ("未匿名化的理由", "why it is not anonymised"),
    "rows": ("行", "rows"),
    "risk": ("重识别风险：前与后", "Risk of re-identification, before and after"),
    "before": ("前", "before"),
    "after": ("后", "after"),
    "k": ("k（最小等价类的主体数）", "k (entities in the least class)"),
    "classes": ("等价类", "equivalence classes"),
    "entities_unique": ("独自成类的主体", "entities alone in their class"),
    "sizes": ("主体按所在等价类大小分布", "Entities by the size of their class"),
    "loss": ("各列的变动", "Change by column"),
    "column": ("列", "column"),
    "changed": ("改动的单元格", "cells changed"),
    "empty": ("空值：前 → 后", "empty: before → after"),
    "distinct": ("不同值：前 → 后", "distinct: before → after"),
    "steps": ("步骤", "Steps"),
    "identifiers": ("标识扫描：前与后", "Scan for identifiers, before and after"),
    "marked": ("有意保留的形式", "form kept on purpose"),
    "kind": ("类型", "kind"),
    "none": ("无", "none"),
    "dropped": ("不进入产品的列", "columns that are not in the product"),
}
_COLOURS = {"before": "#c46a00", "after": "#1b4f8a"}


def _word(name: str, lang: str) -> str:
    zh, en = _WORDS.get(name, (name, name))
    return zh if lang.startswith("zh") else en


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _bars(rows: Sequence[tuple[str, float, str, str]], title: str) -> str:
    """``rows``: label, share of the longest (0 to 1), what is written behind, colour."""
    parts = []
    for number, (label, share, told, colour) in enumerate(rows):
        y, long = 22 * number, 360 * max(0.0, min(1.0, share))
        parts.append(
            f'<text x="190" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
            f'<rect x="200" y="{y + 1}" width="{max(long, 1):.1f}" height="17" fill="{colour}"/>'
            f'<text x="{206 + long:.1f}" y="{y + 14}">{escape(told)}</text>'
        )
    height = 22 * max(1, len(rows))
    return (
        f'<figure><svg viewBox="0 0 680 {height}" width="680" height="{height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg></figure>"
    )


def _sizes(metrics: Mapping[str, Any], lang: str) -> str:
    """Entities by size of class, before and after beside each other."""
    totals = {when: max(1, sum(b["entities"] for b in metrics[when]["bands"])) for when in _COLOURS}
    rows = []
    for number, band in enumerate(metrics["after"]["bands"]):
        for when, colour in _COLOURS.items():
            entities = metrics[when]["bands"][number]["entities"]
            label = f"{band['size']} · {_word(when, lang)}"
            share = entities / totals[when]
            rows.append((label, share, f"{entities:,} ({share:.1%})", colour))
    return _bars(rows, _word("sizes", lang))


def _losses(report: Mapping[str, Any], lang: str) -> str:
    rows = []
    for loss in report["metrics"]["loss"]:
        share = loss["changed"] / max(1, report["rows"])
        rows.append((loss["column"][:24], share, f"{share:.1%}", _COLOURS["after"]))
    return _bars(rows, _word("loss", lang))


def _count(value: int | None) -> str:
    return "20,000+" if value is None else f"{value:,}"


def page(report: Mapping[str, Any], lang: str) -> str:
    """The page of a report (``sandbox.desensitize.report``) in ``lang`` ("zh" or "en")."""
    metrics, verdict = report["metrics"], report["anonymity"]
    level = report["level"]
    kind = "yes" if level == "anonymised" else "no"
    risks = [
        [_word(name, lang), f"{metrics['before'][name]:,}", f"{metrics['after'][name]:,}"]
        for name in ("k", "classes", "entities_unique")
    ]
    losses = [
        [
            loss["column"],
            f"{loss['changed']:,}",
            f"{loss['empty_before']:,} → {loss['empty_after']:,}",
            f"{_count(loss['distinct_before'])} → {_count(loss['distinct_after'])}",
        ]
        for loss in metrics["loss"]
    ]
    scans = [("before", report["identifiers"]["before"]), ("after", report["identifiers"]["after"])]
    scans.append(("marked", report["marked"]))
    found = [
        [_word(when, lang), column, name, f"{cells:,}"]
        for when, columns in scans
        for column, kinds in columns.items()
        for name, cells in kinds.items()
    ]
    steps = [
        [step["column"], step["output"], step["zh" if lang.startswith("zh") else "en"], f"{step['rows']:,}"]
        for step in report["steps"]
    ]
    recipe = report["recipe"]
    reasons = ", ".join(verdict["reasons"])
    body = (
        f"<h1>{_word('title', lang)}: {escape(recipe['name'])} {escape(recipe['version'])}</h1>"
        f'<p class="{kind}"><strong>{_word(level, lang)}</strong></p>'
        + (f"<p>{_word('reasons', lang)}: {escape(reasons)}</p>" if reasons else "")
        + f"<p>{report['rows_before']:,} → {report['rows']:,} {_word('rows', lang)}; "
        f"k = {verdict['k']}, ≥ {verdict['threshold']}</p>"
        f"<h2>{_word('risk', lang)}</h2>"
        + _table(["", _word("before", lang), _word("after", lang)], risks)
        + f"<h2>{_word('sizes', lang)}</h2>{_sizes(metrics, lang)}"
        + f"<h2>{_word('loss', lang)}</h2>{_losses(report, lang)}"
        + _table([_word(name, lang) for name in ("column", "changed", "empty", "distinct")], losses)
        + f"<h2>{_word('identifiers', lang)}</h2>"
        + (
            _table(["", _word("column", lang), _word("kind", lang), "n"], found)
            if found
            else _word("none", lang)
        )
        + f"<h2>{_word('steps', lang)}</h2>"
        + _table([_word("column", lang), "→", "", _word("changed", lang)], steps)
        + f"<p>{_word('dropped', lang)}: {escape(', '.join(report['dropped']) or _word('none', lang))}</p>"
        + f"<p><small>SHA-256 {escape(report['sha256'])}; {escape(report['schema'])}; "
        f"{escape(recipe['sha256'])}</small></p>"
    )
    language = "zh-CN" if lang.startswith("zh") else "en"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_CSP)}">'
        f"<title>{_word('title', lang)}</title><style>{_STYLE}</style></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
