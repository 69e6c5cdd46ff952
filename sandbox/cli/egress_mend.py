"""``sandbox egress mend``: a protection for refused outputs, on a copy, checked again, with its cost."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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
from sandbox.core.errors import fail

if TYPE_CHECKING:
    from sandbox.policy import Profile


class Protection(StrEnum):
    """What may be done to a table; the keys of ``sandbox.egress.mend.PROTECTIONS``."""

    TOP_CODE = "top-code"
    MERGE = "merge"
    SUPPRESS = "suppress"
    ROUND = "round"
    DROP = "drop"


class Format(StrEnum):
    """How the account of it is printed."""

    JSON = "json"
    TEXT = "text"


_WORDS = {
    "top-code": ("上下截尾", "top- and bottom-coding"),
    "merge": ("合并类别、放宽分段", "merged categories or coarser bands"),
    "suppress": ("抑制（含互补抑制）", "suppression with complementary suppression"),
    "round": ("取整", "rounding"),
    "drop": ("删除列", "dropped columns"),
    "cells": ("抑制单元格", "cells suppressed"),
    "value_share": ("其数值占合计的份额", "share of the sum in them"),
    "rows": ("删除行", "rows left out"),
    "columns": ("删除列", "columns left out"),
    "rounded": ("取整的单元格", "cells rounded"),
    "distance": ("平均偏离", "average absolute distance"),
    "categories": ("合并的类别", "categories merged"),
    "entropy_share": ("该列熵的损失", "share of the column's entropy lost"),
}


def _bare(
    paths: list[Path],
    raws: list[dict[str, Any]],
    declared: list[dict[str, Any]],
    profile: Profile,
    history: Path | None,
    out: Path,
    how: dict[str, Any],
) -> dict[str, Any]:
    """The mending in this process."""
    from sandbox.egress.check import declarations
    from sandbox.egress.mend import mend

    wanted, tables = declarations(declared), tables_of(raws)
    return mend(paths, tables, wanted, profile.values(), profile.id, out, history, **how).as_json()


def _contained(
    paths: list[Path],
    raws: list[dict[str, Any]],
    declared: list[dict[str, Any]],
    profile: Profile,
    history: Path | None,
    out: Path,
    how: dict[str, Any],
) -> dict[str, Any]:
    """The mending in a container; what it wrote is copied to ``out`` by the names it tells."""
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise fail("EGRESS_MEND_OUT", path=out.name)
    with contained(paths, raws, declared, profile, history, mend=how) as files:
        told = answer(files, "mend.json")
        take(files / "mended", told["files"], out)
        return told


def _print(told: dict[str, Any], style: Format, lang: str) -> None:
    if style is Format.JSON:
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")
        return
    which = 1 if lang == "en" else 0
    for step in told["steps"]:
        cost = "; ".join(f"{_WORDS[name][which]} {value}" for name, value in step["loss"].items())
        place = " ".join(part for part in (step["path"], step["part"], step["where"]) if part)
        sys.stdout.write(f"{place}: {_WORDS[step['protection']][which]} ({step['rule'] or '—'}): {cost}\n")
    sys.stdout.write(f"{told['verdict']}\n")


def mend_command(
    paths: Paths,
    out: Annotated[Path, typer.Option(help="改后的文件写到（新文件夹）/ new folder for the mended files")],
    raw: Raw = None,
    entity: Entity = None,
    quasi: Quasi = None,
    sensitive: Sensitive = None,
    identifier: Identifier = None,
    declared: DeclaredFile = None,
    profile: ProfileName = "national",
    history: History = None,
    protection: Annotated[
        list[Protection] | None, typer.Option(help="可用的保护，按此次序 / protections, in this order")
    ] = None,
    base: Annotated[int | None, typer.Option(help="计数取整的基数 / base for counts: 5, 10")] = None,
    style: Annotated[Format, typer.Option("--format", help="输出格式 / format")] = Format.JSON,
    isolation: Where = Isolation.DOCKER,
    lang: Lang = None,
) -> None:
    """在副本上施加保护并再检查 / Protect a copy of refused outputs and check it again."""
    from sandbox.policy import load_profile

    spoken = language(lang)
    raws = raws_of(raw, entity, quasi, sensitive, identifier)
    warn_unisolated(isolation, spoken)
    run = _bare if isolation is Isolation.NONE else _contained
    how = {"protections": [one.value for one in protection or []], "base": base}
    with exits(spoken, {"EGRESS_MEND_NONE": EXIT["reject"]}):
        told = run(paths, raws, declared_of(declared), load_profile(profile), history, out, how)
        _print(told, style, spoken)
    raise typer.Exit(EXIT[told["verdict"]])
