"""The error codes of taking supplies in and of granted views (they come back in ``report.json``)."""

from sandbox.core.errors import Invalid, define

define(
    Invalid,
    FORMAT_MISMATCH=(
        "文件不是所声明的 {format} 格式；请按声明的格式重新导出。",
        "The file is not the {format} it claims to be; export it again in that format.",
    ),
    SCHEMA_MISMATCH=(
        "文件的列与目录不一致：缺少 {missing}，另有 {unexpected} 个未登记或重复的列；请更正文件或目录。",
        (
            "The file's columns differ from the catalogue: missing {missing}, and {unexpected} "
            "unregistered or repeated columns; mend the file or the catalogue."
        ),
    ),
    TYPE_MISMATCH=(
        "列 {column} 有 {bad_rows} 行不符合目录声明的类型；请更正后重新供给。",
        "Column {column} has {bad_rows} rows that are not of the catalogue's type; mend and supply again.",
    ),
    REQUIRED_NULL=(
        "必填列 {column} 有 {bad_rows} 行为空；请补齐后重新供给。",
        "Required column {column} is empty in {bad_rows} rows; complete it and supply again.",
    ),
    ROWS_MISMATCH=(
        "文件有 {rows} 行，供给清单写明 {stated} 行；请核对后重新供给。",
        "The file has {rows} rows, the manifest states {stated}; check and supply again.",
    ),
    ENTITY_NULL=(
        "主体列 {column} 有 {bad_rows} 行为空；每一行都须能归到一个主体。",
        "The entity column {column} is empty in {bad_rows} rows; every row must belong to an entity.",
    ),
    FIELDS_INVALID=(
        "字段说明有误：{why}；请更正目录条目。",
        "The field descriptions are wrong: {why}; mend the catalogue entry.",
    ),
    VIEW_MALFORMED=(
        "授权视图 {view} 的“{field}”不合要求；请更正场景清单。",
        "Granted view {view}: “{field}” is not acceptable; mend the scenario's list.",
    ),
    VIEW_COLUMN=(
        "授权视图 {view} 的列 {column} 不在快照中；请更正场景清单。",
        "Granted view {view}: column {column} is not in the snapshot; mend the scenario's list.",
    ),
    VIEW_SOURCE=(
        "授权视图 {view} 的来源不是可用的快照；请检查其来源。",
        "The source of granted view {view} is not a usable snapshot; check its source.",
    ),
    VIEW_VALUE=(
        "授权视图 {view} 对列 {column} 的条件值与该列类型不符；请更正场景清单。",
        "Granted view {view}: the value compared with column {column} does not fit its type; mend the list.",
    ),
)
