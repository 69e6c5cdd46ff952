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
    NOT_ITS_TURN=(
        "作业 {job} 仍在排队：没有空位，或别的单位在前；系统会自动启动它，无需重新提交。",
        "Job {job} waits its turn: no place is free or another organisation comes first; it will be started.",
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
