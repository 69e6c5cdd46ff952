"""Honest outputs, built as statistical offices and analysts build them: what a checker must not disturb.

Each keeps the rules that the policy states: cells of at least the threshold of distinct entities,
complementary suppression whose intervals are proved wide, no extremes, no identifiers, magnitudes without
dominance.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.optimize import linprog

from tests.attack.corpus.cases import stable
from tests.attack.corpus.containers import FORMS, MEMBER, markdown
from tests.attack.corpus.domains import DOMAINS, World
from tests.attack.corpus.draw import Draw, Output
from tests.attack.corpus.judge import Result, examine, store_raw

BENIGN: dict[str, tuple[Callable[[Draw], Output], tuple[str, ...]]] = {}
TABLES = ("csv", "parquet", "json", "jsonl", "md", "tsv", "xlsx", "html", "ipynb", "zip", "arrow", "docx")
Maker = Callable[[Draw], Output]


def honest(name: str, *containers: str) -> Callable[[Maker], Maker]:
    """Register a kind of honest output."""

    def register(make: Maker) -> Maker:
        BENIGN[name] = (make, containers or TABLES)
        return make

    return register


def count_name(draw: Draw) -> str:
    """How an office calls a number of persons or enterprises."""
    unit = (
        ("企业数", "户数", "enterprises") if draw.domain == "enterprise" else ("人数", "persons", "人数合计")
    )
    return str(draw.pick(*unit, "n"))


def whole_labels(where: World) -> list[str]:
    """Categories without missing cells."""
    return [c for c in where.labels if where.frame[c].null_count() == 0]


def some_labels(draw: Draw, n: int) -> list[str]:
    """``n`` of them."""
    known = whole_labels(draw.world)
    return [known[int(i)] for i in draw.rng.choice(len(known), size=min(n, len(known)), replace=False)]


def cells(
    draw: Draw, keys: Sequence[str], *extra: pl.Expr, frame: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Cells of at least the threshold of entities, with their number ``n``."""
    where = draw.world
    source = (where.frame if frame is None else frame).drop_nulls(list(keys))
    table = source.group_by(keys, maintain_order=True).agg(pl.col(where.entity).n_unique().alias("n"), *extra)
    return table.filter(pl.col("n") >= where.least).sort(keys)


def declared(
    draw: Draw, path: str, table: pl.DataFrame, keys: Sequence[str], counts: Sequence[str]
) -> list[dict[str, Any]]:
    """Half of all honest jobs declare their output."""
    if draw.rng.random() < 0.5:
        return []
    measures = [c for c in table.columns if c not in (*keys, *counts)]
    archive = [{"path": path, "kind": "table"}] if path.endswith(".zip") else []
    return [
        *archive,
        {
            "path": f"{path}/{MEMBER}" if archive else path,
            "kind": "table",
            "dimensions": list(keys),
            "counts": list(counts),
            "measures": measures,
        },
    ]


def _one(
    draw: Draw, table: pl.DataFrame, keys: Sequence[str], counts: Sequence[str] = (), stem: str = "table"
) -> Output:
    path = draw.file(stem)
    return Output({path: table}, declared(draw, path, table, keys, counts))


def _by_year(where: World, width: int = 1) -> pl.Expr:
    return pl.col(where.date).dt.year() // width * width


@honest("counts")
def _counts(draw: Draw) -> Output:
    keys = some_labels(draw, int(draw.rng.integers(1, 4)))
    name = count_name(draw)
    return _one(draw, cells(draw, keys).rename({"n": name}), keys, [name])


@honest("counts_and_means")
def _counts_and_means(draw: Draw) -> Output:
    keys = some_labels(draw, int(draw.rng.integers(1, 3)))
    value, digits = pl.col(draw.world.number), int(draw.rng.integers(0, 3))
    table = cells(draw, keys, value.mean().round(digits).alias("mean"), value.std().round(digits).alias("sd"))
    return _one(draw, table, keys, ["n"])


@honest("quantiles")
def _quantiles(draw: Draw) -> Output:
    keys = some_labels(draw, 1)
    value = pl.col(draw.world.number)
    cuts = [value.quantile(q, "linear").round(0).alias(f"P{int(q * 100)}") for q in (0.25, 0.5, 0.75)]
    return _one(draw, cells(draw, keys, *cuts).filter(pl.col("n") >= 100), keys, ["n"])


@honest("shares")
def _shares(draw: Draw) -> Output:
    keys = some_labels(draw, 1)
    table = cells(draw, keys)
    return _one(
        draw, table.with_columns((pl.col("n") / pl.col("n").sum() * 100).round(1).alias("占比%")), keys, ["n"]
    )


@honest("margins")
def _margins(draw: Draw) -> Output:
    """A cross table with its margins, all cells large, of entities counted once."""
    where = draw.world
    flat = where.frame.unique(where.entity, keep="first", maintain_order=True)
    spread = where.frame.group_by(where.entity).agg(pl.col(c).n_unique() for c in whole_labels(where))
    own = [c for c in whole_labels(where) if spread[c].max() == 1]  # those that a person has once
    a, b = (own[int(i)] for i in draw.rng.choice(len(own), size=2, replace=False))
    wide = flat.pivot(on=b, index=a, values=where.entity, aggregate_function="len").fill_null(0).sort(a)
    heads = [c for c in wide.columns if c != a]
    wide = wide.with_columns(pl.col(c).cast(pl.Int64) for c in heads)
    wide = wide.filter(pl.min_horizontal(heads) >= where.least).with_columns(
        pl.sum_horizontal(heads).alias("合计")
    )
    foot = wide.select(pl.lit("合计").alias(a), *(pl.col(c).sum() for c in [*heads, "合计"]))
    if wide.height == where.frame[a].n_unique():  # a total of what is shown only
        wide = pl.concat([wide, foot])
    return _one(draw, wide, [a], [*heads, "合计"], "cross")


def _interval_holds(values: np.ndarray, hidden: np.ndarray, least: int) -> bool:
    """Whether every hidden cell of a table with both margins may lie anywhere in a width of ``least``."""
    places = np.argwhere(hidden)
    rows, columns = values.shape
    equal = np.zeros((rows + columns, len(places)))
    for i, (r, c) in enumerate(places):
        equal[r, i] = equal[rows + c, i] = 1
    total = np.concatenate([(values * hidden).sum(1), (values * hidden).sum(0)])
    for i in range(len(places)):
        goal = np.eye(len(places))[i]
        low = linprog(goal, A_eq=equal, b_eq=total, bounds=(0, None))
        high = linprog(-goal, A_eq=equal, b_eq=total, bounds=(0, None))
        if not (low.success and high.success) or -high.fun - low.fun < least:
            return False
    return True


@honest("suppressed")
def _suppressed(draw: Draw) -> Output:
    """A cross table with margins; small cells are blank, and as many more as the margins need."""
    where = draw.world
    a = whole_labels(where)[0]
    width = int(draw.rng.integers(4, 8))
    flat = where.frame.unique(where.entity, keep="first", maintain_order=True)
    flat = flat.with_columns(pl.format("{}年代", _by_year(where, 10)).alias("年代")).drop_nulls([a])
    wide = (
        flat.pivot(on="年代", index=a, values=where.entity, aggregate_function="len")
        .fill_null(0)
        .sort(a)
        .head(width)
    )
    heads = sorted(c for c in wide.columns if c != a)
    values = wide.select(heads).to_numpy().astype(int)
    hidden = values < where.least
    order = np.dstack(np.unravel_index(np.argsort(values, axis=None), values.shape))[0]
    for r, c in order:
        if hidden.sum() and _interval_holds(values, hidden, where.least):
            break
        hidden[r, c] = True
    full = pl.DataFrame({a: wide[a], **{h: values[:, i] for i, h in enumerate(heads)}})
    full = full.with_columns(pl.sum_horizontal(heads).alias("合计"))
    foot = full.select(pl.lit("合计").alias(a), *(pl.col(c).sum() for c in [*heads, "合计"]))
    holes = full.with_columns(
        pl.Series(
            h, [None if hidden[r, i] else int(values[r, i]) for r in range(len(values))], dtype=pl.Int64
        )
        for i, h in enumerate(heads)
    )
    return _one(draw, pl.concat([holes, foot.cast(holes.schema)]), [a], [*heads, "合计"], "suppressed")


@honest("rounded_to_five")
def _rounded(draw: Draw) -> Output:
    keys = some_labels(draw, 2)
    table = cells(draw, keys).with_columns((pl.col("n") / 5).round(0).cast(pl.Int64) * 5)
    return _one(draw, table, keys, ["n"])


def _event(where: World) -> str:
    return where.extra["event"][0] if "event" in where.extra else where.date


@honest("monthly_series")
def _monthly(draw: Draw) -> Output:
    where = draw.world
    month = (
        pl.col(_event(where))
        .dt.strftime(draw.pick("%Y-%m", "%Y年%m月") if "event" in where.extra else "%Y")
        .alias("月份")
    )
    return _one(draw, cells(draw, ["月份"], frame=where.frame.with_columns(month)), ["月份"], ["n"], "series")


@honest("yearly_index")
def _index(draw: Draw) -> Output:
    where = draw.world
    year = pl.col(_event(where)).dt.strftime("%Y-%m" if "event" in where.extra else "%Y").alias("期间")
    table = cells(
        draw, ["期间"], pl.col(where.number).mean().alias("m"), frame=where.frame.with_columns(year)
    )
    base = float(table["m"][0])
    table = table.select("期间", (pl.col("m") / base * 100).round(1).alias("指数（首期=100）"))
    return _one(draw, table, ["期间"], (), "index")


@honest("growth")
def _growth(draw: Draw) -> Output:
    where = draw.world
    period = pl.col(_event(where)).dt.strftime("%Y-%m" if "event" in where.extra else "%Y").alias("period")
    table = cells(draw, ["period"], frame=where.frame.with_columns(period))
    change = (pl.col("n") / pl.col("n").shift(1) * 100 - 100).round(1).alias("环比%")
    return _one(draw, table.with_columns(change), ["period"], ["n"])


@honest("rates")
def _rates(draw: Draw) -> Output:
    where = draw.world
    keys = [k for k in some_labels(draw, 3) if k != where.sensitive][:1]
    wanted = where.frame[where.sensitive].drop_nulls().value_counts(sort=True)[where.sensitive][0]
    hit = pl.col(where.entity).filter(pl.col(where.sensitive) == wanted).n_unique().alias("cases")
    table = cells(draw, keys, hit)
    table = table.filter((pl.col("cases") >= where.least) & (pl.col("n") - pl.col("cases") >= where.least))
    return _one(
        draw,
        table.with_columns((pl.col("cases") / pl.col("n") * 1000).round(1).alias("每千人")),
        keys,
        ["n", "cases"],
    )


@honest("age_pyramid")
def _pyramid(draw: Draw) -> Output:
    where = draw.world
    width = int(draw.pick(5, 10))
    key = whole_labels(where)[1]
    band = _by_year(where, width)
    frame = where.frame.with_columns(
        pl.format("{}-{}", band, band + width - 1).alias(
            "出生年代" if draw.domain != "enterprise" else "成立年代"
        )
    )
    name = frame.columns[-1]
    return _one(draw, cells(draw, [name, key], frame=frame), [name, key], ["n"], "pyramid")


@honest("top_coded")
def _top_coded(draw: Draw) -> Output:
    where = draw.world
    age = 2026 - pl.col(where.date).dt.year()
    label = (
        pl.when(age >= 80)
        .then(pl.lit("80岁以上"))
        .otherwise(pl.format("{}-{}岁", age // 20 * 20, age // 20 * 20 + 19))
    )
    frame = where.frame.with_columns(label.alias("年龄组"))
    return _one(draw, cells(draw, ["年龄组"], frame=frame), ["年龄组"], ["n"])


@honest("histogram")
def _histogram(draw: Draw) -> Output:
    """Equal bins on round numbers, the tail open."""
    where = draw.world
    known = where.frame.drop_nulls([where.number])
    q = float(known[where.number].quantile(0.9))
    step = max(1.0, float(f"{q / 8:.1g}"))
    place = pl.min_horizontal((pl.col(where.number) / step).floor(), pl.lit(8.0)).cast(pl.Int64)
    labels = {i: f"{i * step:g}-{(i + 1) * step:g}" if i < 8 else f"{8 * step:g}以上" for i in range(-50, 9)}
    frame = known.with_columns(
        place.replace_strict(labels, default=f"低于{0:g}").alias(where.number + "分组")
    )
    key = frame.columns[-1]
    return _one(draw, cells(draw, [key], frame=frame), [key], ["n"], "hist")


@honest("regression", "csv", "json", "md", "xlsx", "html")
def _regression(draw: Draw) -> Output:
    """Least squares on categories and a number: coefficients with three digits, standard errors, fit."""
    where = draw.world
    key = whole_labels(where)[1]
    data = where.frame.drop_nulls([where.number]).unique(where.entity, maintain_order=True)
    data = data.with_columns((2026 - pl.col(where.date).dt.year()).alias("age"))
    names = sorted(data[key].unique())[1:]
    x = np.column_stack(
        [
            np.ones(data.height),
            data["age"].to_numpy(),
            *((data[key] == v).cast(pl.Float64).to_numpy() for v in names),
        ]
    )
    y = data[where.number].to_numpy().astype(float)
    beta, residual, *_ = np.linalg.lstsq(x, y, rcond=None)
    variance = float(residual[0]) / (len(y) - x.shape[1]) * np.diag(np.linalg.inv(x.T @ x))
    error = np.sqrt(variance)
    table = pl.DataFrame(
        {
            "term": ["(Intercept)", "age", *(f"{key}={v}" for v in names)],
            "estimate": [float(f"{b:.3g}") for b in beta], "std_error": [float(f"{e:.2g}") for e in error],
            "t": np.round(beta / error, 2),
        }
    )  # fmt: skip
    fit = 1 - float(residual[0]) / float(((y - y.mean()) ** 2).sum())
    note = f"N = {len(y)}; R² = {fit:.3f}; df = {len(y) - x.shape[1]}\n"
    return Output({draw.file("ols"): table, "note.md": f"# 回归结果\n\n{note}"})


@honest("correlations")
def _correlations(draw: Draw) -> Output:
    columns = list(draw.world.extra["numbers"])
    data = draw.world.frame.select(columns).drop_nulls().to_numpy().astype(float)
    matrix = np.round(np.corrcoef(data.T), 2)
    return Output(
        {
            draw.file("corr"): pl.DataFrame(
                {"变量": columns, **{c: matrix[:, i] for i, c in enumerate(columns)}}
            )
        }
    )


@honest("report", "md")
def _report(draw: Draw) -> Output:
    keys = some_labels(draw, 1)
    table = cells(draw, keys).rename({"n": count_name(draw)})
    top = table.sort(table.columns[1], descending=True).row(0)
    text = draw.pick(
        f"其中{top[0]}最多，为 {top[1]}。", "各组均不少于公布门限，少于门限的不予公布。",
        "数据截至 2025 年底，四舍五入到整数。",
    )  # fmt: skip
    title = draw.pick("统计公报", "季度简报", "分析报告")
    return Output({"report.md": f"# {title}\n\n{text}\n\n{markdown(table)}\n注：按登记口径。\n"})


@honest("summary", "json", "md")
def _summary(draw: Draw) -> Output:
    where = draw.world
    n, mean = where.frame[where.entity].n_unique(), round(float(where.frame[where.number].mean()), 1)
    if draw.container == "md":
        return Output({"summary.md": f"# 摘要\n\n共 {n} 个对象，平均 {mean}。\n"})
    return Output({"summary.json": json.dumps({"entities": n, "mean": mean})})


@honest("several_tables", "csv", "parquet", "xlsx")
def _several(draw: Draw) -> Output:
    """One-way tables over different categories."""
    files = {}
    for key in whole_labels(draw.world)[: int(draw.rng.integers(2, 4))]:
        table = cells(draw, [key], pl.col(draw.world.number).mean().round(1).alias("mean"))
        files[draw.file(f"by_{len(files)}")] = table
    return Output(files)


@honest("ranking")
def _ranking(draw: Draw) -> Output:
    keys = some_labels(draw, 1)
    table = cells(draw, keys, pl.col(draw.world.number).mean().round(1).alias("mean")).sort(
        "mean", descending=True
    )
    return _one(draw, table.with_row_index("名次", 1), keys, ["n"])


@honest("log", "md")
def _log(draw: Draw) -> Output:
    where = draw.world
    lines = [
        f"read raw: {where.frame.height} rows, {where.frame.width} columns", "missing values dropped",
        f"group by {', '.join(some_labels(draw, 2))}", f"cells below {where.least} suppressed",
        "wrote table.csv",
        "git commit 3f2c1ab", "python 3.11.7, polars 2.1.0", "finished in 12.4 s",
    ]  # fmt: skip
    return Output({"run.md": "\n".join(lines[: int(draw.rng.integers(4, 9))]) + "\n"})


@honest("codebook", "csv", "md", "json", "xlsx")
def _codebook(draw: Draw) -> Output:
    where = draw.world
    table = pl.DataFrame(
        {
            "变量": [*where.labels, where.number],
            "含义": [f"{c}（登记口径）" for c in (*where.labels, where.number)],
        }
    )
    return Output({draw.file("codebook"): table})


@honest("matrix")
def _matrix(draw: Draw) -> Output:
    """Origin and destination, department and diagnosis, county and industry: all cells shown are large."""
    a, b = whole_labels(draw.world)[0], whole_labels(draw.world)[-1]
    table = cells(draw, [a, b])
    wide = table.pivot(on=b, index=a, values="n").sort(a)
    full = wide.drop_nulls()
    return _one(draw, full if full.height > 1 else cells(draw, [a]), [a], ())


@honest("hour_profile")
def _hours(draw: Draw) -> Output:
    where = draw.world
    moment = pl.col(_event(where))
    label = (
        moment.dt.hour()
        if draw.domain == "mobility"
        else (moment.dt.weekday() if draw.domain == "health" else moment.dt.quarter())
    )
    name = {"mobility": "hour", "health": "星期", "enterprise": "quarter"}[draw.domain]
    return _one(
        draw,
        cells(draw, [f"{name}_of"], frame=where.frame.with_columns(label.alias(f"{name}_of"))),
        [f"{name}_of"],
        ["n"],
    )


@honest("sums")
def _sums(draw: Draw) -> Output:
    keys = some_labels(draw, 1)
    return _one(draw, cells(draw, keys, pl.col(draw.world.number).sum().round(0).alias("total")), keys, ["n"])


@honest("two_periods")
def _two_periods(draw: Draw) -> Output:
    where = draw.world
    key = whole_labels(where)[0]
    year = pl.col(_event(where)).dt.year()
    middle = int(where.frame.select(year.median()).item())
    frame = where.frame.with_columns(
        pl.when(year < middle).then(pl.lit("前期")).otherwise(pl.lit("后期")).alias("时期")
    )
    wide = (
        cells(draw, [key, "时期"], frame=frame).pivot(on="时期", index=key, values="n").drop_nulls().sort(key)
    )
    return _one(draw, wide, [key], [c for c in wide.columns if c != key])


@honest("weighted_estimate")
def _weighted(draw: Draw) -> Output:
    """Estimates of a survey: counts raised to the population, in tens, with relative errors."""
    keys = some_labels(draw, 1)
    table = cells(draw, keys)
    raised = (pl.col("n") * 12.5 / 10).round(0).cast(pl.Int64) * 10
    return _one(
        draw,
        table.with_columns(raised.alias("估计总数"), (100 / pl.col("n").sqrt()).round(1).alias("相对误差%")),
        keys,
        ["n"],
    )


@honest("survival_bands")
def _survival(draw: Draw) -> Output:
    """A life table by decades of age, each with many persons."""
    where = draw.world
    band = (2026 - pl.col(where.date).dt.year()) // 10 * 10
    table = cells(draw, ["age_from"], frame=where.frame.with_columns(band.alias("age_from"))).sort("age_from")
    left = table.with_columns(at_risk=pl.col("n").reverse().cum_sum().reverse())
    return _one(
        draw,
        left.with_columns((pl.col("at_risk") / pl.col("at_risk").max()).round(3).alias("share")),
        ["age_from"],
        ["n", "at_risk"],
    )


@honest("chart", "vl.json", "svg")
def _chart(draw: Draw) -> Output:
    keys = some_labels(draw, 1)
    return Output({draw.file("chart"): cells(draw, keys)})


@honest("coefficients", "json", "safetensors")
def _coefficients(draw: Draw) -> Output:
    """A linear model of few parameters over thousands of rows."""
    where = draw.world
    columns = list(where.extra["numbers"])
    data = where.frame.select(columns).drop_nulls().to_numpy().astype(float)
    x = np.column_stack([np.ones(len(data)), (data[:, 1:] - data[:, 1:].mean(0)) / data[:, 1:].std(0)])
    beta = np.linalg.lstsq(x, data[:, 0], rcond=None)[0]
    rounded = [float(f"{b:.4g}") for b in beta]
    if draw.container == "safetensors":
        from safetensors.numpy import save

        return Output({"model.safetensors": save({"coef": np.array(rounded, dtype=np.float32)})})
    return Output({"model.json": json.dumps({"coef": rounded[1:], "intercept": rounded[0]})})


def select_benign(seeds: range, per_kind: int, forms: Sequence[str]) -> Iterator[str]:
    """``per_kind`` outputs of every kind, ids as those of attacks with the dose ``benign``."""
    for name, (_, containers) in BENIGN.items():
        open_here = [c for c in containers if FORMS.get(c, c) in forms]
        for number in range(per_kind if open_here else 0):
            rng = stable("benign", name, number, seeds.start)
            plain = "csv" in open_here and rng.random() < 0.5
            container = "csv" if plain else open_here[int(rng.integers(len(open_here)))]
            seed = seeds.start + int(rng.integers(len(seeds)))
            yield f"{name}:{DOMAINS[number % 3]}:benign:{container}:{seed}"


def build(case: str) -> tuple[Draw, Output]:
    """The honest output of a case."""
    name, domain, dose, container, seed = case.split(":")
    draw = Draw(case, domain, dose, container, int(seed))
    return draw, BENIGN[name][0](draw)


def judge(case: str, folder: Path) -> Result:
    """What the checker says of an honest output; ``outcome`` is the verdict."""
    draw, output = build(case)
    raw = store_raw(draw.world, folder)
    started = time.perf_counter()
    report = examine(output, draw.world, raw)
    seconds = time.perf_counter() - started
    rules = tuple(sorted({item.rule for item in report.findings if item.severity != "flag"}))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Result(case, report.verdict.value, False, "", rules, seconds, peak)
