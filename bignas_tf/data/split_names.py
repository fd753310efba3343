"""TFDS' split notation ("train[:80%]+test") for any source whose splits' sizes are known."""

from __future__ import annotations

import re
from collections.abc import Mapping

import tensorflow_datasets as tfds

from bignas_tf import errors
from bignas_tf.data import folders

Piece = tuple[str, int, int]  # split name, first example, one past the last
# The split of a source that has only one. TFDS reads this name as every split, and refuses slices.
ALL = folders.ONLY_SPLIT
_STAND_IN = "the_split_called_all"


def resolve(spec: str, sizes: Mapping[str, int], what: str) -> list[Piece]:
    """Turns a split string into ranges of examples.

    Args:
      spec: TFDS notation; percents or absolute numbers, joined by "+".
      sizes: number of examples of each split.
      what: names the data set in messages.

    Raises:
      UsageError: the notation or a split's name is wrong, or no example is left.
    """
    pieces = _pieces(spec, sizes, what)
    if _count(pieces) < 1:
        raise errors.UsageError(f"{what}: split {spec!r} is empty; it has {dict(sizes)}")
    return pieces


def _pieces(spec: str, sizes: Mapping[str, int], what: str) -> list[Piece]:
    if re.search(r"\[[^]]*shard", spec):
        raise errors.UsageError(
            f"{what}: split {spec!r} counts shards; count images or percents, as in 'train[:90%]'"
        )
    names = {_STAND_IN if split == ALL else split: split for split in sizes}
    known = spec
    if ALL in sizes:
        known = re.sub(rf"(?<![\w-]){ALL}(?![\w-])", _STAND_IN, spec)
    infos = {
        name: tfds.core.SplitInfo(name=name, shard_lengths=[sizes[split]], num_bytes=0)
        for name, split in names.items()
    }
    try:
        instructions = tfds.core.ReadInstruction.from_spec(known).to_absolute(infos)
    except (ValueError, AssertionError, NotImplementedError) as error:
        reason = re.sub(rf"\b{_STAND_IN}\b", ALL, errors.one_line(error))
        raise errors.UsageError(
            f"{what}: split {spec!r} cannot be read ({reason}); it has {dict(sizes)}"
        ) from error
    pieces = []
    for each in instructions:
        split = names[each.splitname]
        pieces.append((split, each.from_ or 0, sizes[split] if each.to is None else each.to))
    return pieces


def _count(pieces: list[Piece]) -> int:
    """How many examples the ranges hold."""
    return sum(max(stop - start, 0) for _, start, stop in pieces)
