"""Suppressed cells against a solver that is not ours: what it can pin down is refused (R-143)."""

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from sandbox.egress import recovery
from sandbox.egress.check import check, declarations
from sandbox.egress.context import RawTable
from sandbox.egress.findings import Severity
from sandbox.egress.recovery import TooLarge, recover

THRESHOLD = 10
SETTINGS = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
CHECKED = settings(SETTINGS, max_examples=12)  # a whole check each, and three ways to publish


def solver_range(sums, totals, target):
    """The least and the most of ``target`` over whole numbers, by HiGHS."""
    ends = []
    for sign in (1, -1):
        found = milp(
            sign * target.astype(float),
            constraints=LinearConstraint(sums.astype(float), totals, totals),
            integrality=np.ones(len(target)),
            bounds=Bounds(0, np.inf),
        )
        # feasible by construction: without an optimum there is no bound (status 3, or 4 from its presolve)
        ends.append(np.inf * -sign if found.fun is None else round(sign * found.fun))
    return ends


@st.composite
def systems(draw):
    """Counts of a table of two or three dimensions, its margins, and which cells are blanked."""
    shape = draw(st.sampled_from([(2, 2), (3, 3), (3, 4), (4, 4), (2, 2, 2), (2, 3, 3)]))
    size = int(np.prod(shape))
    counts = np.array(draw(st.lists(st.integers(0, 30), min_size=size, max_size=size)))
    hidden = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    cells = np.arange(size).reshape(shape)
    sums = [np.eye(size, dtype=bool)[~hidden]]
    for axis in range(len(shape)):
        if draw(st.booleans()):
            lines = np.moveaxis(cells, axis, 0).reshape(shape[axis], -1).T
            sums.append(np.array([np.isin(np.arange(size), line) for line in lines]))
        if draw(st.booleans()):
            sums.append(np.array([np.isin(np.arange(size), part) for part in np.moveaxis(cells, axis, 0)]))
    return counts, np.vstack(sums), np.eye(size, dtype=bool)[hidden], len(shape)


@given(systems())
@SETTINGS
def test_fixed_and_narrow_cells_are_those_of_the_solver(system):
    counts, sums, hidden, dimensions = system
    if not len(hidden):
        return
    totals = sums @ counts
    found = recover(sums, hidden, counts, np.ones(len(hidden), dtype=bool), THRESHOLD)
    for number, target in enumerate(hidden):
        low, high = solver_range(sums, totals, target)
        wide = found.high[number] - found.low[number] >= THRESHOLD
        if found.fixed[number]:
            assert low == high
        if wide:
            assert high - low > 0
            assert dimensions > 2 or high - low >= THRESHOLD
        else:
            assert high - low < THRESHOLD  # refused only where it can indeed be enclosed


@st.composite
def published(draw):
    """A register of persons in two dimensions, and a table of it with totals and blanked cells."""
    rows, columns = draw(st.integers(2, 4)), draw(st.integers(2, 4))
    counts = np.array(draw(st.lists(st.integers(1, 40), min_size=rows * columns, max_size=rows * columns)))
    counts = counts.reshape(rows, columns)
    small = counts < THRESHOLD
    more = np.array(draw(st.lists(st.booleans(), min_size=counts.size, max_size=counts.size)))
    return counts, small | more.reshape(counts.shape)


def judged(counts, hidden, folder, policy, left_out=False, apart=False):
    """The report on a table of ``counts`` with totals: blanks, or no rows, or the totals in a file."""
    areas = [f"区{i}" for i in range(counts.shape[0])]
    trades = [f"业{j}" for j in range(counts.shape[1])]
    people = [(areas[i], trades[j]) for i, j in np.ndindex(*counts.shape) for _ in range(counts[i, j])]
    register = pl.DataFrame(people, schema=["area", "trade"], orient="row").with_row_index("person")
    folder.mkdir(parents=True)
    register.write_parquet(folder / "register.parquet")
    cells = [
        (areas[i], trades[j], None if hidden[i, j] else str(counts[i, j]))
        for i, j in np.ndindex(*counts.shape)
    ]
    if left_out:
        cells = [cell for cell in cells if cell[2] is not None]
    totals = [(areas[i], "合计", str(counts[i].sum())) for i in range(len(areas))]
    totals += [("合计", trades[j], str(counts[:, j].sum())) for j in range(len(trades))]
    out = folder / "out"
    out.mkdir()
    names = ["area", "trade", "n"]
    files = {"cells.csv": cells, "totals.csv": totals} if apart else {"out.csv": cells + totals}
    for name, lines in files.items():
        pl.DataFrame(lines, schema=names, orient="row").write_csv(out / name)
    declared = declarations(
        {"path": name, "dimensions": ["area", "trade"], "counts": ["n"]} for name in files
    )
    raw = RawTable("register", folder / "register.parquet", "person", ("area", "trade"))
    return check([out], [raw], declared, policy, "test@1")


def ranges(counts, hidden):
    """What the solver finds of every blanked cell below the threshold."""
    cells = np.arange(counts.size).reshape(counts.shape)
    lines = [*cells, *cells.T]
    sums = np.array([np.isin(np.arange(counts.size), line) for line in lines])
    sums = np.vstack([sums, np.eye(counts.size, dtype=bool)[~hidden.ravel()]])
    totals = sums @ counts.ravel()
    chosen = np.flatnonzero(hidden.ravel() & (counts.ravel() < THRESHOLD))
    return [solver_range(sums, totals, np.eye(counts.size, dtype=bool)[cell]) for cell in chosen]


def refused(report):
    return any(f.rule == "RECOVERABLE" and f.severity == Severity.HARD for f in report.findings)


@pytest.mark.requirement("R-143")
@pytest.mark.parametrize("way", ["blanked", "left out", "totals in another file"])
def test_small_cells_leave_suppressed_and_not_to_be_worked_out_or_not_at_all(way, policy, tmp_path_factory):
    options = {"blanked": {}, "left out": {"left_out": True}, "totals in another file": {"apart": True}}[way]
    verdicts = []

    @given(published())
    @CHECKED
    def against_the_solver(table):
        counts, hidden = table
        report = judged(counts, hidden, tmp_path_factory.mktemp("r") / "r", policy, **options)
        widths = [high - low for low, high in ranges(counts, hidden)]
        verdicts.append(refused(report))
        if any(width < THRESHOLD for width in widths):
            assert refused(report)
        if report.verdict != "reject":
            assert all(width >= THRESHOLD for width in widths)

    against_the_solver()
    # Both happen: a checker that always or never refuses would pass by half.
    safe = np.array([[5, 20, 30], [20, 6, 30], [30, 30, 30]])
    hidden = np.zeros((3, 3), dtype=bool)
    hidden[:2, :2] = True
    folder = tmp_path_factory.mktemp("both")
    assert not refused(judged(safe, hidden, folder / "safe", policy, **options))
    hidden[0, 1] = False
    assert refused(judged(safe, hidden, folder / "alone", policy, **options))
    shown = judged(safe, np.zeros((3, 3), dtype=bool), folder / "shown", policy)
    assert "SMALL_CELL" in {f.rule for f in shown.findings if f.severity == Severity.HARD}


def test_two_tables_that_hide_different_cells_give_both_away(policy, tmp_path):
    counts = np.array([[5, 20, 30], [20, 6, 30], [30, 30, 30]])
    square = np.zeros((3, 3), dtype=bool)
    square[:2, :2] = True
    judged(counts, square, tmp_path / "a", policy)
    other = square.copy()
    other[0, 1] = False
    judged(counts, other, tmp_path / "b", policy)
    both = tmp_path / "both"
    both.mkdir()
    for name in ("a", "b"):
        (both / f"{name}.csv").write_bytes((tmp_path / name / "out/out.csv").read_bytes())
    raw = RawTable("register", tmp_path / "a/register.parquet", "person", ("area", "trade"))
    assert refused(check([both], [raw], {}, policy, "test@1"))


def test_a_system_beyond_the_budget_is_held_and_not_passed(policy, tmp_path, monkeypatch):
    counts = np.array([[5, 20, 30], [20, 6, 30], [30, 30, 30]])
    hidden = np.zeros((3, 3), dtype=bool)
    hidden[:2, :2] = True
    monkeypatch.setattr(recovery, "_CELLS", 1)
    with pytest.raises(TooLarge):
        recover(
            np.ones((1, 2), dtype=bool), np.eye(2, dtype=bool), np.array([1, 2]), np.ones(2, dtype=bool), 9
        )
    report = judged(counts, hidden, tmp_path / "r", policy)
    found = [f for f in report.findings if f.rule == "RECOVERABLE"]
    assert [f.severity for f in found] == [Severity.HOLD]
    assert report.verdict == "hold"
