"""``sandbox egress``: the checker for anyone with a table and an output; no server, no database.

Exit codes: 0 no objection, 10 hold, 20 reject, 2 usage, 3 checker error (a rejection for the gate).
"""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.egress_mend import mend_command
from sandbox.cli.egress_run import (
    EXIT,
    DeclaredFile,
    Entity,
    History,
    Identifier,
    Isolation,
    Lang,
    Paths,
    ProfileName,
    Quasi,
    Raw,
    Sensitive,
    Where,
    answer,
    contained,
    declared_of,
    exits,
    raws_of,
    tables_of,
    take,
    warn_unisolated,
)
from sandbox.cli.language import language

if TYPE_CHECKING:
    from sandbox.policy import Profile

app = typer.Typer(
    help="出域检查 / egress checker",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class Format(StrEnum):
    """How the report is printed."""

    JSON = "json"
    TEXT = "text"
    HTML = "html"


@app.callback()
def _group() -> None:
    """出域检查 / egress checker"""


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

    wanted = declarations(declared)
    return check(paths, tables_of(raws), wanted, profile.values(), profile.id, history, canonical).as_json()


def _contained(
    paths: list[Path],
    raws: list[dict[str, Any]],
    declared: list[dict[str, Any]],
    profile: Profile,
    history: Path | None,
    canonical: Path | None,
) -> dict[str, Any]:
    """The check in a container."""
    with contained(paths, raws, declared, profile, history) as files:
        report = answer(files, "verdict.json")
        if canonical is not None and report["verdict"] != "reject":
            take(files / "canonical", report.get("canonical", []), canonical)
        return report


def _print(report: dict[str, Any], style: Format, lang: str, profile: Profile) -> None:
    from sandbox.egress.report import view
    from sandbox.egress.report.html import html

    cites = view.cited(report, profile.basis)
    if style is Format.JSON:
        sys.stdout.write(json.dumps({**report, "thresholds": cites}, ensure_ascii=False) + "\n")
    elif style is Format.HTML:
        sys.stdout.write(html(report, lang, cites, int(profile.get("egress.capacity_bits_per_scenario"))))
    else:
        view.text(report, lang)


@app.command("check", epilog="Exit: 0 no objection, 10 hold, 20 reject, 2 usage, 3 checker error")
def check_command(
    paths: Paths,
    raw: Raw = None,
    entity: Entity = None,
    quasi: Quasi = None,
    sensitive: Sensitive = None,
    identifier: Identifier = None,
    declared: DeclaredFile = None,
    profile: ProfileName = "national",
    history: History = None,
    style: Annotated[Format, typer.Option("--format", help="输出格式 / format")] = Format.JSON,
    isolation: Where = Isolation.DOCKER,
    canonical: Annotated[Path | None, typer.Option(help="规范形式写到 / folder for canonical files")] = None,
    lang: Lang = None,
) -> None:
    """检查输出能否出域 / Check whether outputs may leave."""
    from sandbox.policy import load_profile

    spoken = language(lang)
    raws = raws_of(raw, entity, quasi, sensitive, identifier)
    warn_unisolated(isolation, spoken)
    run = _bare if isolation is Isolation.NONE else _contained
    with exits(spoken):
        values = load_profile(profile)
        report = run(paths, raws, declared_of(declared), values, history, canonical)
        _print(report, style, spoken, values)
    raise typer.Exit(EXIT[report["verdict"]])


app.command("mend", epilog="Exit: 0 no objection, 10 hold, 20 no mend found, 2 usage, 3 checker error")(
    mend_command
)
