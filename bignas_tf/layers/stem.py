"""Elastic 3x3 stem convolution."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from bignas_tf.layers import elastic


class ElasticStem(tf_keras.layers.Layer):
    """3x3 convolution of an image, without bias, elastic in its output.

    Args:
      in_width: channels of the image.
      out_width: widest output.
      stride: 1 or 2.
      symmetric: pad every side by a pixel; else as SAME does.
    """

    def __init__(
        self, in_width: int, out_width: int, stride: int, symmetric: bool, **kwargs: object
    ) -> None:
        super().__init__(**kwargs)
        self.stride = stride
        self.padding = elastic.symmetric_padding(3) if symmetric else "SAME"
        self.kernel = self.add_weight(
            "kernel", (3, 3, in_width, out_width), initializer=elastic.CONV_INIT
        )

    def call(self, x: tf.Tensor, out_width: elastic.Width, forward: elastic.Pass) -> tf.Tensor:
        """Convolves [N, H, W, in] into [N, H / stride, W / stride, out]."""
        kernel = tf.cast(self.kernel, x.dtype)
        if not forward.masked:
            kernel = elastic.leading(kernel, *kernel.shape[:3], out_width)
        return tf.nn.conv2d(x, kernel, self.stride, self.padding)
