"""Small changes of the code that tests should notice: a sample of all that Cosmic Ray knows."""

from __future__ import annotations

import ast
import collections
import dataclasses
import pathlib
import random
from collections.abc import Iterator, Sequence

Position = tuple[tuple[int, int], tuple[int, int]]  # line and column of the first and the last


@dataclasses.dataclass(frozen=True)
class CodeMutant:
    """One change of one file.

    Attributes:
      path: of the file, from the root of the repository.
      operator: Cosmic Ray's name of the kind of change.
      occurrence: which one of this kind in the file, from 0.
      line: that it changes, from 1.
    """

    path: str
    operator: str
    occurrence: int
    line: int


def sample(root: pathlib.Path, folders: Sequence[str], count: int, seed: int) -> list[CodeMutant]:
    """Draws places in the code, and one change at each.

    All changes of one family at one place count as one, so that an operator which has eleven
    replacements is not drawn eleven times as often as a number.

    Args:
      root: of the repository.
      folders: whose files are changed, from the root.
      count: how many mutants at most.
      seed: of what is drawn.
    """
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    places: dict[tuple[str, str, Position], list[CodeMutant]] = collections.defaultdict(list)
    for path in files:
        for family, position, mutant in _all(root, path):
            places[mutant.path, family, position].append(mutant)
    rng = random.Random(seed)
    drawn = rng.sample(sorted(places), min(count, len(places)))
    return [rng.choice(places[place]) for place in drawn]


def changed(source: str, mutant: CodeMutant) -> str:
    """The file's text with the change."""
    from cosmic_ray import mutating, plugins

    text = mutating.mutate_code(source, plugins.get_operator(mutant.operator)(), mutant.occurrence)
    if text is None:
        raise ValueError(f"{mutant} changes nothing: the file is not the one that was sampled")
    return text


def _all(root: pathlib.Path, path: pathlib.Path) -> Iterator[tuple[str, Position, CodeMutant]]:
    """Each change of a file with its family and its place; none of annotations."""
    from cosmic_ray import plugins
    from cosmic_ray.ast import ast_nodes, get_ast

    source = path.read_text()
    nodes = list(ast_nodes(get_ast(source)))
    left_alone = list(annotated(source))
    for name in plugins.operator_names():
        operator = plugins.get_operator(name)
        if operator.arguments():  # for names that its user gives
            continue
        positions = (each for node in nodes for each in operator().mutation_positions(node))
        for occurrence, position in enumerate(positions):
            start, end = position
            if not any(first <= start and end <= last for first, last in left_alone):
                mutant = CodeMutant(str(path.relative_to(root)), name, occurrence, start[0])
                yield name.split("_")[0], (tuple(start), tuple(end)), mutant


def annotated(source: str) -> Iterator[Position]:
    """Where the annotations of a file stand, which nothing evaluates."""
    for node in ast.walk(ast.parse(source)):
        for field in ("annotation", "returns"):
            found = getattr(node, field, None)
            if isinstance(found, ast.expr):
                last = (found.end_lineno or found.lineno, found.end_col_offset or 0)
                yield (found.lineno, found.col_offset), last
