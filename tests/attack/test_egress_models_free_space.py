"""Fields of a model file that no run of the model reads: whatever is written there must not leave.

Every place gets an identity number, in the plain or as an integer. The file is refused, the number is found,
or it is gone from the canonical bytes; the same file without it leaves.
"""

from __future__ import annotations

import copy
import io
import json
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import skops.io
from onnx import ModelProto, TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sandbox.egress.canonical import canonical
from sandbox.egress.canonical.archives import zipped
from sandbox.egress.forms import Budget, Document
from sandbox.egress.readers import read

SECRET = "520502197703309324"
FORMATS = ["onnx", "skops"]


def left(folder: Path, name: str, data: bytes) -> tuple[Document, bytes]:
    """(the document as read, its canonical bytes; none where it cannot be read)."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    document = read(folder / name, name, FORMATS, Budget())
    return document, canonical(document, False) if document.readable else b""


def told(document: Document) -> bool:
    """Whether the checks see the number: in a piece of text of the document."""
    return any(SECRET in piece.text for piece in document.pieces)


def carries(data: bytes) -> bool:
    """Whether the number is in the bytes: written out, or as an integer in either of the usual encodings."""
    number = int(SECRET)
    varint = bytearray()
    while number:
        varint.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
    return any(part in data for part in (SECRET.encode(), bytes(varint), struct.pack("<q", int(SECRET))))


# --- ONNX


def graph() -> ModelProto:
    weights = numpy_helper.from_array(np.array([[1.5], [2.5]], dtype=np.float32), "W")
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, s]) for n, s in (("x", 2), ("y", 1)))
    nodes = [helper.make_node("MatMul", ["x", "W"], ["z"]), helper.make_node("Softmax", ["z"], ["y"], axis=1)]
    made = helper.make_graph(nodes, "g", [x], [y], [weights])
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _map_input(model: ModelProto) -> None:
    value = model.graph.input.add(name="q")
    value.type.map_type.key_type = TensorProto.STRING
    value.type.map_type.value_type.tensor_type.elem_type = TensorProto.FLOAT
    value.type.map_type.value_type.tensor_type.shape.dim.add().dim_param = SECRET


def _more_data(model: ModelProto) -> None:
    model.graph.initializer[0].string_data.append(SECRET.encode())
    model.graph.initializer[0].int64_data.append(int(SECRET))


PLACES: dict[str, Callable[[ModelProto], Any]] = {
    "a string beside the integer of an attribute": (
        lambda m: m.graph.node[1].attribute[0].strings.append(SECRET.encode())
    ),
    "an array beside it": (
        lambda m: (
            m.graph.node[1]
            .attribute[0]
            .t.CopyFrom(numpy_helper.from_array(np.frombuffer(SECRET.encode(), np.uint8), SECRET))
        )
    ),
    "the name of an attribute": lambda m: m.graph.node[1].attribute.add(name=SECRET, type=2, i=1),
    "an attribute given twice": lambda m: m.graph.node[1].attribute.add(name="axis", type=2, i=int(SECRET)),
    "the integer of an attribute": lambda m: setattr(m.graph.node[1].attribute[0], "i", int(SECRET)),
    "an attribute of a function": lambda m: setattr(m.graph.node[1].attribute[0], "ref_attr_name", SECRET),
    "what a type denotes": lambda m: setattr(m.graph.input[0].type, "denotation", SECRET),
    "a size of an input": (
        lambda m: setattr(m.graph.input[0].type.tensor_type.shape.dim[1], "dim_value", int(SECRET))
    ),
    "the name of a size inside a map": _map_input,
    "the version of the operators": lambda m: setattr(m.opset_import[0], "version", int(SECRET)),
    "the version of the format": lambda m: setattr(m, "ir_version", int(SECRET)),
    "data of another type beside an array": _more_data,
}


def test_a_plain_graph_leaves(tmp_path: Path) -> None:
    document, data = left(tmp_path, "m.onnx", graph().SerializeToString())
    assert document.readable
    onnx.checker.check_model(onnx.load_model_from_string(data))
    given = helper.make_attribute("axis", int(SECRET)).SerializeToString()
    assert carries(given)
    assert not carries(data)


@pytest.mark.parametrize("place", PLACES)
def test_nothing_leaves_in_the_free_space_of_a_graph(place: str, tmp_path: Path) -> None:
    model = graph()
    PLACES[place](model)
    assert carries(model.SerializeToString())
    document, data = left(tmp_path, "m.onnx", model.SerializeToString())
    assert told(document) or not carries(data)


def test_a_nan_in_an_attribute_carries_nothing(tmp_path: Path) -> None:
    written = set()
    for payload in (0x7FC00000, 0x7FC54321):
        (value,) = struct.unpack("<f", struct.pack("<I", payload))
        nodes = [helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", targets=1)]
        nodes[0].attribute.add(name="coefficients", type=6).floats.extend([value, 2.0])
        x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 1]) for n in "xy")
        model = helper.make_model(
            helper.make_graph(nodes, "g", [x], [y]),
            opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)],
        )
        written.add(left(tmp_path, "m.onnx", model.SerializeToString())[1])
    assert len(written) == 1
    assert written != {b""}


# --- skops


@pytest.fixture(scope="module")
def pipeline() -> dict[str, bytes]:
    """The members of a fitted pipeline."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, (x[:, 0] > 0).astype(int))
    archive = zipfile.ZipFile(io.BytesIO(skops.io.dumps(fitted)))
    return {name: archive.read(name) for name in archive.namelist()}


def _nodes(value: Any, loader: str) -> Iterator[dict[str, Any]]:
    children: Any = value if isinstance(value, list) else ()
    if isinstance(value, dict):
        if value.get("__loader__") == loader:
            yield value
        children = value.values()
    for child in children:
        yield from _nodes(child, loader)


def packed(files: dict[str, bytes], schema: Any) -> bytes:
    others = [(name, data) for name, data in files.items() if name != "schema.json"]
    return zipped([*others, ("schema.json", json.dumps(schema).encode())])


def test_a_plain_pipeline_leaves(pipeline: dict[str, bytes], tmp_path: Path) -> None:
    _, data = left(tmp_path, "m.skops", packed(pipeline, json.loads(pipeline["schema.json"])))
    assert skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data)) is not None


@pytest.mark.parametrize(
    ("loader", "key", "value"),
    [
        ("JsonNode", "__class__", f"A{SECRET}"),
        ("JsonNode", "is_json", SECRET),
        ("DictNode", "type", SECRET),
        ("DictNode", "key_types", {"a": SECRET}),
        ("DictNode", "__class__", f"A{SECRET}"),
        ("DictNode", "args", SECRET),
        ("NdArrayNode", "type", SECRET),
        ("NdArrayNode", "shape", {"a": SECRET}),
        ("NdArrayNode", "content", [SECRET]),
        ("ListNode", "__module__", f"a{SECRET}"),
        ("ObjectNode", "__reduce__", {"args": None, "more": SECRET}),
        ("ObjectNode", "protocol", int(SECRET)),
        ("TypeNode", "__module__", f"sklearn.a{SECRET}"),
    ],
)
def test_nothing_leaves_in_the_free_space_of_a_schema(
    loader: str, key: str, value: Any, pipeline: dict[str, bytes], tmp_path: Path
) -> None:
    schema = copy.deepcopy(json.loads(pipeline["schema.json"]))
    next(_nodes(schema, loader))[key] = value
    document, data = left(tmp_path, "m.skops", packed(pipeline, schema))
    inside = zipfile.ZipFile(io.BytesIO(data)).read("schema.json") if data else b""
    assert told(document) or SECRET.encode() not in inside


def test_short_numbers_in_names_of_attributes_are_read(pipeline: dict[str, bytes], tmp_path: Path) -> None:
    schema = json.loads(pipeline["schema.json"])
    node = next(_nodes(schema, "JsonNode"))
    next(_nodes(schema, "DictNode"))["content"] |= {"k52050": node, "k21977": node}
    document, _ = left(tmp_path, "m.skops", packed(pipeline, schema))
    assert {"k52050", "k21977"} <= {piece.text for piece in document.pieces}


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.STRING])
def test_the_shape_of_an_array_without_values_says_nothing(kind: int, tmp_path: Path) -> None:
    """No values, so no check looks at it: and a side of any length."""
    model = graph()
    model.graph.initializer.add(name="empty", data_type=kind).dims.extend([0, int(SECRET) % 10**15])
    model.graph.node.append(helper.make_node("Identity", ["empty"], ["e"]))
    assert not left(tmp_path, "m.onnx", model.SerializeToString())[0].readable
    model.graph.initializer[-1].ClearField("dims")
    model.graph.initializer[-1].dims.extend([0, 3])
    assert left(tmp_path, "m.onnx", model.SerializeToString())[0].readable
    head = json.dumps({"w": {"dtype": "F32", "shape": [0, int(SECRET)], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
    assert not read(tmp_path / "w.safetensors", "w.safetensors", ["safetensors"], Budget()).readable
