"""The coarse grid: skeletons of global choices, the same for all layers (paper, Section 4.4)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from bignas_tf import errors
from bignas_tf.search_space.architecture import PER_LAYER, Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.config import SelectionConfig


def skeletons(space: SearchSpace, settings: SelectionConfig) -> Iterator[Architecture]:
    """Yields every combination of resolution, depth, width and kernels, each child once.

    Args:
      space: what may be chosen.
      settings: how to search.

    Raises:
      UsageError: a resolution that the space does not have.
    """
    for side in settings.resolutions:
        errors.require_one_of("one of task.selection.resolutions", side, space.eval_resolutions)
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


def _skeleton(
    space: SearchSpace, resolution: int, depth: float, width: float, pattern: str
) -> Architecture:
    depths = tuple(_pick(stage.depths, depth) for stage in space.stages)
    chosen = {
        name: [_pick(getattr(stage, name), width) for stage in space.stages] for name in PER_LAYER
    }
    chosen["kernels"] = [_kernel(space, stage, pattern) for stage in range(len(space.stages))]
    layers = {
        name: tuple((value,) * count for value, count in zip(values, depths, strict=True))
        for name, values in chosen.items()
    }
    return Architecture(
        resolution=resolution,
        stem_width=_pick(space.stem_widths, width),
        depths=depths,
        head_width=_pick(space.head_widths, width),
        **layers,
    )


def _pick(choices: tuple[int, ...], multiplier: float) -> int:
    return choices[round(multiplier * (len(choices) - 1))]


def _kernel(space: SearchSpace, stage: int, pattern: str) -> int:
    kernels, late = space.stages[stage].kernels, 2 * stage >= len(space.stages)
    large = pattern == "largest" or pattern == ("largest_late" if late else "largest_early")
    return max(kernels) if large else min(kernels)
