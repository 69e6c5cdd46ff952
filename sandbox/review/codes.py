"""Error codes of the review and of releases."""

from sandbox.core.errors import Conflict, Forbidden, Invalid, define

define(
    Invalid,
    POINTS_MISSING=(
        "评审要点未逐项给出结论：{missing}；每项须为 pass、fail 或 na（na 须说明理由）。",
        "Review points without an answer: {missing}; each is pass, fail or na (na with a reason).",
    ),
    INTEREST_UNSAID=(
        "专家须声明无利害关系，或者说明有何利害关系，二者择一。",
        "Of an expert's interest exactly one is stated: that there is none, or which one.",
    ),
    NO_OUTPUTS=("作业 {job} 没有可申请出域的输出。", "Job {job} has no outputs to propose."),
)
define(
    Forbidden,
    SELF_REVIEW=(
        "提交方、其运营机构及关联方人员不得审核该申请。",
        "The submitter, its operator and their affiliates may not review this request.",
    ),
    EXPERT_SIDED=(
        "专家所在单位（{organisation}）是该申请的一方，其意见不能作为专家意见附上。",
        "The expert's organisation ({organisation}) is a party to this request; ask another expert.",
    ),
    NOT_RECIPIENT=("该出域凭证只供指定的接收方使用。", "This release token is for the named recipient only."),
    TOKEN_INVALID=("出域凭证无效，请核对。", "The release token is not valid; check it."),
    TOKEN_EXPIRED=("出域凭证已过期，请重新申请。", "The release token has expired; apply anew."),
)
define(
    Conflict,
    VERDICT_MISSING=(
        "缺少结论：{missing}；安全性审核与业务规范性审查各须一名审核人。",
        "Verdicts are missing: {missing}; security and business conformity each need a named reviewer.",
    ),
    VERDICT_NEGATIVE=(
        "已有否定结论（{which}），不能批准；请退回或不予通过。",
        "There is a negative verdict ({which}); it cannot be approved, return or reject it.",
    ),
    HARD_FINDING=(
        "检查有硬性发现（{rules}），任何人不得放行。",
        "The check has hard findings ({rules}); nobody can let this out.",
    ),
    CAPACITY_UNKNOWN=(
        "检查没有给出信息容量，不能出域；请重新检查。",
        "The check states no capacity: it cannot leave; check it anew.",
    ),
    LEDGER_MISSING=(
        "检查没有留下台账记录，不能出域；请重新检查。",
        "The check left no record for the release ledger: it cannot leave; check it anew.",
    ),
    LEDGER_STALE=(
        "检查之后又有 {count} 项成果计入台账，须重新比对。",
        "{count} more releases count since the check: it must be compared with them first.",
    ),
    NOT_CLAIMED=(
        "该申请不在您手上，不必放回。",
        "You have not claimed this request; there is nothing to put back.",
    ),
    UNCHECKED=("还没有检查结论，不能决定。", "There is no check verdict yet; it cannot be decided."),
    ARTEFACT_CHANGED=(
        "待放行的内容与审核的内容哈希不同，已停止。",
        "What would leave is not what was reviewed (hashes differ); it was stopped.",
    ),
    TWO_REVIEWERS=(
        "高风险申请须两名审核人各自给出安全性结论。",
        "A high-risk request needs the security verdict of two different reviewers.",
    ),
    NOT_REVIEWED=(
        "出域申请 {request} 未通过评审，不能登记产品。",
        "Egress request {request} has not passed review; its product cannot be registered.",
    ),
    RESUBMISSIONS_SPENT=(
        "{days} 日内被提出异议或尚未查完的出域申请已有 {count} 次，上限 {max} 次；"
        "请待期满，或待在审的申请有结论。",
        "{count} egress requests met objections within {days} days or are still being checked, of at most "
        "{max}: wait, or have the implementing body decide those under review.",
    ),
    DP_RECIPIENT=(
        "该差分隐私答复是为 {recipient} 支付预算的，只能以其为接收方；为他人须另行提问。",
        "The budget for this answer was paid for {recipient}, who alone can receive it; ask anew for others.",
    ),
    DP_UNPAID=(
        "差分隐私答复 {release} 没有与该文件相符的预算核减，不能出域；请重新提交作业。",
        "No charge covers this very file as answer {release}: it cannot leave; submit the job anew.",
    ),
    PRODUCT_UNREGISTERED=(
        "产品尚未登记，不能放行；请先登记产品。",
        "The product is not registered yet; register it before the release.",
    ),
)
