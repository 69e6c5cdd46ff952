"""``sandbox job try``: a job on dummy data, in the job's own image, and the checker on what comes out.

Exit codes as ``sandbox egress check``: 0 no objection, 10 hold, 20 reject, 2 usage, 3 the machine could not;
1 the job itself failed, or left an output without rows.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.egress_run import EXIT, Lang, ProfileName, exits
from sandbox.cli.job_try_run import Bench, Source, Trial, described, executor_at, hints_of, raws_of, rows_of
from sandbox.cli.language import language
from sandbox.cli.resources import read_yaml, with_code
from sandbox.core.errors import CODES, fail

if TYPE_CHECKING:
    from sandbox.operation.job_spec import JobSpec

app = typer.Typer(
    help="作业 / jobs", no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False
)
FAILED = 1


class Format(StrEnum):
    """How the result is printed."""

    JSON = "json"
    TEXT = "text"


class Where(StrEnum):
    """Which executor runs it."""

    DOCKER = "docker"
    BUBBLEWRAP = "bubblewrap"


@app.callback()
def _group() -> None:
    """作业 / jobs"""


def job_of(path: Path) -> tuple[JobSpec, dict[str, Any]]:
    """The first job of a manifest as ``sandbox apply`` takes it, and its block ``try``.

    Raises MALFORMED, FILE_UNREADABLE, ENTRY_MISSING, TRY_LANGUAGE, TRY_HINTS, and for SQL what the server
    would refuse at once (SQL_STATEMENT, SQL_FUNCTION).
    """
    from pydantic import ValidationError

    from sandbox.operation.job_spec import JobSpec
    from sandbox.task.heads import refuse_heads

    document = next((one for one in read_yaml(path) if one.get("kind") == "job"), None)
    if document is None:
        raise fail("MALFORMED", what=path.name, why="kind: job")
    try:
        spec = JobSpec.model_validate(with_code(dict(document.get("spec") or {}), path.parent))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise fail("MALFORMED", what=path.name, why=f"{place}: {first['msg']}") from None
    if spec.language not in ("sql", "python"):
        raise fail("TRY_LANGUAGE", language=spec.language)
    if spec.entry not in spec.code:
        raise fail("ENTRY_MISSING")
    if not spec.outputs:
        raise fail("MISSING_FIELD", field="outputs")
    if spec.language == "sql":
        refuse_heads(spec.code[spec.entry], spec.entry)
    return spec, hints_of(document.get("try"))


def _sources_of_file(path: Path) -> dict[str, Source]:
    """Entries (or products described like entries) of a file, by id: manifests, or bare specifications."""
    found = {}
    for number, document in enumerate(read_yaml(path)):
        spec = document.get("spec", document)
        known = spec.get("fields") if isinstance(spec, dict) else None
        known = known if isinstance(known, list) else []
        fine = bool(known) and all(isinstance(one, dict) and {"name", "type"} <= one.keys() for one in known)
        if not fine:
            raise fail("MALFORMED", what=path.name, why="fields: [{name, type}]")
        identity = str(
            document.get("id") or (path.name.split(".")[0] if not number else f"{path.stem}-{number}")
        )
        found[identity] = Source(identity, known, spec.get("entity"), bool(spec.get("sensitive_group")))
    return found


def _entry_of_server(identity: str) -> Source:
    from sandbox.cli.client import Client

    spec = Client().get(f"/v1/catalogue-entry/{identity}")["spec"]
    return Source(identity, spec["fields"], spec.get("entity"), bool(spec.get("sensitive_group")))


def _product_of_server(identity: str) -> Source:
    """A primary product: its columns, each with the role of the column that it comes from; what a transform
    made of an identifier is taken for an identifier of no known sort."""
    from sandbox.cli.client import Client

    spec = Client().get(f"/v1/product/{identity}")["spec"]
    behind = _entry_of_server(spec["lineage"]["entries"][0])
    known = {one["name"]: one for one in behind.fields}
    fields, entity = [], None
    for column in spec["columns"]:
        source = known.get(column["source"], {})
        titles = (
            {} if column.get("transforms") else {key: source.get(key, "") for key in ("title_zh", "title_en")}
        )
        fields.append(
            {"role": source.get("role", "other"), **titles, "name": column["name"], "type": column["type"]}
        )
        entity = column["name"] if column["source"] == behind.entity else entity
    return Source(identity, fields, entity, behind.sensitive_group)


def sources(spec: JobSpec, file: Path | None, hints: dict[str, Any]) -> dict[str, Source]:
    """Where each input is described: in ``file`` (by ``try.entries``, entry, product, or the input's name;
    the only one of the file serves for whatever is not named there), else by the server. Raises TRY_ENTRY."""
    found = _sources_of_file(file) if file else {}
    named: dict[str, Source] = {}
    for table in spec.inputs:
        wanted = hints.get("entries", {}).get(table.name)
        names = [wanted] if wanted else [table.entry, table.product, table.name]
        mine = next((found[name] for name in names if name in found), None)
        if mine is None and len(found) == 1 and not wanted:
            mine = next(iter(found.values()))
        if mine is None and file is None and os.environ.get("SANDBOX_URL"):
            mine = _product_of_server(table.product) if table.product else _entry_of_server(str(table.entry))
        if mine is None:
            raise fail("TRY_ENTRY", name=table.name)
        named[table.name] = mine
    return named


@app.command("try", epilog="Exit: 0 no objection, 10 hold, 20 reject, 1 the job failed, 2 usage, 3 machine")
def try_command(
    manifest: Annotated[Path, typer.Argument(help="job.yaml，同 sandbox apply / as for sandbox apply")],
    entry: Annotated[
        Path | None, typer.Option(help="目录条目（YAML）/ catalogue entries; 不填则问服务器")
    ] = None,
    rows: Annotated[int, typer.Option(help="每表行数 / rows a table")] = 2000,
    seed: Annotated[int, typer.Option(help="同样的种子同样的数据 / the same seed, the same data")] = 1,
    edges: Annotated[float, typer.Option(help="含边界情形的行的份额 / share of rows with edge cases")] = 0.05,
    keep: Annotated[Path | None, typer.Option(help="留下数据与输出 / keep data and outputs here")] = None,
    profile: ProfileName = "national",
    executor: Annotated[Where | None, typer.Option(help="执行器 / executor")] = None,
    style: Annotated[Format, typer.Option("--format", help="输出格式 / format")] = Format.TEXT,
    lang: Lang = None,
) -> None:
    """在模拟数据上试运行作业并检查其输出；什么也不提交 / Try a job on dummy data and check its outputs."""
    spoken = language(lang)
    with exits(spoken):
        spec, hints = job_of(manifest)
        if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise fail("FILE_UNREADABLE", path=str(keep), why="not empty")
        params = {
            "rows": hints.get("rows", rows),
            "seed": seed,
            "edges": float(hints.get("edges", edges)),
        }
        found = sources(spec, entry, hints)

        def tell(step: str) -> None:
            typer.echo(_SAID[step][spoken == "en"], err=True)

        trial = run(spec, found, hints, params, profile, executor, keep, tell)
    if style is Format.JSON:
        from sandbox.cli.client import as_json

        typer.echo(as_json(trial.as_json()))
    else:
        show(trial, spoken)
    raise typer.Exit(status(trial))


def status(trial: Trial) -> int:
    """The exit code of a trial."""
    if trial.report is None or any(one["rows"] == 0 for one in trial.outputs):
        return FAILED
    return EXIT[trial.report["verdict"]]


def run(
    spec: JobSpec,
    found: dict[str, Source],
    hints: dict[str, Any],
    params: dict[str, Any],
    profile: str = "national",
    executor: str | None = None,
    keep: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Trial:
    """Make the data, run the job, check its outputs. ``params``: ``rows``, ``seed``, ``edges``; ``tell``
    hears the name of each step. Raises what a step is refused with; a job whose code fails is a result."""
    from sandbox.policy import load_profile

    policy = load_profile(profile)
    with tempfile.TemporaryDirectory(prefix="try-") as name:
        stage = Path(name)
        (stage / "root").mkdir()
        bench = Bench(stage, executor_at(stage / "root", executor), policy, spec)
        asked = {
            **params,
            "tables": described(spec, found, hints),
            "language": spec.language,
            "entry": spec.entry,
            "code": dict(spec.code),
            "outputs": [output.path for output in spec.outputs],
            "least": int(policy.get("egress.min_cell")),
        }
        try:
            tell("step_dummy")
            made = bench.dummy(asked)
            kind = type(bench.executor).__name__.removesuffix("Executor").lower()
            trial = Trial(kind, made["tables"], made["unmet"], made["unread"])
            tell("step_job")
            trial.failure, trial.log = bench.job()
            outputs = stage / "outputs"
            trial.outputs = [
                {"path": path.name, "bytes": path.stat().st_size, "rows": rows_of(path)}
                for path in sorted(outputs.iterdir())
            ]
            if not trial.failure:
                tell("step_check")
                trial.report = bench.check(raws_of(spec, found))
            if keep is not None:
                _keep(stage, keep, trial)
            return trial
        finally:
            bench.executor.close()


def _keep(stage: Path, target: Path, trial: Trial) -> None:
    from sandbox.cli.client import as_json

    target.mkdir(parents=True, exist_ok=True)
    for name in ("data", "outputs"):
        if (stage / name).is_dir():
            shutil.copytree(stage / name, target / name)
    (target / "try.json").write_text(as_json(trial.as_json()) + "\n", encoding="utf-8")


_SAID = {
    "step_dummy": ("一、造模拟数据……", "1 making dummy data …"),
    "step_job": ("二、跑作业……", "2 running the job …"),
    "step_check": ("三、检查输出……", "3 checking the outputs …"),
    "tables": ("模拟数据", "dummy data"),
    "rows": ("行", "rows"),
    "empty": (
        "输出 {path} 没有行：以下条件没有一行满足，请在 try.columns 说明取值，或加大 --rows。",
        "Output {path} has no rows: no row meets these conditions; state values in try.columns, or raise "
        "--rows.",
    ),
    "unmet": ("没有取值满足的条件", "conditions that no value meets"),
    "unread": (
        "没有读懂的条件（数据未必满足）",
        "conditions that were not read (the data may not meet them)",
    ),
    "failed": ("作业没有成功：", "The job failed: "),
    "log": ("作业打印的内容（在空间里它是封存的）：", "What the job printed (in a space it is sealed):"),
    "dummy": (
        "以上由模拟数据得出：它说明代码能跑、输出的形状是否过得了检查，不说明真实数据上的结果。",
        "All of this is from dummy data: it shows that the code runs and whether the shape of its outputs "
        "passes, nothing about the results on real data.",
    ),
}


def show(trial: Trial, spoken: str) -> None:
    """Print a trial for people on standard output."""
    from sandbox.egress.report import view
    from sandbox.egress.report.words import visible

    which = 1 if spoken == "en" else 0

    def say(key: str, **details: Any) -> str:
        return _SAID[key][which].format(**details)

    def line(text: str) -> None:
        sys.stdout.write(visible(text) + "\n")

    told = ", ".join(f"{one['name']} {one['rows']} {say('rows')}" for one in trial.tables)
    line(f"{say('tables')}: {told} ({trial.executor})")
    for key, conditions in (("unmet", trial.unmet), ("unread", trial.unread)):
        if conditions:
            line(f"{say(key)}: {'; '.join(conditions)}")
    for one in trial.outputs:
        count = f"{one['rows']} {say('rows')}, " if one["rows"] is not None else ""
        line(f"{one['path']}: {count}{one['bytes']} B")
        if one["rows"] == 0:
            line(say("empty", path=one["path"]))
    if trial.failure:
        code = trial.failure["code"]
        sentence = trial.failure.get("message_en" if which else "message_zh", "")
        line(f"{say('failed')}{code} {sentence}" if code in CODES else f"{say('failed')}{code}")
        if trial.log.strip():
            line(say("log"))
            sys.stdout.write("\n".join(visible(row) for row in trial.log.splitlines()) + "\n")
    if trial.report is not None:
        view.text(trial.report, spoken)
        line(say("dummy"))
