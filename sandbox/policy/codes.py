"""The refusals of policy profiles: each says what to change in which file."""

from __future__ import annotations

from sandbox.core.errors import Conflict, Invalid, NotFound, define

define(
    NotFound,
    POLICY_NOT_FOUND=(
        "找不到政策文件“{name}”（现有：{known}）；请核对名称，或用环境变量 SANDBOX_POLICIES 指明其目录。",
        (
            "There is no policy file “{name}” (known: {known}); check the name, or set SANDBOX_POLICIES "
            "to the folder."
        ),
    ),
    POLICY_MISSING=(
        "政策“{profile}”没有参数“{key}”，不能据以决定；请在其 YAML 中补上并注明依据。",
        (
            "Profile “{profile}” has no parameter “{key}”, so nothing can be decided by it; "
            "add it to the YAML with its source."
        ),
    ),
)
define(
    Invalid,
    POLICY_MALFORMED=(
        "{file} 不是合格的政策文件：{why}；请改正后重新加载。",
        "{file} is not a well-formed policy file: {why}; mend it and load it again.",
    ),
    POLICY_DUPLICATE_KEY=(
        "{file} 第 {line} 行重复了键“{key}”；请只保留一处。",
        "{file} repeats the key “{key}” at line {line}; keep only one.",
    ),
    POLICY_UNKNOWN_PARAMETER=(
        "{file} 中的“{key}”不是已知参数；请对照 `sandbox policy show` 改正拼写。",
        "“{key}” in {file} is no known parameter; correct it against `sandbox policy show`.",
    ),
    POLICY_VALUE=(
        "{file} 中“{key}”的取值不合类型（{why}）；请改为：{expected}。",
        "The value of “{key}” in {file} does not fit ({why}); use: {expected}.",
    ),
    POLICY_CITE_MISSING=(
        "{file} 中“{key}”标为 stated 却没有 cite；请注明条款，或改为 default 并说明理由。",
        "“{key}” in {file} is “stated” without a cite; name the article, or make it a default with a reason.",
    ),
    POLICY_NOTE_MISSING=(
        "{file} 中“{key}”标为 default 却没有 note；请写明取该值的理由。",
        "“{key}” in {file} is a “default” without a note; write the reason for the value.",
    ),
    POLICY_INCOMPLETE=(
        "政策“{profile}”缺少参数：{keys}；请补上，或以 extends 继承完整的政策。",
        "Profile “{profile}” lacks: {keys}; add them, or extend a profile that has them.",
    ),
    POLICY_CYCLE=(
        "政策的 extends 成环或过深：{chain}；请改为单向的上下级。",
        "The profiles extend each other in a circle: {chain}; make it one line of parents.",
    ),
)
define(
    Conflict,
    POLICY_WEAKER=(
        "“{child}”的 {key} = {value} 弱于“{parent}”明文规定的 {floor}（{cite}）；请取不弱于后者的值。",
        (
            "{key} = {value} of “{child}” is weaker than {floor}, which “{parent}” states ({cite}); "
            "use a value at least as strict."
        ),
    ),
    POLICY_DRAFT=(
        "“{profile}”依据的文件尚为征求意见稿；凡据其作出的决定均应标明“草案”。",
        "The instrument of “{profile}” is a draft; every decision made under it must show that.",
    ),
    POLICY_EXPIRING=(
        "“{profile}”依据的文件将于 {date} 期满；请在此前核对是否修订或延续。",
        "The instrument of “{profile}” expires on {date}; check before then if it is renewed.",
    ),
    POLICY_EXPIRED=(
        "“{profile}”依据的文件已于 {date} 期满；请换用新文件的政策。",
        "The instrument of “{profile}” expired on {date}; use a profile of the new instrument.",
    ),
)
