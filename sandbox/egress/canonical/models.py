"""Models: arrays, labels and structure; names, order and identities that say nothing are given anew."""

from __future__ import annotations

import io
import json as plain_json
from typing import Any

import numpy as np
from onnx import AttributeProto, ModelProto, NodeProto, TypeProto, numpy_helper
from safetensors.numpy import save

from sandbox.egress.canonical.archives import zipped
from sandbox.egress.forms import Document, Unreadable
from sandbox.egress.readers.models import plain
from sandbox.egress.readers.onnx import FIELDS

# What a node of a skops schema may hold; identities and files are numbered anew.
_KEPT = ("__class__", "__module__", "__loader__", "type", "is_json")  # the reader knows what each may be
_INSIDE = ("content", "key_types", "shape", "__reduce__", "args")


def safetensors(document: Document, ordered: bool) -> bytes:
    """The arrays under their names, sorted; no metadata."""
    written: bytes = save({name: plain(values) for name, values in sorted(document.body.source.items())})
    return written


class _Names:
    """New names for the values of a graph: those of its inputs and outputs stay, users need them."""

    def __init__(self, kept: set[str]) -> None:
        self.given = {name: name for name in kept} | {"": ""}
        self.kept, self.next = kept, 0

    def __call__(self, name: str) -> str:
        if name not in self.given:
            while f"v{self.next}" in self.kept:
                self.next += 1
            self.given[name] = f"v{self.next}"
            self.next += 1
        return self.given[name]


def _node(node: NodeProto, names: _Names) -> NodeProto:
    made = NodeProto(op_type=node.op_type, domain=node.domain)
    made.input.extend(names(name) for name in node.input)
    made.output.extend(names(name) for name in node.output)
    for attribute in sorted(node.attribute, key=lambda item: item.name):
        fresh = made.attribute.add(name=attribute.name, type=attribute.type)
        field, values = FIELDS[attribute.type], getattr(attribute, FIELDS[attribute.type])
        if attribute.type == AttributeProto.TENSOR:
            fresh.t.CopyFrom(numpy_helper.from_array(plain(numpy_helper.to_array(attribute.t))))
        elif attribute.type == AttributeProto.FLOAT:
            fresh.f = float(plain(np.array(values, dtype=np.float32)))
        elif attribute.type == AttributeProto.FLOATS:
            fresh.floats.extend(plain(np.array(values, dtype=np.float32)).tolist())
        elif attribute.type in (AttributeProto.INTS, AttributeProto.STRINGS):
            getattr(fresh, field).extend(values)
        else:
            setattr(fresh, field, values)
    return made


def _type(given: TypeProto, made: TypeProto) -> None:
    """The type of a value: element types and sizes, every free size under one name."""
    if given.HasField("sequence_type"):
        _type(given.sequence_type.elem_type, made.sequence_type.elem_type)
    elif given.HasField("map_type"):
        made.map_type.key_type = given.map_type.key_type
        _type(given.map_type.value_type, made.map_type.value_type)
    else:
        made.tensor_type.elem_type = given.tensor_type.elem_type
        if given.tensor_type.HasField("shape"):
            made.tensor_type.shape.SetInParent()
        for size in given.tensor_type.shape.dim:
            fresh = made.tensor_type.shape.dim.add()
            if size.HasField("dim_value"):
                fresh.dim_value = size.dim_value
            elif size.dim_param:
                fresh.dim_param = "n"


def onnx(document: Document, ordered: bool) -> bytes:
    """The graph with its own names for what lies between inputs and outputs, without a word about itself."""
    source: ModelProto = document.body.source
    graph = source.graph
    names = _Names({value.name for value in (*graph.input, *graph.output)})
    made = ModelProto(ir_version=source.ir_version)
    for item in sorted(source.opset_import, key=lambda item: item.domain):
        made.opset_import.add(domain=item.domain, version=item.version)
    made.graph.name = "model"
    made.graph.node.extend(_node(node, names) for node in graph.node)
    for old, new in ((graph.input, made.graph.input), (graph.output, made.graph.output)):
        for value in old:
            _type(value.type, new.add(name=value.name).type)
    tensors = [(names(tensor.name), tensor) for tensor in graph.initializer if tensor.name in names.given]
    for name, tensor in sorted(tensors, key=lambda item: item[0]):
        values = numpy_helper.to_array(tensor)
        fixed = values if values.dtype.hasobject else plain(values)
        made.graph.initializer.append(numpy_helper.from_array(fixed, name))
    written: bytes = made.SerializeToString(deterministic=True)
    return written


class _Schema:
    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.arrays, self.ids, self.names = arrays, dict[Any, int](), dict[str, str]()

    def write(self, node: Any) -> Any:
        """The same node with identities and file names in the order in which they occur."""
        if isinstance(node, list):
            return [self.write(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "__loader__" not in node:  # a mapping of names to nodes
            return {str(key): self.write(item) for key, item in node.items()}
        made: dict[str, Any] = {key: node[key] for key in _KEPT if key in node}
        if "__id__" in node:
            made["__id__"] = self.ids.setdefault(node["__id__"], len(self.ids) + 1)
        if node["__loader__"] == "JsonNode":
            made["content"] = plain_json.dumps(plain_json.loads(node["content"]))
            return made
        if node["__loader__"] == "SliceNode":
            made["content"] = {end: node["content"].get(end) for end in ("start", "stop", "step")}
            return made
        for key in _INSIDE:
            if key in node:
                made[key] = self.write(node[key])
        if "file" in node:
            made["file"] = self.names.setdefault(node["file"], f"{len(self.names) + 1}.npy")
        return made


def skops(document: Document, ordered: bool) -> bytes:
    """Schema and arrays written anew. Every type in it was on the list, or the file is not released."""
    schema, arrays = document.body.source
    writer = _Schema(arrays)
    made = writer.write(schema)
    if not isinstance(schema.get("protocol"), int):
        raise Unreadable("malformed")
    made["protocol"], made["_skops_version"] = schema["protocol"], "0.16.0"
    files = []
    for old, new in writer.names.items():
        sink = io.BytesIO()
        np.save(sink, plain(arrays[old]), allow_pickle=False)
        files.append((new, sink.getvalue()))
    text = plain_json.dumps(made, ensure_ascii=True, separators=(",", ":"))
    return zipped([*files, ("schema.json", text.encode())])
