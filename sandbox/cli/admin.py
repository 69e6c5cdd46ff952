"""The verbs of whoever runs a space: init, serve, worker, doctor, account."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from sandbox.cli.client import Client

if TYPE_CHECKING:
    from fastapi import FastAPI

    from sandbox.executor.contract import Guarantees
    from sandbox.executor.survey import Need

app = typer.Typer()
account = typer.Typer(no_args_is_help=True, help="账户 / accounts")


@app.command()
def init() -> None:
    """建立空间：目录、密钥、数据库、首个管理员 / make a space; prints the administrator's token, once."""
    from sandbox.control.space import Settings, Space

    token = Space.init(Settings.from_env())
    typer.echo(token or "已存在 / exists already")


@app.command()
def serve(
    host: Annotated[str, typer.Option()] = "127.0.0.1",
    port: Annotated[int, typer.Option()] = 8070,
    processes: Annotated[
        int, typer.Option(min=0, max=64, help="0: 按核数，至多 2 / by cores, at most 2")
    ] = 0,
) -> None:
    """启动接口与控制台 / run the API and the console."""
    from sandbox.api import serve as server
    from sandbox.api.app import create_app
    from sandbox.control.previewing import at_once
    from sandbox.control.space import Settings, Space
    from sandbox.engine.durable import DurableEngine

    settings = Settings.from_env()
    space = Space(settings)
    space.places.vault.hold()
    space.announce()
    space.store.close()  # no connection may be shared by two processes

    def make() -> FastAPI:
        durable = DurableEngine(settings.work_database, settings.node)
        return create_app(Space(settings, engine=durable, executor=at_once))

    with server.listen(host, port) as listening:
        status = server.serve(listening, make, server.processes(processes))
    sys.exit(status)


@app.command()
def worker() -> None:
    """启动执行服务：作业、检查、放行、对账 / run the work: jobs, checks, releases, reconciliation."""
    from sandbox.control.space import Settings, Space
    from sandbox.engine.durable import DurableEngine
    from sandbox.executor.choose import executor_for

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    settings = Settings.from_env()
    engine = DurableEngine(settings.work_database, settings.node, settings.slots)
    space = Space(settings, engine=engine)
    space.places.vault.hold()  # before any work: what rests is readable, or nothing starts
    space.announce()
    work, reconciler = space.worker(executor_for(space.places.tasks))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    work.prepare(settings.prepared)
    engine.start(work.step)
    try:
        reconciler.run(stop)
    finally:
        engine.stop()
        work.executor.close()
    # Steps wait for their containers, which may take hours, and the interpreter would wait for the steps. The
    # containers go on; the next worker attaches to them.
    logging.shutdown()
    os._exit(0)


@app.command()
def doctor(lang: Annotated[str | None, typer.Option("--lang", help="zh | en")] = None) -> None:
    """这台机器能保证什么 / what this machine guarantees, with the mend for what it does not."""
    from sandbox.cli.language import language
    from sandbox.control.health import encryption
    from sandbox.control.space import Settings
    from sandbox.executor.choose import wanted
    from sandbox.executor.doctor import examine
    from sandbox.executor.survey import survey
    from sandbox.policy.load import load_profile

    chinese = language(lang) == "zh"
    words = ("保证", "现状", "办法") if chinese else ("guarantee", "found", "mend")
    table = Table("", *words)
    settings = Settings.from_env()
    found = examine(settings.home / "doctor")
    if settings.at_rest == "encrypted":
        found.append(encryption(settings.home, settings.vault))
    for row in found:
        mend = "" if row.ok else (row.mend_zh if chinese else row.mend_en)
        table.add_row("✓" if row.ok else "✗", row.zh if chinese else row.en, row.found, mend)
    Console().print(table)
    policy = load_profile(settings.profile)
    given, needs = survey(policy, settings.home / "doctor")
    for printed in guarantee_tables(given, needs, policy.id, chinese=chinese):
        Console().print(printed)
    served = all(need.ok for need in needs if need.executor == wanted())
    raise typer.Exit(0 if served and all(row.ok for row in found) else 1)


def guarantee_tables(
    given: list[Guarantees], needs: list[Need], policy: str, *, chinese: bool
) -> tuple[Table, Table]:
    """What each executor gives here, and which levels of data that is enough for."""
    from sandbox.policy.isolation import GRADES

    words = ("执行器", "保证", "程度", "依据") if chinese else ("executor", "guarantee", "grade", "read off")
    gives = Table(*words, title="各执行器的保证" if chinese else "what each executor guarantees here")
    for one in given:
        for name, grade in one.grades.items():
            meaning = next(row for row in GRADES[name] if row.name == grade)
            told = f"{grade} · {meaning.zh if chinese else meaning.en}"
            gives.add_row(f"{one.executor} ({one.runtime})", name, told, one.found.get(name, ""))
    zh, en = ("", "级别", "需要", "执行器", "缺", "办法"), ("", "level", "needs", "executor", "lacks", "mend")
    heads = zh if chinese else en
    title = f"{policy} 对各级数据的要求" if chinese else f"what {policy} needs for each level of data"
    lacks = Table(*heads, title=title)
    for need in needs:
        gap = "" if need.ok else f"{need.guarantee}: {need.given} < {need.needed}"
        mend = need.mend_zh if chinese else need.mend_en
        lacks.add_row("✓" if need.ok else "✗", need.level, need.needs, need.executor, gap, mend)
    return gives, lacks


@account.command(name="open")
def open_account(id: str, name: str, person: str) -> None:
    """开户 / a new account of one natural person."""
    Client().call("POST", "/v1/accounts", json={"id": id, "name": name, "person": person})
    typer.echo(id)


@account.command(name="join")
def join(id: str, organisation: str, role: str) -> None:
    """加入单位并授予身份 / let it act for an organisation as a role."""
    Client().call("POST", f"/v1/accounts/{id}/memberships", json={"organisation": organisation, "role": role})
    typer.echo(f"{id} {role}@{organisation}")


@account.command()
def token(
    id: str,
    name: str = "cli",
    days: int = 90,
    scope: Annotated[str, typer.Option(help="read | act | decide")] = "decide",
) -> None:
    """签发访问令牌，仅显示一次 / a token, shown this once."""
    body = {"name": name, "days": days, "scope": scope}
    typer.echo(Client().call("POST", f"/v1/accounts/{id}/tokens", json=body).json()["token"])


@account.command()
def password(id: str) -> None:
    """给出初始密码，仅显示一次，首次登录须修改 / a start password, shown this once, to be changed."""
    typer.echo(Client().call("POST", f"/v1/accounts/{id}/password").json()["password"])


@account.command()
def link(id: str, issuer: str, sub: str) -> None:
    """绑定统一身份认证的用户 / let a subject of the identity provider sign in as this account."""
    Client().call("POST", f"/v1/accounts/{id}/links", json={"issuer": issuer, "sub": sub})
    typer.echo(f"{id} {issuer} {sub}")


@account.command()
def unlink(id: str, issuer: str, sub: str) -> None:
    """解除绑定，会话随即结束 / take such a link away; its sessions end."""
    Client().call("POST", f"/v1/accounts/{id}/unlink", json={"issuer": issuer, "sub": sub})
    typer.echo(f"{id} {issuer} {sub}")


@account.command()
def revoke(id: str, name: str = "cli") -> None:
    """吊销令牌 / end its tokens of that name at once."""
    Client().call("POST", f"/v1/accounts/{id}/tokens/{name}/revoke")
    typer.echo(f"{id} {name}")


@account.command()
def disable(id: str) -> None:
    """停用账户 / shut it out at once."""
    Client().call("POST", f"/v1/accounts/{id}/disable")
    typer.echo(id)


@account.command()
def enable(id: str) -> None:
    """恢复账户 / let it in again."""
    Client().call("POST", f"/v1/accounts/{id}/enable")
    typer.echo(id)
