"""Convolutions and gradients by other kernels give what TensorFlow's own give."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers.depthwise_gradient import depthwise_conv2d

LARGEST = 5


def _gradients(convolve, x, kernel, upstream):
    with tf.GradientTape() as tape:
        tape.watch([x, kernel])
        y = convolve(x, kernel)
    return y, tape.gradient(y, [x, kernel], upstream)


@pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
@pytest.mark.parametrize("side", [3, 7, 8])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("symmetric", [False, True], ids=["same", "symmetric"])
def test_gradients_equal_tensorflows(
    symmetric: bool, kernel: int, stride: int, side: int, known: bool
) -> None:
    rng = np.random.default_rng(kernel + stride + side)
    x = tf.constant(rng.normal(size=(4, side, side, 6)), tf.float32)
    weights = tf.constant(rng.normal(size=(kernel, kernel, 6, 1)), tf.float32)
    out = -(-side // stride)
    upstream = tf.constant(rng.normal(size=(4, out, out, 6)), tf.float32)

    def plain(x, weights):
        if symmetric:
            margin = kernel // 2
            padded = tf.pad(x, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
            return tf.nn.depthwise_conv2d(padded, weights, [1, stride, stride, 1], "VALID")
        return tf.nn.depthwise_conv2d(x, weights, [1, stride, stride, 1], "SAME")

    def ours(x, weights):
        return depthwise_conv2d(x, weights, stride, LARGEST, symmetric)

    spec = tf.TensorSpec(weights.shape if known else [None, None, None, 1])
    signature = [tf.TensorSpec(x.shape), spec, tf.TensorSpec(upstream.shape)]
    step = tf.function(
        lambda x, weights, upstream: _gradients(ours, x, weights, upstream),
        input_signature=signature,
    )
    y, gradients = step(x, weights, upstream)
    expected_y, expected = _gradients(plain, x, weights, upstream)
    # Sums of up to 256 products in another order: float32 rounding.
    np.testing.assert_allclose(y, expected_y, rtol=1e-5, atol=2e-5)
    for actual, wanted in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(actual, wanted, rtol=1e-5, atol=2e-5)


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="a GPU keeps its own way")
@pytest.mark.parametrize(("kernel", "paddings"), [(3, [b"SAME"]), (5, [b"EXPLICIT"])])
def test_only_wide_filters_go_another_way(kernel: int, paddings: list[bytes]) -> None:
    @tf.function(
        input_signature=[tf.TensorSpec([2, 8, 8, 4]), tf.TensorSpec([kernel, kernel, 4, 1])]
    )
    def step(x, weights):
        return _gradients(
            lambda x, w: depthwise_conv2d(x, w, 1, LARGEST, False), x, weights, tf.ones_like(x)
        )

    operations = step.get_concrete_function().graph.get_operations()
    found = [
        op.get_attr("padding")
        for op in operations
        if op.type == "DepthwiseConv2dNativeBackpropFilter"
    ]
    assert found == paddings
