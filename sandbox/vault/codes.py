"""Error codes of the vault: what is at rest cannot be encrypted, opened, or may not be touched now."""

from sandbox.core.errors import Conflict, Internal, Invalid, Unavailable, define

define(
    Unavailable,
    VAULT_UNAVAILABLE=(
        "本机不能加密静态数据，缺：{missing}。没有写入任何明文；需要 5.4 及以上内核的 ext4 加密、"
        "root 身份、e2fsprogs 和 util-linux，见管理员指南“静态加密”。",
        "This machine cannot encrypt what is at rest, missing: {missing}. Nothing was written in plain; it "
        "takes a kernel of 5.4 or later with ext4 encryption, root, e2fsprogs and util-linux.",
    ),
    VAULT_CIPHER=(
        "政策要求的静态加密算法 {cipher} 本机内核没有，不以其他算法代替；请换用带有该算法的内核。",
        "The profile asks for {cipher} at rest and this kernel does not have it; no other cipher is put in "
        "its place, use a kernel that has it.",
    ),
    VAULT_PLAIN_FORBIDDEN=(
        "政策不允许静态数据以明文存放（storage.plain）；请删去 SANDBOX_AT_REST=plain。",
        "The profile forbids data at rest in plain (storage.plain); remove SANDBOX_AT_REST=plain.",
    ),
    VAULT_MASTER_MISSING=(
        "没有指定主密钥的来源；请设 SANDBOX_MASTER 为 file:路径、env:变量名 或 command:命令，"
        "新主密钥可用 sandbox keys new 生成。",
        "No source of the master key is named; set SANDBOX_MASTER to file:PATH, env:NAME or command:COMMAND, "
        "and make a new master key with sandbox keys new.",
    ),
    VAULT_MASTER_UNUSABLE=(
        "从 {source} 取不到主密钥：{why}；应为 64 位十六进制数。",
        "No master key can be had from {source}: {why}; it must be 64 hexadecimal digits.",
    ),
    VAULT_MASTER_EXPOSED=(
        "主密钥文件须归本进程的用户所有且仅其可读写（0600），现为 {mode}；请改正后再启动，并考虑更换主密钥。",
        "The master key's file must belong to this process's user and be readable by it alone (0600), it is "
        "{mode}; mend that and consider a new master key.",
    ),
    VAULT_MASTER_WRONG=(
        "工作区 {workspace} 的密钥不是用这把主密钥包裹的；请用原来的主密钥，或先完成 sandbox keys rewrap。",
        "The key of workspace {workspace} is not wrapped by this master key; use the one that it was wrapped "
        "with, or finish sandbox keys rewrap first.",
    ),
    VAULT_NOT_HERE=(
        "保管库 {what} 已不在原处；请恢复存储后再启动，系统不会另建空库代替。",
        "The vault is not where it was: {what}; bring the storage back, no empty one is put in its place.",
    ),
)
define(
    Invalid,
    VAULT_SETTING=(
        "设置 {name} 的值“{value}”不可用；可用：{may}。",
        "Setting {name} cannot be “{value}”; use {may}.",
    ),
    VAULT_PLAIN=(
        "此空间的静态数据按政策以明文存放，没有密钥可管。",
        "This space rests in plain, as its profile allows; there are no keys to look after.",
    ),
    VAULT_UNKNOWN=(
        "没有工作区 {workspace}；可用 sandbox keys status 查看。",
        "There is no workspace {workspace}; sandbox keys status lists them.",
    ),
)
define(
    Conflict,
    VAULT_IN_USE=(
        "保管库正在使用（{what}）；请先停止 serve 和 worker 及其容器，再重试。",
        "The vault is in use ({what}); stop serve, worker and their containers first, then try again.",
    ),
)
define(
    Internal,
    VAULT_KEY_GONE=(
        "工作区 {workspace} 的密钥已销毁或不在，其内容无法恢复；请删除该目录，或恢复密钥目录后重启。",
        "The key of workspace {workspace} was destroyed or is absent, its content cannot be read again; "
        "remove the folder, or bring the folder of keys back and start anew.",
    ),
    VAULT_RECORD_DAMAGED=(
        "工作区 {workspace} 的密钥记录已损坏或被改动，已停止使用；请从备份恢复该记录。",
        "The key record of workspace {workspace} is damaged or was altered and is not used; restore the "
        "record from a backup.",
    ),
    VAULT_MIXED=(
        "工作区 {workspace} 的目录不是用其密钥加密的，已停止使用；请查明谁改动了它。",
        "The folder of workspace {workspace} is not encrypted with its key and is not used; find out who "
        "changed it.",
    ),
)
