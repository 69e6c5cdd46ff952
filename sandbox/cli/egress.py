"""``sandbox egress check``: the checker for anyone with a table and an output; no server, no database.

Exit codes: 0 no objection, 10 hold, 20 reject, 2 usage, 3 checker error (a rejection for the gate).
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import sys
import tempfile
import uuid
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.language import language
from sandbox.core.errors import Invalid, NotFound, SandboxError, fail

if TYPE_CHECKING:
    from sandbox.policy import Profile

app = typer.Typer(
    help="出域检查 / egress checker",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

EXIT = {"no_objection": 0, "hold": 10, "reject": 20}
USAGE, BROKEN = 2, 3
_VERDICT_BYTES = 16 << 20


class Isolation(StrEnum):
    """Where the files are parsed."""

    DOCKER = "docker"
    NONE = "none"


class Format(StrEnum):
    """How the report is printed."""

    JSON = "json"
    TEXT = "text"
    HTML = "html"


@app.callback()
def _group() -> None:
    """出域检查 / egress checker"""


def _pairs(option: str, values: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` options as a dictionary; anything else is a usage error."""
    found: dict[str, str] = {}
    for value in values:
        name, mark, rest = value.partition("=")
        if not (name and mark and rest) or name in found:
            raise typer.BadParameter(f"NAME=… expected once a name, got “{value}”", param_hint=option)
        found[name] = rest
    return found


def _raws(
    raw: list[str], entity: list[str], quasi: list[str], sensitive: list[str], identifier: list[str]
) -> list[dict[str, Any]]:
    """The ``raws`` parameter of the check, with ``path`` in place of ``file``."""
    files = _pairs("--raw", raw)
    given = {
        "entity": _pairs("--entity", entity),
        "quasi": _pairs("--quasi", quasi),
        "sensitive": _pairs("--sensitive", sensitive),
        "identifiers": _pairs("--identifier", identifier),
    }
    for option, pairs in given.items():
        unknown = sorted(set(pairs) - set(files))
        if unknown:
            raise typer.BadParameter(f"no --raw named “{unknown[0]}”", param_hint=f"--{option}")
    return [
        {
            "name": name,
            "path": file,
            "entity": given["entity"].get(name),
            **{key: _list(given[key].get(name)) for key in ("quasi", "sensitive", "identifiers")},
        }
        for name, file in files.items()
    ]


def _list(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def _bare(
    paths: list[Path],
    raws: list[dict[str, Any]],
    declared: list[dict[str, Any]],
    profile: Profile,
    history: Path | None,
    canonical: Path | None,
) -> dict[str, Any]:
    """The check in this process."""
    from sandbox.egress.check import check, declarations
    from sandbox.egress.context import RawTable

    tables = [
        RawTable(
            item["name"],
            Path(item["path"]),
            item["entity"],
            tuple(item["quasi"]),
            tuple(item["sensitive"]),
            tuple(item["identifiers"]),
        )
        for item in raws
    ]
    wanted = declarations(declared)
    return check(paths, tables, wanted, profile.values(), profile.id, history, canonical).as_json()


def _copy(source: Path, target: Path) -> None:
    """A readable copy of a regular file."""
    if not stat.S_ISREG(source.lstat().st_mode):
        raise fail("EGRESS_PATH", path=source.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)


def _readable(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o755)
        for name in files:
            (Path(place) / name).chmod(0o644)


def _verdict(folder: Path) -> dict[str, Any]:
    """``verdict.json`` as the container wrote it; what it holds is untrusted, a link is refused."""
    handle = os.open(folder / "verdict.json", os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError
        body = json.loads(file.read(_VERDICT_BYTES))
    if not isinstance(body, dict) or body.get("verdict") not in EXIT:
        raise ValueError
    return body


def _contained(
    paths: list[Path],
    raws: list[dict[str, Any]],
    declared: list[dict[str, Any]],
    profile: Profile,
    history: Path | None,
    canonical: Path | None,
) -> dict[str, Any]:
    """The check as a task in a container without network."""
    import sandbox.egress.codes  # noqa: F401  (its rows join the error table)
    from sandbox.executor.contract import Input, Task, TaskKind
    from sandbox.executor.docker import DockerExecutor

    with tempfile.TemporaryDirectory(prefix="egress-") as name:
        stage = Path(name)
        for folder in ("outputs", "raw", "root"):
            (stage / folder).mkdir()
        for path in paths:
            if not path.exists():
                raise fail("EGRESS_PATH", path=path.name)
            inside = (
                [p for p in path.rglob("*") if not p.is_dir() or p.is_symlink()] if path.is_dir() else [path]
            )
            for file in inside:
                relative = file.relative_to(path) if path.is_dir() else Path(path.name)
                target = stage / "outputs" / relative
                _copy(
                    file, target if not target.exists() else stage / "outputs" / path.parent.name / relative
                )
        items = []
        for number, item in enumerate(raws):
            source = Path(item["path"])
            if not source.is_file():
                raise fail("EGRESS_RAW_UNREADABLE", name=item["name"])
            file_name = f"raw{number}{source.suffix}"
            _copy(source.resolve(), stage / "raw" / file_name)
            items.append({**{k: v for k, v in item.items() if k != "path"}, "file": file_name})
        inputs = [Input("outputs", stage / "outputs"), Input("raw", stage / "raw")]
        if history:
            shutil.copytree(history, stage / "history", symlinks=True)
            inputs.append(Input("history", stage / "history"))
        _readable(stage)
        executor = DockerExecutor(stage / "root")
        params = {"raws": items, "declared": declared, "policy": profile.values(), "policy_id": profile.id}
        task = Task(
            f"check-{uuid.uuid4().hex[:16]}", TaskKind.CHECK, executor.image("check"), params, tuple(inputs)
        )
        try:
            outcome = executor.run(task)
            refusal = outcome.report.get("code")
            if refusal and str(refusal).startswith("EGRESS_"):
                raise fail(str(refusal), **dict(outcome.report.get("details", {})))
            report = _verdict(outcome.files)
            if canonical is not None and report["verdict"] != "reject":
                for item in report.get("canonical", []):
                    _copy(outcome.files / "canonical" / item["path"], canonical / item["path"])
            return report
        finally:
            executor.discard(task.id)


def _print(report: dict[str, Any], style: Format, lang: str, profile: Profile) -> None:
    from sandbox.egress import report as view
    from sandbox.egress.report_html import html

    cites = view.cited(report, profile.basis)
    if style is Format.JSON:
        sys.stdout.write(json.dumps({**report, "thresholds": cites}, ensure_ascii=False) + "\n")
    elif style is Format.HTML:
        sys.stdout.write(html(report, lang, cites, int(profile.get("egress.capacity_bits_per_scenario"))))
    else:
        view.text(report, lang)


@app.command("check", epilog="Exit: 0 no objection, 10 hold, 20 reject, 2 usage, 3 checker error")
def check_command(
    paths: Annotated[list[Path], typer.Argument(help="输出文件或文件夹 / output files or folders")],
    raw: Annotated[list[str] | None, typer.Option(help="原始数据 / raw data: NAME=FILE")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="实体列 / entity column: NAME=COL")] = None,
    quasi: Annotated[
        list[str] | None, typer.Option(help="准标识列 / quasi-identifiers: NAME=COL,COL")
    ] = None,
    sensitive: Annotated[list[str] | None, typer.Option(help="敏感列 / sensitive: NAME=COL,COL")] = None,
    identifier: Annotated[list[str] | None, typer.Option(help="标识列 / identifiers: NAME=COL,COL")] = None,
    declared: Annotated[Path | None, typer.Option(help="声明的输出（JSON）/ declared outputs")] = None,
    profile: Annotated[str, typer.Option(help="政策 / policy profile")] = "national",
    history: Annotated[Path | None, typer.Option(help="已出域的文件夹 / folder of earlier releases")] = None,
    style: Annotated[Format, typer.Option("--format", help="输出格式 / format")] = Format.JSON,
    isolation: Annotated[Isolation, typer.Option(help="解析在哪里进行 / where to parse")] = Isolation.DOCKER,
    canonical: Annotated[Path | None, typer.Option(help="规范形式写到 / folder for canonical files")] = None,
    lang: Annotated[str | None, typer.Option(help="zh | en")] = None,
) -> None:
    """检查输出能否出域 / Check whether outputs may leave."""
    from sandbox.policy import load_profile

    spoken = language(lang)
    raws = _raws(raw or [], entity or [], quasi or [], sensitive or [], identifier or [])
    if isolation is Isolation.NONE:
        line = {
            "zh": "未隔离：文件在本进程内解析（--isolation none）。",
            "en": "No isolation: the files are parsed in this process (--isolation none).",
        }
        typer.echo(line[spoken], err=True)
    run = _bare if isolation is Isolation.NONE else _contained
    try:
        wanted = _declared(declared)
        values = load_profile(profile)
        report = run(paths, raws, wanted, values, history, canonical)
        _print(report, style, spoken, values)
    except SandboxError as refused:
        typer.echo(f"{refused.code}: {refused.message(spoken)}", err=True)
        raise typer.Exit(USAGE if isinstance(refused, Invalid | NotFound) else BROKEN) from None
    except Exception:  # whatever it was, its text may quote the data
        broken = {
            "zh": "检查程序出错，按不通过处理。",
            "en": "The checker failed; this counts as a rejection.",
        }
        typer.echo(broken[spoken], err=True)
        raise typer.Exit(BROKEN) from None
    raise typer.Exit(EXIT[report["verdict"]])


def _declared(path: Path | None) -> list[dict[str, Any]]:
    """Declared outputs from a JSON file. Raises ``EGRESS_PARAMS``."""
    import sandbox.egress.codes  # noqa: F401  (its rows join the error table)

    if path is None:
        return []
    try:
        body = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise fail("EGRESS_PARAMS", why="--declared") from None
    if not isinstance(body, list):
        raise fail("EGRESS_PARAMS", why="--declared")
    return body
