"""Every error code of the domain packages and of the control plane is provoked by a test.

A code counts as provoked where a test says, in a call that fails unless it is raised, which one it is:
``refused("…")``, ``api.refused(…, "…")``, a row of the guards' table, or a comparison with ``.code``.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from sandbox.core.errors import CODES

ROOT = Path(__file__).parents[2]
DEFINED_IN = (
    "core/errors.py",
    "catalog/codes.py",
    "authorisation/codes.py",
    "operation/codes.py",
    "review/codes.py",
    "incident/rectification.py",
    "control/codes.py",
    "vault/codes.py",
)


def defined(path: Path) -> set[str]:
    """The codes that a module defines."""
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    named = (call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "define")
    return {keyword.arg for call in named for keyword in call.keywords if keyword.arg}


def expected_by(path: Path) -> set[str]:
    """The codes that a test module expects: an argument of a call, compared with, or in a table of cases."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        inside: list[ast.expr] = []
        if isinstance(node, ast.Call):
            inside = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.Compare):
            inside = [node.left, *node.comparators]
        elif isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Tuple | ast.List):
            inside = [node.value]  # a table of cases
        while inside:  # a case of a parametrised test is a tuple in a list
            one = inside.pop()
            if isinstance(one, ast.Tuple | ast.List | ast.Set):
                inside += one.elts
            elif isinstance(one, ast.Constant) and isinstance(one.value, str):
                found.add(one.value)
    return found & set(CODES)


def test_every_code_is_provoked() -> None:
    expected = set().union(*(expected_by(path) for path in (ROOT / "tests").rglob("test_*.py")))
    for module in DEFINED_IN:
        codes = defined(ROOT / "sandbox" / module)
        assert codes
        assert codes - expected == set(), module


@pytest.mark.parametrize("module", DEFINED_IN)
def test_every_code_has_a_sentence_in_each_language(module: str) -> None:
    for code in defined(ROOT / "sandbox" / module):
        row = CODES[code]
        assert any("一" <= letter <= "鿿" for letter in row.zh), code
        assert row.en.endswith("."), code
        assert row.zh.endswith("。"), code
