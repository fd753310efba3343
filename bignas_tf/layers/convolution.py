"""Elastic k x k convolution."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf.layers import elastic


class ElasticConvolution(elastic.ElasticLayer):
    """Convolution, without bias, elastic in its input and its output.

    A masked pass leaves its output unmasked: the batch norm behind it masks.

    Args:
      in_width: widest input.
      out_width: widest output.
      kernel_size: side of the kernel, odd; the same for every child.
      stride: 1 or 2.
      symmetric: pad every side by half the kernel; else as SAME does.

    Raises:
      ValueError: the kernel's side is even.
    """

    def __init__(
        self,
        in_width: int,
        out_width: int,
        kernel_size: int,
        stride: int = 1,
        symmetric: bool = False,
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; it must be odd")
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = elastic.symmetric_padding(kernel_size) if symmetric else "SAME"
        self.kernel = self.add_weight(
            "kernel",
            (kernel_size, kernel_size, in_width, out_width),
            initializer=elastic.CONV_INIT,
        )

    def call(
        self, x: tf.Tensor, in_width: elastic.Width, out_width: elastic.Width, forward: elastic.Pass
    ) -> tf.Tensor:
        """Convolves [N, H, W, in] into [N, H / stride, W / stride, out], rounded up.

        In a masked pass both have the widest channels, and the input zeros past `in_width`.

        Raises:
          ValueError: a width is an int outside 1 to the widest, or the input has other channels
            than the int `in_width`, in a sliced pass.
        """
        kernel = tf.cast(self.kernel, x.dtype)
        if not forward.masked:
            # TensorFlow takes a narrower kernel for that of a grouped convolution.
            elastic.check_input(x, in_width)
            side = self.kernel_size
            kernel = elastic.leading(kernel, side, side, in_width, out_width)
        return tf.nn.conv2d(x, kernel, self.stride, self.padding)
