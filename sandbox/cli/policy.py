"""``sandbox policy``: read a profile, ask where a value comes from, compare two, check one's own file.

Exit codes: 0 done (``lint``: nothing wrong), 1 ``lint`` found something, 2 the profile does not load.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NoReturn

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sandbox.core.calendar import BEIJING
from sandbox.core.errors import SandboxError
from sandbox.policy.load import lint as lint_profile
from sandbox.policy.load import load_profile, profile_names
from sandbox.policy.model import Profile, Source
from sandbox.policy.model import diff as compare
from sandbox.policy.parameters import PARAMETERS

app = typer.Typer(
    help="政策：查看、溯源、比较、校验 / policy profiles: show, explain, diff, lint",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"


class Basis(StrEnum):
    """Restricts ``show`` to values of one basis."""

    STATED = "stated"
    DEFAULT = "default"


_Lang = Annotated[str | None, typer.Option("--lang", help="zh | en")]
_Format = Annotated[Format, typer.Option("--format", help="输出格式 / output format")]
_Profile = Annotated[str, typer.Argument(help="政策名或 YAML 文件 / name or YAML file")]

_WORDS = {  # word -> its two languages
    "key": ("参数", "parameter"),
    "meaning": ("含义", "meaning"),
    "value": ("取值", "value"),
    "unit": ("单位", "unit"),
    "basis": ("依据", "basis"),
    "cite": ("条款", "cite"),
    "note": ("说明", "note"),
    "profile": ("政策", "profile"),
    "applies": ("采用", "applies"),
    "stated": ("明文", "stated"),
    "default": ("默认", "default"),
    "silent": ("未写", "silent"),
    "order": ("较严者", "stricter"),
    "lower": ("较小", "lower"),
    "higher": ("较大", "higher"),
    "superset": ("较多", "more items"),
    "subset": ("较少", "fewer items"),
    "true": ("是", "true"),
    "false": ("否", "false"),
    "forbidden": ("禁止", "forbidden"),
    "none": ("不可比", "not comparable"),
    "own": ("文件自身信息", "the instrument's own"),
    "disagreement": ("与上级明文不同", "differs from what a parent states"),
    "ok": ("无问题", "nothing wrong"),
    "rows": ("项不同", "rows differ"),
}


def _word(word: str, lang: str) -> str:
    return _WORDS[word][lang == "en"]


def _language(option: str | None) -> str:
    """``--lang``, else the locale; Chinese unless English is asked for."""
    chosen = option or os.environ.get("LC_ALL") or os.environ.get("LANG") or "zh"
    return "en" if chosen.startswith("en") else "zh"


def _stop(error: SandboxError, lang: str) -> NoReturn:
    typer.echo(f"{error.code}: {error.message(lang)}", err=True)
    raise typer.Exit(2)


def _load(name: str, lang: str) -> Profile:
    try:
        return load_profile(name)
    except SandboxError as error:
        _stop(error, lang)


def _json(data: Any) -> None:
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2))


def _value(value: Any) -> str:
    """A value for people: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _note(note: str, lang: str) -> str:
    """The half of ``中文 / English`` that is asked for; a note in one language as it is."""
    zh, _, en = note.partition(" / ")
    return en or zh if lang == "en" else zh


def _table(lang: str, columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    """Print a table; nothing in a cell is read as markup."""
    table = Table(title=Text(title), box=box.SIMPLE, show_lines=False)
    for column in columns:
        heading = _word(column, lang) if column in _WORDS else column
        table.add_column(heading, overflow="fold", no_wrap=column == "key")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def _source(source: Source) -> dict[str, Any]:
    return {
        "profile": source.profile,
        "basis": source.basis,
        "value": source.value,
        "cite": source.cite,
        "note": source.note,
        "applies": source.applies,
    }


def _warn(profile: Profile, lang: str) -> None:
    for warning in profile.warnings(datetime.now(UTC).astimezone(BEIJING).date()):
        typer.echo(f"{warning.code}: {warning.message(lang)}", err=True)


@app.command()
def show(
    name: _Profile,
    basis: Annotated[
        Basis | None, typer.Option("--basis", help="只看明文或默认 / only stated or default values")
    ] = None,
    output: _Format = Format.TABLE,
    lang: _Lang = None,
) -> None:
    """列出一份政策的全部取值与依据 / every value of a profile with its basis."""
    language = _language(lang)
    profile = _load(name, language)
    sources = {key: profile.source(key) for key in PARAMETERS}
    chosen = {key: source for key, source in sources.items() if basis in (None, source.basis)}
    if output is Format.JSON:
        _json(
            {
                "profile": profile.id,
                "sha256": profile.sha256,
                "draft": profile.draft,
                "parameters": {key: _source(source) for key, source in chosen.items()},
            }
        )
        return
    rows = [
        (
            key,
            PARAMETERS[key].en if language == "en" else PARAMETERS[key].zh,
            _value(source.value),
            PARAMETERS[key].unit,
            _word(source.basis, language),
            f"{source.profile} {source.cite}",
        )
        for key, source in chosen.items()
    ]
    _table(
        language,
        ("key", "meaning", "value", "unit", "basis", "cite"),
        rows,
        f"{profile.id}  {profile.sha256[:16]}",
    )
    _warn(profile, language)


@app.command()
def explain(
    key: Annotated[str, typer.Argument(help="参数，如 agreement.max_term_years / parameter")],
    profile_name: Annotated[str, typer.Option("--profile", "-p", help="政策 / profile")] = "national",
    output: _Format = Format.TABLE,
    lang: _Lang = None,
) -> None:
    """一个取值从何而来 / where a value comes from: the chain of profiles, the nearest first."""
    language = _language(lang)
    profile = _load(profile_name, language)
    try:
        sources = profile.explain(key)
    except SandboxError as error:
        _stop(error, language)
    parameter = PARAMETERS[key]
    disagreements = [row for row in profile.disagreements if row.key == key]
    if output is Format.JSON:
        _json(
            {
                "profile": profile.id,
                "key": key,
                "value": profile.get(key),
                "unit": parameter.unit,
                "meaning_zh": parameter.zh,
                "meaning_en": parameter.en,
                "stricter": parameter.order,
                "used_by": parameter.used_by,
                "sources": [_source(source) for source in sources],
                "disagreements": [
                    {
                        "kind": row.kind,
                        "profile": row.profile,
                        "value": row.value,
                        "parent": row.parent,
                        "parent_value": row.parent_value,
                    }
                    for row in disagreements
                ],
            }
        )
        return
    rows = [
        (
            "→" if source.applies else "",
            source.profile,
            _word(source.basis, language),
            "" if source.basis == "silent" else _value(source.value),
            source.cite,
            _note(source.note, language),
        )
        for source in sources
    ]
    meaning = parameter.en if language == "en" else parameter.zh
    order = f"{_word('order', language)}: {_word(parameter.order, language)}"
    _table(
        language,
        ("applies", "profile", "basis", "value", "cite", "note"),
        rows,
        f"{key}  {meaning}  [{parameter.unit or '-'}]  {order}",
    )
    for row in disagreements:
        told = f"{row.profile} {_value(row.value)} ≠ {row.parent} {_value(row.parent_value)}"
        typer.echo(f"{_word('disagreement', language)}: {told}")


@app.command("diff")
def show_diff(
    left_name: _Profile,
    right_name: _Profile,
    values_only: Annotated[
        bool, typer.Option("--values-only", help="只看取值不同者 / only rows whose values differ")
    ] = False,
    output: _Format = Format.TABLE,
    lang: _Lang = None,
) -> None:
    """逐项比较两份政策 / compare two profiles: values, and values alike that rest on different articles."""
    language = _language(lang)
    left, right = _load(left_name, language), _load(right_name, language)
    rows = [row for row in compare(left, right) if not (values_only and row.same_value)]
    if output is Format.JSON:
        _json(
            {
                "left": left.id,
                "right": right.id,
                "rows": [
                    {
                        "key": row.key,
                        "same_value": row.same_value,
                        "left": _source(row.left),
                        "right": _source(row.right),
                    }
                    for row in rows
                ],
            }
        )
        return

    def cell(source: Source) -> str:
        return f"{_value(source.value)}  ({_word(source.basis, language)} {source.cite})"

    table = [
        ("=" if row.same_value else "≠", row.key, PARAMETERS[row.key].unit, cell(row.left), cell(row.right))
        for row in rows
    ]
    title = f"{left.id} ↔ {right.id}: {len(rows)} {_word('rows', language)}"
    _table(language, ("", "key", "unit", left.id, right.id), table, title)


@app.command()
def lint(
    names: Annotated[
        list[str] | None, typer.Argument(help="政策名或文件，缺省为全部 / names or files, default all")
    ] = None,
    output: _Format = Format.TABLE,
    lang: _Lang = None,
) -> None:
    """校验政策文件，列出全部问题 / check profile files; every problem with its code."""
    language = _language(lang)
    problems = {name: lint_profile(name) for name in names or profile_names()}
    if output is Format.JSON:
        _json({name: [problem.as_json() for problem in found] for name, found in problems.items()})
    else:
        for name, found in problems.items():
            for problem in found:
                typer.echo(f"{name}: {problem.code}: {problem.message(language)}")
            if not found:
                typer.echo(f"{name}: {_word('ok', language)}")
    raise typer.Exit(1 if any(problems.values()) else 0)
