"""From a table to a proven product, with the real engine for the proof: what is asked for holds in what is
written."""

import json
import re

import duckdb
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.core.errors import SandboxError
from sandbox.desensitize.measures import measure
from sandbox.desensitize.search import run as module
from sandbox.desensitize.search import task
from sandbox.desensitize.search.describe import described, wanted
from sandbox.desensitize.search.frontier import pareto
from sandbox.desensitize.search.hierarchy import HierarchySpec, build
from sandbox.desensitize.search.models import Model
from sandbox.desensitize.search.proof import prove
from sandbox.desensitize.search.report import html
from sandbox.desensitize.search.run import anonymise, read, table_of

FIELDS = [
    {"name": "age", "role": "quasi", "hierarchy": {"by": "age"}},
    {"name": "code", "role": "quasi", "hierarchy": {"by": "prefix", "lengths": [4, 2]}},
    {"name": "sex", "role": "quasi"},
    {"name": "ill", "role": "sensitive"},
    {"name": "person", "role": "identifier"},
    {"name": "visits", "role": "other"},
]


def people(rows=600, several=False, seed=7):
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "age": [None if x < 3 else int(x) for x in draw.integers(0, 90, rows)],
            "code": [f"52{a:02}{b:02}" for a, b in draw.integers(1, 5, (rows, 2))],
            "sex": draw.choice(["男", "女"], rows),
            "ill": draw.choice(["甲病", "乙病", "丙病"], rows, p=[0.6, 0.3, 0.1]),
            "person": [f"P-{n:06}" for n in (draw.integers(0, rows // 3, rows) if several else range(rows))],
            "visits": draw.integers(0, 9, rows),
        }
    )


def description(entity="person", **more):
    return described({"fields": FIELDS, "entity": entity, **more})


@pytest.mark.parametrize("method", ["lattice", "mondrian"])
@pytest.mark.parametrize("several", [False, True])
def test_what_is_asked_for_holds_in_what_is_written(method, several):
    frame = people(several=several)
    asked = {"k": 5, "l": 2, "t": 0.3, "alpha": 0.9, "method": method}
    outcome = anonymise(
        frame, description(), wanted(asked | ({"suppress": 0.1} if method == "lattice" else {}))
    )
    made = outcome.product
    assert set(made.columns) == {"age", "code", "sex", "ill", "visits"}
    with duckdb.connect() as connection:
        connection.register("made", made.to_arrow())
        rows = measure(connection, "made", ["age", "code", "sex"], {"ill": False})
    assert rows.k >= 5
    assert rows.spread["ill"].distinct_l >= 2
    if not several:  # with several rows each, the distance is of entities, which the product no longer has
        assert rows.spread["ill"].t <= 0.3 + 1e-6
        assert rows.spread["ill"].alpha <= 0.9 + 1e-6
    report = outcome.report
    assert report["anonymity"]["verdict"] is True
    assert report["after"]["k"] == report["anonymity"]["k"] >= 5
    assert report["rows"]["in"] == report["rows"]["out"] + report["rows"]["suppressed"]
    assert report["before"]["k"] < report["after"]["k"]


@pytest.mark.parametrize(
    "asked",
    [
        {"l": 2.2, "diversity": "entropy"},
        {"l": 2, "diversity": "recursive", "c": 2.0},
        {"beta": 1.0},
        {"beta": 1.0, "enhanced_beta": True},
        {"delta": 1.5},
        {"t": 0.2},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["lattice", "mondrian"])
@pytest.mark.parametrize("distance", ["equal", "ordered", "hierarchical"])
def test_every_model_is_proven_by_measures_that_know_nothing_of_the_search(tmp_path, asked, method, distance):
    if "t" not in asked and distance != "equal":
        return
    (tmp_path / "ill.csv").write_text("甲病;x;*\n乙病;x;*\n丙病;y;*\n", encoding="utf-8")
    ill = {"name": "ill", "role": "sensitive", "ordered": distance == "ordered"}
    if distance == "hierarchical":
        ill["hierarchy"] = {"by": "file", "path": "ill.csv"}
    told = described({"fields": [*FIELDS[:3], ill], "one_row_each": True})
    outcome = anonymise(
        people(), told, wanted({"k": 4, "release": "enclave", "method": method, **asked}), tmp_path
    )
    assert outcome.report["anonymity"]["verdict"] is True
    assert outcome.report["utility"]["classes"] >= 1


def test_a_result_that_the_measures_do_not_confirm_is_thrown_away(monkeypatch):
    monkeypatch.setattr(module, "search", lambda *a, **b: _liar(*a, **b))
    with pytest.raises(SandboxError) as refused:
        anonymise(people(), description(), wanted({"k": 50}))
    assert refused.value.code == "ANONYMISE_UNPROVEN"
    assert refused.value.details["models"] == "k"


def _liar(lattice, models, loss, limit, progress):
    """A search that takes the bottom for good."""
    from sandbox.desensitize.search.lattice import Found, Result

    classes = lattice.classes((0, 0, 0))
    return Result(Found((0, 0, 0), 0.0, 0, classes, classes.rows > 0), lattice.nodes, 0, True)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.sampled_from("qr"), st.sampled_from("abc")), min_size=1, max_size=20),
    model=st.one_of(
        st.builds(Model, kind=st.just("k"), at_least=st.integers(1, 4)),
        st.builds(
            Model,
            kind=st.just("recursive"),
            column=st.just("s"),
            at_least=st.integers(1, 3),
            c=st.floats(0.5, 3),
        ),
        st.builds(
            Model,
            kind=st.just("t"),
            column=st.just("s"),
            at_most=st.floats(0, 1),
            distance=st.just("hierarchical"),
        ),
    ),
)
def test_the_proof_agrees_with_the_search_on_the_same_classes(rows, model):
    from sandbox.desensitize.search.groups import Sensitive, Table, base
    from sandbox.desensitize.search.models import holds

    tree = _tree()
    frame = pl.DataFrame(rows, schema=["q", "s"], orient="row")
    q = np.array(["qr".index(x) for x in frame["q"]], dtype=np.int32)
    s = np.array(["abc".index(x) for x in frame["s"]], dtype=np.int32)
    table = Table(("q",), (q,), (build("q", ["q", "r"], HierarchySpec()),), {"s": Sensitive(s, 3, tree)})
    found = prove(frame, ["q"], [model], None, {"s": tree}, "controlled", False)
    assert (not found.failed) == bool(holds(table, base(table), [model], "source").all())


def _tree():
    from sandbox.desensitize.search.hierarchy import Hierarchy

    levels = (np.array([0, 1, 2], np.int32), np.array([0, 0, 1], np.int32), np.zeros(3, np.int32))
    return Hierarchy(levels, (("a", "b", "c"), ("x", "y"), ("*",)))


def test_a_model_without_a_row_is_not_proven():
    frame = pl.DataFrame({"q": [], "s": []}, schema={"q": pl.String, "s": pl.String})
    models = [Model(kind="k", at_least=1), Model(kind="distinct_l", column="s", at_least=1)]
    assert prove(frame, ["q"], models, None, {}, "public", False).failed == ("k", "distinct_l")


def test_the_verdict_is_the_tests_and_not_ours():
    frame = people()
    unknown = anonymise(frame, described({"fields": FIELDS}), wanted({"release": "enclave"}))
    assert unknown.report["anonymity"] == {
        "verdict": False,
        "k": None,
        "threshold": 3,
        "reasons": ["ENTITY_UNKNOWN"],
    }
    each = anonymise(
        frame, described({"fields": FIELDS, "one_row_each": True}), wanted({"release": "enclave"})
    )
    assert each.report["anonymity"]["verdict"] is True


def test_the_release_asks_for_its_k():
    frame = people()
    for release, k in (("public", 20), ("controlled", 5), ("enclave", 3)):
        report = anonymise(frame, description(), wanted({"release": release})).report
        assert report["anonymity"]["threshold"] == k
        assert report["after"]["risk"]["level"] == 3
        assert report["after"]["risk"]["threshold"] == pytest.approx(1 / k)


def test_a_sensitive_group_doubles_the_k_of_its_release():
    for more, k in (({}, 6), ({"k": 4}, 4), ({"k": 8}, 8)):
        asked = wanted({"release": "enclave", **more})
        report = anonymise(people(), description(sensitive_group=True), asked).report
        assert report["anonymity"]["threshold"] == max(k, 6)  # less may be sought, and is no anonymity
        assert report["after"]["k"] >= k


def test_hidden_quasi_identifiers_are_generalised_too():
    told = described({"fields": FIELDS, "entity": "person"}).with_quasi(("visits", "person", "ill", "age"))
    assert told.named("quasi") == ("age", "code", "sex", "visits")
    assert told.named("identifier") == ("person",)
    outcome = anonymise(people(), told, wanted({"k": 5}))
    assert "visits" in outcome.report["search"]["levels"]
    new = described({"fields": FIELDS[:3], "one_row_each": True}).with_quasi(("ill",))
    assert new.named("quasi") == ("age", "code", "sex")  # not described, not in the product


def test_the_frontier_has_both_methods_and_its_picture_no_script():
    outcome = anonymise(people(), description(), wanted({"k": 5, "suppress": 0.05, "frontier": (2, 10, 40)}))
    points = outcome.report["frontier"]
    assert {p["method"] for p in points} == {"lattice", "mondrian"}
    assert [p["asked_k"] for p in points if p["chosen"]] == [5]
    assert all(p["k"] >= p["asked_k"] for p in points)
    best = [p for p in points if p["pareto"]]
    assert best
    for p in points:
        beaten = any(
            q["risk"] <= p["risk"]
            and q["loss"] <= p["loss"]
            and (q["risk"], q["loss"]) != (p["risk"], p["loss"])
            for q in points
        )
        assert p["pareto"] != beaten
    for lang in ("zh", "en"):
        page = html(outcome.report, lang)
        assert "<script" not in page
        assert page.count("<svg") == 3
        assert "default-src &#x27;none&#x27;" in page


def test_a_point_that_is_equalled_stays():
    assert pareto([{"risk": 0.1, "loss": 0.5}, {"risk": 0.1, "loss": 0.5}, {"risk": 0.2, "loss": 0.5}]) == [
        True, True, False,
    ]  # fmt: skip


def test_the_report_is_json_without_a_value_of_the_source():
    frame = people()
    outcome = anonymise(frame, description(), wanted({"k": 5, "l": 2, "frontier": (3,)}))
    text = json.dumps(outcome.report, ensure_ascii=False) + html(outcome.report, "zh")
    for column in ("code", "sex", "ill", "person"):
        assert not [v for v in frame[column].unique() if re.search(rf"(?<!\w){v}(?!\w)", text)]


def test_the_order_of_the_source_is_gone():
    frame = people()
    made = anonymise(frame, description(), wanted({"k": 5})).product
    assert made.equals(made.sort(made.columns, nulls_last=False))


def test_queries_are_answered_by_classes():
    told = description(queries=[{"sex": ["男"]}, {"age": {"from": 20, "to": 39}}, {"code": ["520101"]}])
    exact = anonymise(people(), told, wanted({"k": 1})).report["utility"]["query_errors"]
    assert exact == pytest.approx([0, 0, 0])
    coarse = anonymise(people(), told, wanted({"k": 30, "method": "mondrian"})).report["utility"][
        "query_errors"
    ]
    assert all(0 <= error < 2 for error in coarse)


@pytest.mark.parametrize("query", [{"visits": [1]}, {"sex": "男"}, {"sex": {"from": 1}}, {"age": {"low": 1}}])
def test_a_query_that_cannot_be_asked_is_refused(query):
    with pytest.raises(SandboxError) as refused:
        anonymise(people(60), description(queries=[query]), wanted({"k": 2}))
    assert refused.value.code == "ANONYMISE_MALFORMED"


def test_what_cannot_be_reached_is_refused():
    for asked in ({"k": 10_000}, {"k": 10_000, "method": "mondrian"}, {"k": 10_000, "suppress": 1.0}):
        with pytest.raises(SandboxError) as refused:
            anonymise(people(60), description(), wanted(asked))
        assert refused.value.code == "ANONYMISE_NONE"


@pytest.mark.parametrize(
    "given",
    [
        {"fields": [*FIELDS, FIELDS[0]]},
        {"fields": FIELDS, "entity": "age"},
        {"fields": FIELDS, "entity": "person", "one_row_each": True},
    ],
)
def test_a_contradictory_description_is_refused(given):
    with pytest.raises(SandboxError) as refused:
        described(given)
    assert refused.value.code == "ANONYMISE_COLUMN"


@pytest.mark.parametrize(
    "given",
    [None, [], {"fields": []}, [{"name": "a", "role": "key"}], [{"name": "a", "hierarchy": {"by": "x"}}]],
)
def test_a_malformed_description_is_refused(given):
    with pytest.raises(SandboxError) as refused:
        described(given)
    assert refused.value.code == "ANONYMISE_MALFORMED"


@pytest.mark.parametrize(
    "given", [{"k": 0}, {"t": 2}, {"method": "mondrian", "suppress": 0.1}, {"relaxed": True}, {"kk": 1}]
)
def test_requirements_that_make_no_sense_are_refused(given):
    with pytest.raises(SandboxError) as refused:
        wanted(given)
    assert refused.value.code == "ANONYMISE_MALFORMED"


def test_a_table_that_does_not_fit_is_refused():
    frame = people(20)
    for told in (
        described([*FIELDS, {"name": "none"}]),
        described({"fields": FIELDS, "entity": "none"}),
    ):
        with pytest.raises(SandboxError) as refused:
            table_of(frame, told)
        assert refused.value.code == "ANONYMISE_COLUMN"
    lists = frame.with_columns(sex=pl.Series([[1]] * 20))
    with pytest.raises(SandboxError) as refused:
        table_of(lists, description())
    assert refused.value.code == "ANONYMISE_COLUMN"
    with pytest.raises(SandboxError) as refused:
        table_of(frame.with_columns(person=pl.lit(None, pl.String)), description())
    assert refused.value.code == "ANONYMISE_VALUES"
    with pytest.raises(SandboxError) as refused:
        table_of(frame.with_columns(age=pl.lit(float("nan"))), description())
    assert refused.value.code == "ANONYMISE_VALUES"
    with pytest.raises(SandboxError) as refused:
        table_of(frame, described([{"name": "age"}]))
    assert refused.value.code == "ANONYMISE_MALFORMED"


def test_a_file_that_is_no_table_is_refused(tmp_path):
    for name, content in (("a.parquet", b"x"), ("a.csv", b""), ("none.csv", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SandboxError) as refused:
            read(tmp_path / name, name.split(".")[-1])
        assert refused.value.code == "ANONYMISE_TABLE"


def room(tmp_path, **changed):
    """The room as a container calls it: (its answer, the folder it wrote to)."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    (inputs / "hierarchies").mkdir(parents=True)
    out.mkdir()
    people().write_csv(inputs / "data")
    (inputs / "hierarchies" / "ill.csv").write_text("甲病;x;*\n乙病;x;*\n丙病;y;*\n", encoding="utf-8")
    ill = {"name": "ill", "role": "quasi", "hierarchy": {"by": "file", "path": "ill.csv"}}
    told = {"fields": [*FIELDS[:3], ill, *FIELDS[4:]], "entity": "person"}
    params = {"format": "csv", "out": "parquet", "description": told, "wanted": {"k": 5}}
    return task.run({**params, **changed}, inputs, out), out


def test_the_room_writes_the_product_and_says_what_it_did(tmp_path):
    answer, out = room(tmp_path, candidates=["visits"])
    assert answer["ok"] is True
    assert answer["report"]["columns"]["quasi"] == ["age", "code", "sex", "ill", "visits"]
    made = pl.read_parquet(out / "product.parquet")
    assert made.group_by(answer["report"]["columns"]["quasi"]).len()["len"].min() >= 5
    assert [path.name for path in out.iterdir()] == ["product.parquet"]


@pytest.mark.parametrize(
    "changed",
    [{"format": "xlsx"}, {"out": "exe"}, {"candidates": [1]}, {"description": None}, {"wanted": {"k": "x"}}],
)
def test_the_room_refuses_what_it_does_not_know(tmp_path, changed):
    with pytest.raises(SandboxError) as refused:
        room(tmp_path, **changed)
    assert refused.value.code == "ANONYMISE_MALFORMED"
    assert not list((tmp_path / "out").iterdir())


def test_a_product_with_identifiers_in_it_is_not_written():
    told = described({"fields": [{"name": "sex", "role": "quasi"}, {"name": "phone"}], "one_row_each": True})
    phones = pl.DataFrame({"sex": ["f"] * 20, "phone": [f"138{n:08}" for n in range(12345678, 12345698)]})
    with pytest.raises(SandboxError) as refused:
        anonymise(phones, told, wanted({"k": 5}))
    assert refused.value.code == "IDENTIFIERS_REMAIN"
    assert "1381234" not in str(refused.value.as_json())
