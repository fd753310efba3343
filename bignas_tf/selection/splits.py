"""The named images that selection may see."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import faults, inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.selection.config import SelectionConfig

Batch = tuple[tf.Tensor, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Split:
    """Batches of a split's images, the same ones in each iteration.

    Iterating yields uint8 patches [N, S, S, C] and int32 labels [N], which the first complete
    iteration keeps in memory.

    Attributes:
      config: names the images.
      images: how many there are.
      dataset: gives the batches, decoded again each time; it does not name an image that
        cannot be read.

    Raises (when iterated):
      UsageError: an image cannot be read or has a wrong label; names it.
    """

    config: DataConfig
    images: int
    dataset: tf.data.Dataset
    _kept: list[Batch] = dataclasses.field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __iter__(self) -> Iterator[Batch]:
        # Not with tf.data's cache: if an iteration stopped half-way (a child whose logits are not
        # finite), it could take that part for the whole, and score all others on it.
        if self._kept:
            yield from self._kept
            return
        batches = []
        with faults.named(self.config):
            for batch in self.dataset:
                batches.append(batch)
                yield batch
        self._kept[:] = batches

    def majority(self) -> float:
        """The fraction of the images that is of the most frequent class.

        Raises:
          UsageError: as iterating does.
        """
        with faults.named(self.config):
            # Keeps nothing: where every child is known already, the images are not needed again.
            labels = [labels.numpy() for _, labels in self._kept or self.dataset]
        return float(np.bincount(np.concatenate(labels)).max() / self.images)


def open_split(
    data: DataConfig, split: str, batch_size: int, images: int | None = None, full: bool = False
) -> Split:
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
    source = inputs.open_images(config)
    count = min(images or source.count, source.count)
    if count < (batch_size if full else 1):
        raise errors.UsageError(
            f"split {split!r} gives {count} images; at least {batch_size if full else 1} needed"
        )
    dataset = inputs.build_dataset(config, source=source).unbatch().take(count)
    batches = dataset.batch(batch_size, drop_remainder=full)
    return Split(
        config,
        count // batch_size * batch_size if full else count,
        batches.prefetch(tf.data.AUTOTUNE),
    )


def calibration_batches(data: DataConfig, selection: SelectionConfig) -> Split:
    """The calibration images of a run, in full batches: a small one would weigh as much."""
    images = selection.calibration_images
    batch = min(selection.batch_size, images)
    return open_split(data, selection.calibration_split, batch, images, full=True)


def check_apart(data: DataConfig, selection: SelectionConfig) -> None:
    """Refuses to report an accuracy on images that rank children.

    Raises:
      UsageError: the ranking and the reporting split share images, or one cannot be opened.
    """
    ranking, reporting = selection.ranking_split, selection.reporting_split
    shared = inputs.count_shared(data, ranking, reporting)
    if shared:
        raise errors.UsageError(
            f"task.selection: ranking_split {ranking!r} and reporting_split {reporting!r} have "
            f"images in common ({shared}); an accuracy that chose a child cannot judge it: name "
            "separate splits"
        )


def check_untrained(data: DataConfig, reporting: str) -> None:
    """Refuses to report an accuracy on images of training; the paper ranks on some of them.

    Args:
      data: of training.
      reporting: the split to report on.

    Raises:
      UsageError: they share images, or one cannot be opened.
    """
    shared = inputs.count_shared(data, data.tfds_split, reporting)
    if shared:
        raise errors.UsageError(
            f"task.train_data.tfds_split {data.tfds_split!r} and task.selection.reporting_split "
            f"{reporting!r} have images in common ({shared}); an accuracy on images of training "
            "says nothing: name separate splits"
        )
