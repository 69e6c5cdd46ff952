"""Error codes of the control plane itself."""

from sandbox.core.errors import (
    Conflict,
    Forbidden,
    Internal,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
    Unavailable,
    define,
)

define(
    Unauthenticated,
    NO_SESSION=(
        "会话不存在或已结束，请重新登录。",
        "There is no session, or it has ended; sign in again.",
    ),
    OIDC_REFUSED=(
        "统一身份认证的登录没有成功（{why}），请重新登录。",
        "Signing in by the identity provider did not succeed ({why}); start again.",
    ),
    SIGN_IN=(
        "不能登录：请核对账户与密码；初始密码逾期，或仍不能登录，请联系运行管理员。",
        "You cannot sign in: check account and password; if the start password has expired, or it goes on, "
        "ask the administrator.",
    ),
)
define(
    TooMany,
    PREVIEW_BUSY=(
        "本单位的另一次预览还在进行，或同时预览的人太多；请稍后再试。",
        "Another preview of your organisation is under way, or too many are; try again in a moment.",
    ),
    TOO_MANY_ATTEMPTS=(
        "失败次数过多，请在 {seconds} 秒后再试。",
        "Too many failed attempts; try again in {seconds} seconds.",
    ),
)

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
    SCOPE=(
        "这个令牌只可用于“{scope}”，这一步需要“{needed}”；请换用有此范围的令牌。",
        "This token is for “{scope}” only and this needs “{needed}”; use a token of that scope.",
    ),
    STEP_UP=(
        "作出这项决定前，请再次确认身份。",
        "Confirm your identity before this decision.",
    ),
    PASSWORD_WRONG=("密码不对，请重新输入。", "The password is wrong; type it again."),
    PASSWORD_MUST_CHANGE=(
        "请先修改初始密码，再办理其他事项。",
        "Change the start password first; then go on.",
    ),
    ACTING_AS=(
        "请说明以何身份办理（role@organisation）；可选：{may}。",
        "Say in which role you act (role@organisation); yours: {may}.",
    ),
)
define(
    Invalid,
    PASSWORD_WEAK=(
        "新密码不可用：须有 {least} 至 {most} 个字符，不能主要由账户、姓名、单位的名称、常见密码、"
        "重复或连续的字符组成，也不同于现在的密码；对字符种类没有要求。",
        "The new password cannot be used: it needs {least} to {most} characters that are not mostly names of "
        "the account, person or organisation, common passwords, runs or repetitions, and it is not the "
        "present one; no mixture of characters is asked for.",
    ),
    TOO_LARGE=("内容超过 {max} 字节，请减小。", "More than {max} bytes were sent; send less."),
)
define(
    NotFound,
    NO_ROUTE=("没有这个地址或方法（{status}）。", "There is no such address or method ({status})."),
)
define(
    Conflict,
    OIDC_OFF=(
        "没有接入统一身份认证；请用本地账户登录，或由运行管理员设置 SANDBOX_OIDC_ISSUER 等项。",
        "There is no identity provider here; sign in by a local account, or let the administrator set "
        "SANDBOX_OIDC_ISSUER and the settings beside it.",
    ),
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
    PREVIEW_UNAVAILABLE=(
        "本服务现在不能启动隔离执行器（{cause}），没有预览；检查与提交不受影响，请告知运行管理员。",
        "This server can start no isolated executor now ({cause}), so there is no preview; checking and "
        "submitting work as before. Tell the administrator.",
    ),
    PREVIEW_FAILED=(
        "预览在 {seconds} 秒的时限内没有做成（{cause}）；请减少步骤或层级表，或先提交作业。",
        "The preview did not come about within its {seconds} seconds ({cause}); use fewer steps or smaller "
        "hierarchies, or submit the job.",
    ),
    OIDC_UNREACHABLE=(
        "连不上统一身份认证，请稍后再试，或用本地账户登录。",
        "The identity provider cannot be reached; try later, or sign in by a local account.",
    ),
    SIGN_IN_BUSY=(
        "同时登录的人太多，请几秒后再试。",
        "Too many people are signing in at once; try again in some seconds.",
    ),
    TASK_LOST=(
        "任务 {task} 的容器丢失，将重新执行。",
        "The container of task {task} was lost; it will be run again.",
    ),
)
