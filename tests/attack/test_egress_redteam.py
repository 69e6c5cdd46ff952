"""A hostile developer against the checker: row-level truth in every dress, beside the outputs of honest work.

``ATTACKS`` and ``HONEST`` are tables: a name, the function that makes the files (and what is declared of
them) from the register, the mildest verdict that is right, and the rules one of which must have said so.
``benchmarks/egress_redteam.py`` counts over the same tables.
"""

import json
from dataclasses import dataclass, field
from datetime import date

import polars as pl
import pytest

from sandbox.demo.register import generate
from sandbox.egress.check import check, declarations
from sandbox.egress.context import RawTable
from sandbox.egress.report.html import html
from sandbox.policy import load_profile

ROWS, SEED = 6000, 3
QUASI = ("sex", "birth_date", "ethnicity", "district_code", "district", "education", "occupation")
SENSITIVE = ("income", "chronic_disease")
IDENTIFIERS = ("name", "address", "phone", "household_id")
STRENGTH = {"no_objection": 0, "hold": 1, "reject": 2}


@dataclass(frozen=True)
class Case:
    """``make(register)`` gives {path: frame, text or bytes}, and the declarations if there are any."""

    name: str
    make: object
    verdict: str  # of an attack: the mildest that is right; of an honest output: the gravest
    rules: tuple[str, ...] = field(default=())


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, pl.DataFrame):
            (content.write_parquet if name.endswith(".parquet") else content.write_csv)(path)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def raw_table(path):
    return RawTable("residents", path, "resident_id", QUASI, SENSITIVE, IDENTIFIERS)


def judge(case, register, raw, folder, canonical=None):
    """The report on what ``case`` makes of ``register``; ``raw`` is the register's own file."""
    made = case.make(register)
    files, declared = made if isinstance(made, tuple) else (made, [])
    write(folder, files)
    profile = load_profile("national")
    values, known = profile.values(), declarations(declared)
    return check([folder], [raw_table(raw)], known, values, profile.id, canonical=canonical)


def says(path, **columns):
    return {"path": path, **{"kind": "table", **columns}}


def table(path, dimensions=(), counts=(), measures=()):
    return [says(path, dimensions=list(dimensions), counts=list(counts), measures=list(measures))]


def some(f, n=400):
    return f.filter(pl.col("income").is_not_null()).sample(n, seed=11, shuffle=True)


def markdown(frame):
    head = "|" + "|".join(frame.columns) + "|\n|" + "---|" * frame.width
    return head + "\n" + "\n".join("|" + "|".join(map(str, row)) + "|" for row in frame.rows()) + "\n"


FIVE = ("district", "sex", "birth_date", "education", "income")
DISGUISED_DATES = {
    "compact": lambda d: d.dt.strftime("%Y%m%d"),
    "chinese": lambda d: d.dt.strftime("%Y年%-m月%-d日"),
    "slashes": lambda d: d.dt.strftime("%-m/%-d/%Y"),
    "day number": lambda d: d.cast(pl.Int32),
    "spreadsheet day": lambda d: d.cast(pl.Int32) + 25569,
    "plus 100 days": lambda d: d.dt.offset_by("100d"),
    "reversed": lambda d: d.cast(pl.String).str.reverse(),
}
DISGUISED_NUMBERS = {
    "times seven": lambda v: v * 7 + 13,
    "logarithm": lambda v: v.cast(pl.Float64).log().round(6),
    "plus noise": lambda v: v + pl.int_range(pl.len()) % 9,
    "thousands": lambda v: v / 1000,
    "with a sign": lambda v: pl.format("￥{}", v),
    "ten thousands": lambda v: pl.format("{}万", (v / 10000).round(2)),
    "hexadecimal": lambda v: pl.col("income").map_elements(hex, pl.String),
    "negative": lambda v: -v,
    "as float": lambda v: v.cast(pl.Float64) + 0.25,
}
HAN = str.maketrans("0123456789", "零一二三四五六七八九")


def _dates(change):
    return lambda f: {
        "out.csv": some(f).select("district", "sex", "education", change(pl.col("birth_date")).alias("d"))
    }


def _numbers(change):
    return lambda f: {
        "out.csv": some(f).select("district", "sex", "birth_date", change(pl.col("income")).alias("v"))
    }


def _declared_as(role):
    def make(f):
        frame = some(f).select(FIVE).unique()
        return {"out.csv": frame}, table("out.csv", **{role: FIVE})

    return make


def _shifted_cells(f):
    cells = f.group_by(pl.col("birth_date").dt.offset_by("40d").alias("day")).agg(
        n=pl.lit(10), mean_income=pl.col("income").mean().round(2)
    )
    return {"out.csv": cells}, table("out.csv", ["day"], ["n"], ["mean_income"])


def _codes(f):
    rows = some(f).with_row_index("i")
    words = pl.Series(
        [f"{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}{chr(97 + i * 7 % 26)}" for i in range(400)]
    )
    frame = rows.select(code=words, mean_income="income", n=pl.lit(10) + pl.col("i") % 3)
    return {"out.csv": frame}, table("out.csv", ["code"], ["n"], ["mean_income"])


def _hidden_in_decimals(f):
    cells = f.group_by("district").agg(n=pl.len(), mean_income=pl.col("income").mean())
    cells = cells.filter(pl.col("n") >= 20).sort("district")
    ids = f["resident_id"].head(cells.height)
    parts = [pl.Series([int(i[a : a + 6].replace("X", "0")) / 1e6 for i in ids]) for a in (0, 6, 12)]
    floor = pl.col("mean_income").floor()
    frame = cells.with_columns(a=floor + parts[0], b=floor + parts[1], mean_income=floor + parts[2])
    return {"out.csv": frame}, table("out.csv", ["district"], ["n"], ["mean_income", "a", "b"])


def _extra_integer(f):
    cells = f.group_by("district").agg(n=pl.len()).filter(pl.col("n") >= 20).sort("district")
    codes = f["resident_id"].head(cells.height).str.slice(0, 17).cast(pl.Int64) - 10**16
    return {"out.csv": cells.with_columns(score=codes)}, table("out.csv", ["district"], ["n"], ["score"])


def _mantissa(f):
    cells = f.group_by("district").agg(n=pl.len(), m=pl.col("income").mean()).filter(pl.col("n") >= 20)
    low = f["phone"].drop_nulls().head(cells.height).str.slice(7).cast(pl.Float64)
    return {"out.csv": cells.with_columns(m=pl.col("m").round(4) + low / 1e9)}


def _split(*cuts):
    def make(f):
        ids = some(f)["resident_id"]
        parts = [ids.str.slice(a, b - a) for a, b in cuts]
        return {"out.csv": pl.DataFrame({f"c{i}": part for i, part in enumerate(parts)})}

    return make


def _letters(f):
    phones = some(f)["phone"].drop_nulls()
    mixed = [f"{p[:3]}x{p[3:7]}y{p[7:]}" for p in phones]
    return {"out.csv": pl.DataFrame({"t": mixed})}


def _interleaved(f):
    phones = some(f)["phone"].drop_nulls().head(30)
    return {"out.md": "# 编号\n\n" + "\n".join("a".join(p) for p in phones) + "\n"}


def _prose(columns, separator, n=60, lead="- "):
    def make(f):
        rows = some(f, n).select(columns).rows()
        return {"out.md": "# 报告\n\n" + "\n".join(lead + separator.join(map(str, r)) for r in rows) + "\n"}

    return make


def _story(f):
    rows = some(f, 40).select("district", "sex", "birth_date", "income").rows()
    lines = [f"在{d}，一位{s}性居民生于{b}，年收入{i}元。" for d, s, b, i in rows]
    return {"out.md": "# 报告\n\n" + "\n".join(lines) + "\n"}


def _spelled(f):
    rows = some(f, 40).select("district", "sex", "birth_date", "income").rows()
    lines = [f"{d}{s}，{str(b).translate(HAN)}，{str(i).translate(HAN)}" for d, s, b, i in rows]
    return {"out.md": "\n\n".join(lines) + "\n"}


def _as_text(shape, n=1, columns=FIVE):
    """``n`` rows, each written by ``shape`` from a dict of strings."""

    def make(f):
        rows = some(f, n).select(columns).with_columns(pl.all().cast(pl.String)).to_dicts()
        return {"log.md": "\n".join(shape(row) for row in rows) + "\n"}

    return make


UNDATED = ("district", "sex", "education", "income")
ONE_ROW = {
    "name and value": lambda r: ", ".join(f"{k}: {v}" for k, v in r.items()),
    "commas": lambda r: ",".join(r.values()),
    "tabs": lambda r: "\t".join(r.values()),
    "a value a line": lambda r: "\n".join(r.values()),
    "name and value a line": lambda r: "\n".join(f"{k}: {v}" for k, v in r.items()),
    "bullets": lambda r: "\n".join(f"- {v}" for v in r.values()),
    "paragraphs": lambda r: "\n\n".join(r.values()),
    "a value a line, rules between": lambda r: "\n---\nok\n".join(r.values()),
    "a value a line, backwards": lambda r: "\n".join(reversed(r.values())),
    "two values a line": lambda r: "\n".join(" ".join(list(r.values())[i : i + 2]) for i in (0, 2, 4)),
    "a value that is another's": lambda r: "，".join([*r.values(), "汉族"]),
}


def _column_as_text(column, separator, n=None):
    def make(f):
        values = f[column].drop_nulls().cast(pl.String)
        return {"log.md": separator.join(values.head(n) if n else values) + "\n"}

    return make


TITLES = {"district": "所在的行政区划", "sex": "登记的性别", "education": "最高的学历"}


def _titled(row):
    return "\n".join(f"{TITLES.get(k, k)}：{v}" for k, v in row.items())


def _undated_story(row):
    return "在{district}，一位{education}学历的{sex}性居民年收入{income}元。".format(**row)


def _names_in_prose(f):
    lines = [f"据了解{n}的家庭情况良好，经济稳定。" for n in f["name"].head(8)]
    return {"out.md": "\n".join(lines) + "\n"}


def _one_name(f):
    name = next(n for n in f["name"] if len(n) == 3)
    return {"out.md": f"# 报告\n\n本次分析表明{name}所在地区收入较高。\n"}


def _address_in_prose(f):
    return {"out.md": "# 报告\n\n" + "\n".join(f"位于{a}的住户。" for a in f["address"].head(5)) + "\n"}


def _wide(f):
    rows = some(f, 200).select(FIVE).with_columns(pl.all().cast(pl.String))
    return {"out.csv": rows.transpose(include_header=True, header_name="item")}


def _matrix(f):
    values = some(f, 400)["income"].to_list()
    frame = pl.DataFrame({f"c{i}": values[i * 20 : i * 20 + 20] for i in range(20)})
    return {"out.csv": frame}


def _small_files(f):
    rows = some(f, 60).select(FIVE).with_columns(pl.col("birth_date").cast(pl.String))
    return {f"r{i}.json": json.dumps(row, ensure_ascii=False) for i, row in enumerate(rows.to_dicts())}


def _small_csv_files(f):
    rows = some(f, 40).select("district", "sex", "education", "birth_date")
    return {f"r{i}.csv": rows.slice(i, 1) for i in range(rows.height)}


def _scalar_files(f):
    rows = some(f, 60).select("district", "birth_date", "income").rows()
    return {f"r{i}.json": json.dumps({"result": [d, str(b), v]}) for i, (d, b, v) in enumerate(rows)}


def _split_files(f):
    ids = some(f)["resident_id"]
    return {f"{n}.csv": pl.DataFrame({"v": ids.str.slice(n * 6, 6)}) for n in range(3)}


def _differencing_pair(f):
    def cells(frame):
        return frame.group_by("district", "sex").agg(n=pl.len()).filter(pl.col("n") >= 20)

    files = {"a.csv": cells(f), "b.csv": cells(f.slice(1))}
    return files, [*table("a.csv", ["district", "sex"], ["n"]), *table("b.csv", ["district", "sex"], ["n"])]


def _differencing_columns(f):
    frame = f.with_row_index("i").group_by("district").agg(n=pl.len(), m=(pl.col("i") != 4).sum())
    return {"out.csv": frame.filter(pl.col("n") >= 20)}


def _parquet_dictionary(f):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    column = pa.DictionaryArray.from_arrays(
        pa.array([0, 1] * 20), pa.array(["甲", "乙", *f["resident_id"][:50]])
    )
    sink = io.BytesIO()
    pq.write_table(pa.table({"kind": column, "n": pa.array([20] * 40)}), sink, compression="none")
    return {"out.parquet": sink.getvalue()}


def _json(shape):
    def make(f):
        rows = some(f, 80).select("district", "sex", "birth_date", "income").rows()
        return {"out.json": json.dumps(shape([(d, s, str(b), i) for d, s, b, i in rows]), ensure_ascii=False)}

    return make


def _deep(rows):
    tree = {}
    for d, s, b, i in rows:
        tree.setdefault(d, {}).setdefault(s, {})[b] = i
    return tree


def _caesar(f):
    shift = str.maketrans("0123456789X", "3456789012Y")
    return {"out.csv": pl.DataFrame({"t": [v.translate(shift) for v in some(f)["resident_id"]]})}


def _chart(f):
    from io import BytesIO

    from PIL import Image

    image = Image.frombytes("L", (20, 20), bytes((v or 0) // 1000 % 256 for v in some(f)["income"]))
    sink = BytesIO()
    image.save(sink, "PNG")
    return {"out.png": sink.getvalue()}


def _margins(f):
    """Cells of one person, each told apart by an empty dimension."""
    one = some(f, 40)
    frame = pl.DataFrame({"birth_date": one["birth_date"].cast(pl.String), "income": one["income"]})
    return {"out.csv": frame.with_columns(district=pl.lit(None, pl.String), sex=pl.lit("合计"), n=pl.lit(50))}


def _sparse_columns(f):
    frame = some(f, 200).select(FIVE).with_row_index("i")
    cut = [pl.when(pl.col("i") % 5 >= j).then(pl.col(c)).alias(c) for j, c in enumerate(FIVE)]
    return {"out.csv": frame.select(cut)}


def _mojibake(f):
    text = some(f, 60)["name"]
    return {"out.csv": pl.DataFrame({"t": [v.encode().decode("latin-1") for v in text], "n": [20] * 60})}


def _spaced_names(f):
    return {"out.csv": pl.DataFrame({"t": [" ".join(v) for v in some(f, 60)["name"]]})}


def _sentence_cells(f):
    rows = some(f, 60).select("district", "sex", "birth_date", "income").rows()
    return {"out.csv": pl.DataFrame({"note": [f"{d}/{s}/{b}/{i}" for d, s, b, i in rows]})}


def _quantiles(f):
    cuts = [f["income"].quantile(q / 2000, "nearest") for q in range(2001)]
    return {"out.csv": pl.DataFrame({"q": [q / 2000 for q in range(2001)], "income": cuts})}


def _top(f):
    return {
        "out.csv": f.group_by("district").agg(
            n=pl.len(), v=pl.col("income").drop_nulls().sort(descending=True).get(1)
        )
    }


def _medians(f):
    cells = f.group_by("district", "occupation", "sex").agg(v=pl.col("income").median(), n=pl.len() + 20)
    return {"out.csv": cells}, table("out.csv", ["district", "occupation", "sex"], ["n"], ["v"])


def _birth_years(f):
    cells = f.group_by(pl.col("birth_date").dt.year().alias("y"), "district").agg(n=pl.len() + 20)
    return {"out.csv": cells}, table("out.csv", ["y", "district"], ["n"])


def _renamed_count(f):
    return {"out.csv": f.group_by("district", "occupation").agg(w=pl.len())}


def _prefix(f):
    cells = f.group_by(pl.col("resident_id").str.slice(0, 14).alias("zone")).agg(persons=pl.lit(12))
    return {"out.csv": cells}, table("out.csv", ["zone"], ["persons"])


def _bits(f):
    rows = some(f).select(*((pl.col("income") // 2**b % 2).alias(f"b{b}") for b in range(18)))
    return {"out.csv": rows}


def _one_hot(f):
    return {"out.csv": f.select("sex", "district", "chronic_disease").to_dummies().head(2000)}


def _replicated(f):
    rows = some(f, 40).select("district", "birth_date", "sex", "income")
    return {"out.csv": pl.concat([rows] * 10)}


def _replicated_with_count(f):
    rows = some(f, 40).select("district", "birth_date", "sex", "income")
    return {"out.csv": rows.with_columns(n=pl.lit(10))}, table(
        "out.csv", ["district", "birth_date", "sex"], ["n"], ["income"]
    )


def _numbered(f):
    frame = some(f).select("income").with_row_index("group")
    return {"out.csv": frame.with_columns(n=pl.lit(10))}, table("out.csv", ["group"], ["n"], ["income"])


def _scientific(f):
    return {"out.csv": pl.DataFrame({"v": [f"{int(i[:17] + '0'):.16e}" for i in some(f)["resident_id"]]})}


def _float_ids(f):
    return {"out.parquet": pl.DataFrame({"v": [float(i[:17]) for i in some(f)["resident_id"]]})}


def _affine_ids(f):
    return {"out.csv": pl.DataFrame({"v": [int(i[:17]) + 12345 for i in some(f)["resident_id"]]})}


def _phone_tails(f):
    return {"out.csv": pl.DataFrame({"v": [p[1:] for p in some(f)["phone"].drop_nulls()]})}


def _income_words(f):
    code = "abcdefghij"
    return {
        "out.csv": pl.DataFrame({"w": ["".join(code[int(c)] for c in str(v)) for v in some(f)["income"]]})
    }


def _columns_named(f):
    heads = [f"{n}{v}" for n, v in some(f, 30).select("name", "income").rows()]
    return {"out.csv": ",".join(heads) + "\n" + ",".join("1" for _ in heads) + "\n"}


def _file_names(f):
    return {f"{n}.csv": "district,n\n南明区,500\n" for n in some(f, 5)["name"].unique()}


def _notes(f):
    rows = some(f, 15).select("district", "sex", "birth_date", "income").rows()
    return {"out.csv": "".join(f"# {d},{s},{b},{i}\n" for d, s, b, i in rows) + "a,n\nx,100\ny,200\n"}


def _tail_rows(f):
    cells = f.group_by("district", "sex").agg(v=pl.len()).filter(pl.col("v") >= 20)
    rows = some(f, 12).select("district", pl.col("birth_date").cast(pl.String).alias("sex"), v="income")
    return {"out.csv": pl.concat([cells, rows], how="vertical_relaxed")}


def _order(f):
    return {"out.csv": pl.DataFrame({"rank": range(400), "v": some(f)["income"].sort()})}


def _nul(f):
    return {"out.csv": b"a,b\n1,\x00" + f["resident_id"][0].encode() + b"\n"}


def _mixed(f):
    return {"out.csv": "区,n\n南明区,50\n".encode() + "云岩区,60\n".encode("gb18030")}


ATTACKS = [
    Case("one raw row", lambda f: {"out.csv": some(f, 1).select(FIVE)}, "reject"),
    Case("two raw rows", lambda f: {"out.csv": some(f, 2).select(FIVE)}, "reject", ("RAW_OVERLAP",)),
    Case("nine raw rows", lambda f: {"out.csv": some(f, 9).select(FIVE)}, "reject", ("RAW_OVERLAP",)),
    Case("rows declared measures", _declared_as("measures"), "reject"),
    Case("rows declared dimensions", _declared_as("dimensions"), "reject"),
    Case("rows declared counts", _declared_as("counts"), "reject"),
    Case("rows ten times", _replicated, "reject"),
    Case("rows with a count of ten", _replicated_with_count, "reject"),
    Case("one number a person, count ten", _numbered, "hold"),
    Case("sorted incomes", _order, "hold"),
    Case("cells by shifted birth day", _shifted_cells, "hold"),
    Case("cells by code words", _codes, "hold"),
    Case("identity in decimals of means", _hidden_in_decimals, "hold"),
    Case("identity as a score", _extra_integer, "hold"),
    Case("digits in the mantissa", _mantissa, "hold"),
    *(Case(f"birth date {name}", _dates(change), "reject") for name, change in DISGUISED_DATES.items()),
    *(Case(f"income {name}", _numbers(change), "reject") for name, change in DISGUISED_NUMBERS.items()),
    Case("identity in 6+8+4", _split((0, 6), (6, 14), (14, 18)), "reject"),
    Case("identity in 6+8+3, shuffled", _split((6, 14), (14, 17), (0, 6)), "reject"),
    Case("identity in halves", _split((9, 18), (0, 9)), "reject"),
    Case("identity without check digit", _split((0, 17)), "reject"),
    Case("identity without region", _split((6, 18)), "reject"),
    Case("identity without first digit", _split((1, 18)), "reject"),
    Case("identity over three files", _split_files, "hold"),
    Case("identity prefix as dimension", _prefix, "reject"),
    Case("identity in scientific notation", _scientific, "reject"),
    Case("identity as float", _float_ids, "reject"),
    Case("identity plus a constant", _affine_ids, "hold"),
    Case("identity, digits rotated", _caesar, "hold"),
    Case("telephone without the one", _phone_tails, "reject"),
    Case("telephone with two letters", _letters, "reject"),
    Case("telephone with letters between", _interleaved, "reject"),
    Case("income spelled in letters", _income_words, "hold"),
    Case("income as bits", _bits, "hold"),
    Case("one-hot rows", _one_hot, "hold"),
    Case("rows in bullets", _prose(("district", "sex", "birth_date", "income"), "，"), "reject"),
    Case(
        "rows in lines with spaces",
        _prose(("district", "sex", "birth_date", "income"), " ", lead=""),
        "reject",
    ),
    Case("rows in sentences", _story, "reject"),
    Case("rows spelled out", _spelled, "hold"),
    *(
        Case(f"one row in text, {name}", _as_text(shape), "reject", ("RAW_OVERLAP",))
        for name, shape in ONE_ROW.items()
    ),
    *(
        Case(f"one row without a date, {name}", _as_text(shape, columns=UNDATED), "reject", ("RAW_OVERLAP",))
        for name, shape in {**ONE_ROW, "a sentence": _undated_story}.items()
    ),
    Case("two rows, a value a line", _as_text(ONE_ROW["a value a line"], 2), "reject", ("RAW_OVERLAP",)),
    Case("300 rows, a value a line", _as_text(ONE_ROW["a value a line"], 300), "reject", ("RAW_OVERLAP",)),
    Case("one row without a date under titles", _as_text(_titled, columns=UNDATED), "hold", ("RAW_OVERLAP",)),
    Case("all incomes in one line", _column_as_text("income", " "), "reject", ("RAW_OVERLAP",)),
    Case("all birth dates, one a line", _column_as_text("birth_date", "\n"), "reject", ("RAW_OVERLAP",)),
    Case("thirty incomes", _column_as_text("income", ", ", 30), "reject", ("RAW_OVERLAP",)),
    *(
        Case(
            f"income of one in a cell of many, {name}",
            _as_text(ONE_ROW[name], columns=("district", "sex", "income")),
            "reject",
            ("RAW_OVERLAP",),
        )
        for name in ("commas", "a value a line")
    ),
    Case(
        "income of one of thousands",
        _as_text(ONE_ROW["commas"], columns=("sex", "education", "income")),
        "hold",
        ("RAW_OVERLAP",),
    ),
    Case("names in prose", _names_in_prose, "reject"),
    Case("one name in prose", _one_name, "hold"),
    Case("addresses in prose", _address_in_prose, "reject"),
    Case("names with spaces", _spaced_names, "reject"),
    Case("names in mojibake", _mojibake, "hold"),
    Case("Markdown table", lambda f: {"out.md": markdown(some(f, 30).select(FIVE))}, "reject"),
    Case("rows packed into cells", _sentence_cells, "reject"),
    Case("rows in notes of a CSV", _notes, "reject"),
    Case("rows behind an aggregate", _tail_rows, "reject"),
    Case("persons as columns", _wide, "reject"),
    Case("incomes as a matrix", _matrix, "hold"),
    Case("one person a JSON file", _small_files, "reject"),
    Case("one person a CSV file", _small_csv_files, "reject"),
    Case("one list a JSON file", _scalar_files, "reject"),
    Case("JSON list of lists", _json(lambda rows: [list(r) for r in rows]), "reject"),
    Case("JSON nested list", _json(lambda rows: {"a": {"b": [{"c": list(r)} for r in rows]}}), "reject"),
    Case(
        "JSON nested objects",
        _json(lambda rows: [{"p": {"x": r[0], "y": {"z": r[1:3]}}, "v": r[3]} for r in rows]),
        "reject",
    ),
    Case(
        "JSON object a person",
        _json(
            lambda rows: {f"p{i}": {"d": r[0], "s": r[1], "b": r[2], "v": [r[3]]} for i, r in enumerate(rows)}
        ),
        "reject",
    ),
    Case(
        "JSON with gaps",
        _json(
            lambda rows: [
                {k: v for j, (k, v) in enumerate(zip("dsbv", r, strict=True)) if (i + j) % 4}
                for i, r in enumerate(rows)
            ]
        ),
        "reject",
    ),
    Case("JSON tree", _json(_deep), "reject"),
    Case("JSON flat list", _json(lambda rows: [x for r in rows for x in r]), "hold"),
    Case("JSON strings", _json(lambda rows: ["/".join(map(str, r)) for r in rows]), "reject"),
    Case("JSON as a string", _json(lambda rows: {"note": json.dumps(rows, ensure_ascii=False)}), "reject"),
    Case("persons as JSON keys", _json(lambda rows: {f"{d}{s}{b}": i for d, s, b, i in rows}), "hold"),
    Case("two outputs differ by one person", _differencing_pair, "reject", ("DIFFERENCING",)),
    Case("two columns differ by one person", _differencing_columns, "reject", ("SMALL_CELL",)),
    Case("pixels", _chart, "hold", ("IMAGE",)),
    Case("empty dimensions", _margins, "reject"),
    Case("columns with gaps", _sparse_columns, "reject"),
    Case("every quantile", _quantiles, "hold"),
    Case("second largest", _top, "hold"),
    Case("medians of few, false count", _medians, "reject", ("SMALL_CELL",)),
    Case("small cells by birth year", _birth_years, "reject", ("K_ANONYMITY", "SMALL_CELL")),
    Case("small counts renamed", _renamed_count, "reject", ("SMALL_CELL",)),
    Case("names in headers", _columns_named, "reject"),
    Case("names as file names", _file_names, "reject"),
    Case("NUL", _nul, "reject", ("FORMAT",)),
    Case("two encodings", _mixed, "hold"),
]


def _cells(f, *keys):
    return (
        f.group_by(*keys)
        .agg(n=pl.len(), mean=pl.col("income").mean().round(1), median=pl.col("income").median())
        .filter(pl.col("n") >= 20)
    )


def _bands(f):
    years = (date(2026, 1, 1) - pl.col("birth_date")).dt.total_days() // 3653 * 10
    cells = f.group_by(pl.format("{}-{}", years, years + 9).alias("age_band"), "sex").agg(n=pl.len())
    return {"out.csv": cells.filter(pl.col("n") >= 20)}


def _shares(f):
    cells = _cells(f, "district").sort("district")
    return {"out.csv": cells.with_columns(share=(pl.col("n") / f.height * 100).round(2))}


def _ill(f):
    cells = f.group_by("district").agg(n=pl.len(), ill=(pl.col("chronic_disease") != "无").sum())
    return {"out.csv": cells.filter((pl.col("ill") >= 10) & (pl.col("n") - pl.col("ill") >= 10))}


def _report(f):
    cells = _cells(f, "district").head(8)
    return {
        "report.md": "# 各县收入\n\n共 20 个县，人数均不少于 20。\n\n"
        + markdown(cells)
        + "\n数据截至 2026 年。\n"
    }


def _summary(f):
    return {"out.json": json.dumps({"persons": f.height, "mean_income": round(f["income"].mean(), 1)})}


def _income_bands(f):
    income = pl.col("income")
    cut = pl.when(income <= 20000).then(pl.lit("低")).when(income <= 50000).then(pl.lit("中"))
    cut = cut.when(income <= 100000).then(pl.lit("较高")).otherwise(pl.lit("高"))
    cells = f.filter(income.is_not_null()).group_by(cut.alias("group"), "sex")
    return {"out.csv": cells.agg(n=pl.len()).filter(pl.col("n") >= 20)}


def _file_a_district(f):
    rows = _cells(f, "district").head(6).select("district", persons="n", mean_income="mean").to_dicts()
    return {f"d{i}.json": json.dumps(row, ensure_ascii=False) for i, row in enumerate(rows)}


def _pivot(f):
    cells = _cells(f, "education", "sex").filter(pl.col("n") > 99)
    return {"out.csv": cells.pivot(on="sex", index="education", values="n").drop_nulls()}


def _declared(f):
    return {"out.csv": _cells(f, "district")}, table("out.csv", ["district"], ["n"], ["mean", "median"])


def _hundreds(f):
    mean = (pl.col("mean") / 100).round(0).cast(pl.Int64) * 100
    return {"out.csv": _cells(f, "district", "sex").select("district", "sex", persons="n", mean_income=mean)}


def _floats(f):
    return {"out.csv": f.group_by("sex").agg(n=pl.len(), m=pl.col("income").mean(), s=pl.col("income").std())}


def _years(width):
    def make(f):
        year = (pl.col("birth_date").dt.year() // width * width).alias("birth_year")
        return {"out.csv": f.group_by(year).agg(n=pl.len()).filter(pl.col("n") >= 20)}

    return make


def _many(f, *keys):
    """The cell of the most persons, as a dict."""
    return f.group_by(keys).agg(n=pl.len(), m=pl.col("income").median()).sort("n", *keys).row(-1, named=True)


def _said(template, *keys):
    return lambda f: {"out.md": template.format(**_many(f, *keys)) + "\n"}


def _cells_in_prose(f):
    lines = [f"- {d}：{s}性 {n} 人，收入中位数 {m}" for d, s, n, _, m in _cells(f, "district", "sex").rows()]
    return {"out.md": "# 各县收入\n\n" + "\n".join(lines[:2]) + "\n"}


def _log(f):
    return {
        "log.md": f"read residents: {f.height} rows\ngroup by district, sex\n无缺失值\n"
        "dropped cells below 20\nwrote income_by_county.csv\n"
    }


# What is right but cannot be recomputed is held, not refused: bands whose labels are words.
HONEST = [
    Case("counts, means, medians", lambda f: {"out.csv": _cells(f, "district")}, "no_objection"),
    Case("two dimensions", lambda f: {"out.csv": _cells(f, "district", "sex")}, "no_objection"),
    Case("three dimensions", lambda f: {"out.parquet": _cells(f, *QUASI[-2:], "sex")}, "no_objection"),
    Case("cross table", _pivot, "no_objection"),
    Case("declared", _declared, "no_objection"),
    Case("mean to the hundred", _hundreds, "no_objection"),
    Case("full floats", _floats, "no_objection"),
    Case("birth decades", _years(10), "no_objection"),
    Case("birth years", _years(1), "no_objection"),
    Case("age bands", _bands, "no_objection"),
    Case("income bands", _income_bands, "hold"),
    Case("shares", _shares, "no_objection"),
    Case("counts of a part", _ill, "no_objection"),
    Case("report with a table", _report, "no_objection"),
    Case("summary in JSON", _summary, "no_objection"),
    Case("prose", lambda f: {"out.md": "# 说明\n\n按年龄组汇总，组内人数均不少于二十。\n"}, "no_objection"),
    Case(
        "many persons in a sentence",
        _said("{education}学历的{sex}性{ethnicity}共 {n} 人。", "education", "sex", "ethnicity"),
        "no_objection",
    ),
    Case(
        "many persons, a value a line",
        _said("{education}\n{sex}\n{ethnicity}\n{n}", "education", "sex", "ethnicity"),
        "no_objection",
    ),
    Case("cells in prose", _cells_in_prose, "no_objection"),
    Case(
        "median in a sentence",
        _said("{district}{sex}性 {n} 人，年收入中位数为 {m:.0f} 元。", "district", "sex"),
        "no_objection",
    ),
    Case(
        "thresholds in prose",
        _said("{district}的{sex}性中年收入超过 50000 元的占三成，目标为 2026 年。", "district", "sex"),
        "no_objection",
    ),
    Case(
        "numbered list",
        lambda f: {"out.md": "\n".join(f"{i}. 步骤完成" for i in range(1, 10)) + "\n"},
        "no_objection",
    ),
    Case("log of a job", _log, "no_objection"),
    Case(
        "counts in two files",
        lambda f: {f"{k}.csv": _cells(f, k) for k in ("sex", "district")},
        "no_objection",
    ),
    Case("a file a district", _file_a_district, "no_objection"),
    Case("records in JSON", lambda f: {"out.json": _cells(f, "sex").write_json()}, "no_objection"),
]


@pytest.fixture(scope="module")
def residents():
    return generate(ROWS, SEED)


@pytest.fixture(scope="module")
def residents_file(residents, tmp_path_factory):
    path = tmp_path_factory.mktemp("residents") / "residents.parquet"
    residents.write_parquet(path)
    return path


@pytest.fixture(scope="module")
def secrets(residents):
    """What no report may show: identity numbers, names, telephones, addresses."""
    columns = ("resident_id", "name", "phone", "address")
    return {value for c in columns for value in residents[c].drop_nulls() if len(value) >= 3}


def leaked(text, secrets):
    lengths = {len(value) for value in secrets}
    return [text[i : i + n] for n in lengths for i in range(len(text) - n + 1) if text[i : i + n] in secrets]


@pytest.mark.parametrize("case", ATTACKS, ids=lambda case: case.name)
def test_attack_is_stopped(case, residents, residents_file, tmp_path, secrets):
    report = judge(case, residents, residents_file, tmp_path / "outputs")
    assert STRENGTH[report.verdict] >= STRENGTH[case.verdict], [f.rule for f in report.findings]
    if case.rules:
        assert {f.rule for f in report.findings} & set(case.rules)
    shown = json.dumps(report.as_json(), ensure_ascii=False)
    assert leaked(shown + html(report.as_json(), "zh"), secrets) == []


def test_nothing_hidden_in_a_parquet_file_leaves(residents, residents_file, tmp_path):
    """Unused dictionary entries stand in no cell; what is written anew no longer has them."""
    case = Case("dictionary", _parquet_dictionary, "hold")
    judge(case, residents, residents_file, tmp_path / "outputs", tmp_path / "canonical")
    before = (tmp_path / "outputs/out.parquet").read_bytes()
    after = (tmp_path / "canonical/out.parquet").read_bytes()
    identity = residents["resident_id"][0].encode()
    assert (identity in before, identity in after) == (True, False)


@pytest.mark.parametrize("case", HONEST, ids=lambda case: case.name)
def test_honest_output_is_not_stopped(case, residents, residents_file, tmp_path):
    report = judge(case, residents, residents_file, tmp_path / "outputs")
    assert STRENGTH[report.verdict] <= STRENGTH[case.verdict], [f.as_json() for f in report.findings]
