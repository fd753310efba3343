"""Elastic depthwise convolution."""

from __future__ import annotations

import itertools

import tensorflow as tf

from bignas_tf.layers import elastic
from bignas_tf.layers.depthwise_gradient import depthwise_conv2d


class ElasticDepthwise(elastic.ElasticLayer):
    """Depthwise convolution, without bias, elastic in kernel and channels.

    A smaller kernel is the centre of the largest (paper, Section 3.1), or that of the next larger
    one times a matrix that is learnt, the same for all channels (Once-for-all,
    https://arxiv.org/abs/1908.09791, Section 3.3). Kernels are odd, so both see the same centres
    at any stride and with either padding; but not a kernel of 1, at stride 2, as SAME pads.

    Args:
      width: widest input.
      kernel_size: largest kernel side, odd.
      stride: 1 or 2.
      symmetric: pad every side by half the kernel; else as SAME does.
      transformed: the smaller kernels, descending, if matrices make them.

    Raises:
      ValueError: a kernel's side is even, or those that are transformed do not descend.
    """

    def __init__(
        self,
        width: int,
        kernel_size: int,
        stride: int,
        symmetric: bool,
        transformed: tuple[int, ...] = (),
        **kwargs: object,
    ) -> None:
        # Products of matrices must not be rounded; the kernel that comes of them is.
        super().__init__(autocast=False, **kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; it must be odd")
        sides = [kernel_size, *transformed]
        if not all(side % 2 and 0 < side < larger for larger, side in itertools.pairwise(sides)):
            takes = f"odd kernels below {kernel_size}, descending"
            raise ValueError(f"transformed is {transformed}; it takes {takes}")
        self.stride = stride
        self.symmetric = symmetric
        self.kernel_size = kernel_size
        self.kernel = self.add_weight(
            "kernel", (kernel_size, kernel_size, width, 1), initializer=elastic.CONV_INIT
        )
        self.transformed = transformed
        self.matrices = [
            self.add_weight(f"matrix_to_{side}", (side**2, side**2), initializer="identity")
            for side in transformed
        ]

    def call(
        self, x: tf.Tensor, kernel_size: elastic.Width, width: elastic.Width, forward: elastic.Pass
    ) -> tf.Tensor:
        """Filters [N, H, W, width] into [N, H / stride, W / stride, width], rounded up.

        In a masked pass both have the widest channels, with zeros past `width`.

        Raises:
          ValueError: `kernel_size` is an int that the layer does not have, or in a sliced pass
            `width` is one outside 1 to the widest, or not that of the input.
        """
        self._check_kernel(kernel_size)
        kernel = tf.cast(self._transformed(kernel_size), x.dtype)
        margin = (self.kernel_size - kernel_size) // 2
        if not forward.masked:
            elastic.check_width(width, self.kernel.shape[2])
            elastic.check_input(x, width)
            kernel = self._cut(kernel, margin, width)
            y = depthwise_conv2d(x, kernel, self.stride, self.kernel_size, self.symmetric)
        else:
            if not isinstance(margin, int) or margin:
                kernel = kernel * _centre_mask(self.kernel_size, margin, x.dtype)
            padding = elastic.symmetric_padding(self.kernel_size) if self.symmetric else "SAME"
            y = tf.nn.depthwise_conv2d(x, kernel, [1, self.stride, self.stride, 1], padding)
        y.set_shape([None, None, None, kernel.shape[2]])
        return y

    def _check_kernel(self, size: elastic.Width) -> None:
        """Refuses sizes that have no kernel; a tensor's value is not known yet."""
        sizes = self.transformed or tuple(range(1, self.kernel_size, 2))
        if isinstance(size, int) and size not in (*sizes, self.kernel_size):
            allowed = sorted({*sizes, self.kernel_size})
            raise ValueError(f"kernel_size is {size}; this layer has {allowed}")

    def kernel_of(self, kernel_size: int, width: int) -> tf.Tensor:
        """The kernel [kernel_size, kernel_size, width, 1] of a child."""
        margin = (self.kernel_size - kernel_size) // 2
        return self._cut(self._transformed(kernel_size), margin, width)

    def _transformed(self, kernel_size: elastic.Width) -> tf.Tensor:
        """The largest kernel; with matrices, one whose centre is the kernel of this size."""
        kernel = tf.convert_to_tensor(self.kernel)
        if not self.matrices:
            return kernel
        made = {self.kernel_size: kernel}
        for side, matrix in zip(self.transformed, self.matrices, strict=True):
            kernel = _times(matrix, _centre(kernel, side))
            made[side] = _framed(kernel, self.kernel_size)
        if isinstance(kernel_size, int):
            return made[kernel_size]
        return tf.add_n(
            [tf.cast(kernel_size == side, each.dtype) * each for side, each in made.items()]
        )

    def _cut(self, kernel: tf.Tensor, margin: elastic.Width, width: elastic.Width) -> tf.Tensor:
        """The centre of the kernel's first `width` channels."""
        side = self.kernel_size
        if isinstance(margin, int) and margin == 0:
            return elastic.leading(kernel, side, side, width)
        end = side - margin
        return tf.strided_slice(kernel, [margin, margin, 0], [end, end, width], [1, 1, 1])


def _centre(kernel: tf.Tensor, side: int) -> tf.Tensor:
    margin = (kernel.shape[0] - side) // 2
    return kernel[margin : margin + side, margin : margin + side]


def _times(matrix: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """A square kernel [side, side, C, 1] whose places are mixed by a matrix."""
    side, width = kernel.shape[0], kernel.shape[2]
    return tf.reshape(tf.matmul(matrix, tf.reshape(kernel, [side**2, width])), kernel.shape)


def _framed(kernel: tf.Tensor, side: int) -> tf.Tensor:
    """A kernel in the middle of zeros, [side, side, C, 1]."""
    margin = (side - kernel.shape[0]) // 2
    return tf.pad(kernel, [[margin, margin], [margin, margin], [0, 0], [0, 0]])


def _centre_mask(side: int, margin: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """Ones in the centre of a [side, side, 1, 1] kernel, zeros in the margin."""
    line = tf.abs(tf.range(side) - side // 2) <= side // 2 - margin
    inside = tf.cast(line, dtype)
    return (inside[:, None] * inside[None, :])[:, :, None, None]
