"""Masks, and the skip that slices or pads its channels."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers import elastic
from bignas_tf.layers.classifier import ElasticClassifier
from bignas_tf.layers.pointwise import ElasticPointwise


@pytest.mark.parametrize("width", [0, 2, 4])
def test_a_mask_keeps_the_lowest_channels(width: int) -> None:
    expected = np.array([1.0] * width + [0.0] * (4 - width), np.float32)
    for given in (width, tf.constant(width)):
        mask = elastic.mask(given, 4, tf.float32)
        np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize("width", [1, 3, 5])
def test_channels_are_cut_or_padded_to_fit(width: int) -> None:
    x = np.arange(1, 13, dtype=np.float32).reshape(1, 2, 2, 3)
    expected = np.zeros((1, 2, 2, width), np.float32)
    kept = min(width, 3)
    expected[..., :kept] = x[..., :kept]
    for given in (width, tf.constant(width)):
        np.testing.assert_array_equal(elastic.fit_channels(tf.constant(x), given), expected)


def test_weights_of_one_shape_start_different() -> None:
    first, second = ElasticPointwise(8, 8), ElasticPointwise(8, 8)
    assert not np.array_equal(first.kernel.numpy(), second.kernel.numpy())


def test_convolutions_start_with_variance_2_over_fan_out() -> None:
    kernel = ElasticPointwise(100, 200).kernel.numpy()
    # Of 20,000 draws the deviation is within 0.5% of its own expectation, one time in three
    # outside; 3% are six times that.
    assert np.std(kernel) == pytest.approx(np.sqrt(2 / 200), rel=0.03)


def test_a_classifier_starts_uniform_with_variance_1_over_three_fan_out() -> None:
    """As EfficientNet's does: from -1 to 1 over the root of its outputs."""
    kernel = ElasticClassifier(200, 100).kernel.numpy()
    assert np.abs(kernel).max() == pytest.approx(1 / np.sqrt(100), rel=0.01)
    assert np.std(kernel) == pytest.approx(np.sqrt(1 / 3 / 100), rel=0.03)
