"""``sandbox images``: build the images that tasks run in, list them, look into them, sign the list.

Exit codes: 0 done (``verify``: nothing wrong), 1 ``verify`` found something.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn
from rich.table import Table

import sandbox
from sandbox.cli.language import language
from sandbox.core.errors import fail
from sandbox.executor import images as lists

app = typer.Typer(
    help="镜像：构建、清单、核验、签名 / images: build, list, verify, sign",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Lang = Annotated[str | None, typer.Option("--lang", help="zh | en")]
_Json = Annotated[bool, typer.Option("--json", help="以 JSON 输出 / print JSON")]
_Layers = Annotated[
    bool,
    typer.Option("--layers", help="读构建所得的镜像层，不问引擎 / read the build's layers, not the engine"),
]
_WORDS = {
    "absent": ("没有这个镜像", "there is no such image"),
    "chain": ("与摘要不符", "has not the hash that the digest says"),
    "contents": ("内容清单不是签名的那份", "is not the contents list that was signed"),
    "unlisted": ("不属于清单上的任何软件包", "belongs to no listed package"),
    "altered": ("与清单不符", "is not the file on the list"),
    "missing": ("清单上有而镜像里没有", "is listed and not there"),
    "device": ("不是文件、目录或链接", "is neither file, folder nor link"),
    "setuid": ("带 setuid 位", "is setuid"),
    "writable": ("他人可写，或不属于 root", "can be written by others, or is not root's"),
    "program": ("不应有的可执行文件", "is executable and should not be"),
    "shell": ("是命令解释器", "is a shell"),
    "manager": ("是软件包管理器", "is a package manager"),
    "setting": ("是软件包管理器的配置", "is a package manager's setting"),
    "host": ("含有软件源的主机名", "names the host of a mirror"),
}


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="每层重做 / make every layer anew")] = False,
    without_engine: Annotated[
        bool, typer.Option("--without-engine", help="只做层与清单 / layers and lists only")
    ] = False,
) -> None:
    """构建镜像，未变的不动；密钥在本机则随即签名 / build what has changed; sign if the key is here."""
    script = Path(sandbox.__file__).resolve().parents[1] / "images/build.py"
    if not script.is_file():
        raise fail("IMAGE_SOURCE")
    flags = [*(["--force"] if force else []), *(["--without-engine"] if without_engine else [])]
    raise typer.Exit(subprocess.run([sys.executable, str(script), *flags], check=False).returncode)  # noqa: S603


@app.command(name="list")
def list_images(as_json: _Json = False, lang: _Lang = None) -> None:
    """可以运行的镜像：摘要、大小、软件包 / the images that may run."""
    chosen = lists.ImageList()
    signed, record = chosen.signed(), lists.read_record(chosen.folder)
    if as_json:
        rows = [
            {
                "image": name,
                "digest": built.digest,
                "bytes": built.bytes,
                "packages": built.packages,
                "contents": str(built.contents),
                "signed": signed.get(name) == built.statement(),
            }
            for name, built in record.items()
        ]
        typer.echo(json.dumps({"key": str(chosen.key()), "images": rows}, ensure_ascii=False, indent=2))
        return
    english = language(lang) == "en"
    heads = (
        ("image", "digest", "MB", "packages", "signed")
        if english
        else ("镜像", "摘要", "MB", "软件包", "已签")
    )
    table = Table(*heads)
    for name, built in record.items():
        mark = "✓" if signed.get(name) == built.statement() else "✗"
        table.add_row(name, built.digest[:19], str(built.bytes // 10**6), str(len(built.packages)), mark)
    Console().print(table)


def _look(names: list[str], layers: bool, quiet: bool) -> dict[str, list[dict[str, str]]]:
    """Findings by image. IMAGE_UNKNOWN for a name that is not in the record."""
    from sandbox.executor import image_content
    from sandbox.executor.docker import DEFAULT_ENGINE

    chosen = lists.ImageList()
    record, signed = lists.read_record(chosen.folder), chosen.signed()
    engine, hosts = os.environ.get("SANDBOX_ENGINE") or DEFAULT_ENGINE, image_content.mirror_hosts()
    found = {}
    columns = (SpinnerColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=quiet) as progress:
        for name in names or sorted(record):
            if name not in record or name not in signed:
                raise fail("IMAGE_UNKNOWN", image=name)
            progress.add_task(name)
            built = record[name]
            source = image_content.from_folder(built) if layers else image_content.from_engine(built, engine)
            with source as opened:
                flaws = image_content.examine(built, opened, signed[name], hosts)
            found[name] = [{"flaw": str(one.flaw), "where": one.where} for one in flaws]
    return found


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="镜像名，缺省为全部 / names, all by default")
    ] = None,
    layers: _Layers = False,
    as_json: _Json = False,
    lang: _Lang = None,
) -> None:
    """打开镜像逐文件核对内容清单 / look into the images: every file against the signed contents list."""
    found = _look(names or [], layers, as_json)
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    else:
        english = language(lang) == "en"
        for name, flaws in found.items():
            typer.echo(f"{'✗' if flaws else '✓'} {name}")
            for one in flaws:
                typer.echo(f"    {one['where']}: {_WORDS[one['flaw']][english]}")
    raise typer.Exit(1 if any(found.values()) else 0)


@app.command()
def sign(
    key: Annotated[Path | None, typer.Option("--key", help="私钥文件（PEM，0600）/ private key")] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="并改用它的公钥 / and trust its public half from now on")
    ] = False,
) -> None:
    """核对镜像层与记录后签名清单 / compare the layers with the record, then sign the list."""
    from sandbox.audit.checkpoint import VerifierKey
    from sandbox.audit.signer import FileSigner

    folder = lists.home()
    signer = FileSigner.load(key or folder / lists.PRIVATE)
    record = lists.read_record(folder)
    for built in record.values():
        lists.check_layers(built)
    envelope, mine = lists.sign(record, signer), VerifierKey(lists.KEY_NAME, signer.public_key())
    # a list that nobody here would believe is not put down
    lists.opened(envelope, mine if publish else lists.ImageList().key())
    if publish:
        lists.write(folder / lists.PUBLIC, f"{mine}\n".encode())
    lists.write(folder / lists.SIGNED, envelope)
    typer.echo(f"{len(record)} ✓")
