"""Models are laid open without running them; what leaves predicts as before, and says nothing more."""

import copy
import io
import json
import zipfile

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import load as load_safetensors
from safetensors.numpy import save as save_safetensors
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sandbox.egress.canonical import canonical
from sandbox.egress.forms import Budget
from sandbox.egress.readers import read
from sandbox.egress.readers.onnx import OPERATORS

FORMATS = ["onnx", "safetensors", "skops"]
SECRET = "13812345678"
DRAW = np.random.default_rng(5)
ROWS, TARGET = DRAW.normal(size=(300, 3)), DRAW.integers(0, 2, 300)


def load(tmp_path, data, name, budget=None):
    path = tmp_path / "file"
    path.write_bytes(data)
    return read(path, name, FORMATS, budget or Budget())


def said(document):
    return " ".join(piece.text for piece in document.pieces)


# -- ONNX


def graph(nodes=None, arrays=None, **model):
    weights = {"W": DRAW.normal(size=(3, 1)).astype(np.float32)} if arrays is None else arrays
    made = helper.make_graph(
        nodes
        or [
            helper.make_node("MatMul", ["x", "W"], ["middle"]),
            helper.make_node("Sigmoid", ["middle"], ["p"]),
        ],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["N", 1])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    opsets = [helper.make_opsetid("", 18), *model.pop("opsets", [])]
    return helper.make_model(made, opset_imports=opsets, ir_version=9, **model)


def wordy(place):
    model = graph()
    node, value = model.graph.node[0], model.graph.input[0]
    tensor = model.graph.initializer[0]
    fields = {
        "producer": lambda: setattr(model, "producer_name", SECRET),
        "notes": lambda: setattr(model, "doc_string", SECRET),
        "metadata": lambda: model.metadata_props.add(key="k", value=SECRET),
        "name of the graph": lambda: setattr(model.graph, "name", SECRET),
        "notes of the graph": lambda: setattr(model.graph, "doc_string", SECRET),
        "name of a node": lambda: setattr(node, "name", SECRET),
        "notes of a node": lambda: setattr(node, "doc_string", SECRET),
        "name of a dimension": lambda: setattr(value.type.tensor_type.shape.dim[0], "dim_param", SECRET),
        "notes of an input": lambda: setattr(value, "doc_string", SECRET),
        "notes of an array": lambda: setattr(tensor, "doc_string", SECRET),
    }
    if place == "name of an array":
        tensor.name = node.input[1] = SECRET
    elif place == "name of a value":
        node.output[0] = model.graph.node[1].input[0] = SECRET
    else:
        fields[place]()
    return model.SerializeToString()


WORDS = [
    "producer", "notes", "metadata", "name of the graph", "notes of the graph", "name of a node",
    "notes of a node", "name of a dimension", "notes of an input", "notes of an array", "name of an array",
    "name of a value",
]  # fmt: skip


@pytest.mark.parametrize("place", WORDS)
def test_every_word_of_a_graph_is_brought_to_light_and_dropped(tmp_path, place):
    document = load(tmp_path, wordy(place), "a.onnx")
    assert SECRET in said(document)
    assert SECRET.encode() not in canonical(document)


def test_a_graph_written_anew_computes_the_same_and_stays_the_same(tmp_path):
    model = graph()
    document = load(tmp_path, model.SerializeToString(), "a.onnx")
    written = canonical(document)
    inputs = {"x": ROWS[:5].astype(np.float32)}
    assert np.array_equal(
        ReferenceEvaluator(model).run(None, inputs), ReferenceEvaluator(written).run(None, inputs)
    )
    assert canonical(load(tmp_path, written, "a.onnx")) == written
    assert [array.name for array in document.arrays] == ["array 1"]


def external():
    model = graph()
    tensor = model.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return model


def function():
    model = graph()
    node = helper.make_node("Neg", ["a"], ["b"])
    model.functions.append(
        helper.make_function("here", "f", ["a"], ["b"], [node], [helper.make_opsetid("", 18)])
    )
    return model


def branch():
    body = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "b", [], [])
    node = helper.make_node("If", ["c"], ["p"], then_branch=body, else_branch=body)
    return graph([node])


REFUSED = {
    "external data": (external(), "external"),
    "function": (function(), "operator"),
    "branch": (branch(), "operator"),
    "foreign domain": (graph(opsets=[helper.make_opsetid("com.example", 1)]), "operator"),
    "foreign operator": (graph([helper.make_node("Neg", ["x"], ["p"], domain="com.example")]), "operator"),
    "random numbers": (graph([helper.make_node("RandomNormalLike", ["x"], ["p"])]), "operator"),
    "body of an allowed one": (
        graph([helper.make_node("Cast", ["x"], ["p"], to=1, body=branch().graph)]),
        "operator",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_graph_with_more_than_plain_operators_is_refused(tmp_path, case):
    model, reason = REFUSED[case]
    document = load(tmp_path, model.SerializeToString(), "a.onnx")
    assert document.faults == [(reason, "")]
    assert document.body is None


def test_no_operator_of_the_list_has_a_body():
    assert not OPERATORS & {
        "If",
        "Loop",
        "Scan",
        "SequenceMap",
        "RandomNormal",
        "RandomUniform",
        "Multinomial",
    }


@pytest.mark.parametrize("name", ["a.onnx", "a.safetensors"])
@given(data=st.binary(min_size=1, max_size=200))
@settings(max_examples=40)
def test_noise_is_refused(tmp_path, name, data):
    assert not load(tmp_path, data, name).readable


# -- safetensors


def test_safetensors_keep_arrays_and_names_only(tmp_path):
    arrays = {"b": ROWS.astype(np.float16), "a": np.array([1.0, -0.0, np.nan])}
    document = load(tmp_path, save_safetensors(arrays, metadata={"k": SECRET}), "a.safetensors")
    assert SECRET in said(document)
    assert {"a", "b"} <= {piece.text for piece in document.pieces if not piece.hidden}
    written = canonical(document)
    assert SECRET.encode() not in written
    again = load_safetensors(written)
    assert np.array_equal(again["a"], arrays["a"], equal_nan=True)
    assert not np.signbit(again["a"][1])
    assert canonical(load(tmp_path, written, "a.safetensors")) == written


def header(text, body=b""):
    raw = text.encode()
    return len(raw).to_bytes(8, "little") + raw + body


BROKEN = {
    "twice a name": header(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
        b"x",
    ),
    "bytes of no array": header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"xy"),
    "a gap": header('{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"xy"),
    "deep": header("[" * 100_000),
    "longer than the file": (1 << 40).to_bytes(8, "little") + b"{}",
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_safetensors_are_refused(tmp_path, case):
    assert load(tmp_path, BROKEN[case], "a.safetensors").faults[0][0] in ("malformed", "duplicate")


# -- skops

FITTED = {
    "line": make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, TARGET),
    "forest": RandomForestClassifier(3, min_samples_leaf=20, random_state=0).fit(ROWS, TARGET),
    "boosted": GradientBoostingRegressor(n_estimators=3, random_state=0).fit(ROWS, TARGET),
    "histograms": HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(ROWS, TARGET),
}


@pytest.mark.parametrize("name", FITTED)
def test_an_estimator_written_anew_predicts_the_same_and_stays_the_same(tmp_path, name):
    document = load(tmp_path, skops.io.dumps(FITTED[name]), "a.skops")
    written = canonical(document)
    trusted = skops.io.get_untrusted_types(data=written)
    again = skops.io.loads(written, trusted=trusted)
    assert np.array_equal(again.predict(ROWS), FITTED[name].predict(ROWS))
    assert canonical(load(tmp_path, written, "a.skops")) == written
    # Equal models leave as equal bytes: memory addresses, which carry bits, are gone.
    twin = skops.io.dumps(copy.deepcopy(FITTED[name]))
    assert canonical(load(tmp_path, twin, "a.skops")) == written


def test_the_parts_that_checks_look_at_are_found(tmp_path):
    line, forest = (load(tmp_path, skops.io.dumps(FITTED[n]), "a.skops").body for n in ("line", "forest"))
    assert line.linear[0].weights.shape == (1, 3)
    assert sorted(len(tree.samples) for tree in forest.trees) == sorted(
        tree.tree_.node_count for tree in FITTED["forest"].estimators_
    )
    encoder = OneHotEncoder().fit(np.array([["东城区"], ["西城区"]], dtype=object))
    assert [w.labels for w in load(tmp_path, skops.io.dumps(encoder), "a.skops").body.vocabularies] == [
        ["东城区", "西城区"]
    ]


def test_words_of_a_vocabulary_and_strings_are_text(tmp_path):
    words = CountVectorizer(stop_words=[SECRET + "0"]).fit([f"call {SECRET}", "call me"])
    text = said(load(tmp_path, skops.io.dumps(words), "a.skops"))
    assert SECRET in text.split()
    assert SECRET + "0" in text


def changed(change, extra=()):
    """A skops file whose schema went through ``change``, with more members."""
    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(FITTED["line"])))
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                change(schema)
                content = json.dumps(schema).encode()
            target.writestr(name, content)
        for name, content in extra:
            target.writestr(name, content)
    return sink.getvalue()


def objects():
    sink = io.BytesIO()
    np.save(sink, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    source = zipfile.ZipFile(io.BytesIO(skops.io.dumps(FITTED["line"])))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as target:
        for name in source.namelist():
            target.writestr(name, sink.getvalue() if name.endswith(".npy") else source.read(name))
    return made.getvalue()


SKOPS_REFUSED = {
    "a function": (skops.io.dumps(FunctionTransformer(np.log)), "operator"),
    "a node of another kind": (changed(lambda s: s.update(__loader__="ReduceNode")), "operator"),
    "no kind": (changed(lambda s: s.pop("__module__")), "malformed"),
    "an array nobody uses": (changed(lambda s: None, [("1.npy", b"\x93NUMPY")]), "trailing"),
    "pickled objects": (objects(), "executable"),
    "no schema": (changed(lambda s: s.clear()), "malformed"),
}


@pytest.mark.parametrize("case", SKOPS_REFUSED)
def test_a_schema_that_would_act_or_hide_is_refused(tmp_path, case):
    data, reason = SKOPS_REFUSED[case]
    assert load(tmp_path, data, "a.skops").faults == [(reason, "")]
