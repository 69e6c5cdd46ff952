"""ONNX: a graph of operators from a fixed list, its arrays and its strings. The graph is not run here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, numpy_helper

from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.readers.models import Linear, Model, Tree, Vocabulary, keep, say

DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
# Arithmetic on tensors and the classical models of ai.onnx.ml. Left out: control flow, random numbers, text
# into numbers, external data, anything with a body of its own.
OPERATORS = frozenset(
    """
    Abs Acos Add And ArgMax ArgMin ArrayFeatureExtractor Asin Atan AveragePool BatchNormalization
    Binarizer Cast CastMap CategoryMapper Ceil Celu Clip Concat Constant ConstantOfShape Conv
    ConvTranspose Cos DequantizeLinear DictVectorizer Div Dropout Elu Equal Erf Exp Expand
    FeatureVectorizer Flatten Floor Gather GatherElements Gelu Gemm GlobalAveragePool GlobalMaxPool
    Greater GreaterOrEqual GRU Hardmax HardSigmoid HardSwish Identity Imputer InstanceNormalization
    LabelEncoder LayerNormalization LeakyRelu Less LessOrEqual LinearClassifier LinearRegressor Log
    LogSoftmax LRN LSTM MatMul Max MaxPool Mean Min Mish Mod Mul Neg Normalizer Not OneHot OneHotEncoder
    Or Pad Pow PRelu QuantizeLinear Reciprocal ReduceL1 ReduceL2 ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum Relu Reshape Resize RNN Round Scaler Selu Shape Sigmoid Sign Sin Size Slice
    Softmax Softplus Softsign Split Sqrt Squeeze Sub Sum SVMClassifier SVMRegressor Swish Tan Tanh
    TfIdfVectorizer Tile Transpose TreeEnsemble TreeEnsembleClassifier TreeEnsembleRegressor Unsqueeze
    Where ZipMap
    """.split()  # noqa: SIM905 - a list of words is easier to read
)
_LABELS = ("labels", "classlabels", "cats", "keys", "values", "vocabulary", "pool", "classes")
_TREES = {"TreeEnsembleClassifier", "TreeEnsembleRegressor"}


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values and arrays."""
    return {attribute.name: _attribute(attribute) for attribute in node.attribute}


def _attribute(attribute: AttributeProto) -> Any:
    kind = attribute.type
    if kind == AttributeProto.TENSOR:
        return _tensor(attribute.t)
    if kind in (AttributeProto.FLOAT, AttributeProto.INT, AttributeProto.FLOATS, AttributeProto.INTS):
        found = onnx.helper.get_attribute_value(attribute)
        single = kind in (AttributeProto.FLOAT, AttributeProto.INT)
        dtype = np.float32 if kind in (AttributeProto.FLOAT, AttributeProto.FLOATS) else np.int64
        return found if single else np.array(found, dtype=dtype)
    if kind == AttributeProto.STRING:
        return attribute.s.decode("utf-8")
    if kind == AttributeProto.STRINGS:
        return [item.decode("utf-8") for item in attribute.strings]
    raise Unreadable("operator")  # graphs, sparse tensors, types, references to another attribute


def _tensor(tensor: TensorProto) -> np.ndarray:
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise Unreadable("external")
    if tensor.HasField("segment"):
        raise Unreadable("operator")
    values: np.ndarray = numpy_helper.to_array(tensor)
    return values


def _refuse(model: ModelProto) -> None:
    """What has no place in a graph of plain operators. Raises ``Unreadable`` (operator)."""
    foreign = [item.domain for item in model.opset_import if item.domain not in DOMAINS]
    graph = model.graph
    if foreign or model.functions or model.training_info or graph.sparse_initializer or not graph.node:
        raise Unreadable("operator")
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in DOMAINS or node.overload:
            raise Unreadable("operator")


def _texts(model: ModelProto) -> Iterator[tuple[str, str]]:
    """(where, text) of everything in the file that is words and not needed to compute."""
    for name in ("producer_name", "producer_version", "domain", "doc_string"):
        yield name, str(getattr(model, name))
    graph = model.graph
    yield "graph", f"{graph.name} {graph.doc_string}".strip()
    for part in (model, graph):
        for row in part.metadata_props:
            yield "metadata", f"{row.key}: {row.value}"
    for number, node in enumerate(graph.node, 1):
        words = [node.name, node.doc_string, *(a.doc_string for a in node.attribute), *node.output]
        yield f"node {number}", " ".join(word for word in words if word)
        for row in node.metadata_props:
            yield f"node {number}", f"{row.key}: {row.value}"
    for value in (*graph.value_info, *graph.initializer):
        yield "value", f"{value.name} {value.doc_string}".strip()
    for value in (*graph.input, *graph.output):
        for size in value.type.tensor_type.shape.dim:
            yield "dimension", f"{size.dim_param} {size.denotation}".strip()
        yield "value", value.doc_string


def trees(node: dict[str, Any], where: str) -> list[Tree]:
    """The trees of a TreeEnsemble operator of ai.onnx.ml 1 to 4, from its flat attributes."""
    weights = "class" if "class_weights" in node else "target"
    modes, owners = node["nodes_modes"], node["nodes_treeids"]
    if set(modes) - {"BRANCH_LEQ", "LEAF"}:
        raise Unreadable("operator")
    outputs = int(node[f"{weights}_ids"].max()) + 1
    found = []
    for owner in np.unique(owners):
        at = np.flatnonzero(owners == owner)
        place = {int(number): i for i, number in enumerate(node["nodes_nodeids"][at])}
        leaf = np.array([modes[i] == "LEAF" for i in at])
        values = np.zeros((len(at), outputs))
        rows = np.flatnonzero(node[f"{weights}_treeids"] == owner)
        for row in rows:
            values[place[int(node[f"{weights}_nodeids"][row])], int(node[f"{weights}_ids"][row])] += node[
                f"{weights}_weights"
            ][row]
        left, right = (
            np.array([-1 if end else place[int(k)] for k, end in zip(node[key][at], leaf, strict=True)])
            for key in ("nodes_truenodeids", "nodes_falsenodeids")
        )
        feature, threshold = node["nodes_featureids"][at], node["nodes_values"][at]
        found.append(Tree(where, feature, threshold, left, right, values, None))
    return found


def _describe(document: Document, model: ModelProto) -> Model:
    graph = model.graph
    made = Model(source=model, inputs=[value.name for value in graph.input])
    for number, tensor in enumerate(graph.initializer, 1):
        where = f"array {number}"
        values = _tensor(tensor)
        if values.dtype.hasobject or values.dtype.kind in "USO":
            labels = [v.decode() if isinstance(v, bytes) else str(v) for v in values.reshape(-1)]
            _label(document, made, where, labels)
        else:
            keep(document, where, values)
    for number, node in enumerate(graph.node, 1):
        where, found = f"node {number} {node.op_type}", attributes(node)
        made.types.append((where, node.op_type))
        for name, value in found.items():
            place = f"{where} {name}"
            if isinstance(value, np.ndarray) and value.dtype.kind not in "USO":
                keep(document, place, value)
            elif isinstance(value, np.ndarray | list):
                labels = [
                    v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(value).reshape(-1)
                ]
                if name.startswith(_LABELS):
                    _label(document, made, place, labels)
                elif name != "nodes_modes":
                    say(document, place, " ".join(labels))
            elif isinstance(value, str):
                say(document, place, value)
        if node.op_type in ("LinearRegressor", "LinearClassifier") and "coefficients" in found:
            bias = np.atleast_1d(found.get("intercepts", np.zeros(1)))
            rows = max(1, int(found.get("targets", len(bias))))
            made.linear.append(Linear(where, found["coefficients"].reshape(rows, -1), bias))
        if node.op_type in _TREES:
            made.trees += trees(found, where)
    return made


def _label(document: Document, model: Model, where: str, labels: list[str]) -> None:
    model.vocabularies.append(Vocabulary(where, labels))
    for label in labels:
        say(document, where, label)


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with every array, label and name. Raises ``Unreadable``: malformed, operator,
    external, size."""
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError:
        raise Unreadable("malformed") from None
    _refuse(model)
    if len(model.graph.node) + len(model.graph.initializer) > budget.cells // 1000:
        raise Unreadable("size")
    for where, text in _texts(model):
        say(document, where, text, hidden=True)
    for value in (*model.graph.input, *model.graph.output):
        say(document, "name", value.name)
    try:
        document.body = _describe(document, model)
    except (KeyError, IndexError, TypeError, ValueError):
        raise Unreadable("malformed") from None
