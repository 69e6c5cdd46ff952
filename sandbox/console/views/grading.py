"""The proposed grading of a supply beside what its catalogue entry says: decided field by field, sent as one
edit of the entry. Who may edit, and who confirms, is the lifecycle table's to say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from starlette.responses import Response

from sandbox.catalog.entry import FieldRole, Flag
from sandbox.console.render import render, told
from sandbox.console.views.custody import Chain, chain
from sandbox.console.views.grade import NAMES, WHAT, Grade, Statistics, named, statistics, words
from sandbox.console.views.resource import Act, acts, done, with_session
from sandbox.console.visit import BASE, Visit, go
from sandbox.control.kinds import KINDS
from sandbox.core.errors import SandboxError, fail
from sandbox.core.resource import Resource
from sandbox.desensitize.profile.model import Profile

SIZE = 40  # fields on a page: what is decided there is one act
FIELDS = 10 * SIZE + 40  # controls that its form may have
ENTRY = "catalogue-entry"
CHOICES = ("keep", "take", "change")
MOST = 80  # characters of a category


@dataclass(frozen=True)
class Line:
    """One field. ``laxer``: what the entry says less than the proposal, and must be decided; ``since``: how
    what stands came to be, once the entry was edited after the supply."""

    number: int
    name: str
    title: str
    statistics: Statistics | None
    kind: str
    strength: str
    statutory: str
    confidence: float
    conflict: bool
    reasons: tuple[str, ...]
    proposed: Grade | None
    stands: Grade
    differs: tuple[str, ...]
    laxer: tuple[str, ...]
    since: str
    choice: str
    given: Grade


@dataclass(frozen=True)
class Whole:
    """What is proposed of the table as a whole, where the entry says something else."""

    name: str  # entity or sensitive_group
    stands: str
    proposed: str
    choice: str


@dataclass(frozen=True)
class Change:
    """One difference that the form makes; ``by_hand``: it is not what was proposed."""

    field: str
    what: str
    before: str
    after: str
    by_hand: bool


@dataclass(frozen=True)
class GradingPage:
    """What ``grading.html`` shows."""

    supply: str
    entry: str
    entry_title: str
    version: int | None  # None: the visitor may not see the entry as it stands
    state_label: str
    code: str  # why there is no proposal
    rows: int
    about: str
    reasons: tuple[str, ...]
    custody: Chain
    wholes: tuple[Whole, ...]
    lines: tuple[Line, ...]
    laxer: int
    edit_label: str  # "" where the table does not offer it to this role here
    roles: tuple[str, ...]  # who may
    confirm: Act | None
    changes: tuple[Change, ...]
    looked: bool
    url: str
    entry_url: str
    prev_url: str
    next_url: str
    first: int
    count: int


@dataclass(frozen=True)
class Case:
    """What a page is made from, as the door shows it to the visitor."""

    supply: Resource
    entry: Resource | None
    accepted: Resource | None  # the entry as it was when the supply was accepted
    profile: Profile | None
    code: str
    laxer: tuple[Mapping[str, Any], ...]

    @property
    def described(self) -> Mapping[str, Any]:
        """What the entry says, else what it said."""
        found = self.entry or self.accepted
        return found.spec if found else {"fields": (), "entity": None}


def case_of(visit: Visit) -> Case:
    """Raises NOT_FOUND for a supply that the visitor may not know of."""
    supply = visit.control.get(visit.actor, "supply", visit.segment("id"))
    kept = supply.status.get("grading") or {}
    entry = accepted = None
    try:
        entry = visit.control.get(visit.actor, ENTRY, supply.spec["entry"])
        version = supply.status.get("accepted", {}).get("entry_version")
        versions = visit.control.history(visit.actor, ENTRY, entry.id)
        accepted = next((one for one in versions if one.version == version), None)
    except SandboxError as error:
        if error.code != "NOT_FOUND":
            raise
    try:
        profile = Profile.model_validate(kept["proposal"]) if "proposal" in kept else None
    except ValidationError:
        profile = None
    code = "" if profile else str(kept.get("code", ""))
    return Case(supply, entry, accepted, profile, code, tuple(kept.get("laxer", ())))


def _given(visit: Visit, number: int, field: Mapping[str, Any]) -> tuple[str, Grade]:
    """The choice of a field in the form, "" for none, and what was filled in for it. Raises GRADING_LEVEL."""
    form = visit.form
    choice = form.get(f"do.{number}", "")
    stands = Grade.of(field)
    if f"category.{number}" not in form:
        return choice, stands
    level = form.get(f"level.{number}", "")
    if choice == "change" and level not in ("1", "2", "3", "4"):
        raise fail("GRADING_LEVEL", field=field["name"])
    flags = tuple(str(flag) for flag in Flag if form.get(f"flag.{number}.{flag}") == "on")
    role = form.get(f"role.{number}", "")
    return choice, Grade(
        category=form[f"category.{number}"].strip()[:MOST],
        level=int(level) if level in ("1", "2", "3", "4") else None,
        flags=flags,
        role=role if role in set(FieldRole) else stands.role,
    )


def _since(visit: Visit, case: Case, name: str, stands: Grade, proposed: Grade | None) -> str:
    """How what stands came to be, where the entry is not the version that the supply was accepted with."""
    if case.entry is None or case.accepted is None or case.entry.version == case.accepted.version:
        return ""
    before = {field["name"]: Grade.of(field) for field in case.accepted.spec["fields"]}
    was = before.get(name)
    if was is None or not was.differs(stands):
        return ""
    return visit.say("已按提议修改") if proposed and not proposed.differs(stands) else visit.say("已手工修改")


def _line(visit: Visit, case: Case, number: int, field: Mapping[str, Any]) -> Line:
    stands, name = Grade.of(field), str(field["name"])
    by_name = {one.name: one for one in case.profile.fields} if case.profile else {}
    one = by_name.get(name)
    proposed = Grade.proposed(one, stands) if one else None
    try:
        choice, given = _given(visit, number, field)
    except SandboxError:
        choice, given = "change", stands
    less = tuple(dict.fromkeys(row["what"] for row in case.laxer if row["field"] == name))
    open_still = tuple(what for what in less if proposed and what in stands.differs(proposed))
    zh = visit.lang == "zh"
    return Line(
        number=number,
        name=name,
        title=str(field.get("title_zh" if zh else "title_en", "")),
        statistics=statistics(visit, case.profile, one, field["type"]) if one and case.profile else None,
        kind=one.kind if one else "",
        strength=named(visit, str(one.strength)) if one else "",
        statutory=named(visit, str(one.statutory)) if one else "",
        confidence=one.confidence if one else 0.0,
        conflict=bool(one and one.conflict),
        reasons=tuple(reason.zh() if zh else reason.en() for reason in one.reasons) if one else (),
        proposed=proposed,
        stands=stands,
        differs=stands.differs(proposed) if proposed else (),
        laxer=open_still,
        since=_since(visit, case, name, stands, proposed),
        choice=choice or ("" if open_still else "keep"),
        given=given,
    )


def _wholes(visit: Visit, case: Case) -> tuple[Whole, ...]:
    """Entity and sensitive group, where the proposal says something else; of a group only that it is one."""
    if case.profile is None or case.entry is None:
        return ()
    spec, found = case.entry.spec, []
    if case.profile.entity and case.profile.entity != spec.get("entity"):
        found.append(("entity", str(spec.get("entity") or "—"), case.profile.entity))
    if case.profile.sensitive_group and not spec.get("sensitive_group"):
        found.append(("sensitive_group", visit.say("否"), visit.say("是")))
    return tuple(Whole(*one, visit.form.get(f"do.{one[0]}", "")) for one in found)


def spec_of(visit: Visit, case: Case) -> tuple[dict[str, Any], tuple[Change, ...]]:
    """The entry's specification as the form decides it, and what of it is new. Raises GRADING_UNDECIDED,
    GRADING_LEVEL, GRADING_SAME."""
    assert case.entry is not None
    spec = {**case.entry.spec, "fields": [dict(field) for field in case.entry.spec["fields"]]}
    first = _first(visit)
    changes: list[Change] = []
    for number, field in enumerate(spec["fields"][first : first + SIZE], first):
        line = _line(visit, case, number, field)
        choice, given = _given(visit, number, field)
        choice = choice or line.choice
        if choice not in CHOICES or (choice == "take" and line.proposed is None):
            raise fail("GRADING_UNDECIDED", field=line.name)
        wanted = {"keep": line.stands, "take": line.proposed, "change": given}[choice]
        assert wanted is not None
        changes += _changes(visit, line, wanted)
        field.update(category=wanted.category, level=wanted.level, flags=list(wanted.flags), role=wanted.role)
    for whole in _wholes(visit, case):
        if whole.choice not in ("keep", "take"):
            raise fail("GRADING_UNDECIDED", field=whole.name)
        if whole.choice == "take":
            assert case.profile is not None
            spec[whole.name] = case.profile.entity if whole.name == "entity" else True
            changes.append(Change("", whole.name, whole.stands, whole.proposed, False))
    if not changes:
        raise fail("GRADING_SAME")
    return spec, tuple(changes)


def _changes(visit: Visit, line: Line, wanted: Grade) -> list[Change]:
    differ = line.stands.differs(wanted)
    hand = wanted.differs(line.proposed) if line.proposed else tuple(WHAT.values())
    return [
        Change(
            line.name,
            named(visit, what),
            words(visit, line.stands, what),
            words(visit, wanted, what),
            what in hand,
        )
        for what in differ
    ]


def _first(visit: Visit) -> int:
    """The first field of the page that is asked for."""
    asked = visit.form.get("from", "") or visit.query("from", "0")
    return int(asked) // SIZE * SIZE if asked.isascii() and asked.isdigit() and len(asked) < 6 else 0


def model(visit: Visit, changes: tuple[Change, ...] = ()) -> GradingPage:
    """The page. Raises NOT_FOUND."""
    case = case_of(visit)
    kind = KINDS[ENTRY]
    fields, first = case.described["fields"], _first(visit)
    url = f"{BASE}/grading/{case.supply.id}"
    offered = () if case.entry is None else acts(visit, kind, case.entry)
    edit = next((one for one in offered if one.event == "edit"), None)
    # the last word on whose it is has the guard; a button that it would refuse is not shown
    own = case.entry is not None and case.entry.organisation == visit.actor.organisation
    zh = visit.lang == "zh"
    profile = case.profile
    return GradingPage(
        supply=case.supply.id,
        entry=case.supply.spec["entry"],
        entry_title=str(case.described.get("title_zh" if zh else "title_en", case.supply.spec["entry"])),
        version=case.entry.version if case.entry else None,
        state_label=visit.named(kind.state(case.entry.state)) if case.entry else "",
        code=case.code,
        rows=profile.rows if profile else 0,
        about=named(visit, str(profile.about)) if profile else "",
        reasons=tuple(one.zh() if zh else one.en() for one in profile.reasons) if profile else (),
        custody=chain(visit, case.supply),
        wholes=_wholes(visit, case),
        lines=tuple(_line(visit, case, n, one) for n, one in enumerate(fields[first : first + SIZE], first))
        if profile
        else (),
        laxer=len(case.laxer),
        edit_label=edit.label if edit and own and profile else "",
        roles=tuple(sorted(str(role) for role in _row("edit").by)),
        confirm=next((one for one in offered if one.event == "confirm"), None) if own else None,
        changes=changes,
        looked=bool(changes),
        url=url,
        entry_url=f"{BASE}/r/{ENTRY}/{case.supply.spec['entry']}",
        prev_url=f"{url}?from={first - SIZE}" if first else "",
        next_url=f"{url}?from={first + SIZE}" if first + SIZE < len(fields) else "",
        first=first,
        count=len(fields),
    )


def _row(event: str) -> Any:
    return next(one for one in KINDS[ENTRY].transitions if one.event == event)


def _shown(visit: Visit, changes: tuple[Change, ...] = (), error: SandboxError | None = None) -> Response:
    levels = [(str(n), str(n)) for n in range(1, 5)]
    return render(
        visit,
        "grading.html",
        error.status if error else 200,
        page=model(visit, changes),
        choices=[(one, visit.say(NAMES[one])) for one in CHOICES],
        levels=levels,
        roles=[(str(one), visit.say(NAMES[one])) for one in FieldRole],
        flags=[(str(one), visit.say(NAMES[one])) for one in Flag],
        words=lambda grade, what: words(visit, grade, what),
        what=[(one, visit.say(NAMES[one])) for one in WHAT.values()],
        errors=[told(visit, error)] if error else [],
    )


def page(visit: Visit) -> Response:
    """The proposal beside what stands."""
    return _shown(visit)


def decide(visit: Visit) -> Response:
    """What the form decides: shown as changes first, then sent through the door as one edit of the entry."""
    case = case_of(visit)
    try:
        if case.entry is None:
            raise fail("NOT_FOUND", kind=ENTRY, id=case.supply.spec["entry"])
        if visit.actor.role not in _row("edit").by:  # the door says so, and tells the log
            visit.control.act(visit.actor, ENTRY, case.entry.id, "edit", {})
        spec, changes = spec_of(visit, case)
    except SandboxError as error:
        return _shown(visit, error=error)
    if visit.form.get("go") != "send":
        return _shown(visit, changes)
    ended = done(visit, ENTRY, case.entry.id, "edit", spec)
    if ended.error is not None:
        return with_session(_shown(ended.visit, changes, ended.error), ended.session_id)
    return go(f"{BASE}/grading/{case.supply.id}", ended.session_id)
