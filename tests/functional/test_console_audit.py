"""The audit log's pages: search by who, what and when; a proof that another machine verifies; the bundle."""

from __future__ import annotations

import io
import json
import re
import tarfile
from datetime import timedelta
from pathlib import Path

import lxml.html
import pytest

from sandbox.audit import verify_bundle
from sandbox.audit.proof import verify_proof
from sandbox.control import audit_search
from sandbox.control.audit_search import Wanted, search
from sandbox.core.resource import Entry
from tests.plugins.console import Person, consoles_of
from tests.plugins.space import Scene


def cells(page: str) -> list[list[str]]:
    found = lxml.html.fromstring(page).xpath("//main//tbody/tr")
    return [[" ".join(cell.text_content().split()) for cell in row] for row in found]


def positions(person: Person, query: str) -> list[int]:
    answer = person.get(f"/audit{query}")
    assert answer.status_code == 200, answer.text
    return [int(row[0]) for row in cells(answer.text)]


def test_who_what_on_what_and_how_it_ended(granted: Scene) -> None:
    person = consoles_of(granted)("auditor")
    with pytest.raises(Exception, match="ROLE"):
        granted.act("developer", "agreement", "ag-a", "suspend", {"reason": "no"})
    log = dict(enumerate(granted.log()))

    def wanted(**over: str) -> list[int]:
        return [seq for seq, one in log.items() if all(getattr(one, k) == v for k, v in over.items())][:100]

    assert positions(person, "?actor=operator") == wanted(actor="operator")
    assert positions(person, "?actor=opco") == wanted(organisation="opco")
    assert positions(person, "?action=ASSESS") == [s for s, one in log.items() if "assess" in one.action]
    assert positions(person, "?kind=scenario") == [
        s for s, one in log.items() if one.object.startswith("scenario/")
    ]
    assert positions(person, "?outcome=refused") == wanted(outcome="refused") != []
    assert positions(person, "?object=agreement/ag-a") == wanted(object="agreement/ag-a")
    assert positions(person, "?object=agreement/ag-a&dir=desc") == wanted(object="agreement/ag-a")[::-1]
    assert positions(person, "?object=agreement/ag-a&actor=operator") == wanted(
        object="agreement/ag-a", actor="operator"
    )
    assert "没有找到条目" in person.get("/audit?actor=nobody").text


def test_pages_lead_through_the_whole_log_in_both_orders(granted: Scene) -> None:
    person = consoles_of(granted)("auditor")
    size = granted.logged()
    for direction, order in (("", list(range(size))), ("dir=desc", list(reversed(range(size))))):
        url, seen = f"/audit?{direction}", []
        while url:
            page = person.get(url).text
            seen += [int(row[0]) for row in cells(page)]
            following = lxml.html.fromstring(page).xpath("//a[@rel='next']/@href")
            url = following[0].removeprefix("/console") if following else ""
        assert seen == order


def test_a_period_has_both_its_days(granted: Scene) -> None:
    first = granted.logged()
    granted.clock.move(days=3)
    granted.agreement("ag-b")
    last = granted.logged()
    day = (granted.clock.now + timedelta(hours=8)).date()
    granted.clock.move(days=3)
    granted.agreement("ag-c")
    person = consoles_of(granted)("auditor")
    assert positions(person, f"?since={day}&until={day}") == list(range(first, last))
    assert positions(person, f"?since={day}&until={day}&dir=desc") == list(reversed(range(first, last)))
    assert min(positions(person, f"?since={day + timedelta(days=1)}")) == last
    assert positions(person, "?since=9999-12-31&until=9999-12-31") == []
    assert positions(person, "?since=yesterday") == positions(person, "")


def test_a_search_is_bounded_and_goes_on(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_search, "MOST", 20)
    monkeypatch.setattr(audit_search, "FIRST", 8)
    monkeypatch.setattr(audit_search, "STRETCH", 8)
    last = granted.logged() - 1
    with granted.store.read() as reader:
        want = Wanted(action="no-such-action")
        first = search(reader, want, None, newest=False, limit=100)
        assert (first.entries, first.on, first.looked_at) == ((), 24, 24)
        back = search(reader, want, None, newest=True, limit=100)
        assert back.on == last - 24
        looked, on = 0, first.on
        while on is not None:
            found = search(reader, want, on, newest=False, limit=100)
            looked, on = looked + found.looked_at, found.on
        assert looked == last + 1 - 24
    page = consoles_of(granted)("auditor").get("/audit?action=no-such-action").text
    assert "还没有查完" in page
    assert "没有找到条目" not in page
    assert lxml.html.fromstring(page).xpath("//a[@rel='next']/@href") == [
        "/console/audit?action=no-such-action&start=24"
    ]


def test_purged_entries_are_no_end_of_the_log(granted: Scene) -> None:
    class Gaps:
        """A log in which most payloads are gone."""

        def head(self) -> object:
            return type("Head", (), {"size": 10_000})

        def entries(self, *, start: int, limit: int, object: str | None = None) -> list[tuple[int, Entry]]:
            kept = [seq for seq in (3, 5000, 9999) if seq >= start][:limit]
            return [(seq, granted.log()[0]) for seq in kept]

    for newest, order in ((False, [3, 5000, 9999]), (True, [9999, 5000, 3])):
        found = search(Gaps(), Wanted(), None, newest=newest, limit=100)  # type: ignore[arg-type]
        assert [seq for seq, _ in found.entries] == order


def test_a_proof_is_drawn_and_verifies_elsewhere(granted: Scene) -> None:
    person = consoles_of(granted)("auditor")
    head = granted.store.checkpoint()
    page = person.get("/audit/7").text
    assert "证明成立" in page
    tree = lxml.html.fromstring(page)
    assert tree.xpath("string(//li[@class='root']/code)") == head.root.hex()
    assert tree.xpath("//ol[@class='proof']/li/code[last()]/text()")[-2] == head.root.hex()
    url = tree.xpath("//a[@download and contains(@href, 'proof.json')]/@href")[0]
    file = person.get(url.removeprefix("/console"))
    assert file.headers["content-disposition"] == 'attachment; filename="audit-entry-7.json"'
    found = verify_proof(file.content, head.note)
    assert (found.ok, found.seq, found.size) == (True, 7, head.size)
    assert json.loads(json.loads(file.content)["entry"])["action"] == granted.log()[7].action
    granted.agreement("ag-b")
    later = granted.store.checkpoint()
    again = person.get(f"/audit/7/proof.json?size={later.size}").content
    assert verify_proof(again, later.note).ok
    for path in ("/audit/7/proof.json?size=3", "/audit/999999/proof.json", "/audit/7?size=3"):
        assert person.get(path).status_code == 404
    newest = granted.logged()
    granted.control.note(granted.who("auditor"), "look", "audit/-")
    page = person.get(f"/audit/{newest}").text
    assert "还没有签名检查点" in page
    assert lxml.html.fromstring(page).xpath("//a[@rel='next']") == []  # it is the last one
    assert person.get(f"/audit/{newest}/proof.json").status_code == 404


def test_a_log_that_was_changed_does_not_prove(granted: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    granted.store.checkpoint()
    person = consoles_of(granted)("auditor")
    monkeypatch.setattr("sandbox.store.reader.Reader.inclusion", lambda *args: [b"\0" * 32])
    page = person.get("/audit/7").text
    assert "证明不成立" in page
    assert "证明成立。" not in page


def test_checkpoints_and_the_bundle_up_to_one(granted: Scene, tmp_path: Path) -> None:
    person = consoles_of(granted)("auditor")
    assert "还没有签名检查点" in person.get("/audit/checkpoints").text
    first = granted.store.checkpoint()
    granted.agreement("ag-b")
    second = granted.store.checkpoint()
    rows = cells(person.get("/audit/checkpoints").text)
    assert [row[0] for row in rows] == [str(second.size), str(first.size)]
    answer = person.get(f"/audit/bundle?size={first.size}")
    assert f"audit-bundle-{first.size}.tar" in answer.headers["content-disposition"]
    path = tmp_path / "bundle.tar"
    path.write_bytes(answer.content)
    found = verify_bundle(path, first.note)
    assert (found.ok, found.size) == (True, first.size)
    assert not verify_bundle(path, second.note).ok  # shorter than what was signed since
    assert person.get(f"/audit/bundle?size={first.size + 1}").status_code == 404
    whole = person.get("/audit/bundle").content
    with tarfile.open(fileobj=io.BytesIO(whole)) as tar:
        assert any(re.search(r"entries\.jsonl\Z", name) for name in tar.getnames())
    assert [one.action for one in granted.log()][-2:] == ["export-audit", "export-audit"]
