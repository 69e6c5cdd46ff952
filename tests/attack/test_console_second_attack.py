"""What the second attacker tried at the pages and what stands behind them, and what is closed since."""

from __future__ import annotations

import hashlib
import sys

import pytest
import rfc8785

from sandbox.api import serve
from sandbox.authorisation.needed import needed
from sandbox.console import paper
from sandbox.control import audit_search, previewing
from sandbox.control.audit_search import Wanted, search
from sandbox.review.request_spec import Verdict
from tests.plugins.console import consoles_of
from tests.plugins.space import Scene
from tests.refusal import refused

FIELDS = [f"c{n}" for n in range(100)]
ALIASES = ", ".join(f"t a{n}" for n in range(300))
BOMBS = {
    "stars": "SELECT " + ", ".join(["*"] * 300) + f" FROM {ALIASES}",
    "names": "SELECT " + ", ".join(["c1"] * 300) + f" FROM {ALIASES}",
    "joins": "SELECT 1 FROM t a " + " ".join(f"NATURAL JOIN t a{n}" for n in range(60)),
}


@pytest.mark.parametrize("sql", BOMBS.values(), ids=BOMBS.keys())
def test_no_sql_text_makes_the_server_work_for_the_square_of_its_length(sql: str) -> None:
    """Aliases times stars times fields, in steps: 64 KiB of it would have held a thread for hours."""
    steps = 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal steps
        steps += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        found = needed(sql, {"t": FIELDS})
    finally:
        sys.setprofile(before)
    assert found.columns["t"] in (tuple(FIELDS), ("c1",))
    assert steps < 1_500_000


@pytest.mark.parametrize(
    "tables",
    [{f"t{n}": ["a"] for n in range(65)}, {"t": [f"a{n}" for n in range(4001)]}],
    ids=["many", "wide"],
)
def test_nor_for_tables_that_only_a_manifest_says_there_are(tables: dict[str, list[str]]) -> None:
    """The pre-check takes the inputs as they were typed: 1,800 of them were ten seconds."""
    with refused("SQL_DEEP"):
        needed("SELECT 1", tables)


@pytest.mark.parametrize("newest", [False, True])
def test_refusals_of_one_object_do_not_hide_its_other_entries(
    granted: Scene, monkeypatch: pytest.MonkeyPatch, newest: bool
) -> None:
    """Whoever may act on something may have himself refused as often as he likes: what is looked for by the
    object was then cut off after the first 20,000, and the search said that this was all."""
    monkeypatch.setattr(audit_search, "MOST", 20)
    monkeypatch.setattr(audit_search, "STRETCH", 8)
    crook, auditor = granted.who("developer"), granted.who("auditor")
    for _ in range(30):
        granted.control.note(crook, "suspend", "agreement/ag-a", reason="ROLE")
    granted.control.note(auditor, "look", "agreement/ag-a")
    there = [seq for seq, one in enumerate(granted.log()) if one.object == "agreement/ag-a"]
    seen: list[int] = []
    on: int | None = None
    with granted.store.read() as reader:
        while on is not None or not seen:
            found = search(reader, Wanted(object="agreement/ag-a"), on, newest=newest, limit=100)
            assert found.looked_at <= 20 + 8
            seen, on = seen + [seq for seq, _ in found.entries], found.on
    assert seen == (there[::-1] if newest else there)


@pytest.mark.parametrize(
    "query", ["since=0001-01-01", "until=0001-01-01", "since=9999-12-31", "until=9999-12-30"]
)
def test_the_ends_of_the_calendar_are_no_defect(granted: Scene, query: str) -> None:
    assert consoles_of(granted)("auditor").get(f"/audit?{query}").status_code == 200


def test_the_log_does_not_tell_which_of_the_likely_verdicts_was_given(granted: Scene) -> None:
    """The second reviewer may read the audit log, which has the hash of what the first one sent: without a
    salt he computed that of each likely verdict and knew which it was."""
    granted.job()
    granted.request(until="human_review", high_risk=True)
    sent = granted.verdict()
    granted.act("reviewer", "egress-request", "eg-a", "give_verdict", sent)
    entry = next(one for one in reversed(granted.log()) if one.action == "give_verdict")
    guesses = [
        Verdict.model_validate(sent | {"verdict": one}).model_dump(mode="json") for one in ("pass", "fail")
    ]
    assert entry.details["payload_sha256"] not in [_sha256(one) for one in guesses]
    [hidden] = granted.control.get(granted.who("reviewer-two"), "egress-request", "eg-a").status["verdicts"]
    assert hidden["hidden"] is True
    assert "salt" not in hidden
    # whoever may read the verdict can check it against the log
    [whole] = granted.get("egress-request", "eg-a").status["verdicts"]
    assert entry.details["payload_sha256"] == _sha256(guesses[0] | {"salt": whole["salt"]})


def _sha256(body: object) -> str:
    return hashlib.sha256(rfc8785.dumps(body)).hexdigest()  # type: ignore[arg-type]


def test_people_who_wait_for_their_pdf_do_not_hold_every_thread() -> None:
    """A server has eight threads; each request for a document beyond those being drawn held one for thirty
    seconds."""
    for _ in range(paper.IN_LINE):
        assert paper._line.acquire(blocking=False)
    try:
        with refused("PDF_BUSY"):
            paper.pdf("<p>never drawn</p>")
        assert paper._turns.acquire(blocking=False)  # nobody waited for a turn
        paper._turns.release()
    finally:
        for _ in range(paper.IN_LINE):
            paper._line.release()
    assert paper.IN_LINE + previewing.OF_SERVER < serve.THREADS
