"""The error codes of differentially private questions. None of them depends on a row of data."""

from sandbox.core.errors import Invalid, define

define(
    Invalid,
    DP_QUERY=(
        "差分隐私查询的“{field}”不合要求；请对照说明修正。",
        "“{field}” of the differentially private query is not acceptable; mend it by the guide.",
    ),
    DP_NOISE=(
        "“{measure}”的边界相对隐私预算过大；请收窄 lower 与 upper、降低 scale 或增加 nano_rho。",
        "The bounds of “{measure}” are too wide for this budget to draw exact noise; "
        "narrow lower and upper, lower scale or raise nano_rho.",
    ),
    DP_COLUMN=(
        "列 {column} 不存在，或其类型不能用作 {use}；请核对字段说明。",
        "Column {column} is unknown or its type cannot serve as {use}; check the field descriptions.",
    ),
    DP_SOURCE=(
        "来源数据不可读，或与字段说明不一致；请使用该快照所对应的目录版本。",
        "The source cannot be read or is not as the fields describe it; use the entry's matching version.",
    ),
)
