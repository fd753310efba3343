"""Orders and seeds that depend on nothing but the position in the stream."""

from __future__ import annotations

import functools
import operator

import tensorflow as tf

# Four rounds, TensorFlow's default, leave neighbours correlated; eight still cost nothing.
_ROUNDS = 8
# Of each part of a seed it reads so few where the data are few: half of those of an index.
_BITS = 8
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
    seeds = tf.fill(tf.shape(index), tf.constant(_folded(seed), tf.int64))
    epoch = tf.broadcast_to(tf.cast(epoch, tf.int64), tf.shape(index))
    later = tf.bitwise.right_shift(epoch, tf.constant(_BITS, tf.int64))
    seeds = tf.stack([seeds, epoch, tf.bitwise.bitwise_xor(epoch, later)], axis=1)
    wrong = _is_wrong(count)

    def shuffled(index: tf.Tensor) -> tf.Tensor:
        most = tf.constant(count if wrong else count - 1, tf.int64)
        return tf.raw_ops.RandomIndexShuffle(
            index=index, seed=seeds, max_index=most, rounds=_ROUNDS
        )

    places = shuffled(index)
    # Of one more index the permutation is right; what goes to that one goes on to its place.
    return tf.where(places == count, shuffled(places), places) if wrong else places


def _is_wrong(count: int) -> bool:
    """Whether TensorFlow's operation is no permutation: of 4^n + 1 indices, from 65,537 on.

    It gives one place twice and another never (2.20; so tests say).
    """
    most = count - 1
    return most >= 1 << 16 and most & most - 1 == 0 and most.bit_length() % 2 == 1


def _folded(seed: int) -> int:
    """A seed whose lowest bits depend on its 32 and the sign; from 0 to 255 it stays as it is."""
    return functools.reduce(operator.xor, (seed >> each * _BITS for each in range(5)))
