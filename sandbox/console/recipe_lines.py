"""Where in the text of a recipe a refusal points to."""

from __future__ import annotations

import yaml

from sandbox.console import plain_yaml
from sandbox.core.errors import SandboxError

NAMED = ("column", "source", "key")  # details that name something which stands in the text
LISTED = ("columns", "file")


def line_of(text: str, error: SandboxError) -> int | None:
    """The line, from 1, of the step, field or name that ``error`` tells of; None where it tells of none."""
    try:
        root = plain_yaml.compose(text)
    except yaml.MarkedYAMLError as found:
        mark = found.problem_mark or found.context_mark
        return min(mark.line, text.rstrip().count("\n")) + 1 if mark else None  # at the end: the last line
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    if root is None:
        return None
    told = error.details
    steps = _under(root, "steps")
    number = told.get("step")
    if isinstance(number, int) and isinstance(steps, yaml.SequenceNode) and 0 < number <= len(steps.value):
        step = steps.value[number - 1]
        found_in = _under(_under(step, "params"), str(told.get("field"))) or _under(
            step, str(told.get("field"))
        )
        return int((found_in or step).start_mark.line) + 1
    if error.code == "RECIPE_MALFORMED":
        return _along(root, str(told.get("field", "")))
    names = [str(told[name]) for name in NAMED if name in told]
    names += [one.strip() for name in LISTED if name in told for one in str(told[name]).split(",")]
    for node in plain_yaml.scalars(root):
        if node.value in names:
            return int(node.start_mark.line) + 1
    return None


def _under(node: yaml.Node | None, name: str) -> yaml.Node | None:
    """The value under a key of a mapping."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == name:
                return value  # type: ignore[no-any-return]
    return None


def _along(root: yaml.Node, path: str) -> int | None:
    """As far along ``steps.2.column`` as there is anything."""
    node, reached = root, None
    for part in path.split("."):
        if isinstance(node, yaml.SequenceNode) and part.isdigit() and int(part) < len(node.value):
            inner = node.value[int(part)]
        else:
            inner = _under(node, part)
        if inner is None:
            break
        node = reached = inner
    return int(reached.start_mark.line) + 1 if reached is not None else None
