"""Sequences of releases over a made-up register: attacks that take several of them, and honest series.

A sequence is a list of steps; each publishes cells, which are sets of persons. An attack carries ``exposed``:
the persons that somebody holding all its releases could compute a figure of. Nothing here knows how the
ledger decides. ``benchmarks/egress_ledger.py`` prints the table, ``test_ledger_sequences.py`` holds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from sandbox.egress.ledger.books import Book, book, epoch

T = 10  # the threshold
Cells = Mapping[str, np.ndarray]


@dataclass
class Register:
    """Persons with attributes; ``keep`` marks who is in this snapshot of it."""

    draw: np.random.Generator
    size: int = 4000

    def __post_init__(self) -> None:
        d, n = self.draw, self.size
        self.hash = np.sort(d.choice(2**62, n, replace=False).astype(np.uint64))
        self.hash = d.permutation(self.hash << np.uint64(2))
        self.district = d.choice(8, n, p=[0.25, 0.2, 0.18, 0.12, 0.1, 0.08, 0.05, 0.02])
        self.sex = d.integers(0, 2, n)
        self.age = d.integers(18, 90, n)
        self.occupation = d.choice(10, n, p=[0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.02, 0.01])
        self.disease = d.choice(4, n, p=[0.6, 0.2, 0.15, 0.05])
        self.keep = np.ones(n, dtype=bool)

    def some(self, count: int, among: np.ndarray | None = None) -> np.ndarray:
        """A set of ``count`` persons, of those in ``among``."""
        pool = np.flatnonzero(self.keep if among is None else among & self.keep)
        found = np.zeros(self.size, dtype=bool)
        found[self.draw.choice(pool, count, replace=False)] = True
        return found

    def cells(self, *columns: str, within: np.ndarray | None = None, least: int = T) -> dict[str, np.ndarray]:
        """The cells of a table over ``columns``; smaller ones than ``least`` are left out."""
        inside = self.keep if within is None else within & self.keep
        values = np.stack([getattr(self, c) for c in columns])
        found = {}
        for cell in np.unique(values[:, inside], axis=1).T:
            mask = inside & (values == cell[:, None]).all(axis=0)
            if mask.sum() >= least:
                found[" ".join(f"{c}={v}" for c, v in zip(columns, cell, strict=True))] = mask
        return found

    def changed(self, leave: np.ndarray, join: np.ndarray) -> None:
        """The next snapshot."""
        self.keep = (self.keep & ~leave) | join


@dataclass
class Step:
    """One release; ``who`` = (user, recipient, scenario)."""

    cells: Cells
    who: tuple[str, str, str] = ("u1", "r1", "s1")
    deep: bool = False
    shadow: Cells | None = None
    keep: np.ndarray | None = None  # the snapshot, if it is not the first


@dataclass
class Sequence:
    """``exposed``: sizes of the groups that the whole sequence gives; empty for an honest one."""

    kind: str
    steps: list[Step]
    exposed: list[int] = field(default_factory=list)


def books(register: Register, number: int, step: Step) -> list[Book]:
    """The books of a step, as the checker would make them of its files."""
    keep = step.keep if step.keep is not None else np.ones(register.size, dtype=bool)
    order = np.argsort(register.hash[keep])
    universe = register.hash[keep][order]
    place = np.full(register.size, -1)
    place[np.flatnonzero(keep)[order]] = np.arange(len(universe))
    user, recipient, scenario = step.who

    def one(cells: Cells, shadow: bool) -> Book:
        keys = [int.from_bytes(hashlib.blake2b(k.encode(), digest_size=8).digest(), "big") for k in cells]
        sets = [np.sort(place[mask & keep]) for mask in cells.values()]
        more = {"deep": step.deep, "threshold": T, "epoch": epoch(universe), "shadow": shadow}
        base = shadow or step.shadow is None
        name = f"{user}-{number}"
        return book(
            name, "t", universe, sets, keys, base=base, scenario=scenario, recipient=recipient, **more
        )

    return [one(step.cells, False), *([one(step.shadow, True)] if step.shadow else [])]


Maker = Callable[[Register], Sequence]
ATTACKS: dict[str, Maker] = {}
HONEST: dict[str, Maker] = {}


def attack(make: Callable[[Register], tuple[list[Step], list[int]]]) -> None:
    name = make.__name__.replace("_", " ")
    ATTACKS[name] = lambda register: Sequence(name, *make(register))


def honest(make: Callable[[Register], list[Step]]) -> None:
    name = make.__name__.replace("_", " ")
    HONEST[name] = lambda register: Sequence(name, make(register))


def few(r: Register) -> int:
    return int(r.draw.integers(1, T))


def big(r: Register, column: str) -> int:
    """One of the larger values of a column."""
    return int(r.draw.integers(0, 4)) if column != "sex" else int(r.draw.integers(0, 2))


# --- attacks


@attack
def difference_of_two_tables(r):
    gone = r.some(few(r))
    return [Step(r.cells("district", "sex")), Step(r.cells("district", "sex", within=~gone))], [gone.sum()]


@attack
def all_and_all_but_some(r):
    gone = r.some(few(r))
    return [Step({"all": r.keep}), Step({"others": ~gone})], [gone.sum()]


@attack
def complement_in_parts(r):
    gone = r.some(few(r))
    halves = {f"half {v}": (r.sex == v) & ~gone for v in (0, 1)}
    return [Step({"all": r.keep}), Step(halves)], [gone.sum()]


@attack
def chain_of_three(r):
    home = r.district == big(r, "district")
    gone = r.some(few(r), home)
    one, other = home & ~gone & (r.sex == 0), home & ~gone & (r.sex == 1)
    return [Step({"home": home}), Step({"one": one}), Step({"other": other})], [gone.sum()]


@attack
def two_against_two(r):
    home = np.isin(r.district, (0, 1))
    gone = r.some(few(r), home & (r.district == 0))
    late = {f"sex {v}": home & ~gone & (r.sex == v) for v in (0, 1)}
    return [Step({f"d{v}": r.district == v for v in (0, 1)}), Step(late)], [gone.sum()]


@attack
def general_tracker(r):
    one = r.some(1)
    half = r.draw.integers(0, 2, r.size).astype(bool)
    steps = [Step({"tracker": half}), Step({"others": ~half}), Step({"with": half | one})]
    return [*steps, Step({"others with": ~half | one})], [1]


@attack
def general_tracker_of_a_group(r):
    group = r.some(6)
    half = (r.sex == 1) ^ (r.age % 2 == 0)
    steps = [Step({"tracker or": half | group}), Step({"others or": ~half | group})]
    return [*steps, Step({"all": r.keep})], [6]


@attack
def individual_tracker(r):
    home = (r.district == 1) & (r.sex == 0)
    one = r.some(1, home)
    return [Step({"c1": home}), Step({"c1 and not c2": home & ~one})], [1]


def _across(place: int) -> Callable[[Register], tuple[list[Step], list[int]]]:
    def make(r):
        gone, who = r.some(few(r)), ["u1", "r1", "s1"]
        who[place] += "-other"
        late = Step(r.cells("occupation", within=~gone), tuple(who))
        return [Step(r.cells("occupation")), late], [gone.sum()]

    make.__name__ = f"across_{('users', 'recipients', 'scenarios')[place]}"
    return make


for _place in range(3):
    attack(_across(_place))


@attack
def moved_band(r):
    def bands(*cuts):
        code = np.digitize(r.age, cuts)
        return {
            f"{cuts} {c} {v}": home & (code == c) & (r.sex == v) for c in range(len(cuts) + 1) for v in (0, 1)
        }

    home = r.district == 5
    r.age[home & (r.age == 70)] = 60
    r.age[r.some(4, home & (r.sex == 0))] = 70
    return [Step(bands(45, 70)), Step(bands(45, 71))], [4]


@attack
def inclusion_and_exclusion(r):
    both = r.some(few(r))
    rest = r.some(1500, ~both)
    one = both | (rest & (r.age < 50))
    other = both | (rest & (r.age >= 50))
    return [Step({"a": one}), Step({"b": other}), Step({"a or b": one | other})], [both.sum()]


@attack
def odd_circle_of_merged_groups(r):
    hidden = r.some(4)
    b = r.some(300, ~hidden)
    c = r.some(300, ~hidden & ~b)
    return [Step({"ab": hidden | b}), Step({"bc": b | c}), Step({"ca": c | hidden})], [4]


@attack
def linear_system(r):
    ring = np.flatnonzero(r.some(5))
    parts = [r.some(200, (r.age % 5 == i) & ~np.isin(np.arange(r.size), ring)) for i in range(5)]
    first = {f"part {i}": part for i, part in enumerate(parts)}
    steps = [Step(first)]
    for i in range(5):  # each with two neighbours of the ring: five equations, five unknowns
        mask = parts[i].copy()
        mask[[ring[i], ring[(i + 1) % 5]]] = True
        far = mask | parts[(i + 2) % 5]
        steps.append(Step({f"sum {i}": far}))
    return steps, [1] * 5


@attack
def median_tracker(r):
    home = r.district == 2
    one = r.some(1, home)
    return [Step({"median": home}, deep=True), Step({"median less one": home & ~one}, deep=True)], [1]


@attack
def one_district_left_out(r):
    small = r.district == 7
    odd = r.some(int(small.sum()) - 6, small)
    r.district[odd] = 0
    return [Step(r.cells("sex")), Step(r.cells("sex", within=r.district != 7))], [6]


@attack
def suppressed_cell_from_another_table(r):
    small = r.some(5, (r.district == 3) & (r.occupation == 0))
    r.occupation[small] = 11
    return [Step(r.cells("district", "occupation")), Step(r.cells("district"))], [5]


@attack
def union_over_two_tables(r):
    gone = r.some(4, (r.district == 0) & (r.occupation == 1))
    union = ((r.district == 0) | (r.occupation == 1)) & ~gone
    common = (r.district == 0) & (r.occupation == 1)
    return [
        Step(r.cells("district")),
        Step(r.cells("occupation")),
        Step({"common": common}),
        Step({"union": union}),
    ], [4]


@attack
def sensitive_cells_of_a_smaller_scope(r):
    one = r.some(1)

    def step(scope):
        return Step(r.cells("disease", within=scope), deep=True, shadow={"scope": scope})

    return [step(r.keep.copy()), step(~one)], [1]


@attack
def amounts_of_two_snapshots(r):
    home = {f"d{v}": r.district == v for v in range(6)}
    joined = r.some(1, r.district == 0)
    before = ~joined
    return [
        Step({k: m & before for k, m in home.items()}, deep=True, keep=before),
        Step(home, deep=True, keep=np.ones(r.size, dtype=bool)),
    ], [1]


# --- honest series


@honest
def monthly_flows(r):
    steps = []
    for month in range(6):
        went = r.draw.random(r.size) < 0.3
        steps.append(
            Step({f"{month} {k}": m for k, m in r.cells("district", within=went).items()}, deep=True)
        )
    return steps


@honest
def another_dimension_each_time(r):
    return [Step(r.cells(c)) for c in ("district", "sex", "occupation", "disease")]


@honest
def revised_snapshots(r):
    steps = []
    for _ in range(4):
        steps.append(Step(r.cells("district", "sex"), keep=r.keep.copy()))
        r.changed(r.some(3), np.zeros(r.size, dtype=bool))
    return steps


@honest
def growing_register(r):
    late = r.draw.permutation(r.size)
    r.keep[late[:400]] = False
    steps = []
    for part in range(4):
        steps.append(Step(r.cells("sex"), deep=True, keep=r.keep.copy()))
        r.changed(
            np.zeros(r.size, dtype=bool), np.isin(np.arange(r.size), late[100 * part : 100 * part + 100])
        )
    return steps


@honest
def same_table_again(r):
    cells = r.cells("district", "sex")
    return [Step(cells), Step(cells, ("u2", "r2", "s1")), Step(cells, ("u1", "r3", "s2"))]


@honest
def drill_down_with_suppression(r):
    fine = r.cells("district", "occupation")
    kept = {}
    for d in range(8):
        row = {k: m for k, m in fine.items() if k.startswith(f"district={d} ")}
        total = int((r.district == d).sum())
        order = sorted(row, key=lambda k: row[k].sum())
        while order and 0 < total - sum(int(row[k].sum()) for k in order) < T:
            order.pop(0)
        kept |= {k: row[k] for k in order}
    return [Step(r.cells("district")), Step(kept)]


@honest
def rolled_up(r):
    return [Step(r.cells("district", "sex")), Step(r.cells("district")), Step({"all": r.keep})]


@honest
def separate_cohorts(r):
    return [Step(r.cells("district", within=(r.age // 24) == band)) for band in range(1, 4)]


@honest
def means_by_pairs(r):
    first = Step(r.cells("sex", "disease"), deep=True)
    return [first, Step(r.cells("district", "sex"), deep=True), Step(r.cells("district"), deep=True)]


@honest
def nested_bands(r):
    def bands(width):
        return {f"{width} {v}": (r.age // width) == v for v in np.unique(r.age // width)}

    return [Step(bands(4)), Step(bands(8)), Step(bands(24))]


def cases(makers: Mapping[str, Maker], seeds: int, size: int = 4000) -> Iterator[tuple[Register, Sequence]]:
    """Each kind ``seeds`` times, over a new register each."""
    for number, make in enumerate(makers.values()):
        for seed in range(seeds):
            register = Register(np.random.default_rng([number, seed]), size)
            yield register, make(register)
