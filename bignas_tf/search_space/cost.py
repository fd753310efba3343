"""What a child costs, read off the block table; one child or a whole array.

Multiply-adds count convolutions, squeeze-and-excite, the 1x1 convolutions of
skips, and those of the head. Parameters equal Keras' `count_params()`: batch
normalisation counts four vectors a layer (gamma, beta, mean, variance).
Peak activation bytes are the largest sum of float32 tensors alive at once
during any one operation, for one image: its input, its output, and a block's
input while the skip waits for it. A convolution pads within itself, as LiteRT's
XNNPACK runs it; a runtime that stores the padded image first takes more.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.counts import Count
from bignas_tf.search_space.space import SearchSpace

_FLOAT_BYTES = 4
_BATCH_NORM_VECTORS = 4
# With this many children at a time the few arrays in use (32 KB each) stay in a core's cache.
_CHUNK = 4096


class Cost(NamedTuple):
    """Multiply-adds, parameters and peak activation bytes: ints, or int64 arrays [n]."""

    macs: Count
    params: Count
    peak_activation_bytes: Count


def plain(cost: Cost) -> Cost:
    """The cost of one child as Python's integers: NumPy's, which a user may count with, fit into
    no JSON.
    """
    return Cost(*map(int, cost))


def count(
    space: SearchSpace, architecture: Architecture, num_classes: int, input_channels: int = 3
) -> Cost:
    """Counts one child.

    Raises:
      UsageError: the architecture is outside the space.
    """
    costs = count_many(space, space.encode(architecture)[None], num_classes, input_channels)
    return plain(Cost(*(column[0] for column in costs)))


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
    codes = np.asarray(codes)
    chunks = [
        _count_chunk(space, codes[start : start + _CHUNK], num_classes, input_channels)
        for start in range(0, len(codes) or 1, _CHUNK)
    ]
    return Cost(*map(np.concatenate, zip(*chunks, strict=True)))


def _count_chunk(
    space: SearchSpace, codes: np.ndarray, num_classes: int, input_channels: int
) -> Cost:
    # One contiguous row a gene: every operation below then runs through its arrays in order.
    table = blocks_lib.resolve(space, codes.T.astype(np.int64, order="C"))
    total = _Tally()
    side = blocks_lib.strided(table.resolution, space.stem_stride)
    area = side * side
    total.convolution(area, 9 * input_channels * table.stem_width, table.stem_width)
    total.alive(table.resolution**2 * input_channels + area * table.stem_width)
    for block in table.blocks:
        out_side = blocks_lib.strided(side, block.stride)
        total.add_if(block.active, _count_block(block, side * side, out_side * out_side))
        side = out_side
    area = side * side
    pooled = table.head_conv_width
    total.convolution(area, table.head_in_width * pooled, pooled)
    total.alive(area * (table.head_in_width + pooled))
    if space.style.head == "mixed":
        total.product(pooled * table.head_width)
    total.dense(table.head_width, num_classes)
    return Cost(total.macs, total.params, total.peak * _FLOAT_BYTES)


class _Tally:
    """Running totals over the operations of n children."""

    def __init__(self) -> None:
        self.macs: Count = 0
        self.params: Count = 0
        self.peak: Count = 0

    def convolution(self, area: Count, weights: Count, width: Count) -> None:
        """A convolution without bias, with batch normalisation; `area` is its output's."""
        self.product(weights, area)
        self.params += _BATCH_NORM_VECTORS * width

    def product(self, weights: Count, area: Count = 1) -> None:
        """A convolution without bias and without batch normalisation."""
        self.macs += area * weights
        self.params += weights

    def dense(self, inputs: Count, outputs: Count) -> None:
        """A dense layer with bias."""
        self.product(inputs * outputs)
        self.params += outputs

    def alive(self, elements: Count) -> None:
        self.peak = np.maximum(self.peak, elements)

    def add_if(self, active: np.ndarray, other: _Tally) -> None:
        """Adds what another tally counted, for the children where `active` is true."""
        factor = active.astype(np.int64)
        self.macs += factor * other.macs
        self.params += factor * other.params
        self.alive(factor * other.peak)


def _count_block(block: blocks_lib.Block, in_area: Count, out_area: Count) -> _Tally:
    """Counts a block that reads maps of `in_area` pixels and writes `out_area`."""
    tally = _Tally()
    entering, expanded = in_area * block.in_width, in_area * block.mid_width
    waiting = entering * _waits(block)
    filtered, leaving = out_area * block.mid_width, out_area * block.out_width
    if block.expands:
        tally.convolution(in_area, block.in_width * block.mid_width, block.mid_width)
        tally.alive(entering + expanded)
    tally.convolution(out_area, block.kernel**2 * block.mid_width, block.mid_width)
    held = waiting if block.expands else 0
    tally.alive(held + expanded + filtered)
    if not isinstance(block.se_width, int):
        tally.dense(block.mid_width, block.se_width)
        tally.dense(block.se_width, block.mid_width)
    tally.convolution(out_area, block.mid_width * block.out_width, block.out_width)
    tally.alive(waiting + filtered + leaving)
    _count_skip(tally, block, out_area)
    return tally


def _waits(block: blocks_lib.Block) -> Count:
    """Whether a block's input waits for its residual."""
    if block.skip == "equal":
        return block.in_width == block.out_width
    return block.skip != "none"


def _count_skip(tally: _Tally, block: blocks_lib.Block, area: Count) -> None:
    """Counts the 1x1 convolution of a skip, if it has one."""
    weights = block.in_width * block.out_width
    # The residual's output waits while the skip is convolved.
    alive = area * block.in_width + 2 * area * block.out_width
    if block.skip == "projected":
        tally.convolution(area, weights, block.out_width)
        tally.alive(alive)
    elif block.skip == "matched":
        skip = _Tally()
        skip.product(weights, area)
        skip.alive(alive)
        tally.add_if(block.in_width != block.out_width, skip)
