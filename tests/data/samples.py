"""Small real images on disk, in each layout that can be read."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds
from sklearn import datasets

from bignas_tf.data import config
from tools.benchmarks.input import example

CLASSES = 4


def pictures(count: int, channels: int = 3) -> list[np.ndarray]:
    """Crops of scikit-learn's two photographs, uint8 [H, W, channels], of several shapes."""
    photo = datasets.load_sample_images().images[0]
    found = []
    for index in range(count):
        height, width = 24 + index % 5, 30 - index % 3
        part = photo[20 + index : 20 + index + height, 200 + index : 200 + index + width]
        found.append(np.ascontiguousarray(part[:, :, :channels]))
    return found


def write_folder(root: pathlib.Path, count: int = 12) -> pathlib.Path:
    """root/train/class_<k>/<n>.png or .jpg, every second one grey."""
    for index, picture in enumerate(pictures(count)):
        folder = root / "train" / f"class_{index % CLASSES}"
        folder.mkdir(parents=True, exist_ok=True)
        if index % 2:
            encoded, ending = tf.io.encode_png(picture[:, :, :1]), "png"
        else:
            encoded, ending = tf.io.encode_jpeg(picture), "jpg"
        (folder / f"{index}.{ending}").write_bytes(encoded.numpy())
    return root


def write_records(
    folder: pathlib.Path, files: int = 3, each: int = 5, broken: int | None = None
) -> str:
    """TFRecords whose label is the example's number modulo CLASSES; returns their pattern.

    The JPEG of example `broken` is cut short.
    """
    encoded = [tf.io.encode_jpeg(picture).numpy() for picture in pictures(files * each)]
    if broken is not None:
        encoded[broken] = encoded[broken][:300]
    for number in range(files):
        with tf.io.TFRecordWriter(str(folder / f"part-{number}.tfrecord")) as writer:
            for index in range(number * each, (number + 1) * each):
                writer.write(example(encoded[index], index % CLASSES))
    return str(folder / "part-*.tfrecord")


def write_tfds(folder: pathlib.Path, count: int = 10) -> str:
    """A prepared TFDS data set of grey PNGs; returns its name."""
    images = np.stack([each[:24, :28, :1] for each in pictures(count)])
    labels = np.arange(count, dtype=np.int64) % CLASSES
    dataset = tf.data.Dataset.from_tensor_slices({"image": images, "label": labels})
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 1), encoding_format="png"),
            "label": tfds.features.ClassLabel(num_classes=CLASSES),
        }
    )
    tfds.dataset_builders.store_as_tfds_dataset(
        name="small_pictures",
        version="1.0.0",
        data_dir=str(folder),
        features=features,
        split_datasets={"train": dataset},
    )
    return "small_pictures"


def digits(**changes: Any) -> config.DataConfig:
    """Training on the digits, small and plain."""
    fields: dict[str, Any] = {
        "source": "digits",
        "tfds_split": "train",
        "base_size": 16,
        "channels": 1,
        "num_classes": 10,
        "crop": "pad",
        "global_batch_size": 32,
        "is_training": True,
        "seed": 1,
    }
    return config.DataConfig(**{**fields, **changes})


def batches(dataset: tf.data.Dataset, count: int = -1) -> list[tuple[np.ndarray, np.ndarray]]:
    """The first batches as NumPy arrays."""
    return list(dataset.take(count).as_numpy_iterator())
