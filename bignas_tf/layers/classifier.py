"""Elastic dense classifier."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from bignas_tf.layers import elastic


class ElasticClassifier(elastic.ElasticLayer):
    """Dense layer, elastic in its input, in float32 whatever the policy.

    The loss of rounded logits would have rounded gradients.

    Args:
      in_width: widest input.
      num_classes: outputs.
    """

    axes = 2

    def __init__(self, in_width: int, num_classes: int, **kwargs: object) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.kernel = self.add_weight(
            "kernel",
            (in_width, num_classes),
            initializer=tf_keras.initializers.VarianceScaling(1 / 3, "fan_out", "uniform"),
        )
        self.bias = self.add_weight("bias", (num_classes,), initializer="zeros")

    def call(self, x: tf.Tensor, in_width: elastic.Width, forward: elastic.Pass) -> tf.Tensor:
        """Maps features [N, in], which Keras casts, to float32 logits [N, num_classes].

        In a masked pass the features have the widest channels, with zeros past `in_width`.

        Raises:
          ValueError: `in_width` is an int outside 1 to the widest, or the features have others, in
            a sliced pass.
        """
        kernel = self.kernel
        if not forward.masked:
            kernel = elastic.leading(kernel, in_width)
            elastic.check_input(x, in_width)
        return tf.matmul(x, kernel) + self.bias
