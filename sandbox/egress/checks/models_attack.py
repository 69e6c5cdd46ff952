"""Membership inference against a model whose training data is at hand.

The attack: how much smaller is the model's loss on the raw rows than the loss of models of the same shape,
fitted here, on rows they have not seen (two halves, each judged by the other's model)? Were the rows new to
it, both would be alike and the attack's AUC near 0.5 (Yeom et al. 2018; Carlini et al. 2022 for the true
positives at a low rate of false ones). Canaries are the rows that such models get most wrong: one that the
examined model gets right was learnt by heart.

The model is evaluated by our own arithmetic over its arrays, or by onnx's reference evaluator over a few
operators; a model that is no such way is not tested, which the finding ``MODEL_UNTESTED`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.facts import raw_numbers
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import RawIndex, quote
from sandbox.egress.readers.models import Model, Tree

_ROWS = 6_000  # of the raw table, drawn with a fixed seed
_WORK = 200_000_000  # rows times numbers of the model that one evaluation may touch
_TREES = 30  # of an ensemble: those of the reference, and of the examined one that are walked are all
_LOW = 0.01  # rate of false positives at which the true ones are told
_CANARIES = 0.01  # of the rows
_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)  # of false positives, for the curve
ATTACKS = "attacks"  # where ``context.memo`` holds the curves
_FEWEST = 200  # rows, below that an AUC of 0.6 is chance
_GRAPH = frozenset(
    """
    Add Cast Concat Div Flatten Gemm Identity LeakyRelu LinearClassifier LinearRegressor MatMul Mul Normalizer
    Relu Scaler Sigmoid Softmax Sub Tanh ZipMap
    """.split()  # noqa: SIM905 - a list of words is easier to read
)


@dataclass(frozen=True)
class Result:
    """What the attack reached: ``tpr`` at one per cent of false positives, ``exposed`` of ``canaries``;
    ``curve``: rates of false and of true positives, as far down as the rows can tell."""

    auc: float
    tpr: float
    exposed: int
    canaries: int
    rows: int
    same: bool  # the control is of the examined model's own family
    curve: tuple[tuple[float, float], ...] = ()


def walk(tree: Tree, rows: np.ndarray) -> np.ndarray:
    """The leaf that each of ``rows`` reaches; a tree that runs in circles stops after all its nodes."""
    at = np.zeros(len(rows), dtype=np.int64)
    for _ in range(len(tree.left)):
        inner = np.flatnonzero(tree.left[at] >= 0)
        if not len(inner):
            break
        node = at[inner]
        goes = rows[inner, tree.feature[node]] <= tree.threshold[node]
        at[inner] = np.where(goes, tree.left[node], tree.right[node])
    return at


def _by_trees(model: Model, rows: np.ndarray) -> np.ndarray:
    total = np.zeros((len(rows), model.trees[0].values.shape[1]))
    for tree in model.trees:
        values = tree.values.astype(float)
        if model.kind == "classifier" and model.combine == "mean":
            values = values / np.maximum(values.sum(axis=1, keepdims=True), 1e-12)
        total += values[walk(tree, rows)]
    return total / len(model.trees) if model.combine == "mean" else total


def _by_weights(model: Model, rows: np.ndarray) -> np.ndarray:
    offset, divisor = model.scale or (np.zeros(rows.shape[1]), np.ones(rows.shape[1]))
    part = model.linear[0]
    scores = ((rows - offset) / divisor) @ part.weights.T + part.bias
    if model.kind != "classifier":
        return np.asarray(scores)
    if scores.shape[1] == 1:
        likely = 1 / (1 + np.exp(-np.clip(scores[:, 0], -500, 500)))
        return np.column_stack([1 - likely, likely])
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _by_graph(model: Model, rows: np.ndarray) -> np.ndarray:
    from onnx.reference import ReferenceEvaluator  # half a second, needed by graphs only

    run = ReferenceEvaluator(model.source)
    single = len(model.inputs) == 1
    inputs = (
        {model.inputs[0]: rows.astype(np.float32)}
        if single
        else {name: rows[:, [i]].astype(np.float32) for i, name in enumerate(model.inputs)}
    )
    outputs = [np.asarray(value) for value in run.run(None, inputs) if not isinstance(value, list)]
    numeric = [value.reshape(len(rows), -1) for value in outputs if value.dtype.kind == "f"]
    return numeric[-1]


def evaluator(document: Document) -> Callable[[np.ndarray], np.ndarray] | None:
    """A function from rows of features to outputs (shares of classes, or one number), or None."""
    model: Model = document.body
    if model.trees and (model.combine or document.form == "onnx"):
        return lambda rows: _by_trees(model, rows)
    if document.form == "skops" and model.kind and len(model.linear) == 1 and not model.trees:
        return lambda rows: _by_weights(model, rows)
    if document.form == "onnx" and {kind for _, kind in model.types} <= _GRAPH:
        return lambda rows: _by_graph(model, rows)
    return None


def _sample(index: RawIndex) -> pl.DataFrame:
    """Up to ``_ROWS`` raw rows: numbers as numbers, everything else as normalised text."""
    numbers = raw_numbers(index)
    draw = np.random.default_rng(0).permutation(index.rows_total)[:_ROWS]
    columns = {}
    for name in index.columns:
        if name in (*index.identifiers, index.entity):
            continue
        if name in numbers:
            sql = f"SELECT CAST({quote(name)} AS DOUBLE) AS v FROM {index.view}"
            columns[name] = index.engine.frame(sql)["v"].gather(draw)
        else:
            coded = index.coded(name)
            values = pl.concat([coded.values, pl.Series([None], dtype=pl.String)])
            columns[name] = values.gather(np.where(coded.codes >= 0, coded.codes, len(coded.values))[draw])
    return pl.DataFrame(columns)


def _features(document: Document, frame: pl.DataFrame) -> Iterator[tuple[list[str], list[str]]]:
    """(columns that may be the inputs in order, columns that may be the target)."""
    model: Model = document.body
    numbers = [name for name in frame.columns if frame[name].dtype == pl.Float64]
    wanted = model.inputs
    if wanted and set(wanted) <= set(numbers):
        yield wanted, [name for name in frame.columns if name not in wanted]
        return
    if len(wanted) != 1 or document.form != "onnx":
        return
    width = _width(model)
    if width == len(numbers):
        yield numbers, [name for name in frame.columns if name not in numbers]
    if width == len(numbers) - 1:
        for target in numbers:
            yield [name for name in numbers if name != target], [target]


def _width(model: Model) -> int:
    """Features of the one input of a graph, from its stated shape."""
    sizes = [size.dim_value for size in model.source.graph.input[0].type.tensor_type.shape.dim]
    return int(sizes[-1]) if len(sizes) == 2 else 0


def _losses(outputs: np.ndarray, target: pl.Series, classes: list[Any]) -> np.ndarray | None:
    """One loss a row: 1 - the share given to the true class, or the distance from the true number."""
    if outputs.shape[1] == 1 and target.dtype == pl.Float64:
        return np.asarray(np.abs(outputs[:, 0] - target.to_numpy()))
    labels = [_label(item) for item in classes]
    if outputs.shape[1] != len(labels) or len(labels) < 2:
        return None
    told = (
        target.cast(pl.String)
        if target.dtype == pl.String
        else target.cast(pl.Int64, strict=False).cast(pl.String)
    )
    place = {label: i for i, label in enumerate(labels)}
    true = np.array([place.get(str(value), -1) for value in told.to_list()])
    if (true < 0).any():
        return None
    return np.asarray(1 - outputs[np.arange(len(true)), true])


def _label(value: Any) -> str:
    number = isinstance(value, float | np.floating)
    return str(int(value)) if number and float(value).is_integer() else str(value)


def _reference(model: Model, classifier: bool) -> tuple[Any, bool]:
    """(an unfitted model of the shape of ``model``, whether it is of its family)."""
    from sklearn import ensemble, linear_model, pipeline, preprocessing, tree  # a second; needed here only

    if model.trees:
        leaves = max(2, int(np.median([len(one.leaves) for one in model.trees])))
        if len(model.trees) == 1:
            one = tree.DecisionTreeClassifier if classifier else tree.DecisionTreeRegressor
            return one(max_leaf_nodes=leaves, random_state=0), True
        many = ensemble.RandomForestClassifier if classifier else ensemble.RandomForestRegressor
        count = min(len(model.trees), _TREES)
        return many(count, max_leaf_nodes=leaves, random_state=0), model.combine == "mean"
    line = (
        linear_model.LogisticRegression(C=100.0, max_iter=300)
        if classifier
        else linear_model.LinearRegression()
    )
    same = bool(model.linear)
    return pipeline.make_pipeline(preprocessing.StandardScaler(), line), same


def _control(model: Model, rows: np.ndarray, target: np.ndarray, classifier: bool) -> tuple[np.ndarray, bool]:
    """Loss of each row under a model of the same shape that has not seen it."""
    losses, same = np.zeros(len(rows)), False
    half = np.arange(len(rows)) % 2 == 0
    for seen in (half, ~half):
        fitted, same = _reference(model, classifier)
        fitted.fit(rows[seen], target[seen])
        if classifier:
            shares = fitted.predict_proba(rows[~seen])
            place = {value: i for i, value in enumerate(fitted.classes_)}
            at = np.array([place.get(value, -1) for value in target[~seen]])
            losses[~seen] = 1 - np.where(at >= 0, shares[np.arange(len(at)), at], 0)
        else:
            losses[~seen] = np.abs(fitted.predict(rows[~seen]) - target[~seen])
    return losses, same


def measure(members: np.ndarray, control: np.ndarray, top: float, same: bool) -> Result:
    """AUC, true positives at few false ones, and exposed canaries, from the losses of the same rows."""
    order = np.sort(control)
    below, upto = (np.searchsorted(order, members, side) for side in ("left", "right"))
    auc = float(1 - (below + upto).mean() / (2 * len(order)))
    canaries = np.argsort(-control, kind="stable")[: max(10, int(_CANARIES * len(control)))]
    exposed = int((below[canaries] / len(order) < top).sum())
    rates = np.array([rate for rate in _RATES if rate * len(control) >= 1])
    curve = tuple(zip(rates.tolist(), _caught(members, order, rates).tolist(), strict=True))
    tpr = float(_caught(members, order, np.array([_LOW]))[0])
    return Result(auc, tpr, exposed, len(canaries), len(members), same, curve)


def _caught(members: np.ndarray, order: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """True positives at the ``rates`` of false ones, on the line between the points that losses allow: many
    rows may have the same loss. ``order``: the control's losses, sorted."""
    at = np.unique(np.concatenate([members, order]))
    false = np.searchsorted(order, at, "right") / len(order)
    true = np.searchsorted(np.sort(members), at, "right") / len(members)
    return np.asarray(np.interp(rates, np.append(0.0, false), np.append(0.0, true)))


def attack(document: Document, index: RawIndex, top: float) -> Result | None:
    """The attack on a model with ``index`` as its training data; None where it cannot be evaluated on it."""
    predict, model = evaluator(document), document.body
    numbers = sum(int(array.values.size) for array in document.arrays) or 1
    if predict is None:
        return None
    frame = _sample(index).head(max(_FEWEST, _WORK // numbers))
    best: tuple[float, np.ndarray, list[str], str, pl.DataFrame] | None = None
    for inputs, targets in _features(document, frame):
        for target in targets:
            whole = frame.drop_nulls([*inputs, target])
            if whole.height < _FEWEST or whole[target].n_unique() < 2:
                continue
            outputs = predict(whole.select(inputs).to_numpy().astype(float))
            classes = model.classes or (
                sorted(whole[target].unique().to_list()) if outputs.shape[1] > 1 else []
            )
            losses = _losses(outputs, whole[target], classes)
            if losses is None or not np.isfinite(losses).all():
                continue
            guess = np.abs(whole[target].to_numpy() - whole[target].mean()) if outputs.shape[1] == 1 else 0.5
            fit = float(losses.mean() / max(float(np.mean(guess)), 1e-12))
            if best is None or fit < best[0]:
                best = (fit, losses, inputs, target, whole)
    if best is None:
        return None
    _, losses, inputs, target, whole = best
    classifier = whole[target].dtype == pl.String or bool(model.classes)
    control, same = _control(
        model, whole.select(inputs).to_numpy().astype(float), whole[target].to_numpy(), classifier
    )
    return measure(losses, control, top, same)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """One finding a raw table that the model could be tested on; one for a model that could not be tested."""
    limit, top = (
        context.number("egress.model_attack_auc_max"),
        context.number("egress.model_canary_top_share"),
    )
    tested = False
    for index in context.indexes:
        result = attack(document, index, top)
        if result is None:
            continue
        tested = True
        known = result.exposed > max(2.0, 3 * top * result.canaries)
        evidence = {
            "auc": round(result.auc, 3),
            "threshold": limit,
            "tpr": round(result.tpr, 3),
            "exposed": result.exposed,
            "canaries": result.canaries,
            "rows": result.rows,
            "family": 5 if known else 6,
        }
        context.memo.setdefault(ATTACKS, []).append(
            {
                "path": document.shown,
                "raw": index.name,
                **{key: evidence[key] for key in ("auc", "threshold", "tpr", "rows")},
                "curve": [[rate, round(caught, 4)] for rate, caught in result.curve],
            }
        )
        if result.auc <= limit and not known:
            yield finding("MODEL_TESTED", document.shown, "", evidence, raw=index.name)
            continue
        severity = Severity.HARD if result.same else Severity.HOLD
        yield finding("MODEL_ATTACK", document.shown, "", evidence, severity, raw=index.name)
    if not tested:
        yield finding("MODEL_UNTESTED", document.shown, "")


CHECK = Check(
    ("MODEL_ATTACK", "MODEL_TESTED", "MODEL_UNTESTED"),
    "model",
    run,
    ("egress.model_attack_auc_max", "egress.model_canary_top_share"),
    raw=True,
)
