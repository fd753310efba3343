"""Batch norm statistics of children, from training images (paper, Section 3.1).

Moments of equal batches are pooled into those of all their images. Variances include the variance
between the batches' means, so that the result does not depend on how images were grouped.
"""

from __future__ import annotations

import tensorflow as tf


def no_moments(channels: int) -> tf.Tensor:
    """Totals before the first batch: zeros, float64 [2, channels]."""
    return tf.zeros([2, channels], tf.float64)


def add(totals: tf.Tensor, moments: tf.Tensor, batches: tf.Tensor | int) -> tf.Tensor:
    """Totals with some batches more.

    Args:
      totals: sums of means and of mean squares, float64 [2, channels].
      moments: means and variances of batches, float32 [most, 2, channels].
      batches: how many of them count, from the start.
    """

    def step(place: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        own = tf.cast(tf.gather(moments, place // 2), tf.float64)
        squares = tf.stack([tf.zeros_like(own[0]), tf.square(own[0])])
        return place + 1, sums + tf.where(place % 2 == 0, own, squares)

    # One addition an iteration, first of a batch's means and variances, then of its squared means:
    # of several, Grappler would choose the order, which decides the last digit.
    return tf.while_loop(lambda place, _: place < 2 * batches, step, (0, totals))[1]


def statistics(totals: tf.Tensor, batches: tf.Tensor | int) -> tf.Tensor:
    """Means and variances of all images, float32 [2, channels].

    Args:
      totals: of all batches, float64 [2, channels].
      batches: how many there are.
    """
    count = tf.cast(batches, tf.float64)
    mean = totals[0] / count
    variance = tf.maximum(totals[1] / count - tf.square(mean), 0.0)
    return tf.cast(tf.stack([mean, variance]), tf.float32)
