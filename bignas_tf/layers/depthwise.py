"""Elastic depthwise convolution."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from bignas_tf.layers import elastic
from bignas_tf.layers.depthwise_gradient import depthwise_conv2d


class ElasticDepthwise(tf_keras.layers.Layer):
    """Depthwise convolution, without bias, elastic in kernel and channels.

    A smaller kernel is the centre of the largest (paper, Section 3.1). Kernels are odd,
    so both see the same centres at any stride and with either padding.

    Args:
      width: widest input.
      kernel_size: largest kernel side, odd.
      stride: 1 or 2.
      symmetric: pad every side by half the kernel; else as SAME does.
    """

    def __init__(
        self, width: int, kernel_size: int, stride: int, symmetric: bool, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.stride = stride
        self.symmetric = symmetric
        self.kernel_size = kernel_size
        self.kernel = self.add_weight(
            "kernel", (kernel_size, kernel_size, width, 1), initializer=elastic.CONV_INIT
        )

    def call(
        self, x: tf.Tensor, kernel_size: elastic.Width, width: elastic.Width, forward: elastic.Pass
    ) -> tf.Tensor:
        """Filters [N, H, W, width] into [N, H / stride, W / stride, width]."""
        kernel = tf.cast(self.kernel, x.dtype)
        margin = (self.kernel_size - kernel_size) // 2
        if not forward.masked:
            kernel = self._cut(kernel, margin, width)
            y = depthwise_conv2d(x, kernel, self.stride, self.kernel_size, self.symmetric)
        else:
            if not isinstance(kernel_size, int):
                kernel = kernel * _centre_mask(self.kernel_size, margin, x.dtype)
            padding = elastic.symmetric_padding(self.kernel_size) if self.symmetric else "SAME"
            y = tf.nn.depthwise_conv2d(x, kernel, [1, self.stride, self.stride, 1], padding)
        return tf.ensure_shape(y, [None, None, None, kernel.shape[2]])

    def _cut(self, kernel: tf.Tensor, margin: elastic.Width, width: elastic.Width) -> tf.Tensor:
        """The centre of the kernel's first `width` channels."""
        side = self.kernel_size
        if isinstance(margin, int) and margin == 0:
            return elastic.leading(kernel, side, side, width)
        return kernel[margin : side - margin, margin : side - margin, :width]


def _centre_mask(side: int, margin: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Ones in the centre of a [side, side, 1, 1] kernel, zeros in the margin."""
    line = tf.abs(tf.range(side) - side // 2) <= side // 2 - margin
    inside = tf.cast(line, dtype)
    return (inside[:, None] * inside[None, :])[:, :, None, None]
