"""Models: never run, always held; refused where the family, a leaf, a label or the fit holds single persons.

Families by what their fitted state stores (scikit-learn's documentation; "SafeModel" of SACRO names some).
Leaves and labels are cells: the thresholds of tables hold for them. A linear model with as many parameters as
rows is the rows in another form (residual degrees of freedom: ESSnet SDC, guidelines for output checking).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import NULL, RawIndex

# Classes and operators whose fitted state is rows, or a value a row.
KEEPS_ROWS = frozenset(
    """
    AffinityPropagation BallTree DBSCAN GaussianProcessClassifier GaussianProcessRegressor HDBSCAN Isomap
    IsotonicRegression KDTree KNNImputer KNeighborsClassifier KNeighborsRegressor KNeighborsTransformer
    KernelDensity KernelPCA KernelRidge LabelPropagation LabelSpreading LocalOutlierFactor
    LocallyLinearEmbedding MDS MeanShift NearestNeighbors NuSVC NuSVR Nystroem OPTICS
    OneClassSVM RadiusNeighborsClassifier RadiusNeighborsRegressor RadiusNeighborsTransformer
    SVC SVMClassifier SVMRegressor SVR SpectralClustering SpectralEmbedding TSNE
    """.split()  # noqa: SIM905 - a list of words is easier to read
)
# Their state is single values of the data: extremes, or quantiles as fine as rows.
KEEPS_VALUES = frozenset({"MaxAbsScaler", "MinMaxScaler", "QuantileTransformer", "SplineTransformer"})
_KNOWN = ("sklearn.",)
_RANDOM = {"numpy.random.mtrand.RandomState", "numpy.random._generator.Generator"}


def _families(document: Document) -> Iterable[Finding]:
    types = document.body.types
    for names, severity, basis in (
        (KEEPS_ROWS, Severity.HARD, "rows"),
        (KEEPS_VALUES, Severity.HOLD, "values"),
    ):
        found = sorted({kind.rpartition(".")[2] for _, kind in types} & names)
        if found:
            evidence: dict[str, Any] = {"families": found, "basis": basis}
            yield finding("MODEL_FAMILY", document.shown, "", evidence, severity, why=", ".join(found))
    if document.form == "skops":
        strange = [kind for _, kind in types if not kind.startswith(_KNOWN) and kind not in _RANDOM]
        if strange:
            evidence = {"count": len(strange), "basis": "unknown"}
            why = f"{len(strange)} ×"
            yield finding("MODEL_FAMILY", document.shown, "", evidence, Severity.HARD, why=why)


def _leaves(document: Document, context: Context) -> Iterable[Finding]:
    trees = document.body.trees
    threshold = max((context.min_cell(raw.name) for raw in context.raws), default=context.min_cell(""))
    stated = [(tree.where, tree.samples[tree.leaves]) for tree in trees if tree.samples is not None]
    small = [(where, int((sizes < threshold).sum())) for where, sizes in stated if (sizes < threshold).any()]
    if small:
        evidence = {"count": sum(n for _, n in small), "threshold": threshold, "trees": len(small)}
        yield finding("MODEL_LEAF", document.shown, small[0][0], evidence)
    unknown = [tree.where for tree in trees if tree.samples is None]
    if unknown:
        untold: dict[str, Any] = {"count": len(unknown), "threshold": threshold, "basis": "unknown"}
        yield finding("MODEL_LEAF", document.shown, unknown[0], untold, Severity.HOLD)


def support(index: RawIndex, labels: list[str]) -> list[int] | None:
    """Distinct entities that carry each of ``labels``, in the column where most of them are values.

    None where fewer than half are values of one column.
    """
    best: tuple[int, list[int]] | None = None
    for column in index.columns:
        coded = index.coded(column)
        place = {value: code for code, value in enumerate(coded.values.to_list())}
        codes = [place.get(label, NULL) for label in labels]
        known = sum(code != NULL for code in codes)
        if 2 * known < len(labels) or (best is not None and known <= best[0]):
            continue
        pairs = np.unique(np.stack([coded.codes, index.entities]), axis=1)
        counts = np.bincount(pairs[0][pairs[0] >= 0], minlength=len(coded.values))
        best = (known, [int(counts[code]) if code != NULL else 0 for code in codes])
    return best[1] if best else None


def _labels(document: Document, context: Context) -> Iterable[Finding]:
    for words in document.body.vocabularies:
        found = [(index, support(index, words.labels)) for index in context.indexes]
        counted = [(context.min_cell(index.name), counts) for index, counts in found if counts is not None]
        if not counted:
            if len(words.labels) > 2:
                evidence = {"count": len(words.labels), "basis": "unknown"}
                yield finding(
                    "MODEL_SUPPORT", document.shown, words.where, evidence, Severity.HOLD, threshold="-"
                )
            continue
        for threshold, counts in counted:
            few = sum(0 < count < threshold for count in counts)
            if few:
                evidence = {"count": few, "threshold": threshold, "labels": len(counts)}
                yield finding("MODEL_SUPPORT", document.shown, words.where, evidence)
                break


def _fit(document: Document, context: Context) -> Iterable[Finding]:
    rows = min((index.entities_total for index in context.indexes), default=0)
    least = context.number("egress.min_cell")
    for part in document.body.linear if rows else ():
        parameters = part.weights.shape[1] + 1
        if rows - parameters < least:
            evidence = {"parameters": parameters, "rows": rows, "threshold": least}
            yield finding("MODEL_SATURATED", document.shown, part.where, evidence)
    lengths = {index.rows_total for index in context.indexes} | {i.entities_total for i in context.indexes}
    for array in document.arrays:
        if array.values.size and max(array.values.shape, default=0) in lengths and rows >= least:
            evidence = {"parameters": int(array.values.size), "rows": rows, "threshold": least}
            yield finding("MODEL_SATURATED", document.shown, array.name, evidence)


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A hold for the model; what its family, leaves, labels and fit give away."""
    numbers = sum(int(array.values.size) for array in document.arrays)
    rows = sum(index.rows_total for index in context.indexes)
    yield finding("MODEL", document.shown, "", {"numbers": numbers, "rows": rows})
    yield from _families(document)
    yield from _leaves(document, context)
    yield from _labels(document, context)
    yield from _fit(document, context)


CHECK = Check(
    ("MODEL", "MODEL_FAMILY", "MODEL_LEAF", "MODEL_SUPPORT", "MODEL_SATURATED"),
    "model",
    run,
    ("egress.min_cell", "egress.min_cell_sensitive"),
)
