"""The operator's page: what was done, risk before and after, classes, loss column by column, the frontier.
One HTML file, no script, nothing from outside, printable; it holds counts, thresholds and names of
columns."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from sandbox.desensitize.search.picture import bars, frontier

_CSP = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body{font:15px/1.55 "Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:#1a1a1a;background:#fff;
margin:1.5em auto;max-width:64em;padding:0 1em}
h1{font-size:1.5em}h2{font-size:1.15em;border-bottom:1px solid #c8ccd0}small{color:#555}
table{border-collapse:collapse;width:100%}th,td{border:1px solid #c8ccd0;padding:.3em .5em;text-align:left;
overflow-wrap:anywhere}th{background:#f2f4f6}figure{margin:.6em 0;break-inside:avoid}
svg{max-width:100%;height:auto}svg text{font:12px sans-serif;fill:#1a1a1a}
.yes{color:#1d5c2e}.no{color:#9b1c1c}strong.yes,strong.no{border:2px solid;border-radius:.3em;padding:0 .5em}
"""
# word -> (Chinese, English)
WORDS = {
    "title": ("匿名化报告", "Anonymisation report"),
    "yes": ("已匿名化（检验结论）", "anonymised (verdict of the test)"),
    "no": ("未匿名化（检验结论）", "not anonymised (verdict of the test)"),
    "risk": ("重标识风险", "Re-identification risk"),
    "before": ("处理前", "before"),
    "after": ("处理后", "after"),
    "k": ("最小等价类 k", "least equivalence class k"),
    "classes": ("等价类", "equivalence classes"),
    "highest": ("最高风险", "highest risk"),
    "average": ("平均风险", "average risk"),
    "over": ("风险超阈值的主体占比", "entities above the threshold"),
    "level": ("GB/T 42460 级别", "GB/T 42460 level"),
    "threshold": ("阈值", "threshold"),
    "spread": ("敏感列的分布", "Spread of the sensitive columns"),
    "column": ("列", "column"),
    "columns": ("各列的损失（粒度）", "Loss by column (granularity)"),
    "sizes": ("等价类大小：主体占比", "Class sizes: share of the entities"),
    "frontier": ("风险与损失的边界", "Frontier of risk against loss"),
    "risk_axis": ("最高风险（对数）", "highest risk (logarithmic)"),
    "loss_axis": ("损失（粒度）", "loss (granularity)"),
    "public": ("公开共享", "public"),
    "controlled": ("受控共享", "controlled"),
    "enclave": ("领地共享", "enclave"),
    "how": ("怎样得到", "How it was found"),
    "method": ("方法", "method"),
    "rows": ("行：输入 / 输出 / 抑制", "rows: in / out / suppressed"),
    "nodes": ("节点：看过 / 全部", "nodes: looked at / all"),
    "optimal": ("证得最优", "proven optimal"),
    "utility": ("效用损失", "Loss of utility"),
    "models": ("模型", "models"),
    "reasons": ("理由", "reasons"),
    "marks": (
        "圆：泛化格；方：Mondrian；实心：在边界上；绿圈：所选；虚线：各共享方式的阈值。",
        "Circle: lattice; square: Mondrian; filled: on the frontier; green ring: chosen; dashed: thresholds.",
    ),
}


def words(lang: str) -> dict[str, str]:
    """The words of a language, "zh" or "en"."""
    return {key: pair[lang != "zh"] for key, pair in WORDS.items()}


def _number(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "✓", False: "✗", None: "—"}[value]
    return f"{value:.4g}" if isinstance(value, float) else escape(str(value))


def _table(heads: list[str], rows: list[list[Any]]) -> str:
    top = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{_number(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def html(report: Mapping[str, Any], lang: str) -> str:
    """The page. ``report``: of ``run.Outcome``; ``lang``: "zh" or "en"."""
    w = words(lang)
    verdict = "yes" if report["anonymity"]["verdict"] else "no"
    before, after = report["before"], report["after"]
    risks: list[list[Any]] = [[w["k"], before["k"], after["k"]]]
    risks.append([w["classes"], before["classes"], after["classes"]])
    risks += [
        [w[key], before["risk"][key], after["risk"][key]] for key in ("highest", "average", "over", "level")
    ]
    release = report["after"]["risk"]["release"]
    spread = [[name, *of.values()] for name, of in after["spread"].items()]
    heads = list(next(iter(after["spread"].values()), {}))
    found, rows = report["search"], report["rows"]
    sizes = [(f"{low}–{high}", share, f"{share:.1%}") for low, high, share in report["sizes"]]
    losses = {
        key: report["utility"][key] for key in ("discernability", "class_size", "granularity", "entropy")
    }
    body = [
        f"<h1>{w['title']}</h1><p><strong class={verdict}>{w[verdict]}</strong> ",
        f"<small>{w['reasons']}: {escape(', '.join(report['anonymity']['reasons']) or '—')}</small></p>",
        f"<h2>{w['risk']}</h2><p>{w[release]} · {w['threshold']} {after['risk']['threshold']:.3g}</p>",
        _table(["", w["before"], w["after"]], risks),
        f"<h2>{w['sizes']}</h2><figure>{bars(sizes, w['sizes'])}</figure>",
        f"<h2>{w['columns']}</h2><figure>",
        bars(
            [
                (n, of["granularity"], f"{of['granularity']:.3f}")
                for n, of in report["utility"]["columns"].items()
            ],
            w["columns"],
        ),
        "</figure>",
    ]
    if spread:
        body.append(f"<h2>{w['spread']}</h2>" + _table([w["column"], *heads], spread))
    if report.get("frontier"):
        drawn = frontier(report["frontier"], report["releases"], w)
        body.append(f"<h2>{w['frontier']}</h2><figure>{drawn}<figcaption>{w['marks']}</figcaption></figure>")
    body.append(f"<h2>{w['utility']}</h2>" + _table(list(losses), [list(losses.values())]))
    how: list[list[Any]] = [[w["method"], found["method"]]]
    how.append([w["models"], ", ".join(_model(m) for m in report["models"])])
    how.append([w["rows"], f"{rows['in']} / {rows['out']} / {rows['suppressed']}"])
    if "nodes" in found:
        how.append([w["nodes"], f"{found['looked_at']} / {found['nodes']}"])
        how.append([w["optimal"], bool(found["optimal"])])
    body.append(f"<h2>{w['how']}</h2>" + _table(["", ""], how))
    return (
        f'<!doctype html><html lang="{"zh-CN" if lang == "zh" else "en"}"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(_CSP)}"><title>{w["title"]}</title>'
        f"<style>{_STYLE}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def _model(model: Mapping[str, Any]) -> str:
    told = [f"{key}={value:g}" if isinstance(value, float) else str(value) for key, value in model.items()]
    return f"{told[0]}({', '.join(told[1:])})"
