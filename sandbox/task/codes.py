"""The error codes of the task entry and of the job runner (they come back in ``report.json``)."""

from sandbox.core.errors import Invalid, NotFound, define

define(
    Invalid,
    USER_ERROR=(
        "作业代码出错：{file} 第 {line} 行，{cls}。请对照虚拟数据修改后重新提交。",
        "The job's code failed: {file} line {line}, {cls}. Mend it against the dummy data and submit again.",
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
