"""The verbs of resources: apply, get, describe, do, wait, supply, take. Each is one or two API calls."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from sandbox.cli.client import Client, as_json
from sandbox.core.errors import fail

app = typer.Typer()
KindArgument = Annotated[str, typer.Argument(help="资源类型 / kind, e.g. scenario")]
RefArgument = Annotated[str, typer.Argument(help="类型/编号 / kind/id, e.g. job/job-1")]
FORMAT = typer.Option("table", "--format", help="table | json")


class Plain(yaml.SafeLoader):
    """YAML whose dates stay text: what is sent is JSON, which has none."""


Plain.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def split(ref: str) -> tuple[str, str]:
    """``kind/id``."""
    kind, _, id = ref.partition("/")
    if not kind or not id:
        raise fail("MALFORMED", what=ref, why="kind/id")
    return kind, id


def read_yaml(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file (``-``: standard input). Raises FILE_UNREADABLE."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
        documents = [document for document in yaml.load_all(text, Plain) if document is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise fail("FILE_UNREADABLE", path=str(path), why=type(error).__name__) from error
    for document in documents:
        if not isinstance(document, dict):
            raise fail("FILE_UNREADABLE", path=str(path), why="not a mapping")
    return documents


def with_code(spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A job's ``files: [names]`` become ``code: {name: text}``, read beside the manifest.

    Names as the server takes them, and no links: what is sent is what lies there. Raises MALFORMED,
    FILE_UNREADABLE."""
    from sandbox.operation.outcome import CODE_FILE

    names = spec.pop("files", None)
    if names is None:
        return spec
    code: dict[str, str] = {}
    if not isinstance(names, list) or not all(isinstance(one, str) for one in names):
        raise fail("MALFORMED", what="files", why="[names]")
    for name in names:
        if not re.fullmatch(CODE_FILE, name):
            raise fail("MALFORMED", what="files", why=name)
        if (folder / name).is_symlink():
            raise fail("FILE_UNREADABLE", path=name, why="symlink")
        try:
            code[name] = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise fail("FILE_UNREADABLE", path=name, why=type(error).__name__) from error
    return {**spec, "code": code}


@app.command()
def apply(
    file: Annotated[Path, typer.Option("--file", "-f", help="YAML: kind, id?, spec")],
    format: str = FORMAT,
) -> None:
    """创建资源 / create resources from manifests."""
    client = Client()
    for document in read_yaml(file):
        spec = with_code(dict(document.get("spec", {})), file.parent)
        made = client.create(str(document.get("kind", "")), spec, str(document.get("id", "")))
        typer.echo(as_json(made) if format == "json" else f"{made['kind']}/{made['id']} {made['state']}")


@app.command()
def get(
    kind: KindArgument,
    state: Annotated[str, typer.Option(help="只列该状态 / only in this state")] = "",
    format: str = FORMAT,
) -> None:
    """列出资源 / list what you may see of a kind."""
    found = Client().get(f"/v1/{kind}", state=state)
    if format == "json":
        typer.echo(as_json(found))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("ID", "状态 / state", "单位 / organisation", "版本 / version", "期限 / due")
    for one in found:
        due = (one["due_at"] or "")[:16] + (" ⚠" if one["overdue"] else "")
        table.add_row(one["id"], one["state"], one["organisation"], str(one["version"]), due)
    Console().print(table)


@app.command()
def describe(ref: RefArgument) -> None:
    """查看一个资源 / show one resource, its state and what may be done."""
    kind, id = split(ref)
    typer.echo(as_json(Client().get(f"/v1/{kind}/{id}")))


@app.command(name="do")
def act(
    ref: RefArgument,
    event: Annotated[str, typer.Argument(help="事件 / event of the lifecycle")],
    file: Annotated[Path | None, typer.Option("--file", "-f", help="YAML 内容 / payload")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="键=值 / key=value")] = None,
) -> None:
    """办理一个事件 / carry out one transition."""
    kind, id = split(ref)
    payload: dict[str, Any] = {}
    for document in read_yaml(file) if file else []:
        payload |= document
    for pair in set_ or []:
        key, _, value = pair.partition("=")
        payload[key] = yaml.load(value, Plain)  # noqa: S506  (a safe loader)
    done = Client().act(kind, id, event, payload)
    typer.echo(f"{ref} {done['state']}")


@app.command()
def wait(
    ref: RefArgument,
    states: Annotated[list[str], typer.Argument(help="状态 / states")],
    seconds: Annotated[float, typer.Option(help="最长等待秒数 / at most")] = 600,
) -> None:
    """等到某状态 / wait until it is in one of the states."""
    kind, id = split(ref)
    typer.echo(f"{ref} {Client().wait(kind, id, set(states), seconds)['state']}")


@app.command()
def supply(
    manifest: Annotated[Path, typer.Argument(help="YAML: entry, agreement, scenario, key_id")],
    file: Annotated[Path, typer.Argument(help="数据文件 / data file")],
    key: Annotated[Path, typer.Option(help="Ed25519 PEM")],
) -> None:
    """平台连接器：签名清单并传送数据 / connector: sign the manifest and send the data."""
    made = Client().supply(read_yaml(manifest)[0], file, key)
    typer.echo(f"supply/{made['id']}")


@app.command()
def take(
    request: Annotated[str, typer.Argument(help="出域申请编号 / egress request id")],
    out: Annotated[Path, typer.Option("--out", "-o", help="保存为 / save as")],
    token: Annotated[
        str, typer.Option(help="出域凭证 / release token; 不填则领取 / asked for if empty")
    ] = "",
) -> None:
    """领取已放行的成果包 / take a released package."""
    client = Client()
    given = token or client.get(f"/v1/egress-request/{request}/token")["token"]
    answer = client.call("POST", f"/v1/egress-request/{request}/package", json={"token": given})
    out.write_bytes(answer.content)
    typer.echo(str(out))


@app.command()
def log(job: Annotated[str, typer.Argument(help="作业编号 / job id")]) -> None:
    """打开作业的封存日志（授权单位的审核员）/ open a job's sealed log (reviewer of the authorising body)."""
    typer.echo(Client().call("GET", f"/v1/job/{job}/log").text, nl=False)


@app.command()
def answer(id: Annotated[str, typer.Argument(help="还原申请编号 / id of the re-identification")]) -> None:
    """打开还原申请的答复（只有申请人本人）/ open what tokens were led back to (the person who asked)."""
    typer.echo(Client().call("GET", f"/v1/reidentification/{id}/answer").text)


@app.command()
def lineage(ref: RefArgument) -> None:
    """溯源 / what it was made of and what was made of it."""
    kind, id = split(ref)
    typer.echo(as_json(Client().get(f"/v1/lineage/{kind}/{id}")))


@app.command()
def catalogue() -> None:
    """公开目录 / the public catalogue."""
    typer.echo(as_json(Client().get("/public/catalogue")))
