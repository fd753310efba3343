"""YAML as people mean it: refuses what a plain loader accepts silently or crashes on."""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from bignas_tf import errors

_MOST_LEVELS = 50
_MOST_NODES = 100_000
_SHOWN = 40  # characters of a value that an error repeats
# What PyYAML raises at a value that does not fit its tag or an escape that is not a character.
_MISREAD = (LookupError, AttributeError, TypeError, ArithmeticError, ValueError)


class Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-5 as text; here it is the number that it is everywhere else.

    All that it cannot read is a `yaml.YAMLError` that says where.
    """

    _level = 0

    def get_single_node(self) -> yaml.Node | None:
        """Composes the whole document."""
        try:
            return super().get_single_node()
        except _MISREAD as error:
            raise _error(str(error), self.get_mark()) from error

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Makes the value of a node."""
        try:
            return super().construct_object(node, deep)
        except _MISREAD as error:
            kind = node.tag.rpartition(":")[2]
            shown = repr(node.value[:_SHOWN]) if isinstance(node, yaml.ScalarNode) else "this"
            raise _error(f"{shown} is not a valid {kind}", node.start_mark) from error

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Composes a node; PyYAML would recurse once a level until Python gives up."""
        if self._level == _MOST_LEVELS:
            _refuse(f"it is nested more than {_MOST_LEVELS} levels deep", self.peek_event())
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Puts in quotes whatever text `Loader` would read as a number."""


for _each in (Loader, _Dumper):
    _each.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"),
        list("-+0123456789"),
    )


def load(text: str) -> Any:
    """Reads one YAML document.

    Raises:
      yaml.YAMLError: it is not valid, has a value that its tag does not allow or that does not
        exist (2025-02-30), gives a key twice, is nested too deeply, or its aliases would repeat
        too much.
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


def dump(value: Any) -> str:
    """Writes plain data, in the order that it has, as `load` reads it; a value is one line."""
    return str(
        yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)
    )


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
    raise _error(problem, place.start_mark)


def _error(problem: str, mark: yaml.Mark) -> yaml.YAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _sequence(loader: Loader, node: yaml.SequenceNode) -> list[object]:
    return loader.construct_sequence(node, deep=True)


# The Model Garden writes tuples into params.yaml, such as the means of a segmenter's pixels.
Loader.add_constructor("tag:yaml.org,2002:python/tuple", _sequence)
