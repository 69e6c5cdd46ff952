"""The error codes of desensitising recipes."""

from sandbox.core.errors import Conflict, Invalid, define

define(
    Invalid,
    RECIPE_MALFORMED=(
        "脱敏方案的“{field}”不合格式；请对照说明修正。",
        "“{field}” of the recipe is malformed; mend it by the guide.",
    ),
    RECIPE_UNKNOWN_TRANSFORM=(
        "第 {step} 步的变换 {transform} 不存在；可用：{known}。",
        "Step {step}: there is no transform {transform}; there are: {known}.",
    ),
    RECIPE_PARAMETER=(
        "第 {step} 步（{transform}）的参数“{field}”缺失或不合要求；请修正。",
        "Step {step} ({transform}): parameter “{field}” is missing or not acceptable; mend it.",
    ),
    RECIPE_COLUMN=(
        "脱敏方案中的列 {column} 不存在、重复或自相矛盾；请核对 steps、keep 与 drop。",
        "Column {column} of the recipe is unknown, repeated or contradictory; check steps, keep and drop.",
    ),
    RECIPE_TYPE=(
        "第 {step} 步（{transform}）不能用于 {type} 类型的列 {column}；请先转换类型或换用其他变换。",
        "Step {step} ({transform}) does not work on column {column} of type {type}; convert it first.",
    ),
    RECIPE_VALUES=(
        "列 {column} 有 {bad_rows} 行不能按第 {step} 步转换；请先清洗，或设 on_error 为 null。",
        "Step {step} cannot convert {bad_rows} rows of column {column}; clean them or set on_error to null.",
    ),
    RECIPE_KEY=(
        "缺少密钥 {key} 或其长度不足 16 字节；请为本场景生成密钥。",
        "Key {key} is missing or shorter than 16 bytes; generate one for this scenario.",
    ),
    RECIPE_SOURCE=(
        "来源快照的列与字段说明不一致；请使用该快照所对应的目录版本。",
        "The snapshot's columns are not those of the field descriptions; use the entry's matching version.",
    ),
)
define(
    Conflict,
    PI_NOT_DESENSITISED=(
        "个人标识字段 {column} 未经脱敏即保留在产品中；请加入掩码、假名、泛化或抑制步骤。",
        (
            "Personal identifier {column} would stay in the product without desensitisation; "
            "mask, pseudonymise, generalise or suppress it."
        ),
    ),
    FIELD_SECRET=(
        "字段 {column} 标为涉密，不得进入任何产品；请从方案中删去。",
        "Field {column} is marked secret and may enter no product; strike it from the recipe.",
    ),
    IDENTIFIERS_REMAIN=(
        "脱敏后列 {columns} 中仍发现个人标识；请对这些列增加脱敏步骤。",
        "Identifiers are still found after desensitisation in {columns}; add steps for these columns.",
    ),
)
