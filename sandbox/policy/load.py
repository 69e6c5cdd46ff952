"""Reading profiles and the calendar from YAML: strictly, and never half."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import ValidationError

from sandbox.core.calendar import Calendar
from sandbox.core.errors import SandboxError, fail
from sandbox.policy.model import Document, Profile, chain_problems, document_problems

_CALENDAR = "calendar.yaml"
_MAX_DEPTH = 8  # national, province, city, district, and a site's overlay, with room


if TYPE_CHECKING:
    _Loader = yaml.SafeLoader
else:  # the parser in C, where PyYAML has it, takes a tenth of the time; what comes out is the same
    _Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _StrictLoader(_Loader):
    """Safe YAML with two traps closed: a repeated key is refused, and only true/false are booleans."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise _Repeated(str(key), key_node.start_mark.line + 1)
            seen.add(key)
        return super().construct_mapping(node, deep)


class _Repeated(Exception):
    """Carries the repeated key and its line out of the YAML library."""


# YAML 1.1 reads off, no, on, yes as booleans; `off` is a plausible word in a policy file.
_StrictLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:bool"]
    for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), list("tf"))


def policies_folder() -> Path:
    """Where profiles and the calendar lie: ``SANDBOX_POLICIES``, else ``policies/`` of the checkout."""
    configured = os.environ.get("SANDBOX_POLICIES")
    return Path(configured) if configured else Path(__file__).parents[2] / "policies"


def profile_names(folder: Path | None = None) -> list[str]:
    """The names of the profiles in ``folder``, sorted."""
    return sorted(
        path.stem for path in (folder or policies_folder()).glob("*.yaml") if path.name != _CALENDAR
    )


def load_profile(name_or_path: str | Path, folder: Path | None = None) -> Profile:
    """The profile of that name in ``folder`` (or in that file), resolved over its parents.

    Parents are looked for beside the file first, then in ``folder``. Raises POLICY_NOT_FOUND,
    POLICY_MALFORMED, POLICY_DUPLICATE_KEY, POLICY_UNKNOWN_PARAMETER, POLICY_VALUE,
    POLICY_CITE_MISSING, POLICY_NOTE_MISSING, POLICY_CYCLE, POLICY_WEAKER, POLICY_INCOMPLETE.
    """
    chain, problems = _read_chain(name_or_path, folder or policies_folder())
    for problem in problems:
        raise problem
    return Profile(chain)


def lint(name_or_path: str | Path, folder: Path | None = None) -> list[SandboxError]:
    """Every problem of a profile, not only the first; empty if ``load_profile`` would take it.

    A problem of a parent is a problem of the profile. Raises nothing of its own.
    """
    try:
        _, problems = _read_chain(name_or_path, folder or policies_folder())
    except SandboxError as error:
        return [error]
    return problems


def load_calendar(path: Path | None = None) -> Calendar:
    """The working-day calendar, by default ``calendar.yaml`` of the policies folder.

    Raises POLICY_NOT_FOUND, POLICY_MALFORMED, POLICY_DUPLICATE_KEY, CALENDAR_MALFORMED.
    """
    return Calendar.from_dict(_read_yaml(path or policies_folder() / _CALENDAR))


def _read_chain(name_or_path: str | Path, folder: Path) -> tuple[tuple[Document, ...], list[SandboxError]]:
    """The files from the profile to its root, with the problems found in them and between them."""
    path = _locate(name_or_path, [folder])
    chain: list[Document] = []
    problems: list[SandboxError] = []
    names: list[str] = []
    while True:
        document = _read_document(path)
        chain.append(document)
        names.append(document.profile.name)
        problems += document_problems(document, path.name)
        parent = document.profile.extends
        if parent is None:
            break
        if parent in names or len(names) >= _MAX_DEPTH:
            raise fail("POLICY_CYCLE", chain=" → ".join([*names, parent]))
        path = _locate(parent, [path.parent, folder])
    if not problems:  # values are compared only where each is sound
        problems += chain_problems(tuple(chain))
    return tuple(chain), problems


def _locate(name_or_path: str | Path, folders: list[Path]) -> Path:
    """The file meant: a path as it is, a name as ``<name>.yaml`` in the first folder that has it."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or text.endswith((".yaml", ".yml")):
        path = Path(name_or_path)
        if path.is_file():
            return path
    elif text in profile_names(folders[0]):
        return folders[0] / f"{text}.yaml"
    elif folders[1:]:
        return _locate(name_or_path, folders[1:])
    known = ", ".join(profile_names(folders[-1])) or "—"
    raise fail("POLICY_NOT_FOUND", name=text, known=known)


def _read_document(path: Path) -> Document:
    """One profile file, checked for its frame only."""
    try:
        document = Document.model_validate(_read_yaml(path))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise fail("POLICY_MALFORMED", file=path.name, why=f"{where}: {first['msg']}") from None
    return document


def _read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds one mapping."""
    try:
        # The loader derives from SafeLoader: no object of any other class can come out of it.
        data = yaml.load(path.read_text("utf-8"), Loader=_StrictLoader)  # noqa: S506
    except _Repeated as error:
        key, line = error.args
        raise fail("POLICY_DUPLICATE_KEY", file=path.name, key=key, line=line) from None
    except FileNotFoundError:
        raise fail("POLICY_NOT_FOUND", name=path.name, known="—") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise fail("POLICY_MALFORMED", file=path.name, why=f"{type(error).__name__}{where}") from None
    if not isinstance(data, dict):
        raise fail("POLICY_MALFORMED", file=path.name, why="a mapping is expected")
    return data
