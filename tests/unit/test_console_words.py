"""Both languages say everything: each text of a page, each label and each name of a field has its English."""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2.ext import extract_from_ast
from pydantic import BaseModel

from sandbox.console import words
from sandbox.console.labels import FIELDS, ROLES, VALUES
from sandbox.console.render import TEMPLATES, environment
from sandbox.control.kinds import KINDS
from sandbox.core.actor import Role

CONSOLE = TEMPLATES.parent


def in_templates() -> Iterator[tuple[str, str]]:
    """(file, text) of every text that a template asks a translation for."""
    made = environment("zh")
    for path in sorted(TEMPLATES.glob("*.html")):
        for _, _, text in extract_from_ast(made.parse(path.read_text())):
            for one in text if isinstance(text, tuple) else (text,):
                if one:
                    yield path.name, one


def in_code() -> Iterator[tuple[str, str]]:
    """(file, text) of every literal given to ``say``, and of every Chinese literal that reaches one."""
    for path in sorted(CONSOLE.rglob("*.py")):
        if path.name == "codes.py":  # error sentences stand there in both languages
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _chinese(node.value):
                yield path.name, node.value


def _chinese(text: str) -> bool:
    return any("\u4e00" <= char <= "\u9fff" for char in text) and len(text) < 80


def test_every_text_of_a_page_has_its_english() -> None:
    told = {*in_templates(), *in_code()}
    assert len(told) > 100
    missing = sorted({text for _, text in told} - set(words.english()))
    assert missing == []


def test_no_english_is_left_over() -> None:
    used = {text for _, text in {*in_templates(), *in_code()}} | set(ROLES.values())
    assert sorted(set(words.english()) - used) == []


@pytest.mark.parametrize("table", [FIELDS, ROLES, VALUES])
def test_labels_are_translated(table: dict[str, str]) -> None:
    assert [label for label in table.values() if label not in words.english() and _chinese(label)] == []


def test_every_role_has_a_label() -> None:
    assert set(ROLES) == set(Role)


def _fields(model: type[BaseModel], seen: set[type]) -> Iterator[str]:
    if model in seen:
        return
    seen.add(model)
    for name, info in model.model_fields.items():
        yield name
        for inner in _models(info.annotation):
            yield from _fields(inner, seen)


def _models(annotation: typing.Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for one in typing.get_args(annotation):
        yield from _models(one)


def test_every_field_that_a_person_fills_in_has_a_label() -> None:
    seen: set[type] = set()
    names = {
        name
        for kind in KINDS.values()
        for row in kind.transitions
        if {*row.by} - {Role.SYSTEM}
        for name in _fields(row.payload, seen)
    }
    assert sorted(names - set(FIELDS)) == []


def test_a_text_without_english_stays_as_it_is() -> None:
    assert words.gettext("en")("无此文字") == "无此文字"
    assert words.gettext("zh")("待办") == "待办"
    assert words.ngettext("zh")("一", "多", 2) == "多"
    assert words.ngettext("en")("无此一", "无此多", 1) == "无此一"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, ""),
        ("", ""),
        ("2026-11-22T02:30:00+00:00", "2026-11-22 10:30"),
        ("2026-11-22T18:30:00.123456Z", "2026-11-23 02:30"),
        ("2026-11-22", "2026-11-22"),
        ("not a time", "not a time"),
        ("2026-02-31T00:00:00Z", "2026-02-31T00:00:00Z"),
    ],
)
def test_times_are_said_in_beijing_time(given: str | None, shown: str) -> None:
    assert words.when(given) == shown


def test_the_catalogue_lies_with_the_code() -> None:
    assert Path(words.CATALOGUE).is_file()
