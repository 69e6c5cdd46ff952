"""A report for people: a table on the terminal, or one self-contained page. Input is the report's JSON."""

from __future__ import annotations

from html import escape
from typing import Any

_WORDS = {
    "verdict": ("结论", "Verdict"),
    "files": ("文件", "Files"),
    "points": ("评审要点", "Review points"),
    "findings": ("发现", "Findings"),
    "severity": ("级别", "Severity"),
    "rule": ("规则", "Rule"),
    "where": ("位置", "Where"),
    "message": ("说明", "What"),
    "hint": ("如何修改", "How to mend"),
    "evidence": ("证据", "Evidence"),
    "none": ("没有发现", "No findings"),
    "policy": ("政策", "Policy"),
    "no_objection": ("无异议", "no objection"),
    "hold": ("待人审", "hold"),
    "reject": ("不予出域", "reject"),
    "fail": ("不通过", "fail"),
    "hard": ("硬性", "hard"),
    "flag": ("提示", "flag"),
    "not_applicable": ("不适用", "not applicable"),
    "26.1": ("26.1 用途和范围", "26.1 purpose and scope"),
    "26.2": ("26.2 数据来源", "26.2 sources"),
    "26.3": ("26.3 原始数据、敏感数据", "26.3 raw and sensitive data"),
    "26.4": ("26.4 个人信息和商业秘密", "26.4 personal information, trade secrets"),
    "26.5": ("26.5 数据出境", "26.5 cross-border"),
    "26.6": ("26.6 其他风险", "26.6 other risks"),
    "capacity": ("可夹带的信息至多", "could carry at most"),
    "bits": ("位", "bits"),
    "recomputed": ("个表已重算", "tables recomputed"),
    "pass_by_person": (
        "检查程序只能否决、搁置或不提出异议；通过由具名的人作出。",
        "The checker can fail, hold or raise no objection; a pass is a named person's act.",
    ),
}
_ORDER = ("fail", "hold", "flag", "no_objection", "not_applicable")
_STYLE = (
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:70em;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.4em;text-align:left;"
    "vertical-align:top}.reject,.hard,.fail{color:#a00}.hold{color:#850}.no_objection{color:#060}"
    "h1 span{padding:.1em .4em;border:2px solid}"
)


def word(name: str, lang: str) -> str:
    """A term in ``lang``; unknown terms as they are."""
    return _WORDS.get(name, (name, name))[0 if lang.startswith("zh") else 1]


def hint(text: str, lang: str) -> str:
    """The half of a two-language hint that is in ``lang``."""
    zh, _, en = text.partition(" / ")
    return zh if lang.startswith("zh") or not en else en


def points(report: dict[str, Any]) -> dict[str, str]:
    """The worst result of each review point."""
    found: dict[str, str] = {}
    for rule in report["rules"]:
        known = found.get(rule["point"], "not_applicable")
        found[rule["point"]] = min(known, rule["result"], key=_ORDER.index)
    return dict(sorted(found.items()))


def _rows(report: dict[str, Any], lang: str) -> list[list[str]]:
    order = {"hard": 0, "hold": 1, "flag": 2}
    message = "message_zh" if lang.startswith("zh") else "message_en"
    return [
        [
            item["severity"],
            f"{item['rule']} ({item['point']})",
            f"{item['path']} {item['where']}".strip(),
            item[message],
            hint(item["hint"], lang),
            ", ".join(f"{name}={value}" for name, value in item["evidence"].items()),
        ]
        for item in sorted(report["findings"], key=lambda item: order[item["severity"]])
    ]


def capacity(report: dict[str, Any], lang: str) -> str:
    """One line: bits that could be hidden in what is to leave, and how many of its tables were recomputed."""
    told = report["capacity"]
    tables, ours = (sum(file[key] for file in told["files"]) for key in ("tables", "recomputed"))
    return (
        f"{word('capacity', lang)} {told['bits']:,} {word('bits', lang)} · "
        f"{ours} / {tables} {word('recomputed', lang)}"
    )


def html(report: dict[str, Any], lang: str) -> str:
    """One page without scripts or outside resources; everything from the report is escaped."""

    def cell(text: str, name: str = "td") -> str:
        return f"<{name}>{escape(text)}</{name}>"

    heads = "".join(
        cell(word(name, lang), "th") for name in ("severity", "rule", "where", "message", "hint", "evidence")
    )
    body = "".join(
        f'<tr><td class="{escape(row[0])}">{escape(word(row[0], lang))}</td>'
        + "".join(cell(text) for text in row[1:])
        + "</tr>"
        for row in _rows(report, lang)
    )
    table = f"<table><tr>{heads}</tr>{body}</table>" if body else f"<p>{escape(word('none', lang))}</p>"
    ring = "".join(
        f'<tr>{cell(word(point, lang))}<td class="{escape(result)}">{escape(word(result, lang))}</td></tr>'
        for point, result in points(report).items()
    )
    files = "".join(
        f'<tr>{cell(item["path"])}{cell(item["form"])}<td class="{escape(item["verdict"])}">'
        f"{escape(word(item['verdict'], lang))}</td>{cell(item['sha256'][:16])}</tr>"
        for item in report["files"]
    )
    verdict = escape(report["verdict"])
    return (
        f'<!doctype html><html lang="{escape(lang)}"><head><meta charset="utf-8">'
        f"<title>{escape(word('verdict', lang))}: {escape(word(report['verdict'], lang))}</title>"
        f"<style>{_STYLE}</style></head><body>"
        f'<h1>{escape(word("verdict", lang))} <span class="{verdict}">'
        f"{escape(word(report['verdict'], lang))}</span></h1>"
        f"<p>{escape(word('policy', lang))} {escape(str(report['policy']))} · {escape(report['checker'])} · "
        f"{report['seconds']} s</p><p>{escape(capacity(report, lang))}</p>"
        f"<p>{escape(word('pass_by_person', lang))}</p>"
        f"<h2>{escape(word('points', lang))}</h2><table>{ring}</table>"
        f"<h2>{escape(word('findings', lang))}</h2>{table}"
        f"<h2>{escape(word('files', lang))}</h2><table>{files}</table></body></html>\n"
    )


def text(report: dict[str, Any], lang: str) -> None:
    """Print the report as tables on standard output."""
    from rich.console import Console
    from rich.markup import escape as plain
    from rich.table import Table

    console = Console(highlight=False)
    colours = {"hard": "red", "hold": "yellow", "flag": "cyan", "reject": "red", "no_objection": "green"}
    verdict = report["verdict"]
    console.print(f"{word('verdict', lang)}: [{colours[verdict]}]{word(verdict, lang)}[/]")
    for point, result in points(report).items():
        console.print(f"  {word(point, lang)}: {word(result, lang)}")
    if report["findings"]:
        table = Table(*[word(n, lang) for n in ("severity", "rule", "where", "message", "hint")])
        for row in _rows(report, lang):
            coloured = f"[{colours[row[0]]}]{word(row[0], lang)}[/]"
            table.add_row(coloured, *[plain(cell) for cell in row[1:5]])
        console.print(table)
    else:
        console.print(word("none", lang))
    console.print(plain(capacity(report, lang)))
    console.print(word("pass_by_person", lang))
