"""Squeeze-and-excite in bfloat16."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from bignas_tf.layers import elastic, squeeze_excite

IMAGES, WIDTH = 1024, 4


def _bias_gradient(policy: str) -> np.ndarray:
    """Of the same image many times over, so that each adds as much."""
    layer = squeeze_excite.ElasticSqueezeExcite(WIDTH, 2, gate_name="hard_sigmoid", dtype=policy)
    with tf.GradientTape() as tape:
        y = layer(tf.ones([IMAGES, 1, 1, WIDTH]), WIDTH, 2, elastic.Pass())
        total = tf.reduce_sum(tf.cast(y, tf.float32))
    return tape.gradient(total, layer.expand_bias).numpy()


def test_every_image_moves_a_bias_in_bfloat16() -> None:
    """In a sum of equal numbers in bfloat16 each from the 257th on would be rounded away."""
    # bfloat16 keeps 8 bits of an image's gradient.
    np.testing.assert_allclose(
        _bias_gradient("mixed_bfloat16"), _bias_gradient("float32"), rtol=0.01
    )
