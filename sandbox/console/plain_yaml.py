"""YAML as forms take it: what JSON can say, written in YAML; no anchors, no depths, no types of YAML's own.

Read with libyaml, where PyYAML was built with it (its wheels are): ten times as fast as the reader in Python.
The events are looked at before anything is built from them: an alias makes little text very large, and depth
is recursion.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

MOST_DEPTH = 40  # of lists and mappings in one another
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
_CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _Plain(_BASE):  # type: ignore[misc]
    """Dates stay text, as in JSON."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in rules if tag != "tag:yaml.org,2002:timestamp"]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def load(text: str) -> Any:
    """The value. Raises yaml.YAMLError, and ValueError for numbers that Python will not read."""
    _look(text)
    return yaml.load(text, _Plain)  # noqa: S506 - a safe loader


def compose(text: str) -> yaml.Node | None:
    """The nodes, with their places in the text; None for an empty text. Raises yaml.YAMLError."""
    _look(text)
    root: yaml.Node | None = yaml.compose(text, _Plain)
    return root


def scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """Every scalar in the order of the text."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from scalars(key)
            yield from scalars(value)
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from scalars(one)


def _look(text: str) -> None:
    depth = 0
    event: Any
    for event in yaml.parse(text, _BASE):
        where: Any = event.start_mark
        if isinstance(event, _OPENS):
            depth += 1
            if depth > MOST_DEPTH:
                raise yaml.MarkedYAMLError(None, None, "nested too deep", where)
        elif isinstance(event, _CLOSES):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            raise yaml.MarkedYAMLError(None, None, "an alias", where)
