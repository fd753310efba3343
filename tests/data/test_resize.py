"""The device's resize equals TensorFlow's, and compiles where TensorFlow's does not."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import resize
from tests.data import samples


def _patches(size: int) -> tf.Tensor:
    return tf.constant(np.stack([each[:size, :size] for each in samples.pictures(4)]))


@pytest.mark.parametrize("size", [16, 20, 23, 24, 28, 32, 48])
def test_equals_bicubic_image_resize(size: int) -> None:
    patches = _patches(24)
    expected = tf.image.resize(tf.cast(patches, tf.float32) / 127.5 - 1, [size, size], "bicubic")
    np.testing.assert_allclose(resize.resize_patches(patches, size), expected, atol=1e-5)


@pytest.mark.parametrize("size", [20, 24, 32])
def test_a_side_may_be_known_only_when_the_graph_runs(size: int) -> None:
    resized = tf.function(
        lambda patches, side: resize.resize_to_one_of(patches, side, (32, 20, 24)),
        input_signature=[tf.TensorSpec([None, 24, 24, 3], tf.uint8), tf.TensorSpec([], tf.int32)],
    )
    found = resized(_patches(24), tf.constant(size))
    # The same products; a graph may only sum them in another order.
    np.testing.assert_allclose(found, resize.resize_patches(_patches(24), size), atol=1e-6)


def test_same_size_only_normalises() -> None:
    black_to_white = tf.constant([0, 255, 51], tf.uint8)[tf.newaxis, tf.newaxis, :, tf.newaxis]
    found = resize.resize_patches(tf.tile(black_to_white, [1, 3, 1, 1]), 3)
    np.testing.assert_allclose(found[0, 0, :, 0], [-1.0, 1.0, -0.6], atol=1e-6)


def test_compiles_under_xla() -> None:
    compiled = tf.function(lambda patches: resize.resize_patches(patches, 28), jit_compile=True)
    found = compiled(_patches(24))
    assert found.shape == (4, 28, 28, 3)
    # Sums of 24 products in another order.
    np.testing.assert_allclose(found, resize.resize_patches(_patches(24), 28), atol=1e-5)
