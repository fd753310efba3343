"""Costs against the paper and against a count by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Stage
from bignas_tf.search_space.space import SearchSpace
from tests.search_space import spaces


@pytest.mark.parametrize("space", [presets.bignas_imagenet(), spaces.tiny()], ids=lambda s: s.name)
def test_counting_many_equals_counting_each(space: SearchSpace) -> None:
    rng = np.random.default_rng(0)
    children = [space.sample(rng) for _ in range(50)]
    codes = np.array([space.encode(child) for child in children])
    many = cost.count_many(space, codes, num_classes=10, input_channels=1)
    for index, child in enumerate(children):
        one = cost.count(space, child, num_classes=10, input_channels=1)
        assert one == tuple(column[index] for column in many)
        assert all(type(value) is int for value in one)


@pytest.mark.parametrize("number", [0, 1, 4095, 4096, 4097, 10_000])
def test_the_chunks_of_a_long_array_are_seamless(number: int) -> None:
    space = spaces.tiny()
    rng = np.random.default_rng(0)
    distinct = np.stack([rng.choice(choices, 7) for choices in space.genes], axis=1)
    columns = cost.count_many(space, distinct, num_classes=10)
    repeated = cost.count_many(space, np.resize(distinct, (number, space.code_length)), 10)
    for column, long in zip(columns, repeated, strict=True):
        assert long.dtype == np.int64
        np.testing.assert_array_equal(long, np.resize(column, number))


def _by_hand() -> SearchSpace:
    return SearchSpace(
        name="by hand",
        stem_widths=(4,),
        stem_stride=2,
        stages=(Stage((6,), (1, 2), (3,), expands=(2,), stride=2),),
        head_widths=(10,),
        train_resolutions=(8,),
        eval_resolutions=(7, 8),
        base_resolution=8,
    )


def test_a_count_by_hand() -> None:
    """One block, 8x8 grey images, 5 classes. A batch norm of c channels has 4c parameters.

    part        side   multiply-adds        parameters          elements alive
    stem 3x3    8>4    16 * 9*1*4 = 576     36 + 16 = 52        64 + 64
    expand      4      16 * 4*8 = 512       32 + 32 = 64        64 + 128
    depthwise   4>2    4 * 9*8 = 288        72 + 32 = 104       64 + 128 + 32 = 224
    gate, 1 unit       8*1 + 1*8 = 16       9 + 16 = 25
    project     2      4 * 8*6 = 192        48 + 24 = 72        64 + 32 + 24
    skip        2      4 * 4*6 = 96         24 + 24 = 48
    head        2      4 * 6*10 = 240       60 + 40 = 100       24 + 40
    classifier         10*5 = 50            50 + 5 = 55
    total              1970                 520                 at most 224, of 4 bytes
    """
    space = _by_hand()
    assert cost.count(space, space.smallest(), num_classes=5, input_channels=1) == (1970, 520, 896)


def test_a_second_block_by_hand() -> None:
    """The block above, then one of 6 channels at side 2 with 12 in the middle.

    expand 4 * 6*12 = 288, depthwise 4 * 9*12 = 432, gate of 6 // 4 = 1 unit 12 + 12 = 24,
    project 4 * 12*6 = 288; no convolution in the skip.
    Parameters: 72 + 48, 108 + 48, (12 + 1) + (12 + 12), 72 + 24.
    """
    space = _by_hand()
    counted = cost.count(space, space.biggest(), num_classes=5, input_channels=1)
    assert counted == (1970 + 288 + 432 + 24 + 288, 520 + 120 + 156 + 37 + 96, 896)


def test_most_may_be_alive_while_a_skip_is_convolved() -> None:
    """Of a block that widens 4 channels to 16 at side 4: its input, its output and the skip's."""
    space = dataclasses.replace(
        _by_hand(), stages=(Stage((16,), (1,), (3,), expands=(1,), se_ratio=0.0),)
    )
    counted = cost.count(space, space.smallest(), num_classes=5, input_channels=1)
    assert counted.peak_activation_bytes == 4 * 16 * (4 + 16 + 16)


def test_most_may_be_alive_while_an_input_waits_for_a_block_that_does_not_expand() -> None:
    """Of the second of two blocks of 4 channels at side 4: its input, what it filters, its output.

    It has no expanded tensor of its own: its depthwise convolution reads the input.
    """
    stage = Stage((4,), (2,), (3,), expands=(1,), se_ratio=0.0)
    space = dataclasses.replace(_by_hand(), stages=(stage,), head_widths=(6,))
    counted = cost.count(space, space.smallest(), num_classes=5, input_channels=1)
    assert counted.peak_activation_bytes == 4 * 16 * (4 + 4 + 4)


def test_odd_sides_are_halved_upwards() -> None:
    # 7 becomes 4 as 8 does, so that only the stem's input, never the peak, is smaller.
    space = _by_hand()
    odd = space.with_resolution(space.smallest(), 7)
    assert cost.count(space, odd, 5, 1) == cost.count(space, space.smallest(), 5, 1)


def test_what_lies_outside_is_refused() -> None:
    space = spaces.tiny()
    outside = dataclasses.replace(space.smallest(), head_width=17)
    with pytest.raises(errors.UsageError, match="head_width"):
        cost.count(space, outside, 10)
