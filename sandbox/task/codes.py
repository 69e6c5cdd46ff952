"""The error codes of the task entry and of the job runner (they come back in ``report.json``)."""

from sandbox.core.errors import Invalid, NotFound, define

define(
    Invalid,
    USER_ERROR=(
        "作业代码出错：{file} 第 {line} 行，{cls}。请修改后重新提交。",
        "The job's code failed: {file} line {line}, {cls}. Mend it and submit again.",
    ),
    UNDECLARED_OUTPUT=(
        "作业写出了 {count} 个未声明的输出；请在 job.yaml 中逐一声明，或不再写出。",
        "The job wrote {count} undeclared outputs; declare each in job.yaml, or write none.",
    ),
    MISSING_OUTPUT=(
        "作业没有产生已声明的输出 {path}；请产生该输出，或从 job.yaml 中删去。",
        "The job did not produce the declared output {path}; produce it or strike it from job.yaml.",
    ),
    OUTPUT_TOO_LARGE=(
        "输出 {path} 超过 {limit} 字节；请汇总后再输出。",
        "Output {path} is larger than {limit} bytes; aggregate it.",
    ),
    SQL_STATEMENT=(
        "{file} 第 {line} 行：作业只读，不能执行 {what}；只允许 SELECT 和 CREATE TABLE/VIEW/MACRO … AS 查询"
        "（PIVOT 须用 IN 列出取值；CREATE 的开头不能有注释）。",
        "{file} line {line}: a job reads and does not {what}; only SELECT and CREATE TABLE/VIEW/MACRO … AS a "
        "query (a PIVOT with its values listed by IN; no comment in the head of a CREATE).",
    ),
    SQL_FUNCTION=(
        "{file} 第 {line} 行：作业不能用函数 {what}；请只用作业的输入和计算函数。",
        "{file} line {line}: function {what} is none for a job; use its inputs and functions that calculate.",
    ),
    SQL_TABLE=(
        "{file} 第 {line} 行：“{what}”不是作业的输入或您建的表；请只用 job.yaml 里 inputs 的名字。",
        "{file} line {line}: “{what}” is neither an input nor a table of yours; use the names in inputs of "
        "job.yaml.",
    ),
    TASK_MALFORMED=(
        "任务说明缺少或写错了“{field}”；请修正后再提交。",
        "The task's description lacks “{field}” or has it wrong; mend it and submit again.",
    ),
)
define(
    NotFound,
    INPUT_MISSING=(
        "作业声明的输入 {name} 没有提供；请检查 job.yaml 的 inputs。",
        "The declared input {name} is not there; check inputs in job.yaml.",
    ),
)
