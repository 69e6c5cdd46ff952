"""The error codes of desensitising recipes."""

from sandbox.core.errors import Conflict, Invalid, Unavailable, define

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
    RECIPE_PRECISION=(
        "第 {step} 步的坐标保留 {decimals} 位小数，政策最多允许 {most} 位；请减少。",
        "Step {step} keeps {decimals} decimals of a coordinate, the policy allows {most}; keep fewer.",
    ),
    RECIPE_HIERARCHY=(
        "层级表 {file} 读不出、各行列数不一或同一值有两种归属；请按“值,上级,再上级”逐行给出。",
        "Hierarchy {file} cannot be read, has rows of different length or one value twice; "
        "write rows of value, group, coarser group.",
    ),
    RECIPE_TOKENS=(
        "令牌库 {file} 不存在、已损坏或不属于这把密钥；请使用本项目的令牌库和密钥。",
        "Token vault {file} is absent, damaged or under another key; use this project's vault and key.",
    ),
    RECIPE_TOKENS_FULL=(
        "令牌库将超过 {most} 个值；请改用 pseudonym 或 fpe。",
        "The token vault would hold more than {most} values; use pseudonym or fpe.",
    ),
)
define(
    Unavailable,
    RECIPE_CIPHER=(
        "第 {step} 步需要分组密码，本机或本镜像没有密码库；请安装 cryptography，或改用 pseudonym。",
        "Step {step} needs a block cipher and this machine or image has no library for it; "
        "install cryptography, or use pseudonym.",
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
    TRANSFORM_REQUIRED=(
        "政策要求字段 {column} 先经下列之一处理：{methods}；请加入相应步骤，或从产品中删去该字段。",
        "The policy requires one of {methods} of field {column}; add such a step or leave the field out.",
    ),
    RECIPE_ADDS_UP=(
        "列 {columns} 都由字段 {source} 得来，合起来可以还原或抵消噪声；请只留一列。",
        "Columns {columns} are all made of {source} and together give it back, or average its noise out; "
        "keep one of them.",
    ),
    RECIPE_SHIFT=(
        "第 {step} 步日期平移的“{field}”不可用：by 须为个人标识列（原值或假名），同一密钥只用一种 days。",
        "Step {step} shifts dates by an unusable “{field}”: by must be an identifier, raw or under a key, "
        "and a key has one days; mend it.",
    ),
    RECIPE_NO_EFFECT=(
        "列 {columns} 按要求处理后仍是（或几乎逐值对应）原值；请换用更粗的参数或其他变换，或删去这些列。",
        "Columns {columns} are, after the steps asked for, still their values or nearly one label for each; "
        "use coarser parameters or another transform, or leave them out.",
    ),
    RECIPE_TOO_FINE=(
        "列 {columns} 是坐标，仍有超过 {most} 位小数的值；请以 geo 或 round 取到 {most} 位，或删去。",
        "Columns {columns} are coordinates and still have values of more than {most} decimals; round them by "
        "geo or round, or leave them out.",
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
