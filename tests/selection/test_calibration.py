"""Calibration is that of all images at once, and of one child only."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.selection import calibration
from bignas_tf.selection.evaluator import Evaluator
from tests.modeling import helpers
from tests.selection import digits


def _pool(groups: list[np.ndarray]) -> np.ndarray:
    moments = np.stack([[group.mean(0), group.var(0)] for group in groups]).astype(np.float32)
    return _pooled(tf.constant(moments)).numpy()


@tf.function(autograph=False)
def _pooled(moments: tf.Tensor) -> tf.Tensor:
    totals = calibration.no_moments(moments.shape[-1])
    totals = calibration.add(totals, moments, tf.shape(moments)[0])
    return calibration.statistics(totals, moments.shape[0])


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


def test_graphs_add_in_the_order_of_the_batches() -> None:
    """Equal means make ties in float64, which another order would round to other values."""
    rng = np.random.default_rng(0)
    moments = rng.normal(size=(1, 2, 5000)) + 1e-8 * rng.normal(size=(2, 2, 5000))
    moments = np.abs(moments).astype(np.float32)
    mean, square = np.zeros([2, 5000])
    for own, variance in moments.astype(np.float64):
        mean = mean + own
        square = square + variance + own**2
    expected = [mean / 2, square / 2 - (mean / 2) ** 2]
    pooled = _pooled(tf.constant(moments)).numpy()
    np.testing.assert_array_equal(pooled, np.asarray(expected, np.float32))


def test_a_constant_channel_has_no_negative_variance() -> None:
    groups = [np.full((4, 2), 1000.1)] * 3
    assert (_pool(groups)[1] >= 0).all()


def test_nothing_to_calibrate_on_is_an_error() -> None:
    net = digits.supernet(within=digits.one_stage())
    with pytest.raises(ValueError, match="no batch to calibrate on"):
        Evaluator(net, []).statistics(net.space.smallest())


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
