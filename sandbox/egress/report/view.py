"""A report for people on the terminal, and what both its forms are read from. Input is the report's JSON.

What a container wrote is hearsay: unknown results count as failed, missing parts as absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.egress.report.words import chinese, hint, visible, word

ORDER = ("fail", "hold", "flag", "no_objection", "not_applicable")
SEVERITIES = ("hard", "hold", "flag")
Source = Callable[[str], tuple[Any, str, str, str]]  # policy key -> value, basis, citation, note


def points(report: dict[str, Any]) -> dict[str, str]:
    """The worst result of each review point."""
    found: dict[str, str] = {}
    for rule in report.get("rules", ()):
        point, result = str(rule.get("point", "")), rule.get("result")
        known = found.get(point, "not_applicable")
        found[point] = min(known, result if result in ORDER else "fail", key=ORDER.index)
    return dict(sorted(found.items()))


def findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings, the gravest first."""
    return sorted(report["findings"], key=lambda item: SEVERITIES.index(item["severity"]))


def message(item: dict[str, Any], lang: str) -> str:
    """What a finding says."""
    return str(item["message_zh" if chinese(lang) else "message_en"])


def capacity(report: dict[str, Any], lang: str) -> str:
    """One line: bits that could be hidden in what is to leave, and how many of its tables were recomputed."""
    told = report.get("capacity")
    if not told:
        return ""
    tables, ours = (sum(file[key] for file in told["files"]) for key in ("tables", "recomputed"))
    return (
        f"{word('capacity', lang)} {told['bits']:,} {word('bits', lang)} · "
        f"{ours} / {tables} {word('recomputed', lang)}"
    )


def privacy(report: dict[str, Any], lang: str) -> str:
    """One line: which charge to the privacy budget paid for the file; "" for a report on exact values."""
    told = report.get("dp")
    if not told:
        return ""
    return (
        f"{word('paid', lang)}: {told['release']} · {told['nano_rho']:,} nano-ρ · "
        f"ε {told['epsilon']}, δ {told['delta']}"
    )


def cited(report: dict[str, Any], source: Source) -> dict[str, dict[str, Any]]:
    """The thresholds that were applied, each with its basis, citation and note in the policy.

    ``basis`` is ``agreement`` where the value applied is not the profile's: an agreement made it stricter.
    """
    told: dict[str, dict[str, Any]] = {}
    for key, value in (report.get("thresholds") or {}).items():
        stated, basis, cite, note = source(key)
        told[key] = {"value": value, "basis": basis, "cite": cite, "note": note}
        if stated != value:
            told[key]["basis"] = "agreement"
    return told


def text(report: dict[str, Any], lang: str) -> None:
    """Print the report as tables on standard output."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    def plain(words: Any) -> str:
        return escape(visible(words))

    console = Console(highlight=False)
    colours = {"hard": "red", "hold": "yellow", "flag": "cyan", "reject": "red", "no_objection": "green"}
    verdict = report["verdict"]
    console.print(f"{word('verdict', lang)}: [{colours[verdict]}]{word(verdict, lang)}[/]")
    for point, result in points(report).items():
        console.print(f"  {plain(word(point, lang))}: {word(result, lang)}")
    if report["findings"]:
        table = Table(*[word(n, lang) for n in ("severity", "rule", "where", "message", "hint")])
        for item in findings(report):
            severity = item["severity"]
            cells = (
                f"{item['rule']} ({item['point']})",
                f"{item['path']} {item['where']}".strip(),
                message(item, lang),
                hint(item["hint"], lang),
            )
            table.add_row(f"[{colours[severity]}]{word(severity, lang)}[/]", *map(plain, cells))
        console.print(table)
    else:
        console.print(word("none", lang))
    console.print(plain(capacity(report, lang)))
    console.print(word("pass_by_person", lang))
