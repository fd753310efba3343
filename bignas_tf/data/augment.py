"""Random changes to training patches; every draw is given by the caller, none is drawn here."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf.data import autoaugment
from bignas_tf.data import config as config_lib

DRAWS = 3  # uniform numbers in [0, 1) a patch: top, left, mirror
_PAD_FRACTION = 8


def augment(
    patches: tf.Tensor, draws: tf.Tensor, seeds: tf.Tensor, config: config_lib.DataConfig
) -> tf.Tensor:
    """Crops, mirrors and distorts a batch of patches as `config` says.

    Args:
      patches: uint8 [N, S, S, C].
      draws: float32 [N, DRAWS] in [0, 1).
      seeds: int64 [N, 2], of AutoAugment.
      config: says which of crop="pad", flip and autoaugment apply.

    Returns:
      uint8 [N, S, S, C].
    """
    if config.crop == "pad" or config.flip:
        pad = patches.shape[1] // _PAD_FRACTION if config.crop == "pad" else 0
        patches = shift_and_mirror(patches, draws, pad, config.flip)
    if config.autoaugment:
        patches = tf.map_fn(
            lambda each: autoaugment.distort(*each),
            (patches, seeds),
            fn_output_signature=tf.TensorSpec(patches.shape[1:], tf.uint8),
        )
    return patches


def shift_and_mirror(patches: tf.Tensor, draws: tf.Tensor, pad: int, flip: bool) -> tf.Tensor:
    """Pads with zeros, crops back at random, mirrors half of the patches: two gathers.

    Args:
      patches: uint8 [N, S, S, C].
      draws: float32 [N, DRAWS] in [0, 1).
      pad: largest shift in pixels.
      flip: whether to mirror at all.

    Returns:
      uint8 [N, S, S, C].
    """
    size = patches.shape[1]
    shifts = tf.cast(draws[:, :2] * (2 * pad + 1), tf.int32)
    mirrored = draws[:, 2:3] < (0.5 if flip else 0.0)
    along = tf.range(size)[tf.newaxis]
    rows = shifts[:, :1] + along
    columns = shifts[:, 1:] + tf.where(mirrored, size - 1 - along, along)
    if pad:
        patches = tf.pad(patches, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        patches = tf.gather(patches, rows, axis=1, batch_dims=1)
    return tf.gather(patches, columns, axis=2, batch_dims=1)
