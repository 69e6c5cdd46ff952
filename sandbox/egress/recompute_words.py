"""The words of SQL that are recomputed: operators, functions, types and aggregates. All others are not."""

from __future__ import annotations

# fmt: off
OPERATORS = frozenset({
    "+", "-", "*", "/", "//", "%", "||", "~~", "!~~",
})
FUNCTIONS = frozenset({
    "lower", "upper", "trim", "ltrim", "rtrim", "substr", "substring", "left", "right", "length", "concat",
    "abs", "floor", "ceil", "ceiling", "round", "trunc", "year", "month", "quarter", "day", "week",
    "isodow", "dayofweek", "hour", "date_part", "datepart", "date_trunc", "datetrunc", "date_diff",
    "datediff", "date_sub", "datesub", "strftime", "make_date", "to_years", "to_months", "to_days",
    "prefix", "suffix", "contains", "starts_with", "ends_with", "coalesce", "ifnull", "nullif", "greatest",
    "least",
})
# parts of a date, which of a plain column are simple operands
DATES = frozenset({
    "year", "month", "quarter", "day", "date_part", "datepart", "date_diff", "datediff", "date_sub",
    "datesub", "date_trunc",
})
TYPES = frozenset({
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "DATE", "TIMESTAMP",
})
# Aggregates by the number of their operands. Least and greatest are one person's value and are not here.
AGGREGATES = {
    "count": 1, "sum": 1, "avg": 1, "mean": 1, "median": 1, "quantile_cont": 1, "quantile_disc": 1,
    "stddev": 1, "stddev_samp": 1, "stddev_pop": 1, "variance": 1, "var_samp": 1, "var_pop": 1, "corr": 2,
    "covar_samp": 2, "covar_pop": 2, "regr_slope": 2, "regr_intercept": 2, "regr_r2": 2, "regr_count": 2,
    "regr_avgx": 2, "regr_avgy": 2,
}
COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
# fmt: on
