"""skops: a ZIP of one schema and arrays. The schema is read as data; nothing it names is ever imported.

Node kinds are those of skops.io, protocol 2. Types are judged later (``checks/models.py``); a node that would
call a function when loaded is refused here.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sandbox.egress.forms import Budget, Document, Unreadable
from sandbox.egress.readers.models import Linear, Model, Tree, Vocabulary, keep, say
from sandbox.egress.readers.zips import unpack

_OBJECTS = {"ObjectNode", "TreeNode", "LossNode", "RandomStateNode", "RandomGeneratorNode"}
_NUMPY = (
    "bool bool_ float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 str_ ndarray dtype"
)
_PLAIN = {
    f"builtins.{name}" for name in ("str", "int", "float", "bool", "dict", "list", "tuple", "set", "NoneType")
}
_PLAIN |= {f"numpy.{name}" for name in _NUMPY.split()}
# What each kind of node may hold beside its class and its identity; anything else would leave unseen.
_HOLDS = {
    "JsonNode": {"content", "is_json"},
    "TypeNode": set[str](),
    "NdArrayNode": {"type", "file", "content", "shape"},
    "DictNode": {"content", "key_types"},
    **{kind: {"content"} for kind in ("ListNode", "TupleNode", "SetNode", "SliceNode")},
    **{kind: {"content", "__reduce__"} for kind in _OBJECTS},
}
_ALWAYS = {"__class__", "__module__", "__loader__", "__id__"}
_ROOT = {"protocol", "_skops_version"}
_MOST_PROTOCOL = 100  # 2 in 2026
_CLASS = re.compile(r"(?:[a-z_]+[0-9]?\.)*[A-Za-z_]+[0-9]{0,3}_?")
_KEY_DIGITS = 3  # of a key that is no name of an attribute
_DIGITS = 9  # of a number in the schema; a longer one is read as text too
_VOCABULARIES = {"categories_", "classes_", "vocabulary_", "labels_", "stop_words_"}
_MEANS = {"RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor"}
_TREES = {"DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"}


@dataclass(eq=False)
class Thing:
    """An object of the schema: its qualified type and its attributes."""

    type: str
    state: dict[Any, Any] = field(default_factory=dict)
    arguments: Any = ()

    @property
    def name(self) -> str:
        """The class without its module."""
        return self.type.rpartition(".")[2]


class _Schema:
    def __init__(self, document: Document, files: dict[str, bytes], budget: Budget) -> None:
        self.document, self.files, self.budget = document, files, budget
        self.model = Model()
        self.arrays: dict[str, np.ndarray] = {}

    def value(self, node: Any, where: str, depth: int) -> Any:
        """What ``node`` states, as plain Python, arrays and ``Thing``. Raises ``Unreadable``."""
        if depth < 0:
            raise Unreadable("nested")
        if isinstance(node, dict) and "__loader__" not in node:
            return {
                self._key(key, where): self.value(item, f"{where}.{key}", depth - 1)
                for key, item in node.items()
            }
        loader, kind = str(node["__loader__"]), f"{node['__module__']}.{node['__class__']}"
        content = node.get("content")
        if loader not in _HOLDS:
            raise Unreadable("operator")
        if set(node) - _HOLDS[loader] - _ALWAYS - (set() if where else _ROOT):
            raise Unreadable("malformed")
        if loader != "TypeNode" and loader not in _OBJECTS:
            self.model.types.append((where, kind))
        if not _CLASS.fullmatch(kind):
            say(self.document, f"{where} type", kind)
        if loader == "JsonNode" and node.get("is_json", True) is True:
            return self._json(str(content), where)
        if loader == "TypeNode":
            self.model.types.append((where, kind))
            return kind
        if loader == "NdArrayNode":
            return self._array(node, where, depth)
        if loader == "DictNode":
            if "key_types" in node:
                self.value(node["key_types"], f"{where} keys", depth - 1)
            return {
                self._key(key, where): self.value(item, f"{where}.{key}".lstrip("."), depth - 1)
                for key, item in content.items()
            }
        if loader in ("ListNode", "TupleNode", "SetNode"):
            return [self.value(item, f"{where}[{i}]", depth - 1) for i, item in enumerate(content)]
        if loader in _OBJECTS:
            self.model.types.append((where, kind))
            if set(node.get("__reduce__", {})) - {"args"}:
                raise Unreadable("malformed")
            reduced = node.get("__reduce__", {}).get("args")
            arguments = self.value(reduced, where, depth - 1) if reduced else ()
            state = self.value(content, where, depth - 1) if content is not None else {}
            return Thing(kind, state if isinstance(state, dict) else {"": state}, arguments)
        if loader == "SliceNode" and all(isinstance(end, int | None) for end in content.values()):
            say(self.document, where, " ".join(str(end) for end in content.values()))
            return [content.get(end) for end in ("start", "stop", "step")]
        raise Unreadable("operator")

    def _key(self, key: str, where: str) -> str:
        attribute = key.isascii() and sum(char.isdigit() for char in key) < _KEY_DIGITS and len(key) <= 40
        if not attribute or where.endswith("vocabulary_"):
            say(self.document, f"{where} key", key)
        return key

    def _json(self, content: str, where: str) -> Any:
        found = json.loads(content)
        if isinstance(found, str) or len(content) >= _DIGITS:
            say(self.document, where, found if isinstance(found, str) else content)
        return found

    def _array(self, node: dict[str, Any], where: str, depth: int) -> Any:
        if node.get("type") == "json" and "file" not in node:
            if "shape" in node:
                self.value(node["shape"], f"{where} shape", depth - 1)
            return [self.value(item, f"{where}[{i}]", depth - 1) for i, item in enumerate(node["content"])]
        name = str(node["file"])
        if node.get("type") != "numpy" or {"content", "shape"} & set(node):
            raise Unreadable("malformed")
        if name not in self.files:
            raise Unreadable("malformed")
        if name not in self.arrays:
            if not self.files[name].startswith(b"\x93NUMPY"):
                raise Unreadable("operator")  # sparse matrices are ZIP files again
            try:
                self.arrays[name] = np.load(io.BytesIO(self.files[name]), allow_pickle=False)
            except ValueError:
                raise Unreadable("executable") from None
            keep(self.document, where, self.arrays[name])
            for text in self.arrays[name].reshape(-1) if self.arrays[name].dtype.kind in "US" else ():
                say(self.document, where, str(text))
        return self.arrays[name]


def _numbers(value: Any) -> np.ndarray | None:
    return value if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else None


def _labels(value: Any) -> list[str]:
    """The labels in an array, a list or the keys of a mapping; numbers are none."""
    if isinstance(value, dict):
        return [str(key) for key in value]
    if isinstance(value, np.ndarray):
        return [str(item) for item in value.reshape(-1)] if value.dtype.kind in "US" else []
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _tree(thing: Thing, where: str) -> Tree | None:
    state = thing.state.get("tree_")
    nodes = state.state.get("nodes") if isinstance(state, Thing) else None
    values = state.state.get("values") if isinstance(state, Thing) else None
    if nodes is None or values is None or nodes.dtype.names is None:
        return None
    return Tree(
        where,
        nodes["feature"],
        nodes["threshold"],
        nodes["left_child"],
        nodes["right_child"],
        values.reshape(len(nodes), -1),
        nodes["n_node_samples"],
    )


def _histogram_tree(thing: Thing, where: str) -> Tree | None:
    nodes = thing.state.get("nodes")
    if not isinstance(nodes, np.ndarray) or "is_leaf" not in (nodes.dtype.names or ()):
        return None
    leaf = nodes["is_leaf"] > 0
    return Tree(
        where,
        nodes["feature_idx"],
        nodes["num_threshold"],
        np.where(leaf, -1, nodes["left"].astype(np.int64)),
        np.where(leaf, -1, nodes["right"].astype(np.int64)),
        nodes["value"].reshape(-1, 1),
        nodes["count"],
    )


def _visit(value: Any, where: str, model: Model) -> None:
    """Collect the parts of the model that the checks know."""
    if isinstance(value, dict):
        for key, item in value.items():
            _visit(item, f"{where}.{key}".lstrip("."), model)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _visit(item, f"{where}[{number}]", model)
    elif isinstance(value, Thing):
        weights, bias = _numbers(value.state.get("coef_")), value.state.get("intercept_")
        if weights is not None:
            offset = np.atleast_1d(np.asarray(bias, dtype=float)) if bias is not None else np.zeros(1)
            model.linear.append(Linear(f"{where}.coef_".lstrip("."), np.atleast_2d(weights), offset))
        for make in (_tree, _histogram_tree):
            if (tree := make(value, where)) is not None:
                model.trees.append(tree)
        for key, item in value.state.items():
            parts = item if key == "categories_" and isinstance(item, list) else [item]
            for part in parts if key in _VOCABULARIES else ():
                if labels := _labels(part):
                    model.vocabularies.append(Vocabulary(f"{where}.{key}".lstrip("."), labels))
        _visit(value.state, where, model)


def _steps(root: Any) -> list[Thing]:
    """A pipeline's steps, or the one estimator."""
    if not isinstance(root, Thing):
        return []
    if root.name != "Pipeline":
        return [root]
    return [step[1] for step in root.state.get("steps", []) if isinstance(step[1], Thing)]


def _outline(model: Model, root: Any) -> None:
    """How the model goes from named inputs to its output, where that is one of the plain ways."""
    steps = _steps(root)
    names = next((s.state["feature_names_in_"] for s in steps if "feature_names_in_" in s.state), None)
    if names is None or [step.name for step in steps[:-1]] not in ([], ["StandardScaler"]):
        return
    last = steps[-1]
    if len(steps) == 2:
        mean, scale = (_numbers(steps[0].state.get(key)) for key in ("mean_", "scale_"))
        if mean is None or scale is None:
            return
        model.scale = (mean, scale)
    classes = last.state.get("classes_")
    model.inputs = [str(name) for name in (names if isinstance(names, list) else names.tolist())]
    model.classes = list(classes) if isinstance(classes, list | np.ndarray) else []
    model.kind = "classifier" if model.classes else "regressor"
    model.combine = "mean" if last.name in _MEANS | _TREES else ""


def read(document: Document, data: bytes, budget: Budget) -> None:
    """Fill ``document`` with every name, string and array. Raises ``Unreadable``."""
    files = dict(unpack(document, data, budget))
    try:
        schema = json.loads(files.pop("schema.json").decode("utf-8"))
        protocol = schema.get("protocol")
        if "__loader__" not in schema or type(protocol) is not int or not 0 <= protocol <= _MOST_PROTOCOL:
            raise Unreadable("malformed")
        reader = _Schema(document, files, budget)
        root = reader.value(schema, "", 4 * budget.depth)
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        raise Unreadable("malformed") from None
    if set(files) != set(reader.arrays):
        raise Unreadable("trailing")  # arrays that nothing refers to
    _visit(root, "", reader.model)
    _outline(reader.model, root)
    reader.model.types = [t for t in reader.model.types if t[1] not in _PLAIN]
    reader.model.source = (schema, reader.arrays)
    document.body = reader.model
