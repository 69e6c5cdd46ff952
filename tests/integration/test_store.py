"""The store on both databases: the same test bodies for SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from sandbox.audit import FileSigner
from sandbox.core.errors import SandboxError
from sandbox.core.resource import Entry, Resource
from sandbox.store import Account, Membership, Reader, Store
from tests.refusal import refused

T0 = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)


def entry(object: str, after: str = "", *, at: datetime = T0, action: str = "apply", **more: Any) -> Entry:
    return Entry(at, "chen", "op", "operator", action, object, after=after, **more)


def job(id: str, **more: object) -> Resource:
    values: dict[str, object] = {"organisation": "dev", "state": "draft", "spec": {"sql": "select 1"}} | more
    return Resource("job", id, **values)  # type: ignore[arg-type]


def add(store: Store, resource: Resource, at: datetime = T0) -> Resource:
    with store.write() as writer:
        return writer.put(resource, entry(resource.ref, resource.state, at=at), expected=0)


def log_size(store: Store) -> int:
    with store.read() as reader:
        return len(reader.entries())


# resources


def test_a_resource_comes_back_as_it_was_stored(store: Store) -> None:
    shanghai = timezone(timedelta(hours=8))
    given = job(
        "j-1",
        spec={"列": ["区", "收入"], "n": 2**60, "x": 0.1, "nested": {"deep": [None, True, "😀"]}},
        status={"why": "\x00 within JSON is text"},
        labels={"agreement": "ag-1", "scenario": "sc-1"},
        due_at=T0.astimezone(shanghai) + timedelta(days=5),
    )
    stored = add(store, given)
    assert stored == replace(given, version=1, created_at=T0, changed_at=T0)
    with store.read() as reader:
        read = reader.get("job", "j-1")
    assert read == stored
    assert read is not None
    assert read.due_at is not None
    assert read.created_at is not None
    assert read.created_at.tzinfo is UTC
    assert read.due_at.utcoffset() == timedelta(0)


def test_every_version_stays_readable_with_the_entry_that_tells_of_it(store: Store) -> None:
    first = add(store, job("j-1"))
    later = T0 + timedelta(hours=1)
    with store.write() as writer:
        second = writer.put(
            replace(first, state="queued", labels={"node": "n1"}),
            entry("job/j-1", "queued", at=later, action="submit", before="draft"),
            expected=1,
        )
    assert (second.version, second.created_at, second.changed_at) == (2, T0, later)
    with store.read() as reader:
        assert reader.get("job", "j-1") == second
        assert reader.history("job", "j-1") == [first, second]
        assert reader.history("job", "j-2") == []
        told = reader.entries(object="job/j-1")
    assert [(seq, told_entry.action, told_entry.after) for seq, told_entry in told] == [
        (0, "apply", "draft"),
        (1, "submit", "queued"),
    ]


@pytest.mark.parametrize(
    ("id", "expected", "code"),
    [("j-1", 0, "EXISTS"), ("j-2", 1, "NOT_FOUND"), ("j-1", 2, "STALE"), ("j-1", 7, "STALE")],
)
def test_a_put_that_does_not_fit_what_is_there_changes_nothing(
    store: Store, id: str, expected: int, code: str
) -> None:
    first = add(store, job("j-1"))
    with refused(code), store.write() as writer:
        writer.put(job(id, state="queued"), entry(f"job/{id}", "queued"), expected=expected)
    with store.read() as reader:
        assert reader.get("job", "j-1") == first
        assert reader.get("job", "j-2") is None
        assert len(reader.entries()) == 1


def test_a_stale_put_tells_the_present_version(store: Store) -> None:
    add(store, job("j-1"))
    with pytest.raises(SandboxError) as caught, store.write() as writer:
        writer.put(job("j-1"), entry("job/j-1"), expected=5)
    assert caught.value.details == {"version": 1}


def test_a_failure_after_the_change_leaves_neither_state_nor_entry(store: Store) -> None:
    add(store, job("j-1"))
    with store.read() as reader:
        before = reader.head()

    class Stop(Exception):
        pass

    with contextlib.suppress(Stop), store.write() as writer:
        writer.put(job("j-2", labels={"a": "b"}), entry("job/j-2", "draft"), expected=0)
        writer.note(entry("job/j-2", action="download"))
        assert writer.get("job", "j-2") is not None
        assert writer.head().size == 3
        raise Stop
    with store.read() as reader:
        assert reader.get("job", "j-2") is None
        assert reader.find("job", labels={"a": "b"}) == []
        assert reader.history("job", "j-2") == []
        assert reader.head() == before
        assert len(reader.entries()) == 1


def test_a_refusal_is_recorded_after_the_rollback(store: Store) -> None:
    with refused("NOT_FOUND"), store.write() as writer:
        writer.put(job("j-9"), entry("job/j-9"), expected=3)
    with store.write() as writer:
        assert writer.note(entry("job/j-9", outcome="refused", reason="NOT_FOUND")) == 0
    with store.read() as reader:
        ((seq, told),) = reader.entries()
    assert (seq, told.outcome, told.reason) == (0, "refused", "NOT_FOUND")


@pytest.mark.parametrize(
    ("told", "what"),
    [
        (entry("job/j-2", "draft"), "object"),
        (entry("job/j-1", "released"), "outcome"),
        (entry("job/j-1", "draft", outcome="refused"), "outcome"),
    ],
)
def test_an_entry_that_tells_of_something_else_is_refused(store: Store, told: Entry, what: str) -> None:
    with refused("ENTRY_MISMATCH"), store.write() as writer:
        writer.put(job("j-1"), told, expected=0)
    assert log_size(store) == 0


def test_an_entry_that_cannot_be_recorded_takes_the_change_with_it(store: Store) -> None:
    with refused("AUDIT_ENTRY"), store.write() as writer:
        writer.put(job("j-1"), replace(entry("job/j-1"), details={"x": float("inf")}), expected=0)
    with store.read() as reader:
        assert reader.get("job", "j-1") is None


@pytest.mark.parametrize(
    "change",
    [
        {"spec": {"x": float("nan")}},
        {"spec": {1: 2}},
        {"status": {"at": T0}},
        {"organisation": ""},
        {"organisation": "a\x00b"},
        {"state": "\ud800"},
        {"id": "x" * 201},
        {"labels": {"": "x"}},
        {"labels": {"a": 1}},
        {"labels": {"a": "\x00"}},
        {"labels": {"a": "x" * 401}},
    ],
)
def test_what_the_databases_cannot_hold_alike_is_refused(store: Store, change: dict[str, object]) -> None:
    bad = replace(job("j-1"), **change)  # type: ignore[arg-type]
    with refused("MALFORMED"), store.write() as writer:
        writer.put(bad, entry(bad.ref), expected=0)
    assert log_size(store) == 0


@pytest.mark.parametrize("nasty", ["a\x00b", "\ud800", "' OR 1=1 --", "x" * 5000])
def test_asking_for_what_cannot_be_there_finds_nothing(store: Store, nasty: str) -> None:
    add(store, job("j-1", labels={"a": "b"}))
    with store.read() as reader:
        assert reader.get("job", nasty) is None
        assert reader.get(nasty, "j-1") is None
        assert reader.history("job", nasty) == []
        assert reader.find("job", organisation=nasty) == []
        assert reader.find("job", state=[nasty]) == []
        assert reader.find("job", labels={"a": nasty}) == []
        assert reader.find("job", labels={nasty: "b"}) == []
        assert reader.entries(object=nasty) == []
        assert reader.account(nasty) is None
        assert reader.account_by_token(nasty, T0) is None
        assert reader.idempotent_response("a", nasty, "0") is None


# look-ups


def test_find_narrows_by_organisation_state_and_labels(store: Store) -> None:
    add(store, job("j-1", labels={"agreement": "ag-1", "scenario": "s1"}), T0)
    add(store, job("j-2", organisation="other", labels={"agreement": "ag-1"}), T0 + timedelta(1))
    add(store, job("j-3", state="queued", labels={"agreement": "ag-2"}), T0 + timedelta(2))
    add(store, Resource("scenario", "s1", "dev", "draft", {}), T0)

    def ids(**how: object) -> list[str]:
        with store.read() as reader:
            return [found.id for found in reader.find("job", **how)]  # type: ignore[arg-type]

    assert ids() == ["j-1", "j-2", "j-3"]
    assert ids(organisation="dev") == ["j-1", "j-3"]
    assert ids(state="queued") == ["j-3"]
    assert ids(state=("queued", "draft")) == ["j-1", "j-2", "j-3"]
    assert ids(state=[]) == []
    assert ids(labels={"agreement": "ag-1"}) == ["j-1", "j-2"]
    assert ids(labels={"agreement": "ag-1", "scenario": "s1"}) == ["j-1"]
    assert ids(labels={"agreement": "ag-1"}, organisation="other", state="draft") == ["j-2"]


def test_labels_follow_the_present_version(store: Store) -> None:
    first = add(store, job("j-1", labels={"node": "n1", "keep": "k"}))
    with store.write() as writer:
        writer.put(replace(first, labels={"node": "n2"}), entry("job/j-1"), expected=1)
    with store.read() as reader:
        assert reader.find("job", labels={"node": "n1"}) == []
        assert reader.find("job", labels={"keep": "k"}) == []
        assert [found.id for found in reader.find("job", labels={"node": "n2"})] == ["j-1"]


def test_pages_are_complete_and_do_not_overlap(store: Store) -> None:
    """Also where several were made in the same instant."""
    with store.write() as writer:
        for number in range(25):
            at = T0 + timedelta(seconds=number // 7)
            made = job(f"j-{24 - number:02}")
            writer.put(made, entry(made.ref, at=at), expected=0)
    with store.read() as reader:
        everything = [found.id for found in reader.find("job")]
        paged: list[str] = []
        while page := reader.find("job", limit=4, after=paged[-1] if paged else None):
            paged += [found.id for found in page]
    assert paged == everything
    assert sorted(paged) == [f"j-{number:02}" for number in range(25)]
    with refused("NOT_FOUND"), store.read() as reader:
        reader.find("job", after="j-99")


def test_due_are_those_whose_clock_ran_out_and_are_not_marked_yet(store: Store) -> None:
    for id, hours, overdue in (
        ("late", 2, False),
        ("later", 1, False),
        ("marked", 1, True),
        ("not yet", 9, False),
    ):
        add(store, job(id, due_at=T0 + timedelta(hours=hours), overdue=overdue))
    add(store, job("no clock"))
    with store.read() as reader:
        assert [found.id for found in reader.due(T0 + timedelta(hours=5))] == ["later", "late"]
        assert reader.due(T0 + timedelta(hours=1)) == []


_LOOK_UPS: list[tuple[str, Callable[[Reader], object]]] = [
    ("ix_label_look_up", lambda reader: reader.find("job", labels={"agreement": "ag-7"})),
    ("ix_resource_due", lambda reader: reader.due(T0 + timedelta(seconds=5))),
    ("ix_audit_object", lambda reader: reader.entries(object="job/j-7")),
    ("ix_resource_organisation", lambda reader: reader.find("job", organisation="dev-7", limit=1)),
    ("ix_resource_state", lambda reader: reader.find("job", state="queued", limit=10)),
    ("ix_resource_by_due", lambda reader: reader.page("job", order="due", limit=10)),
    ("ix_resource_by_due", lambda reader: reader.page("job", order="due", descending=True, limit=10)),
    (
        "ix_resource_by_state_due",
        lambda reader: reader.page("job", states=("queued",), order="due", limit=10),
    ),
    ("ix_resource_by_change", lambda reader: reader.page("job", order="changed", limit=10)),
]


def plan_of(store: Store, look_up: Callable[[Reader], object]) -> str:
    """How the database goes about the very statement that ``look_up`` sends."""
    sent: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(store._engine, "before_cursor_execute", keep)
    with store.read() as reader:
        assert look_up(reader)
        event.remove(store._engine, "before_cursor_execute", keep)
        statement, parameters = next(pair for pair in sent if pair[0].startswith("SELECT"))
        sqlite = reader._connection.dialect.name == "sqlite"
        explain = f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{statement}"
        return " ".join(str(row) for row in reader._connection.exec_driver_sql(explain, parameters))


def test_look_ups_use_their_index(store: Store) -> None:
    with store.write() as writer:
        for number in range(400):
            made = job(
                f"j-{number}",
                organisation=f"dev-{number}",
                state=("queued", "draft")[number % 2],
                due_at=T0 + timedelta(seconds=number),
                labels={"agreement": f"ag-{number}"},
            )
            writer.put(made, entry(made.ref), expected=0)
    with store._engine.begin() as connection:
        connection.execute(text("ANALYZE"))
    plans = [(index, plan_of(store, look_up)) for index, look_up in _LOOK_UPS]
    assert [plan for index, plan in plans if index not in plan] == []


# transactions


def test_a_read_sees_one_moment(store: Store) -> None:
    first = add(store, job("j-1"))
    with store.read() as reader:
        assert reader.get("job", "j-1") == first
        with store.write() as writer:
            writer.put(replace(first, state="queued"), entry("job/j-1", "queued"), expected=1)
        assert reader.get("job", "j-1") == first
        assert len(reader.entries()) == 1
    with store.read() as reader:
        assert len(reader.entries()) == 2


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has no such transactions
def test_a_read_cannot_write(store: Store) -> None:
    insert = text("INSERT INTO node VALUES ('a', 'b', now())")
    with store.read() as reader, pytest.raises(DBAPIError, match="read-only transaction"):
        reader._connection.execute(insert)


def test_a_write_within_a_write_is_a_defect_not_a_deadlock(store: Store) -> None:
    with store.write() as writer:
        with pytest.raises(RuntimeError, match="within a write"), store.write():
            pass
        writer.note(entry("job/j-1"))
    with store.write() as writer:  # and the store is usable afterwards
        assert writer.note(entry("job/j-1")) == 1


def test_a_time_without_zone_is_refused_and_rolled_back(store: Store) -> None:
    naive = datetime(2026, 11, 21)  # noqa: DTZ001 - that is the point
    with pytest.raises(Exception, match="without zone"), store.write() as writer:
        writer.put(job("j-1", due_at=naive), entry("job/j-1"), expected=0)
    assert log_size(store) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit",
        "UPDATE audit SET body = body",
        "DELETE FROM resource_version",
        "UPDATE resource_version SET state = state",
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET note = note",
        "DELETE FROM resource",
    ],
)
def test_history_refuses_sql_that_rewrites_it(store: Store, statement: str) -> None:
    add(store, job("j-1"))
    store.checkpoint()
    rewrite = text(statement)
    with store._engine.connect() as connection, pytest.raises(DBAPIError, match="append only"):
        connection.execute(rewrite)


def test_the_log_refuses_truncate_and_replace(store: Store) -> None:
    add(store, job("j-1"))
    rewrite = {
        "sqlite": "INSERT OR REPLACE INTO audit SELECT * FROM audit",
        "postgresql": "TRUNCATE audit CASCADE",
    }[store._engine.dialect.name]
    with store._engine.connect() as connection, pytest.raises(DBAPIError, match="append only"):
        connection.execute(text(rewrite))


def test_the_writer_has_no_verb_that_deletes_but_the_purge_of_payloads() -> None:
    """R-195 in part: nothing in the store's interface deletes or edits an event or a resource. ``purge``
    takes the payloads of log entries whose time is over (R-193); their leaves stay (test_audit_purge.py)."""
    from sandbox.store import Writer

    verbs = {name for name in dir(Writer) if not name.startswith("_")}
    words = ("delete", "remove", "purge", "drop")
    assert [name for name in verbs if any(word in name for word in words)] == ["purge"]


def test_a_defect_stays_visible_and_tells_nothing_of_what_is_stored(store: Store) -> None:
    """What is no missing table and no absent database is not "try again"; our text holds no parameter."""
    orphan = text("INSERT INTO membership VALUES (:account, 'op', 'operator')")
    with pytest.raises(IntegrityError) as caught, store.write() as writer:
        writer._connection.execute(orphan, {"account": "a secret no such table"})
    assert "secret" not in str(caught.value).replace(str(caught.value.orig), "")
    assert log_size(store) == 0


# accounts and tokens

CHEN = Account(
    "chen", "陈静", "person-1", False, (Membership("body", "reviewer"), Membership("op", "operator"))
)


def test_an_account_comes_back_and_can_be_changed(store: Store) -> None:
    with store.write() as writer:
        writer.put_account(CHEN, entry("account/chen", action="create-account"))
        writer.put_account(Account("ada", "Ada", "person-2"), entry("account/ada"))
    changed = replace(CHEN, disabled=True, memberships=(Membership("body", "reviewer"),))
    with store.read() as reader:
        assert reader.account("chen") == CHEN
        assert [account.id for account in reader.accounts()] == ["ada", "chen"]
        assert reader.account("nobody") is None
    with store.write() as writer:
        writer.put_account(changed, entry("account/chen", action="disable"))
    with store.read() as reader:
        assert reader.account("chen") == changed
        assert len(reader.entries(object="account/chen")) == 2


def test_only_the_hash_of_a_token_is_kept(store: Store) -> None:
    with store.write() as writer:
        writer.put_account(CHEN, entry("account/chen"))
        token = writer.put_token("chen", "laptop", T0 + timedelta(days=1), entry("account/chen"))
    assert token.startswith("sbx_")
    assert len(token) >= 4 + 43
    with store.read() as reader:
        assert reader.account_by_token(token, T0) == CHEN
        assert reader.account_by_token(token + "x", T0) is None
        assert reader.account_by_token("", T0) is None
        rows = reader._connection.execute(text("SELECT * FROM token")).all()
        log = [told for _, told in reader.entries()]
    assert token not in repr(rows)
    assert token not in repr(log)


def test_a_token_ends_with_its_expiry_its_revocation_and_its_account(store: Store) -> None:
    end = T0 + timedelta(days=1)
    with store.write() as writer:
        writer.put_account(CHEN, entry("account/chen"))
        one = writer.put_token("chen", "one", end, entry("account/chen"))
        two = writer.put_token("chen", "two", end, entry("account/chen"))
    with store.read() as reader:
        assert reader.account_by_token(one, end - timedelta(microseconds=1)) == CHEN
        assert reader.account_by_token(one, end) is None
    with store.write() as writer:
        writer.revoke_token("chen", "one", entry("account/chen", action="revoke"))
    with store.read() as reader:
        assert reader.account_by_token(one, T0) is None
        assert reader.account_by_token(two, T0) == CHEN
        assert {token.name: token.revoked for token in reader.tokens("chen")} == {"one": True, "two": False}
    with store.write() as writer:
        writer.put_account(replace(CHEN, disabled=True), entry("account/chen"))
    with store.read() as reader:
        assert reader.account_by_token(two, T0) is None


def test_refusals_about_accounts_and_tokens(store: Store) -> None:
    end = T0 + timedelta(days=1)
    told = entry("account/chen")
    with store.write() as writer:
        writer.put_account(CHEN, told)
        writer.put_token("chen", "laptop", end, told)
    attempts: list[tuple[str, Callable[..., object], tuple[object, ...]]] = [
        ("EXISTS", lambda w, *a: w.put_token(*a), ("chen", "laptop", end, told)),
        ("NOT_FOUND", lambda w, *a: w.put_token(*a), ("nobody", "x", end, entry("account/nobody"))),
        ("MALFORMED", lambda w, *a: w.put_token(*a), ("chen", "x", T0, told)),
        ("MALFORMED", lambda w, *a: w.put_token(*a), ("chen", "", end, told)),
        ("ENTRY_MISMATCH", lambda w, *a: w.put_token(*a), ("chen", "x", end, entry("account/ada"))),
        ("NOT_FOUND", lambda w, *a: w.revoke_token(*a), ("chen", "x", told)),
        ("ENTRY_MISMATCH", lambda w, *a: w.put_account(*a), (CHEN, entry("account/ada"))),
        ("ENTRY_MISMATCH", lambda w, *a: w.put_account(*a), (CHEN, replace(told, outcome="refused"))),
        ("MALFORMED", lambda w, *a: w.put_account(*a), (replace(CHEN, person=""), told)),
        (
            "MALFORMED",
            lambda w, *a: w.put_account(*a),
            (replace(CHEN, memberships=(Membership("", "r"),)), told),
        ),
    ]
    for code, attempt, arguments in attempts:
        with refused(code), store.write() as writer:
            attempt(writer, *arguments)
    assert log_size(store) == 2
    with store.write() as writer:  # an expired name is free again
        writer.put_token("chen", "laptop", end + timedelta(2), replace(told, at=end))


# nodes and repeated requests


def test_nodes_are_known_by_their_last_sign_of_life(store: Store) -> None:
    with store.write() as writer:
        writer.heartbeat("n1", "boot-a", T0)
        writer.heartbeat("n2", "boot-b", T0)
    with store.write() as writer:
        writer.heartbeat("n1", "boot-c", T0 + timedelta(seconds=5))
    with store.read() as reader:
        nodes = [(node.id, node.boot_id, node.heartbeat_at) for node in reader.nodes()]
    assert nodes == [("n1", "boot-c", T0 + timedelta(seconds=5)), ("n2", "boot-b", T0)]


def test_a_repeated_request_gets_its_first_answer(store: Store) -> None:
    with store.write() as writer:
        assert writer.idempotent_response("chen", "k1", "a" * 64) is None
        writer.idempotent("chen", "k1", "a" * 64, {"id": "j-1", "版本": 1}, T0)
    with store.read() as reader:
        assert reader.idempotent_response("chen", "k1", "a" * 64) == {"id": "j-1", "版本": 1}
        assert reader.idempotent_response("ada", "k1", "a" * 64) is None
    with refused("IDEMPOTENCY"), store.read() as reader:
        reader.idempotent_response("chen", "k1", "b" * 64)
    with refused("EXISTS"), store.write() as writer:
        writer.idempotent("chen", "k1", "a" * 64, {}, T0)
    with refused("MALFORMED"), store.write() as writer:
        writer.idempotent("chen", "k2", "a" * 64, {"x": float("nan")}, T0)


# opening


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "postgresql+asyncpg://x/y"]
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with refused("DATABASE_URL"):
        Store(url)


def test_a_password_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(SandboxError) as caught:
        Store("mysql://chen:geheim@host/x")
    assert "geheim" not in str(caught.value.as_json()) + str(caught.value)


def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    for url in (f"postgresql://nobody@/x?host={tmp_path}", f"sqlite:///{tmp_path}/absent/x.db"):
        closed = Store(url)
        with refused("STORE_UNAVAILABLE"), closed.read() as reader:
            reader.nodes()
        with refused("STORE_UNAVAILABLE"), closed.write():
            pass
        closed.close()


def test_a_database_without_tables_asks_for_the_upgrade(blank_database_url: str) -> None:
    opened = Store(blank_database_url)
    with refused("STORE_SCHEMA"), opened.write():
        pass
    with refused("STORE_SCHEMA"), opened.read() as reader:
        reader.get("job", "j-1")
    opened.close()


def test_a_log_that_was_not_begun_asks_for_the_upgrade(database_url: str) -> None:
    opened = Store(database_url)
    with refused("STORE_SCHEMA"), opened.write():
        pass
    opened.close()


@pytest.fixture
def twice(blank_database_url: str) -> Iterator[tuple[Store, Store]]:
    stores = Store(blank_database_url, origin="one"), Store(blank_database_url, origin="one", algorithm="sm3")
    yield stores
    for opened in stores:
        opened.close()


def test_another_log_is_never_mixed_in(twice: tuple[Store, Store]) -> None:
    first, second = twice
    first.upgrade()
    first.upgrade()
    with refused("AUDIT_ORIGIN"):
        second.upgrade()
    with refused("AUDIT_ORIGIN"), second.write():
        pass
    with first.write() as writer:
        assert writer.note(entry("job/j-1")) == 0


def test_a_new_sqlite_file_is_its_owners_alone(tmp_path: Path, signer: FileSigner) -> None:
    opened = Store(f"sqlite:///{tmp_path}/deep/space.db", signer=signer)
    opened.upgrade()
    with opened.write() as writer:
        writer.note(entry("job/j-1"))
        files = list((tmp_path / "deep").iterdir())
        assert {path.name for path in files} == {"space.db", "space.db-wal", "space.db-shm"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    opened.close()


def test_sqlite_is_set_up_for_durability(tmp_path: Path) -> None:
    opened = Store(f"sqlite:///{tmp_path}/space.db")
    opened.upgrade()
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}
    with opened._engine.connect() as connection:
        found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
    assert found == wanted
    opened.close()
