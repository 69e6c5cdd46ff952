"""``sandbox profile``: what a table holds, proposed field by field; no server, no database."""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.egress_run import Isolation, Lang, Where, copy, exits, warn_unisolated
from sandbox.cli.language import language
from sandbox.core.errors import fail

if TYPE_CHECKING:
    from sandbox.desensitize.profile.model import Profile

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)


def _bare(file: Path, entity: str | None) -> dict[str, Any]:
    """The profile in this process."""
    from sandbox.desensitize.profile.propose import profile
    from sandbox.desensitize.profile.table import read

    return profile(read(file), entity).model_dump(mode="json")


def _contained(file: Path, entity: str | None) -> dict[str, Any]:
    """The profile in a container without network."""
    import sandbox.desensitize.profile  # noqa: F401  (its rows join the error table)
    from sandbox.executor.contract import Input, Task, TaskKind
    from sandbox.executor.docker import DockerExecutor

    if not file.is_file():
        raise fail("PROFILE_FILE")
    with tempfile.TemporaryDirectory(prefix="profile-") as folder:
        stage = Path(folder)
        copy(file.resolve(), stage / "data")
        (stage / "data").chmod(0o644)
        stage.chmod(0o755)  # the container's user reads it
        executor = DockerExecutor(stage / "root")
        name = f"profile-{uuid.uuid4().hex[:16]}"
        task = Task(
            name,
            TaskKind.PROFILE,
            executor.image("check"),
            {"entity": entity},
            (Input("data", stage / "data"),),
        )
        try:
            report = executor.run(task).report
            refusal = report.get("code")
            if refusal and str(refusal).startswith("PROFILE_"):
                raise fail(str(refusal), **dict(report.get("details", {})))
            return dict(report["profile"])
        finally:
            executor.discard(task.id)


def _print(told: Profile, spoken: str) -> None:
    from rich.console import Console
    from rich.table import Table

    zh = spoken == "zh"
    heads = (
        ("列", "类型", "内容", "类别", "级", "标记", "角色", "把握", "理由")
        if zh
        else ("field", "type", "content", "category", "level", "flags", "role", "confidence", "reasons")
    )
    table = Table(*heads, show_lines=False)
    for one in told.fields:
        mark = "! " if one.conflict else ""
        reasons = "\n".join(reason.zh() if zh else reason.en() for reason in one.reasons)
        table.add_row(
            one.name, one.type, one.kind or "-", one.category, str(one.level), ", ".join(one.flags),
            one.role, f"{one.confidence:.2f}", mark + reasons,
        )  # fmt: skip
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for reason in told.reasons:
        console.print(reason.zh() if zh else reason.en())
    entity = told.entity or ("每行一个" if zh else "each row")
    console.print(("主体列：" if zh else "entity: ") + entity)
    for found in told.combinations:
        names, share = " + ".join(found.columns), f"{100 * found.share:.1f}%"
        console.print(
            f"{names}: {found.unique}/{found.entities} ({share}) " + ("独一无二" if zh else "alone")
        )
    console.print("以上只是提议，由人确认。" if zh else "A proposal only: a person confirms it.")


@app.command("profile", epilog="Exit: 0 done, 2 the file cannot be read as a table, 3 the profiler failed")
def profile_command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Parquet 或 CSV / Parquet or CSV")],
    entity: Annotated[str | None, typer.Option(help="主体列 / the column that names the entity")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON / print JSON")] = False,
    fields: Annotated[
        Path | None, typer.Option("--fields", help="写出待确认的字段 / write the fields to confirm")
    ] = None,
    isolation: Where = Isolation.DOCKER,
    lang: Lang = None,
) -> None:
    """剖析一张表，提议各列的分类分级 / Profile a table and propose category and level of its fields."""
    from sandbox.desensitize.profile.fields import fields_yaml
    from sandbox.desensitize.profile.model import Profile

    spoken = language(lang)
    warn_unisolated(isolation, spoken)
    with exits(spoken):
        told = Profile.model_validate((_bare if isolation is Isolation.NONE else _contained)(file, entity))
        if fields is not None:
            fields.write_text(fields_yaml(told), "utf-8")
        if as_json:
            sys.stdout.write(json.dumps(told.model_dump(mode="json"), ensure_ascii=False) + "\n")
        else:
            _print(told, spoken)
