"""``sandbox keys``: the keys of what is at rest. On the machine itself, by who runs it; no API leads here."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sandbox.cli.language import language
from sandbox.core.errors import SandboxError, fail

if TYPE_CHECKING:
    from sandbox.vault import Vault

app = typer.Typer(no_args_is_help=True, help="静态加密的密钥 / keys of what is at rest")

# state -> how it is told
_TOLD = {
    "open": ("可读", "readable"),
    "closed": ("已锁", "locked"),
    "gone": ("密钥已销毁", "its key is destroyed"),
    "damaged": ("密钥记录已损坏", "its key record is damaged"),
    "other_master": ("用另一把主密钥包裹", "wrapped by another master key"),
}


def _vault() -> Vault:
    """The vault of the settings; VAULT_PLAIN for a space that rests in plain and has no keys."""
    from sandbox.control.space import Settings
    from sandbox.vault import Vault

    vault = Settings.from_env().resting()
    if not isinstance(vault, Vault):
        raise fail("VAULT_PLAIN")
    return vault


@contextmanager
def _noted(action: str, object: str) -> Iterator[tuple[Vault, dict[str, Any]]]:
    """The vault for an act, and details to fill: the audit log tells of it, done or refused."""
    from sandbox.control.space import Settings, Space
    from sandbox.core.actor import SYSTEM

    space = Space(Settings.from_env())
    details: dict[str, Any] = {}
    try:
        yield _vault(), details
        space.control.note(SYSTEM, action, object, **details)
    except SandboxError as error:
        space.control.note(SYSTEM, action, object, reason=error.code)
        raise
    finally:
        space.store.close()


@app.command()
def new() -> None:
    """生成一把主密钥并打印；请存入密钥服务或 0600 的文件 / print a new master key, to be kept elsewhere."""
    typer.echo(secrets.token_hex(32))


@app.command()
def status(lang: Annotated[str | None, typer.Option("--lang", help="zh | en")] = None) -> None:
    """每个工作区的密钥现状；有不可读的密钥时退出码 1 / how each workspace's key stands."""
    chinese = language(lang) == "zh"
    found = _vault().status()
    table = Table(*(("工作区", "状态") if chinese else ("workspace", "state")))
    for workspace, state in found.items():
        table.add_row(workspace, _TOLD[state][0 if chinese else 1])
    Console().print(table)
    raise typer.Exit(0 if {*found.values()} <= {"open", "closed"} else 1)


@app.command()
def unlock() -> None:
    """挂载保管库并装入密钥（serve、worker 启动时自动进行） / attach the vault and load its keys."""
    _vault().unlock()
    typer.echo("已解锁 / unlocked")


@app.command()
def lock() -> None:
    """卸下全部密钥并卸载；须先停止 serve、worker / take all keys away and unmount."""
    _vault().lock()
    typer.echo("已上锁 / locked")


@app.command()
def rotate(agreement: str, scenario: str) -> None:
    """为一个工作区换新密钥并重新加密；须先停止 serve、worker / a new key, everything encrypted anew."""
    workspace = f"{agreement}/{scenario}"
    with _noted("rotate-key", f"workspace/{workspace}") as (vault, _):
        vault.rotate(workspace)
    typer.echo(workspace)


@app.command()
def rewrap(
    to: Annotated[str, typer.Option("--to", help="file:路径 | env:变量名 | command:命令")],
) -> None:
    """用新的主密钥重新包裹全部密钥，之后把 SANDBOX_MASTER 改成它 / wrap all keys by a new master key."""
    from sandbox.vault import Master

    with _noted("rewrap-keys", "vault/keys") as (vault, details):
        details["workspaces"] = vault.rewrap(Master(to))
    typer.echo(f"{details['workspaces']}")
