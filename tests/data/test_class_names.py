"""Classes are called what the data set calls them."""

from __future__ import annotations

import pathlib

from bignas_tf.data import sources
from tests.data import samples


def test_folders_name_their_classes(tmp_path: pathlib.Path) -> None:
    samples.write_folder(tmp_path)
    # Names are data, whatever is in them; the order is that of the labels.
    (tmp_path / "train" / "class_2").rename(tmp_path / "train" / "zebra ..\n%5")
    config = samples.digits(source="folder", input_path=str(tmp_path), num_classes=4)
    names = sources.class_names(config)
    assert names == ["class_0", "class_1", "class_3", "zebra ..\n%5"]
    listed = sources.open_source(config)
    for path, label in zip(listed.keys, listed.labels, strict=True):
        assert pathlib.Path(path).parent.name == names[label]


def test_a_tfds_data_set_names_its_classes(tmp_path: pathlib.Path) -> None:
    name = samples.write_tfds(tmp_path)
    fields = {"source": "tfds", "tfds_name": name, "tfds_data_dir": str(tmp_path)}
    assert sources.class_names(samples.digits(**fields, num_classes=4)) == ["0", "1", "2", "3"]


def test_others_are_numbers(tmp_path: pathlib.Path) -> None:
    numbers = [str(number) for number in range(10)]
    assert sources.class_names(samples.digits()) == numbers
    pattern = samples.write_records(tmp_path)
    assert sources.class_names(samples.digits(source="tfrecord", input_path=pattern)) == numbers


def test_an_offset_moves_the_names(tmp_path: pathlib.Path) -> None:
    samples.write_folder(tmp_path)
    config = samples.digits(
        source="folder", input_path=str(tmp_path), num_classes=3, label_offset=-1
    )
    assert sources.class_names(config) == ["class_1", "class_2", "class_3"]
