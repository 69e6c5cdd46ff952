"""``sandbox demo``: the whole path of one release on real input, with a page at the end."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from sandbox.cli.language import language

app = typer.Typer()


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="自己的 CSV / a CSV of your own")] = None,
    rows: Annotated[int, typer.Option(help="登记簿行数 / rows of the register")] = 200_000,
    folder: Annotated[Path, typer.Option(help="工作目录 / work folder")] = Path("var/demo"),
    lang: Annotated[str | None, typer.Option("--lang", help="zh | en")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="结束后留下控制台 / leave the console running at the end")
    ] = False,
    stop: Annotated[
        bool, typer.Option("--stop", help="只停掉留下的控制台 / only stop the console that was left")
    ] = False,
) -> None:
    """演示全流程 / play the whole path, from supply to the end of the agreement."""
    if stop:
        return stopped(folder.resolve(), language(lang) == "zh")
    from sandbox.demo import kept
    from sandbox.demo.data import HERE, own, residents, survey
    from sandbox.demo.space import DemoSpace
    from sandbox.demo.story import Story

    chinese = language(lang) == "zh"
    console = Console()
    started = time.monotonic()
    times: list[tuple[str, float]] = []
    bar = Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console
    )
    space, left = None, None
    try:
        with bar:
            preparing = "准备数据与空间" if chinese else "Preparing data and space"
            task = bar.add_task(preparing, total=None)
            sets = [own(data.resolve())] if data else []  # before anything is started: it may be refused
            space = DemoSpace(folder.resolve(), HERE / "profile.yaml")
            sets = sets or [residents(folder.resolve(), rows), survey(folder.resolve())]
            story = Story(space, sets)
            times.append((preparing, time.monotonic() - started))
            bar.update(task, total=len(story.acts))
            for zh, en, act in story.acts:
                label = zh if chinese else en
                bar.update(task, description=label)
                before = time.monotonic()
                act()
                times.append((label, time.monotonic() - before))
                bar.advance(task)
        if keep:
            left = kept.keep(space)
    finally:
        if space is not None and left is None:
            space.stop()
    page = io.StringIO()
    for out in (console, Console(file=page, width=110)):
        last_page(out, story.ledger, times, chinese)
    (folder.resolve() / "summary.txt").write_text(page.getvalue(), encoding="utf-8")
    console.print(
        f"{'成果包' if chinese else 'packages'}: {folder}/released · summary.txt: {folder}/summary.txt"
    )
    if left is not None:
        table = Table(
            *(
                ("账户", "初始口令（首次登录须修改）")
                if chinese
                else ("account", "start password, to be changed")
            ),
            title=f"{'控制台' if chinese else 'console'}: {left.url}",
            title_justify="left",
        )
        for row in left.people:
            table.add_row(*row)
        console.print(table)
        console.print(f"{'停掉它' if chinese else 'to stop it'}: make demo KEEP=0")


def stopped(folder: Path, chinese: bool) -> None:
    """End the console that an earlier demonstration left running, and lock its vault."""
    from sandbox.demo import kept
    from sandbox.demo.space import lock

    there = kept.end(folder)
    lock(folder)
    words = (
        ("控制台已停止", "the console was stopped") if there else ("没有在运行的控制台", "no console runs")
    )
    typer.echo(words[0 if chinese else 1])


def last_page(console: Console, ledger: object, times: list[tuple[str, float]], chinese: bool) -> None:
    """What went in, what left, what was refused and by which rule, how long each step took."""
    from sandbox.demo.cases import Ledger

    assert isinstance(ledger, Ledger)
    tables = (
        (
            "进入域内" if chinese else "went in",
            ("数据" if chinese else "data", "行" if chinese else "rows", "SHA-256"),
            [(name, f"{count:,}", sha[:16] + "…") for name, count, sha in ledger.went_in],
        ),
        (
            "出域" if chinese else "left",
            ("文件" if chinese else "file", "SHA-256", "字节" if chinese else "bytes"),
            [(file, sha[:16] + "…", f"{size:,}") for file, sha, size in ledger.left],
        ),
        (
            "被拒绝" if chinese else "refused",
            ("尝试" if chinese else "attempt", "规则" if chinese else "rule"),
            [(zh if chinese else en, rule) for zh, en, rule in ledger.refused],
        ),
        (
            "记录" if chinese else "facts",
            ("", ""),
            [(name.split(" / ")[0 if chinese else -1], value) for name, value in ledger.facts],
        ),
        (
            "用时" if chinese else "time",
            ("步骤" if chinese else "step", "秒" if chinese else "seconds"),
            [(label, f"{seconds:.1f}") for label, seconds in times]
            + [("合计" if chinese else "in all", f"{sum(seconds for _, seconds in times):.1f}")],
        ),
    )
    for title, heads, rows in tables:
        table = Table(*heads, title=title, title_justify="left")
        for row in rows:
            table.add_row(*row)
        console.print(table)
