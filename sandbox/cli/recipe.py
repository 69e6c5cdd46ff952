"""``sandbox recipe``: the operator's bench. No server, no database; the files are parsed in this process.

Exit codes: 0 done, 2 usage or a recipe that is refused, 3 anything else.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import yaml

from sandbox.cli.egress_run import USAGE, Lang, ProfileName, exits
from sandbox.cli.language import language
from sandbox.core.errors import fail

if TYPE_CHECKING:
    from sandbox.desensitize.recipe import Rules

app = typer.Typer(
    help="脱敏方案 / desensitisation recipes",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

# a recipe that is refused for what it says is the author's to mend, as a usage error is
REFUSED = dict.fromkeys(
    ("PI_NOT_DESENSITISED", "TRANSFORM_REQUIRED", "FIELD_SECRET", "IDENTIFIERS_REMAIN"), USAGE
)
RecipeFile = Annotated[Path, typer.Argument(help="方案（YAML）/ recipe (YAML)")]
Fields = Annotated[
    Path, typer.Option("--fields", help="字段说明：目录条目或 sandbox profile 的输出（YAML）/ fields (YAML)")
]
Data = Annotated[Path, typer.Argument(help="Parquet 或 CSV / Parquet or CSV")]
Entity = Annotated[str | None, typer.Option(help="主体列 / column of the entity")]
Secret = Annotated[
    Path | None,
    typer.Option(help="密钥文件（64 位十六进制，不存在则新建）/ file of the secret key, made if absent"),
]
Project = Annotated[str, typer.Option(help="项目 / project")]
Recipient = Annotated[str, typer.Option(help="接收方 / recipient")]
K = Annotated[
    int | None, typer.Option(help="k-匿名门槛，低于政策的按政策 / threshold of k, at least the policy's")
]


def _warn(spoken: str) -> None:
    """Say that the file is parsed here; in the space the same room runs in a container."""
    line = {
        "zh": "文件在本进程内解析，未隔离；请只用于自己的数据。",
        "en": "The file is parsed in this process, not isolated; use it for your own data only.",
    }
    typer.echo(line[spoken], err=True)


def _yaml(path: Path) -> Any:
    """What a YAML file says. Raises RECIPE_MALFORMED."""
    import sandbox.desensitize.codes  # noqa: F401  (its rows join the error table)

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise fail("RECIPE_MALFORMED", field=path.name) from None


def _described(path: Path) -> Any:
    """A recipe with the hierarchies that it names by file read in: ``rows: {file: NAME.csv}``, beside it."""
    from sandbox.desensitize.hierarchies import read_hierarchy

    described = _yaml(path)
    steps = described.get("steps") if isinstance(described, dict) else None
    for step in steps if isinstance(steps, list) else ():
        params = step.get("params") if isinstance(step, dict) else None
        if not isinstance(params, dict):
            continue
        rows = params.get("rows")
        if isinstance(rows, dict) and set(rows) == {"file"}:
            params["rows"] = read_hierarchy(path.parent / str(rows["file"]))
    return described


def _fields(path: Path, entity: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """The fields, and the entity that their file or the option names: of them an identifier."""
    from sandbox.desensitize.required import with_entity

    told = _yaml(path)
    fields = told.get("fields") if isinstance(told, dict) else told
    if not isinstance(fields, list) or not all(
        isinstance(f, dict) and isinstance(f.get("name"), str) and isinstance(f.get("type"), str)
        for f in fields
    ):
        raise fail("RECIPE_MALFORMED", field="fields")
    named = entity or (told.get("entity") if isinstance(told, dict) else None)
    return with_entity(fields, named), named


def _rules(profile: str) -> tuple[Rules, int]:
    """What the policy asks of recipes, and its k."""
    from sandbox.desensitize.recipe import Rules
    from sandbox.policy import load_profile

    values = load_profile(profile)
    return Rules.of(values.get), int(values.get("egress.k_min"))


def _secret(path: Path | None) -> bytes:
    """The key of the workspace for runs by hand: read, or made and kept for this user alone."""
    from sandbox.desensitize.task import key_of

    if path is None:
        raise fail("RECIPE_KEY", key="--secret")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32) + "\n")
    except FileExistsError:
        pass
    except OSError:
        raise fail("RECIPE_KEY", key=path.name) from None
    try:
        return key_of(path.name, path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError):
        raise fail("RECIPE_KEY", key=path.name) from None


@contextmanager
def _inputs(data: Path, fields: list[dict[str, Any]], tokens: Path | None) -> Iterator[Path]:
    """A folder as the room finds it: ``data`` as Parquet, and the token vault."""
    from sandbox.workspace import ingest
    from sandbox.workspace.sniff import sha256_of

    with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
        inputs = Path(folder)
        if data.suffix.lower() == ".csv" and data.is_file():
            taken = inputs / "csv"
            taken.mkdir()
            (taken / "data").write_bytes(data.read_bytes())
            digest = sha256_of(taken / "data")
            params = {"format": "csv", "fields": fields, "entity": None, "sha256": digest, "rows": None}
            ingest.run(params, taken, inputs)
            (inputs / ingest.SNAPSHOT).rename(inputs / "data")
        else:
            (inputs / "data").symlink_to(data.resolve())
        if tokens is not None and tokens.exists():
            (inputs / "tokens").symlink_to(tokens.resolve())
        yield inputs


def _run(
    described: Any,
    data: Path,
    fields: list[dict[str, Any]],
    entity: str | None,
    rules: Rules,
    k: int,
    secret: Path | None,
    who: tuple[str, str],
    out: Path,
    tokens: Path | None,
    spoken: str,
) -> dict[str, Any]:
    """The report of the room, run here, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from sandbox.desensitize import task
    from sandbox.desensitize.execute import Execution, Source
    from sandbox.desensitize.keys import VAULT, recipient_key
    from sandbox.desensitize.recipe import validate_recipe

    recipe = validate_recipe(described, fields, rules)
    keyed = bool(recipe.keys) or recipe.needs_tokens
    root = _secret(secret) if keyed else b""
    params: dict[str, Any] = {
        "recipe": described,
        "fields": fields,
        "rules": rules.model_dump(mode="json"),
        "keys": {name: recipient_key(root, *who, name).hex() for name in recipe.keys},
        "anonymity": {"entity": entity, "fields": fields, "threshold": k},
    }
    if recipe.needs_tokens:
        params["tokens"] = recipient_key(root, *who, VAULT).hex()
    with _inputs(data, fields, tokens) as inputs:
        source = Source(inputs / "data", {field["name"] for field in fields})
        passes = Execution(recipe, source, {}).passes
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
            TimeElapsedColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), disable=not sys.stderr.isatty(),
        )  # fmt: skip
        with bar:
            line = bar.add_task("脱敏" if spoken == "zh" else "desensitising", total=source.rows * passes)
            return task.run(params, inputs, out, lambda rows: bar.advance(line, rows))


@app.callback()
def _group() -> None:
    """脱敏方案 / desensitisation recipes"""


@app.command("validate")
def validate_command(
    recipe: RecipeFile, fields: Fields, profile: ProfileName = "national", lang: Lang = None
) -> None:
    """检查方案是否成立、是否符合政策 / Check a recipe against the fields and the policy."""
    from sandbox.desensitize.recipe import plan, validate_recipe

    spoken = language(lang)
    with exits(spoken, REFUSED):
        told, _ = _fields(fields, None)
        rules, _k = _rules(profile)
        checked = validate_recipe(_described(recipe), told, rules)
        columns = plan(checked, told, rules)
        line = {"zh": "方案成立：{} 列；SHA-256 {}", "en": "The recipe holds: {} columns; SHA-256 {}"}
        typer.echo(line[spoken].format(len(columns), checked.sha256))


@app.command("explain")
def explain_command(
    recipe: RecipeFile, fields: Fields, profile: ProfileName = "national", lang: Lang = None
) -> None:
    """用文字说明方案逐步做什么、保证什么 / Say in words what a recipe does and guarantees."""
    from sandbox.desensitize.explain import explained
    from sandbox.desensitize.recipe import validate_recipe

    spoken = language(lang)
    with exits(spoken, REFUSED):
        told, _ = _fields(fields, None)
        rules, _k = _rules(profile)
        for text in explained(validate_recipe(_described(recipe), told, rules), told, rules, spoken):
            typer.echo(text)


@app.command("suggest")
def suggest_command(
    fields: Fields,
    entity: Entity = None,
    name: Annotated[str, typer.Option(help="方案名 / its name")] = "suggested",
    profile: ProfileName = "national",
    lang: Lang = None,
) -> None:
    """由字段说明和政策提出一份可用的方案，供人修改 / Propose a recipe that satisfies the policy."""
    from sandbox.desensitize.suggest import suggested

    with exits(language(lang), REFUSED):
        told, known = _fields(fields, entity)
        rules, _k = _rules(profile)
        made = suggested(told, known, rules, name)
        sys.stdout.write(yaml.safe_dump(made, allow_unicode=True, sort_keys=False, width=100))


@app.command("preview")
def preview_command(
    recipe: RecipeFile,
    fields: Fields,
    entity: Entity = None,
    rows: Annotated[int, typer.Option(min=10, max=1000, help="行数 / rows")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="随机种子 / seed")] = 1,
    profile: ProfileName = "national",
    lang: Lang = None,
) -> None:
    """在虚构数据上看方案的结果，不读任何真实数据 / See the result on made-up rows; no data is read."""
    from rich.console import Console
    from rich.table import Table

    from sandbox.desensitize.preview import preview

    spoken = language(lang)
    with exits(spoken, REFUSED):
        told, known = _fields(fields, entity)
        rules, _k = _rules(profile)
        before, after = preview(_described(recipe), told, known, rules, rows, seed)
        heads = {"zh": ("虚构数据", "方案之后"), "en": ("made-up rows", "after the recipe")}[spoken]
        console = Console(width=200 if not sys.stdout.isatty() else None)
        for title, frame in zip(heads, (before, after), strict=True):
            table = Table(*frame.columns, title=title)
            for row in frame.head(20).iter_rows():
                table.add_row(*("" if cell is None else str(cell) for cell in row))
            console.print(table)


@app.command("run")
def run_command(
    recipe: RecipeFile,
    data: Data,
    fields: Fields,
    out: Annotated[Path, typer.Option(help="产品与报告写到的文件夹 / folder for product and report")],
    entity: Entity = None,
    k: K = None,
    secret: Secret = None,
    project: Project = "local",
    recipient: Recipient = "local",
    tokens: Annotated[
        Path | None, typer.Option(help="令牌库（读入并更新）/ token vault, read and kept")
    ] = None,
    profile: ProfileName = "national",
    lang: Lang = None,
) -> None:
    """在本机对一个文件运行方案，得到产品、报告和带图的网页 / Run a recipe on a file here."""
    from sandbox.desensitize.page import page

    spoken = language(lang)
    _warn(spoken)
    with exits(spoken, REFUSED):
        told, known = _fields(fields, entity)
        rules, least = _rules(profile)
        out.mkdir(parents=True, exist_ok=True)
        asked = max(k or 0, least)
        report = _run(
            _described(recipe), data, told, known, rules, asked, secret, (project, recipient), out, tokens,
            spoken,
        )  # fmt: skip
        made = out / "tokens.vault"
        if made.exists() and tokens is not None and made.resolve() != tokens.resolve():
            made.replace(tokens)
        (out / "report.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
        (out / "report.html").write_text(page(report, spoken), encoding="utf-8")
        line = {"zh": "{} 行 → {} 行；{}；k = {}", "en": "{} rows → {} rows; {}; k = {}"}[spoken]
        level = {"desensitised": "已脱敏", "anonymised": "已匿名化"}[report["level"]]
        level = level if spoken == "zh" else report["level"]
        typer.echo(line.format(report["rows_before"], report["rows"], level, report["anonymity"]["k"]))


@app.command("compare")
def compare_command(
    recipe: RecipeFile,
    other: Annotated[Path, typer.Argument(help="另一份方案 / the other recipe")],
    fields: Fields,
    data: Annotated[Path | None, typer.Option(help="在此文件上各运行一次 / run both on this file")] = None,
    entity: Entity = None,
    k: K = None,
    secret: Secret = None,
    profile: ProfileName = "national",
    lang: Lang = None,
) -> None:
    """比较两份方案：各列的处理、保证，可选风险与损失 / Compare two recipes, with data also risk and loss."""
    from rich.console import Console
    from rich.table import Table

    from sandbox.desensitize.compare import compared, measured
    from sandbox.desensitize.recipe import validate_recipe

    spoken = language(lang)
    with exits(spoken, REFUSED):
        told, known = _fields(fields, entity)
        rules, least = _rules(profile)
        both = [_described(path) for path in (recipe, other)]
        first, second = (validate_recipe(one, told, rules) for one in both)
        console = Console(width=160 if not sys.stdout.isatty() else None)
        table = Table(
            *{"zh": ("列", "甲", "乙", "保证不同"), "en": ("column", "one", "other", "differs")}[spoken]
        )
        for row in compared(first, second, told):
            table.add_row(row["column"], row["one"], row["other"], ", ".join(row["differs"]))
        console.print(table)
        if data is not None:
            _warn(spoken)
            reports = []
            for one in both:
                with tempfile.TemporaryDirectory(prefix="recipe-") as folder:
                    who = ("compare", "compare")
                    most = max(k or 0, least)
                    reports.append(
                        _run(one, data, told, known, rules, most, secret, who, Path(folder), None, spoken)
                    )
            risks = Table("", *("甲", "乙") if spoken == "zh" else ("one", "other"))
            for told_row in measured(reports):
                risks.add_row(told_row["measure"], *(str(value) for value in told_row["values"]))
            console.print(risks)


@app.command("reidentify")
def reidentify_command(
    tokens: Annotated[Path, typer.Argument(help="令牌库 / token vault")],
    token: Annotated[list[str], typer.Option(help="令牌 / token")],
    domain: Annotated[str, typer.Option(help="值域 / domain")],
    reason: Annotated[str, typer.Option(help="理由，记入日志 / reason, for the record")],
    log: Annotated[Path, typer.Option(help="留痕日志，只追加 / record, appended to")],
    secret: Secret = None,
    project: Project = "local",
    recipient: Recipient = "local",
    lang: Lang = None,
) -> None:
    """凭令牌库还原令牌；先留痕后给出 / Lead tokens back; the record is written before the answer is given."""
    from sandbox.desensitize.record import recorded
    from sandbox.desensitize.tokens import TokenVault

    with exits(language(lang), REFUSED):
        from sandbox.desensitize.keys import VAULT, recipient_key

        key = recipient_key(_secret(secret), project, recipient, VAULT)
        vault = TokenVault.load(tokens, key)
        recorded(log, project, recipient, domain, token, reason)
        for one, value in zip(token, vault.reidentify(domain, token), strict=True):
            typer.echo(f"{one}\t{'' if value is None else value}")


@app.command("forget")
def forget_command(
    tokens: Annotated[Path, typer.Argument(help="令牌库 / token vault")],
    secret: Secret = None,
    lang: Lang = None,
) -> None:
    """销毁令牌库，及给出的密钥文件 / Destroy a token vault, and the key file if one is given."""
    from sandbox.desensitize.tokens import destroy

    spoken = language(lang)
    with exits(spoken, REFUSED):
        destroy(tokens)
        if secret is not None:
            destroy(secret)
        typer.echo({"zh": "已销毁。", "en": "Destroyed."}[spoken])


@app.command("schema")
def schema_command() -> None:
    """报告的 JSON Schema / The JSON schema of a report."""
    from sandbox.desensitize.report import Report

    sys.stdout.write(json.dumps(Report.model_json_schema(by_alias=True), ensure_ascii=False) + "\n")
