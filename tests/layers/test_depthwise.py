"""A smaller depthwise kernel is the centre of the largest."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers import depthwise, elastic


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
@pytest.mark.parametrize("side", [8, 9])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("symmetric", [False, True], ids=["same", "symmetric"])
def test_smaller_kernels_see_the_same_centres(
    symmetric: bool, kernel: int, stride: int, side: int, masked: bool
) -> None:
    layer = depthwise.ElasticDepthwise(2, 5, stride, symmetric)
    # A kernel that copies its centre: whatever its side, the output is the strided input.
    layer.kernel.assign(tf.reshape(tf.one_hot([12, 12], 25, axis=0), [5, 5, 2, 1]))
    x = np.random.default_rng(0).normal(size=(1, side, side, 2)).astype(np.float32)
    forward = elastic.Pass(masked=masked)
    y = layer(tf.constant(x), tf.constant(kernel), tf.constant(2), forward)
    # With stride 2 SAME padding starts an even side at its second pixel, symmetric never does.
    start = 1 if stride == 2 and side % 2 == 0 and not symmetric else 0
    np.testing.assert_array_equal(y, x[:, start::stride, start::stride])


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_a_kernel_counts_its_neighbours(kernel: int, masked: bool) -> None:
    layer = depthwise.ElasticDepthwise(1, 5, 1, symmetric=False)
    layer.kernel.assign(tf.ones([5, 5, 1, 1]))
    x = tf.ones([1, 7, 7, 1])
    forward = elastic.Pass(masked=masked)
    y = layer(x, tf.constant(kernel), tf.constant(1), forward)
    assert y[0, 3, 3, 0] == kernel**2
    corner = kernel // 2 + 1
    assert y[0, 0, 0, 0] == corner**2


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
@pytest.mark.parametrize("kernel", [3, 5, 7])
def test_matrices_and_their_gradients_are_those_of_the_products(kernel: int, masked: bool) -> None:
    layer, rng = depthwise.ElasticDepthwise(3, 7, 1, False, (5, 3)), np.random.default_rng(0)
    for weight in layer.trainable_weights:
        weight.assign(rng.normal(size=weight.shape))
    x = tf.constant(rng.normal(size=(2, 9, 9, 3)), tf.float32)
    seen = tf.constant(rng.normal(size=x.shape), tf.float32)  # each output counts differently

    def expected() -> tf.Tensor:
        made = layer.kernel
        for side, matrix in zip((5, 3), layer.matrices, strict=True):
            if side >= kernel:
                centre = tf.reshape(made[1:-1, 1:-1], [side**2, 3])
                made = tf.reshape(matrix @ centre, [side, side, 3, 1])
        return tf.nn.depthwise_conv2d(x, made, [1, 1, 1, 1], "SAME")

    forward = elastic.Pass(masked=masked)
    found = []
    for run in (lambda: layer(x, tf.constant(kernel), tf.constant(3), forward), expected):
        with tf.GradientTape() as tape:
            y = run()
            loss = tf.reduce_sum(y * seen)
        zero = tf.UnconnectedGradients.ZERO
        weights = layer.trainable_weights
        found.append([y, *tape.gradient(loss, weights, unconnected_gradients=zero)])
    for ours, right in zip(*found, strict=True):
        scale = max(1.0, float(tf.reduce_max(tf.abs(right))))
        # Sums of some hundred products in another order.
        np.testing.assert_allclose(ours, right, rtol=0, atol=1e-5 * scale)
