"""The recipe editor: from a skeleton or a point of a frontier to a job, checked and tried on the way."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from starlette.responses import Response

from sandbox.authorisation.scenario_spec import LIVE
from sandbox.console.forms import read_yaml, short_enough
from sandbox.console.nodes import unpacked, with_point
from sandbox.console.recipe_lines import line_of
from sandbox.console.render import render, told
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit, go
from sandbox.control.listing import listed
from sandbox.control.previewing import Previewed
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.desensitize.explain import explained, guaranteed
from sandbox.desensitize.recipe import Product, Recipe, Rules, plan, validate_recipe
from sandbox.desensitize.required import class_of, required_of, with_entity
from sandbox.desensitize.suggest import suggested
from sandbox.desensitize.transforms import TRANSFORMS

SHOWN = 50  # scenarios
INPUT = "source"  # what a recipe job calls its one table
URL = f"{BASE}/operate/recipe"

CLASSES: dict[str, str] = {
    "identifier": "标识",
    "confidential": "商业秘密",
    "sensitive": "敏感属性",
    "quasi": "准标识",
    "other": "其他",
}
METHODS: dict[str, str] = {
    "drop": "删去",
    "mask": "掩码",
    "pseudonym": "假名",
    "generalise": "泛化",
    "aggregate": "聚合",
    "noise": "加噪",
    "none": "—",
}


@dataclass(frozen=True)
class Target:
    """A table that a recipe may be written for: an entry on the list of a granted scenario."""

    scenario: str
    scenario_title: str
    entry: str
    columns: tuple[str, ...]
    purpose: str
    supplied: bool

    @property
    def value(self) -> str:
        """As the form names it."""
        return f"{self.scenario}/{self.entry}"


@dataclass(frozen=True)
class Source:
    """A column that the recipe may use, and what the policy asks of it."""

    name: str
    title: str
    type: str
    level: int | None
    class_: str
    required: str


@dataclass(frozen=True)
class Known:
    """A transform, as its own description has it."""

    name: str
    title: str
    method: str
    parameters: tuple[tuple[str, str, bool], ...]  # name, what it may be, whether it must be there
    guarantees: str


@dataclass(frozen=True)
class Checked:
    """A recipe that holds: the columns of its product, and what it does, in both languages."""

    sha256: str
    columns: tuple[tuple[Product, str], ...]  # with what is guaranteed of it
    zh: tuple[str, ...]
    en: tuple[str, ...]


@dataclass(frozen=True)
class Bench:
    """The table that a recipe is written for, with its fields as the catalogue describes them."""

    target: Target
    entry: Resource
    fields: tuple[dict[str, Any], ...]
    entity: str | None
    rules: Rules


@dataclass(frozen=True)
class RecipePage:
    """What ``recipe.html`` shows."""

    targets: tuple[Target, ...]
    chosen: Target | None
    sources: tuple[Source, ...]
    known: tuple[Known, ...]
    text: str
    notes: tuple[str, ...] = ()
    checked: Checked | None = None
    previewed: Previewed | None = None
    lines: int = 24
    errors: list[dict[str, str]] = field(default_factory=list)


def targets(visit: Visit) -> tuple[Target, ...]:
    """Every entry of every granted scenario that the operator may see."""
    found, _ = listed(visit.control, visit.actor, "scenario", states=LIVE, limit=SHOWN)
    made = []
    for one in found:
        grant = one.status.get("grant") or {}
        flowing = visit.control.find(visit.actor, "supply", state="available", labels={"scenario": one.id})
        supplied = {supply.spec["entry"] for supply in flowing}
        made += [
            Target(
                one.id,
                title_of(one, visit.lang),
                item["entry"],
                tuple(item["columns"]),
                str(grant.get("purpose", "")),
                item["entry"] in supplied,
            )
            for item in grant.get("items", ())
        ]
    return tuple(made)


def _bench(visit: Visit, every: tuple[Target, ...], asked: str) -> Bench | None:
    """What ``asked`` (scenario/entry) names, else the first that there is. Raises NOT_FOUND."""
    chosen = next((one for one in every if one.value == asked), None)
    if chosen is None and not asked:
        chosen = next((one for one in every if one.supplied), every[0] if every else None)
    if chosen is None:
        if asked:
            raise fail("NOT_FOUND", kind="scenario", id=asked[:80])
        return None
    entry = visit.control.get(visit.actor, "catalogue-entry", chosen.entry)
    described = with_entity(entry.spec["fields"], entry.spec["entity"])
    fields = tuple(one for one in described if one["name"] in chosen.columns)
    entity = entry.spec["entity"] if entry.spec["entity"] in chosen.columns else None
    return Bench(chosen, entry, fields, entity, Rules.of(visit.control.policy.get))


def _sources(visit: Visit, bench: Bench) -> tuple[Source, ...]:
    title = "title_zh" if visit.lang == "zh" else "title_en"
    join = "、" if visit.lang == "zh" else ", "
    required = bench.rules.required
    return tuple(
        Source(
            one["name"],
            one.get(title, ""),
            one["type"],
            one.get("level"),
            visit.say(CLASSES[class_of(one)]),
            join.join(visit.say(METHODS[m]) for m in required_of(one, required)) if required else "",
        )
        for one in bench.fields
    )


def known(visit: Visit) -> tuple[Known, ...]:
    """Every transform, from its own description."""
    zh = visit.lang == "zh"
    return tuple(
        Known(
            one.name,
            one.title_zh if zh else one.title_en,
            visit.say(METHODS[one.method]),
            _parameters(one.name),
            guaranteed([one.name], zh),
        )
        for one in TRANSFORMS.values()
    )


@functools.cache
def _parameters(transform: str) -> tuple[tuple[str, str, bool], ...]:
    """Name, what it may be, whether it must be there: as the transform's model says it."""
    schema = TRANSFORMS[transform].params.model_json_schema()
    required = schema.get("required", ())
    return tuple((name, _form(one), name in required) for name, one in schema.get("properties", {}).items())


_BOUNDS = (("minimum", "≥ {}"), ("exclusiveMinimum", "> {}"), ("maximum", "≤ {}"))


def _form(schema: Mapping[str, Any]) -> str:
    """What a parameter may be, in few signs: a choice, or a type with its bounds."""
    parts = [one for one in schema.get("anyOf", (schema,)) if one.get("type") != "null"]
    found = []
    for one in parts:
        if "enum" in one or "const" in one:
            found.append(" | ".join(str(value) for value in one.get("enum", (one.get("const"),))))
            continue
        bounds = [form.format(one[key]) for key, form in _BOUNDS if key in one]
        found.append(" ".join((str(one.get("type", "…")), *bounds)))
    default = schema.get("default")
    return " / ".join(found) + (f" = {default}" if default not in (None, "") else "")


def skeleton(visit: Visit, bench: Bench) -> tuple[str, tuple[str, ...]]:
    """A recipe to begin with: what the policy requires of these fields, or as a point of a frontier does;
    and what is to be said of it. Raises FRONTIER_REPORT, FRONTIER_POINT."""
    notes: list[str] = []
    try:
        made = suggested(bench.fields, bench.entity, bench.rules, f"{bench.target.entry}-primary")
    except SandboxError as error:
        made = {"name": f"{bench.target.entry}-primary", "version": "1", "steps": [], "keep": []}
        notes.append(error.message(visit.lang))
    if packed := visit.query("at"):
        number = visit.query("point")
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else -1
        types = {one["name"]: one["type"] for one in bench.fields}
        frontier = unpacked(packed)
        made, unsaid = with_point(made, frontier, place, types)
        point = frontier.points[place]
        notes.append(
            visit.say("已按边界上的点填入：k = {k}，损失 {loss}。").format(
                k=point.k, loss=f"{point.loss:.3f}"
            )
        )
        if unsaid:
            notes.append(
                visit.say("下列各列的层级写不成配方的步骤，没有留在产品中，请自行补上：{columns}").format(
                    columns=", ".join(unsaid)
                )
            )
        if point.suppressed:
            notes.append(
                visit.say("搜索时另抑制了 {n} 行，配方不抑制行：是否已匿名，以作业结束后的判定为准。").format(
                    n=point.suppressed
                )
            )
    return yaml.safe_dump(made, allow_unicode=True, sort_keys=False, width=100), tuple(notes)


def _read(text: str, bench: Bench) -> tuple[dict[str, Any], Recipe]:
    """The recipe that a text says, held to the fields and the policy. Raises FORM_YAML, FORM_YAML_LONG and
    what ``validate_recipe`` raises."""
    short_enough(text)
    described = read_yaml(text, "recipe")
    if not isinstance(described, dict):
        raise fail("RECIPE_MALFORMED", field="recipe")
    return described, validate_recipe(described, bench.fields, bench.rules)


def _checked(visit: Visit, recipe: Recipe, bench: Bench) -> Checked:
    zh = visit.lang == "zh"
    return Checked(
        recipe.sha256,
        tuple(
            (one, guaranteed(one.transforms, zh) if one.transforms else visit.say("原样保留"))
            for one in plan(recipe, bench.fields, bench.rules)
        ),
        tuple(explained(recipe, bench.fields, bench.rules, "zh")),
        tuple(explained(recipe, bench.fields, bench.rules, "en")),
    )


def _refusal(visit: Visit, text: str, error: SandboxError) -> dict[str, str]:
    """The refusal, and where in the text."""
    found = told(visit, error)
    line = line_of(text, error) if error.code != "FORM_YAML_LONG" else None
    if line is not None:
        lines = text.splitlines()
        said = lines[line - 1].strip()[:120] if line <= len(lines) else ""
        found["mend"] = visit.say("第 {line} 行：{said}").format(line=line, said=said)
    return found


def _shown(
    visit: Visit,
    every: tuple[Target, ...],
    bench: Bench | None,
    text: str,
    status: int = 200,
    **more: Any,
) -> Response:
    page = RecipePage(
        targets=every,
        chosen=bench.target if bench else None,
        sources=_sources(visit, bench) if bench else (),
        known=known(visit),
        text=text,
        lines=min(40, max(18, text.count("\n") + 3)),
        **more,
    )
    options = [
        (
            one.value,
            f"{one.scenario_title} · {one.entry}" + ("" if one.supplied else visit.say("（尚无供给）")),
        )
        for one in every
    ]
    return render(visit, "recipe.html", status, page=page, errors=page.errors, url=URL, options=options)


def page(visit: Visit) -> Response:
    """The editor with a skeleton. Raises NOT_FOUND for a table that is not the operator's to process."""
    every = targets(visit)
    bench = _bench(visit, every, visit.query("for"))
    if bench is None:
        return _shown(visit, every, None, "")
    try:
        text, notes = skeleton(visit, bench)
    except SandboxError as error:
        return _shown(visit, every, bench, "", error.status, errors=[told(visit, error)])
    return _shown(visit, every, bench, text, notes=notes)


def act(visit: Visit) -> Response:
    """Check the text, try it on made-up rows, or submit it as a job through the door."""
    every = targets(visit)
    bench = _bench(visit, every, visit.form.get("for", ""))
    if bench is None:
        raise fail("NOT_FOUND", kind="scenario", id="-")
    text = visit.form.get("recipe", "").replace("\r\n", "\n")
    checked = previewed = None
    try:
        described, recipe = _read(text, bench)
        checked = _checked(visit, recipe, bench)
        wanted = visit.form.get("go")
        if wanted == "submit":
            made = visit.control.create(visit.actor, "job", _job(bench, described))
            return go(f"{BASE}/r/job/{made.id}")
        if wanted == "preview":
            about = f"scenario/{bench.target.scenario}"
            previewed = visit.space.previews.preview(
                visit.actor, about, described, recipe, bench.fields, bench.entity, bench.rules
            )
    except SandboxError as error:
        errors = [_refusal(visit, text, error)]
        return _shown(visit, every, bench, text, error.status, checked=checked, errors=errors)
    return _shown(visit, every, bench, text, checked=checked, previewed=previewed)


def _job(bench: Bench, described: Mapping[str, Any]) -> dict[str, Any]:
    """The specification of the recipe job."""
    columns = [one["name"] for one in bench.fields]
    return {
        "scenario": bench.target.scenario,
        "purpose": bench.target.purpose,
        "language": "recipe",
        "recipe": dict(described),
        "inputs": [{"name": INPUT, "entry": bench.target.entry, "columns": columns}],
    }
