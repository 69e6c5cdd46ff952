"""Instrument, authorisation, plan, operator, agreement, developer, scenario (part C.2, P-01 to P-42)."""

from __future__ import annotations

from typing import Literal

from sandbox.policy.parameter import Order, Parameter
from sandbox.policy.parameters.types import (
    Applicant,
    Clause,
    Decision,
    Isodate,
    Mode,
    Positive,
    Recipient,
    Role,
    Text,
)

# fmt: off
ROWS: tuple[Parameter, ...] = (
    Parameter("instrument.title", "P-01", "R-205", Text, "", Order.OWN,
              "文件名称", "title of the instrument"),
    Parameter("instrument.status", "P-02", "R-207", Literal[
                  "in_force", "trial", "interim", "draft"], "", Order.OWN,
              "文件效力状态", "status of the instrument"),
    Parameter("instrument.date", "P-02", "R-207", Isodate | None, "", Order.OWN,
              "文件日期", "date of the instrument"),
    Parameter("instrument.effective_date", "P-02", "R-207", Isodate | None, "", Order.OWN,
              "施行日期", "date it takes effect"),
    Parameter("instrument.source_kind", "P-03", "R-205", Literal[
                  "full_text", "full_draft", "interpretation"], "", Order.OWN,
              "依据的文本种类", "kind of text behind the values"),
    Parameter("instrument.size", "P-04", "R-205", dict[Literal[
                  "measures", "chapters", "articles"], Positive], "", Order.OWN,
              "篇幅", "size of the instrument"),
    Parameter("instrument.validity_years", "P-05", "R-207", Positive | None, "y", Order.OWN,
              "有效期", "validity"),
    Parameter("instrument.interpreting_authority", "P-06", "R-213", Text, "", Order.OWN,
              "解释机关", "interpreting authority"),
    Parameter("legacy.conformity_deadline", "P-07", "R-076", Positive | None, "y", Order.OWN,
              "既有授权对照完善期限", "time for earlier authorisations to conform"),
    Parameter("authorisation.modes_allowed", "P-08", "R-029", list[Mode], "", Order.SUBSET,
              "允许的授权模式", "modes allowed"),
    Parameter("authorisation.mode_default", "P-09", "R-029", Mode, "", Order.NONE,
              "默认授权模式", "default mode"),
    Parameter("authorisation.authoriser", "P-10", "R-161", list[Role], "", Order.NONE,
              "授权主体", "who authorises"),
    Parameter("authorisation.sectoral_precondition", "P-11", "R-038", list[Literal[
                  "paper", "decision_ref", "leader_consent", "government_consent",
                  "with_data_authority"]], "", Order.NONE,
              "分领域授权的前提", "what sectoral mode needs first"),
    Parameter("authorisation.sublevel_rule", "P-12", "R-039", Literal[
                  "allowed", "scenario_mode_with_consent", "sets_own_mode", "is_the_level"], "", Order.NONE,
              "下级开展授权的规则", "rule for lower levels"),
    Parameter("authorisation.scope_scenario", "P-13", "R-031", Literal[
                  "minimum_necessary", "related_to_need", "by_scenario"], "", Order.NONE,
              "依场景授权的范围", "scope in scenario mode"),
    Parameter("plan.required_items", "P-14", "R-032", Positive, "", Order.HIGHER,
              "实施方案必备内容项数", "number of items a plan must have"),
    Parameter("plan.feasibility_items", "P-15", "R-033", list[Literal[
                  "life_cycle_service", "social_need", "market_size", "expected_effect",
                  "risk_control"]], "", Order.SUPERSET,
              "可行性论证内容", "parts of the feasibility section"),
    Parameter("plan.decision", "P-16", "R-034", Decision, "", Order.NONE,
              "实施方案的决策", "how a plan is decided"),
    Parameter("plan.filing_wd", "P-17", "R-035", Positive, "wd", Order.LOWER,
              "实施方案备案期限", "filing of the plan within"),
    Parameter("plan.filing_to", "P-17", "R-035", Recipient, "", Order.NONE,
              "实施方案备案机关", "the plan is filed with"),
    Parameter("plan.major_change", "P-18", "R-037", Literal["original_procedure"], "", Order.NONE,
              "实施方案较大变更的程序", "procedure for a major change"),
    Parameter("operator.selection", "P-19", "R-041", list[Literal[
                  "public_tender", "invited_tender", "negotiation",
                  "other_fair_competition"]], "", Order.SUBSET,
              "运营机构选择方式", "ways to select an operator"),
    Parameter("operator.candidate_notice_days", "P-20", "R-043", Positive, "d", Order.HIGHER,
              "候选人公示期", "public notice of candidates"),
    Parameter("operator.expert_review_at_selection", "P-21", "R-042", bool, "", Order.TRUE,
              "选择时须专家评审", "expert review at selection"),
    Parameter("operator.qualification_sets", "P-22", "R-045", Literal[
                  "five_items", "three_sets_by_mode"], "", Order.NONE,
              "运营机构条件", "qualification sets of operators"),
    Parameter("operator.security_officer_required", "P-23", "R-046", bool, "", Order.TRUE,
              "须明确数据安全负责人", "a security officer must be named"),
    Parameter("agreement.max_term_years", "P-24", "R-048", Positive, "y", Order.LOWER,
              "协议最长期限", "longest term of an agreement"),
    Parameter("agreement.required_clauses", "P-25", "R-047", list[Clause], "", Order.SUPERSET,
              "协议必备条款", "clauses an agreement must have"),
    Parameter("agreement.decision", "P-26", "R-049", Decision, "", Order.NONE,
              "协议的决策", "how an agreement is decided"),
    Parameter("agreement.filing_wd", "P-27", "R-050", Positive, "wd", Order.LOWER,
              "协议备案期限", "filing of the agreement within"),
    Parameter("agreement.filing_to", "P-27", "R-050", Recipient, "", Order.NONE,
              "协议备案机关", "the agreement is filed with"),
    Parameter("agreement.publication_wd", "P-28", "R-050", Positive, "wd", Order.LOWER,
              "协议信息公开期限", "publication of the agreement within"),
    Parameter("agreement.change_filing_wd", "P-29", "R-051", Positive, "wd", Order.LOWER,
              "协议变更、终止备案期限", "filing of change and end within"),
    Parameter("developer.term", "P-30", "R-288", Text, "", Order.OWN,
              "开发利用机构的称谓", "what developers are called"),
    Parameter("developer.entity_types", "P-31", "R-054", list[Literal[
                  "legal_person", "non_legal_person"]], "", Order.SUBSET,
              "可准入的组织类型", "kinds of entity admitted"),
    Parameter("developer.admission", "P-32", "R-054", list[Literal[
                  "register", "review", "public_notice", "contract", "operator_rules"]], "", Order.SUPERSET,
              "准入步骤", "steps of admission"),
    Parameter("developer.contract", "P-33", "R-066", list[Literal[
                  "development_agreement", "test_security_agreement"]], "", Order.NONE,
              "须签协议的种类（其一）", "contracts, one of which is required"),
    Parameter("scenario.rule", "P-34", "R-057", Literal[
                  "one_scenario_one_application", "one_scenario_one_authorisation",
                  "one_scenario_one_list_one_determination", "by_scenario"], "", Order.NONE,
              "场景规则", "rule for scenarios"),
    Parameter("scenario.applicant", "P-35", "R-084", list[Applicant], "", Order.NONE,
              "用数申请人", "who applies for data"),
    Parameter("scenario.reviewer", "P-36", "R-064", dict[Mode, list[Role]], "", Order.NONE,
              "场景审核主体（须全部同意）", "who reviews a scenario; all must agree"),
    Parameter("scenario.two_step", "P-36", "R-061", bool, "", Order.NONE,
              "先形式审查后内容审核", "formal check first, then content"),
    Parameter("scenario.formal_review_wd", "P-37", "R-061", Positive, "wd", Order.LOWER,
              "形式审查期限（两步时）", "formal check within, if two steps"),
    Parameter("scenario.provider_review_wd", "P-38", "R-062", Positive, "wd", Order.LOWER,
              "提供单位审核期限（两步时）", "provider's review within, if two steps"),
    Parameter("scenario.review_wd", "P-39", "R-059", Positive, "wd", Order.LOWER,
              "审核期限（一步时）", "review within, if one step"),
    Parameter("scenario.review_criteria", "P-40", "R-059", list[Literal[
                  "reasonable", "compliant", "safe", "formal", "content"]], "", Order.NONE,
              "审核标准", "criteria of the review"),
    Parameter("scenario.reject_needs_reason_and_law", "P-41", "R-063", bool, "", Order.TRUE,
              "不通过须说明理由和法规", "a refusal gives reason and law"),
    Parameter("expert.mechanism", "P-42", "R-065", list[Literal[
                  "data_authorisation", "operator_selection", "rules", "scenarios",
                  "products", "high_risk"]], "", Order.NONE,
              "专家评审适用事项", "matters on which experts are heard"),
)
# fmt: on
