"""Forms from the models of specs and payloads: which controls a page shows, and back to a payload.

No bound is checked here: the door validates every payload against its model.
"""

from __future__ import annotations

import json
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import yaml
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from sandbox.console import (
    codes,  # noqa: F401
    plain_yaml,
)
from sandbox.core.errors import fail

LONG = frozenset({"note", "notes", "reason", "description", "cause", "done", "ground", "law", "text"})
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
MAX_TEXT = 200_000  # characters of one field
MAX_YAML = 64 << 10  # bytes of all YAML of a form


@dataclass(frozen=True)
class Field:
    """One control: ``control`` is text, long, number, date, moment, check, select, lines or yaml."""

    name: str
    control: str
    required: bool
    options: tuple[str, ...] = ()
    value: str = ""


def _control(annotation: Any) -> tuple[str, tuple[str, ...]]:
    """The control of a type, and its options."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [one for one in arguments if one is not type(None)]
        return _control(inner[0]) if len(inner) == 1 else ("yaml", ())
    if origin is typing.Annotated:
        return _control(arguments[0])
    if origin is Literal:
        return ("check", ()) if arguments == (True,) else ("select", tuple(str(one) for one in arguments))
    if origin is tuple and arguments == (str, ...):
        return "lines", ()
    if origin is None and isinstance(annotation, type):
        for kind, control in _CONTROLS:
            if issubclass(annotation, kind):
                return control, ()
    return "yaml", ()


_CONTROLS: tuple[tuple[type, str], ...] = (
    (bool, "check"),
    (int, "number"),
    (float, "number"),
    (datetime, "moment"),
    (date, "date"),
    (str, "text"),
)


def fields(model: type[BaseModel], values: Mapping[str, Any] | None = None) -> tuple[Field, ...]:
    """The controls of ``model`` in its order; ``values`` are what they hold at first (a spec as stored)."""
    found = []
    for name, info in model.model_fields.items():
        control, options = _control(info.annotation)
        if control == "text" and name in LONG:
            control = "long"
        value = (values or {}).get(
            name, None if info.is_required() else info.get_default(call_default_factory=True)
        )
        found.append(Field(name, control, info.is_required(), options, _written(control, value)))
    return tuple(found)


def _written(control: str, value: Any) -> str:
    """A value as its control shows it."""
    if value is None or value == () or value == {}:
        return ""
    if control == "lines":
        return "\n".join(str(one) for one in value)
    if control == "yaml":
        return yaml.safe_dump(to_jsonable_python(value), allow_unicode=True, sort_keys=False)
    return "on" if value is True else "" if value is False else str(value)


def payload(model: type[BaseModel], form: Mapping[str, str]) -> dict[str, Any]:
    """What was filled in, as a payload of ``model``; an empty field is left out, so that its default holds.

    Raises FORM_YAML (a field that is to be YAML is none), FORM_YAML_LONG (its YAML fields together hold more
    than ``MAX_YAML``), FORM_NUMBER, TOO_LARGE.
    """
    given: dict[str, Any] = {}
    short_enough(*(form.get(one.name, "") for one in fields(model) if one.control == "yaml"))
    for field in fields(model):
        text = form.get(field.name, "").strip()
        if len(text) > MAX_TEXT:
            raise fail("TOO_LARGE", max=MAX_TEXT)
        if text:
            given[field.name] = _read(field, text)
    return given


def _read(field: Field, text: str) -> Any:
    if field.control == "check":
        return text == "on"
    if field.control == "lines":
        return [line.strip() for line in text.splitlines() if line.strip()]
    if field.control == "number":
        if not _NUMBER.fullmatch(text):
            raise fail("FORM_NUMBER", field=field.name)
        return float(text) if "." in text else int(text)
    return read_yaml(text, field.name) if field.control == "yaml" else text


def short_enough(*texts: str) -> None:
    """Raises FORM_YAML_LONG if the YAML texts of a form hold more than ``MAX_YAML`` together."""
    if sum(len(one.encode("utf-8", "replace")) for one in texts) > MAX_YAML:
        raise fail("FORM_YAML_LONG", max=MAX_YAML >> 10)


def read_yaml(text: str, name: str) -> Any:
    """What the YAML of the field ``name`` says. Raises FORM_YAML, also for what JSON cannot say."""
    try:
        value = plain_yaml.load(text)
        json.dumps(value, allow_nan=False)  # what JSON cannot say, no payload says
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise fail("FORM_YAML", field=name) from None
    return value
