"""Where encoded images come from: TFDS, TFRecords, a folder of class folders, digits.

Each kind becomes one of two sources: `Records` (files read in sequence) or `Listed` (images that
can be picked one by one). Both give datasets of (encoded image, label), scalar string and int64.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from google.protobuf import json_format

from bignas_tf import commands, errors, scratch
from bignas_tf.data import config as config_lib
from bignas_tf.data import folders, patterns, records, split_names
from bignas_tf.data.listed import Listed
from bignas_tf.data.records import Records

Source = Records | Listed
Opener = Callable[[str], Source]  # takes a split in TFDS' notation
DIGITS = {"train": 1437, "test": 360}  # number of images of each split
_DIGITS_ORDER_SEED = 0
# TFDS raises these for a name that it cannot read, a bucket that cannot be reached, an address of
# no known kind, and a file that is cut.
UNOPENED = (
    *(ValueError, AssertionError, TypeError, RuntimeError, OSError, KeyError),
    *(tf.errors.OpError, json_format.ParseError),
)


def open_source(config: config_lib.DataConfig) -> Source:
    """Finds the images that `config` names.

    Raises:
      UsageError: they are missing, the split is unknown or empty, the classes do not fit.
    """
    return opener(config)(config.tfds_split)


def opener(config: config_lib.DataConfig) -> Opener:
    """Finds the images of a data set, whatever its split; a folder is scanned here, once.

    Returns:
      A function that opens a split. It raises `UsageError` if that is unknown or empty.

    Raises:
      UsageError: the images are missing, or the classes do not fit.
    """
    openers: dict[str, Callable[[config_lib.DataConfig], Opener]] = {
        "tfds": _tfds,
        "tfrecord": _tfrecord,
        "folder": _folder,
        "digits": _digits,
    }
    return openers[config.source](config)


def tfds_builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    """TFDS' builder of that name, prepared or not.

    Raises:
      UsageError: TFDS does not know the name.
    """
    try:
        # It leaves a temporary folder for each data set that is not prepared.
        with scratch.of_others():
            return tfds.builder(name, data_dir=data_dir or None)
    except tfds.core.DatasetNotFoundError as error:
        hint = errors.did_you_mean(name, tfds.list_builders(with_community_datasets=False))
        raise errors.UsageError(
            f"TFDS has no data set {errors.shown(name)}; tfds.list_builders() lists all{hint}"
        ) from error
    except UNOPENED as error:
        reason = errors.one_line(error)
        raise errors.UsageError(f"TFDS cannot open {name!r} ({reason})") from error


def class_names(config: config_lib.DataConfig) -> list[str]:
    """The name of each of the `num_classes` classes; its number where the source has none.

    Raises:
      UsageError: see `open_source`.
    """
    stored: list[str] = []
    if config.source == "tfds":
        info = tfds_builder(str(config.tfds_name), config.tfds_data_dir).info
        stored = info.features[_feature_keys(info, info.name)[1]].names
    elif config.source == "folder":
        stored = list(scanned(config).classes)
    names = {index + config.label_offset: name for index, name in enumerate(stored)}
    return [names.get(label, str(label)) for label in range(config.num_classes)]


def check_range(
    smallest: int, greatest: int, config: config_lib.DataConfig, wrong: str = ""
) -> None:
    """Checks stored labels against `num_classes`.

    Args:
      smallest: of the labels.
      greatest: of the labels.
      config: of the images.
      wrong: an image whose label is wrong if one is, for the message.

    Raises:
      UsageError: one of them, after `label_offset`, is out of range.
    """
    first, last = smallest + config.label_offset, greatest + config.label_offset
    if first < 0 or last >= config.num_classes:
        given = f"labels from {first} to {last}" if first < last else f"the label {first}"
        known = 0 <= first < last  # of a single label nothing is known of the others
        mend = f"set task.train_data.num_classes={last + 1}" if known else "correct num_classes"
        raise errors.UsageError(
            f"data: source={config.source!r} has {given}, but num_classes is {config.num_classes}; "
            f"{mend}, or correct label_offset"
            + (f"; the first that is wrong is of {wrong}" if wrong else "")
        )


def prepared(config: config_lib.DataConfig) -> tfds.core.DatasetBuilder:
    """TFDS' builder of a data set that is on disk.

    Raises:
      UsageError: it is not, or TFDS does not know it.
    """
    name, data_dir = str(config.tfds_name), config.tfds_data_dir
    builder = tfds_builder(name, data_dir)
    if not builder.is_prepared():
        where = f" --data_dir={data_dir}" if data_dir else ""
        raise errors.UsageError(
            f"TFDS data set {name!r} is not in {builder.data_dir}; run "
            f"{commands.spelling('prepare_data')} --dataset={name}{where}, or name the folder that "
            "has it (tfds_data_dir; for a run --data_dir)"
        )
    return builder


def _tfds(config: config_lib.DataConfig) -> Opener:
    name, info = str(config.tfds_name), prepared(config).info
    if info.file_format != tfds.core.FileFormat.TFRECORD:
        raise errors.UsageError(f"{name}: stored as {info.file_format}; only tfrecord can be read")
    image, label = _feature_keys(info, name)
    _check_classes(info.features[label].num_classes, name, config)
    sizes = {split: each.num_examples for split, each in info.splits.items()}

    def parse(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        decoders = {image: tfds.decode.SkipDecoding()}
        example = info.features.deserialize_example(record, decoders=decoders)
        return example[image], example[label]

    def opened(spec: str) -> Records:
        slices: list[records.FileSlice] = []
        for split, start, stop in split_names.resolve(spec, sizes, name):
            each = info.splits[split]
            paths = [os.fspath(path) for path in each.filepaths]
            slices += records.cut(records.whole(paths, each.shard_lengths), start, stop)
        return Records(tuple(slices), parse)

    return opened


def _feature_keys(info: tfds.core.DatasetInfo, name: str) -> tuple[str, str]:
    """The names of the image and of its class among a TFDS data set's features."""
    keys = info.supervised_keys or ("image", "label")
    present = dict(info.features.items())
    features = [present.get(key) if isinstance(key, str) else None for key in keys[:2]]
    expected = (tfds.features.Image, tfds.features.ClassLabel)
    if not all(isinstance(feature, kind) for feature, kind in zip(features, expected, strict=True)):
        raise errors.UsageError(f"{name}: an image and a class are needed; it has {info.features}")
    return keys[0], keys[1]


def _tfrecord(config: config_lib.DataConfig) -> Opener:
    named = patterns.split(config.input_path)
    paths = patterns.files("input_path", named)
    lengths = records.count_all(paths)
    what = f"TFRecords {', '.join(named)}"
    sizes = {split_names.ALL: sum(lengths)}

    def opened(spec: str) -> Records:
        slices: list[records.FileSlice] = []
        for _, start, stop in split_names.resolve(spec or split_names.ALL, sizes, what):
            slices += records.cut(records.whole(paths, lengths), start, stop)
        return Records(tuple(slices), _parse_example)

    return opened


def _parse_example(record: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64),
    }
    example = tf.io.parse_single_example(record, features)
    return example["image/encoded"], example["image/class/label"]


def _folder(config: config_lib.DataConfig) -> Opener:
    folder = scanned(config)
    _check_classes(len(folder.classes), folder.root, config)
    sizes = {split: len(each) for split, each in folder.splits.items()}

    def opened(spec: str) -> Listed:
        examples: list[folders.Example] = []
        for split, start, stop in split_names.resolve(spec, sizes, folder.root):
            examples += folder.splits[split][start:stop]
        paths, labels = zip(*examples, strict=True)
        return Listed(np.array(paths), np.array(labels, np.int64), tf.io.read_file)

    return opened


def scanned(config: config_lib.DataConfig) -> folders.ImageFolder:
    """Lists the folder that a config names.

    Raises:
      UsageError: see `folders.scan`.
    """
    root = os.path.expanduser(str(config.input_path))
    try:
        return folders.scan(root)
    except errors.UsageError as error:
        moved = (
            "; if it has moved, correct task.train_data.input_path, or give --data_dir to a tool "
            "that works on a run"
        )
        hint = "" if os.path.isdir(root) else moved
        raise errors.UsageError(f"data: input_path: {error}{hint}") from error


def _check_classes(present: int, what: str, config: config_lib.DataConfig) -> None:
    """Refuses classes that no image has: they would be outputs that never learn."""
    check_range(0, present - 1, config)
    classes = present + config.label_offset
    if config.num_classes != classes:
        raise errors.UsageError(
            f"data: num_classes is {config.num_classes}, but {what} has {present} classes; set "
            f"task.train_data.num_classes={classes}"
        )


def ignored_files(config: config_lib.DataConfig) -> str:
    """The files of a folder that are not read, in words; "" for none and for other sources.

    Raises:
      UsageError: see `open_source`.
    """
    return scanned(config).ignored_files if config.source == "folder" else ""


def _digits(config: config_lib.DataConfig) -> Opener:
    _check_classes(10, "digits", config)
    encoded, labels = _encoded_digits()
    # The file is in the order of its writers: mix them before the last are set aside.
    order = np.random.default_rng(_DIGITS_ORDER_SEED).permutation(len(labels))
    members = dict(zip(DIGITS, np.split(order, [DIGITS["train"]]), strict=True))

    def opened(spec: str) -> Listed:
        pieces = split_names.resolve(spec, DIGITS, "digits")
        chosen = np.concatenate([members[split][start:stop] for split, start, stop in pieces])
        return Listed(encoded[chosen], labels[chosen], tf.identity)

    return opened


@functools.cache  # a run opens them once for each split
def _encoded_digits() -> tuple[np.ndarray, np.ndarray]:
    """PNG images (bytes) and labels (int64) of all digits, in the order of their writers."""
    from sklearn import datasets  # a second to import; only digits need it

    images, labels = datasets.load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    encoded = np.array([tf.io.encode_png(each).numpy() for each in pixels])
    return encoded, labels.astype(np.int64)
