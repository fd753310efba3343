"""Every mistake in a data config is one clear line."""

from __future__ import annotations

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import config as config_lib
from bignas_tf.data import faults, inputs
from tests import limits
from tests.data import photos, samples
from tools.benchmarks.input import example


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"source": "tfd"}, "did you mean 'tfds'"),
        ({"crop": "centre"}, "choose from ['inception', 'pad', 'none']"),
        ({"channels": 2}, "choose from [1, 3]"),
        ({"global_batch_size": 0}, "global_batch_size is 0"),
        ({"global_batch_size": 10**9}, "it must be a whole number from 1 to 1048576"),
        ({"prefetch_buffer_size": -5}, "prefetch_buffer_size is -5; it takes 1 to"),
        ({"base_size": "32"}, "base_size is '32'"),
        ({"seed": "one"}, "seed is 'one'"),
        ({"seed": 2**32}, "seed is 4294967296; it is a whole number below 2^32"),
        ({"autoaugment": True}, "autoaugment needs channels=3"),
        ({"cache": True, "crop": "inception"}, "cache=False"),
        ({"tfds_split": ""}, "needs tfds_split"),
        ({"tfds_split": "train[:0%]"}, "is empty"),
        ({"tfds_split": "validation"}, "Unknown split 'validation'"),
        ({"tfds_split": "train[5:"}, "cannot be read"),
        ({"tfds_split": "train[:9999]"}, "cannot be read"),
        (
            {"num_classes": 9},
            "0 to 9, but num_classes is 9; set task.train_data.num_classes=10, or",
        ),
        ({"label_offset": -1}, "labels from -1 to 8"),
        ({"source": "tfds"}, "needs tfds_name"),
        ({"source": "tfds", "tfds_name": "fashion_mnits"}, "fashion_mnist"),
        ({"source": "folder", "input_path": "/nowhere"}, "is not a folder"),
        ({"source": "tfrecord", "input_path": "/nowhere/*"}, "no TFRecord file matches"),
    ],
)
def test_config(changes: dict[str, object], words: str) -> None:
    with pytest.raises(errors.UsageError) as caught:
        inputs.build_dataset(samples.digits(**changes))
    message = str(caught.value)
    assert words in message
    assert "\n" not in message


def test_unprepared_tfds_names_the_command(tmp_path: pathlib.Path) -> None:
    config = samples.digits(
        source="tfds", tfds_name="fashion_mnist", tfds_data_dir=str(tmp_path / "none")
    )
    with pytest.raises(errors.UsageError, match=r"tools\.prepare_data --dataset=fashion_mnist"):
        inputs.build_dataset(config)


def _records(path: pathlib.Path, **changes: object) -> config_lib.DataConfig:
    return samples.digits(source="tfrecord", input_path=str(path), tfds_split="", **changes)


def test_broken_records(tmp_path: pathlib.Path) -> None:
    cut = tmp_path / "cut"
    cut.write_bytes(b"not a TFRecord at all")
    with pytest.raises(errors.UsageError, match="whole, uncompressed TFRecord"):
        inputs.open_images(_records(cut))
    wrong = tmp_path / "wrong"
    with tf.io.TFRecordWriter(str(wrong)) as writer:
        writer.write(tf.train.Example().SerializeToString())
    for crop in ("pad", "inception"):
        with pytest.raises(errors.UsageError, match="image/encoded"):
            inputs.build_dataset(_records(wrong, crop=crop))


def test_a_record_that_is_no_example_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "records"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"no Example")
    for crop, cache in (("pad", True), ("pad", False), ("inception", False)):
        config = _records(path, crop=crop, cache=cache)
        with pytest.raises(errors.UsageError, match=r"record 0 .* cannot be read"):
            inputs.build_dataset(config)


def test_a_folder_of_records_is_refused(tmp_path: pathlib.Path) -> None:
    samples.write_records(tmp_path)
    with pytest.raises(errors.UsageError, match=rf"is a folder; .* such as {tmp_path}/\*"):
        inputs.open_images(_records(tmp_path))


@pytest.mark.parametrize("cache", [False, True])
def test_a_label_of_more_than_32_bits_is_out_of_range(tmp_path: pathlib.Path, cache: bool) -> None:
    path = tmp_path / "records"
    encoded = tf.io.encode_jpeg(samples.pictures(1)[0]).numpy()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label in (0, 2**32 + 1):
            writer.write(example(encoded, label))
    config = _records(path, cache=cache, channels=3, is_training=False)
    with pytest.raises(errors.UsageError, match=r"4294967297"), faults.named(config):
        samples.batches(inputs.build_dataset(config))


@pytest.mark.parametrize("cache", [False, True])
def test_a_record_with_a_label_out_of_range_is_named(tmp_path: pathlib.Path, cache: bool) -> None:
    pattern = samples.write_records(tmp_path)
    config = _records(pathlib.Path(pattern), num_classes=3, cache=cache, is_training=False)
    given = "labels from 0 to 3" if cache else "the label 3"
    expected = f"has {given}, but num_classes is 3; .* wrong is of record 3 "
    with pytest.raises(errors.UsageError, match=expected), faults.named(config):
        samples.batches(inputs.build_dataset(config))


@pytest.mark.parametrize("cache", [False, True])
def test_records_that_were_written_again_are_counted_again(
    tmp_path: pathlib.Path, cache: bool
) -> None:
    path = tmp_path / "records"
    config = _records(path, cache=cache, channels=3, is_training=False)
    for count in (3, 6, 2):
        with tf.io.TFRecordWriter(str(path)) as writer:
            for number, picture in enumerate(samples.pictures(count)):
                writer.write(example(tf.io.encode_jpeg(picture).numpy(), number))
        assert inputs.open_images(config).count == count
        seen = samples.batches(inputs.build_dataset(config))
        assert [*np.concatenate([labels for _, labels in seen])] == [*range(count)]


@pytest.mark.parametrize("cache", [False, True])
def test_folder_with_a_broken_or_no_image(tmp_path: pathlib.Path, cache: bool) -> None:
    config = samples.digits(source="folder", input_path=str(tmp_path), cache=cache)
    with pytest.raises(errors.UsageError, match="holds no images"):
        inputs.build_dataset(config)
    photos.write(tmp_path, {f"train/{number}": 1 for number in range(10)}, side=8)
    (tmp_path / "train" / "4" / "broken.jpg").write_bytes(b"not an image")
    with (
        pytest.raises(errors.UsageError, match=r"broken\.jpg cannot be read; JPEG or PNG images"),
        faults.named(config),
    ):
        samples.batches(inputs.build_dataset(config), 4)


def test_no_image_is_looked_for_where_a_tpu_s_compiler_failed(tmp_path: pathlib.Path) -> None:
    """It would take as long as reading ImageNet; here there is not even a folder."""
    config = samples.digits(source="folder", input_path=str(tmp_path / "none"))
    failed = tf.errors.InvalidArgumentError(None, None, "Compilation failure: Detected unsupported")
    with pytest.raises(tf.errors.InvalidArgumentError, match="unsupported"), faults.named(config):
        raise failed


def test_batch_that_replicas_cannot_share() -> None:
    with pytest.raises(errors.UsageError, match="multiple of the 3 replicas"):
        inputs.build_dataset(samples.digits(), tf.distribute.InputContext(1, 0, 3))


def _spoil(folder: pathlib.Path) -> dict[str, config_lib.DataConfig]:
    """A folder and TFRecords whose images are whole but for one JPEG in their midst, cut short."""
    root = samples.write_folder(folder / "root")
    path = root / "train" / "class_2" / "6.jpg"
    path.write_bytes(path.read_bytes()[:300])
    records = folder / "records"
    records.mkdir()
    samples.write_records(records, broken=8)
    fields = {"channels": 3, "num_classes": samples.CLASSES, "global_batch_size": 4}
    return {
        "class_2/6.jpg": samples.digits(source="folder", input_path=str(root), **fields),
        # Five records a file: the ninth is the fourth of the second.
        "record 3 (the first is 0) of": _records(records / "part-*", **fields),
    }


@pytest.mark.parametrize("changes", [{}, {"is_training": False}, {"cache": True}])
def test_a_broken_image_is_named(tmp_path: pathlib.Path, changes: dict[str, object]) -> None:
    for name, config in _spoil(tmp_path).items():
        config = config.replace(**changes)
        with pytest.raises(errors.UsageError) as caught, faults.named(config):
            samples.batches(inputs.build_dataset(config), 4)
        message = str(caught.value)
        assert name in message
        assert "remove it" in message
        assert "\n" not in message


@pytest.mark.parametrize("changes", [{}, {"cache": True}])
def test_a_broken_image_is_found_before_it_is_needed(
    tmp_path: pathlib.Path, changes: dict[str, object]
) -> None:
    spoilt = _spoil(tmp_path)
    for name, config in spoilt.items():
        with pytest.raises(errors.UsageError, match=re.escape(name)):
            inputs.check_images(config.replace(**changes))
    (tmp_path / "root" / "train" / "class_2" / "6.jpg").unlink()
    inputs.check_images(spoilt["class_2/6.jpg"].replace(**changes))
    inputs.check_images(config_lib.DataConfig())  # of TFDS: it is not even opened


@pytest.mark.parametrize("changes", [{}, {"cache": True}])
def test_images_that_may_not_be_read_are_named(changes: dict[str, object]) -> None:
    with limits.public_folder() as folder:
        root = samples.write_folder(folder / "root")
        records = folder / "records"
        records.mkdir()
        samples.write_records(records)
        fields = {"channels": 3, "num_classes": samples.CLASSES, "global_batch_size": 4}
        whole = samples.digits(source="folder", input_path=str(root), **fields, **changes)
        for config, path in (
            (whole, root / "train" / "class_2" / "6.jpg"),
            (_records(records / "part-*", **fields, **changes), min(records.iterdir())),
        ):
            with (
                limits.forbidden(path),
                pytest.raises(errors.UsageError, match=rf"{path} cannot be read.*ermission"),
                faults.named(config),
            ):
                samples.batches(inputs.build_dataset(config), 4)


@pytest.mark.parametrize("folder", [False, True])
def test_an_image_that_vanishes_while_it_is_needed_is_named(
    tmp_path: pathlib.Path, folder: bool
) -> None:
    root = samples.write_folder(tmp_path)
    config = samples.digits(
        source="folder",
        input_path=str(root),
        channels=3,
        num_classes=samples.CLASSES,
        is_training=False,
    )
    dataset, path = inputs.build_dataset(config), root / "train" / "class_2" / "6.jpg"
    path.unlink()
    if folder:
        path.mkdir()
    with (
        pytest.raises(errors.UsageError, match=rf"vanished while it was needed \({path}; "),
        faults.named(config),
    ):
        samples.batches(dataset)


def test_an_error_that_no_image_caused_passes() -> None:
    with (
        pytest.raises(tf.errors.InvalidArgumentError, match="not the images"),
        faults.named(samples.digits()),
    ):
        tf.debugging.Assert(tf.constant(False), ["not the images"])


@pytest.mark.parametrize("kind", [tf.errors.UnknownError, tf.errors.FailedPreconditionError])
def test_a_device_that_fails_does_not_have_all_images_read_again(
    tmp_path: pathlib.Path, kind: type[tf.errors.OpError]
) -> None:
    """There is a broken image, which a search would find."""
    (config, _) = _spoil(tmp_path).values()
    with pytest.raises(kind, match="cuDNN"), faults.named(config):
        raise kind(None, None, "Failed to get convolution algorithm: cuDNN failed")
    message = "{{function_node __wrapped__IteratorGetNext_output_types}} Input/output error"
    with pytest.raises(errors.UsageError, match=r"6\.jpg cannot be read"), faults.named(config):
        raise kind(None, None, message)
