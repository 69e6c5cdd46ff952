"""ONNX: a graph of operators from a fixed list, its arrays and its strings. The graph is not run here."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, TypeProto, numpy_helper

from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.readers.models import Linear, Model, Tree, Vocabulary, keep, say, shaped

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


# Where an attribute of each type has its value. All other fields of the message are free space.
FIELDS = {
    AttributeProto.TENSOR: "t",
    AttributeProto.FLOAT: "f",
    AttributeProto.FLOATS: "floats",
    AttributeProto.INT: "i",
    AttributeProto.INTS: "ints",
    AttributeProto.STRING: "s",
    AttributeProto.STRINGS: "strings",
}
_DIGITS = 9  # of a lone number; a longer one is read as text too
_MOST_VERSION = 1000  # of opsets and of the format: some 25 and 13 in 2026
_MOST_SIZE = 10**7  # of a dimension of an input or output
_TYPES = frozenset(TensorProto.DataType.values())


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as Python values and arrays. Raises ``Unreadable`` (duplicate, operator)."""
    if len({attribute.name for attribute in node.attribute}) < len(node.attribute):
        raise Unreadable("duplicate")
    return {attribute.name: _attribute(attribute) for attribute in node.attribute}


def _attribute(attribute: AttributeProto) -> Any:
    kind = attribute.type
    used = {field.name for field, _ in attribute.ListFields()}
    if used - {"name", "type", "doc_string", FIELDS.get(kind, "")}:
        raise Unreadable("operator")
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
    shaped(values)
    return values


def _refuse(model: ModelProto) -> None:
    """What has no place in a graph of plain operators. Raises ``Unreadable`` (operator)."""
    foreign = [item.domain for item in model.opset_import if item.domain not in DOMAINS]
    graph = model.graph
    if foreign or model.functions or model.training_info or graph.sparse_initializer or not graph.node:
        raise Unreadable("operator")
    versions = {item.domain.removeprefix("ai.onnx") or "": item.version for item in model.opset_import}
    if not all(0 < one <= _MOST_VERSION for one in (model.ir_version, *versions.values())):
        raise Unreadable("operator")
    for node in graph.node:
        if node.op_type not in OPERATORS or node.domain not in DOMAINS or node.overload:
            raise Unreadable("operator")
        known = _named(node, versions.get(node.domain.removeprefix("ai.onnx") or "", 0))
        if any(attribute.name not in known for attribute in node.attribute):
            raise Unreadable("operator")
    for value in (*graph.input, *graph.output):
        _plain_type(value.type)


def _named(node: NodeProto, version: int) -> Collection[str]:
    """The attributes that the operator has by its schema; none where there is no such operator."""
    domain = node.domain if node.domain != "ai.onnx" else ""
    try:
        names: Collection[str] = onnx.defs.get_schema(node.op_type, version, domain).attributes
    except onnx.defs.SchemaError:
        raise Unreadable("operator") from None
    return names


def _plain_type(given: TypeProto) -> None:
    """Tensors, and what classifiers give: a sequence of maps. Raises ``Unreadable`` (operator, size)."""
    kind = given.WhichOneof("value")
    if kind == "tensor_type":
        if given.tensor_type.elem_type not in _TYPES:
            raise Unreadable("operator")
        if any(not 0 <= size.dim_value <= _MOST_SIZE for size in given.tensor_type.shape.dim):
            raise Unreadable("size")
    elif kind == "sequence_type":
        _plain_type(given.sequence_type.elem_type)
    elif kind == "map_type" and given.map_type.key_type in _TYPES:
        _plain_type(given.map_type.value_type)
    else:
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
        yield "type", " ".join(_words(value.type))
        yield "value", value.doc_string


def _words(given: TypeProto) -> Iterator[str]:
    """What is said in the type of a value: none of it leaves."""
    yield given.denotation
    for size in given.tensor_type.shape.dim:
        yield from (size.dim_param, size.denotation)
    for inner, there in (
        (given.sequence_type.elem_type, given.HasField("sequence_type")),
        (given.map_type.value_type, given.HasField("map_type")),
    ):
        if there:
            yield from _words(inner)


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
            elif isinstance(value, str) or len(repr(value)) >= _DIGITS:
                say(document, place, str(value))
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
