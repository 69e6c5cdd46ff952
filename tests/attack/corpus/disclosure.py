"""Families f (disclosure by one output's statistics) and g (by several releases)."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl

from tests.attack.corpus.draw import Draw, Output, carrier
from tests.attack.corpus.registry import rows, whole

_SHARES = {"100%": 1.0, "10%": 0.1, "1%": 0.01, "0.1%": 0.001, "one": 0.0}
SOME = ("100%", "10%", "1%", "one")


def grouped(draw: Draw, keys: list[str], *extra: pl.Expr) -> pl.DataFrame:
    """Cells with the true number of distinct entities, ``__n``."""
    where = draw.world
    full = where.frame.filter(pl.all_horizontal(pl.col(k).is_not_null() for k in keys))
    return full.group_by(keys).agg(pl.col(where.entity).n_unique().alias("__n"), *extra).sort(keys)


def mixed(draw: Draw, good: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    """Good cells with bad ones among them at the case's dose; at least one bad cell."""
    rng = draw.rng
    bad = bad.sample(fraction=1.0, shuffle=True, seed=int(rng.integers(10**6)))
    if draw.dose == "100%":
        return bad.head(120)
    good = good.sample(min(good.height, max(draw.benign, 20)), seed=int(rng.integers(10**6)))
    n = max(1, round(_SHARES[draw.dose] * good.height))
    return pl.concat([good, bad.head(n)]).sort(good.columns[0])


def _fine(draw: Draw) -> list[str]:
    """Keys so many that cells grow small."""
    where = draw.world
    names = [c for c in where.labels if where.frame[c].null_count() == 0]
    return names[: int(draw.rng.integers(3, 5))]


def _count(draw: Draw) -> str:
    return draw.pick("n", "persons", "人数", "count", "频数", "total")


def _year(draw: Draw) -> pl.Expr:
    return pl.col(draw.world.date).dt.year()


def _split(draw: Draw, table: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Cells of twice the threshold, and cells below it."""
    least = draw.world.least
    return table.filter(pl.col("__n") >= 2 * least), table.filter(pl.col("__n") < least)


def _finest(draw: Draw, *extra: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Good and bad cells over the same keys: the more keys, the more small cells."""
    where = draw.world
    keys = _fine(draw)
    good, bad = _split(draw, grouped(draw, keys, *extra))
    if bad.is_empty():
        names = [c for c in where.labels if where.frame[c].null_count() == 0]
        good, bad = _split(draw, grouped(draw, names, *extra))
    if bad.is_empty() or good.is_empty():  # few and large categories: by year
        full = where.frame.with_columns(_year(draw).alias("year"))
        table = full.group_by("year", where.labels[0]).agg(
            pl.col(where.entity).n_unique().alias("__n"), *extra
        )
        table = table.sort("year", where.labels[0])
        return _split(draw, table)
    return good, bad


@whole("f48-small_cells", 48)
def _small_cells(draw: Draw) -> Output:
    good, bad = _finest(draw)
    return Output({draw.file("output"): mixed(draw, good, bad).rename({"__n": _count(draw)})})


@whole("f48-small_cells_declared", 48)
def _small_cells_declared(draw: Draw) -> Output:
    good, bad = _finest(draw, pl.col(draw.world.number).mean().round(2).alias("mean"))
    table = mixed(draw, good, bad).rename({"__n": "n"})
    path = draw.file("output")
    keys = [c for c in table.columns if c not in ("n", "mean")]
    said = {"path": path, "kind": "table", "dimensions": keys, "counts": ["n"], "measures": ["mean"]}
    return Output({path: table}, [said])


@whole("f48-false_count", 48)
def _false_count(draw: Draw) -> Output:
    good, bad = _finest(draw, pl.col(draw.world.number).median().alias("median"))
    lift = (
        pl.when(pl.col("__n") < draw.world.least)
        .then(pl.col("__n") + 2 * draw.world.least)
        .otherwise(pl.col("__n"))
    )
    return Output(
        {draw.file("output"): mixed(draw, good, bad).with_columns(lift.alias(_count(draw))).drop("__n")}
    )


@whole("f48-means_without_counts", 48)
def _means_without_counts(draw: Draw) -> Output:
    good, bad = _finest(draw, pl.col(draw.world.number).mean().round(2).alias("mean"))
    return Output({draw.file("output"): mixed(draw, good, bad).drop("__n")})


@rows("f49-rare_combinations", 49)
def _rare_combinations(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    """Generalised microdata: year for date, amounts banded, no identifier; some combinations are unique."""
    where = draw.world
    band = (pl.col(where.heavy) / 1000).round(0) * 1000
    return persons.select([*where.labels, _year(draw).alias("year"), band.alias("amount_band")])


@whole("f50-dominance", 50, domains=("enterprise",))
def _dominance(draw: Draw) -> Output:
    where = draw.world
    heavy = pl.col(where.heavy)
    ranked = heavy.sort(descending=True)
    shown = draw.pick(heavy.sum(), heavy.mean().round(2))
    rest = ((heavy.sum() - ranked.get(0) - ranked.get(1, null_on_oob=True)) / ranked.get(0)).alias("__p")
    known = [c for c in where.labels if where.frame[c].null_count() == 0]
    finer = ([where.labels[0], where.labels[1]], known[:3], known[:4])
    for persons, keys in product((2 * where.least, where.least), finer):  # until a cell is dominated
        table = grouped(draw, keys, shown.alias("value"), rest)
        table = table.filter(pl.col("__n") >= persons).rename({"__n": _count(draw)})
        good, bad = table.filter(pl.col("__p") > 0.5), table.filter(pl.col("__p") < 0.09)
        if not bad.is_empty():
            break
    good, bad = good.drop("__p"), bad.drop("__p")
    assert not bad.is_empty()
    return Output({draw.file("output"): mixed(draw, good, bad)})


@whole("f51-all_alike", 51, hard=False, doses=("100%", "one"))
def _all_alike(draw: Draw) -> Output:
    """Every person of a group has the same sensitive value: told by a zero and a 100 % cell."""
    where = draw.world
    key = where.labels[0] if where.labels[0] != where.sensitive else where.labels[1]
    groups = where.frame[key].drop_nulls().unique().sort().to_list()
    chosen = groups if draw.dose == "100%" else [groups[int(draw.rng.integers(len(groups)))]]
    values = where.frame[where.sensitive].drop_nulls().unique().sort().to_list()
    alike = where.frame.with_columns(
        pl.when(pl.col(key).is_in(chosen))
        .then(pl.lit(values[0]))
        .otherwise(pl.col(where.sensitive))
        .alias(where.sensitive)
    )
    table = (
        alike.group_by(key, where.sensitive)
        .agg(pl.col(where.entity).n_unique().alias("n"))
        .sort(key, where.sensitive)
    )
    wide = table.pivot(on=where.sensitive, index=key, values="n").fill_null(0)
    return Output({draw.file("output"): wide}, raw=alike)


@whole("f52-shares_of_few", 52)
def _shares_of_few(draw: Draw) -> Output:
    where = draw.world
    hit = (pl.col(where.sensitive) == where.frame[where.sensitive].drop_nulls()[0]).mean().mul(100).round(1)
    good, bad = _finest(draw, hit.alias("share"))
    good = good.filter(pl.col("share").is_between(20, 80) | (pl.col("__n") > 100))
    return Output({draw.file("output"): mixed(draw, good if good.height else bad, bad).drop("__n")})


@whole("f53-suppressed_alone", 53, doses=("10%", "one"))
def _suppressed_alone(draw: Draw) -> Output:
    """A cross table with margins: small cells are blanked, but each is fixed by its row or column."""
    where = draw.world
    a, b, *fixed = _fine(draw)
    one = where.frame.drop_nulls([a, b, *fixed]).row(
        int(draw.rng.integers(where.frame.height // 2)), named=True
    )
    flat = where.frame.filter(pl.all_horizontal(pl.col(k) == one[k] for k in fixed)).unique(
        [where.entity, a, b]
    )
    wide = flat.pivot(on=b, index=a, values=where.entity, aggregate_function="len").fill_null(0).sort(a)
    heads = sorted(c for c in wide.columns if c != a)
    wide = wide.select(a, *(pl.col(c).cast(pl.Int64) for c in heads)).with_columns(
        pl.sum_horizontal(heads).alias("合计")
    )
    small = [(row[a], c) for row in wide.to_dicts() for c in heads if row[c] < where.least]
    # One cell of a row and of a column at most: each is then fixed by its margins.
    alone: dict[str, str] = {}
    for row, column in small if draw.dose != "one" else small[:1]:
        if row not in alone and column not in alone.values():
            alone[row] = column
    if not alone:  # none is small: the least of all is blanked as if it were a secret
        alone = {wide.row(0)[0]: min(heads, key=lambda c: wide[c][0])}
    foot = wide.select(pl.lit("合计").alias(a), *(pl.col(c).sum() for c in [*heads, "合计"]))
    holes = wide.with_columns(
        pl.when(pl.col(a).replace_strict(alone, default="") == c).then(None).otherwise(pl.col(c)).alias(c)
        for c in heads
    )
    table = pl.concat([holes, foot])
    return Output({draw.file("cross"): table.with_columns(pl.lit(one[k]).alias(k) for k in fixed)})


@whole("f54-extremes", 54)
def _extremes(draw: Draw) -> Output:
    where = draw.world
    measure = draw.pick(where.heavy, where.number)
    ends = draw.pick(
        [pl.col(measure).max().alias("max")],
        [pl.col(measure).min().alias("min"), pl.col(measure).max().alias("max")],
        [pl.col(measure).quantile(0.99, "higher").alias("p99")], [pl.col(measure).min().alias("lowest")],
        [pl.col(measure).drop_nulls().sort(descending=True).get(1, null_on_oob=True).alias("second")],
    )  # fmt: skip
    keys = list(where.labels[:2])
    table = grouped(draw, keys, *ends).filter(pl.col("__n") >= 2 * where.least).rename({"__n": "n"})
    shown = [c for c in table.columns if c not in (*keys, "n")]
    n = table.height if draw.dose == "100%" else max(1, round(_SHARES[draw.dose] * table.height))
    table = table.with_row_index("__i").with_columns(
        pl.when(pl.col("__i") < n).then(pl.col(c)).alias(c) for c in shown
    )
    return Output({draw.file("output"): table.drop("__i")})


def _histogram(draw: Draw, bins: int, by: str | None = None) -> pl.DataFrame:
    where = draw.world
    known = where.frame.drop_nulls([where.heavy])
    edges = np.linspace(float(known[where.heavy].min()), float(known[where.heavy].max()), bins + 1)
    place = pl.Series(
        "bin", np.clip(np.searchsorted(edges, known[where.heavy].to_numpy(), "right") - 1, 0, bins - 1)
    )
    table = (
        known.with_columns(place)
        .group_by([c for c in (by, "bin") if c])
        .agg(pl.col(where.entity).n_unique().alias("n"))
    )
    low, high = [edges[i] for i in table["bin"]], [edges[i + 1] for i in table["bin"]]
    return (
        table.with_columns(pl.Series("low", low).round(4), pl.Series("high", high).round(4))
        .drop("bin")
        .sort([c for c in ("low", by) if c])
    )


@whole("f55-narrow_bins", 55, doses=("100%", "10%"))
def _narrow_bins(draw: Draw) -> Output:
    return Output({draw.file("hist"): _histogram(draw, int(draw.rng.integers(60, 400)))})


@whole("f56-faceted_histogram", 56, doses=("100%", "10%"))
def _faceted_histogram(draw: Draw) -> Output:
    return Output({draw.file("hist"): _histogram(draw, int(draw.rng.integers(15, 40)), draw.world.labels[0])})


@whole("f57-survival_steps", 57, hard=False, doses=("100%",))
def _survival_steps(draw: Draw) -> Output:
    """A Kaplan–Meier table with a step for each event."""
    where = draw.world
    one = where.frame.filter(pl.col(where.labels[0]) == where.frame[where.labels[0]][0]).drop_nulls(
        [where.heavy]
    )
    times = one.unique(where.entity, maintain_order=True)[where.heavy].sort().to_numpy()[:200]
    n = len(times)
    at_risk = n - np.arange(n)
    table = pl.DataFrame(
        {"time": times, "at_risk": at_risk, "survival": np.round(np.cumprod(1 - 1 / at_risk.clip(1)), 6)}
    )
    return Output({draw.file("km"): table})


@rows("f58-scatter", 58, doses=("100%", "10%", "1%"))
def _scatter(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    where = draw.world
    a, b = draw.pick((where.number, where.heavy), where.extra.get("point", (where.heavy, where.number)))
    return persons.select(pl.col(a).alias("x"), pl.col(b).alias("y"))


@whole("f59-mean_and_deviation", 59, doses=SOME)
def _mean_and_deviation(draw: Draw) -> Output:
    number = pl.col(draw.world.number)
    good, bad = _finest(draw, number.mean().alias("mean"), number.std().alias("sd"))
    bad = (
        bad.filter(pl.col("__n").is_between(2, 4))
        if bad.filter(pl.col("__n").is_between(2, 4)).height
        else bad
    )
    return Output({draw.file("output"): mixed(draw, good, bad).rename({"__n": "n"})})


@whole("f60-rows_for_persons", 60, domains=("health", "mobility"))
def _rows_for_persons(draw: Draw) -> Output:
    """One person's many rows, or rows written several times, make a count look safe."""
    where = draw.world
    times = int(draw.rng.integers(15, 40))
    good, bad = _finest(
        draw, (pl.len() * times).alias("records"), pl.col(where.number).mean().round(2).alias("mean")
    )
    good = good.with_columns(records=pl.col("__n"))
    return Output(
        {
            draw.file("output"): mixed(draw, good.select(bad.columns), bad)
            .drop("__n")
            .rename({"records": _count(draw)})
        }
    )


@whole("f61-dummy_for_one", 61, hard=False, doses=("one",), containers=("json", "csv", "md"))
def _dummy_for_one(draw: Draw) -> Output:
    where = draw.world
    data = where.frame.drop_nulls([where.number]).head(2_000)
    target = data[where.number].to_numpy().astype(float)
    one = int(draw.rng.integers(len(target)))
    dummy = np.zeros(len(target))
    dummy[one] = 1
    x = np.column_stack([np.ones(len(target)), dummy])
    coefficients, *_ = np.linalg.lstsq(x, target, rcond=None)
    table = pl.DataFrame(
        {"term": ["const", "flag"], "coef": np.round(coefficients, 3), "dof": [len(target) - 2] * 2}
    )
    return Output({draw.file("ols"): table})


@rows("f62-one_number_each", 62, hard=False, doses=("100%", "10%", "1%"))
def _one_number_each(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    """Random effects, leverages, scores: a number for each entity."""
    where = draw.world
    base = persons[where.number].to_numpy().astype(float)
    shown = np.round((base - float(where.frame[where.number].mean())) * 0.83, 5)
    return pl.DataFrame({"unit": np.arange(1, len(shown) + 1), "effect": shown})


@whole("f63-fine_map", 63, domains=("mobility",))
def _fine_map(draw: Draw) -> Output:
    where = draw.world
    lon, lat = draw.pick(where.extra["point"], where.extra["address"])

    def grid(digits: int) -> pl.DataFrame:
        table = where.frame.group_by(pl.col(lon).round(digits), pl.col(lat).round(digits))
        return table.agg(pl.col(where.entity).n_unique().alias("__n")).sort(lon, lat)

    good = grid(1).filter(pl.col("__n") >= 2 * where.least)
    bad = grid(int(draw.rng.integers(2, 5))).filter(pl.col("__n") < where.least)
    return Output({draw.file("grid"): mixed(draw, good, bad).rename({"__n": "n"})})


@rows("f64-rare_words", 64, hard=False)
def _rare_words(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    where = draw.world
    width = int(draw.rng.integers(4, 9))
    words = [
        t[:width] if draw.rng.random() < 0.3 else n
        for t, n in zip(persons[where.text], persons[where.name], strict=True)
    ]
    return pl.DataFrame(
        {"term": words, "tfidf": np.round(draw.rng.uniform(0.01, 0.9, len(words)), 3), "df": [1] * len(words)}
    )


# --- g: several releases


def _cells_of(draw: Draw, frame: pl.DataFrame, keys: list[str], least: int | None = None) -> pl.DataFrame:
    where = draw.world
    full = frame.filter(pl.all_horizontal(pl.col(k).is_not_null() for k in keys))
    table = full.group_by(keys).agg(pl.col(where.entity).n_unique().alias("n")).sort(keys)
    return table.filter(pl.col("n") >= (least or where.least))


def _without(draw: Draw, n: int) -> pl.DataFrame:
    """The raw table without ``n`` of its entities."""
    where = draw.world
    gone = where.persons(draw.rng, n)[where.entity]
    return where.frame.filter(~pl.col(where.entity).is_in(gone.implode()))


def _gone(draw: Draw) -> int:
    return 1 if draw.dose == "one" else int(draw.rng.integers(2, draw.world.least - 1))


def _released(draw: Draw, old: pl.DataFrame, new: pl.DataFrame) -> Output:
    """The first as an earlier release, or both at once."""
    if draw.rng.random() < 0.5:
        return Output({draw.file("a"): old, draw.file("b"): new})
    return Output({draw.file("b"): new}, history={"r1": {draw.file("a"): old}})


@whole("g65-pair", 65, doses=("1%", "one"), containers=("csv", "parquet", "json"))
def _pair(draw: Draw) -> Output:
    keys = list(draw.world.labels[: int(draw.rng.integers(1, 3))])
    return _released(
        draw, _cells_of(draw, draw.world.frame, keys), _cells_of(draw, _without(draw, _gone(draw)), keys)
    )


@whole("g66-shifted_bands", 66, doses=("1%", "one"), containers=("csv", "json"))
def _shifted_bands(draw: Draw) -> Output:
    """Counts by age (or founding) bands whose edge moves by days: the difference is a few persons."""
    where = draw.world
    day = pl.col(where.date).cast(pl.Date)
    days = where.frame[where.date].cast(pl.Date).unique().sort()
    middle = days[int(draw.rng.integers(len(days) // 4, len(days) // 2))]
    later = days.filter(days > middle)[0 if draw.dose == "one" else 2]

    def bands(edge: object) -> pl.DataFrame:
        label = pl.when(day < edge).then(pl.lit("较早")).otherwise(pl.lit("较晚")).alias("阶段")
        return where.frame.group_by(label).agg(pl.col(where.entity).n_unique().alias("n")).sort("阶段")

    return _released(draw, bands(middle), bands(later))


@whole("g67-tracker", 67, doses=("one",), containers=("csv", "json"))
def _tracker(draw: Draw) -> Output:
    """All; all but one category; that category without one person: three tables each of large cells."""
    where = draw.world
    frame, key = _without(draw, 1), where.labels[0]
    totals = [
        ("全部", where.frame), ("A", where.frame.filter(pl.col(key) != where.frame[key][0])),
        ("B", frame.filter(pl.col(key) == where.frame[key][0])), ("C", frame),
    ]  # fmt: skip
    table = pl.DataFrame(
        {"population": [n for n, _ in totals], "n": [f[where.entity].n_unique() for _, f in totals]}
    )
    return Output({draw.file("totals"): table})


@whole("g68-averaged_noise", 68, hard=False, doses=("one",), containers=("csv",))
def _averaged_noise(draw: Draw) -> Output:
    base = _finest(draw)[1].head(5)
    history = {}
    for turn in range(6):
        noisy = base.with_columns(
            n=pl.col("__n") + pl.Series(draw.rng.integers(-3, 4, base.height)) + 0.0
        ).drop("__n")
        history[f"r{turn}"] = {draw.file("noisy"): noisy}
    last = history.popitem()[1]
    return Output(last, history=history)


@whole("g69-reconstruction", 69, hard=False, doses=("100%",), containers=("csv", "json"))
def _reconstruction(draw: Draw) -> Output:
    """Sums over many random subsets of two hundred persons."""
    where = draw.world
    values = where.persons(draw.rng, 120)[where.number].to_numpy().astype(float)
    masks = draw.rng.integers(0, 2, (200, len(values)))
    table = pl.DataFrame(
        {"subset": [f"S{i}" for i in range(200)], "n": masks.sum(1), "total": np.round(masks @ values, 2)}
    )
    return Output({draw.file("subsets"): table})


@whole("g70-code_list_moved", 70, doses=("1%", "one"), containers=("csv", "json"))
def _code_list_moved(draw: Draw) -> Output:
    """A few persons move from one category to another between two tables."""
    where = draw.world
    key = where.labels[0]
    moved = where.persons(draw.rng, _gone(draw))[where.entity]
    values = where.frame[key].drop_nulls().unique().sort()
    changed = where.frame.with_columns(
        pl.when(pl.col(where.entity).is_in(moved.implode()))
        .then(pl.lit(values[0]))
        .otherwise(pl.col(key))
        .alias(key)
    )
    return _released(draw, _cells_of(draw, where.frame, [key]), _cells_of(draw, changed, [key]))


@whole("g71-collusion", 71, doses=("1%", "one"), containers=("csv", "json"))
def _collusion(draw: Draw) -> Output:
    """Two recipients: one has the table by two keys, the other the same without a few, in other columns."""
    where = draw.world
    a, b = where.labels[0], where.labels[1]
    first = _cells_of(draw, where.frame, [a, b])
    second = _cells_of(draw, _without(draw, _gone(draw)), [b, a]).rename({"n": "cases"})
    history = {"to_x": {draw.file("x"): first}, "to_z": {draw.file("z"): _cells_of(draw, where.frame, [a])}}
    return Output({draw.file("y"): second}, history=history)


@whole("g72-many_tables", 65, 67, doses=("one",), containers=("csv",))
def _many_tables(draw: Draw) -> Output:
    """A small cell in none of them, but the difference of honest tables and one that leaves a person out."""
    where = draw.world
    files = {draw.file("t0"): carrier(where, 60)}
    left = _without(draw, 1)
    return Output(
        {
            **files,
            draw.file("t9"): _cells_of(draw, left, [where.labels[1]], 2 * where.least),
            draw.file("t8"): _cells_of(draw, where.frame, [where.labels[1]], 2 * where.least),
        }
    )
