"""Random numbers that are the same on every device, as a plain graph and under XLA."""

from __future__ import annotations

import tensorflow as tf


def uniform(shape: tf.Tensor | list[int], seed: tf.Tensor) -> tf.Tensor:
    """Uniform float32 in [0, 1), a function of shape and seed alone.

    Of TensorFlow's stateless draws, only integers are equal with and without XLA
    (https://github.com/tensorflow/tensorflow/issues/121243), and TPUs use their own
    algorithm unless one is named.

    Args:
      shape: of the result.
      seed: integer [2].
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")
    # The upper 24 bits: as many as float32 holds exactly.
    return tf.cast(tf.bitwise.right_shift(bits, 8), tf.float32) * 2.0**-24
