"""``sandbox anonymise``: anonymisation by search for anyone with a table; no server, no database.

Exit codes: 0 the verdict is *anonymised*, 10 it is not (the product is written and stays inside), 2 usage,
3 no result: the models cannot be met or proven, or it broke.
"""

from __future__ import annotations

import json
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from sandbox.cli.egress_run import Isolation, Lang, Where, copy, warn_unisolated
from sandbox.cli.language import language
from sandbox.core.errors import SandboxError, fail

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
NOT_ANONYMISED, BROKEN = 10, 3
_STEPS = {"read": ("读取", "reading"), "search": ("搜索", "searching"), "prove": ("复核", "proving"),
          "frontier": ("边界", "frontier")}  # fmt: skip


class Release(StrEnum):
    """How the product is to be shared (GB/T 42460-2023)."""

    PUBLIC = "public"
    CONTROLLED = "controlled"
    ENCLAVE = "enclave"


class Method(StrEnum):
    """How it is sought."""

    LATTICE = "lattice"
    MONDRIAN = "mondrian"


class Diversity(StrEnum):
    """Which l."""

    DISTINCT = "distinct"
    ENTROPY = "entropy"
    RECURSIVE = "recursive"


class LossKind(StrEnum):
    """What the lattice's search makes least."""

    LOSS = "loss"
    ENTROPY = "entropy"
    DISCERNABILITY = "discernability"
    CLASS_SIZE = "class_size"
    PRECISION = "precision"
    HEIGHT = "height"


@contextmanager
def _progress(lang: str) -> Iterator[Callable[[str, float], None]]:
    """A bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda step, part: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda step, part: bar.update(
            task, description=_STEPS[step][lang != "zh"], completed=max(0.0, part)
        )


def _read(path: Path) -> Any:
    """A YAML or JSON file. Raises ANONYMISE_MALFORMED."""
    import sandbox.desensitize.search.codes  # noqa: F401  (its rows join the error table)

    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise fail("ANONYMISE_MALFORMED", field=path.name) from None


def _candidates(path: Path) -> list[str]:
    """Names of hidden quasi-identifiers: a list of names, of ``{"columns": […]}`` or of ``{"name": …}``, or a
    profile with ``combinations``."""
    found: list[str] = []
    given = _read(path)
    if isinstance(given, dict):
        given = given.get("combinations")
    for item in given if isinstance(given, list) else [None]:
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, dict) and isinstance(item.get("columns"), list):
            found += [str(name) for name in item["columns"]]
        elif isinstance(item, dict) and isinstance(item.get("name"), str):
            found.append(item["name"])
        else:
            raise fail("ANONYMISE_MALFORMED", field=path.name)
    return list(dict.fromkeys(found))


@app.command("anonymise", epilog="Exit: 0 anonymised, 10 not anonymised, 2 usage, 3 no result")
def anonymise_command(
    table: Annotated[Path, typer.Argument(help="CSV 或 Parquet / CSV or Parquet")],
    fields: Annotated[Path, typer.Option(help="字段说明（YAML）/ field descriptions")],
    out: Annotated[Path, typer.Option(help="产品（Parquet 或 CSV）/ the product")],
    k: Annotated[int | None, typer.Option(help="k-匿名 / k-anonymity; 默认按共享方式 / by release")] = None,
    l: Annotated[float | None, typer.Option(help="l-多样性 / l-diversity")] = None,  # noqa: E741
    diversity: Annotated[Diversity, typer.Option(help="哪一种 l / which l")] = Diversity.DISTINCT,
    c: Annotated[float, typer.Option(help="递归 (c,l) 的 c / c of recursive (c,l)")] = 3.0,
    t: Annotated[float | None, typer.Option(help="t-接近 / t-closeness")] = None,
    alpha: Annotated[float | None, typer.Option(help="(α,k)-匿名 / (alpha,k)-anonymity")] = None,
    beta: Annotated[float | None, typer.Option(help="β-相似 / beta-likeness")] = None,
    delta: Annotated[float | None, typer.Option(help="δ-披露（比特）/ delta-disclosure in bits")] = None,
    suppress: Annotated[float, typer.Option(help="可抑制的行占比 / part of rows that may go")] = 0.0,
    release: Annotated[Release, typer.Option(help="共享方式 / kind of release")] = Release.CONTROLLED,
    method: Annotated[Method, typer.Option(help="方法 / method")] = Method.LATTICE,
    relaxed: Annotated[bool, typer.Option("--relaxed", help="宽松 Mondrian / relaxed Mondrian")] = False,
    loss: Annotated[LossKind, typer.Option(help="泛化格使之最小的损失 / what is made least")] = LossKind.LOSS,
    frontier: Annotated[str, typer.Option(help="边界上的 k，逗号分隔 / levels of k: 2,5,10")] = "",
    candidates: Annotated[Path | None, typer.Option(help="隐藏的准标识 / hidden quasi-identifiers")] = None,
    report: Annotated[Path | None, typer.Option(help="报告：.html 或 .json / report")] = None,
    isolation: Where = Isolation.DOCKER,
    lang: Lang = None,
) -> None:
    """按搜索匿名化一张表，并证明结果 / anonymise a table by search and prove the result"""
    spoken = language(lang)
    asked = {
        "k": k, "l": l, "diversity": diversity.value, "c": c, "t": t, "alpha": alpha, "beta": beta,
        "delta": delta, "suppress": suppress, "release": release.value, "method": method.value,
        "relaxed": relaxed, "loss": {"kind": loss.value},
    }  # fmt: skip
    try:
        levels = tuple(int(part) for part in frontier.split(",") if part.strip())
    except ValueError:
        raise typer.BadParameter("2,5,10", param_hint="--frontier") from None
    try:
        given = {
            "format": "parquet" if table.suffix.lower() == ".parquet" else "csv",
            "out": "csv" if out.suffix.lower() == ".csv" else "parquet",
            "description": _read(fields),
            "candidates": _candidates(candidates) if candidates is not None else [],
            "wanted": {**asked, "frontier": levels},
        }
        warn_unisolated(isolation, spoken)
        make = _bare if isolation is Isolation.NONE else _contained
        told = make(given, table, fields.parent, out, spoken)
        if report is not None:
            _write(told, report, spoken)
    except SandboxError:
        raise
    except Exception:
        broken = {"zh": "匿名化出错，未写出任何结果。", "en": "The anonymisation broke; nothing was written."}
        typer.echo(broken[spoken], err=True)
        raise typer.Exit(BROKEN) from None
    _say(told, spoken)
    if not told["anonymity"]["verdict"]:
        raise typer.Exit(NOT_ANONYMISED)


def _write(told: dict[str, Any], report: Path, spoken: str) -> None:
    """The report as a page or as JSON, by the file's name."""
    from sandbox.desensitize.search.report import html

    page = report.suffix.lower() in (".html", ".htm")
    text = html(told, spoken) if page else json.dumps(told, ensure_ascii=False, indent=1) + "\n"
    report.write_text(text, "utf-8")


def _bare(given: dict[str, Any], table: Path, folder: Path, out: Path, spoken: str) -> dict[str, Any]:
    """The report, made in this process."""
    from sandbox.desensitize.search.task import made

    with _progress(spoken) as tell:
        return made(given, table, folder, out, tell)


def _files(description: Any, folder: Path) -> list[Path]:
    """The hierarchy files that the description names."""
    fields = description.get("fields") if isinstance(description, dict) else description
    found = []
    for field in fields if isinstance(fields, list) else []:
        rule = field.get("hierarchy") if isinstance(field, dict) else None
        path = rule.get("path") if isinstance(rule, dict) else None
        if isinstance(path, str):
            if Path(path).name != path or not (folder / path).is_file():
                raise fail("ANONYMISE_HIERARCHY", column=str(field.get("name")), why="unreadable")
            found.append(folder / path)
    return found


def _contained(given: dict[str, Any], table: Path, folder: Path, out: Path, spoken: str) -> dict[str, Any]:
    """The report, made in a container without network; the product is copied as it was written there."""
    from sandbox.executor.contract import Input, Task, TaskKind
    from sandbox.executor.docker import DockerExecutor

    if not table.is_file():
        raise fail("ANONYMISE_TABLE")
    with tempfile.TemporaryDirectory(prefix="anonymise-") as name:
        stage = Path(name)
        (stage / "hierarchies").mkdir(mode=0o755)
        sources = [(table, stage / "data")]
        sources += [(f, stage / "hierarchies" / f.name) for f in _files(given["description"], folder)]
        for source, target in sources:
            copy(source.resolve(), target)
            target.chmod(0o644)
        stage.chmod(0o755)  # the container's user reads it
        executor = DockerExecutor(stage / "root")
        inputs = (Input("data", stage / "data"), Input("hierarchies", stage / "hierarchies"))
        told = f"anonymise-{uuid.uuid4().hex[:16]}"
        task = Task(told, TaskKind.ANONYMISE, executor.image("check"), given, inputs)
        try:
            outcome = executor.run(task)
            refusal = str(outcome.report.get("code") or "")
            if refusal.startswith("ANONYMISE_") or refusal == "IDENTIFIERS_REMAIN":
                raise fail(refusal, **dict(outcome.report.get("details", {})))
            report = dict(outcome.report["report"])
            copy(outcome.files / f"product.{given['out']}", out)
            return report
        finally:
            executor.discard(task.id)


def _say(report: dict[str, Any], spoken: str) -> None:
    """Three lines for the terminal."""
    from sandbox.desensitize.search.report import words

    w = words(spoken)
    verdict = "yes" if report["anonymity"]["verdict"] else "no"
    reasons = ", ".join(report["anonymity"]["reasons"])
    typer.echo(w[verdict] + (f"（{reasons}）" if reasons else ""))
    rows, after = report["rows"], report["after"]
    typer.echo(f"{w['rows']}: {rows['in']} / {rows['out']} / {rows['suppressed']}")
    typer.echo(
        f"k = {after['k']} · {w['highest']} {after['risk']['highest']:.3g} · {w['level']} "
        f"{after['risk']['level']} · {w['loss_axis']} {report['utility']['granularity']:.3f}"
    )
