"""``sandbox dp``: what a question under differential privacy costs, and what has been spent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox.cli.client import Client, as_json
from sandbox.cli.resources import FORMAT, read_yaml
from sandbox.core.errors import fail

app = typer.Typer(no_args_is_help=True, help="差分隐私 / differential privacy")
NANO = 10**9
ERRORS = {"figure": "", "times_rows": "÷ 行数 / by the rows", "rank": "名次 / ranks"}


def specification(
    client: Client, query: dict[str, Any], scenario: str, product: str, entry: str, recipient: str
) -> dict[str, Any]:
    """A job that asks ``query`` of a product or entry with all columns that the scenario may use of it."""
    grant = client.get(f"/v1/scenario/{scenario}")["status"]["grant"]
    if product:
        columns = [one["name"] for one in client.get(f"/v1/product/{product}")["spec"]["columns"]]
        source = {"product": product}
    else:
        columns = [name for one in grant["items"] if one["entry"] == entry for name in one["columns"]]
        source = {"entry": entry}
    return {
        "scenario": scenario,
        "purpose": grant["purpose"],
        "language": "dp",
        "query": query,
        "recipient": recipient,
        "inputs": [{"name": "data", "columns": columns, **source}],
        "outputs": [{"path": "answer.csv", "kind": "table"}],
    }


@app.command("estimate")
def estimate_command(
    file: Annotated[Path, typer.Argument(help="YAML：查询，或含 query 的作业 / a query, or a job with one")],
    scenario: Annotated[str, typer.Option(help="场景编号 / scenario id; 作业文件可省 / not for a job")] = "",
    product: Annotated[str, typer.Option(help="初级产品 / primary product")] = "",
    entry: Annotated[str, typer.Option(help="目录条目 / catalogue entry")] = "",
    recipient: Annotated[str, typer.Option(help="接收方 / recipient; 默认为本单位 / yourself")] = "",
    format: str = FORMAT,
) -> None:
    """估算花费、余额与误差，不扣预算 / cost, rest and error of a question; nothing is charged."""
    client, (document, *more) = Client(), read_yaml(file) or [{}]
    if more or not document:
        raise fail("FILE_UNREADABLE", path=str(file), why="one document")
    spec = dict(document.get("spec", {}))
    if document.get("kind") != "job":
        if not scenario or bool(product) == bool(entry):
            raise fail("MISSING_FIELD", field="--scenario, --product | --entry")
        spec = specification(client, dict(document), scenario, product, entry, recipient)
    told = client.call("POST", "/v1/dp/estimate", json={"spec": spec}).json()
    if format == "json":
        typer.echo(as_json(told))
        return
    paid = {"": "", "charged": "已付 / paid", "sealed": "已有答案 / answered"}[told["state"]]
    typer.echo(
        f"花费 / cost: {told['nano_rho']} nano-ρ, δ {told['delta_e15']}e-15; "
        f"ε {told['epsilon']} (δ {told['delta']}) {paid}".rstrip()
    )
    for one in told["expected"]:
        typer.echo(f"误差 / error: {one['measure']} ± {one['sd']:.4g} {ERRORS[one['error']]}".rstrip())
    show(
        [
            {**scope, "epsilon": scope["left_epsilon"], "rest": scope["left_nano_rho"], "ok": scope["holds"]}
            for scope in told["scopes"]
        ]
    )
    if not told["holds"]:
        typer.echo("预算不足 / the budget does not hold")


@app.command()
def budget(
    scenario: Annotated[str, typer.Option(help="只看该场景 / of this scenario only")] = "",
    format: str = FORMAT,
) -> None:
    """预算账簿：您可见的各范围已用与上限 / the book: what was spent of each scope that you may see."""
    label = f"scenario={scenario}" if scenario else ""
    found = Client().get("/v1/dp-budget", label=label)
    if format == "json":
        typer.echo(as_json(found))
        return
    rows = []
    for one in found:
        told = one["status"]["budget"]
        rest = max(told["cap_nano_rho"] - told["nano_rho"], 0)
        sums = {"spent_nano_rho": told["nano_rho"], "cap_nano_rho": told["cap_nano_rho"]}
        rows.append({**one["spec"], **sums, "rest": rest, "charges": told["charges"]})
    show(rows)


def show(rows: list[dict[str, Any]]) -> None:
    """Scopes as a table."""
    from rich.console import Console
    from rich.table import Table

    names = ("dataset", "domain", "scenario", "recipient", "year")
    table = Table(
        "范围 / scope", "对象 / of", "已用 / spent ρ", "上限 / cap ρ", "余 / left ρ", "余 ε / 次 charges"
    )
    for row in rows:
        of = " · ".join(str(row[name]) for name in names if row.get(name))
        amounts = [f"{row[key] / NANO:.6f}" for key in ("spent_nano_rho", "cap_nano_rho", "rest")]
        last = str(row.get("epsilon", row.get("charges", "")))
        table.add_row(row["level"], of, *amounts, last + ("" if row.get("ok", True) else " ✗"))
    Console().print(table)
