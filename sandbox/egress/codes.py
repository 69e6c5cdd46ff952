"""Error codes of the checker: what a caller gave it cannot be used. What an *output* does is a finding."""

from __future__ import annotations

from sandbox.core.errors import Invalid, define

define(
    Invalid,
    EGRESS_PATH=(
        "找不到待检查的文件或文件夹“{path}”，请核对路径。",
        "There is no file or folder “{path}” to check; correct the path.",
    ),
    EGRESS_RAW_UNREADABLE=(
        "原始数据“{name}”无法读取，请给出 Parquet 或 CSV 文件。",
        "Raw data “{name}” cannot be read; give a Parquet or CSV file.",
    ),
    EGRESS_RAW_COLUMN=(
        "原始数据“{name}”中没有列“{column}”，请核对列名。",
        "Raw data “{name}” has no column “{column}”; correct the column name.",
    ),
    EGRESS_HISTORY=(
        "历史出域文件夹中的“{release}”无法读取，请修复后再检查。",
        "Release “{release}” in the history folder cannot be read; repair it, then check again.",
    ),
    EGRESS_LEDGER=(
        "放行台账中“{release}”的记录无法读取，请由运维人员恢复后再检查。",
        "The ledger's record of release “{release}” cannot be read; have the operator restore it, then check "
        "again.",
    ),
    EGRESS_PARAMS=(
        "检查参数不合格式：{why}。请按 docs/egress.md 更正。",
        "The check's parameters are malformed: {why}. Correct them as docs/egress.md says.",
    ),
    EGRESS_MEND_RAW=(
        "没有原始数据便无从证明改过的输出安全，请用 --raw 给出。",
        "Without the raw data nothing proves that a mended output is safe; give it with --raw.",
    ),
    EGRESS_MEND_OUT=(
        "文件夹“{path}”已存在且不为空；改后的文件另放一处，请给出新的文件夹。",
        "The folder “{path}” exists and is not empty; name a new folder for the mended files.",
    ),
    EGRESS_MEND_NONE=(
        "没有一种保护措施能消除这些硬性发现：{rules}。请按检查报告中的改法修改作业。",
        "No protection removes these hard findings: {rules}. Change the job as the check's report suggests.",
    ),
    EGRESS_PLUGIN=(
        "政策要求的检查“{name}”不在检查镜像中或不合格式；请安装该检查，或改政策。",
        "The check “{name}” that the policy demands is not in the check image, or is malformed: install it "
        "there, or change the policy.",
    ),
)
