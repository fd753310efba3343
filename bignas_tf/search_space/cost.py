"""What a child costs, read off the block table; one child or a whole array.

Multiply-adds count convolutions, squeeze-and-excite, the 1x1 convolutions of
skips, and the classifier. Parameters equal Keras' `count_params()`: batch
normalisation counts four vectors a layer (gamma, beta, mean, variance).
Peak activation bytes are the largest sum of float32 tensors alive at once
during any one operation, for one image: its input, its output, and a block's
input while the skip waits for it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

_FLOAT_BYTES = 4
_BATCH_NORM_VECTORS = 4


class Cost(NamedTuple):
    """Multiply-adds, parameters and peak activation bytes: ints, or int64 arrays [n]."""

    macs: Any
    params: Any
    peak_activation_bytes: Any


def count(
    space: SearchSpace, architecture: Architecture, num_classes: int, input_channels: int = 3
) -> Cost:
    """Counts one child.

    Raises:
      UsageError: the architecture lies outside the space.
    """
    costs = count_many(space, space.encode(architecture)[None], num_classes, input_channels)
    return Cost(*(int(column[0]) for column in costs))


def count_many(
    space: SearchSpace, codes: np.ndarray, num_classes: int, input_channels: int = 3
) -> Cost:
    """Counts many children at once.

    Args:
      space: the space the codes belong to.
      codes: integers, shape [n, space.code_length].
      num_classes: outputs of the classifier.
      input_channels: channels of the images.
    """
    table = blocks_lib.resolve(space, np.asarray(codes, np.int64).T)
    tally = _Tally()
    side = _strided(table.resolution, space.stem_stride)
    stem = side * side * table.stem_width
    tally.convolution(side, 9 * input_channels * table.stem_width, table.stem_width)
    tally.alive(table.resolution**2 * input_channels + stem)
    for block in table.blocks:
        side = _count_block(tally, block, side)
    tally.convolution(side, table.head_in_width * table.head_width, table.head_width)
    tally.alive(side * side * (table.head_in_width + table.head_width))
    tally.dense(table.head_width, num_classes)
    return Cost(tally.macs, tally.params, tally.peak * _FLOAT_BYTES)


class _Tally:
    """Running totals over the operations of n children."""

    def __init__(self) -> None:
        self.macs: Any = 0
        self.params: Any = 0
        self.peak: Any = 0

    def convolution(self, side: Any, weights: Any, width: Any, active: Any = 1) -> None:
        """A convolution without bias, with batch normalisation."""
        self.macs = self.macs + active * side * side * weights
        self.params = self.params + active * (weights + _BATCH_NORM_VECTORS * width)

    def dense(self, inputs: Any, outputs: Any, active: Any = 1) -> None:
        """A dense layer with bias."""
        self.macs = self.macs + active * inputs * outputs
        self.params = self.params + active * (inputs + 1) * outputs

    def alive(self, elements: Any) -> None:
        self.peak = np.maximum(self.peak, elements)


def _count_block(tally: _Tally, block: blocks_lib.Block, side: Any) -> Any:
    """Adds a block that reads maps of `side`; returns its output's side."""
    out_side = _strided(side, block.stride)
    active = np.asarray(block.active, np.int64)
    entering = side * side * block.in_width
    expanded, filtered = side * side * block.mid_width, out_side**2 * block.mid_width
    if block.expands:
        tally.convolution(side, block.in_width * block.mid_width, block.mid_width, active)
        tally.alive(active * (entering + expanded))
    tally.convolution(out_side, block.kernel**2 * block.mid_width, block.mid_width, active)
    held = entering if block.expands else 0
    tally.alive(active * (held + expanded + filtered))
    if not isinstance(block.se_width, int):
        tally.dense(block.mid_width, block.se_width, active)
        tally.dense(block.se_width, block.mid_width, active)
    tally.convolution(out_side, block.mid_width * block.out_width, block.out_width, active)
    tally.alive(active * (entering + filtered + out_side**2 * block.out_width))
    if block.projects:
        tally.convolution(out_side, block.in_width * block.out_width, block.out_width, active)
        # The residual's output waits while the skip is convolved.
        tally.alive(active * out_side**2 * (block.in_width + 2 * block.out_width))
    return out_side


def _strided(side: Any, stride: int) -> Any:
    return (side + stride - 1) // stride
