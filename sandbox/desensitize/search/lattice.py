"""The optimal global recoding: one level for each column, of all that satisfy the models that of least loss.

Best first: the node with the lowest floor is next, and nodes whose floor reaches the best loss found are left
out, so the result is optimal whatever the models are. Where a model's failing says something about nodes
below, they are left out too (predictive tagging, El Emam et al. 2009; Kohlmayer et al. 2012), and the path
upwards is searched by bisection to fail as high as possible:

- nothing may be suppressed: a model that holds for two classes holds for their union, so what fails fails
  below (not delta-disclosure; and where entities have several rows, only those of the next point: a union
  has fewer entities and pairs than its parts together)
- suppression is allowed: that is so for the models whose ``merges`` is true (k, distinct l, k-map); of the
  others only the failing node itself is left out

``assume_monotone`` tags for every model (ARX's *practical monotonicity*): faster, and no longer optimal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from sandbox.core.errors import fail
from sandbox.desensitize.search.groups import Bools, Classes, Table, base, roll_up
from sandbox.desensitize.search.losses import Loss, LossSpec, Node
from sandbox.desensitize.search.models import Model, by_size, holds, least_size

MOST_NODES = 2_000_000
_KEPT = 192  # nodes whose classes are kept to roll up from
_KEPT_CLASSES = 4_000_000
_ROUNDING = 1e-12  # of a floor's sum


@dataclass(frozen=True)
class Found:
    """A node that satisfies the models. ``kept``: which of its classes are published; ``suppressed`` rows."""

    node: Node
    loss: float
    suppressed: int
    classes: Classes
    kept: Bools


@dataclass(frozen=True)
class Result:
    """``best`` is None where no node satisfies the models. ``looked_at`` of ``nodes`` were grouped;
    ``proven``: no node that satisfies them has a lesser loss."""

    best: Found | None
    nodes: int
    looked_at: int
    proven: bool


class Lattice:
    """The nodes over a table and their classes. Raises ANONYMISE_LATTICE above ``MOST_NODES`` nodes."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.shape = tuple(height + 1 for height in table.heights)
        self.nodes = prod(self.shape)
        if self.nodes > MOST_NODES:
            raise fail("ANONYMISE_LATTICE", nodes=self.nodes, most=MOST_NODES)
        self.looked_at = 0
        bottom = (0,) * len(self.shape)
        self._known: dict[Node, Classes] = {bottom: base(table)}
        # a line for each known node, in the same order: its levels, and how many classes it has
        self._levels = np.zeros((_KEPT + 1, len(self.shape)), dtype=np.int16)
        self._sizes = np.full(_KEPT + 1, len(self._known[bottom]), dtype=np.int64)

    def classes(self, node: Node) -> Classes:
        """The classes of ``node``, out of the fewest known ones below it."""
        found = self._known.get(node)
        if found is not None:
            return found
        number = len(self._known)
        under = (self._levels[:number] <= np.array(node, dtype=np.int16)).all(axis=1)
        fewest = int(np.argmin(np.where(under, self._sizes[:number], np.iinfo(np.int64).max)))
        below = tuple(int(level) for level in self._levels[fewest])
        self.looked_at += 1
        classes, _ = roll_up(self.table, self._known[below], node)
        self._known[node] = classes
        self._levels[number], self._sizes[number] = node, len(classes)
        while len(self._known) > 2 and (
            len(self._known) > _KEPT or int(self._sizes[: len(self._known)].sum()) > _KEPT_CLASSES
        ):
            self._forget()
        return classes

    def _forget(self) -> None:
        """Let go of the oldest but the bottom."""
        oldest = tuple(int(level) for level in self._levels[1])
        del self._known[oldest]
        for lines in (self._levels, self._sizes):
            lines[1:-1] = lines[2:]


def _below(shape: Sequence[int], node: Node) -> tuple[slice, ...]:
    return tuple(slice(0, level + 1) for level in node)


def _above(shape: Sequence[int], node: Node) -> tuple[slice, ...]:
    return tuple(slice(level, None) for level in node)


class _Search:
    """The state of one search; see the module."""

    def __init__(
        self,
        lattice: Lattice,
        models: Sequence[Model],
        loss: Loss,
        limit: float,
        reference: str,
        assume_monotone: bool,
    ) -> None:
        self.lattice, self.models, self.loss = lattice, models, loss
        self.reference = reference
        self.allowed = int(limit * lattice.table.published + 1e-9)
        self.tagging = [m for m in models if m.merges]
        gone = 0.0 if reference == "source" else limit
        self.least = least_size(lattice.table, models, gone)
        if self.least > 1:
            self.tagging.append(Model(kind="k", at_least=self.least))
        # those of the population who are in no published row must be as hard to tell, and there is nothing of
        # theirs to suppress; with a model of sizes, too, ARX takes them for suppressed as too few
        presence = [m for m in models if m.kind == "presence"]
        sized = any(m.kind in ("k", "distinct_l", "entropy_l", "recursive") for m in models)
        self.absent = [] if sized else presence
        odd = any(m.kind == "delta" for m in models) or (sized and bool(presence))
        odd |= lattice.table.several and not all(m.merges for m in models)
        self.all_tag = assume_monotone or (self.allowed == 0 and not odd)
        self.floors = loss.floors()
        self.open = np.ones(lattice.shape, dtype=np.bool_)
        self.best: Found | None = None

    def candidates(self) -> np.ndarray:
        """The floors of nodes still to be looked at, the others infinite."""
        floors = np.where(self.open, self.floors, np.inf)
        if self.best is not None:
            bar = self.best.loss
            floors[floors >= bar - _ROUNDING * abs(bar)] = np.inf
        return floors

    def look(self, node: Node) -> bool:
        """Judge ``node``; whether those below it are still worth looking at."""
        classes = self.lattice.classes(node)
        self.open[node] = False
        floor = self.loss.floor(classes)
        if floor is not None:
            above = self.floors[_above(self.lattice.shape, node)]
            np.maximum(above, floor, out=above)
        if self.tagging:
            gone = ~holds(self.lattice.table, classes, self.tagging, self.reference, self.allowed)
            if int(classes.rows[gone].sum()) > self.allowed:
                self.open[_below(self.lattice.shape, node)] = False
                return False
        self._raise_below(node, classes)
        if self.best is not None and self.floors[node] >= self.best.loss:
            return True
        kept = holds(self.lattice.table, classes, self.models, self.reference, self.allowed)
        suppressed = int(classes.rows[~kept].sum())
        if any((~by_size(model, classes) & (classes.rows == 0)).any() for model in self.absent):
            suppressed = self.allowed + 1
        if suppressed > self.allowed:
            if self.all_tag:
                self.open[_below(self.lattice.shape, node)] = False
            return False
        loss = self.loss.value(node, classes, kept)
        if self.best is None or loss < self.best.loss:
            self.best = Found(node, loss, suppressed, classes, kept)
        return True

    def _raise_below(self, node: Node, classes: Classes) -> None:
        """Raise the floors of what is below by what must be suppressed there."""
        if self.least > 1 and self.allowed:
            gone = (classes.sizes < self.least) & (classes.rows > 0)
            found = self.loss.floors_below(node, classes, gone, self.least)
            if found is not None:
                below = self.floors[_below(self.lattice.shape, node)]
                np.maximum(below, found, out=below)

    def path(self, node: Node, floors: np.ndarray) -> list[Node]:
        """Open nodes from ``node`` upwards, always by the step of lowest floor."""
        found = [node]
        while True:
            steps = []
            for axis, level in enumerate(node):
                if level + 1 < self.lattice.shape[axis]:
                    up = (*node[:axis], level + 1, *node[axis + 1 :])
                    if floors[up] < np.inf:
                        steps.append((float(floors[up]), up))
            if not steps:
                return found
            node = min(steps)[1]
            found.append(node)

    def run(self, progress: Callable[[float], None] | None) -> None:
        """Look until no open node can be better."""
        tags = bool(self.tagging) or self.all_tag
        while True:
            floors = self.candidates()
            if progress is not None:
                progress(1.0 - np.count_nonzero(floors < np.inf) / floors.size)
            node = tuple(int(i) for i in np.unravel_index(int(np.argmin(floors)), floors.shape))
            if floors[node] == np.inf:
                return
            path = self.path(node, floors) if tags else [node]
            low, high = 0, len(path) - 1
            while low <= high:
                middle = (low + high) // 2
                at = path[middle]
                worse = self.best is not None and self.floors[at] >= self.best.loss
                if not worse and (not self.open[at] or self.look(at)):
                    high = middle - 1
                else:
                    low = middle + 1


def search(
    lattice: Lattice,
    models: Sequence[Model],
    loss: LossSpec,
    limit: float = 0.0,
    reference: str = "product",
    assume_monotone: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Result:
    """The node of least loss at which the classes that fail a model hold at most the part ``limit`` of the
    rows.

    ``reference``: see ``models.holds``. ``progress`` is called with the part of the lattice that is settled.
    """
    before = lattice.looked_at
    state = _Search(lattice, models, Loss(lattice.table, loss), limit, reference, assume_monotone)
    state.run(progress)
    return Result(state.best, lattice.nodes, lattice.looked_at - before, not assume_monotone)
