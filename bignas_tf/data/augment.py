"""Random changes to training patches; the caller gives every random number."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf import plots
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
        with plots.kept():  # here, because official.vision, which it imports, takes seconds
            from bignas_tf.data import autoaugment

        patches = tf.map_fn(
            lambda each: autoaugment.distort(*each),
            (patches, seeds),
            fn_output_signature=tf.TensorSpec(patches.shape[1:], tf.uint8),
        )
    return patches


def shift_and_mirror(patches: tf.Tensor, draws: tf.Tensor, pad: int, flip: bool) -> tf.Tensor:
    """Pads with zeros, crops back at random, mirrors half of the patches.

    Args:
      patches: uint8 [N, S, S, C].
      draws: float32 [N, DRAWS] in [0, 1).
      pad: largest shift in pixels.
      flip: whether to mirror at all.

    Returns:
      uint8 [N, S, S, C].
    """
    if pad:
        size = patches.shape[1]
        starts = tf.cast(draws[:, :2] * (2 * pad + 1), tf.int32)
        places = starts[:, :, tf.newaxis] + tf.range(size)
        patches = tf.pad(patches, [[0, 0], [pad, pad], [pad, pad], [0, 0]])
        patches = tf.gather(patches, places[:, 0], axis=1, batch_dims=1)
        patches = tf.gather(patches, places[:, 1], axis=2, batch_dims=1)
    return _mirror(patches, draws[:, 2] < 0.5) if flip else patches


def _mirror(patches: tf.Tensor, chosen: tf.Tensor) -> tf.Tensor:
    """Mirrors the patches that are `chosen`, bool [N]."""

    def some() -> tf.Tensor:
        # Fast in three dimensions only; and Select takes whole patches, as tf.where does not.
        rows = tf.reverse(tf.reshape(patches, [-1, *patches.shape[2:]]), [1])
        mirrored = tf.reshape(rows, tf.shape(patches))
        return tf.raw_ops.Select(condition=chosen, x=mirrored, y=patches)

    return tf.ensure_shape(tf.cond(tf.reduce_any(chosen), some, lambda: patches), patches.shape)
