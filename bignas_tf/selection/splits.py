"""The named images that selection may see."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import config as config_lib
from bignas_tf.data import copies, faults, identity, inputs
from bignas_tf.data.config import DataConfig
from bignas_tf.data.sources import Source
from bignas_tf.selection.config import SelectionConfig

Batch = tuple[tf.Tensor, tf.Tensor]
Uses = dict[str, DataConfig]

# What images are used for, by the field that names them, or by the flag.
TRAINING = "task.train_data.tfds_split"
CALIBRATION = "task.selection.calibration_split"
RANKING = "task.selection.ranking_split"
REPORTING = "task.selection.reporting_split"
EVALUATION = "task.evaluation.split"
SCORED = "split"


class _Pair(NamedTuple):
    """Two uses that should share no image, why, and whether they are refused if they do."""

    first: str
    second: str
    why: str
    refused: bool


# The others may share images. Calibration is for images of training, the paper's rule, and has no
# labels, so that ranking may see its images too. The paper's learning curves are of the images
# that it reports on.
_PAIRS = (
    _Pair(RANKING, REPORTING, "an accuracy that chose a child cannot judge it", True),
    _Pair(TRAINING, REPORTING, "an accuracy on images of training says nothing", True),
    _Pair(CALIBRATION, REPORTING, "a child calibrated on images cannot be judged on them", True),
    _Pair(
        TRAINING, RANKING,
        "accuracies on images of training are too good, and the more so the bigger a child; the "
        "paper ranks on such images, too", False,
    ),
    _Pair(TRAINING, SCORED, "accuracies on images of training are too good", False),
    _Pair(
        TRAINING, EVALUATION,
        "the learning curves are of images of training, on which accuracies are too good", False,
    ),
)  # fmt: skip


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
      full: leave out an incomplete last batch, as calibration does; fewer images are one batch.

    Raises:
      UsageError: an unknown or empty split.
    """
    config = evaluated(data, split).replace(global_batch_size=batch_size)
    source = inputs.open_images(config)
    count = min(images or source.count, source.count)
    if full:
        batch_size = min(batch_size, count)
    dataset = inputs.build_dataset(config, source=source).unbatch().take(count)
    batches = dataset.batch(batch_size, drop_remainder=full)
    return Split(
        config,
        count // batch_size * batch_size if full else count,
        batches.prefetch(tf.data.AUTOTUNE),
    )


def calibration_batches(data: DataConfig, selection: SelectionConfig) -> Split:
    """The calibration images of a run, in full batches: a small one would weigh as much."""
    split, images = selection.calibration_split, selection.calibration_images
    return open_split(data, split, selection.batch_size, images, full=True)


def of_selection(data: DataConfig, selection: SelectionConfig) -> Uses:
    """The images that a selection names, by their fields."""
    return {
        CALIBRATION: evaluated(data, selection.calibration_split),
        RANKING: evaluated(data, selection.ranking_split),
        REPORTING: evaluated(data, selection.reporting_split),
    }


def check(uses: Mapping[str, DataConfig]) -> list[str]:
    """Checks every pair of `_PAIRS` of which both uses are given.

    Args:
      uses: the images of each use, all of one data set, by the names above.

    Returns:
      Warnings of images that may be shared, with accuracies that are then too good.

    Raises:
      UsageError: a pair that must be apart shares images, or a split cannot be opened.
    """
    pairs = [pair for pair in _PAIRS if pair.first in uses and pair.second in uses]
    if not pairs:
        return []
    named = {use: uses[use].tfds_split for pair in pairs for use in (pair.first, pair.second)}
    opened = inputs.open_splits(next(iter(uses.values())), dict.fromkeys(named.values()))
    warnings = []
    for pair in pairs:
        first, second = named[pair.first], named[pair.second]
        shared = opened[first].shared(opened[second])
        if not shared:
            continue
        found = f"{pair.first} {first!r} and {pair.second} {second!r} have images in common"
        warnings.append(_warning(pair, f"{found} ({shared:,})", "name separate splits"))
    return warnings


def _warning(pair: _Pair, found: str, mend: str) -> str:
    """What is wrong with a pair that shares images, if it may.

    Raises:
      UsageError: it may not.
    """
    if pair.refused:
        raise errors.UsageError(f"{found}; {pair.why}: {mend}")
    return f"{found}; {pair.why}"


def check_copies(learnt: DataConfig, uses: Mapping[str, DataConfig]) -> list[str]:
    """As `check`, of images learnt from in another folder: their contents tell.

    Args:
      learnt: names those learnt from, in a folder.
      uses: the images of each use, in another folder.

    Raises:
      UsageError: copies of images learnt from are where they must not be, or a split cannot be
        opened.
    """
    pairs = _of_training(uses)
    asked = {pair.second: _paths(inputs.open_images(uses[pair.second])) for pair in pairs}
    known = _paths(inputs.open_images(learnt))
    found = copies.of(known, {path for paths in asked.values() for path in paths})
    warnings = []
    for pair in pairs:
        paths = asked[pair.second]
        if copied := [path for path in paths if path in found]:
            known_as = f"learnt from, of {config_lib.images_name(learnt)}"
            what = _copied(pair, copied, paths, known_as)
            warnings.append(_warning(pair, what, "name a split without them, or remove them"))
    return warnings


def _copied(pair: _Pair, copied: Sequence[str], asked: Sequence[str], known_as: str) -> str:
    return (
        f"{pair.second}: {len(copied):,} of {len(asked):,} images, such as {copied[0]}, are copies "
        f"of images {known_as}"
    )


def copies_within(uses: Mapping[str, DataConfig]) -> list[str]:
    """Warnings of files of one folder that are apart by their names alone.

    Args:
      uses: the images of each use, all of one folder; see `check`.

    Raises:
      UsageError: a split cannot be opened.
    """
    paths = {use: _paths(inputs.open_images(data)) for use, data in uses.items()}
    content, told = functools.cache(copies.content), set[tuple[str, str]]()
    warnings = []
    for pair in _PAIRS:
        known, asked = paths.get(pair.first, []), paths.get(pair.second, [])
        found = copies.of(known, set(asked).difference(known), content)
        copied = [path for path in asked if path in found and (pair.second, path) not in told]
        if copied:  # not those of images of training, which calibrate, too
            warnings.append(f"{_copied(pair, copied, asked, f'of {pair.first}')}; {pair.why}")
            told |= {(pair.second, path) for path in copied}
    return warnings


def _paths(source: Source) -> list[str]:
    """The files of a folder's images."""
    return [source.name(index) for index in range(source.count)]


def unlike_training(uses: Mapping[str, DataConfig]) -> list[DataConfig]:
    """The uses that should share no image with training."""
    return [uses[pair.second] for pair in _of_training(uses)]


def _of_training(uses: Mapping[str, DataConfig]) -> list[_Pair]:
    return [pair for pair in _PAIRS if pair.first == TRAINING and pair.second in uses]


def identified(data: DataConfig, selection: SelectionConfig) -> dict[str, Any]:
    """The images of all splits that a selection takes some from, as plain data.

    Raises:
      UsageError: a split cannot be opened.
    """
    known = identity.read(data)
    uses = of_selection(data, selection).values()
    names = {name for use in uses for name in identity.named(use, known)}
    return {name: known[name].to_json() for name in sorted(names)}


def evaluated(data: DataConfig, split: str) -> DataConfig:
    """The images of a split as evaluation sees them; see `open_split`."""
    return data.replace(tfds_split=split, is_training=False)
