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
) -> None:
    """演示全流程 / play the whole path, from supply to the end of the agreement."""
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
    space = None
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
    finally:
        if space is not None:
            space.stop()
    page = io.StringIO()
    for out in (console, Console(file=page, width=110)):
        last_page(out, story.ledger, times, chinese)
    kept = folder.resolve() / "summary.txt"
    kept.write_text(page.getvalue(), encoding="utf-8")
    console.print(
        f"{'成果包' if chinese else 'packages'}: {folder}/released · {kept.name}: {folder}/summary.txt"
    )


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
