"""The system-call list of ``seccomp.json`` as the filter program that the kernel takes.

A container engine compiles the list itself; bubblewrap wants the finished program. It is compiled by
libseccomp, which the distribution's own package manager depends on, through the six calls used here
(``seccomp.h``, libseccomp 2.5): no dependency of ours, and the same compiler that the engine's runtime uses.
"""

from __future__ import annotations

import ctypes
import json
import os
import tempfile
from functools import cache
from typing import Any

from sandbox.core.errors import fail
from sandbox.executor.profile import SECCOMP

LIBRARY = "libseccomp.so.2"
# seccomp.h: SCMP_ACT_*, SCMP_CMP_*, SCMP_FLTATR_CTL_OPTIMIZE (2: a binary tree instead of a long list)
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_COMPARISONS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}
_OPTIMIZE, _TREE = 8, 2
EPERM = 1


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(LIBRARY)
    context = ctypes.c_void_p
    library.seccomp_init.restype = context
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_attr_set.argtypes = [context, ctypes.c_int, ctypes.c_uint32]
    library.seccomp_rule_add_array.argtypes = [
        context,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    ]
    library.seccomp_export_bpf.argtypes = [context, ctypes.c_int]
    library.seccomp_release.argtypes = [context]
    library.seccomp_release.restype = None
    return library


def _action(rule: dict[str, Any]) -> int:
    return _ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else _ERRNO | int(rule.get("errnoRet", EPERM))


def _add(library: ctypes.CDLL, context: int, rule: dict[str, Any]) -> bool:
    """Whether every call of ``rule`` that this libseccomp knows was added. One that it does not know stays
    refused, which is the stricter way."""
    given = rule.get("args", [])
    compared = (_Comparison * max(1, len(given)))(
        *(
            _Comparison(arg["index"], _COMPARISONS[arg["op"]], arg["value"], arg.get("valueTwo", 0))
            for arg in given
        )
    )
    numbers = [library.seccomp_syscall_resolve_name(name.encode()) for name in rule["names"]]
    return not any(
        library.seccomp_rule_add_array(context, _action(rule), number, len(given), compared)
        for number in numbers
        if number >= 0
    )


@cache
def program(listed: str = SECCOMP) -> bytes:
    """The filter (``struct sock_filter[]``, x86_64 only, anything else is killed) of the list ``listed``.

    ISOLATION_UNAVAILABLE if it cannot be compiled here.
    """
    try:
        library = _library()
    except OSError as error:
        raise fail("ISOLATION_UNAVAILABLE", missing=LIBRARY) from error
    context = library.seccomp_init(_ERRNO | EPERM)
    try:
        done = library.seccomp_attr_set(context, _OPTIMIZE, _TREE) == 0
        for rule in json.loads(listed)["syscalls"]:
            done = done and _add(library, context, rule)
        with tempfile.TemporaryFile() as file:
            if not done or library.seccomp_export_bpf(context, file.fileno()) != 0:
                raise fail("ISOLATION_UNAVAILABLE", missing="seccomp")
            os.lseek(file.fileno(), 0, os.SEEK_SET)
            return file.read()
    finally:
        library.seccomp_release(context)
