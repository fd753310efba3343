"""What a data set is and how its images become patches."""

from __future__ import annotations

import dataclasses
from typing import Any

from official.core import config_definitions as cfg
from official.modeling import hyperparams

from bignas_tf import errors, plain

# The field that names the images of a source; digits need none.
_NAMED_BY = {
    "tfds": "tfds_name",
    "tfrecord": "input_path",
    "folder": "input_path",
    "digits": "source",
}
SOURCES = tuple(_NAMED_BY)
# What decides how an image of a data set is decoded, beside its place and its crop.
DECODED = ("source", "tfds_name", "base_size", "channels", "num_classes", "label_offset")
CROPS = ("inception", "pad", "none")
# Beyond these a batch or a patch alone would fill the memory of any machine.
MOST_BATCH = 1 << 20
_MOST = {"base_size": 1 << 13, "num_classes": 1 << 22, "global_batch_size": MOST_BATCH}
_MOST_PREFETCHED, _MOST_EXAMPLES = 10_000, 2**31 - 1
_SEEDS = 2**32  # a seed combined with a position must stay an int64


@dataclasses.dataclass
class DataConfig(cfg.DataConfig):
    """Model Garden's data config, and what BigNAS' patches need beyond it.

    The base class' `tfds_split` names the images of every source, in TFDS' notation: "train",
    "train[:80%]", "test[100:200]", "train+test"; TFRecords have one split, "all".

    Attributes:
      source: "tfds" (`tfds_name`, `tfds_data_dir`), "tfrecord" (`input_path`: files or patterns,
        features image/encoded and image/class/label), "folder" (`input_path`/split/class/*.jpg
        or *.png; of `input_path`/class/*.jpg the only split is "all") or "digits" (scikit-learn's
        8x8 digits: "train" 1437, "test" 360 images).
      base_size: side of the square patch sent to the device, in pixels.
      channels: 1 or 3; grey images are repeated to 3, colour ones turned grey for 1.
      num_classes: labels run from 0 to num_classes - 1.
      crop: how training patches are cut. "inception": a random area of 10% to 100%, resized; "pad":
        the whole image, padded by an eighth on each side and cropped at random; "none".
        Evaluation takes the centre: 7/8 of the short side after "inception", all of it otherwise.
      flip: mirror half of the training patches.
      autoaugment: apply AutoAugment's V0 policy to the training patches; needs 3 channels.
      label_offset: added to the stored labels (-1 for TFRecords that count classes from 1).
      cache: keep the decoded patches in memory, once for all data sets that read the same images.
        Not for crop "inception".
      shuffle_buffer_size: images mixed in memory after the files were shuffled; unused by cached
        and folder data, which are shuffled as a whole.
      seed: of shuffling and augmentation; None, which no YAML file can say, is 0.
      drop_remainder: not read. Training batches are full; evaluation leaves no image out.
    """

    source: str = "tfds"
    base_size: int = 224
    channels: int = 3
    num_classes: int = 1000
    crop: str = "inception"
    flip: bool = True
    autoaugment: bool = False
    label_offset: int = 0
    shuffle_buffer_size: int = 10_000
    drop_remainder: bool = False


def validate(config: DataConfig) -> None:
    """Checks the fields against each other.

    Raises:
      UsageError: a field has a value that is not allowed, or a needed one is missing.
    """
    errors.require_one_of("data: source", config.source, SOURCES)
    errors.require_one_of("data: crop", config.crop, CROPS)
    errors.require_one_of("data: channels", config.channels, (1, 3))
    _check_sizes(config)
    if not isinstance(config.seed, int | None) or abs(config.seed or 0) >= _SEEDS:
        raise _wrong("seed", config.seed, "it is a whole number below 2^32")
    if config.autoaugment and config.channels != 3:
        raise errors.UsageError("data: autoaugment needs channels=3; set channels or autoaugment")
    if config.cache and config.crop == "inception":
        raise errors.UsageError(
            "data: cache=True keeps whole patches, but crop='inception' cuts them from the full "
            "image; use crop='pad' or cache=False"
        )
    if isinstance(config.input_path, hyperparams.Config):
        given = errors.shown(config.input_path.as_dict())
        raise errors.UsageError(f"data: input_path is {given}; it takes text or a list of texts")
    if not images_name(config):
        field = _NAMED_BY[config.source]
        raise errors.UsageError(f"data: source={config.source!r} needs {field}")
    if config.source != "tfrecord" and not config.tfds_split:
        raise errors.UsageError(
            f"data: source={config.source!r} needs tfds_split, such as 'train' or 'train[:90%]'"
        )


def images_name(config: DataConfig) -> str:
    """The name of a data set, or where its files are."""
    return getattr(config, _NAMED_BY[config.source])


def place_field(config: DataConfig) -> str:
    """The field that says where the files of a data set are.

    Raises:
      UsageError: it has no files of its own.
    """
    fields = {"tfds": "tfds_data_dir", "tfrecord": "input_path", "folder": "input_path"}
    if config.source not in fields:
        raise errors.UsageError(f"images of source={config.source!r} are in no data_dir")
    return fields[config.source]


def changes(config: DataConfig, original: DataConfig) -> dict[str, Any]:
    """The fields in which a configuration differs from another, with its own values as in JSON."""
    before = original.as_dict()
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in config.as_dict().items()
        if value != before[name]
    }


def _check_sizes(config: DataConfig) -> None:
    for field, most in _MOST.items():
        value = getattr(config, field)
        if not plain.is_whole(value, 1, most):
            raise _wrong(field, value, f"it must be a whole number from 1 to {most}")
    for field, least in (("shuffle_buffer_size", 0), ("label_offset", -_MOST_EXAMPLES)):
        value = getattr(config, field)
        if not plain.is_whole(value, least, _MOST_EXAMPLES):
            raise _wrong(field, value, f"it is a whole number from {least} to {_MOST_EXAMPLES}")
    prefetched = config.prefetch_buffer_size
    if prefetched is not None and not plain.is_whole(prefetched, -1, _MOST_PREFETCHED):
        raise _wrong(
            "prefetch_buffer_size",
            prefetched,
            f"it takes 1 to {_MOST_PREFETCHED} batches, or 0, -1 or null to leave it to TensorFlow",
        )


def check_fits(config: DataConfig, **expected: int) -> None:
    """Checks fields against what a supernet takes, such as `base_size=224`.

    Raises:
      UsageError: one of them has another value.
    """
    for field, value in expected.items():
        given = getattr(config, field)
        if given != value:
            raise errors.UsageError(
                f"task.train_data.{field} is {given}; the supernet is made for {value}"
            )


def _wrong(field: str, value: object, allowed: str) -> errors.UsageError:
    return errors.UsageError(f"data: {field} is {errors.shown(value)}; {allowed}")
