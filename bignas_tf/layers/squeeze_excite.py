"""Elastic squeeze-and-excite."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf import errors
from bignas_tf.layers import activation, elastic


class ElasticSqueezeExcite(elastic.ElasticLayer):
    """Squeeze-and-excite (https://arxiv.org/abs/1709.01507), elastic in both widths.

    Args:
      width: widest input.
      units: most hidden units.
      activation_name: of the units.
      gate_name: of the gates; see `style.SqueezeExcite`.

    Raises:
      ValueError: there is no activation or gate of that name.
    """

    def __init__(
        self,
        width: int,
        units: int,
        activation_name: str = "swish",
        gate_name: str = "sigmoid",
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.units = units
        errors.require_one_of("activation_name", activation_name, activation.ACTIVATIONS)
        errors.require_one_of("gate_name", gate_name, activation.GATES)
        self.activation = activation.ACTIVATIONS[activation_name]
        self.gate = activation.GATES[gate_name]
        init = elastic.CONV_INIT
        self.reduce_kernel = self.add_weight("reduce_kernel", (width, units), initializer=init)
        self.reduce_bias = self.add_weight("reduce_bias", (units,), initializer="zeros")
        self.expand_kernel = self.add_weight("expand_kernel", (units, width), initializer=init)
        self.expand_bias = self.add_weight("expand_bias", (width,), initializer="zeros")

    def call(
        self, x: tf.Tensor, width: elastic.Width, units: elastic.Width, forward: elastic.Pass
    ) -> tf.Tensor:
        """Scales the channels of [N, H, W, width] by gates from 0 to 1.

        In a masked pass input and output have the widest channels, with zeros past `width`.

        Raises:
          ValueError: a width is an int outside 1 to the widest, or the input has other channels
            than the int `width`, in a sliced pass.
        """
        weights = (self.reduce_kernel, self.reduce_bias, self.expand_kernel, self.expand_bias)
        reduce_kernel, reduce_bias, expand_kernel, expand_bias = (
            tf.cast(weight, x.dtype) for weight in weights
        )
        if not forward.masked:
            elastic.check_input(x, width)
            reduce_kernel = elastic.leading(reduce_kernel, width, units)
            reduce_bias = elastic.leading(reduce_bias, units)
            expand_kernel = elastic.leading(expand_kernel, units, width)
            expand_bias = elastic.leading(expand_bias, width)
        squeezed = tf.reduce_mean(x, [1, 2])
        hidden = self.activation(_add(tf.matmul(squeezed, reduce_kernel), reduce_bias))
        if forward.masked:
            hidden *= elastic.mask(units, self.units, x.dtype)
        gates = self.gate(_add(tf.matmul(hidden, expand_kernel), expand_bias))
        return x * gates[:, None, None, :]


def _add(x: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
    """Adds a bias [C] to [N, C]."""
    # One operation to trace, and one for its gradient, which CPUs sum in the type of its input:
    # of 1,024 ones in bfloat16 they make 256.
    return tf.nn.bias_add(x, bias) if x.dtype == tf.float32 else x + bias
