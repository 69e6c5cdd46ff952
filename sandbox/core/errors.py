"""The one error tree: every refusal has a stable code, two languages and an HTTP status.

``raise fail("COLUMN_NOT_GRANTED", column="phone")`` builds the error whose class, status and
messages stand in ``CODES`` below. A code is API: it may be added, never renamed.
The message says in one sentence what is wrong and what to do.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class SandboxError(Exception):
    """Root of the tree. ``code`` is stable, ``status`` the HTTP status, ``details`` JSON scalars."""

    status = 500

    def __init__(self, code: str, zh: str, en: str, details: dict[str, Any]) -> None:
        super().__init__(f"{code}: {en}")
        self.code = code
        self.zh = zh
        self.en = en
        self.details = details

    def message(self, lang: str) -> str:
        """The sentence in ``lang`` ("zh" or "en")."""
        return self.zh if lang.startswith("zh") else self.en

    def as_json(self) -> dict[str, Any]:
        """The body every API error has."""
        return {
            "code": self.code,
            "message_zh": self.zh,
            "message_en": self.en,
            "details": self.details,
        }


class Invalid(SandboxError):
    """What was sent is not well formed or breaks a stated bound: mend it and send it again."""

    status = 422


class Unauthenticated(SandboxError):
    """Nobody is known behind the request."""

    status = 401


class Forbidden(SandboxError):
    """This actor may not do this, whatever the state."""

    status = 403


class NotFound(SandboxError):
    """No such thing, or none that this actor may know of."""

    status = 404


class Conflict(SandboxError):
    """Well formed and permitted, but not in this state of things."""

    status = 409


class TooMany(SandboxError):
    """Too often; the same may be sent again later."""

    status = 429


class Unavailable(SandboxError):
    """The machine cannot do it now, or cannot give the isolation asked for."""

    status = 503


class Internal(SandboxError):
    """A defect of ours; nothing was released by it."""

    status = 500


class Code(NamedTuple):
    """One row of the error table: the class it is raised as and its two sentences.

    No dataclass: importing that costs a container a third of what a task waits for (docs/adr/0012).
    """

    kind: type[SandboxError]
    zh: str
    en: str


CODES: dict[str, Code] = {}


def define(kind: type[SandboxError], **sentences: tuple[str, str]) -> None:
    """Add rows to the table. Each package states its own codes in its ``codes.py``; twice is a defect."""
    for code, (zh, en) in sentences.items():
        if code in CODES:
            raise RuntimeError(f"error code {code} is defined twice")
        CODES[code] = Code(kind, zh, en)


def fail(code: str, **details: Any) -> SandboxError:
    """Build (not raise) the error of ``code``; ``details`` fill the sentence and go out as JSON.

    Details must be closed vocabulary or what the caller itself sent: never a value read from data.
    """
    row = CODES[code]
    return row.kind(code, row.zh.format(**details), row.en.format(**details), details)


define(
    Invalid,
    MALFORMED=("{what}不合格式：{why}。", "{what} is malformed: {why}."),
    # said on both sides of the container's wall, so they stand here
    UNGRADED=(
        "字段“{field}”没有分级，请为每个字段填写 category 和 level。",
        "Field “{field}” is not graded; give every field a category and a level.",
    ),
    HASH_MISMATCH=(
        "收到的数据与供给清单的哈希不一致，已丢弃，请核对后重新传送。",
        "The bytes received do not have the manifest's hash; they were dropped, check and send them again.",
    ),
    ENTRY_MISSING=(
        "作业代码中没有入口文件，请检查 job.yaml 的 entry。",
        "The job's code has no such entry file; check entry in job.yaml.",
    ),
    OUTPUT_NAME=(
        "输出 {path} 的名称或格式不可用；请用不与他者同名的文件名，SQL 作业限 .csv、.parquet、.json。",
        "Output {path} cannot be used; give a plain file name that is no other output's and no input's, "
        "for a SQL job with .csv, .parquet or .json.",
    ),
    MISSING_FIELD=("缺少“{field}”，请补上。", "“{field}” is missing; add it."),
)
define(
    Unauthenticated,
    NO_TOKEN=("请先登录：带上有效的访问令牌。", "Sign in first: send a valid access token."),
)
define(
    Forbidden,
    ROLE=(
        "以“{role}”身份不能执行“{event}”；可以执行的身份：{may}。",
        "Role “{role}” may not “{event}”; these may: {may}.",
    ),
    NOT_YOURS=("该资源不属于您的单位。", "This resource does not belong to your organisation."),
)
define(NotFound, NOT_FOUND=("找不到 {kind}/{id}。", "There is no {kind}/{id}."))
define(
    Conflict,
    STATE=(
        "{kind} 处于“{state}”，不能执行“{event}”；现在可以：{possible}。",
        "{kind} is “{state}” and cannot “{event}” now; possible: {possible}.",
    ),
    STALE=(
        "资源已被他人改动（现为第 {version} 版），请重新读取后再试。",
        "The resource has changed meanwhile (now version {version}); read it again and retry.",
    ),
    EXISTS=("{kind}/{id} 已存在。", "{kind}/{id} exists already."),
)
define(
    Internal,
    INTERNAL=("内部错误，已记录；没有数据出域。", "Internal error, recorded; nothing left the domain."),
)
