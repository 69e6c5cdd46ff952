"""Error codes of the catalogue."""

from sandbox.core.errors import Conflict, Forbidden, Invalid, define

define(
    Invalid,
    ENTITY_UNKNOWN=(
        "主体标识列“{column}”不在字段清单中，请改正 entity。",
        "The entity key “{column}” is not one of the fields; correct entity.",
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
