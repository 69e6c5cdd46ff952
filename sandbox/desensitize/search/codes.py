"""The error codes of the anonymisation search."""

from sandbox.core.errors import Conflict, Invalid, define

define(
    Invalid,
    ANONYMISE_MALFORMED=(
        "匿名化说明的“{field}”缺失或不合格式；请对照说明修正。",
        "“{field}” of the anonymisation's description is missing or malformed; mend it by the guide.",
    ),
    ANONYMISE_COLUMN=(
        "列 {column} 在表中不存在、重复或角色矛盾；请核对字段说明。",
        "Column {column} is not in the table, repeated or contradictory; check the field descriptions.",
    ),
    ANONYMISE_TABLE=(
        "无法读取表文件；请提供 CSV（UTF-8）或 Parquet。",
        "The table cannot be read; give CSV (UTF-8) or Parquet.",
    ),
    ANONYMISE_HIERARCHY=(
        "列 {column} 的泛化层次无效（{why}）；请修正层次文件或参数。",
        "The hierarchy of column {column} is not valid ({why}); mend its file or parameters.",
    ),
    ANONYMISE_VALUES=(
        "列 {column} 有 {number} 个取值不在其泛化层次内；请补全层次或先清洗数据。",
        "{number} values of column {column} are not in its hierarchy; complete it or clean the data first.",
    ),
    ANONYMISE_LATTICE=(
        "泛化格有 {nodes} 个节点，超过上限 {most}；请减少准标识列或层级，或改用 mondrian。",
        "The lattice has {nodes} nodes, above {most}; use fewer columns or levels, or the method mondrian.",
    ),
)
define(
    Conflict,
    ANONYMISE_NONE=(
        "没有任何泛化方案满足所要求的模型；请放宽参数、提高抑制上限或增加层级。",
        "No generalisation satisfies the models; loosen them, allow more suppression or add levels.",
    ),
    ANONYMISE_UNPROVEN=(
        "结果未能被复核证明（{models}），已丢弃；请放宽参数或改用另一种方法。",
        "The result was not proven by the measures ({models}) and is thrown away; loosen the models or "
        "use the other method.",
    ),
)
