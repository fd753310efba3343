"""Activations by name, and the gates of squeeze-and-excite; see `search_space.style`."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


@tf.custom_gradient
def silu(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """`tf.nn.silu`, bit-equal forward and backward, in half as many operations of the graph.

    TensorFlow's is a swish with a factor, whose own gradient it computes too. A step
    has up to three in each block of each child, and tracing takes its time by operations.
    """

    def grad(upstream: tf.Tensor) -> tf.Tensor:
        # Computed again rather than kept from the forward pass: it is as large as x.
        with tf.control_dependencies([upstream]):
            gate = tf.sigmoid(x)
        return upstream * (gate * (1.0 + x * (1.0 - gate)))

    return x * tf.sigmoid(x), grad


def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    """MobileNetV3's piecewise linear sigmoid (https://arxiv.org/abs/1905.02244)."""
    return tf.nn.relu6(x + 3.0) * (1.0 / 6.0)


def hard_swish(x: tf.Tensor) -> tf.Tensor:
    """MobileNetV3's x times `hard_sigmoid(x)`."""
    return x * hard_sigmoid(x)


ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "swish": silu,
    "hard_swish": hard_swish,
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
}
GATES: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "sigmoid": tf.sigmoid,
    "hard_sigmoid": hard_sigmoid,
}
