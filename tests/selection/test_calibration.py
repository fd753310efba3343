"""Calibration is that of all images at once, and of one child only."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.selection.calibration import PooledMoments
from tests.modeling import helpers
from tests.selection import digits


def _pool(groups: list[np.ndarray]) -> np.ndarray:
    pooled = PooledMoments()
    for group in groups:
        pooled.add(np.stack([group.mean(0), group.var(0)]).astype(np.float32))
    return pooled.result()


def _values(images: int = 60, channels: int = 5) -> np.ndarray:
    """Means that differ between images and channels: a mean of variances would be far off."""
    rng = np.random.default_rng(0)
    drift = np.linspace(-3, 3, images)[:, np.newaxis]
    return rng.normal(drift + np.arange(channels), 0.5, (images, channels))


@pytest.mark.parametrize("batches", [1, 4, 6, 60])
def test_pooled_moments_are_those_of_all_images(batches: int) -> None:
    values = _values()
    pooled = _pool(np.split(values, batches))
    assert pooled.dtype == np.float32
    np.testing.assert_allclose(pooled, [values.mean(0), values.var(0)], rtol=1e-5)


def test_the_order_of_batches_does_not_matter() -> None:
    groups = np.split(_values(), 6)
    np.testing.assert_allclose(_pool(groups), _pool(groups[::-1]), rtol=1e-6)


def test_a_constant_channel_has_no_negative_variance() -> None:
    groups = [np.full((4, 2), 1000.1)] * 3
    assert (_pool(groups)[1] >= 0).all()


def test_nothing_to_calibrate_on_is_an_error() -> None:
    with pytest.raises(ValueError, match="no batch to calibrate on"):
        PooledMoments().result()


def test_the_first_batch_norm_gets_the_moments_of_all_calibration_images() -> None:
    net = digits.supernet(within=digits.one_stage())
    child = net.space.with_resolution(net.space.biggest(), 9)
    statistics = digits.evaluator(net).statistics(child)
    (patches, _), *_ = digits.batches("train[:96]", 96)
    stem = tf.nn.conv2d(resize.resize_patches(patches, 9), net.stem_conv.kernel, 1, "SAME").numpy()
    width = child.stem_width
    np.testing.assert_allclose(statistics[0, :width], stem.mean((0, 1, 2)), atol=1e-5)
    np.testing.assert_allclose(statistics[1, :width], stem.var((0, 1, 2)), rtol=1e-4)


def test_a_child_before_leaves_no_trace_in_the_next() -> None:
    net = digits.supernet(within=digits.one_stage())
    shared = digits.evaluator(net)
    first, second = helpers.children_of(net.space, 2)
    before = shared.statistics(first)
    after = shared.statistics(second)
    np.testing.assert_array_equal(after, digits.evaluator(net).statistics(second))
    assert np.abs(before - after).max() > 0.1
