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

UNNAMED = "Exception"
CLASSES = frozenset({UNNAMED, *f"{_BUILTIN} {_DUCKDB} {_POLARS} {_ARROW} {_PANDAS}".split()})


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
