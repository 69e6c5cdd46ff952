"""The error codes of dummy data and of trying a job on it."""

from sandbox.core.errors import Conflict, Invalid, define

define(
    Invalid,
    DUMMY_FIELDS=(
        "字段 {field} 的说明不能用来生成模拟数据（{why}）；请核对类型、minimum、maximum 等目录项。",
        "Field {field} is described as nothing that dummy data can be made of ({why}); check its type, "
        "minimum, maximum in the catalogue entry.",
    ),
    DUMMY_PARAMS=(
        "模拟数据的参数 {field} 不合要求；rows 为 10 至 1000000，edges 为 0 至 0.5。",
        "Parameter {field} of the dummy data is not acceptable; rows: 10 to 1000000, edges: 0 to 0.5.",
    ),
    TRY_ENTRY=(
        "没有输入 {name} 的目录条目；请用 --entry 给出，或设 SANDBOX_URL 与 SANDBOX_TOKEN 从服务器读取。",
        "There is no catalogue entry for input {name}; give one by --entry, or set SANDBOX_URL and "
        "SANDBOX_TOKEN to read it from the server.",
    ),
    TRY_COLUMN=(
        "目录条目没有输入 {name} 的列 {column}；请核对 job.yaml，或在 try.columns 写明它的类型。",
        "The catalogue entry has no column {column} for input {name}; check job.yaml, or state its type in "
        "try.columns.",
    ),
    TRY_HINTS=(
        "job.yaml 的 try 段不合格式：{why}；可写 entries、columns、rows、edges。",
        "The block try of job.yaml is malformed: {why}; it may hold entries, columns, rows, edges.",
    ),
    TRY_LANGUAGE=(
        "{language} 作业不能用 job try 试运行；脱敏配方请用 sandbox recipe。",
        "A job in {language} cannot be tried by job try; for recipes use sandbox recipe.",
    ),
)
define(
    Conflict,
    TRY_FAILED=(
        "试运行的“{step}”一步没有完成（{why}）；请查看 sandbox doctor 与 sandbox images。",
        "Step “{step}” of the trial did not end ({why}); see sandbox doctor and sandbox images.",
    ),
)
