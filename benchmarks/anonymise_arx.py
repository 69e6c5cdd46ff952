"""ARX's published cases on Adult as ours; see ``anonymise``."""

from __future__ import annotations

import csv
import gzip
import json
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.desensitize.search.groups import Sensitive, Table
from sandbox.desensitize.search.hierarchy import Hierarchy, HierarchySpec, build
from sandbox.desensitize.search.lattice import Lattice, Result, search
from sandbox.desensitize.search.losses import LossSpec
from sandbox.desensitize.search.models import Model

_METRICS = {
    "createLossMetric": "loss",
    "createPrecomputedLossMetric": "loss",
    "createPrecomputedEntropyMetric": "entropy",
    "createDiscernabilityMetric": "discernability",
    "createAECSMetric": "class_size",
}
_MODELS = {
    "KAnonymity": "k",
    "EntropyLDiversity": "entropy_l",
    "DistinctLDiversity": "distinct_l",
    "RecursiveCLDiversity": "recursive",
    "EqualDistanceTCloseness": "t",
    "OrderedDistanceTCloseness": "t",
    "HierarchicalDistanceTCloseness": "t",
    "BasicBLikeness": "beta",
    "EnhancedBLikeness": "enhanced_beta",
    "KMap": "k_map",
    "DPresence": "presence",
    "Inclusion": None,
}
# the test classes of searches that are no optimal ones
_SEARCHES = ("Genetic", "Heuristic", "HeuristicTopDown")
_SUBSET = "<subset"


def in_scope(case: dict[str, Any]) -> str | None:
    """Why a case is out of scope; None for those to be found."""
    test = case["test"].removeprefix("TestAnonymization")
    if test in _SEARCHES:
        return "not an optimum: a genetic or heuristic search with a time limit"
    if test == "DifferentialPrivacy":
        return "differential privacy of a random sample (SafePub), no syntactic model"
    if test == "Profitability":
        return "monetary game models (payout of publisher and attacker)"
    if any(name == "expr" for name, _ in case["models"]) or "ARXPopulationModel" in str(case["models"]):
        return "estimates of a population out of a sample"
    if any(name in ("AverageReidentificationRisk", "SampleUniqueness") for name, _ in case["models"]):
        return "risk averaged over the whole table, no model of classes"
    if "GRASSBERGER" in str(case["models"]):
        return "entropy by an estimator of ARX's own; ours is the definition's"
    if any("getSubset" in text for _, text in case["models"]):
        return "subset drawn by a generator of the test, not in the data"
    if case["practical_monotonicity"]:
        return "assumes monotony that the model does not have: not an optimum"
    return None


@cache
def _adult(data: Path) -> tuple[list[str], dict[str, np.ndarray], dict[str, Hierarchy], np.ndarray]:
    folder = data / "persons" / "arx_adult"
    with gzip.open(folder / "adult.csv.gz", "rt", encoding="utf-8") as file:
        head, *rows = csv.reader(file, delimiter=";")
    with gzip.open(folder / "adult_subset.csv.gz", "rt", encoding="utf-8") as file:
        _, *some = csv.reader(file, delimiter=";")
    left = Counter(map(tuple, some))
    inside = np.zeros(len(rows), dtype=np.bool_)
    for number, row in enumerate(map(tuple, rows)):
        if left[row] > 0:
            left[row] -= 1
            inside[number] = True
    hierarchies, codes = {}, {}
    for at, name in enumerate(head):
        spec = HierarchySpec(by="file", path=str(folder / f"adult_hierarchy_{name}.csv"))
        hierarchies[name] = build(name, sorted({row[at] for row in rows}), spec)
        place = {value: i for i, value in enumerate(hierarchies[name].labels[0])}
        codes[name] = np.array([place[row[at]] for row in rows], dtype=np.int32)
    return head, codes, hierarchies, inside


def arx_table(data: Path, case: dict[str, Any]) -> Table:
    """Adult as a case has it: the sensitive attribute is no quasi-identifier."""
    head, codes, hierarchies, inside = _adult(data)
    name = case["sensitive"]
    quasi = [column for column in head if column != name]
    sensitive = {}
    if name:
        column, tree = codes[name], hierarchies[name]
        if any(model == "OrderedDistanceTCloseness" for model, _ in case["models"]):
            order = np.argsort(np.argsort(np.array(tree.labels[0])))
            column, tree = order[column].astype(np.int32), None
        sensitive[name] = Sensitive(column, hierarchies[name].leaves, tree)
    return Table(
        tuple(quasi),
        tuple(codes[column] for column in quasi),
        tuple(hierarchies[column] for column in quasi),
        sensitive,
        None,
        inside if _SUBSET in str(case["models"]) else None,
    )


def _model(name: str, text: str, column: str) -> Model | None:
    kind = _MODELS[name]
    if kind is None:
        return None
    numbers = [float(part.strip().rstrip("d")) for part in text.split(",") if _is_number(part)]
    given: dict[str, Any] = {"kind": kind}
    if kind not in ("k", "k_map", "presence"):
        given["column"] = column
    if kind == "recursive":
        given |= {"c": numbers[0], "at_least": numbers[1]}
    elif kind == "presence":
        given |= {"at_least": numbers[0], "at_most": numbers[1]}
    elif kind in ("t", "beta", "enhanced_beta"):
        given["at_most"] = numbers[0]
    else:
        given["at_least"] = numbers[0]
    if kind == "t":
        given["distance"] = name.removesuffix("DistanceTCloseness").lower()
    return Model.model_validate(given)


def _is_number(text: str) -> bool:
    return text.strip().rstrip("d").replace(".", "", 1).isdigit()


def arx_models(case: dict[str, Any]) -> list[Model]:
    """The models of a case as ours."""
    found = [_model(name, text, case["sensitive"]) for name, text in case["models"]]
    return [model for model in found if model is not None]


def arx_loss(case: dict[str, Any]) -> LossSpec:
    """The metric of a case as ours. The number of the precomputed ones is a threshold of their cache, that of
    the others the weight of suppression."""
    arguments = [part.strip() for part in case["metric_args"].split(",") if part.strip()]
    spec: dict[str, Any] = {"kind": _METRICS[case["metric"]], "monotone": "true" in arguments}
    if case["metric"] == "createLossMetric" and arguments:
        spec["suppression"] = float(arguments[0].rstrip("d"))
    return LossSpec.model_validate(spec)


def arx_case(table: Table, case: dict[str, Any]) -> Result:
    """The case, searched as ARX defines it: the whole of a distance is that of the source."""
    return search(Lattice(table), arx_models(case), arx_loss(case), case["suppression_limit"], "source")


def arx(data: Path) -> None:
    """Print every case."""
    cases = json.loads((data / "peers" / "arx_adult_expected.json").read_text("utf-8"))["cases"]
    reasons: Counter[str] = Counter()
    good = tried = ties = 0
    begin = time.process_time()
    for number, case in enumerate(cases):
        reason = in_scope(case)
        if reason is not None:
            reasons[reason] += 1
            continue
        tried += 1
        start = time.process_time()
        found = arx_case(arx_table(data, case), case)
        seconds = time.process_time() - start
        wanted, node = case["expected_information_loss"], case["expected_transformation"]
        best = found.best
        same = (best is None) == (node is None) and (
            best is None or abs(best.loss - wanted) <= 1e-8 * max(1.0, abs(wanted))
        )
        good += same
        ties += bool(same and best is not None and list(best.node) != node)
        print(
            f"{number:4} {'ok  ' if same else 'DIFF'} {case['test'].removeprefix('TestAnonymization'):26}"
            f" {arx_loss(case).kind:14} {case['suppression_limit']:<5} expected {wanted:<20.12g}"
            f" found {best.loss if best else float('nan'):<20.12g} {found.looked_at:5}/{found.nodes} nodes"
            f" {seconds:6.2f} s"
        )
    print(f"\n{good} of {tried} published optima found, {ties} of them by another node of the same loss,")
    print(f"{time.process_time() - begin:.1f} CPU-s in all. Out of scope:")
    for reason, count in reasons.most_common():
        print(f"{count:5} {reason}")
