"""The one door: every creation and every transition, of people and of the system, goes through here.

A call is one transaction: the table's row is found, role and guards are asked, the state is written
by compare-and-set together with its audit entry, and whatever follows (effects) is written with it.
A refusal rolls everything back and is then noted in the audit log on its own.
"""

from __future__ import annotations

import functools
import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785
from pydantic import BaseModel, ValidationError

from sandbox.control.kinds import kind_of
from sandbox.core.actor import READS_ALL, SYSTEM, Actor, Role
from sandbox.core.calendar import Calendar
from sandbox.core.coarse import coarse_times
from sandbox.core.errors import SandboxError, fail
from sandbox.core.lifecycle import Case, Command, Guard, Kind, Policy, Transition, World
from sandbox.core.records import signed
from sandbox.core.resource import Entry, Resource
from sandbox.store import Account, Reader, Store, Writer

ADMINISTERED = frozenset({"organisation"})  # what an administrator has to do with
ID = re.compile(r"^[a-z][a-z0-9-]{2,40}\Z")


def shown(actor: Actor, resource: Resource) -> Resource:
    """What ``actor`` may see of a resource: its kind's projection, and outside the supervising side no time
    finer than a minute, whatever the kind (R-117)."""
    seen = kind_of(resource.kind).view(actor, resource)
    return seen if actor.role in READS_ALL | {Role.SYSTEM} else coarse_times(seen)


def _look(resource: Resource) -> Resource:
    """What there is to see of a version besides that it is one."""
    return replace(resource, version=0, changed_at=None)


class Sight(World):
    """The world as one transaction sees it.

    ``settled``: nothing is written in it, so what was read once needs no reading again (a list asks for the
    same few agreements and scenarios row after row).
    """

    def __init__(self, reader: Reader, *, settled: bool = False) -> None:
        self._reader = reader
        self._settled = settled
        self._known: dict[tuple[str, str], Resource | None] = {}

    @functools.cached_property
    def _accounts(self) -> list[Account]:
        """Read once, as who is affiliated with whom asks for each organisation; no transition changes one."""
        return self._reader.accounts()

    def get(self, kind: str, id: str) -> Resource | None:
        if not self._settled:
            return self._reader.get(kind, id)
        if (kind, id) not in self._known:
            self._known[kind, id] = self._reader.get(kind, id)
        return self._known[kind, id]

    def find(
        self,
        kind: str,
        *,
        organisation: str | None = None,
        state: str | Sequence[str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Resource]:
        return self._reader.find(kind, organisation=organisation, state=state, labels=labels)

    def persons(self, organisation: str) -> frozenset[str]:
        return frozenset(
            account.person
            for account in self._accounts
            if any(membership.organisation == organisation for membership in account.memberships)
        )

    def roles(self, organisation: str) -> frozenset[str]:
        return frozenset(
            str(membership.role)
            for account in self._accounts
            for membership in account.memberships
            if membership.organisation == organisation
        )


class Control:
    """The door of one space. ``wake`` is told of resources that have machine work after a commit."""

    def __init__(
        self,
        store: Store,
        policy: Policy,
        calendar: Calendar,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        wake: Callable[[Resource], None] = lambda resource: None,
    ) -> None:
        self.store = store
        self.policy = policy
        self.calendar = calendar
        self.clock = clock
        self.wake = wake

    # --- what callers do

    def create(
        self,
        actor: Actor,
        kind: str,
        spec: Mapping[str, Any],
        *,
        id: str = "",
        request: str = "",
        once: str = "",
    ) -> Resource:
        """Bring one into being. Returns what ``actor`` may see of it; raises the guard's refusal.

        ``once`` is an idempotency key: the same creation asked for again under it gives what it made the
        first time; another one under it is refused (IDEMPOTENCY).
        """
        command = Command(kind, id or self.new_id(kind), kind_of(kind).create.event, spec, actor.organisation)
        asked = {"kind": kind, "id": id, "spec": dict(spec), "organisation": actor.organisation}
        key = (once, _digest(asked)) if once else None
        return self._call(actor, command, created=True, request=request, once=key)

    def act(
        self,
        actor: Actor,
        kind: str,
        id: str,
        event: str,
        payload: Mapping[str, Any] | None = None,
        *,
        expected: int | None = None,
        request: str = "",
    ) -> Resource:
        """One transition of ``kind/id``. ``expected``: the version the caller has seen, or STALE."""
        kind_of(kind)
        command = Command(kind, id, event, payload or {})
        return self._call(actor, command, created=False, request=request, expected=expected)

    def get(self, actor: Actor, kind: str, id: str) -> Resource:
        """One resource as ``actor`` may see it; NOT_FOUND also if it may not be known of."""
        kind_of(kind)
        self.may_look(actor, kind)
        with self.store.read() as reader:
            found = reader.get(kind, id)
            if found is None or not self.sees(actor, found, Sight(reader)):
                raise fail("NOT_FOUND", kind=kind, id=id)
            return shown(actor, found)

    def find(
        self,
        actor: Actor,
        kind: str,
        *,
        state: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> list[Resource]:
        """Those that ``actor`` may see, oldest first."""
        kind_of(kind)
        self.may_look(actor, kind)
        with self.store.read() as reader:
            sight = Sight(reader, settled=True)
            found = reader.find(kind, state=state, labels=labels)
            return [shown(actor, one) for one in found if self.sees(actor, one, sight)]

    def history(self, actor: Actor, kind: str, id: str) -> list[Resource]:
        """Every version that ``actor`` may see, oldest first; NOT_FOUND as ``get``.

        Outside the supervising side a version that looks like the one before is left out: that somebody said
        something at a certain minute is not theirs to know either.
        """
        self.get(actor, kind, id)
        with self.store.read() as reader:
            sight = Sight(reader, settled=True)
            versions = [one for one in reader.history(kind, id) if self.sees(actor, one, sight)]
        seen = [shown(actor, one) for one in versions]
        if actor.role in READS_ALL | {Role.SYSTEM}:
            return seen
        return [one for n, one in enumerate(seen) if n == 0 or _look(one) != _look(seen[n - 1])]

    def possible(self, actor: Actor, resource: Resource) -> list[str]:
        """The events that the table offers ``actor``'s role in this state (guards not asked)."""
        return [row.event for row in kind_of(resource.kind).possible(resource.state) if actor.role in row.by]

    @staticmethod
    def sees(actor: Actor, resource: Resource, world: World) -> bool:
        """Whether ``actor`` may know of it. The system sees all; administrators no data (R-072)."""
        if actor.role == Role.SYSTEM:
            return True
        if actor.role == Role.SPACE_ADMIN and resource.kind not in ADMINISTERED:
            return False
        return kind_of(resource.kind).visible(actor, resource, world)

    def may_look(self, actor: Actor, kind: str) -> None:
        """Administering the runtime gives no sight of what it works on (R-072). Raises NO_DATA_RIGHT."""
        if actor.role == Role.SPACE_ADMIN and kind not in ADMINISTERED:
            self.note(actor, "read", f"{kind}/-", reason="NO_DATA_RIGHT")
            raise fail("NO_DATA_RIGHT")

    def ask(self, actor: Actor, kind: str, id: str, event: str, guards: Sequence[Guard]) -> None:
        """Ask table and ``guards`` about ``event`` without doing it; a refusal is logged and raised."""
        try:
            with self.store.read() as reader:
                sight = Sight(reader)
                present = reader.get(kind, id)
                if present is None or not self.sees(actor, present, sight):
                    raise fail("NOT_FOUND", kind=kind, id=id)
                row = self._row(kind_of(kind), event, present)
                self._role(actor, row)
                case = Case(present, actor, None, self.policy, self.clock(), sight, self.term)
                for guard in guards:
                    guard(case)
        except SandboxError as error:
            if actor.role != Role.SYSTEM:  # the machine asks again every few seconds
                self.note(actor, event, f"{kind}/{id}", reason=error.code)
            raise

    def note(self, actor: Actor, action: str, object: str, *, reason: str = "", **details: Any) -> None:
        """An audit entry for what changes no state: a sign-in, a read of evidence, a refusal."""
        with self.store.write() as writer:
            writer.note(self._entry(actor, action, object, reason=reason, details=details))

    def tick(self) -> list[str]:
        """Clocks that have run out: the state's lapse event, or the overdue flag and its escalation.

        Returns the refs concerned. Nothing is approved here.
        """
        touched: list[str] = []
        now = self.clock()
        with self.store.read() as reader:
            due = reader.due(now)
        for found in due:
            lapse = kind_of(found.kind).state(found.state).lapse
            try:
                if lapse:
                    self.act(
                        SYSTEM, found.kind, found.id, lapse, self._cause(found, lapse), expected=found.version
                    )
                else:
                    self._overdue(found)
            except SandboxError as error:
                if error.code not in ("STALE", "STATE"):
                    raise
                continue  # it moved on by itself meanwhile
            touched.append(found.ref)
        return touched

    # --- how it is done

    def _call(
        self,
        actor: Actor,
        command: Command,
        *,
        created: bool,
        request: str,
        expected: int | None = None,
        once: tuple[str, str] | None = None,
    ) -> Resource:
        written: list[Resource] = []
        try:
            with self.store.write() as writer:
                known = writer.idempotent_response(actor.account, *once) if once else None
                before = writer.get(command.kind, known["id"]) if known else None
                result = before or self._run(writer, actor, command, created, request, written, expected)
                if once and before is None:
                    writer.idempotent(actor.account, *once, {"id": result.id}, self.clock())
        except SandboxError as error:
            if actor.role != Role.SYSTEM:
                named = command.id if ID.match(command.id) else "-"
                self.note(
                    actor, command.event, f"{command.kind}/{named}", reason=error.code, request_id=request
                )
            raise
        for resource in written:
            if resource.state in kind_of(resource.kind).working:
                self.wake(resource)
        return shown(actor, result)

    def _run(
        self,
        writer: Writer,
        actor: Actor,
        command: Command,
        created: bool,
        request: str,
        written: list[Resource],
        expected: int | None = None,
    ) -> Resource:
        table = kind_of(command.kind)
        self._not_by_hand(table, actor, command.payload)
        sight = Sight(writer)
        if created:
            if not ID.match(command.id):
                raise fail("MALFORMED", what="id", why=ID.pattern)
            present = Resource(command.kind, command.id, command.organisation, "", {})
            row = table.create
        else:
            found = writer.get(command.kind, command.id)
            if found is None or not self.sees(actor, found, sight):
                raise fail("NOT_FOUND", kind=command.kind, id=command.id)
            if expected is not None and found.version != expected:
                raise fail("STALE", version=found.version)
            present = found
            row = self._row(table, command.event, present)
        if actor.role not in row.by:
            raise fail(
                "ROLE",
                role=str(actor.role),
                event=row.event,
                may=", ".join(sorted(str(role) for role in row.by)),
            )
        payload = self._parse(row.payload, command.payload, row.event)
        case = Case(present, actor, payload, self.policy, self.clock(), sight, self.term)
        for guard in row.guards:
            guard(case)
        after = self._after(table, row, case)
        entry = self._entry(
            actor,
            row.event,
            after.ref,
            before=present.state,
            after=after.state,
            request=request,
            details=self._evidence(payload, present, after),
        )
        stored = writer.put(after, entry, expected=present.version)
        written.append(stored)
        for effect in row.effects:
            for follow in effect(case, stored):
                self._follow(writer, follow, request, written)
        return stored

    def _follow(self, writer: Writer, follow: Command, request: str, written: list[Resource]) -> None:
        """A command that follows from the transition: by the system, in the same transaction."""
        name = follow.id or self.new_id(follow.kind)
        self._run(writer, SYSTEM, replace(follow, id=name), follow.creates, request, written)

    @staticmethod
    def new_id(kind: str) -> str:
        """A fresh id, e.g. ``job-3f9a…``."""
        return f"{kind_of(kind).prefix}-{secrets.token_hex(5)}"

    @staticmethod
    def _not_by_hand(table: Kind, actor: Actor, payload: Mapping[str, Any]) -> None:
        """What the machine measures is set by nobody else (R-127): MACHINE_ONLY, whatever else is wrong."""
        for name in sorted(table.machine & payload.keys()):
            if actor.role != Role.SYSTEM:
                raise fail("MACHINE_ONLY", field=name)

    @staticmethod
    def _role(actor: Actor, row: Transition) -> None:
        if actor.role not in row.by:
            may = ", ".join(sorted(str(role) for role in row.by))
            raise fail("ROLE", role=str(actor.role), event=row.event, may=may)

    @staticmethod
    def _row(table: Kind, event: str, present: Resource) -> Transition:
        row = table.row(event, present.state)
        if row is None:
            possible = ", ".join(sorted({r.event for r in table.possible(present.state)})) or "-"
            raise fail("STATE", kind=present.ref, state=present.state, event=event, possible=possible)
        return row

    @staticmethod
    def _parse(model: type[BaseModel], payload: Mapping[str, Any], what: str) -> BaseModel:
        try:
            parsed = model.model_validate(dict(payload))
            rfc8785.dumps(parsed.model_dump(mode="json"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or what
            raise fail("MALFORMED", what=where, why=first["msg"]) from error
        except (rfc8785.CanonicalizationError, ValueError, RecursionError) as error:
            # guards hash lists and manifests: what has no canonical form goes no further
            raise fail("MALFORMED", what=what, why="no canonical JSON (RFC 8785): NaN, 2^53, …") from error
        return parsed

    def _after(self, table: Kind, row: Transition, case: Case) -> Resource:
        """The resource as it will be: new state, what the event records, the clock of the new state."""
        present, respecified = case.resource, isinstance(case.payload, table.spec)
        recorded = row.record(case) if row.record else {}
        if row.record is None and not respecified:
            recorded = {row.event: signed(case)}
        if not present.version and "create" not in recorded:
            recorded["create"] = {
                "by": case.actor.account,
                "person": case.actor.person,
                "role": str(case.actor.role),
                "at": case.now.isoformat(),
            }
        due = present.due_at if row.keeps_clock else self._due(row, case)
        return replace(
            present,
            state=row.target,
            spec=case.payload.model_dump(mode="json") if respecified else present.spec,
            labels=table.labels(case) if respecified else present.labels,
            status={**present.status, **recorded},
            version=present.version + 1,
            created_at=present.created_at or case.now,
            changed_at=case.now,
            due_at=due,
            overdue=present.overdue and row.keeps_clock,
        )

    def _due(self, row: Transition, case: Case) -> datetime | None:
        if row.clock is None:
            return None
        return self.term(row.clock) if isinstance(row.clock, str) else row.clock(case)

    def term(self, parameter: str) -> datetime:
        """The end of a period that starts now: ``…_wd`` in working days, ``…_days`` in calendar days."""
        length = int(self.policy.get(parameter))
        if parameter.endswith("_wd"):
            return self.calendar.add_working_days(self.clock(), length)
        return self.clock() + timedelta(days=length)

    def _overdue(self, found: Resource) -> None:
        now = self.clock()
        flagged = replace(
            found,
            overdue=True,
            version=found.version + 1,
            changed_at=now,
            status={**found.status, "escalated": {"to": str(Role.DATA_AUTHORITY), "at": now.isoformat()}},
        )
        entry = self._entry(
            SYSTEM,
            "overdue",
            found.ref,
            before=found.state,
            after=found.state,
            details={"due": str(found.due_at)},
        )
        with self.store.write() as writer:
            writer.put(flagged, entry, expected=found.version)

    @staticmethod
    def _cause(found: Resource, lapse: str) -> dict[str, Any]:
        row = kind_of(found.kind).row(lapse, found.state)
        return {"cause": "lapse"} if row is not None and "cause" in row.payload.model_fields else {}

    @staticmethod
    def _evidence(payload: BaseModel, before: Resource, after: Resource) -> dict[str, Any]:
        """What the audit entry keeps of the payload: its shape and hash, not its text. The hash is of the
        payload and of the ``salt`` that was recorded with it, if there is one."""
        body = payload.model_dump(mode="json")
        return {
            "payload_sha256": _digest(body | _salt(before, after)),
            "fields": sorted(body),
            "version": after.version,
        }

    def _entry(
        self,
        actor: Actor,
        action: str,
        object: str,
        *,
        before: str = "",
        after: str = "",
        reason: str = "",
        request: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> Entry:
        return Entry(
            at=self.clock(),
            actor=actor.account,
            organisation=actor.organisation,
            role=str(actor.role),
            action=action,
            object=object,
            outcome="refused" if reason else "done",
            reason=reason,
            before=before,
            after=after,
            policy=self.policy.id,
            request=request,
            details=dict(details or {}),
        )


def _salt(before: Resource, after: Resource) -> dict[str, str]:
    """The salt of the act that was appended to one of the status's lists."""
    for key, kept in after.status.items():
        if isinstance(kept, list) and kept and len(kept) > len(before.status.get(key, ())):
            last = kept[-1]
            if isinstance(last, dict) and "salt" in last:
                return {"salt": last["salt"]}
    return {}


def _digest(body: Any) -> str:
    """SHA-256 of the RFC 8785 form; MALFORMED if it has none (NaN, integers beyond 2^53)."""
    try:
        return hashlib.sha256(rfc8785.dumps(body)).hexdigest()
    except (rfc8785.CanonicalizationError, RecursionError) as error:
        raise fail("MALFORMED", what="body", why="not canonical JSON") from error
