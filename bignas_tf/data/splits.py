"""TFDS' split notation ("train[:80%]+test") for any source whose splits' sizes are known."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow_datasets as tfds

from bignas_tf import errors

Piece = tuple[str, int, int]  # split name, first example, one past the last


def resolve(spec: str, sizes: Mapping[str, int], what: str) -> list[Piece]:
    """Turns a split string into ranges of examples.

    Args:
      spec: TFDS notation; percents or absolute numbers, joined by "+".
      sizes: number of examples of each split.
      what: names the data set in messages.

    Raises:
      UsageError: the notation or a split's name is wrong, or no example is left.
    """
    infos = {
        name: tfds.core.SplitInfo(name=name, shard_lengths=[size], num_bytes=0)
        for name, size in sizes.items()
    }
    try:
        instructions = tfds.core.ReadInstruction.from_spec(spec).to_absolute(infos)
    except (ValueError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise errors.UsageError(
            f"{what}: split {spec!r} cannot be read ({reason}); it has {dict(sizes)}"
        ) from error
    pieces = [
        (each.splitname, each.from_ or 0, sizes[each.splitname] if each.to is None else each.to)
        for each in instructions
    ]
    if count(pieces) < 1:
        raise errors.UsageError(f"{what}: split {spec!r} is empty; it has {dict(sizes)}")
    return pieces


def count(pieces: list[Piece]) -> int:
    """How many examples the ranges hold."""
    return sum(max(stop - start, 0) for _, start, stop in pieces)
