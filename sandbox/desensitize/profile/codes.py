"""The error codes of profiling."""

from sandbox.core.errors import Invalid, define

define(
    Invalid,
    PROFILE_FILE=(
        "文件既不是 Parquet 也不是 CSV 表格，或已损坏；请提供 UTF-8 或 GB 18030 的 CSV，或 Parquet。",
        "Neither Parquet nor a CSV table, or damaged; give CSV (UTF-8, GB 18030) or Parquet.",
    ),
    PROFILE_HEADER=(
        "CSV 的首行像数据而不像列名；请加上列名行后重试。",
        "The first line of the CSV file looks like data, not like column names; add a header and try again.",
    ),
    PROFILE_COLUMN=(
        "列 {column} 是嵌套或二进制类型，无法分级；请展开或删去该列。",
        "Column {column} is nested or binary and cannot be graded; flatten or remove it.",
    ),
    PROFILE_PARAMS=(
        "剖析任务的参数“{field}”不合要求；请修正。",
        "Parameter “{field}” of the profiling task is not acceptable; mend it.",
    ),
)
