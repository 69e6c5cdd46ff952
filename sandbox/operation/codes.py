"""Error codes of supplies and jobs."""

from sandbox.core.errors import Conflict, Forbidden, Invalid, define

define(
    Invalid,
    MANIFEST_SIGNATURE=(
        "供给清单的签名无效，请用数据提供单位登记的密钥重新签名。",
        "The manifest's signature is not valid; sign it with a key that the provider has registered.",
    ),
    LIMIT_TOO_HIGH=(
        "申请的 {limit} 超过上限 {max}，请降低。",
        "The {limit} asked for is above the bound of {max}; lower it.",
    ),
    DP_ONLY=(
        "差分隐私作业（language: dp）只含 query、一个输入和一个 .csv 或 .parquet 表，不含代码与 limits；"
        "recipient 与 query 也只用于这类作业。",
        "A job under differential privacy (language: dp) holds a query, one input and one .csv or .parquet "
        "table, and neither code nor limits; recipient and query are for such jobs only.",
    ),
    DP_IDENTIFIER=(
        "列“{column}”是标识符，不能作为差分隐私查询的分组列；可以用于 where 或计数。",
        "Column “{column}” holds identifiers and cannot group a question under differential privacy; it may "
        "stand in where.",
    ),
    DP_MIXED=(
        "列“{column}”经过的变换会混合多个主体的值（如微聚集、按名单删文本），无法按主体限定贡献；请改问别的列。",
        "The transforms of column “{column}” mix values of several entities (micro-aggregation, redaction by "
        "a list of names), so that contributions cannot be bounded; ask of another column.",
    ),
    RECIPE_ONLY=(
        "初级加工作业须以配方 recipe 提交，且只有一个输入。",
        "Primary processing is submitted as a recipe over exactly one input.",
    ),
)
define(
    Forbidden,
    SCENARIO_UNKNOWN=(
        "没有场景 {scenario}，或不属于您的单位。",
        "There is no scenario {scenario}, or it is not your organisation's.",
    ),
    GRANT_EXPIRED=(
        "场景 {scenario} 的授权不在有效期内。",
        "The grant of scenario {scenario} is not in its term.",
    ),
    PURPOSE_MISMATCH=(
        "作业目的“{purpose}”与审定的目的“{granted}”不同。",
        "The job's purpose “{purpose}” is not the determined one “{granted}”.",
    ),
    COLUMN_NOT_GRANTED=(
        "列“{column}”（{source}）不在审定的清单内。",
        "Column “{column}” of {source} is not on the determined list.",
    ),
    RAW_NOT_GRANTED=(
        "开发利用机构不得直接使用原始数据 {entry}，请使用运营机构提供的初级产品。",
        "Developers do not use raw data {entry}; use the operator's primary product.",
    ),
    PRODUCT_NOT_OFFERED=(
        "初级产品 {product} 没有提供给场景 {scenario}。",
        "Primary product {product} is not offered to scenario {scenario}.",
    ),
    MANUAL_UPLOAD=(
        "公共数据只能由数据提供单位的平台连接器供给。",
        "Public data come in only through the provider's platform connector.",
    ),
    REIDENTIFY_PURPOSE=(
        "政策不准许为“{purpose}”还原（准许：{allowed}）。",
        "The profile does not allow to lead tokens back for “{purpose}” (allowed: {allowed}).",
    ),
    REIDENTIFY_SOURCE=(
        "没有这样的初级产品和令牌列，或其数据不是您的单位提供的；只有提供单位可以申请还原自己的数据。",
        "There is no such primary product and column of tokens, or its data are not your organisation's: "
        "only the provider may ask for its own data.",
    ),
    REIDENTIFY_FOUR_EYES=(
        "不能由申请人自己决定，请由另一位审核员办理。",
        "Who asked may not decide; let another reviewer do so.",
    ),
    ANSWER_SEALED=(
        "还原申请 {id} 的答复只有申请人本人可以打开。",
        "The answer to re-identification {id} is for the very person who asked.",
    ),
    LOG_SEALED=(
        "作业 {job} 的日志已封存，只有授权单位的审核员可以打开；请以 log: true 或 propose_log 申请出域。",
        "The log of job {job} is sealed: only a reviewer of the authorising body may open it; propose it for "
        "egress by log: true or propose_log.",
    ),
    QUARANTINED=(
        "输出在隔离区，出域审核通过前不能读取。",
        "Outputs are in quarantine and cannot be read before the egress review has passed.",
    ),
)
define(
    Conflict,
    GRADING_LAXER=(
        "条目的分级有 {differences} 处低于对数据的剖析提议，政策要求先处理；请修订并确认条目，再供给。",
        (
            "In {differences} places the entry is graded less than the profile of the data proposes; the "
            "policy asks to settle that first: edit and confirm the entry, then supply again."
        ),
    ),
    REIDENTIFY_BOUND=(
        "令牌过多或有重复：一次至多 {most} 个，本场景一年内还可还原 {left} 个；请减少，或与审核方商定。",
        "Too many tokens, or one twice: {most} at a time, and {left} more in this scenario within a year.",
    ),
    NOT_ITS_TURN=(
        "作业 {job} 仍在排队：没有空位，或别的单位在前；系统会自动启动它，无需重新提交。",
        "Job {job} waits its turn: no place is free or another organisation comes first; it will be started.",
    ),
    DP_ID=(
        "差分隐私答复的编号 {release} 与问题不符。",
        "The id {release} of an answer under differential privacy is not its question's.",
    ),
    DP_ENTITY=(
        "{source} 没有能唯一指明主体的列，无法按主体限定贡献；请在目录中填写 entity，或在配方中以 pseudonym、"
        "fpe 或 token 保留主体列。",
        "{source} has no column that names one entity, so that contributions cannot be bounded; state entity "
        "in the catalogue, or keep its column by pseudonym, fpe or token in the recipe.",
    ),
    DP_LOST=(
        "答复 {release} 的抽取未封存即结束，本次核减已用掉；请重新提交，将另行核减。",
        "The draw of answer {release} ended without a seal and its charge is spent; submit the question "
        "anew, which is charged anew.",
    ),
    DP_VIEW_CHANGED=(
        "作业 {job} 启动之后授权的行或期间有变动，答复与所付的问题不再相同；请重新提交。",
        "The granted rows or period have changed since job {job} started: the answer would not be that of "
        "the question paid for; submit it anew.",
    ),
    NO_ANSWER=(
        "还原申请 {id} 处于“{state}”，没有可看的答复。",
        "Re-identification {id} is “{state}” and has no answer to read.",
    ),
    NO_LOG=("作业 {job} 没有留下日志。", "Job {job} left no log."),
    NOT_GRANTED=(
        "场景 {scenario} 处于“{state}”，没有有效授权。",
        "Scenario {scenario} is “{state}” and gives no grant now.",
    ),
    GRANT_SPENT=("场景 {scenario} 的使用次数已用完。", "The uses of scenario {scenario} are spent."),
    NO_SUPPLY=(
        "资源 {entry} 在该场景没有可用的供给。",
        "There is no available supply of {entry} in this scenario.",
    ),
    ENTRY_CHANGED=(
        "资源 {entry} 的目录版本与清单审定时不同，请重新审定。",
        "Catalogue entry {entry} has changed since the list was determined; have it determined anew.",
    ),
)
