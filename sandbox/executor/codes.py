"""Error codes of the executor: the machine could not run a task, or the task was not well formed."""

from sandbox.core.errors import Invalid, Unavailable, define

define(
    Unavailable,
    ENGINE_UNREACHABLE=(
        "容器引擎没有应答（{socket}）：请运行 scripts/engine start 后重试。",
        "The container engine does not answer ({socket}): run scripts/engine start and try again.",
    ),
    ISOLATION_UNAVAILABLE=(
        "本机给不出所要求的隔离，缺：{missing}。作业未运行；请运行 sandbox doctor 查看补救办法。",
        "This machine cannot give the isolation asked for, missing: {missing}. "
        "The task was not run; sandbox doctor says how to mend it.",
    ),
    SLURM_KEY=(
        "任务参数里有密钥，本机没有可用的封装密钥（{why}）：请按管理员指南放置 SANDBOX_SLURM_KEY。",
        "The task's parameters hold keys and this machine has no fit key to seal them ({why}): put "
        "SANDBOX_SLURM_KEY on every machine as the administrator's guide says.",
    ),
    SCHEDULER_UNREACHABLE=(
        "Slurm 没有应答或不接受作业（{why}）：请核对 SLURM_CONF 与 scontrol ping，恢复后会自动重试。",
        "Slurm does not answer or does not take the job ({why}): check SLURM_CONF and scontrol ping; "
        "it is tried again by itself.",
    ),
)
define(
    Unavailable,
    IMAGE_LIST=(
        "可运行镜像的签名清单不可用：{why}。请运行 make setup，或由持钥人运行 sandbox images sign。",
        "The signed list of images cannot be used: {why}. No image is run; run make setup, "
        "or have the holder of the key run sandbox images sign.",
    ),
    IMAGE_SOURCE=(
        "这里没有镜像的构建程序；请在源码目录的虚拟环境中运行。",
        "The images' build program is not here; run the command from a working copy's environment.",
    ),
    IMAGE_RECORD=(
        "镜像的构建记录或镜像层缺失或已损坏；请运行 make setup 重建。",
        "The record of the images or one of their layers is missing or damaged; run make setup.",
    ),
)
define(
    Invalid,
    IMAGE_UNKNOWN=(
        "本机没有镜像 {image}：只能使用已构建的镜像，请运行 make setup 构建，系统从不下载镜像。",
        "There is no image {image} on this machine: build it with make setup; images are never pulled.",
    ),
    IMAGE_UNTRUSTED=(
        "镜像 {image} 不在签名清单上，不予运行；请运行 make setup 重建，或核对后运行 sandbox images sign。",
        "Image {image} is not on the signed list and is not run; rebuild it with make setup, "
        "or verify it and run sandbox images sign.",
    ),
    EXECUTOR_UNKNOWN=(
        "没有执行器“{name}”：请把 SANDBOX_EXECUTOR 设为 {known} 之一。",
        "There is no executor “{name}”: set SANDBOX_EXECUTOR to one of {known}.",
    ),
    TASK_INVALID=("任务的“{what}”不合格式：{why}。", "The task's “{what}” is malformed: {why}."),
    INPUT_UNREADABLE=(
        "输入“{name}”不能只读挂入容器：{why}；请改正权限或路径后重试。",
        "Input “{name}” cannot be mounted read-only for a task: {why}; mend its mode or path and retry.",
    ),
)
