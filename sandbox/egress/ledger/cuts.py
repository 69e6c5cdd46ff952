"""Every combination of the cells of two layers, decided exactly: a minimum cut.

An entity is an edge from its new cell to its old cell; all that is not published is one ground node. Sums of
new cells minus sums of old cells that leave a group are the cuts of this graph (its rows are those of an
incidence matrix), so a group below the threshold can be computed exactly if some cut is that small. Edges of
the threshold or more are contracted; of the rest a maximum adjacency order finds what cannot be cut either
(Nagamochi and Ibaraki 1992), until a node of small degree is left, or none.
"""

from __future__ import annotations

import heapq

import numpy as np

_DENSE = 1 << 24  # counters of one contingency table; beyond it the pairs are sorted


def contingency(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(cells of ``one``, cells of ``other``, entities in both), -1 where there is none."""
    width = int(other.max(initial=-1)) + 2
    height = int(one.max(initial=-1)) + 2
    joint = (one.astype(np.int64) + 1) * width + (other + 1)
    if width * height <= _DENSE:
        counts = np.bincount(joint, minlength=1)
        where = np.flatnonzero(counts)
        counts = counts[where]
    else:
        where, counts = np.unique(joint, return_counts=True)
    return where // width - 1, where % width - 1, counts


def small_cuts(one: np.ndarray, other: np.ndarray, threshold: int) -> int:
    """How many groups of 1 to ``threshold`` - 1 entities the cells of two layers give by adding and
    subtracting; 0 means that none can be computed. Beyond the first, groups are counted as they are found."""
    u, v, weight = contingency(one, other)
    shift = int(one.max(initial=-1)) + 2
    tail, head = u + 1, np.where(v < 0, 0, v + shift)
    return _smaller_than(tail, head, weight, shift + int(other.max(initial=-1)) + 1, threshold)


def _merged(
    tail: np.ndarray, head: np.ndarray, weight: np.ndarray, label: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The graph after contraction: parallel edges added up, loops dropped."""
    a, b = label[tail], label[head]
    keep = a != b
    a, b, weight = np.minimum(a, b)[keep], np.maximum(a, b)[keep], weight[keep]
    width = int(label.max(initial=0)) + 1
    joint, inverse = np.unique(a.astype(np.int64) * width + b, return_inverse=True)
    return joint // width, joint % width, np.bincount(inverse, weights=weight).astype(np.int64)


def _contract(
    tail: np.ndarray, head: np.ndarray, weight: np.ndarray, heavy: np.ndarray, nodes: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    from scipy.sparse import coo_array  # with linear algebra, a third of the start of a check
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(int(heavy.sum())), (tail[heavy], head[heavy])), shape=(nodes, nodes))
    count, label = connected_components(graph, directed=False)
    return (*_merged(tail, head, weight, label), int(count))


def _smaller_than(tail: np.ndarray, head: np.ndarray, weight: np.ndarray, nodes: int, threshold: int) -> int:
    tail, head, weight = _merged(tail, head, weight, np.arange(nodes))
    while len(weight):
        heavy = weight >= threshold
        if not heavy.any():
            degree = np.bincount(tail, weight, nodes) + np.bincount(head, weight, nodes)
            small = int(((degree > 0) & (degree < threshold)).sum())
            if small:
                return small
            heavy = _together(tail, head, weight, nodes, threshold)
        tail, head, weight, nodes = _contract(tail, head, weight, heavy, nodes)
    return 0


def _together(
    tail: np.ndarray, head: np.ndarray, weight: np.ndarray, nodes: int, threshold: int
) -> np.ndarray:
    """Edges whose ends no cut below ``threshold`` separates, in one maximum adjacency order a component.

    When an edge raises what ties its end to the nodes already scanned to the threshold or more, that many
    edge-disjoint ways join its ends. The last node of an order has all its degree, so there is such an edge.
    """
    ends: list[list[tuple[int, int, int]]] = [[] for _ in range(nodes)]
    for number, (a, b, w) in enumerate(zip(tail.tolist(), head.tolist(), weight.tolist(), strict=True)):
        ends[a].append((b, w, number))
        ends[b].append((a, w, number))
    tied = np.zeros(len(weight), dtype=bool)
    scanned, tie = [False] * nodes, [0] * nodes
    for root in range(nodes):
        queue = [(0, root)] if ends[root] and not scanned[root] else []
        while queue:
            _, node = heapq.heappop(queue)
            if scanned[node]:
                continue
            scanned[node] = True
            for other, w, number in ends[node]:
                if not scanned[other]:
                    tie[other] += w
                    tied[number] = tie[other] >= threshold
                    heapq.heappush(queue, (-tie[other], other))
    return tied
