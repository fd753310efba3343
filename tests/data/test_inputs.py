"""Every source gives the right images, and the same ones after a resume or on more replicas."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import config as config_lib
from bignas_tf.data import inputs, memory
from tests.data import samples


def _sources(folder: pathlib.Path) -> dict[str, config_lib.DataConfig]:
    """A streaming and a cached training config of each source."""
    small: dict[str, Any] = {
        "base_size": 16,
        "channels": 3,
        "num_classes": samples.CLASSES,
        "global_batch_size": 4,
        "is_training": True,
        "crop": "pad",
        "seed": 5,
        "shuffle_buffer_size": 6,
    }
    tfds = {"source": "tfds", "tfds_data_dir": str(folder / "tfds"), "tfds_split": "train"}
    stored: dict[str, dict[str, Any]] = {
        "folder": {"source": "folder", "input_path": str(folder / "root"), "tfds_split": "train"},
        "tfrecord": {"source": "tfrecord", "input_path": samples.write_records(folder)},
        "tfds": {**tfds, "tfds_name": samples.write_tfds(folder / "tfds")},
    }
    samples.write_folder(folder / "root")
    found = {"digits": samples.digits(), "digits_stream": samples.digits(crop="inception")}
    for name, fields in stored.items():
        found[name] = config_lib.DataConfig(**small, **fields)
        found[f"{name}_cached"] = found[name].replace(cache=True)
        found[f"{name}_inception"] = found[name].replace(
            crop="inception", autoaugment=name == "folder"
        )
    return found


NAMES = [
    "digits",
    "digits_stream",
    "folder",
    "folder_cached",
    "folder_inception",
    "tfrecord",
    "tfrecord_inception",
    "tfds",
    "tfds_inception",
]


@pytest.fixture(scope="module")
def configs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, config_lib.DataConfig]:
    """Every config by its name."""
    return _sources(tmp_path_factory.mktemp("images"))


@pytest.mark.parametrize("name", NAMES)
def test_resumed_stream_equals_the_uninterrupted_one(
    configs: dict[str, config_lib.DataConfig], name: str
) -> None:
    config = configs[name]
    dataset = inputs.build_dataset(config)
    assert dataset.options().autotune.enabled is False
    whole = samples.batches(dataset, 9)
    resumed = samples.batches(inputs.build_dataset(config, start_step=5), 4)
    for expected, found in zip(whole[5:], resumed, strict=True):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])
    assert whole[0][0].dtype == np.uint8
    assert whole[0][1].dtype == np.int32
    size = config.base_size
    assert whole[0][0].shape == (config.global_batch_size, size, size, config.channels)


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_one_ordered_pass_that_keeps_the_rest(
    configs: dict[str, config_lib.DataConfig], name: str
) -> None:
    config = configs[name].replace(is_training=False, global_batch_size=7, drop_remainder=True)
    dataset = inputs.build_dataset(config)
    assert dataset.options().autotune.enabled is False  # or its end could take a minute
    first, again = samples.batches(dataset), samples.batches(inputs.build_dataset(config))
    labels = np.concatenate([each for _, each in first])
    assert len(labels) == inputs.open_images(config).count
    assert len(first[-1][1]) == (len(labels) - 1) % 7 + 1
    np.testing.assert_array_equal(first[-1][0], again[-1][0])
    if name.startswith("tfrecord"):
        np.testing.assert_array_equal(labels, np.arange(15) % samples.CLASSES)


@pytest.mark.parametrize("name", ["digits", "folder", "tfrecord", "tfds"])
def test_every_epoch_has_every_image_once_in_its_own_order(
    configs: dict[str, config_lib.DataConfig], name: str
) -> None:
    config = configs[name].replace(crop="none", flip=False, global_batch_size=1)
    count = inputs.open_images(config).count
    stream = samples.batches(inputs.build_dataset(config), 2 * count)
    seen = [pixels.tobytes() for pixels, _ in stream]
    assert sorted(seen[:count]) == sorted(seen[count:])
    assert seen[:count] != seen[count:]
    expected = samples.batches(inputs.build_dataset(config.replace(is_training=False)))
    assert sorted(seen[:count]) == sorted(pixels.tobytes() for pixels, _ in expected)


@pytest.mark.parametrize("crop", ["pad", "inception"])
def test_an_image_is_cut_anew_in_each_epoch(crop: str) -> None:
    one = samples.digits(tfds_split="train[:1]", global_batch_size=1, crop=crop, flip=False)
    patches = [pixels for pixels, _ in samples.batches(inputs.build_dataset(one), 8)]
    assert len({patch.tobytes() for patch in patches}) > 4


def test_cached_and_streamed_evaluation_agree(configs: dict[str, config_lib.DataConfig]) -> None:
    for name in ("folder", "tfrecord", "tfds"):
        pair = [
            samples.batches(inputs.build_dataset(each.replace(is_training=False)))
            for each in (configs[name], configs[f"{name}_cached"])
        ]
        for streamed, cached in zip(*pair, strict=True):
            np.testing.assert_array_equal(streamed[0], cached[0])
            np.testing.assert_array_equal(streamed[1], cached[1])


@pytest.mark.parametrize("source", ["folder", "tfrecord"])
def test_images_written_anew_under_their_names_are_read_again(
    tmp_path: pathlib.Path, source: str
) -> None:
    """A notebook that goes on must not train on the pixels of before."""
    given = tmp_path / "images"
    config = samples.digits(
        source=source, input_path=str(given), tfds_split="all", cache=True, num_classes=2
    )
    for level in (10, 200):
        image = tf.io.encode_png(np.full((8, 8, 1), level, np.uint8)).numpy()
        if source == "tfrecord":
            with tf.io.TFRecordWriter(str(given)) as writer:
                writer.write(samples.example(image, 0))
        else:
            for name in ("a", "b"):
                (given / name).mkdir(parents=True, exist_ok=True)
                (given / name / "0.png").write_bytes(image)
        images, _ = memory.load(config)
        assert set(images.ravel()) == {level}


@pytest.mark.parametrize(("pipelines", "replicas"), [(1, 2), (2, 2), (2, 4)])
def test_replicas_share_the_batch_of_one(pipelines: int, replicas: int) -> None:
    config = samples.digits()
    expected = samples.batches(inputs.build_dataset(config), 3)
    turns = replicas // pipelines
    parts = [
        samples.batches(
            inputs.build_dataset(config, tf.distribute.InputContext(pipelines, host, replicas)),
            3 * turns,
        )
        for host in range(pipelines)
    ]
    for step, (pixels, labels) in enumerate(expected):
        local = [part[step * turns + turn] for part in parts for turn in range(turns)]
        np.testing.assert_array_equal(np.concatenate([each[0] for each in local]), pixels)
        np.testing.assert_array_equal(np.concatenate([each[1] for each in local]), labels)


@pytest.mark.parametrize("name", ["folder", "tfrecord", "tfds"])
def test_streaming_hosts_read_disjoint_images(
    configs: dict[str, config_lib.DataConfig], name: str
) -> None:
    config = configs[name].replace(is_training=False, global_batch_size=2)
    hosts = [
        samples.batches(inputs.build_dataset(config, tf.distribute.InputContext(2, host, 2)))
        for host in range(2)
    ]
    seen = [pixels.tobytes() for host in hosts for pixels, _ in host]
    assert len(seen) == len(set(seen)) == inputs.open_images(config).count


@pytest.mark.parametrize("global_seed", [0, 1])
def test_order_does_not_depend_on_the_global_seed(
    global_seed: int, configs: dict[str, config_lib.DataConfig]
) -> None:
    # What the task sets before it builds the model; 0 once made the traced shuffle fail.
    tf.random.set_seed(global_seed)
    given = samples.batches(inputs.build_dataset(configs["tfrecord"]), 3)
    tf.random.set_seed(7)
    expected = samples.batches(inputs.build_dataset(configs["tfrecord"]), 3)
    for batch, right in zip(given, expected, strict=True):
        np.testing.assert_array_equal(batch[0], right[0])
        np.testing.assert_array_equal(batch[1], right[1])


def test_digits_are_whole_and_their_splits_apart() -> None:
    sizes = {
        split: inputs.open_images(samples.digits(tfds_split=split)).count
        for split in ("train", "test", "train[:80%]", "train[80%:]", "train[10:30]+test")
    }
    # 1,797 digits, 360 of them set aside; 80% of 1,437 is 1,149.6, rounded to 1,150.
    assert sizes == {
        "train": 1437,
        "test": 360,
        "train[:80%]": 1150,
        "train[80%:]": 287,
        "train[10:30]+test": 380,
    }
    config = samples.digits(is_training=False, tfds_split="train+test", base_size=8)
    images = np.concatenate([pixels for pixels, _ in samples.batches(inputs.build_dataset(config))])
    assert images.min() == 0
    assert images.max() == 255


def test_seed_and_augmentation_change_the_patches() -> None:
    def first(**changes: Any) -> np.ndarray:
        return samples.batches(inputs.build_dataset(samples.digits(**changes)), 1)[0][0]

    plain = first(crop="none", flip=False)
    assert not np.array_equal(plain, first())
    assert not np.array_equal(first(), first(seed=2))
    assert not np.array_equal(plain, first(crop="none", flip=True))


def test_grey_becomes_three_equal_channels(configs: dict[str, config_lib.DataConfig]) -> None:
    for pixels, _ in samples.batches(inputs.build_dataset(configs["tfds"]), 2):
        np.testing.assert_array_equal(pixels[..., 0], pixels[..., 2])
    colour = samples.batches(inputs.build_dataset(configs["tfrecord"]), 1)[0][0]
    assert not np.array_equal(colour[..., 0], colour[..., 2])
