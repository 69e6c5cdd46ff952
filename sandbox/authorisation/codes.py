"""Error codes of authorisation."""

from sandbox.core.errors import Conflict, Forbidden, Invalid, define

define(
    Invalid,
    TERM_TOO_LONG=(
        "期限超过上限 {years} 年；请缩短，或附上例外决定文号 exception_decision。",
        "The term is longer than {years} years; shorten it or attach exception_decision.",
    ),
    TERM_ORDER=("起止日期颠倒，请改正。", "The term ends before it starts; correct the dates."),
    TERM_OUTSIDE=(
        "场景期限超出协议期限，请改在协议期限之内。",
        "The scenario's term lies outside the agreement's; move it inside.",
    ),
    CLAUSES_MISSING=("协议缺少必备条款：{clauses}。", "The agreement lacks mandatory clauses: {clauses}."),
    MODE_NOT_ALLOWED=(
        "本地规则不允许“{mode}”授权模式；允许：{allowed}。",
        "Mode “{mode}” is not allowed here; allowed: {allowed}.",
    ),
    RULE_WEAKER=(
        "协议条款 {key} 比规则宽松；只可更严（现为 {value}）。",
        "Agreement rule {key} is weaker than the profile's; it may only be stricter (now {value}).",
    ),
    SQL_LONG=(
        "SQL 超过 {max} KiB，请只贴查询本身。",
        "The SQL is longer than {max} KiB; paste the query alone.",
    ),
    SQL_UNREAD=(
        "SQL 第 {line} 行读不懂（“{near}”附近），请改正后再推导。",
        "Line {line} of the SQL cannot be read (near “{near}”); correct it and derive again.",
    ),
    SQL_DEEP=(
        "SQL 嵌套太深或太复杂，请拆成几句，先建临时表。",
        "The SQL is nested too deeply or too complicated; split it, making temporary tables first.",
    ),
    COLUMN_UNKNOWN=(
        "资源 {entry} 没有列“{column}”，请按目录填写。",
        "Resource {entry} has no column “{column}”; write it as in the catalogue.",
    ),
    ANSWERS_MISSING=(
        "请逐项作答并说明；缺：{missing}。",
        "Answer every criterion, each with a note; missing: {missing}.",
    ),
)
define(
    Forbidden,
    SOD_REDEV=(
        "运营机构 {operator} 及其关联方不得参与授权范围内的再开发（与 {other} 关联）。",
        "Operator {operator} and its affiliates may not re-develop within its scope ({other} is one).",
    ),
    SOD_THIRD_PARTY=(
        "“{mode}”模式的运营机构不得交由第三方再开发，请由运营机构自行申请。",
        "In “{mode}” mode re-development may not go to third parties; the operator itself must apply.",
    ),
    NOT_AUTHORISER=(
        "只有授权方 {authoriser} 可以办理（谁授权、谁审核）。",
        "Only the authoriser {authoriser} may do this (who authorises, reviews).",
    ),
    AUTHORISER_ROLE=(
        "本地规则规定授权主体为 {may}，请以该身份办理。",
        "Under this profile {may} authorises; act in that role.",
    ),
    NOT_PARTY=("您的单位不是该协议或场景的当事方。", "Your organisation is no party to this."),
    APPLICANT=(
        "本地规则规定由 {may} 提出场景申请。",
        "Under this profile scenarios are applied for by: {may}.",
    ),
)
define(
    Conflict,
    CAPACITY_SPENT=(
        "本次出域至多可夹带 {bits} 位，场景 {scenario} 已用 {spent} 位，超出预算 {budget} 位；"
        "请减少无法重算的内容，或另行申请场景。",
        "This release could carry up to {bits} bits; scenario {scenario} has spent {spent} of {budget}. "
        "Put out less that cannot be recomputed, or apply for another scenario.",
    ),
    BUDGET=(
        "隐私预算（{scope}）不足：本次需 {asked_nano_rho} nano-ρ（ε {asked_epsilon}）、"
        "δ {asked_delta_e15}e-15，只剩 {left_nano_rho} nano-ρ（ε {left_epsilon}，δ {delta}）、"
        "δ {left_delta_e15}e-15；请减少查询的 ρ，或使用已有的答案。",
        "The privacy budget ({scope}) does not hold: asked {asked_nano_rho} nano-ρ (ε {asked_epsilon}) and δ "
        "{asked_delta_e15}e-15, left {left_nano_rho} nano-ρ (ε {left_epsilon} at δ {delta}) and δ "
        "{left_delta_e15}e-15; ask with less ρ, or use an answer that is there.",
    ),
    SOD_MANAGE_OPERATE=(
        "管理方与运营方必须分离：{a} 与 {b} 不得兼任或关联。",
        "The managing and the operating side must be apart: {a} and {b} may not coincide or be affiliated.",
    ),
    AGREEMENT_INACTIVE=(
        "协议 {agreement} 处于“{state}”，不能办理；须为生效状态。",
        "Agreement {agreement} is “{state}”; it must be active.",
    ),
    OUT_OF_SCOPE=(
        "资源 {entry} 不在协议范围内，请先变更协议。",
        "Resource {entry} is outside the agreement's scope; change the agreement first.",
    ),
    LIST_REUSED=(
        "该清单已在场景 {scenario} 审定；一场景一清单一审定，请勿重复使用。",
        "This list was determined in scenario {scenario}; one scenario, one list, one determination.",
    ),
    ASSESSMENT_MISSING=("尚缺评估意见：{missing}。", "Assessments are missing: {missing}."),
    CONTRACT_DIFFERS=(
        "合同哈希与运营机构所签不一致，请核对合同文本。",
        "The contract hash is not the one the operator signed; compare the texts.",
    ),
    ORGANISATION_INACTIVE=("单位 {organisation} 未生效。", "Organisation {organisation} is not active."),
    DELETION_UNPROVEN=(
        "还没有删除证明，不能核验；请等待删除完成。",
        "There is no deletion certificate to verify yet; wait for the deletion to finish.",
    ),
)
