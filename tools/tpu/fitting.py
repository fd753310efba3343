"""Compiles the requested batch and, if it does not fit, finds the largest that does."""

from __future__ import annotations

import bisect
import tempfile
from collections.abc import Callable
from typing import Any

from .environment import Compiler
from .lowering import Program

_TOO_LARGE = "out_of_memory"


def measure(
    program: Program, compiler: Compiler, images: int, unit: int = 1, search: bool = True
) -> dict[str, Any]:
    """What the compiler says of `images` a core, or of the largest smaller batch that fits.

    A batch is a multiple of `unit`: the images that a step computes at once. Without `search` no
    smaller batch is compiled.

    Returns:
      "out_of_memory": the compiler's message for `images`, None if they fit;
      "largest_batch": `images`, or what `largest_batch` finds; None if it was not searched for;
      "compiled": the compiler's figures for that batch, None if there are none.
    """
    compiled: dict[int, dict[str, Any]] = {}

    def fits(batch: int) -> bool:
        print(f"compiling {batch} images a core", flush=True)
        with tempfile.NamedTemporaryFile(suffix=".hlo") as hlo:
            hlo.write(program.lower(batch))
            hlo.flush()
            compiled[batch] = compiler.compile(hlo.name)
        return _TOO_LARGE not in compiled[batch]

    largest: int | None = images
    if not fits(images):
        largest = largest_batch(fits, images, unit) if search else None
    return {
        _TOO_LARGE: compiled[images].get(_TOO_LARGE),
        "largest_batch": largest,
        "compiled": compiled[largest] if largest else None,
    }


def largest_batch(fits: Callable[[int], bool], too_large: int, unit: int = 1) -> int:
    """The largest batch below `too_large` that fits, in eighths of it; 0 if none does.

    All tried are multiples of `unit`. Every try may take minutes: halving the interval makes them
    three.
    """
    step = max(too_large // 8 // unit, 1) * unit
    steps = range(1, -(-too_large // step))
    return step * bisect.bisect_left(steps, True, key=lambda number: not fits(number * step))
