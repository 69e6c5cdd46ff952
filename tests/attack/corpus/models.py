"""Families h (artefacts of learning) and i (side channels and attacks on the gate)."""

from __future__ import annotations

import io
import json
import pickle

import numpy as np
import polars as pl

from tests.attack.corpus.containers import markdown
from tests.attack.corpus.draw import Draw, Output, carrier
from tests.attack.corpus.identifiers import chosen, single, whole_number
from tests.attack.corpus.registry import rows, whole
from tests.attack.corpus.rows_disguised import columns_of

MODEL_FORMS = ("json", "safetensors")


def _matrix(draw: Draw, n: int) -> np.ndarray:
    """Standardised features of ``n`` persons, as a model keeps them."""
    where = draw.world
    every = where.frame.select(where.extra["numbers"]).drop_nulls().to_numpy().astype(float)
    values = where.persons(draw.rng, n).select(where.extra["numbers"]).to_numpy().astype(float)
    return (values - every.mean(0)) / every.std(0) if draw.rng.random() < 0.6 else values


def _model(draw: Draw, arrays: dict[str, np.ndarray], note: dict[str, object]) -> Output:
    """The arrays as JSON or as safetensors."""
    if draw.container == "safetensors":
        from safetensors.numpy import save

        packed = {
            k: np.ascontiguousarray(v, dtype=draw.pick(np.float32, np.float64)) for k, v in arrays.items()
        }
        return Output({"model.safetensors": save(packed)})
    body = {**note, **{k: v.tolist() for k, v in arrays.items()}}
    return Output({"model.json": json.dumps(body, ensure_ascii=False)})


def _weights(draw: Draw) -> np.ndarray:
    return np.round(draw.rng.normal(0, 1, 8), 4)


@whole("h73-stored_rows", 73, 74, containers=MODEL_FORMS, doses=("100%", "10%", "1%"))
def _stored_rows(draw: Draw) -> Output:
    kept = _matrix(draw, max(draw.size, 3))
    name = draw.pick("support_vectors", "X_train", "_fit_X", "prototypes", "centers")
    return _model(
        draw,
        {name: kept, "coef": _weights(draw)},
        {"type": draw.pick("SVC", "KNeighbors", "GaussianProcess")},
    )


@whole("h74-stored_rows_rounded", 74, containers=MODEL_FORMS, doses=("100%", "10%"))
def _stored_rows_rounded(draw: Draw) -> Output:
    kept = np.round(_matrix(draw, max(draw.size, 10)), int(draw.rng.integers(2, 5)))
    return _model(
        draw, {"layer_0": kept.astype(np.float32).astype(float), "bias": _weights(draw)}, {"type": "Dense"}
    )


@whole("h75-leaves_of_one", 75, doses=("100%", "one"), containers=("json", "csv", "md"))
def _leaves_of_one(draw: Draw) -> Output:
    """A tree as a table; its leaves hold one person each."""
    where = draw.world
    data = where.frame.drop_nulls([where.number, where.heavy]).sort(where.heavy)
    n = 60 if draw.dose == "100%" else 1
    leaves = data.sample(n, seed=int(draw.rng.integers(10**6)))
    table = pl.DataFrame(
        {
            "node": np.arange(n),
            "feature": [where.heavy] * n,
            "threshold": leaves[where.heavy],
            "samples": [1] * n,
            "value": leaves[where.number],
        }
    )
    good = pl.DataFrame(
        {
            "node": [900],
            "feature": [where.heavy],
            "threshold": [float(data[where.heavy].median())],
            "samples": [data.height],
            "value": [round(float(data[where.number].mean()), 1)],
        }
    )
    return Output({draw.file("tree"): pl.concat([table, good], how="vertical_relaxed")})


@whole("h76-bin_edges", 76, containers=MODEL_FORMS, doses=("100%",))
def _bin_edges(draw: Draw) -> Output:
    where = draw.world
    known = where.frame[where.heavy].drop_nulls().unique().sort().to_numpy().astype(float)
    edges = known[np.sort(draw.rng.choice(len(known), size=255, replace=False))]
    return _model(draw, {"bin_thresholds": edges}, {"type": "HistGradientBoosting"})


@whole("h77-encoders", 77, containers=("json", "csv", "md"), doses=("100%", "1%", "one"))
def _encoders(draw: Draw) -> Output:
    """A vocabulary or a target encoding with categories of one person."""
    where = draw.world
    persons = draw.persons().head(60)
    words = draw.pick(
        persons[where.text].to_list(), persons[where.name].to_list(), persons[where.ids[1]].to_list()
    )
    common = where.frame[where.labels[0]].drop_nulls().unique().sort().to_list()
    vocabulary = {w: i for i, w in enumerate([*common, *words])}
    if draw.container == "json":
        return Output({"encoder.json": json.dumps({"vocabulary_": vocabulary}, ensure_ascii=False)})
    scores = [None] * len(common) + persons[where.number].to_list()[: len(words)]
    table = pl.DataFrame({"category": list(vocabulary), "encoding": scores[: len(vocabulary)]}, strict=False)
    return Output({draw.file("encoder"): table})


@whole("h77-scaler_extremes", 77, containers=("json", "csv"), doses=("one",))
def _scaler_extremes(draw: Draw) -> Output:
    where = draw.world
    columns = list(where.extra["numbers"])
    ends = where.frame.select(columns)
    table = pl.DataFrame(
        {
            "feature": columns,
            "data_min": [float(ends[c].min()) for c in columns],
            "data_max": [float(ends[c].max()) for c in columns],
        }
    )
    return Output({draw.file("scaler"): table})


@rows("h78-embedding_each", 78, 82, hard=False, doses=("100%", "10%"))
def _embedding_each(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = persons.select(draw.world.extra["numbers"]).to_numpy().astype(float)
    turned = np.tanh(
        (values - values.mean(0)) / (values.std(0) + 1e-9) @ draw.rng.normal(size=(values.shape[1], 8))
    )
    return pl.DataFrame({f"e{i}": np.round(turned[:, i], 5) for i in range(8)})


@whole("h80-rows_in_weights", 80, hard=False, containers=MODEL_FORMS, doses=("100%", "10%", "1%"))
def _rows_in_weights(draw: Draw) -> Output:
    """Identifiers as the digits of weights."""
    numbers = [whole_number(v) % 10**15 for v in chosen(draw, draw.persons())]
    weights = np.array([[(n // 10**a % 10**5) / 1e5 - 0.5 for a in (10, 5, 0)] for n in numbers])
    return _model(draw, {"dense/kernel": weights}, {"type": "mlp"})


@whole("h81-memorised_text", 81, containers=("md", "json", "csv"), doses=("100%", "10%", "1%"))
def _memorised_text(draw: Draw) -> Output:
    """What a language model 'generated': raw texts with the persons' other attributes."""
    where = draw.world
    persons = draw.persons().select([where.labels[0], where.labels[1], where.date, where.number, where.text])
    lines = [f"{a}{b}，{c}，{d}。{e}" for a, b, c, d, e in persons.iter_rows()]
    if draw.container == "md":
        return Output({"samples.md": "# 生成样例\n\n" + "\n\n".join(lines) + "\n"})
    return Output({draw.file("samples"): pl.DataFrame({"sample": lines})})


@whole("h83-pickle", 83, doses=("100%",), containers=("json", "csv", "parquet", "md"))
def _pickle(draw: Draw) -> Output:
    data = pickle.dumps({"model": _matrix(draw, 20)})
    name = draw.pick("model.pkl", "model.joblib", f"model.{draw.container}", "model.pt", "weights.bin")
    return Output({name: data})


@whole("h84-synthetic_copies", 84, doses=("100%", "10%", "1%"))
def _synthetic_copies(draw: Draw) -> Output:
    """A 'synthetic' table: columns drawn independently, and real rows among them."""
    where = draw.world
    keep = [*where.labels, where.date, where.number, where.heavy]
    real = draw.persons().select(keep)
    n = draw.benign or 0
    columns = where.frame.select(keep)
    made = (
        pl.DataFrame(
            {
                c: columns[c]
                .drop_nulls()
                .sample(n, with_replacement=True, seed=int(draw.rng.integers(10**6)))
                for c in keep
            }
        )
        if n
        else real.clear()
    )
    return Output(
        {draw.file("synthetic"): pl.concat([real, made]).sample(fraction=1.0, shuffle=True, seed=3)}
    )


# --- i: the gate


@whole("i85-log", 85, containers=("md", "json", "jsonl"), doses=("10%", "1%", "one"))
def _log(draw: Draw) -> Output:
    """A log with values in it: a printed frame, a key error, a warning, a query."""
    persons = draw.persons().select(columns_of(draw))
    ids = chosen(draw, draw.persons(), names=True)
    lines = [
        f"2026-01-05 10:{i // 60 % 60:02d}:{i % 60:02d} INFO step {i} finished in {i * 7 % 13} s"
        for i in range(min(draw.benign, 200) // 4)
    ]
    leak = draw.pick(
        [str(row) for row in persons.iter_rows()],
        [f"KeyError: '{v}'" for v in ids],
        [
            f"WARNING bad row: {json.dumps(row, ensure_ascii=False, default=str)}"
            for row in persons.to_dicts()
        ],
        [f"SELECT * FROM raw WHERE id = '{v}'" for v in ids],
        [
            "Traceback (most recent call last):",
            '  File "job.py", line 7, in run',
            *(f"ValueError: could not convert string to float: '{v}'" for v in ids),
        ],
    )
    for line in leak:
        lines.insert(int(draw.rng.integers(len(lines) + 1)), line)
    if draw.container == "md":
        return Output({"run.md": "\n".join(lines) + "\n"})
    return Output({draw.file("run"): pl.DataFrame({"line": lines})})


@whole("i88-malformed", 88, doses=("one",), containers=("csv", "json", "md", "parquet"))
def _malformed(draw: Draw) -> Output:
    """What kills parsers, beside an identifier: a crash must not be a pass."""
    value = chosen(draw, draw.persons())[0]
    raw = draw.pick(
        f"a,n\n{value},1e999999999999\n".encode(), f"a,n\n{value}\x00,3\n".encode(),
        b"\xff\xfea,\x00n" + value.encode(),
        ('{"a": "' + value + '", "b": ' + "[" * 5000 + "]" * 5000 + "}").encode(),
        f'{{"a": NaN, "b": "{value}"'.encode(),
        b"PAR1" + value.encode() + b"PAR1", f'a,n\n"{value},3\n'.encode(),
        f"a,n\n{value}\ud800,3\n".encode("utf-8", "surrogatepass"),
    )  # fmt: skip
    return Output({draw.file("output"): raw})


@whole("i89-bomb", 89, doses=("one",), containers=("csv", "json", "md", "parquet", "zip"))
def _bomb(draw: Draw) -> Output:
    if draw.container == "zip":
        from tests.attack.corpus.containers import archive

        return Output({"output.zip": archive({"a.csv": b"a,n\n" + b"x,100\n" * 4_000_000})})
    if draw.container == "parquet":
        frame = pl.DataFrame({"a": ["x"] * 6_000_000, **{f"c{i}": [1] * 6_000_000 for i in range(9)}})
        sink = io.BytesIO()
        frame.write_parquet(sink)
        return Output({"output.parquet": sink.getvalue()})
    return Output(
        {
            draw.file("output"): draw.pick(
                b"a,n\n" + b"x" * (2 << 20) + b",3\n",
                ("," * 3000 + "\n" + "1," * 3000 + "1\n").encode(),
                b"[" * 100_000 + b"]" * 100_000,
            )
        }
    )


@whole("i90-link", 90, doses=("one",), containers=("csv",))
def _link(draw: Draw) -> Output:
    target = draw.pick("/etc/hostname", "../raw.parquet", "/proc/self/environ", "/dev/zero")
    return Output({"table.csv": carrier(draw.world, 20)}, links={"more.csv": target})


@whole("i90-name", 90, doses=("one",), containers=("csv",))
def _name(draw: Draw) -> Output:
    name = draw.pick(
        "out.csv.exe", "a\nb.csv", "‮vsc.exe", "x" * 200 + ".csv", "table.tar.gz", "Thumbs.db", "页\u200b.csv"
    )
    return Output({name: carrier(draw.world, 20) if name.endswith(".csv") else b"a,n\nx,100\n"})


@rows("i91-justification", 91, 3, containers=("md", "json"), doses=("1%", "one"))
def _justification(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    reason = draw.pick("申请理由：与{}核对一致", "exception requested for {}", "已同{}确认，请放行")
    return single(draw, [reason.format(v) for v in chosen(draw, persons, names=True)])


@whole("i91-report_text", 91, 3, containers=("md", "html", "docx"), doses=("one",))
def _report_text(draw: Draw) -> Output:
    value = chosen(draw, draw.persons(), names=True)[0]
    table = carrier(draw.world, 40)
    if draw.container == "md":
        return Output({"report.md": f"# 报告\n\n{markdown(table)}\n注：{value}的数据另行说明。\n"})
    return Output(
        {
            draw.file("report"): table.with_columns(pl.lit(None, pl.String).alias("注")).with_columns(
                pl.when(pl.int_range(pl.len()) == 3)
                .then(pl.lit(f"含{value}"))
                .otherwise(pl.col("注"))
                .alias("注")
            )
        }
    )
