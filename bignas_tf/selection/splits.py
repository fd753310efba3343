"""The named images that selection may see."""

from __future__ import annotations

import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import inputs
from bignas_tf.data.config import DataConfig


def open_split(
    data: DataConfig, split: str, batch_size: int, images: int | None = None, full: bool = False
) -> tf.data.Dataset:
    """Opens a split as evaluation sees it: centre crops, in order, no augmentation.

    Args:
      data: the training data; its source is read, its split is not.
      split: in TFDS' notation, such as "train[90%:]".
      batch_size: images a batch.
      images: how many from the start; None for all.
      full: leave out an incomplete last batch, as calibration does.

    Raises:
      UsageError: an unknown or empty split, or fewer images than one full batch.
    """
    config = data.replace(tfds_split=split, is_training=False, global_batch_size=batch_size)
    available = inputs.count_images(config)
    count = min(images or available, available)
    if count < (batch_size if full else 1):
        raise errors.UsageError(
            f"split {split!r} gives {count} images; at least {batch_size if full else 1} needed"
        )
    dataset = inputs.build_dataset(config).unbatch().take(count)
    return dataset.batch(batch_size, drop_remainder=full).cache().prefetch(tf.data.AUTOTUNE)
