"""Depthwise convolutions with the kernels that are fastest on a CPU.

oneDNN is slow at the filter gradient of a depthwise convolution wider than three columns, and
does not support explicit padding. Eigen, which TensorFlow takes for explicit padding, needs a
quarter to half of the time for that gradient at 5x5, and less for a stride of 2 going forward. For
the gradient of the input oneDNN is faster (experiments/results/README.md).
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from bignas_tf.layers import elastic

_FAST_SIDE = 3  # the largest side at which oneDNN is faster


def depthwise_conv2d(
    x: tf.Tensor, kernel: tf.Tensor, stride: int, largest: int, symmetric: bool
) -> tf.Tensor:
    """`tf.nn.depthwise_conv2d`; results and gradients are equal but for rounding.

    Args:
      x: [N, H, W, C].
      kernel: [k, k, C, 1], k odd; k may be known only at run time.
      stride: 1 or 2.
      largest: the largest possible k.
      symmetric: pad every side by k // 2; else as SAME does.

    Returns:
      [N, ceil(H / stride), ceil(W / stride), C].
    """
    strides = [1, stride, stride, 1]
    if symmetric:
        return _symmetric(x, kernel, strides, largest)
    if not _pays(x, largest, stride):
        return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME")

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            to_input = tf.nn.depthwise_conv2d_backprop_input(
                tf.shape(x), kernel, upstream, strides, "SAME"
            )
            return to_input, _same_filter_gradient(x, upstream, kernel, strides, largest)

        return tf.nn.depthwise_conv2d(x, kernel, strides, "SAME"), grad

    return convolve(x, kernel)


def _symmetric(x: tf.Tensor, kernel: tf.Tensor, strides: list[int], largest: int) -> tf.Tensor:
    """Pads by half the kernel; explicit paddings must be known to the trace."""
    if kernel.shape[0] is not None:
        return _explicit(x, kernel, strides, kernel.shape[0])
    side = tf.shape(kernel)[0]

    def by_onednn() -> tf.Tensor:
        padded = tf.pad(x, elastic.symmetric_padding(side))
        return tf.nn.depthwise_conv2d(padded, kernel, strides, "VALID")

    return tf.cond(side == largest, lambda: _explicit(x, kernel, strides, largest), by_onednn)


def _explicit(x: tf.Tensor, kernel: tf.Tensor, strides: list[int], side: int) -> tf.Tensor:
    padding, margin = elastic.symmetric_padding(side), side // 2
    if _on_gpu():
        return tf.nn.depthwise_conv2d(x, kernel, strides, padding)

    @tf.custom_gradient
    def convolve(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def grad(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            shape = tf.shape(x)
            padded = tf.add(shape, [0, 2 * margin, 2 * margin, 0])
            to_padded = tf.nn.depthwise_conv2d_backprop_input(
                padded, kernel, upstream, strides, "VALID"
            )
            to_input = tf.slice(to_padded, [0, margin, margin, 0], shape)
            to_kernel = tf.nn.depthwise_conv2d_backprop_filter(
                x, tf.shape(kernel), upstream, strides, padding
            )
            return to_input, to_kernel

        return tf.nn.depthwise_conv2d(x, kernel, strides, padding), grad

    return convolve(x, kernel)


def _pays(x: tf.Tensor, largest: int, stride: int) -> bool:
    """Whether filters may be wide, on a CPU, and what SAME adds is known to the trace."""
    known = stride == 1 or (x.shape[1] is not None and x.shape[2] is not None)
    return largest > _FAST_SIDE and known and not _on_gpu()


def _on_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))


def _same_filter_gradient(
    x: tf.Tensor, upstream: tf.Tensor, kernel: tf.Tensor, strides: list[int], largest: int
) -> tf.Tensor:
    """The gradient of a kernel: from Eigen where it is the largest, else from oneDNN."""
    filter_shape = tf.shape(kernel)

    def gradient(padding: str | list[list[int]]) -> tf.Tensor:
        return tf.nn.depthwise_conv2d_backprop_filter(x, filter_shape, upstream, strides, padding)

    def by_eigen() -> tf.Tensor:
        sides = [_same_padding(side, largest, strides[1]) for side in x.shape[1:3]]
        return gradient([[0, 0], *sides, [0, 0]])

    def by_onednn() -> tf.Tensor:
        return gradient("SAME")

    if kernel.shape[0] is not None:
        return by_eigen() if kernel.shape[0] == largest else by_onednn()
    return tf.cond(filter_shape[0] == largest, by_eigen, by_onednn)


def _same_padding(size: int | None, side: int, stride: int) -> list[int]:
    """What SAME adds before and after (https://www.tensorflow.org/api_docs/python/tf/nn)."""
    if stride == 1 or size is None:
        return [side // 2, side // 2]
    total = max((-(-size // stride) - 1) * stride + side - size, 0)
    return [total // 2, total - total // 2]
