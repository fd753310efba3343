"""Patches to a child's resolution on the device: two matrix products instead of an image op.

`tf.image.resize` with bicubic does not compile under XLA. It is separable and linear, so resizing
an identity matrix gives the weights once and for all.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf


@functools.cache
def bicubic_matrix(source: int, target: int) -> np.ndarray:
    """Weights float32 [target, source] of one axis, as `tf.image.resize` has them."""
    if source == target:
        return np.eye(source, dtype=np.float32)
    with tf.init_scope():  # eager, also when the caller is being traced
        identity = tf.eye(source)[tf.newaxis, :, :, tf.newaxis]
        resized = tf.image.resize(identity, [target, source], method="bicubic")
        return resized[0, :, :, 0].numpy()


def resize_patches(patches: tf.Tensor, size: int, dtype: tf.DType = tf.float32) -> tf.Tensor:
    """Normalises patches and resizes them, bicubic, without antialiasing.

    Args:
      patches: uint8 [N, S, S, C]; S must be static.
      size: side of the result in pixels.
      dtype: of the result; the arithmetic is done in float32.

    Returns:
      [N, size, size, C], about [-1, 1] (bicubic overshoots at edges).
    """
    pixels = tf.cast(patches, tf.float32) / 127.5 - 1.0
    source = patches.shape[1]
    if source != size:
        weights = tf.constant(bicubic_matrix(source, size))
        pixels = tf.einsum("is,nshc->nihc", weights, pixels)
        pixels = tf.einsum("js,nisc->nijc", weights, pixels)
    return tf.cast(pixels, dtype)
