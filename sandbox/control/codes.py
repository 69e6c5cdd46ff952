"""Error codes of the control plane itself."""

from sandbox.core.errors import Conflict, Forbidden, Internal, Invalid, NotFound, Unavailable, define

define(
    Forbidden,
    ROLE_NOT_REGISTERED=(
        "单位 {organisation} 未登记“{role}”身份，请先变更单位登记。",
        "Organisation {organisation} is not registered as “{role}”; amend its registration first.",
    ),
    MACHINE_ONLY=(
        "“{field}”由系统测出，任何人不能填写；请删去该项，由系统检验后给出。",
        "“{field}” is what the system measures and nobody may set: leave it out, the test gives it.",
    ),
    NO_DATA_RIGHT=(
        "运行管理员不接触数据和业务资源，请由有权的单位人员办理。",
        "Administrators of the runtime have no right to data; let the organisation's own people do it.",
    ),
    ACTING_AS=(
        "请说明以何身份办理（role@organisation）；可选：{may}。",
        "Say in which role you act (role@organisation); yours: {may}.",
    ),
)
define(
    Invalid,
    TOO_LARGE=("内容超过 {max} 字节，请减小。", "More than {max} bytes were sent; send less."),
)
define(
    NotFound,
    NO_ROUTE=("没有这个地址或方法（{status}）。", "There is no such address or method ({status})."),
)
define(
    Conflict,
    NOT_RELEASED=(
        "出域申请 {request} 尚未放行，没有可领取的内容。",
        "Egress request {request} is not released; there is nothing to take.",
    ),
)
define(
    Internal,
    BLOB_DAMAGED=(
        "内容 {sha256} 已损坏，已停止使用，请联系管理员。",
        "Content {sha256} is damaged and was not used; call the administrator.",
    ),
    BLOB_MISSING=(
        "内容 {sha256} 不存在，可能已删除。",
        "Content {sha256} is not there; it may have been deleted.",
    ),
)
define(
    Unavailable,
    TASK_LOST=(
        "任务 {task} 的容器丢失，将重新执行。",
        "The container of task {task} was lost; it will be run again.",
    ),
)
