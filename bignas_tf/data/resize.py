"""Patches to a child's resolution on the device: two matrix products instead of an image op.

`tf.image.resize` with bicubic does not compile under XLA. It is separable and linear, so resizing
an identity matrix gives the weights once and for all.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import tensorflow as tf


@functools.cache
def _bicubic_matrix(source: int, target: int) -> np.ndarray:
    """Weights float32 [target, source] of one axis, as `tf.image.resize` has them."""
    if source == target:
        return np.eye(source, dtype=np.float32)
    with tf.init_scope():  # eager even while the caller is being traced
        identity = tf.eye(source)[tf.newaxis, :, :, tf.newaxis]
        resized = tf.image.resize(identity, [target, source], method="bicubic")
        return resized[0, :, :, 0].numpy()


def resize_patches(patches: tf.Tensor, size: int) -> tf.Tensor:
    """Normalises patches and resizes them, bicubic, without antialiasing.

    Args:
      patches: uint8 [N, S, S, C]; S must be static.
      size: side of the result in pixels.

    Returns:
      float32 [N, size, size, C], about [-1, 1] (bicubic overshoots at edges).
    """
    pixels, source = _normalise(patches), patches.shape[1]
    return pixels if source == size else _resize(pixels, tf.constant(_bicubic_matrix(source, size)))


def resized_batches(batches: tf.data.Dataset, size: int) -> tf.data.Dataset:
    """Batches of patches and labels with `resize_patches` applied, for Keras' fit."""
    return batches.map(lambda patches, labels: (resize_patches(patches, size), labels))


def resize_to_one_of(patches: tf.Tensor, size: tf.Tensor, sizes: Sequence[int]) -> tf.Tensor:
    """As `resize_patches`, to a side that is known only when the graph runs.

    Args:
      patches: uint8 [N, S, S, C]; S must be static.
      size: int32 scalar, one of `sizes`.
      sizes: every possible side.

    Returns:
      float32 [N, size, size, C].
    """
    pixels, source, largest = _normalise(patches), patches.shape[1], max(sizes)
    table = np.stack(
        [np.pad(_bicubic_matrix(source, each), [(0, largest - each), (0, 0)]) for each in sizes]
    )
    weights = tf.gather(table, tf.where(tf.equal(sizes, size))[0, 0])[:size]
    return tf.cond(tf.equal(size, source), lambda: pixels, lambda: _resize(pixels, weights))


def _normalise(patches: tf.Tensor) -> tf.Tensor:
    return tf.cast(patches, tf.float32) / 127.5 - 1.0


def _resize(pixels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Applies weights [size, S] to both axes of [N, S, S, C]."""
    pixels = tf.einsum("is,nshc->nihc", weights, pixels)
    return tf.einsum("js,nisc->nijc", weights, pixels)
