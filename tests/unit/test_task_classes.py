"""The closed vocabulary of user errors."""

from __future__ import annotations

import builtins
import signal
import subprocess
import sys
from typing import Any

import duckdb
import pandas.errors
import polars.exceptions
import pyarrow.lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.core.errors import CODES
from sandbox.task.classes import CLASSES, EXCEPTIONS, LIMITS, REFUSED, SIGNALS, clean_error

HOMES: list[Any] = [builtins, duckdb, polars.exceptions, pyarrow.lib, pandas.errors]


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_every_word_is_an_exception_of_a_library_in_the_image(name: str) -> None:
    found = [getattr(home, name) for home in HOMES if hasattr(home, name)]
    assert found
    assert all(issubclass(one, BaseException) for one in found)


def test_our_own_words_are_codes_signals_and_limits() -> None:
    assert set(CODES) >= REFUSED
    assert {signal.Signals[name] for name in SIGNALS} >= {signal.SIGSEGV, signal.SIGABRT}
    assert {name for name in LIMITS if name.startswith("SIG")} <= set(signal.Signals.__members__)
    assert "timed_out" not in CLASSES  # only the executor can say so
    for words in (EXCEPTIONS, REFUSED, SIGNALS, LIMITS.keys() - {"timed_out"}):
        assert words <= CLASSES


def test_the_control_plane_can_read_the_list_without_a_data_library() -> None:
    code = (
        "import sys, sandbox.task.classes; "
        "sys.exit(bool({'duckdb', 'polars', 'pyarrow', 'pandas', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_what_is_true_passes() -> None:
    assert clean_error({"class": "KeyError", "line": 3}, "main.py", 3) == {
        "class": "KeyError",
        "line": 3,
        "file": "main.py",
    }


@pytest.mark.parametrize("line", [0, -1, 4, 10**30, True, 2.0, "2", None])
def test_a_line_outside_the_file_is_no_line(line: object) -> None:
    assert clean_error({"class": "KeyError", "line": line}, "main.py", 3)["line"] is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(JSON | st.fixed_dictionaries({"class": JSON, "line": JSON, "message": JSON}))
def test_whatever_is_told_only_the_vocabulary_comes_out(told: Any) -> None:
    clean = clean_error(told, "main.py", 7)
    assert set(clean) == {"class", "line", "file"}
    assert clean["class"] in CLASSES
    assert clean["line"] is None or clean["line"] in range(1, 8)
    assert clean["file"] == "main.py"
