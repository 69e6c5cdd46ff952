"""Error codes of the catalogue."""

from sandbox.core.errors import Conflict, Forbidden, Invalid, define

define(
    Invalid,
    DETERMINED_UNKNOWN=(
        "字段 {field} 的 determined_by 写的列 {column} 不在本条目中；请改为本条目的列，或去掉。",
        "determined_by of field {field} names {column}, which is no field of this entry; name one, or "
        "leave it out.",
    ),
    ENTITY_UNKNOWN=(
        "主体标识列“{column}”不在字段清单中，请改正 entity。",
        "The entity key “{column}” is not one of the fields; correct entity.",
    ),
    IDENTIFIER_LISTED=(
        "字段“{field}”是标识，目录公开，不得列出其取值；请去掉 code_list，pattern 用 # 和 @ 写形式。",
        "Field “{field}” is an identifier and the catalogue is public: strike code_list, and write pattern "
        "with # and @ for the form.",
    ),
    FIELD_TWICE=("字段“{field}”重复，请删去一个。", "Field “{field}” stands twice; remove one."),
)
define(
    Forbidden,
    FOUR_EYES=(
        "不能由编制人自己确认，请由本单位另一人确认。",
        "The editor may not confirm it; let another person of the organisation do so.",
    ),
)
define(
    Conflict,
    DOMAIN_FIXED=(
        "资源 {entry} 已有差分隐私查询计入其主体域的预算，不能再改 entity 与 entity_domain。",
        "Questions under differential privacy count in the budget of {entry}'s domain of entities: "
        "entity and entity_domain cannot change any more.",
    ),
    NEGATIVE_LIST=(
        "资源 {entry} 在负面清单上，请从清单中去掉。",
        "Resource {entry} is on the negative list; take it off your list.",
    ),
    NOT_REGISTERED=(
        "资源 {entry} 没有登记号，请数据提供单位先登记。",
        "Resource {entry} has no registration number; its provider must register it first.",
    ),
    NOT_AUTHORISED=(
        "资源 {entry} 的授权属性为“{state}”，不可授权；请数据提供单位先确认并纳入。",
        "Resource {entry} is “{state}” and cannot be authorised; its provider must confirm and include it.",
    ),
)
