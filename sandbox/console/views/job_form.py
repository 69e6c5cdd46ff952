"""The forms of a job: guided by what is granted, or the whole manifest as YAML; and what the door would say.

The pre-check asks the very guards of the submission and creates nothing (``sandbox.control.rehearsal``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from starlette.responses import Response

from sandbox.authorisation.needed import needed
from sandbox.console.forms import read_yaml, short_enough
from sandbox.console.render import render, told
from sandbox.console.views.checks import Check, checks, passed
from sandbox.console.views.develop import Grant, grants
from sandbox.console.visit import BASE, MAX_FILE, Visit, go
from sandbox.control.dp import estimate
from sandbox.control.rehearsal import rehearse
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource

MAX_FILES = 64  # as a job may have files
# guards that have something to ask of jobs in one language only
ONLY = {"statements_read": "sql", "recipe_valid": "recipe", "question_fits": "dp", "budget_holds": "dp"}
LANGUAGES = {"sql": "main.sql", "python": "main.py"}
LIMITS = ("job.timeout_seconds", "job.memory_bytes", "job.output_bytes")
_NAMES = re.compile(r"[\s,，、]+")


@dataclass(frozen=True)
class Scope:
    """What a question costs one scope of the budget, in ε at the scope's δ."""

    label: str
    left: str
    holds: bool


@dataclass(frozen=True)
class Price:
    """What a question under differential privacy costs before it is asked (``sandbox.control.dp``)."""

    nano_rho: int
    epsilon: str
    delta: str
    paid: bool  # the same question was asked before: its answer costs nothing
    holds: bool
    scopes: tuple[Scope, ...]
    errors: tuple[tuple[str, str], ...]  # (measure, standard deviation of its noise)


@dataclass(frozen=True)
class Beforehand:
    """What can be said of a job before it is submitted."""

    checks: tuple[Check, ...]
    passed: bool
    uses_left: int | None  # after the job
    price: Price | None
    unread: str  # why the SQL was not compared with the columns
    beyond: tuple[str, ...]  # columns that are ticked and that the SQL does not read
    absent: tuple[str, ...]  # names in the SQL that are no table or column of the inputs


def beforehand(visit: Visit, spec: Mapping[str, Any]) -> Beforehand:
    """What the door would say of a job with ``spec`` now; nothing is created, nothing charged."""
    answers = rehearse(visit.control, visit.actor, "job", spec)
    said = [
        one
        for one in answers
        if one.refusal or ONLY.get(one.guard, spec.get("language")) == spec.get("language")
    ]
    found = checks(visit, said)
    refused = {one.refusal.code for one in answers if one.refusal}
    priced = spec.get("language") == "dp" and refused <= {"BUDGET"}
    unread, beyond, absent = _compared(visit, spec)
    return Beforehand(
        found,
        passed(found),
        _uses_after(visit, spec) if passed(found) else None,
        price(visit, spec) if priced else None,
        unread,
        beyond,
        absent,
    )


def _uses_after(visit: Visit, spec: Mapping[str, Any]) -> int:
    granted = visit.control.get(visit.actor, "scenario", str(spec["scenario"])).status["grant"]
    return int(granted["uses_left"]) - 1


def price(visit: Visit, spec: Mapping[str, Any]) -> Price:
    """The cost of a question, as ``sandbox dp estimate`` tells it. Raises what the estimate raises."""
    asked = estimate(visit.control, visit.actor, spec)
    return Price(
        nano_rho=asked["nano_rho"],
        epsilon=asked["epsilon"],
        delta=asked["delta"],
        paid=bool(asked["state"]),
        holds=asked["holds"],
        scopes=tuple(
            Scope(
                visit.say(SCOPES[one["level"]])
                + " · ".join(["", *(str(one[key]) for key in NAMES if one.get(key))]),
                one["left_epsilon"],
                one["holds"],
            )
            for one in asked["scopes"]
        ),
        errors=tuple((str(one["measure"]), f"± {one['sd']:.4g}") for one in asked["expected"]),
    )


SCOPES = {"use": "本数据、本接收方、本年", "scenario": "整个场景", "entities": "同一主体的全部数据"}
NAMES = ("dataset", "recipient", "year", "domain")


def _compared(visit: Visit, spec: Mapping[str, Any]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Columns of the inputs against what the SQL reads; what cannot be read is no refusal: DuckDB has the
    last word."""
    inputs, code = spec.get("inputs"), spec.get("code")
    if spec.get("language") != "sql" or not isinstance(inputs, list) or not isinstance(code, Mapping):
        return "", (), ()
    tables = {
        str(one["name"]): [str(name) for name in one["columns"]]
        for one in inputs
        if isinstance(one, Mapping) and {"name", "columns"} <= one.keys() and isinstance(one["columns"], list)
    }
    try:
        found = needed(str(code.get(spec.get("entry"), "")), tables)
    except SandboxError as error:
        return error.message(visit.lang), (), ()
    beyond = tuple(
        f"{table}.{name}"
        for table, names in tables.items()
        for name in names
        if name not in found.columns.get(table, ())
    )
    return "", beyond, (*found.unknown_tables, *found.unknown_columns)


# --- the whole manifest


def manifest_of(spec: Mapping[str, Any]) -> str:
    """A job's manifest as text."""
    return yaml.safe_dump({"kind": "job", "spec": dict(spec)}, allow_unicode=True, sort_keys=False)


def _skeleton(visit: Visit) -> str:
    """A job's manifest to begin with: the granted scenario that the address names (else the first to end),
    and what may be read in it."""
    found = _grant(visit, visit.query("scenario"))
    if found is None:
        return ""
    inputs = [
        {
            "name": f"t{n}",
            "product": one.id,
            "columns": [column["name"] for column in one.spec.get("columns", ())],
        }
        for n, one in enumerate(_products(visit, found.row.id), 1)
    ]
    return manifest_of(
        {
            "scenario": found.row.id,
            "purpose": found.purpose,
            "language": "sql",
            "entry": "main.sql",
            "inputs": inputs,
            "outputs": [{"path": "out.csv", "kind": "table", "dimensions": [], "counts": [], "measures": []}],
        }
    )


def _grant(visit: Visit, wanted: str) -> Grant | None:
    """The grant that is asked for, by default the first to end; None if it is none that can be used."""
    usable = [one for one in grants(visit) if one.submit_url]
    chosen = wanted or (usable[0].row.id if usable else "")
    return next((one for one in usable if one.row.id == chosen), None)


def _products(visit: Visit, scenario: str) -> list[Resource]:
    return visit.control.find(visit.actor, "product", state="offered", labels={"scenario": scenario})


def job_page(
    visit: Visit,
    error: SandboxError | None = None,
    before: Beforehand | None = None,
    manifest: str | None = None,
    code: str = "",
    notes: tuple[str, ...] = (),
) -> Response:
    """The form of a job: its manifest as YAML, and its files. ``manifest`` and ``code`` stand in for what was
    typed; ``notes`` are said above."""
    typed = visit.form["manifest"] if "manifest" in visit.form else _skeleton(visit)
    return render(
        visit,
        "develop_job.html",
        error.status if error else 200,
        manifest=typed if manifest is None else manifest,
        code=visit.form.get("code", "") if manifest is None else code,
        max_files=MAX_FILES,
        max_kib=MAX_FILE >> 10,
        before=before,
        notes=notes,
        errors=[told(visit, error)] if error else [],
    )


def submit(visit: Visit) -> Response:
    """The job as ``sandbox apply`` would send it, through the door; a refusal shows the form again. With
    ``act=check`` the door is only asked."""
    try:
        id, spec = job_of(visit)
        if visit.form.get("act") == "check":
            return job_page(visit, before=beforehand(visit, spec))
        made = visit.control.create(visit.actor, "job", spec, id=id)
    except SandboxError as error:
        return job_page(visit, error)
    return go(f"{BASE}/r/job/{made.id}")


def job_of(visit: Visit) -> tuple[str, dict[str, Any]]:
    """Id ("" to have one made) and specification as the form says.

    Raises FORM_YAML, FORM_YAML_LONG, MALFORMED, TOO_LARGE.
    """
    text = visit.form.get("manifest", "")
    short_enough(text)
    document = read_yaml(text, "manifest")
    if not isinstance(document, dict) or document.get("kind", "job") != "job":
        raise fail("MALFORMED", what="manifest", why="kind: job, id?, spec")
    spec = document.get("spec", document)
    if not isinstance(spec, dict):
        raise fail("MALFORMED", what="spec", why="a mapping")
    return str(document.get("id", "") or ""), _with_code(visit, dict(spec))


def _with_code(visit: Visit, spec: dict[str, Any]) -> dict[str, Any]:
    """``spec`` with the texts of its files: those that came with the form and the one typed in for the entry.

    As in a manifest for ``sandbox apply``, ``files: [names]`` says which there must be. What a file may be
    called, and how much they may hold together, is the job's own model to say.
    """
    named, written = spec.pop("files", None), spec.get("code", {})
    if not isinstance(written, Mapping):
        raise fail("MALFORMED", what="code", why="a mapping")
    code: dict[str, Any] = dict(written)
    typed = visit.form.get("code", "").replace("\r\n", "\n")
    given = [(str(spec.get("entry", "")), typed)] if typed.strip() else []
    for name, text in (*given, *_texts(visit)):
        if name in code:
            raise fail("MALFORMED", what="code", why=f"{name}: 2")
        code[name] = text
    missing = [one for one in named or () if one not in code] if isinstance(named, list | None) else [named]
    if missing:
        raise fail("MALFORMED", what="files", why=", ".join(map(str, missing)))
    return {**spec, "code": code} if code else spec


def _texts(visit: Visit) -> list[tuple[str, str]]:
    """The files of the form as text, in memory. Raises TOO_LARGE, MALFORMED for what is not UTF-8."""
    found = []
    for one in visit.files:
        if len(one.content) > MAX_FILE:
            raise fail("TOO_LARGE", max=MAX_FILE)
        try:
            found.append((one.name, one.content.decode()))
        except UnicodeDecodeError:
            raise fail("MALFORMED", what="files", why=f"{one.name[:80]}: UTF-8") from None
    return found


# --- guided


@dataclass(frozen=True)
class Input:
    """A primary product that the grant offers, its columns ticked or not, and its name in the code."""

    product: str
    title: str
    name: str
    columns: tuple[tuple[str, str, bool], ...]  # (control, column, ticked)


@dataclass(frozen=True)
class GuidedPage:
    """What ``job_form.html`` shows."""

    scenarios: tuple[tuple[str, str], ...]
    grant: Grant | None
    inputs: tuple[Input, ...]
    values: Mapping[str, str]
    limits: tuple[tuple[str, str], ...]
    before: Beforehand | None


def _inputs(visit: Visit, scenario: str) -> tuple[Input, ...]:
    """What may be read in a scenario, as the form stands."""
    found = []
    for n, one in enumerate(_products(visit, scenario), 1):
        columns = tuple(
            (control, column["name"], visit.form.get(control) == "on")
            for column in one.spec.get("columns", ())
            for control in (f"c.{one.id}.{column['name']}",)
        )
        name = visit.form.get(f"name.{one.id}", "").strip()[:63] or f"t{n}"
        found.append(Input(one.id, str(one.spec.get("title", one.id)), name, columns))
    return tuple(found)


def guided_spec(visit: Visit, grant: Grant | None, inputs: tuple[Input, ...]) -> dict[str, Any]:
    """The job's specification as the guided form says it; what is missing, the door names."""
    form = visit.form
    language = form.get("language", "sql")
    entry = LANGUAGES.get(language, "")
    output: dict[str, Any] = {"path": form.get("path", "").strip(), "kind": form.get("kind", "table")}
    for key in ("dimensions", "counts", "measures"):
        if names := [one for one in _NAMES.split(form.get(key, "")) if one]:
            output[key] = names
    if form.get("ordered") == "on":
        output["ordered"] = True
    spec = {
        "scenario": grant.row.id if grant else form.get("scenario", ""),
        "purpose": grant.purpose if grant else "",
        "language": language,
        "entry": entry,
        "code": {entry: form.get("code", "").replace("\r\n", "\n")},
        "inputs": [
            {"name": one.name, "product": one.product, "columns": columns}
            for one in inputs
            if (columns := [name for _, name, ticked in one.columns if ticked])
        ],
        "outputs": [output],
    }
    return {**spec, **({"log": True} if form.get("log") == "on" else {})}


def _limits(visit: Visit) -> tuple[tuple[str, str], ...]:
    """What a job may take of the machine, by the profile."""
    seconds, memory, output = (int(visit.control.policy.get(key)) for key in LIMITS)
    return (
        (visit.say("运行时间至多"), visit.say("{n} 秒").format(n=seconds)),
        (visit.say("内存至多"), f"{memory >> 20} MiB"),
        (visit.say("输出合计至多"), f"{output >> 20} MiB"),
    )


def guided(visit: Visit, error: SandboxError | None = None, before: Beforehand | None = None) -> Response:
    """The guided form of a job."""
    usable = [one for one in grants(visit) if one.submit_url]
    grant = _grant(visit, visit.form.get("scenario", "") or visit.query("scenario"))
    page = GuidedPage(
        scenarios=tuple((one.row.id, f"{one.row.title} · {one.row.id}") for one in usable),
        grant=grant,
        inputs=_inputs(visit, grant.row.id) if grant else (),
        values=visit.form,
        limits=_limits(visit),
        before=before,
    )
    status = error.status if error else 200
    return render(visit, "job_form.html", status, page=page, errors=[told(visit, error)] if error else [])


def guided_send(visit: Visit) -> Response:
    """The guided form as sent: another scenario, the pre-check, the same as YAML, or the job itself."""
    act = visit.form.get("act", "")
    grant = _grant(visit, visit.form.get("scenario", ""))
    spec = guided_spec(visit, grant, _inputs(visit, grant.row.id) if grant else ())
    try:
        if act == "check":
            return guided(visit, before=beforehand(visit, spec))
        if act == "yaml":
            code = spec.pop("code")[spec["entry"]] if spec["entry"] else ""
            return job_page(visit, manifest=manifest_of(spec), code=code)
        if act != "submit":
            return guided(visit)
        made = visit.control.create(visit.actor, "job", spec)
    except SandboxError as error:
        return guided(visit, error)
    return go(f"{BASE}/r/job/{made.id}")
