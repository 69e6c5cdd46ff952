"""Family d: raw rows, and values in invertible disguise."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import numpy as np
import polars as pl

from tests.attack.corpus.draw import Draw, Output, carrier
from tests.attack.corpus.identifiers import BASES, CIPHERS, heading
from tests.attack.corpus.registry import rows, whole

NEUTRAL = tuple("abcdefghijkl")


def columns_of(draw: Draw, least: int = 3) -> list[str]:
    """Some columns without identifiers, ``least`` or more, a quasi-identifier with many values among them."""
    where = draw.world
    fine = [where.date, *where.extra.get("event", ()), *where.extra.get("point", ())]
    point = where.extra.get("point", ()) if draw.rng.random() < 0.2 else ()
    first = [fine[int(draw.rng.integers(len(fine)))], *point]
    rest = [c for c in (*where.labels, where.number, where.heavy) if c not in first]
    size = int(draw.rng.integers(least - 1, len(rest) + 1))
    return [*dict.fromkeys(first), *(str(c) for c in draw.rng.choice(rest, size=size, replace=False))]


def renamed(draw: Draw, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns in another order under other names."""
    order = [frame.columns[int(i)] for i in draw.rng.permutation(frame.width)]
    words = draw.rng.permutation(NEUTRAL)
    names = dict(zip(order, words[: len(order)], strict=True)) if len(order) <= len(NEUTRAL) else {}
    return frame.select(order).rename({k: str(v) for k, v in names.items()})


@rows("d00-raw_rows", 49)
def _raw_rows(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    return persons.select(columns_of(draw))


@rows("d00-renamed_shuffled", 49)
def _renamed_shuffled(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    return renamed(draw, persons.select(columns_of(draw)).sample(fraction=1.0, shuffle=True, seed=1))


@rows("d00-packed_cells", 49, 3)
def _packed_cells(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    mark = draw.pick("/", ";", "，", " ", "|", "_")
    chosen = persons.select(columns_of(draw)).with_columns(pl.all().cast(pl.String))
    return chosen.select(pl.concat_str(pl.all(), separator=mark, ignore_nulls=True).alias(heading(draw)[0]))


@rows("d00-packed_and_encoded", 49, 6)
def _packed_and_encoded(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    packed = _packed_cells(draw, persons)
    encode = BASES[draw.pick("hex", "b64", "b32", "url", "b85")]
    return packed.with_columns(pl.all().map_elements(encode, return_dtype=pl.String))


@rows("d27-recoded", 27, hard=False)
def _recoded(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    where, key = draw.world, draw.rng.bytes(8)
    labels = [
        str(c)
        for c in draw.rng.choice(
            where.labels, size=int(draw.rng.integers(2, len(where.labels))), replace=False
        )
    ]
    code = draw.pick(
        lambda v: hmac.digest(key, v.encode(), "sha256")[:4].hex(),
        lambda v: (
            chr(65 + int.from_bytes(hashlib.sha256(key + v.encode()).digest()[:2], "big") % 26) + f"{len(v)}"
        ),
        lambda v: str(int.from_bytes(hmac.digest(key, v.encode(), "sha256")[:2], "big")),
    )
    frame = persons.select([*labels, where.date, where.number])
    coded = frame.with_columns(
        pl.col(c).cast(pl.String).map_elements(code, return_dtype=pl.String) for c in labels
    )
    return renamed(draw, coded)


def _measures(draw: Draw) -> list[str]:
    return list(draw.world.extra["numbers"])


NUMBERS: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "affine": lambda v, r: v * round(float(r.uniform(1.5, 9)), 3) + round(float(r.uniform(-500, 500)), 2),
    "zscore": lambda v, r: np.round((v - v.mean()) / (v.std() or 1.0), 6),
    "minmax": lambda v, r: np.round((v - v.min()) / ((v.max() - v.min()) or 1.0), 6),
    "unit": lambda v, r: v / float(r.choice([10, 100, 1000, 10000, 6.5])),
    "negative": lambda v, r: -v,
}
MONOTONE: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "log": lambda v, r: np.round(np.log1p(np.abs(v)), 7),
    "root": lambda v, r: np.round(np.sqrt(np.abs(v)), 6),
    "square": lambda v, r: np.round(v * v, 4),
    "rank": lambda v, r: np.argsort(np.argsort(v)).astype(float),
    "inverse": lambda v, r: np.round(1e6 / (np.abs(v) + 1), 6),
}


def _normal(seed: int, like: np.ndarray) -> np.ndarray:
    """Noise that whoever guesses the seed can take off again."""
    return np.random.default_rng(seed).normal(0, 0.01 * (like.std() or 1), len(like))


NOISES: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "constant": lambda v, r: np.round(v + float(r.integers(3, 999)), 3),
    "seeded": lambda v, r: np.round(v + _normal(int(r.integers(100)), v), 3),
    "rounded": lambda v, r: np.round(v, -1),
    "jitter": lambda v, r: np.round(v * (1 + r.uniform(-0.002, 0.002, len(v))), 3),
}  # fmt: skip


def _with_changed(
    draw: Draw, persons: pl.DataFrame, table: dict[str, Callable[..., np.ndarray]]
) -> pl.DataFrame:
    where = draw.world
    change = table[draw.pick(*table)]
    labels = [str(c) for c in draw.rng.choice(where.labels, size=2, replace=False)]
    # All persons of the world set mean, rank and the rest: a subsample's own would hide them by themselves.
    frame = persons.select([*labels, where.date])
    for column in _measures(draw)[:2]:
        frame = frame.with_columns(
            pl.Series(column, change(persons[column].to_numpy().astype(float), draw.rng))
        )
    return renamed(draw, frame)


@rows("d28-affine", 28)
def _affine(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    return _with_changed(draw, persons, NUMBERS)


@rows("d29-monotone", 29)
def _monotone(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    return _with_changed(draw, persons, MONOTONE)


@rows("d30-noise", 30)
def _noise(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    return _with_changed(draw, persons, NOISES)


@rows("d31-numbers_only", 28, 29, 30, hard=False, doses=("100%", "10%", "1%"))
def _numbers_only(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    change = draw.pick(*NUMBERS.values(), *MONOTONE.values(), *NOISES.values())
    frame = pl.DataFrame({c: change(persons[c].to_numpy().astype(float), draw.rng) for c in _measures(draw)})
    return renamed(draw, frame)


DATES: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "compact": lambda d: d.dt.strftime("%Y%m%d"),
    "chinese": lambda d: d.dt.strftime("%Y年%-m月%-d日"),
    "slashes": lambda d: d.dt.strftime("%-m/%-d/%Y"),
    "day_number": lambda d: d.cast(pl.Int32),
    "spreadsheet": lambda d: d.cast(pl.Int32) + 25569,
    "shifted": lambda d: d.dt.offset_by("100d"),
    "reversed": lambda d: d.cast(pl.String).str.reverse(),
    "epoch_ms": lambda d: d.cast(pl.Datetime("ms")).dt.epoch("ms"),
    "ordinal": lambda d: pl.format("{}-{}", d.dt.year(), d.dt.ordinal_day()),
    "two_digits": lambda d: d.dt.strftime("%d.%m.%y"),
}


@rows("d31-dates", 28, 30)
def _dates(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    where = draw.world
    change = DATES[draw.pick(*DATES)]
    labels = [str(c) for c in draw.rng.choice(where.labels, size=min(3, len(where.labels)), replace=False)]
    return renamed(draw, persons.select([*labels, change(pl.col(where.date)).alias("when")]))


@rows("d32-projection", 32, hard=False, doses=("100%", "10%"))
def _projection(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = persons.select(_measures(draw)).to_numpy().astype(float)
    values = (values - values.mean(0)) / values.std(0)
    width = values.shape[1]
    turn = (
        np.linalg.qr(draw.rng.normal(size=(width, width)))[0]
        if draw.rng.random() < 0.5
        else draw.rng.normal(size=(width, width + 1))
    )
    mixed = np.round(values @ turn, 6)
    return pl.DataFrame({f"pc{i + 1}": mixed[:, i] for i in range(mixed.shape[1])})


@rows("d33-running_sums", 33, hard=False, doses=("100%", "10%"))
def _running_sums(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    values = persons[draw.pick(*_measures(draw))].cast(pl.Float64)
    made = draw.pick(
        values.cum_sum(), values.diff().fill_null(values[0]), values.cum_sum() / np.arange(1, len(values) + 1)
    )
    return pl.DataFrame({"t": np.arange(1, len(values) + 1), "total": made.round(4)})


@rows("d34-groups_of_two", 34)
def _groups_of_two(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    where = draw.world
    keys = list(where.labels[:3])
    pair = (
        persons.sort(*keys).with_row_index("__g").with_columns(pl.col("__g") // int(draw.rng.integers(1, 3)))
    )
    means = pair.group_by("__g", maintain_order=True).agg(
        *(pl.col(k).first() for k in keys),
        *(pl.col(m).cast(pl.Float64).mean().round(3) for m in _measures(draw)[:2]),
    )
    return means.drop("__g")


@rows("d35-rounded_sample", 28, 49)
def _rounded_sample(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    """Two at once: some of the rows, amounts to the ten, dates to the month, one category left out."""
    where = draw.world
    frame = persons.select([*where.labels[:3], where.date, where.number, where.heavy])
    frame = frame.with_columns(
        pl.col(where.date).dt.strftime(draw.pick("%Y-%m", "%Y%m", "%Y年%-m月")),
        pl.col(where.number).round(0),
        (pl.col(where.heavy) / 10).round(0) * 10,
    )
    return renamed(draw, frame.drop(draw.pick(*where.labels[:3])))


@rows("d36-shuffled_encoded", 8, 27, 49)
def _shuffled_encoded(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    """Two at once: rows under other names, every value in base64, hex or a digit cipher."""
    encode = draw.pick(BASES["b64"], BASES["hex"], CIPHERS["complement"], CIPHERS["atbash"])
    frame = persons.select(columns_of(draw)).with_columns(pl.all().cast(pl.String))
    return renamed(draw, frame.with_columns(pl.all().map_elements(encode, return_dtype=pl.String)))


@rows("d37-one_column_left_out", 49)
def _one_column_left_out(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    """Nearly whole rows; one column is replaced by made-up values."""
    where = draw.world
    frame = persons.select([*where.labels, where.date, where.number, where.heavy])
    wrong = draw.pick(*frame.columns)
    return frame.with_columns(pl.col(wrong).shuffle(seed=int(draw.rng.integers(10**6))))


@rows("d38-one_hot", 27, hard=False, doses=("100%", "10%"))
def _one_hot(draw: Draw, persons: pl.DataFrame) -> pl.DataFrame:
    where = draw.world
    return (
        persons.select(where.labels[:3])
        .to_dummies()
        .with_columns(pl.Series("v", persons[where.number].to_numpy()))
    )


@whole("d39-turned", 49, doses=("100%", "10%", "1%"))
def _turned(draw: Draw) -> Output:
    """Persons as columns."""
    chosen = draw.persons().head(80).select(columns_of(draw)).with_columns(pl.all().cast(pl.String))
    turned = chosen.transpose(include_header=True, header_name="item")
    files = {draw.file("output"): turned}
    if draw.benign:
        files |= {draw.file(f"table{i}"): t for i, t in enumerate([draw.around()])}
    return Output(files)


@whole("d40-a_file_each", 49, doses=("10%", "1%", "one"), containers=("csv", "json", "md"))
def _a_file_each(draw: Draw) -> Output:
    """One person a file."""
    chosen = draw.persons().select(columns_of(draw))
    files = {draw.file(f"r{i}"): chosen[i] for i in range(chosen.height)}
    return Output(files | {draw.file("table"): carrier(draw.world, 30)})
