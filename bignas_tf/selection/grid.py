"""The coarse grid: skeletons of global choices, the same for all layers (paper, Section 4.4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

KERNEL_PATTERNS = ("smallest", "largest", "largest_early", "largest_late")


def skeletons(space: SearchSpace, settings: Any) -> Iterator[Architecture]:
    """Yields every combination of resolution, depth, width and kernels, each child once.

    Args:
      space: what may be chosen.
      settings: the run's `SelectionConfig`.

    Raises:
      UsageError: a kernel pattern or a multiplier that does not exist.
    """
    _check(settings)
    seen = set()
    for resolution, depth, width, pattern in itertools.product(
        settings.resolutions or space.eval_resolutions,
        settings.depth_multipliers,
        settings.width_multipliers,
        settings.kernel_patterns,
    ):
        skeleton = _skeleton(space, resolution, depth, width, pattern)
        if skeleton not in seen:
            seen.add(skeleton)
            yield skeleton


def _check(settings: Any) -> None:
    for pattern in settings.kernel_patterns:
        if pattern not in KERNEL_PATTERNS:
            raise errors.UsageError(
                f"selection.kernel_patterns has {pattern!r}; choose from {list(KERNEL_PATTERNS)}"
            )
    for name in ("depth_multipliers", "width_multipliers"):
        for value in getattr(settings, name):
            if not 0 <= value <= 1:
                raise errors.UsageError(f"selection.{name} has {value!r}; they run from 0 to 1")


def _skeleton(
    space: SearchSpace, resolution: int, depth: float, width: float, pattern: str
) -> Architecture:
    depths = tuple(_pick(stage.depths, depth) for stage in space.stages)
    stages = range(len(space.stages))
    return Architecture(
        resolution=resolution,
        stem_width=_pick(space.stem_widths, width),
        depths=depths,
        kernels=tuple((_kernel(space, i, pattern),) * depths[i] for i in stages),
        widths=tuple((_pick(space.stages[i].widths, width),) * depths[i] for i in stages),
        expands=tuple((_pick(space.stages[i].expands, width),) * depths[i] for i in stages),
        head_width=_pick(space.head_widths, width),
    )


def _pick(choices: tuple[int, ...], multiplier: float) -> int:
    return choices[round(multiplier * (len(choices) - 1))]


def _kernel(space: SearchSpace, stage: int, pattern: str) -> int:
    kernels, late = space.stages[stage].kernels, 2 * stage >= len(space.stages)
    large = pattern == "largest" or pattern == ("largest_late" if late else "largest_early")
    return max(kernels) if large else min(kernels)
