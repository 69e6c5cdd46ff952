"""``sandbox audit``: export the log, verify an exported bundle offline, purge what retention lets go.

Exit codes of ``verify``: 0 intact, 1 does not verify (the position is told), 2 wrong usage.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from sandbox.audit import FileSigner, verify_bundle
from sandbox.audit.bundle import Verification
from sandbox.audit.proof import MAX_BYTES, ProofVerification, verify_proof
from sandbox.cli.language import language
from sandbox.core.errors import SandboxError, fail

app = typer.Typer(
    help="审计日志：导出与离线校验 / audit log: export, verify offline",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How a result is printed."""

    TEXT = "text"
    JSON = "json"


_WARNINGS = {  # what the verification did not have from outside -> what it therefore cannot show
    "key": (
        "提示：未提供外部公钥（--key），整包换钥重写的情况无法发现。",
        "note: without a key from outside (--key), a bundle rewritten with another key goes unnoticed.",
    ),
    "checkpoint": (
        "提示：未提供外部检查点（--checkpoint），末尾被截断的情况无法发现。",
        "note: without a checkpoint from outside (--checkpoint), a cut-off end goes unnoticed.",
    ),
}
_Lang = Annotated[str | None, typer.Option("--lang", help="zh | en")]
_Format = Annotated[Format, typer.Option("--format", help="输出格式 / output format")]


def _stop(error: SandboxError, lang: str, exit_code: int) -> NoReturn:
    typer.echo(f"{error.code}: {error.message(lang)}", err=True)
    raise typer.Exit(exit_code)


def _text(path: Path | None, code: str) -> str | None:
    """The content of a file that the caller named; raises ``code`` when it is not readable text."""
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise fail(code, why=f"the file cannot be read ({type(error).__name__})") from None


def _verified(path: Path, held: str | None, trusted: str | None) -> Verification | ProofVerification:
    """The result for a bundle, or for the proof of one entry (a file that ends in .json)."""
    if path.is_file() and path.suffix == ".json":
        with path.open("rb") as file:
            return verify_proof(file.read(MAX_BYTES + 1), held, trusted)
    return verify_bundle(path, held, trusted)


@app.command()
def verify(
    bundle: Annotated[
        Path,
        typer.Argument(
            help="审计包（文件夹或 tar）或证明（.json） / bundle (folder, tar) or proof (.json)",
            exists=True,
        ),
    ],
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="另行保存的检查点 / a checkpoint that was held outside"),
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="另行取得的公钥 / public key obtained from outside")
    ] = None,
    output: _Format = Format.TEXT,
    lang: _Lang = None,
) -> None:
    """离线校验审计包或一条的证明 / verify a bundle, or the proof of one entry, offline."""
    speaks = language(lang)
    try:
        held, trusted = _text(checkpoint, "AUDIT_CHECKPOINT"), _text(key, "AUDIT_KEY")
    except SandboxError as error:
        _stop(error, speaks, 2)
    try:
        result = _verified(bundle, held, trusted)
    except SandboxError as error:
        if output is Format.JSON:
            typer.echo(json.dumps({"ok": False} | error.as_json(), ensure_ascii=False))
        _stop(error, speaks, 1)
    if output is Format.JSON:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        typer.echo(result.message(speaks))
        missing = {"key": result.key_from_bundle, "checkpoint": not result.checkpoint_from_outside}
        for what, absent in missing.items():
            if absent:
                typer.echo(_WARNINGS[what][speaks == "en"], err=True)
    raise typer.Exit(0 if result.ok else 1)


@app.command()
def export(
    out: Annotated[Path, typer.Option("--out", help="目标文件夹或 .tar / target folder or .tar")],
    database: Annotated[
        str,
        typer.Option("--database", envvar="SANDBOX_DATABASE", help="数据库地址 / database address"),
    ],
    signing_key: Annotated[
        Path | None,
        typer.Option(
            "--signing-key",
            help="先签署日志头，否则导出至最近检查点 / sign the head first, else to the last checkpoint",
        ),
    ] = None,
    origin: Annotated[str, typer.Option("--origin", help="日志名称 / name of the log")] = "sandbox",
    algorithm: Annotated[str, typer.Option("--algorithm", help="sha256 | sm3")] = "sha256",
    lang: _Lang = None,
) -> None:
    """导出审计包 / export the bundle; its checkpoint.txt is to be kept elsewhere."""
    from sandbox.store import Store  # the verifier must not need the database's libraries

    speaks = language(lang)
    try:
        signer = FileSigner.load(signing_key) if signing_key is not None else None
        store = Store(database, origin=origin, algorithm=algorithm, signer=signer)
        try:
            head = store.export(out)
        finally:
            store.close()
    except SandboxError as error:
        _stop(error, speaks, 2)
    sentences = {
        "zh": f"已导出 {head.size} 条至 {out}；请将 checkpoint.txt 另行保存。",
        "en": f"exported {head.size} entries to {out}; keep checkpoint.txt somewhere else.",
    }
    typer.echo(sentences[speaks])


@app.command()
def purge(
    agreement: Annotated[str, typer.Argument(help="已终止的协议 / an agreement that was terminated")],
    token: Annotated[
        str, typer.Option("--token", envvar="SANDBOX_TOKEN", help="管理员令牌 / the administrator's token")
    ],
    lang: _Lang = None,
) -> None:
    """清除一份协议到期日志的内容 / remove the payload of an agreement's log entries whose time is over.

    在服务器上执行；保存期内一律拒绝，散列保留，日志仍可核验 / run on the server; refused within retention.
    """
    from sandbox.control.accounts import sign_in
    from sandbox.control.purge import purge as take_away
    from sandbox.control.space import Settings, Space

    speaks = language(lang)
    try:
        space = Space(Settings.from_env())
        try:
            done = take_away(space.control, sign_in(space.control, token, ""), agreement)
        finally:
            space.store.close()
    except SandboxError as error:
        _stop(error, speaks, 2)
    next_day = done.next.isoformat() if done.next else "-"
    sentences = {
        "zh": f"已清除 {done.purged} 条的内容；尚存 {done.kept} 条，下一批最早 {next_day}。",
        "en": f"the payload of {done.purged} was purged; {done.kept} are kept, the next until {next_day}.",
    }
    typer.echo(sentences[speaks])
