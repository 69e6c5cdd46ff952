"""The error codes of the audit log."""

from sandbox.core.errors import Forbidden, Internal, Invalid, Unavailable, define

define(
    Invalid,
    AUDIT_ENTRY=(
        "审计条目不能记录：{why}。请只写引用、代码、散列值和整数。",
        "The audit entry cannot be recorded: {why}. Use references, codes, hashes and integers only.",
    ),
    AUDIT_CHECKPOINT=(
        "检查点不合格式：{why}。请提供原样保存的检查点文件。",
        "The checkpoint is malformed: {why}. Give the checkpoint file exactly as it was handed out.",
    ),
    AUDIT_BUNDLE=(
        "审计包不完整或不合格式：{why}。请重新导出。",
        "The audit bundle is incomplete or malformed: {why}. Export it again.",
    ),
    AUDIT_PROOF=(
        "不能为 {old} 到 {new} 给出证明：日志现有 {size} 条。请给出范围内的位置。",
        "There is no proof for {old} to {new}: the log has {size} entries. Give positions within it.",
    ),
    AUDIT_ALGORITHM=(
        "不支持散列算法“{algorithm}”，请用 sha256 或 sm3。",
        "Hash algorithm “{algorithm}” is not supported; use sha256 or sm3.",
    ),
    AUDIT_KEY=(
        "密钥不能使用：{why}。请用初始化命令生成的密钥文件。",
        "The key cannot be used: {why}. Use the key file that the initialisation made.",
    ),
)
define(
    Forbidden,
    AUDIT_KEY_EXPOSED=(
        "签名密钥文件可被他人读取，请改为仅属主可读写（0600）后再启动。",
        "Others can read the signing key file; make it readable by its owner only (0600), then start again.",
    ),
    RETENTION=(
        "日志须保存至 {until}，在此之前不得清除。",
        "The log must be kept until {until}; it must not be purged before.",
    ),
)
define(
    Unavailable,
    AUDIT_NO_SIGNER=(
        "没有配置检查点签名密钥，请先初始化密钥。",
        "No checkpoint signing key is configured; initialise the key first.",
    ),
)
define(
    Internal,
    AUDIT_HEAD=(
        "审计日志头已损坏（应有 {size} 条）；请停止写入并用导出的审计包核对。",
        "The head of the audit log ({size} entries) is damaged: stop writing, check an exported bundle.",
    ),
    AUDIT_ORIGIN=(
        "数据库中的审计日志属于“{stored}”，与配置的“{configured}”不符；请核对数据库地址与配置。",
        "The database's audit log is “{stored}”, not “{configured}”: check database address and settings.",
    ),
)
