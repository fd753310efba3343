"""Orders and seeds that depend on nothing but the position in the stream."""

from __future__ import annotations

import tensorflow as tf

# Four rounds, TensorFlow's default, leave neighbours correlated; eight still cost nothing.
_ROUNDS = 8
FOREVER = tf.int64.max


def permute(index: tf.Tensor, count: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Where each index of an epoch goes in that epoch's own permutation of 0..count-1.

    `tf.random.experimental.index_shuffle` with one seed an element, which the public function
    pads along the wrong dimension in TensorFlow 2.20.

    Args:
      index: int64 [N], each in 0..count-1.
      count: length of an epoch.
      seed: of the run.
      epoch: int64 [N] or scalar.

    Returns:
      int64 [N].
    """
    epoch = tf.broadcast_to(tf.cast(epoch, tf.int64), tf.shape(index))
    seeds = tf.stack([tf.fill(tf.shape(index), tf.constant(seed, tf.int64)), epoch, epoch], axis=1)
    return tf.raw_ops.RandomIndexShuffle(
        index=index, seed=seeds, max_index=tf.constant(count - 1, tf.int64), rounds=_ROUNDS
    )
