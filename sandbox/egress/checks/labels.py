"""What stands in the cells of an aggregate without being a dimension, a count or a measure.

One such cell is enough: a mark of one's own, a remark, a code, a key, a name. ``unexplained`` measures how
much free space there is; here the positive model is applied to each cell. A label passes when it is a value
of the raw data that enough entities share, a margin, a band, a period, a mark of suppression, the name of a
column, or a word of statistics. What is left over is for people to read. So is a group of one's own beside a
count: nobody can recount it, and two that differ by one person look like any others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import combinations

import polars as pl

from sandbox.egress.bands import MARK, bands, tame
from sandbox.egress.checks.base import Check
from sandbox.egress.context import Context
from sandbox.egress.facts import unexplained_digits
from sandbox.egress.findings import Finding, Severity
from sandbox.egress.forms import Document, Table
from sandbox.egress.messages import finding
from sandbox.egress.rawdata import UNKNOWN
from sandbox.egress.shape import Shape, recognise
from sandbox.egress.shape_columns import margins

# Words that tables of statistics are written with: what a number is, not whom it counts.
_STATISTICS = """
    n n_obs nobs obs observations rows count counts entities persons people total sum mean average avg
    median min max minimum maximum range std sd se stderr variance var iqr quantile percentile quartile
    share percent pct rate ratio index value values key metric measure statistic stat variable term name
    unit notes note coef coefficient estimate intercept const constant slope residual error pvalue p t z
    f chi2 df dof r2 rsquared adjusted r squared aic bic loglikelihood lower upper ci low high conf int
    odds auc accuracy precision recall f1 loss mae mse rmse mape score weight weights bias layer dense
    input output feature features importance yes no true false male female unknown other others missing
    null nan none na first last period date year month quarter week day hour minute baseline reference
    of per and by the in to
    age sex gender 年龄 性别 地区
    样本量 人数 户数 人次 数量 计数 合计 总计 小计 均值 平均 平均值 平均数 中位数 最小值 最大值 标准差
    标准误 方差 极差 分位数 四分位数 占比 比例 比率 百分比 率 指数 增长率 同比 环比 指标 变量 含义 说明
    单位 数值 取值 名称 系数 截距 常数 常数项 估计值 显著性 自由度 置信区间 下限 上限 权重 偏置 特征
    重要性 准确率 精确率 召回率 损失 误差 是 否 有 无 男 女 其他 其它 未知 不详 缺失 登记口径 统计口径
    口径 基期 本期 上期 上年 同期
"""
_WORDS = frozenset(_STATISTICS.split())
_PERIOD = re.compile(
    r"(?:19|20)\d\d(?:\s*[-/.年]?\s*(?:Q[1-4]|H[12]|第?[一二三四1-4]季度|[上下]半年|(?:0?[1-9]|1[0-2])\s*月?))?\s*年?|"
    r"Q[1-4]|(?:0?[1-9]|1[0-2])月|(?:周|星期)[一二三四五六日天]|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|"
    r"[pq]\d{1,2}|\d{1,2}(?:\.\d)?\s*%|\d{1,2}(?:时|点|:00)",
    re.IGNORECASE,
)
_PARTS = re.compile(r"[\s=:：_/,，、()（）\[\]【】·.*|+\-—~]+")
_SHORT, _LETTERS = 4, 12  # characters, or letters, of a word that a column may repeat in most of its rows
_FILLERS = 3  # such words in a set of outputs
_HAN = re.compile("[\u3400-\u9fff·]+")
_NAME = (3, 4)  # characters of a name that no other words spell by chance


def _known_words(context: Context, table: Table) -> set[str]:
    names = {tame(column) for index in context.indexes for column in index.columns}
    names |= {tame(column) for item in context.declared.values() for column in item.columns}
    return names | {tame(column) for column in table.columns}


def _ordinary(label: str, known: set[str]) -> bool:
    """Whether a label is made of names of columns, words of statistics and values that were told apart."""
    if not label or MARK.fullmatch(label) or _PERIOD.fullmatch(label) or tame(label) in known:
        return True
    parts = [part for part in _PARTS.split(label) if part]
    return bool(parts) and all(
        part.casefold() in _WORDS or tame(part) in known or (part.isdecimal() and len(part) <= 2)
        for part in parts
    )


def _shared(shape: Shape, labels: Sequence[str], least: float) -> set[str]:
    """Which of ``labels`` (as raw values are normalised) stand in a raw column with enough entities."""
    index, found = shape.index, set()
    asked = pl.Series(list(labels), dtype=pl.String)
    hidden = {*index.identifiers, index.entity}
    for column in index.columns:
        if column in hidden:
            continue
        at = index.coded(column).lexicon.find(asked)
        numbers = [int(code) for code in at if code >= 0]
        if not numbers:
            continue
        listed = ", ".join(map(str, numbers))
        many = index.engine.rows(
            f"SELECT k FROM (SELECT {index.code(column)} AS k, {index.entity_count} AS n "
            f"FROM {index.table} r WHERE {index.code(column)} IN ({listed}) GROUP BY 1) WHERE n >= {least}"
        )
        enough = {int(row[0]) for row in many}
        found |= {label for label, code in zip(labels, at, strict=True) if int(code) in enough}
    return found


def _composed(labels: Iterable[str], shape: Shape, least: float, known: set[str]) -> set[str]:
    """Labels that are a column and one of its values, or several values, written together."""
    words = {label: [part for part in _PARTS.split(label) if part] for label in labels}
    split = {label: [p for p in some if not _ordinary(p, known)] for label, some in words.items() if some}
    parts = sorted({part for some in split.values() for part in some})
    fine = _shared(shape, parts, least) if parts else set()
    return {label for label, some in split.items() if all(part in fine for part in some)}


def _grouping(labels: Sequence[str], cells: pl.Series) -> bool:
    """Whether ``labels`` are the bands that most rows of a column are grouped by."""
    most = 2 * cells.is_in(labels).sum() >= len(cells)
    return bool(most) and not all(label.isdecimal() for label in labels) and bands(labels) is not None


def _uncounted(shape: Shape, k: str, labels: pl.Series) -> bool:
    """Whether rows that only words tell apart state counts which nobody can recount."""
    if k in shape.dims or set(shape.counts) <= shape.confirmed:
        return False
    return sum(not _PERIOD.fullmatch(label) and not MARK.fullmatch(label) for label in labels) > 1


def _odd(shape: Shape, k: str, context: Context, known: set[str]) -> pl.Series | None:
    """The cells of a column that nothing explains; None where the column is for others to judge."""
    if k in shape.dims and k not in shape.matched:
        return None  # a group of the checker's own finding
    column = shape.column(k)
    plain = k in shape.dims and shape.dims[k] == shape.index.code(shape.raw_of[k])
    if not len(column.values) or (plain and bool((shape.codes[k] != UNKNOWN).all())):
        return None
    cells, numbers = shape.texts[k], shape.numbers(k)
    mostly = 2 * (len(cells) - numbers.null_count()) >= len(cells) - cells.null_count()
    if mostly:
        cells = cells.set(numbers.is_not_null(), None)
    labels = cells.drop_nulls().unique(maintain_order=True) if mostly else column.values
    labels = labels.filter(~margins(labels))
    words = _uncounted(shape, k, labels) and bands(labels.to_list()) is None
    open_ = labels.to_list() if words else [label for label in labels if not _ordinary(label, known)]
    if not open_ or _grouping(open_, cells):
        return None
    least = context.min_cell(shape.index.name)
    if k in shape.dims:
        at = shape.index.coded(shape.raw_of[k]).lexicon.find(pl.Series(open_, dtype=pl.String))
        open_ = [label for label, code in zip(open_, at, strict=True) if int(code) < 0]
    else:
        fine = _shared(shape, open_, least)
        open_ = [label for label in open_ if label not in fine]
    fine = _composed(open_, shape, least, known) if open_ else set()
    open_ = [label for label in open_ if label not in fine]
    found = cells.filter(cells.is_in(open_))
    return found if len(found) else None


def _filler(context: Context, cells: pl.Series, column: pl.Series) -> pl.Series:
    """The cells without the short word that most rows of the table repeat; a set of outputs has few such."""
    counts = cells.value_counts(sort=True)
    label, n = str(counts[counts.columns[0]][0]), int(counts["count"][0])
    plain = len(label) <= _SHORT or (label.isascii() and label.isalpha() and len(label) <= _LETTERS)
    if plain and len(column) > 2 and 2 * n > len(column):
        known: set[str] = context.memo.setdefault("fillers", set())
        if label in known or len(known) < _FILLERS:
            known.add(label)
            return cells.filter(cells != label)
    return cells


def _sparse(shape: Shape, k: str) -> int:
    """Numbers in a column that is mostly empty, and that are no fact of their row."""
    values = shape.numbers(k)
    filled = values.drop_nulls().len()
    if k in shape.dims or not filled or 2 * filled >= len(values):
        return 0
    known = pl.DataFrame({"n": shape.n, "r": shape.rows_n}).cast(pl.Float64).to_numpy()
    return filled if unexplained_digits(values, known, known[:, :0]) else 0


def _names(cells: pl.Series, context: Context) -> int:
    """Labels with a raw name somewhere in them."""
    parts = [
        (number, run[a:b])
        for number, label in enumerate(cells.unique())
        for run in _HAN.findall(label)
        for a, b in combinations(range(len(run) + 1), 2)
        if b - a in _NAME
    ]
    hits = context.identifying(pl.Series([part for _, part in parts], dtype=pl.String))
    return len({parts[int(place)][0] for place in hits["index"]})


def run(document: Document, context: Context) -> Iterable[Finding]:
    """A finding a column: a hold, and hard where a raw name is part of what stands there."""
    for table in document.tables:
        told = context.recomputed.get(id(table))
        if not table.data.height or (told is not None and not told.why):
            continue
        known = _known_words(context, table)
        shapes = [recognise(context, document, table, index) for index in context.indexes]
        shape = max(shapes, key=lambda one: (len(one.dims), len(one.confirmed), len(one.matched)))
        for number, (k, name) in enumerate(shape.names.items()):
            values = shape.frame[k]
            texts = values.dtype == pl.String
            cells = _odd(shape, k, context, known) if texts else None
            odd = _filler(context, cells, values) if cells is not None else None
            count = len(odd) if odd is not None else 0
            count += _sparse(shape, k)
            if not count:
                continue
            where = context.column(number, name)
            named = _names(odd, context) if odd is not None else 0
            evidence = {"count": count, "rows": table.data.height, "named": named}
            place = f"{table.part} {where}".strip()
            severity = Severity.HARD if named else None
            yield finding("LABEL", document.shown, place, evidence, severity, column=where)


CHECK = Check(
    ("LABEL",), "table", run, ("egress.min_cell", "egress.min_cell_sensitive"), raw=True, exact=True
)
