"""Models that carry persons: rows in arrays, leaves and labels of few, fits that know the rows by heart."""

import json
import pickle

import numpy as np
import polars as pl
import pytest
import skops.io
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sandbox.egress.checks.models_rows import Wardrobe
from sandbox.egress.context import RawTable

FORMATS = ["onnx", "safetensors", "skops"]
QUASI = ("district", "sex", "age", "occupation", "birth")


@pytest.fixture(scope="module")
def people(persons):
    """The register with a score that depends on age, and noise that is each person's own."""
    noise = np.random.default_rng(3).normal(0, 1, persons.height)
    return persons.with_columns(score=pl.Series(np.round(noise + persons["age"].to_numpy() / 20, 3)))


@pytest.fixture(scope="module")
def raws(people, tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "people.parquet"
    people.write_parquet(path)
    return [RawTable("people", path, "id_no", QUASI, ("disease",), ("name", "phone"))]


@pytest.fixture
def judge(attack, policy, raws):
    """Check one model file against the register: its findings by rule."""

    def go(content, name="m.skops", raws=raws):
        data = content if isinstance(content, bytes) else skops.io.dumps(content)
        limits = {
            "egress.formats": FORMATS,
            "egress.model_attack_auc_max": 0.6,
            "egress.model_canary_top_share": 0.01,
        }
        report = attack(data, name, policy={**policy, **limits}, raws=raws)
        text = json.dumps(report.as_json(), ensure_ascii=False)
        assert report.verdict != "no_objection"  # every model is at least held
        return {item.rule: item for item in report.findings}, text

    return go


def inputs(people, *names):
    return people.select(names or ("age", "income")).to_pandas()


def fit(model, people, target="disease", *names):
    return model.fit(inputs(people, *names), people[target].to_numpy())


# -- refused: rows

DRESSES = {
    "raw": lambda x: x,
    "standardised": lambda x: (x - x.mean(0)) / x.std(0),
    "standardised, n-1": lambda x: (x - x.mean(0)) / x.std(0, ddof=1),
    "unit interval": lambda x: (x - x.min(0)) / (x.max(0) - x.min(0)),
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("dress", DRESSES)
def test_raw_rows_in_an_array_are_found_in_every_dress(people, dress, dtype):
    names = ["age", "score"] if dtype is np.float16 else ["age", "income", "score"]  # 65,504 is its end
    rows = people.select(names).to_numpy().astype(float)
    drawn = np.random.default_rng(2).permutation(len(rows))[:60]
    wardrobe = Wardrobe({name: rows[:, i] for i, name in enumerate(names)}, 10)
    count, columns, _ = wardrobe.find(DRESSES[dress](rows)[drawn].astype(dtype))
    assert count >= 50
    assert columns >= 2


def test_standardised_rows_in_a_file_are_refused(people, judge):
    rows = people.select("age", "income", "score").to_numpy().astype(float)
    stored = ((rows - rows.mean(0)) / rows.std(0))[100:140].astype(np.float32)
    assert not stored.flags.c_contiguous  # safetensors then writes it column by column, under the same shape
    found, _ = judge(save({"layer.weight": stored}), "m.safetensors")
    assert found["MODEL_ROWS"].severity == "hard"
    assert found["MODEL_ROWS"].evidence["family"] == 5


def test_rows_beside_weights_and_turned_on_their_side_are_found(people, judge):
    rows = people.select("age", "income", "score").to_numpy().astype(np.float32)[:40]
    noise = np.random.default_rng(4).normal(size=(40, 5)).astype(np.float32)
    found, _ = judge(save({"w": np.hstack([noise, rows]).T.copy()}), "m.safetensors")
    assert found["MODEL_ROWS"].evidence["columns"] == 3


def test_one_column_of_single_persons_is_found(people, judge):
    found, _ = judge(save({"bias": people["income"].to_numpy()[:200]}), "m.safetensors")
    assert found["MODEL_ROWS"].evidence["columns"] == 1


def test_rows_in_a_graph_are_found(people, judge):
    rows = people.select("age", "income", "score").to_numpy().astype(np.float32)[:50].T.copy()
    made = helper.make_graph(
        [helper.make_node("MatMul", ["x", "W"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 50])],
        [numpy_helper.from_array(rows, "W")],
    )
    found, _ = judge(helper.make_model(made, ir_version=9).SerializeToString(), "m.onnx")
    assert found["MODEL_ROWS"].severity == "hard"


def test_weights_that_are_no_rows_are_not_taken_for_them(judge):
    draw = np.random.default_rng(6)
    arrays = {"w": draw.normal(size=(64, 32)).astype(np.float32), "i": draw.integers(0, 90, (200, 2))}
    found, _ = judge(save({**arrays, "h": draw.normal(size=500).astype(np.float16)}), "m.safetensors")
    assert "MODEL_ROWS" not in found
    assert found["MODEL"].severity == "hold"


FAMILIES = {"k-NN": KNeighborsClassifier(), "support vectors": SVC()}


@pytest.mark.parametrize("name", FAMILIES)
def test_families_that_store_rows_are_refused(people, judge, name):
    found, _ = judge(fit(FAMILIES[name], people.head(600)))
    assert found["MODEL_FAMILY"].severity == "hard"
    assert found["MODEL_ROWS"].severity == "hard"


def test_a_scaler_that_stores_extremes_is_held(people, judge):
    found, _ = judge(MinMaxScaler().fit(inputs(people)))
    assert found["MODEL_FAMILY"].severity == "hold"


def test_a_value_a_person_is_refused(people, judge):
    found, _ = judge(save({"offsets": np.random.default_rng(1).normal(size=people.height)}), "m.safetensors")
    assert found["MODEL_SATURATED"].severity == "hard"


@pytest.mark.parametrize("name", ["m.pkl", "m.skops", "m.onnx"])
def test_pickles_are_refused_under_any_name(judge, name):
    found, _ = judge(pickle.dumps({"weights": [1.0]}), name)
    assert set(found) == {"FORMAT"}


# -- refused: leaves, labels, fits


def test_leaves_of_few_are_refused(people, judge):
    found, _ = judge(fit(DecisionTreeClassifier(), people))
    assert found["MODEL_LEAF"].severity == "hard"
    assert found["MODEL_LEAF"].evidence["threshold"] == 10


def test_labels_of_few_are_refused_and_not_repeated(people, judge, tmp_path):
    # A rare occupation that three persons have; the register knows it, the report must not say it.
    rare = people.with_columns(
        occupation=pl.when(pl.int_range(pl.len()) < 3).then(pl.lit("灯塔守护人")).otherwise("occupation")
    )
    encoder = OneHotEncoder().fit(inputs(rare, "occupation"))
    found, text = judge(encoder, raws=[table(rare, tmp_path)])
    assert found["MODEL_SUPPORT"].severity == "hard"
    assert found["MODEL_SUPPORT"].evidence["count"] == 1
    assert "灯塔守护人" not in text


def table(frame, folder):
    path = folder / "rare.parquet"
    frame.write_parquet(path)
    return RawTable("people", path, "id_no", QUASI, ("disease",), ("name", "phone"))


def test_as_many_parameters_as_persons_are_refused(people, judge, tmp_path):
    few = people.head(30)
    wide = np.random.default_rng(0).normal(size=(30, 24))
    model = LinearRegression().fit(wide, few["score"].to_numpy())
    found, _ = judge(model, raws=[table(few, tmp_path)])
    assert found["MODEL_SATURATED"].evidence == {"parameters": 25, "rows": 30, "threshold": 10}


# -- refused: what the model knows by heart


@pytest.mark.parametrize(
    "model",
    [DecisionTreeRegressor(random_state=0), DecisionTreeClassifier(random_state=0)],
    ids=["number", "class"],
)
def test_a_model_that_learnt_by_heart_is_told_by_the_attack(people, judge, model):
    target = "score" if isinstance(model, DecisionTreeRegressor) else "disease"
    found, text = judge(fit(model, people, target))
    (curve,) = [one["curve"] for one in json.loads(text)["attacks"]]
    assert max(caught - rate for rate, caught in curve) > 0.15  # well above chance somewhere
    evidence = found["MODEL_ATTACK"].evidence
    assert evidence["auc"] > 0.6
    assert evidence["exposed"] > 10
    assert evidence["family"] == 5


def test_a_graph_that_learnt_by_heart_is_told_by_the_attack(people, judge):
    """A tree as an ONNX operator, which states no leaf sizes."""
    numbers = people.select("age", "income")
    tree = DecisionTreeRegressor(random_state=0).fit(
        numbers.to_numpy().astype(np.float32), people["score"].to_numpy()
    )
    t = tree.tree_
    nodes = np.arange(t.node_count)
    leaf = t.children_left < 0
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=[0] * len(nodes), nodes_nodeids=nodes.tolist(),
        nodes_featureids=np.maximum(t.feature, 0).tolist(),
        nodes_modes=["LEAF" if end else "BRANCH_LEQ" for end in leaf],
        nodes_values=t.threshold.astype(np.float32).tolist(),
        nodes_truenodeids=np.maximum(t.children_left, 0).tolist(),
        nodes_falsenodeids=np.maximum(t.children_right, 0).tolist(),
        target_treeids=[0] * int(leaf.sum()), target_nodeids=nodes[leaf].tolist(),
        target_ids=[0] * int(leaf.sum()), target_weights=t.value[leaf, 0, 0].astype(np.float32).tolist(),
    )  # fmt: skip
    made = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    data = helper.make_model(made, opset_imports=opsets, ir_version=9).SerializeToString()
    found, _ = judge(data, "m.onnx")
    assert found["MODEL_LEAF"].severity == "hold"
    assert found["MODEL_ATTACK"].evidence["auc"] > 0.9


# -- held for people, and nothing else

HONEST = {
    "logistic": lambda p: fit(make_pipeline(StandardScaler(), LogisticRegression()), p),
    "linear": lambda p: fit(LinearRegression(), p, "score"),
    "tree": lambda p: fit(DecisionTreeClassifier(min_samples_leaf=50), p),
    "regression tree": lambda p: fit(DecisionTreeRegressor(min_samples_leaf=40), p, "score"),
    "forest": lambda p: fit(RandomForestClassifier(4, min_samples_leaf=40, random_state=0), p),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_is_tested_and_held(people, judge, name):
    found, text = judge(HONEST[name](people))
    (told,) = json.loads(text)["attacks"]
    assert (told["auc"], told["rows"]) == tuple(
        found["MODEL_TESTED"].evidence[key] for key in ("auc", "rows")
    )
    assert all(abs(caught - rate) < 0.15 for rate, caught in told["curve"])
    assert {item.severity for item in found.values()} <= {"hold", "flag"}
    evidence = found["MODEL_TESTED"].evidence
    assert 0.4 < evidence["auc"] <= 0.6
    assert evidence["tpr"] < 0.05


def test_a_model_that_cannot_be_tested_says_so(people, judge):
    steps = ColumnTransformer([("c", OneHotEncoder(), ["district", "occupation"])])
    model = fit(make_pipeline(steps, LogisticRegression()), people, "disease", "district", "occupation")
    found, _ = judge(model)
    assert found["MODEL_UNTESTED"].severity == "hold"
    assert "MODEL_SUPPORT" not in found
