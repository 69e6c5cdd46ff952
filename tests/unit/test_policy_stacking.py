"""Loading and stacking: what a lower profile may and may not do, and every refusal by its code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import yaml

from sandbox.core.errors import CODES, SandboxError
from sandbox.policy import codes
from sandbox.policy.load import lint, load_calendar, load_profile, policies_folder, profile_names
from sandbox.policy.parameter import Order, Parameter
from sandbox.policy.parameters import PARAMETERS

FOLDER = Path(__file__).parents[2] / "policies"
Write = Callable[..., Path]


def stated(value: Any, cite: str = "第1条") -> dict[str, Any]:
    return {"value": value, "basis": "stated", "cite": cite}


def default(value: Any, note: str = "理由") -> dict[str, Any]:
    return {"value": value, "basis": "default", "note": note}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes ``<name>.yaml`` with some parameters; its parents are looked for there, then in FOLDER."""

    def _write(
        name: str, parameters: dict[str, Any], extends: str | None = "national", **header: Any
    ) -> Path:
        head = {"name": name, "title": name, "title_en": name, "version": "1.0.0", "status": "in_force"}
        path = tmp_path / f"{name}.yaml"
        data = {"profile": head | {"extends": extends} | header, "parameters": parameters}
        path.write_text(yaml.safe_dump(data, allow_unicode=True, sort_keys=False), "utf-8")
        return path

    return _write


def refusal(path: Path | str) -> SandboxError:
    with pytest.raises(SandboxError) as refused:
        load_profile(path, FOLDER)
    return refused.value


# --- stacking ---------------------------------------------------------------------------------------


@pytest.mark.requirement("R-206")
def test_weaker_than_a_stated_value_does_not_load(write: Write) -> None:
    path = write("city", {"logs.retention_years": default(3)}, extends="guangdong")
    error = refusal(path)
    assert error.code == "POLICY_WEAKER"
    assert error.details == {
        "child": "city@1.0.0",
        "parent": "guangdong@1.0.0",
        "key": "logs.retention_years",
        "value": "3",
        "floor": "5",
        "cite": "第39条",
    }


@pytest.mark.requirement("R-206")
def test_a_default_may_be_replaced_either_way(write: Write) -> None:
    for years in (1, 3, 9):  # national: 3 years by default
        path = write("city", {"agreement.max_term_years": stated(years)})
        assert load_profile(path, FOLDER).get("agreement.max_term_years") == years


@pytest.mark.requirement("R-206")
def test_explain_prints_the_source_chain(write: Write) -> None:
    path = write("district", {"agreement.max_term_years": stated(2, "第9条")}, extends="guangdong")
    sources = load_profile(path, FOLDER).explain("agreement.max_term_years")
    assert [(s.profile, s.basis, s.value, s.cite, s.applies) for s in sources] == [
        ("district@1.0.0", "stated", 2, "第9条", True),
        ("guangdong@1.0.0", "stated", 5, "第22条(二)", False),
        ("national@1.1.0", "default", 3, "", False),
    ]
    silent = load_profile(path, FOLDER).explain("egress.min_cell")
    assert [s.basis for s in silent] == ["silent", "silent", "default"]
    assert [s.applies for s in silent] == [False, False, True]


@pytest.mark.requirement("R-206")
def test_the_stricter_stated_value_applies_and_the_conflict_is_reported(write: Write) -> None:
    profile = load_profile(write("city", {"logs.retention_years": stated(7)}, extends="guangdong"), FOLDER)
    assert profile.get("logs.retention_years") == 7
    found = [row for row in profile.disagreements if row.key == "logs.retention_years"]
    assert [(r.kind, r.profile, r.value, r.parent, r.parent_value) for r in found] == [
        ("stricter", "city@1.0.0", 7, "guangdong@1.0.0", 5)
    ]


def test_values_without_an_order_differ_and_are_reported() -> None:
    profile = load_profile("guangdong", FOLDER)
    assert ("trade.channel", "differs") in [(row.key, row.kind) for row in profile.disagreements]
    assert not [row for row in profile.disagreements if row.key.startswith("instrument.")]


def test_a_stated_floor_holds_through_a_parent_that_replaced_it_by_a_default(write: Write) -> None:
    """The province is stricter by its own default; the city is measured by what the nation states."""
    write("nation", {"review.product_wd": stated(10, "（一）")})
    write("province", {"review.product_wd": default(5)}, extends="nation")
    eased = load_profile(write("city", {"review.product_wd": default(8)}, extends="province"), FOLDER)
    assert eased.get("review.product_wd") == 8
    error = refusal(write("city", {"review.product_wd": default(11)}, extends="province"))
    assert (error.code, error.details["parent"]) == ("POLICY_WEAKER", "nation@1.0.0")


@pytest.mark.requirement("R-209")
def test_an_overlay_changes_due_dates_and_may_not_lengthen_them(write: Write) -> None:
    calendar = load_calendar(FOLDER / "calendar.yaml")

    def due(name_or_path: str | Path) -> date:
        days = load_profile(name_or_path, FOLDER).get("review.product_wd")
        return calendar.add_working_days(date(2026, 3, 2), days).date()

    assert due("guangdong") == date(2026, 3, 16)
    assert due(write("overlay", {"review.product_wd": stated(5)}, extends="guangdong")) == date(2026, 3, 9)
    assert (
        refusal(write("overlay", {"review.product_wd": stated(15)}, extends="guangdong")).code
        == "POLICY_WEAKER"
    )


@pytest.mark.parametrize(
    ("order", "floor", "fine", "weak"),
    [
        (Order.LOWER, 10, [10, 5], [11, None]),
        (Order.HIGHER, 10, [10, 11], [9, None]),
        (Order.TRUE, True, [True], [False]),
        (Order.FALSE, False, [False], [True]),
        (Order.FORBIDDEN, "forbidden", ["forbidden"], ["allowed", None]),
        (Order.FORBIDDEN, "allowed", ["forbidden", "allowed"], []),
        (Order.SUPERSET, ["a", "b"], [["b", "a"], ["a", "b", "c"]], [["a"], []]),
        (Order.SUBSET, ["a", "b"], [["a"], ["b", "a"]], [["a", "c"]]),
        (Order.NONE, "a", ["b", None], []),
        (Order.OWN, "a", ["b", None], []),
        (Order.LOWER, None, [10], []),
        (Order.TRUE, False, [True, False], []),
    ],
)
def test_what_is_weaker(order: Order, floor: Any, fine: list[Any], weak: list[Any]) -> None:
    parameter = Parameter("k", "", "R-206", object, "", order, "k", "k")
    assert [value for value in fine if parameter.weaker(value, floor)] == []
    assert [value for value in weak if not parameter.weaker(value, floor)] == []


# --- what a profile answers -------------------------------------------------------------------------


def test_get_never_has_a_silent_default() -> None:
    profile = load_profile("guizhou", FOLDER)
    for ask in (profile.get, profile.explain, profile.source):
        with pytest.raises(SandboxError) as refused:
            ask("egress.no_such_threshold")
        assert refused.value.code == "POLICY_MISSING"
    assert profile.get("instrument.validity_years") is None  # written as null: an answer, not a gap


def test_identity_and_hash(write: Write) -> None:
    profile = load_profile("guizhou", FOLDER)
    assert profile.id == "guizhou@1.0.0"
    assert profile.name == "guizhou"
    assert profile.sha256 == hashlib.sha256(rfc8785.dumps(profile.values())).hexdigest()
    copy = load_profile(write("copy", {}, extends="guizhou"), FOLDER)
    assert copy.sha256 == profile.sha256  # the hash is over what applies
    changed = load_profile(write("changed", {"egress.min_cell": default(11)}, extends="guizhou"), FOLDER)
    assert changed.sha256 != profile.sha256


def test_no_caller_can_change_a_profile() -> None:
    profile = load_profile("national", FOLDER)
    before = profile.sha256
    profile.get("egress.formats").append("exe")
    profile.values()["scenario.reviewer"]["overall"].append("developer")
    profile.source("review.points").value.clear()
    assert "exe" not in profile.get("egress.formats")
    assert profile.get("scenario.reviewer")["overall"] == ["implementing_body"]
    assert profile.source("review.points").value
    assert load_profile("national", FOLDER).sha256 == before == profile.sha256


@pytest.mark.parametrize(
    ("today", "codes_expected"),
    [
        (date(2027, 9, 1), []),
        (date(2027, 10, 3), ["POLICY_EXPIRING"]),
        (date(2027, 12, 31), ["POLICY_EXPIRING"]),
        (date(2028, 1, 1), ["POLICY_EXPIRED"]),
    ],
)
def test_expiry_is_announced(write: Write, today: date, codes_expected: list[str]) -> None:
    instrument = {"instrument.effective_date": stated("2026-01-01"), "instrument.validity_years": stated(2)}
    profile = load_profile(write("city", instrument), FOLDER)
    assert [warning.code for warning in profile.warnings(today)] == codes_expected


def test_validity_from_a_leap_day_and_drafts_are_announced(write: Write) -> None:
    instrument = {"instrument.effective_date": stated("2024-02-29"), "instrument.validity_years": stated(1)}
    profile = load_profile(write("city", instrument, status="draft"), FOLDER)
    warnings = profile.warnings(date(2025, 3, 1))
    assert [warning.code for warning in warnings] == ["POLICY_DRAFT", "POLICY_EXPIRED"]
    assert warnings[1].details["date"] == "2025-03-01"
    assert [w.code for w in load_profile("chengdu", FOLDER).warnings(date(2026, 1, 1))] == ["POLICY_DRAFT"]


# --- what does not load -----------------------------------------------------------------------------

PROVOKED: dict[str, Callable[[Write, Path], Path | str]] = {
    "POLICY_NOT_FOUND": lambda write, folder: "atlantis",
    "POLICY_UNKNOWN_PARAMETER": lambda write, folder: write("site", {"egress.min_sell": default(1)}),
    "POLICY_VALUE": lambda write, folder: write("site", {"egress.min_cell": default("10")}),
    "POLICY_CITE_MISSING": lambda write, folder: write("site", {"egress.min_cell": stated(10, "")}),
    "POLICY_NOTE_MISSING": lambda write, folder: write("site", {"egress.min_cell": default(10, "")}),
    "POLICY_INCOMPLETE": lambda write, folder: write("site", {"egress.min_cell": default(10)}, extends=None),
    "POLICY_CYCLE": lambda write, folder: [write("aa", {}, extends="bb"), write("bb", {}, extends="aa")][0],
    "POLICY_WEAKER": lambda write, folder: write("site", {"linkage.risk_control": default(False)}),
    "POLICY_MALFORMED": lambda write, folder: write(
        "site", {"egress.min_cell": {"value": 1, "basis": "guess"}}
    ),
    "POLICY_DUPLICATE_KEY": lambda write, folder: repeat(write("site", {"egress.min_cell": default(10)})),
}
ELSEWHERE = {"POLICY_MISSING", "POLICY_DRAFT", "POLICY_EXPIRING", "POLICY_EXPIRED"}


def repeat(path: Path) -> Path:
    path.write_text(
        path.read_text("utf-8") + "  egress.min_cell:\n    {value: 3, basis: default, note: x}\n", "utf-8"
    )
    return path


def test_every_code_is_provoked() -> None:
    assert codes is not None
    assert {code for code in CODES if code.startswith("POLICY_")} == PROVOKED.keys() | ELSEWHERE


@pytest.mark.parametrize("code", PROVOKED)
def test_refusals(code: str, write: Write, tmp_path: Path) -> None:
    target = PROVOKED[code](write, tmp_path)
    error = refusal(target)
    assert error.code == code
    assert error.zh
    assert error.en
    assert code in [problem.code for problem in lint(target, FOLDER)]


def test_lint_tells_every_problem_at_once(write: Write) -> None:
    path = write(
        "site",
        {
            "egress.min_sell": default(1),
            "egress.k_min": default(0),
            "egress.l_min": stated(2, ""),
            "egress.t_max": default(0.2, ""),
        },
    )
    assert sorted(problem.code for problem in lint(path, FOLDER)) == [
        "POLICY_CITE_MISSING",
        "POLICY_NOTE_MISSING",
        "POLICY_UNKNOWN_PARAMETER",
        "POLICY_VALUE",
    ]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("egress.min_cell", 0),
        ("egress.min_cell", True),
        ("egress.min_cell", 10.5),
        ("egress.dominance_k", 1.2),
        ("raw.egress", "allowed"),  # no profile can let raw data out
        ("job.log_to_developer", "full"),
        ("egress.formats", ["csv", "pickle"]),
        ("scenario.reviewer", {"overall": ["developer"]}),
        ("sod.manage_operate_separation", "off"),
        ("instrument.date", "yesterday"),
        ("report.annual_due", "31 March"),
    ],
)
def test_values_outside_their_type(write: Write, key: str, value: Any) -> None:
    error = refusal(write("site", {key: default(value)}))
    assert error.code == "POLICY_VALUE"
    assert error.details["key"] == key
    assert error.details["expected"]


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- list\n",
        "profile: [\n",
        "profile: {name: x}\nparameters: {}\n",
        "!!python/object/apply:os.system ['true']\n",
        "? [a, b]\n: c\n",
        "? {a: b}\n: c\n",
    ],
)
def test_text_that_is_no_profile(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text, "utf-8")
    assert refusal(path).code in ("POLICY_MALFORMED", "POLICY_DUPLICATE_KEY")


def test_bytes_that_are_no_text_and_files_that_are_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xff\xfe\x00profile")
    assert refusal(path).code == "POLICY_MALFORMED"
    assert refusal(tmp_path / "absent.yaml").code == "POLICY_NOT_FOUND"
    with pytest.raises(SandboxError) as refused:
        load_calendar(tmp_path / "calendar.yaml")
    assert refused.value.code == "POLICY_NOT_FOUND"


def test_only_true_and_false_are_booleans(write: Write, tmp_path: Path) -> None:
    """YAML 1.1 would read ``off`` as false; here it is a word, and not one that fits."""
    path = write("site", {"supply.backflow": default("WORD")})
    for word, loads in (("off", False), ("yes", False), ("true", True)):
        path.write_text(path.read_text("utf-8").replace("WORD", word), "utf-8")
        assert ([p.code for p in lint(path, FOLDER)] == []) == loads
        path.write_text(path.read_text("utf-8").replace(f"value: {word}", "value: WORD"), "utf-8")


def test_too_many_parents(write: Write) -> None:
    write("p0", {}, extends=None)
    for n in range(1, 10):
        write(f"p{n}", {}, extends=f"p{n - 1}")
    assert refusal(write("deep", {}, extends="p9")).code == "POLICY_CYCLE"


def test_the_folder_can_be_set(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SANDBOX_POLICIES", raising=False)
    assert policies_folder() == FOLDER
    assert load_profile("national").id == "national@1.1.0"
    assert load_calendar().version
    monkeypatch.setenv("SANDBOX_POLICIES", str(tmp_path))
    write("own", {}, extends=None)
    (tmp_path / "calendar.yaml").write_text("version: x\nyears: {2026: {holidays: {}}}\n", "utf-8")
    assert profile_names() == ["own"]
    assert load_calendar().version == "x"
    with pytest.raises(SandboxError) as refused:
        load_profile("national")
    assert refused.value.details == {"name": "national", "known": "own"}


def test_parents_are_found_beside_the_file_first(write: Write) -> None:
    write("guizhou", {"egress.min_cell": default(33)})
    assert load_profile(write("site", {}, extends="guizhou"), FOLDER).get("egress.min_cell") == 33
    assert load_profile("guizhou", FOLDER).get("egress.min_cell") == 10


def test_the_registry_expects_in_words() -> None:
    assert PARAMETERS["egress.min_cell"].expected == "minimum=1, type=integer"
    assert "csv" in PARAMETERS["egress.formats"].expected
