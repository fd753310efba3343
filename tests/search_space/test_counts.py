"""Channels are rounded as MobileNet rounds them, whatever the number is made of."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.search_space import counts


def _make_divisible(value: int, divisor: int) -> int:
    """As tensorflow/models, research/slim/nets/mobilenet/mobilenet.py has it."""
    new = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return new + divisor if new < 0.9 * value else new


@pytest.mark.parametrize("divisor", [1, 4, 8])
def test_it_rounds_as_mobilenet_does(divisor: int) -> None:
    values = list(range(1, 500))
    expected = [_make_divisible(value, divisor) for value in values]
    assert [counts.rounded(value, divisor) for value in values] == expected
    np.testing.assert_array_equal(counts.rounded(np.array(values), divisor), expected)
    np.testing.assert_array_equal(counts.rounded(tf.constant(values), divisor), expected)
