"""The error codes of the store."""

from sandbox.core.errors import Conflict, Internal, Invalid, Unavailable, define

define(
    Invalid,
    DATABASE_URL=(
        "数据库地址不能使用：{why}。请用 sqlite:///路径 或 postgresql://… 。",
        "The database address cannot be used: {why}. Use sqlite:///path or postgresql://… .",
    ),
)
define(
    Conflict,
    IDEMPOTENCY=(
        "幂等键“{key}”已用于另一个请求，请换一个新的键。",
        "The idempotency key “{key}” was used for another request; use a new one.",
    ),
)
define(
    Unavailable,
    STORE_UNAVAILABLE=(
        "数据库暂不可用，请求未执行；请稍后重试，或请管理员检查数据库。",
        "The database is not available, nothing was done; try again later or have the database checked.",
    ),
    STORE_SCHEMA=(
        "数据库结构不是本版本的，请先执行升级（upgrade）。",
        "The database does not have this version's tables; run the upgrade first.",
    ),
)
define(
    Internal,
    ENTRY_MISMATCH=(
        "审计条目与所记录的变更不一致（{what}），变更未执行。",
        "The audit entry does not tell of this change ({what}); the change was not made.",
    ),
)
