"""Depthwise convolution whose wide filters get their gradient from Eigen, not oneDNN.

On CPUs oneDNN is slow at the filter gradient of a depthwise convolution wider
than three columns: Eigen takes half to a quarter of its time at 5x5
(experiments/results/README.md). TensorFlow hands explicit padding to Eigen.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

_FAST_SIDE = 3  # the largest side at which oneDNN is the faster


def depthwise_conv2d(x: tf.Tensor, kernel: tf.Tensor, stride: int, largest: int) -> tf.Tensor:
    """`tf.nn.depthwise_conv2d` with SAME padding; gradients are equal but for rounding.

    Args:
      x: [N, H, W, C].
      kernel: [k, k, C, 1], k odd; k may be known at run time only.
      stride: 1 or 2.
      largest: the largest k that may come.

    Returns:
      [N, ceil(H / stride), ceil(W / stride), C].
    """
    strides = [1, stride, stride, 1]
    if not _pays(x, largest):
        return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME")

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            to_input = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x),
                filter=kernel,
                out_backprop=upstream,
                strides=strides,
                padding="SAME",
            )
            return to_input, _filter_gradient(x, upstream, kernel, strides, largest)

        return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME"), grad

    return convolve(x, kernel)


def _pays(x: tf.Tensor, largest: int) -> bool:
    """Whether filters may be wide, the processor is a CPU, and sizes are known to the trace."""
    known = x.shape[1] is not None and x.shape[2] is not None
    return largest > _FAST_SIDE and known and not tf.config.list_physical_devices("GPU")


def _filter_gradient(
    x: tf.Tensor, upstream: tf.Tensor, kernel: tf.Tensor, strides: list[int], largest: int
) -> tf.Tensor:
    """The gradient of a kernel: from Eigen where it is the largest, else from oneDNN."""
    filter_shape = tf.shape(kernel)

    def by_eigen() -> tf.Tensor:
        rows, columns = (_same_padding(side, largest, strides[1]) for side in x.shape[1:3])
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=x,
            filter_sizes=filter_shape,
            out_backprop=upstream,
            strides=strides,
            padding="EXPLICIT",
            explicit_paddings=[0, 0, *rows, *columns, 0, 0],
        )

    def by_onednn() -> tf.Tensor:
        return tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
            input=x,
            filter_sizes=filter_shape,
            out_backprop=upstream,
            strides=strides,
            padding="SAME",
        )

    if kernel.shape[0] is not None:
        return by_eigen() if kernel.shape[0] == largest else by_onednn()
    return tf.cond(filter_shape[0] == largest, by_eigen, by_onednn)


def _same_padding(size: int, side: int, stride: int) -> tuple[int, int]:
    """What SAME adds before and after (https://www.tensorflow.org/api_docs/python/tf/nn)."""
    total = max((-(-size // stride) - 1) * stride + side - size, 0)
    return total // 2, total - total // 2
