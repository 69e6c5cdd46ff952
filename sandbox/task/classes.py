"""The closed list of exception classes that may be named to a developer (DESIGN.md invariant 5).

A class name is chosen by code that has seen the data, so it is a message like any other: only these
words exist, everything else is called ``Exception``. The list is data and imports nothing: the
control plane, which holds none of the libraries, checks a report against the same words.
"""

from __future__ import annotations

from typing import Any

_BUILTIN = """
ArithmeticError AssertionError AttributeError BufferError ConnectionError EOFError FileExistsError
FileNotFoundError FloatingPointError ImportError IndentationError IndexError InterruptedError
IsADirectoryError KeyError KeyboardInterrupt LookupError MemoryError ModuleNotFoundError NameError
NotADirectoryError NotImplementedError OSError OverflowError PermissionError RecursionError
RuntimeError StopIteration SyntaxError SystemExit TabError TimeoutError TypeError UnboundLocalError
UnicodeDecodeError UnicodeEncodeError UnicodeError ValueError ZeroDivisionError
"""
_DUCKDB = """
BinderException CatalogException ConstraintException ConversionException DataError FatalException
HTTPException IOException IntegrityError InternalError InternalException InterruptException
InvalidInputException InvalidTypeException NotImplementedException NotSupportedError
OperationalError OutOfMemoryException OutOfRangeException ParserException PermissionException
ProgrammingError SequenceException SerializationException SyntaxException TransactionException
TypeMismatchException
"""
_POLARS = """
CategoricalRemappingWarning ColumnNotFoundError ComputeError DuplicateError InvalidOperationError
NoDataError OutOfBoundsError PanicException PolarsError SQLInterfaceError SQLSyntaxError SchemaError
SchemaFieldNotFoundError ShapeError StringCacheMismatchError StructFieldNotFoundError
"""
_ARROW = """
ArrowCancelled ArrowCapacityError ArrowException ArrowIndexError ArrowInvalid ArrowKeyError
ArrowNotImplementedError ArrowSerializationError ArrowTypeError
"""
_PANDAS = """
EmptyDataError IntCastingNaNError InvalidIndexError MergeError OutOfBoundsDatetime ParserError
UndefinedVariableError UnsupportedFunctionCall
"""

# our own words: refused before the first statement ran
REFUSED = frozenset({"SQL_STATEMENT", "SQL_FUNCTION", "SQL_TABLE"})
# how a process ended that a signal ended
SIGNALS = frozenset(["SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGKILL", "SIGSEGV", "SIGSYS", "SIGTERM"])
# which limit was hit: the ends of a task by its executor, and what its own kernel said
LIMITS = {
    "timed_out": "wall_clock",
    "out_of_memory": "memory",
    "MemoryError": "memory",
    "OutOfMemoryException": "memory",
    "SIGXCPU": "cpu_time",
    "SIGXFSZ": "file_size",
    "disk_full": "output",
    "too_many_processes": "processes",
    "too_many_files": "open_files",
}

UNNAMED = "Exception"
EXCEPTIONS = frozenset({UNNAMED, *f"{_BUILTIN} {_DUCKDB} {_POLARS} {_ARROW} {_PANDAS}".split()})
# what a job may say of itself: that its time was over only the executor can say
CLASSES = EXCEPTIONS | REFUSED | SIGNALS | (LIMITS.keys() - {"timed_out"})


def clean_error(told: Any, entry: str, lines: int) -> dict[str, Any]:
    """What may be passed on of an error report that user code could have forged.

    ``told`` is anything; ``entry`` the job's entry file as declared and ``lines`` its number of lines.
    Gives ``{"class": word of CLASSES, "line": 1..lines or None, "file": entry}`` and never raises.
    """
    told = told if isinstance(told, dict) else {}
    name, line = told.get("class"), told.get("line")
    return {
        "class": name if isinstance(name, str) and name in CLASSES else UNNAMED,
        "line": line if type(line) is int and 1 <= line <= lines else None,
        "file": entry,
    }
