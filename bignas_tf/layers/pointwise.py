"""Elastic 1x1 convolution."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf.layers import elastic

# Of a TPU's vectors. Wider, the compiler puts channels into lanes, as depthwise convolutions need
# them, if it is given a convolution; for a matrix product it takes columns of the image, and copies
# between the two. Narrower, columns waste less. CPUs are faster at matrix products.
_LANES = 128


class ElasticPointwise(elastic.ElasticLayer):
    """1x1 convolution, without bias, that keeps lower-index channels.

    A masked pass leaves its output unmasked: the batch norm behind it masks.

    Args:
      in_width: widest input.
      out_width: widest output.
    """

    def __init__(self, in_width: int, out_width: int, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.kernel = self.add_weight(
            "kernel", (1, 1, in_width, out_width), initializer=elastic.CONV_INIT
        )

    def call(
        self, x: tf.Tensor, in_width: elastic.Width, out_width: elastic.Width, forward: elastic.Pass
    ) -> tf.Tensor:
        """Convolves [N, H, W, in] into [N, H, W, out].

        In a masked pass both have the widest channels, and the input zeros past `in_width`.

        Raises:
          ValueError: a width is an int outside 1 to the widest, in a sliced pass.
          ValueError: `in_width` is an int, and the input has other channels.
        """
        kernel = tf.reshape(tf.cast(self.kernel, x.dtype), self.kernel.shape[2:])
        if forward.masked:
            in_width, out_width = kernel.shape
        else:
            kernel = elastic.leading(kernel, in_width, out_width)
        # The reshape below would make more or fewer images of another input.
        elastic.check_input(x, in_width)
        if forward.compiled and max(self.kernel.shape[2:]) > _LANES:
            return tf.nn.conv2d(x, kernel[tf.newaxis, tf.newaxis], 1, "VALID")
        y = tf.matmul(tf.reshape(x, [-1, in_width]), kernel)
        height, width = x.shape[1:3]
        if height is None or width is None:
            shape = tf.concat([tf.shape(x)[:3], [out_width]], 0)
        else:  # fewer operations to trace
            shape = [-1, height, width, out_width]
        y = tf.reshape(y, shape)
        y.set_shape([*x.shape[:3], kernel.shape[1]])
        return y
