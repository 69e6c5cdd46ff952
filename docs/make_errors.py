"""Writes ``docs/errors.md`` from the error table: ``python docs/make_errors.py``.

The codes are those that importing every module of ours defines; the package of a code is read off the source.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections import defaultdict
from pathlib import Path

import sandbox
from sandbox.core.errors import CODES

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "errors.md"
# started as a program, or by the database's migration tool: importing them would run them
NOT_IMPORTED = (".__main__", ".task.child", ".migrations.env", ".demo.jobs")

HEAD = """# 错误代码 / Error codes

由 `python docs/make_errors.py` 从错误表生成，请勿手改。 Generated from the error table; do not edit.

代码是接口的一部分：只增不改名。接口返回 `{"code", "message_zh", "message_en", "details"}` 和 HTTP 状态；
命令行把它打成一句话，退出码 2（422，改了再来）或 3（其余）。花括号里只会是您自己提交的值或封闭词汇。
A code is API: added, never renamed. Braces stand for what you sent yourself, or closed vocabulary.
"""


COLUMNS = ("| 代码 / code | HTTP | 说明 / meaning |", "|---|---|---|")


def load() -> None:
    """Import every module that may define a code."""
    for found in pkgutil.walk_packages(sandbox.__path__, "sandbox."):
        if not found.name.endswith(NOT_IMPORTED) and ".demo.jobs." not in found.name:
            importlib.import_module(found.name)


def packages() -> dict[str, str]:
    """Code -> the package whose source defines it."""
    where: dict[str, str] = {}
    for path in sorted((ROOT / "sandbox").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "define":
                package = path.relative_to(ROOT / "sandbox").parts[0]
                where.update({keyword.arg: package for keyword in node.keywords if keyword.arg})
    return where


def render() -> str:
    """The whole document."""
    load()
    where = packages()
    grouped: dict[str, list[str]] = defaultdict(list)
    for code, row in sorted(CODES.items()):
        grouped[where[code]].append(f"| `{code}` | {row.kind.status} | {row.zh}<br>{row.en} |")
    parts = [HEAD]
    for package in sorted(grouped):
        parts += [f"\n## {package}\n", *COLUMNS, *grouped[package]]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    TARGET.write_text(render(), encoding="utf-8")
