"""Training images a second a core, from JPEGs in TFRecords to augmented patches."""

from __future__ import annotations

import functools
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn import datasets

from bignas_tf.data import config as data_config
from bignas_tf.data import inputs

from . import harness

_HEIGHT, _WIDTH = 400, 500
_FILES, _PICTURES = 4, 128
_SIDE, _CLASSES, _BATCH = 224, 1000, 32
_IMAGES = 2_000
_LEAST_RATIO = 1.5
_NOTE = (
    f"images a CPU second of the process, one thread a pipeline; {_PICTURES} crops of two "
    f"photographs, {_WIDTH}x{_HEIGHT} JPEG, to {_SIDE} px: crop, flip, AutoAugment V0. Ours is "
    "bicubic to uint8; the Model Garden's, as it comes, bilinear to normalised float32"
)


def measure(settings: harness.Settings) -> list[harness.Row]:
    """Ours against the Model Garden's."""
    batches = max((settings.images or _IMAGES) // _BATCH, 1)
    with tempfile.TemporaryDirectory() as folder:
        pattern = write_records(pathlib.Path(folder))
        pipelines, skipped = [_ours(pattern)], ""
        try:
            pipelines.append(_model_garden(pattern))
        except ImportError as error:
            skipped = f"the Model Garden's pipeline cannot be imported ({error})"
        # Iterators stay open: making one costs as much as hundreds of images.
        streams = [iter(_one_thread(each)) for each in pipelines]
        runs = [functools.partial(_read, each, batches) for each in streams]
        samples = harness.alternate(runs, settings.repeats, clock=time.process_time)
    return [
        harness.Row(
            f"input at {_SIDE} px",
            "images/s",
            harness.rates(batches * _BATCH, samples),
            "Model Garden",
            skipped=skipped,
            least_ratio=_LEAST_RATIO,
            note=_NOTE,
        )
    ]


def write_records(folder: pathlib.Path) -> str:
    """Writes crops of scikit-learn's photographs as ImageNet-like examples; returns a pattern."""
    photos, rng = datasets.load_sample_images().images, np.random.default_rng(0)
    for number in range(_FILES):
        with tf.io.TFRecordWriter(str(folder / f"train-{number}")) as writer:
            for index in range(number, _PICTURES, _FILES):
                photo = photos[index % len(photos)]
                top = rng.integers(photo.shape[0] - _HEIGHT + 1)
                left = rng.integers(photo.shape[1] - _WIDTH + 1)
                picture = photo[top : top + _HEIGHT, left : left + _WIDTH]
                writer.write(example(tf.io.encode_jpeg(picture).numpy(), index))
    return str(folder / "train-*")


def example(encoded: bytes, label: int) -> bytes:
    """A serialised example with the features that the input reads."""
    features = {
        "image/encoded": tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded])),
        "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _reading(pattern: str) -> dict[str, Any]:
    """How both read; what one prefetches takes time in the other's turn."""
    return {
        "input_path": pattern,
        "global_batch_size": _BATCH,
        "is_training": True,
        "shuffle_buffer_size": _PICTURES,
        "prefetch_buffer_size": 1,
    }


def _ours(pattern: str) -> tf.data.Dataset:
    return inputs.build_dataset(
        data_config.DataConfig(
            source="tfrecord",
            base_size=_SIDE,
            num_classes=_CLASSES,
            autoaugment=True,
            **_reading(pattern),
        )
    )


def _model_garden(pattern: str) -> tf.data.Dataset:
    from official.vision.configs import common
    from official.vision.configs import image_classification as configs
    from official.vision.tasks import image_classification as tasks

    model = configs.ImageClassificationModel(num_classes=_CLASSES, input_size=[_SIDE, _SIDE, 3])
    policy = common.Augmentation(type="autoaug")  # V0 by default
    train_data = configs.DataConfig(aug_type=policy, **_reading(pattern))
    task = tasks.ImageClassificationTask(
        configs.ImageClassificationTask(model=model, train_data=train_data)
    )
    return task.build_inputs(train_data)


def _one_thread(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    return dataset.with_options(options)


def _read(stream: Iterator[object], batches: int) -> None:
    for _ in range(batches):
        next(stream)
