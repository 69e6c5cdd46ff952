"""A recipe proposed from the description of the fields alone: what the policy requires, and no more. A person
reads, changes and runs it.

=============  =====================================================================================
class          step
=============  =====================================================================================
the entity     pseudonym, so that the product's rows of one subject stay together
identifier     dropped; free text (``note``, ``remark``, 备注 …) without that role redacted
quasi          dates to the year, division codes to the prefecture, other numbers in bands, the rest kept
sensitive      numbers rounded; the rest kept where the policy asks nothing, else dropped
confidential   numbers rounded, else dropped
other          kept where the policy asks nothing, else as sensitive
=============  =====================================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.desensitize.recipe import Rules, validate_recipe
from sandbox.desensitize.required import class_of, required_of
from sandbox.desensitize.transforms.base import NUMERIC, TEMPORAL

_FREE_TEXT = re.compile(r"note|remark|comment|text|desc|备注|说明|描述|意见|内容", re.IGNORECASE)
_DIVISION = re.compile(r"district_?code|region_?code|adcode|area_?code|xzqh|行政区划代码|区划", re.IGNORECASE)
_LATITUDE, _LONGITUDE = (
    re.compile(r"(?:^|_)lat(?:itude)?$|纬度", re.IGNORECASE),
    re.compile(r"(?:^|_)(?:lon|lng)(?:gitude)?$|经度", re.IGNORECASE),
)
_BAND, _ROUND = 10, 1000  # amounts come rounded to the ten or hundred: what changes nothing is refused
Step = dict[str, Any]


def _is(field: Mapping[str, Any], words: re.Pattern[str]) -> bool:
    return any(words.search(str(field.get(key) or "")) for key in ("name", "title_zh"))


def _step(field: Mapping[str, Any], transform: str, **params: Any) -> Step:
    return {"column": field["name"], "transform": transform, "params": params}


def _quasi(field: Mapping[str, Any]) -> Step | None:
    """One level coarser, by type and name."""
    if field["type"] in TEMPORAL:
        return _step(field, "generalise", by="date", to="year")
    if _is(field, _DIVISION) and field["type"] in ("string", "integer"):
        return _step(field, "generalise", by="admin", division="prefecture")
    if field["type"] in NUMERIC:
        return _step(field, "generalise", by="band", width=float(_BAND))
    return None


def _number(field: Mapping[str, Any]) -> Step | None:
    if field["type"] in NUMERIC:
        return _step(field, "round", to=_ROUND)
    return _step(field, "generalise", by="date", to="month") if field["type"] in TEMPORAL else None


def _one(field: Mapping[str, Any], asked: Sequence[str]) -> Step | bool:
    """The step for a field; True: kept as it is; False: not in the product."""
    name = class_of(field)
    if name == "identifier":
        prose = field["type"] == "string" and _is(field, _FREE_TEXT) and field.get("role") != "identifier"
        if prose and (not asked or "mask" in asked):
            return _step(field, "redact")
        return False
    if name == "quasi":
        return _quasi(field) or not asked
    if asked or name in ("sensitive", "confidential"):
        return _number(field) or not asked
    return True


def suggested(
    fields: Sequence[Mapping[str, Any]], entity: str | None, rules: Rules, name: str = "suggested"
) -> dict[str, Any]:
    """A recipe as YAML would have it, that ``validate_recipe`` accepts with these fields and rules. A secret
    field is never in it. Raises RECIPE_MALFORMED when nothing may stay."""
    steps: list[Step] = []
    keep: list[str] = []
    lat = next((f for f in fields if f["type"] == "number" and _is(f, _LATITUDE)), None)
    lon = next((f for f in fields if f["type"] == "number" and _is(f, _LONGITUDE)), None)
    points = {lat["name"], lon["name"]} if lat and lon else set()
    for field in fields:
        asked = required_of(field, rules.required) if rules.required is not None else ()
        if "secret" in (field.get("flags") or ()):
            continue
        if field["name"] == entity:
            steps.append(_step(field, "pseudonym", key="subject"))
        elif field["name"] in points:
            if lat and field is lat and lon:
                decimals = 2 if rules.decimals is None else min(2, rules.decimals)
                pair = {"columns": [lat["name"], lon["name"]], "transform": "geo"}
                steps.append(pair | {"params": {"decimals": decimals}})
        else:
            step = _one(field, asked)
            if isinstance(step, dict):
                steps.append(step)
            elif step:
                keep.append(field["name"])
    recipe = {"name": name, "version": "1", "steps": steps, "keep": keep}
    validate_recipe(recipe, fields, rules)
    return recipe
