"""A report as one page that a reviewer reads in a minute: no script, nothing from outside, printable.

Whatever comes from the report passes ``words.safe``; names of classes come from our own tables only.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from sandbox.egress.families import FAMILIES, family
from sandbox.egress.report.pictures import drawn
from sandbox.egress.report.view import ORDER, SEVERITIES, capacity, findings, message, points, privacy
from sandbox.egress.report.words import chinese, hint, safe, word

CSP = "default-src 'none'; style-src 'unsafe-inline'"
_KINDS = frozenset({*ORDER, *SEVERITIES, "reject"})
_STYLE = """
:root{--ink:#1a1a1a;--soft:#555;--line:#c8ccd0;--fail:#9b1c1c;--hold:#7a4a00;--flag:#1b4f8a;--ok:#1d5c2e}
body{font:15px/1.55 "Noto Sans CJK SC","Noto Sans SC","Microsoft YaHei",sans-serif;color:var(--ink);
background:#fff;margin:1.5em auto;max-width:64em;padding:0 1em}
h1{font-size:1.5em;margin:0 0 .2em}
h2{font-size:1.15em;margin:1.6em 0 .5em;border-bottom:1px solid var(--line)}
h3{font-size:1em;margin:.2em 0}p{margin:.3em 0}small,.soft{color:var(--soft)}
.tag{display:inline-block;border:2px solid;border-radius:.3em;padding:0 .5em;font-weight:600}
.reject,.hard,.fail{color:var(--fail)}.hold{color:var(--hold)}.flag{color:var(--flag)}
.no_objection{color:var(--ok)}.not_applicable{color:var(--soft)}
.points{display:grid;grid-template-columns:repeat(3,1fr);gap:.5em;list-style:none;padding:0;margin:0}
.points li{border:1px solid var(--line);border-left:.4em solid;border-radius:.3em;padding:.3em .7em}
.points strong{color:var(--ink);display:block;font-weight:400}
.finding{border:1px solid var(--line);border-left:.4em solid;border-radius:.3em;padding:.5em .9em;
margin:.6em 0;break-inside:avoid}.finding>dl,.finding h3{color:var(--ink)}
dl{display:grid;grid-template-columns:9em 1fr;gap:.15em .8em;margin:.4em 0 0}dt{color:var(--soft)}dd{margin:0}
table{border-collapse:collapse;width:100%}th,td{border:1px solid var(--line);padding:.3em .5em;
text-align:left;vertical-align:top;overflow-wrap:break-word}td{overflow-wrap:anywhere}th{background:#f2f4f6}
figure{margin:.6em 0 1.2em;break-inside:avoid}figcaption{color:var(--soft);margin-bottom:.3em}
svg{max-width:100%;height:auto}svg text{font:12px sans-serif;fill:var(--ink)}svg text.mark{fill:#fff}
dd,h3,p{overflow-wrap:anywhere}@media print{body{margin:0;max-width:none;font-size:11px}}
"""


def _kind(name: Any) -> str:
    """A class of ours, or the gravest."""
    return str(name) if name in _KINDS else "fail"


def _tag(name: Any, lang: str) -> str:
    kind = _kind(name)
    return f'<span class="tag {kind}">{escape(word(kind, lang))}</span>'


def _page(title: str, body: str, lang: str) -> str:
    return (
        f'<!doctype html><html lang="{"zh-CN" if chinese(lang) else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(CSP)}">'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _table(heads: list[str], rows: list[list[str]]) -> str:
    """``rows`` are HTML already; ``heads`` names of words."""
    top = "".join(f'<th scope="col">{head}</th>' for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _citation(key: str, told: Mapping[str, Any], lang: str) -> str:
    basis = word(str(told["basis"]), lang)
    about = " · ".join(part for part in (told["cite"], hint(told["note"], lang)) if part)
    return f"{safe(key)} = {safe(told['value'])} <small>({escape(basis)}: {safe(about)})</small>"


def _finding(item: dict[str, Any], report: dict[str, Any], cites: Mapping[str, Any], lang: str) -> str:
    of_rule: dict[str, Any] = next((r for r in report.get("rules", ()) if r.get("rule") == item["rule"]), {})
    keys = [key for key in of_rule.get("thresholds", ()) if key in cites]
    about = FAMILIES[family(item["rule"])]
    where = f"{item['path']} {item['where']}".strip() or word("set", lang)
    rows = [
        ("where", safe(where)),
        ("why", escape(about.why_zh if chinese(lang) else about.why_en)),
        ("hint", safe(hint(item["hint"], lang))),
    ]
    if keys:
        rows.append(("threshold", "<br>".join(_citation(key, cites[key], lang) for key in keys)))
    if item["evidence"]:
        told = "; ".join(f"{safe(k)} = {safe(v)}" for k, v in item["evidence"].items())
        rows.append(("evidence", told))
    rule = f"{item['rule']} · {item['point']} · v{of_rule.get('version', '?')}"
    return (
        f'<section class="finding {_kind(item["severity"])}"><h3>{_tag(item["severity"], lang)} '
        f"{safe(message(item, lang))}</h3><small>{safe(rule)}</small><dl>"
        + "".join(f"<dt>{escape(word(name, lang))}</dt><dd>{value}</dd>" for name, value in rows)
        + "</dl></section>"
    )


def _head(name: str, lang: str) -> str:
    return f"<h2>{escape(word(name, lang))}</h2>"


def html(
    report: dict[str, Any], lang: str, cites: Mapping[str, Any] | None = None, budget: int | None = None
) -> str:
    """The whole report, for who may see all of it.

    ``cites``: the thresholds with their citation (``report.cited``); ``budget``: bits a scenario may carry.
    """
    known = cites or {}
    meta = [("policy", report.get("policy", "")), ("checker", report["checker"])]
    meta += [("seconds", f"{report['seconds']} s")]
    strip = "".join(
        f'<li class="{_kind(result)}"><strong>{safe(word(point, lang))}</strong>'
        f"{escape(word(result, lang))}</li>"
        for point, result in points(report).items()
    )
    found = "".join(_finding(item, report, known, lang) for item in findings(report))
    files = [
        [
            safe(f.get("path", "")),
            safe(f.get("form", "")),
            _tag(f.get("verdict"), lang),
            safe(f.get("sha256", "")),
        ]
        for f in report["files"]
    ]
    rules = [
        [
            safe(rule.get("rule", "")),
            safe(rule.get("point", "")),
            safe(rule.get("version", "")),
            escape(word(_kind(rule.get("result")), lang)),
            "<br>".join(
                _citation(key, known[key], lang) for key in rule.get("thresholds", ()) if key in known
            ),
        ]
        for rule in report.get("rules", ())
    ]
    spent = [[safe(name), safe(value)] for name, value in (report.get("check_seconds") or {}).items()]
    body = (
        f"<h1>{escape(word('verdict', lang))} {_tag(report['verdict'], lang)}</h1>"
        + f"<p>{escape(capacity(report, lang))}</p>"
        + (f"<p>{safe(privacy(report, lang))}</p>" if report.get("dp") else "")
        + (f"<p>{escape(word('error', lang))}: {safe(report['error'])}</p>" if report.get("error") else "")
        + "<p class=soft>"
        + " · ".join(f"{escape(word(name, lang))} {safe(value)}" for name, value in meta)
        + f"</p><p class=soft>{escape(word('pass_by_person', lang))}</p>"
        + f'{_head("points", lang)}<ul class="points">{strip}</ul>'
        + _head("findings", lang)
        + (found or f"<p>{escape(word('none', lang))}</p>")
        + drawn(report, lang, budget)
        + _head("files", lang)
        + _table([word(name, lang) for name in ("file", "form", "verdict")] + ["SHA-256"], files)
        + _head("rules", lang)
        + _table([word(n, lang) for n in ("rule", "points", "version", "result", "threshold")], rules)
        + (_head("seconds", lang) + _table([word("check", lang), "s"], spent) if spent else "")
    )
    return _page(f"{word('verdict', lang)}: {word(_kind(report['verdict']), lang)}", body, lang)


def coarse_html(check: dict[str, Any], lang: str) -> str:
    """The page of the submitter: what ``sandbox.review.coarse`` left, and nothing else."""
    name = "family_zh" if chinese(lang) else "family_en"
    rows = [
        [
            safe(item["path"] or word("set", lang)),
            _tag(item["severity"], lang),
            safe(item[name]),
            safe(hint(item["hint"], lang)),
        ]
        for item in check["findings"]
    ]
    heads = [word(head, lang) for head in ("file", "severity", "family", "hint")]
    body = (
        f"<h1>{escape(word('verdict', lang))} {_tag(check['verdict'], lang)}</h1>"
        + _head("findings", lang)
        + (_table(heads, rows) if rows else f"<p>{escape(word('none', lang))}</p>")
        + f"<p class=soft>{escape(word('coarse', lang))} {escape(word('pass_by_person', lang))}</p>"
    )
    return _page(f"{word('verdict', lang)}: {word(_kind(check['verdict']), lang)}", body, lang)
