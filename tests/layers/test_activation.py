"""The activation equals TensorFlow's, gradients included."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers import activation


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_values_and_gradients_are_bit_equal_to_tensorflows(dtype: tf.DType) -> None:
    rng = np.random.default_rng(0)
    # 100 and more: sigmoids of exactly 0 and 1 too.
    x = tf.constant(rng.normal(scale=40.0, size=(8, 50)), dtype)
    upstream = tf.constant(rng.normal(size=(8, 50)), dtype)

    def both(silu):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = silu(x)
        return y, tape.gradient(y, x, upstream)

    for ours, theirs in zip(both(activation.silu), both(tf.nn.silu), strict=True):
        assert ours.dtype == dtype
        np.testing.assert_array_equal(tf.cast(ours, tf.float32), tf.cast(theirs, tf.float32))
