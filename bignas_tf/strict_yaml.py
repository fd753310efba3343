"""YAML as people mean it: refuses what a plain loader accepts silently or crashes on."""

from __future__ import annotations

import re
from typing import Any

import yaml

from bignas_tf import errors

_MOST_LEVELS = 50
_MOST_NODES = 100_000


class Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-5 as text; here it is the number that it is everywhere else."""

    _level = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Composes a node; PyYAML would recurse once a level until Python gives up."""
        if self._level == _MOST_LEVELS:
            _refuse(f"it is nested more than {_MOST_LEVELS} levels deep", self.peek_event())
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def load(text: str) -> Any:
    """Reads one YAML document.

    Raises:
      yaml.YAMLError: it is not valid, gives a key twice, is nested too deeply, or its aliases
        would repeat too much.
      ValueError: a date or a number that does not exist, such as 2025-02-30.
    """
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {})
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _count(node: yaml.Node, counted: dict[int, int]) -> int:
    """The number of nodes with every alias written out; refuses keys that are given twice."""
    if id(node) in counted:
        return counted[id(node)]
    # What an anchor holds is not counted yet when an alias within it is met.
    counted[id(node)] = _MOST_NODES
    parts: list[yaml.Node] = []
    if isinstance(node, yaml.SequenceNode):
        parts = node.value
    elif isinstance(node, yaml.MappingNode):
        _check_keys(node)
        parts = [each for pair in node.value for each in pair]
    total = 1
    for part in parts:
        total += _count(part, counted)
        if total > _MOST_NODES:
            _refuse(f"its aliases repeat more than {_MOST_NODES:,} values", node)
    counted[id(node)] = total
    return total


def _check_keys(node: yaml.MappingNode) -> None:
    seen = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if (key.tag, key.value) in seen:
            _refuse(
                f"the key {errors.shown(key.value)} is given twice; the first value would be lost",
                key,
            )
        seen.add((key.tag, key.value))


def _refuse(problem: str, place: Any) -> None:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=place.start_mark)
