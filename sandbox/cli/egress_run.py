"""What ``sandbox egress check`` and ``mend`` share: options, and the checker's container."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.core.errors import Invalid, NotFound, SandboxError, fail

if TYPE_CHECKING:
    from sandbox.egress.context import RawTable
    from sandbox.policy import Profile

EXIT = {"no_objection": 0, "hold": 10, "reject": 20}
USAGE, BROKEN = 2, 3
_ANSWER_BYTES = 16 << 20


class Isolation(StrEnum):
    """Where the files are parsed."""

    DOCKER = "docker"
    NONE = "none"


Paths = Annotated[list[Path], typer.Argument(help="输出文件或文件夹 / output files or folders")]
Raw = Annotated[list[str] | None, typer.Option(help="原始数据 / raw data: NAME=FILE")]
Entity = Annotated[list[str] | None, typer.Option(help="主体列 / entity column: NAME=COL")]
Quasi = Annotated[list[str] | None, typer.Option(help="准标识列 / quasi-identifiers: NAME=COL,COL")]
Sensitive = Annotated[list[str] | None, typer.Option(help="敏感列 / sensitive: NAME=COL,COL")]
Identifier = Annotated[list[str] | None, typer.Option(help="标识列 / identifiers: NAME=COL,COL")]
DeclaredFile = Annotated[Path | None, typer.Option(help="声明的输出（JSON）/ declared outputs")]
ProfileName = Annotated[str, typer.Option(help="政策 / policy profile")]
History = Annotated[Path | None, typer.Option(help="已出域的文件夹 / folder of earlier releases")]
Where = Annotated[Isolation, typer.Option(help="解析在哪里进行 / where to parse")]
Lang = Annotated[str | None, typer.Option(help="zh | en")]


def _pairs(option: str, values: list[str]) -> dict[str, str]:
    """``NAME=VALUE`` options as a dictionary; anything else is a usage error."""
    found: dict[str, str] = {}
    for value in values:
        name, mark, rest = value.partition("=")
        if not (name and mark and rest) or name in found:
            raise typer.BadParameter(f"NAME=… expected once a name, got “{value}”", param_hint=option)
        found[name] = rest
    return found


def _list(text: str | None) -> list[str]:
    return [part for part in (text or "").split(",") if part]


def raws_of(
    raw: list[str] | None,
    entity: list[str] | None,
    quasi: list[str] | None,
    sensitive: list[str] | None,
    identifier: list[str] | None,
) -> list[dict[str, Any]]:
    """The ``raws`` parameter of the check, with ``path`` in place of ``file``."""
    files = _pairs("--raw", raw or [])
    given = {
        "entity": _pairs("--entity", entity or []),
        "quasi": _pairs("--quasi", quasi or []),
        "sensitive": _pairs("--sensitive", sensitive or []),
        "identifiers": _pairs("--identifier", identifier or []),
    }
    for option, pairs in given.items():
        unknown = sorted(set(pairs) - set(files))
        if unknown:
            raise typer.BadParameter(f"no --raw named “{unknown[0]}”", param_hint=f"--{option}")
    return [
        {
            "name": name,
            "path": file,
            "entity": given["entity"].get(name),
            **{key: _list(given[key].get(name)) for key in ("quasi", "sensitive", "identifiers")},
        }
        for name, file in files.items()
    ]


def tables_of(raws: list[dict[str, Any]]) -> list[RawTable]:
    """The same for the check in this process."""
    from sandbox.egress.context import RawTable

    return [
        RawTable(
            item["name"],
            Path(item["path"]),
            item["entity"],
            tuple(item["quasi"]),
            tuple(item["sensitive"]),
            tuple(item["identifiers"]),
        )
        for item in raws
    ]


def declared_of(path: Path | None) -> list[dict[str, Any]]:
    """Declared outputs from a JSON file. Raises ``EGRESS_PARAMS``."""
    import sandbox.egress.codes  # noqa: F401  (its rows join the error table)

    if path is None:
        return []
    try:
        body = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        raise fail("EGRESS_PARAMS", why="--declared") from None
    if not isinstance(body, list):
        raise fail("EGRESS_PARAMS", why="--declared")
    return body


def copy(source: Path, target: Path) -> None:
    """A readable copy of a regular file. Raises ``EGRESS_PATH``."""
    if not stat.S_ISREG(source.lstat().st_mode):
        raise fail("EGRESS_PATH", path=source.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target, follow_symlinks=False)


def take(folder: Path, told: Iterable[Any], target: Path) -> None:
    """Copy the files that a container names, if they are files below ``folder``. Raises ``ValueError``."""
    root = folder.resolve()
    for name in [str(item["path"]) for item in told]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not (root / path).resolve().is_relative_to(root):
            raise ValueError
        copy(root / path, target / path)


def _readable(folder: Path) -> None:
    for place, _, files in os.walk(folder):
        Path(place).chmod(0o755)
        for name in files:
            (Path(place) / name).chmod(0o644)


def answer(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file as the container wrote it; what it holds is untrusted, a link is refused."""
    handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError
        body = json.loads(file.read(_ANSWER_BYTES))
    if not isinstance(body, dict) or body.get("verdict") not in EXIT:
        raise ValueError
    return body


@contextmanager
def contained(
    paths: list[Path],
    raws: list[dict[str, Any]],
    declared: list[dict[str, Any]],
    profile: Profile,
    history: Path | None,
    **more: Any,
) -> Iterator[Path]:
    """The checker as a task in a container without network; gives the folder of what it wrote, until the end.

    ``more``: further parameters of the task. Raises what the task was refused with (``EGRESS_…``).
    """
    import sandbox.egress.codes  # noqa: F401  (its rows join the error table)
    from sandbox.executor.contract import Input, Task, TaskKind
    from sandbox.executor.docker import DockerExecutor

    with tempfile.TemporaryDirectory(prefix="egress-") as name:
        stage = Path(name)
        for folder in ("outputs", "raw", "root"):
            (stage / folder).mkdir()
        _stage_outputs(paths, stage / "outputs")
        items = []
        for number, item in enumerate(raws):
            source = Path(item["path"])
            if not source.is_file():
                raise fail("EGRESS_RAW_UNREADABLE", name=item["name"])
            file_name = f"raw{number}{source.suffix}"
            copy(source.resolve(), stage / "raw" / file_name)
            items.append({**{k: v for k, v in item.items() if k != "path"}, "file": file_name})
        inputs = [Input("outputs", stage / "outputs"), Input("raw", stage / "raw")]
        if history:
            shutil.copytree(history, stage / "history", symlinks=True)
            inputs.append(Input("history", stage / "history"))
        _readable(stage)
        executor = DockerExecutor(stage / "root")
        params = {"raws": items, "declared": declared, "policy": profile.values(), "policy_id": profile.id}
        told = f"check-{uuid.uuid4().hex[:16]}"
        task = Task(told, TaskKind.CHECK, executor.image("check"), {**params, **more}, tuple(inputs))
        try:
            outcome = executor.run(task)
            refusal = outcome.report.get("code")
            if refusal and str(refusal).startswith("EGRESS_"):
                raise fail(str(refusal), **dict(outcome.report.get("details", {})))
            yield outcome.files
        finally:
            executor.discard(task.id)


def _stage_outputs(paths: list[Path], target: Path) -> None:
    for path in paths:
        if not path.exists():
            raise fail("EGRESS_PATH", path=path.name)
        inside = [p for p in path.rglob("*") if not p.is_dir() or p.is_symlink()] if path.is_dir() else [path]
        for file in inside:
            relative = file.relative_to(path) if path.is_dir() else Path(path.name)
            place = target / relative
            copy(file, place if not place.exists() else target / path.parent.name / relative)


def warn_unisolated(isolation: Isolation, spoken: str) -> None:
    """Say so where the files are parsed in this process."""
    if isolation is Isolation.NONE:
        line = {
            "zh": "未隔离：文件在本进程内解析（--isolation none）。",
            "en": "No isolation: the files are parsed in this process (--isolation none).",
        }
        typer.echo(line[spoken], err=True)


@contextmanager
def exits(spoken: str, codes: Mapping[str, int] | None = None) -> Iterator[None]:
    """Errors as a sentence and an exit code: of ours 2 or 3 (or as ``codes`` says), anything else 3 without
    its text, which may quote the data."""
    try:
        yield
    except SandboxError as refused:
        typer.echo(f"{refused.code}: {refused.message(spoken)}", err=True)
        usual = USAGE if isinstance(refused, Invalid | NotFound) else BROKEN
        raise typer.Exit((codes or {}).get(refused.code, usual)) from None
    except Exception:
        broken = {
            "zh": "检查程序出错，按不通过处理。",
            "en": "The checker failed; this counts as a rejection.",
        }
        typer.echo(broken[spoken], err=True)
        raise typer.Exit(BROKEN) from None
