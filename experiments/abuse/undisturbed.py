"""What commands leave where nothing disturbs them."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
import time
from collections.abc import Sequence

from bignas_tf import files
from experiments import journal
from experiments.abuse import small_run, strays, trees
from experiments.abuse.small_run import Command, Place
from experiments.abuse.trees import Tree
from tests.forks import ROOT

_CODE = ("bignas_tf", "tools", "experiments", "tests")  # what results depend on


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """What commands took and left, one after another.

    Attributes:
      seconds: that each took.
      lines: how many each printed.
      added: bytes that the first added.
      right: what is right to find at the end; one of them is enough.
    """

    seconds: list[float]
    lines: list[int]
    added: int
    right: list[Tree]

    def difference(self, folder: pathlib.Path) -> str:
        """What is wrong with what is left in a folder, or still runs, in a line; "" if nothing."""
        found = trees.tree(folder)
        different = [trees.difference(right, found) for right in self.right]
        return strays.left(folder) if "" in different else different[0]


def once_or_twice(command: Command, place: Place) -> Undisturbed:
    """What a tool leaves.

    One that was disturbed when its work was done already does it once more, so the trees after one
    run and after two are both right.
    """
    return find(place, command.begins_with, (command, command), right_from=0)


def find(
    place: Place, parts: Sequence[str], commands: Sequence[Command], right_from: int
) -> Undisturbed:
    """Runs commands, in two tries; not again while the code stays as it is.

    Args:
      place: of the tries; it keeps what is found beside its finished run.
      parts: of the finished run, to begin with.
      commands: run one after another.
      right_from: the trees after the command of this number, from 0, and after each later one
        are right.
    """
    called = [dataclasses.asdict(command) for command in commands]
    kept = place.base / f"undisturbed_{journal.digest([code(), parts, called, right_from])}.json"
    if not kept.exists():
        first, second = (_try(place, parts, commands) for _ in range(2))
        agreed = [trees.agreeing(*pair) for pair in zip(first.right, second.right, strict=True)]
        found = dataclasses.replace(second, right=agreed[right_from:])
        files.write_json(kept, dataclasses.asdict(found))
    return Undisturbed(**files.read_json(kept))


def _try(place: Place, parts: Sequence[str], commands: Sequence[Command]) -> Undisturbed:
    """What is there after each command."""
    seconds, lines, sizes, left = [], [], [], []
    with place.begun(parts) as folder:
        before = trees.size(folder)
        for command in commands:
            began = time.monotonic()
            lines.append(small_run.end(command, folder))
            seconds.append(time.monotonic() - began)
            sizes.append(trees.size(folder))
            left.append(trees.tree(folder))
    return Undisturbed(seconds, lines, sizes[0] - before, left)


@functools.cache
def code() -> str:
    """A digest of the code: what is found depends on it."""
    digest = hashlib.sha256()
    for folder in _CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
