"""What outsiders see of a resource, and what follows from an act: branches that no requirement names."""

from __future__ import annotations

from tests.plugins.space import Scene


def test_outsiders_see_of_an_agreement_what_is_disclosed(granted: Scene) -> None:
    shown = granted.control.get(granted.who("rival"), "agreement", "ag-a")
    assert set(shown.spec) == {
        "title", "authoriser", "operator", "mode", "scope", "product_forms", "starts", "ends",
    }  # fmt: skip
    assert (shown.status, shown.labels) == ({}, {})
    assert "clauses" in granted.control.get(granted.who("operator"), "agreement", "ag-a").spec


def test_outsiders_see_of_an_organisation_who_it_is(granted: Scene) -> None:
    shown = granted.control.get(granted.who("rival"), "organisation", "office")
    assert set(shown.spec) == {"name_zh", "name_en", "roles", "credit_code", "region"}
    for who in ("editor", "chief", "admin"):  # itself, a supervisor, the administrator
        assert "manifest_keys" in granted.control.get(granted.who(who), "organisation", "office").spec


def test_a_recall_of_what_was_released_recalls_its_product(granted: Scene) -> None:
    granted.job()
    granted.request(until="released")
    product = granted.product_of("eg-a")
    assert product.state == "registered"
    granted.act("reviewer", "egress-request", "eg-a", "recall", {"cause": "leak"})
    assert granted.state("egress-request", "eg-a") == "recalled"
    assert granted.state("product", product.id) == "recalled"


def test_a_resumption_leaves_paused_what_a_person_paused(granted: Scene) -> None:
    granted.supply("su-two", content=b"two")
    granted.act("chief", "supply", "su-a", "pause", {"cause": "a doubt"})
    granted.act("chief", "agreement", "ag-a", "suspend", {"reason": "hazard"})
    assert (granted.state("supply", "su-a"), granted.state("supply", "su-two")) == ("paused", "paused")
    granted.act("chief", "agreement", "ag-a", "resume", {"reason": "mended"})
    assert (granted.state("supply", "su-a"), granted.state("supply", "su-two")) == ("paused", "available")


def test_a_refused_supply_keeps_why(granted: Scene) -> None:
    granted.supply("su-bad", until="quarantined", content=b"bad")
    granted.act("system", "supply", "su-bad", "refuse", {"code": "HASH_MISMATCH"})
    assert granted.get("supply", "su-bad").status["refused"]["code"] == "HASH_MISMATCH"
