"""The application for a scenario, step by step: which data, why, who, how long, and all of it once more.

What was filled in travels with the form, nothing is stored before it is sent. The list of columns can be
derived from a SQL text (``sandbox.authorisation.needed``); beside each column stands whether that text needs
it. What the door says of the application is asked before it is sent and shown at the step it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sandbox.authorisation.needed import Needed, needed
from sandbox.catalog.entry import USABLE
from sandbox.console.render import render, told
from sandbox.console.views.catalogue import NAME as ENTRY
from sandbox.console.views.catalogue import described
from sandbox.console.views.checks import Check, checks
from sandbox.console.views.resources import title_of
from sandbox.console.visit import BASE, Visit, go
from sandbox.control.entry_index import chunks
from sandbox.control.listing import listed
from sandbox.control.rehearsal import Answer, rehearse
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource

STEPS = (
    ("data", "要哪些数据"),
    ("why", "做什么用"),
    ("who", "谁来用"),
    ("term", "多久、几次"),
    ("review", "核对"),
)
# at which step a refusal is mended: by the field of the specification, or by the code
FIELDS = {
    "list": "data", "title": "why", "purpose": "why", "description": "why", "product_forms": "why",
    "agreement": "who", "developer": "who", "starts": "term", "ends": "term", "uses": "term",
}  # fmt: skip
CODES = {
    "data": {
        "NOT_AUTHORISED", "COLUMN_UNKNOWN", "LIST_REUSED", "NEGATIVE_LIST", "SQL_LONG",
        "SQL_UNREAD", "SQL_DEEP", "SQL_STATEMENT", "SQL_FUNCTION", "ROWS_UNREAD",
    },
    "who": {
        "OUT_OF_SCOPE", "AGREEMENT_INACTIVE", "APPLICANT", "NOT_PARTY", "ORGANISATION_INACTIVE",
        "SOD_THIRD_PARTY", "SOD_REDEV",
    },
    "term": {"TERM_ORDER", "TERM_OUTSIDE", "FORM_NUMBER"},
}  # fmt: skip
MOST_ENTRIES = 8  # of one application by this form
MOST_COLUMNS = 800  # of its entries in all: larger lists are applied for by sandbox apply
SHOWN = 8  # entries that the search of the first step offers
MAX_LINE = 4000  # characters of a field that is carried along
FORMS = ("dataset", "report", "model", "interface", "service")
CONDITION = re.compile(r"\s*([A-Za-z_]\w{0,62})\s*(!=|<=|>=|=|<|>|in\b)\s*(.+?)\s*", re.IGNORECASE)
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
NUMERIC = ("integer", "number", "decimal")


@dataclass(frozen=True)
class Column:
    """A field of a chosen entry, whether it is asked for, and whether the SQL reads it (None: no SQL)."""

    field: Mapping[str, Any]
    name: str  # of its control
    asked: bool
    read: bool | None

    @property
    def beyond(self) -> bool:
        """Asked for, and not needed by the SQL."""
        return self.asked and self.read is False


@dataclass(frozen=True)
class Chosen:
    """An entry of the application."""

    id: str
    title: str
    table: str  # what it is called in the SQL
    columns: tuple[Column, ...]
    days: tuple[str, ...]  # fields that a period can be of
    whole: bool  # the SQL reads all of it by *
    usable: bool

    @property
    def asked(self) -> tuple[str, ...]:
        return tuple(one.field["name"] for one in self.columns if one.asked)

    @property
    def beyond(self) -> tuple[Column, ...]:
        return tuple(one for one in self.columns if one.beyond)


@dataclass(frozen=True)
class Term:
    """An agreement to apply under, as it is disclosed."""

    id: str
    title: str
    operator: str
    starts: str
    ends: str
    missing: tuple[str, ...]  # chosen entries that are not in its scope


@dataclass(frozen=True)
class ApplyPage:
    """What ``apply.html`` shows."""

    step: str
    steps: tuple[dict[str, str], ...]
    values: Mapping[str, str]
    carried: tuple[tuple[str, str], ...]  # fields of the other steps
    chosen: tuple[Chosen, ...]
    offered: tuple[tuple[str, str, str], ...]  # (id, title, provider) that can be chosen
    needed: Needed | None
    agreements: tuple[Term, ...]
    organisation: str
    checks: tuple[Check, ...]
    mend: str  # the step at which what was refused is mended, "" for none
    before: str
    after: str


def table_of(entry: str) -> str:
    """What an entry is called in SQL: its id, hyphens as underscores."""
    return entry.replace("-", "_")


def _ids(visit: Visit) -> list[str]:
    """The chosen entries in the form's order; of the address on the first visit."""
    if visit.request.method == "GET":
        return [one for one in (visit.query("entry"),) if one]
    kept = [name[6:] for name in visit.form if name.startswith("entry.") and visit.form[name] == "on"]
    if len(kept) > MOST_ENTRIES:
        raise fail("FORM_MANY", most=MOST_ENTRIES)
    return kept


def _entries(visit: Visit) -> list[Resource]:
    """The chosen entries, as the door shows them; one that may not be known of is as if not chosen."""
    found, columns = [], 0
    for id in _ids(visit):
        try:
            entry = visit.control.get(visit.actor, ENTRY, id)
        except SandboxError as error:
            if error.code != "NOT_FOUND":
                raise
            continue
        columns += len(entry.spec["fields"])
        if columns > MOST_COLUMNS:
            raise fail("FORM_MANY", most=MOST_COLUMNS)
        found.append(entry)
    return found


def _derived(visit: Visit, entries: list[Resource]) -> tuple[Needed | None, SandboxError | None]:
    """What the SQL of the form reads of the chosen entries, if there is one, and what is wrong with it."""
    sql = visit.form.get("sql", "").replace("\r\n", "\n")
    if not sql.strip():
        return None, None
    tables = {table_of(one.id): [field["name"] for field in one.spec["fields"]] for one in entries}
    try:
        return needed(sql, tables), None
    except SandboxError as error:
        return None, error


def _chosen(visit: Visit, entries: list[Resource], derived: Needed | None, fill: bool) -> tuple[Chosen, ...]:
    """The chosen entries with their columns; ``fill``: what the SQL reads is ticked, and nothing else."""
    made = []
    for entry in entries:
        table = table_of(entry.id)
        read = None if derived is None else set(derived.columns.get(table, ()))
        columns = []
        for field in entry.spec["fields"]:
            control = f"c.{entry.id}.{field['name']}"
            needs = None if read is None else field["name"] in read
            asked = bool(needs) if fill else visit.form.get(control) == "on"
            columns.append(Column(described(visit, field), control, asked, needs))
        days = tuple(one["name"] for one in entry.spec["fields"] if one["type"] in ("date", "datetime"))
        made.append(
            Chosen(
                entry.id,
                title_of(entry, visit.lang),
                table,
                tuple(columns),
                days,
                derived is not None and table in derived.whole,
                entry.state in USABLE,
            )
        )
    return tuple(made)


def _offered(visit: Visit, chosen: list[str]) -> tuple[tuple[str, str, str], ...]:
    """Entries that can be applied for, by the words of the step's search: of the first chunk of the
    catalogue; others are chosen from their own pages."""
    words = visit.form.get("find", "")[:100].casefold().split()
    fit: list[tuple[str, str, str]] = []
    for one in next(chunks(visit.control.store)):
        if one.state in USABLE and one.id not in chosen and one.hits(words) is not None:
            fit.append((one.id, one.titles[0 if visit.lang == "zh" else 1] or one.titles[0], one.provider))
        if len(fit) == SHOWN:
            break
    return tuple(fit)


def _agreements(visit: Visit, chosen: list[str]) -> tuple[Term, ...]:
    """Agreements that applications can be made under, as they are disclosed."""
    found, _ = listed(visit.control, visit.actor, "agreement", states=("active",), limit=50)
    return tuple(
        Term(
            one.id,
            one.spec["title"],
            one.spec["operator"],
            one.spec["starts"],
            one.spec["ends"],
            tuple(entry for entry in chosen if entry not in one.spec["scope"]),
        )
        for one in found
    )


def specification(visit: Visit, chosen: tuple[Chosen, ...]) -> dict[str, Any]:
    """The scenario as the form says it. Raises FORM_NUMBER, ROWS_UNREAD."""
    form = visit.form
    uses = form.get("uses", "").strip()
    if uses and not (uses.isascii() and uses.isdigit() and len(uses) < 10):
        raise fail("FORM_NUMBER", field="uses")
    made: dict[str, Any] = {
        key: form[key].strip()
        for key in ("agreement", "title", "purpose", "description", "starts", "ends")
        if form.get(key, "").strip()
    }
    forms = [one for one in FORMS if form.get(f"form.{one}") == "on"]
    return {
        **made,
        **({"uses": int(uses)} if uses else {}),
        **({"product_forms": forms} if forms else {}),
        "list": [_item(form, one) for one in chosen],
    }


def _item(form: Mapping[str, str], chosen: Chosen) -> dict[str, Any]:
    """One resource of the list."""
    item: dict[str, Any] = {"entry": chosen.id, "columns": list(chosen.asked)}
    column, start, end = (form.get(f"{key}.{chosen.id}", "") for key in ("period", "from", "to"))
    if column:
        item["period"] = {"column": column, "from": start, "to": end}
    lines = [line for line in form.get(f"rows.{chosen.id}", "").splitlines() if line.strip()]
    types = {one.field["name"]: one.field["type"] for one in chosen.columns}
    rows = [_condition(line, types) for line in lines[:64]]
    return {**item, **({"rows": rows} if rows else {})}


def _condition(line: str, types: Mapping[str, str]) -> dict[str, Any]:
    """``column op value`` as a row filter; values of ``in`` are separated by commas. Raises ROWS_UNREAD."""
    found = CONDITION.fullmatch(line[:1000])
    if found is None:
        raise fail("ROWS_UNREAD", line=line[:60])
    column, op, text = found[1], found[2].lower(), found[3]

    def value(part: str) -> Any:
        part = part.strip().strip("'\"")
        if types.get(column) in NUMERIC and NUMBER.fullmatch(part):
            return float(part) if "." in part else int(part)
        if types.get(column) == "boolean" and part.lower() in ("true", "false"):
            return part.lower() == "true"
        return part

    parts = re.split(r"[,，、]", text.strip("()（）")) if op == "in" else []
    return {"column": column, "op": op, "value": [value(one) for one in parts] if parts else value(text)}


def step_of(error: SandboxError) -> str:
    """The step at which a refusal is mended; the last one where none is known."""
    if error.code == "MALFORMED":
        return FIELDS.get(str(error.details.get("what", "")).partition(".")[0], "review")
    return next((step for step, codes in CODES.items() if error.code in codes), "review")


def shown(visit: Visit, step: str, *, fill: bool = False, error: SandboxError | None = None) -> Response:
    """The form at ``step``."""
    entries = _entries(visit)
    derived, unread = _derived(visit, entries)
    chosen = _chosen(visit, entries, derived, fill and derived is not None)
    errors = [one for one in (error, unread if step in ("data", "review") else None) if one is not None]
    answers: tuple[Answer, ...] = ()
    if step == "review" and not errors:
        try:
            answers = rehearse(visit.control, visit.actor, "scenario", specification(visit, chosen))
        except SandboxError as refused:
            errors.append(refused)
    wrong = [*errors, *(one.refusal for one in answers if one.refusal)]
    names = [name for name, _ in STEPS]
    at = names.index(step)
    ids = [one.id for one in chosen]
    page = ApplyPage(
        step=step,
        steps=tuple(
            {"label": visit.say(label), "state": "done" if n < at else "now" if n == at else "", "name": name}
            for n, (name, label) in enumerate(STEPS)
        ),
        values={key: text[:MAX_LINE] if key != "sql" else text for key, text in visit.form.items()},
        carried=_carried(visit, step),
        chosen=chosen,
        offered=_offered(visit, ids) if step == "data" else (),
        needed=derived,
        agreements=_agreements(visit, ids) if step in ("who", "review") else (),
        organisation=visit.actor.organisation,
        checks=checks(visit, answers),
        mend=step_of(wrong[0]) if wrong and step == "review" else "",
        before=names[at - 1] if at else "",
        after=names[at + 1] if at + 1 < len(names) else "",
    )
    status = errors[0].status if errors else 200
    return render(visit, "apply.html", status, page=page, errors=[told(visit, one) for one in errors])


OWN = {
    "data": ("sql", "find", "entry.", "c.", "period.", "from.", "to.", "rows."),
    "why": ("title", "purpose", "description", "form."),
    "who": ("agreement",),
    "term": ("starts", "ends", "uses"),
    "review": (),
}


def _belongs(name: str, step: str) -> bool:
    return any(name == one or (one.endswith(".") and name.startswith(one)) for one in OWN[step])


def _carried(visit: Visit, step: str) -> tuple[tuple[str, str], ...]:
    """Fields of the other steps, to come along hidden."""
    return tuple(
        (name, text if name == "sql" else text[:MAX_LINE])
        for name, text in visit.form.items()
        if text and any(_belongs(name, one) for one in OWN if one != step)
    )


def page(visit: Visit) -> Response:
    """The first step, an entry chosen already where the address names one."""
    return shown(visit, "data")


def send(visit: Visit) -> Response:
    """A step of the form: on, back, derive, or the application itself through the door."""
    step, act = visit.form.get("step", ""), visit.form.get("act", "")
    names = [name for name, _ in STEPS]
    step = step if step in names else names[0]
    if act == "derive":
        return shown(visit, "data", fill=True)
    if act == "find":
        return shown(visit, "data")
    if act != "file":
        return shown(visit, act if act in names else step)
    try:
        spec = specification(visit, _chosen(visit, _entries(visit), None, fill=False))
        made = visit.control.create(visit.actor, "scenario", spec)
    except SandboxError as error:
        return shown(visit, step_of(error), error=error)
    return go(f"{BASE}/r/scenario/{made.id}")
