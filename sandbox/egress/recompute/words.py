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
# Units of the parts of a date that are simple operands of a plain column; a century is a threshold in
# disguise. The boundaries of those longer than a day must be the calendar's: two dates of one's own, a day
# apart, would single out whoever's birthday lies between (``date_sub`` counts whole units from its date).
_UNITS = frozenset({"year", "quarter", "month", "day"})
UNITS = {
    "date_part": _UNITS, "datepart": _UNITS, "date_diff": _UNITS, "datediff": _UNITS,
    "date_sub": frozenset({"day"}), "datesub": frozenset({"day"}),
}
DATES = frozenset({"year", "month", "quarter", "day", *UNITS})
TYPES = frozenset({
    "BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "FLOAT", "DOUBLE", "DECIMAL", "VARCHAR", "DATE", "TIMESTAMP",
})
# What a plain column may be cast to and stays the number that it is; anything may be to DOUBLE.
WIDE = frozenset({"INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "DECIMAL"})
# Aggregates by the number of their operands. Least and greatest are one person's value and are not here.
AGGREGATES = {
    "count": 1, "sum": 1, "avg": 1, "mean": 1, "median": 1, "quantile_cont": 1, "quantile_disc": 1,
    "stddev": 1, "stddev_samp": 1, "stddev_pop": 1, "variance": 1, "var_samp": 1, "var_pop": 1, "corr": 2,
    "covar_samp": 2, "covar_pop": 2, "regr_slope": 2, "regr_intercept": 2, "regr_r2": 2, "regr_count": 2,
    "regr_avgx": 2, "regr_avgy": 2,
}
SPREADS = frozenset({
    "stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "corr", "covar_samp",
    "covar_pop", "regr_slope", "regr_intercept", "regr_r2", "regr_avgx", "regr_avgy",
})
COMPARISONS = {
    "COMPARE_EQUAL": "=",
    "COMPARE_NOTEQUAL": "<>",
    "COMPARE_LESSTHAN": "<",
    "COMPARE_LESSTHANOREQUALTO": "<=",
    "COMPARE_GREATERTHAN": ">",
    "COMPARE_GREATERTHANOREQUALTO": ">=",
}
# fmt: on
