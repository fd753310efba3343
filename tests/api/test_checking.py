"""Damaged images are found before a training, all of them and wherever they are used."""

from __future__ import annotations

import contextlib
import pathlib
import re
import shutil
from typing import Any

import pytest
import tensorflow as tf
import yaml
from PIL import ExifTags, Image

import bignas_tf as bignas
from bignas_tf.data import faults, inputs
from bignas_tf.selection import splits
from tests.data import photos, samples
from tests.forks import Forks

_SPLITS = {f"{split}/{name}": 6 for split in ("train", "val", "test") for name in ("cat", "dog")}


def _values(**data: Any) -> dict[str, Any]:
    values = {"channels": 3, "num_classes": 2, "tfds_split": "train", **data}
    splits = {"calibration_split": "train", "ranking_split": "val", "reporting_split": "test"}
    return {"task": {"train_data": values, "selection": splits}}


def _config(**data: Any) -> Any:
    return bignas.configure("bignas_small", params_override=_values(**data))


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return photos.write(tmp_path / "photos", _SPLITS, side=28)


def test_whole_images_have_no_faults_and_each_split_is_read_once(root: pathlib.Path) -> None:
    lines: list[str] = []
    config = _config(source="folder", input_path=str(root))
    assert bignas.check_images(config, show=lines.append) == []
    reading = [f"{split}: reading 12 images" for split in ("train", "val", "test")]
    ends = [
        "looking for copies and for turned photographs",
        "every image that was read can be used",
    ]
    assert (sorted(lines[:-2]), lines[-2:]) == (sorted(reading), ends)


def test_every_damaged_image_is_named(root: pathlib.Path) -> None:
    damaged = [
        root / name for name in ("train/cat/000.png", "test/cat/003.png", "test/dog/005.png")
    ]
    for path in damaged:
        path.write_bytes(path.read_bytes()[:40])
    config = _config(source="folder", input_path=str(root))
    found = bignas.check_images(config, show=None)
    assert {pathlib.Path(fault.split()[1]) for fault in found} == {*damaged}
    assert len(found) == len(damaged)
    lines: list[str] = []
    assert len(bignas.check_images(config, most=1, show=lines.append)) == 1
    assert lines == ["train: reading 12 images"]  # it stops there


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["BMP", "GIF", "WEBP"])
def test_what_no_exported_child_takes_is_named(
    root: pathlib.Path, kind: str, channels: int
) -> None:
    foreign = root / "train" / "cat" / "000.png"
    Image.open(foreign).save(foreign, kind)
    config = _config(source="folder", input_path=str(root), channels=channels)
    (fault,) = bignas.check_images(config, show=None)
    decodes = channels == 3  # what TensorFlow decodes, training takes
    words = "is neither a JPEG nor a PNG; training takes it" if decodes else "cannot be read; JPEG"
    assert f"{foreign} {words}" in fault
    data = config.task.train_data
    refused = contextlib.nullcontext() if decodes else pytest.raises(bignas.UsageError)
    with refused:
        faults.check(inputs.open_images(data), data)


def _exhausted() -> bytes:
    raise MemoryError("no room")


def test_a_lack_of_memory_is_no_fault_of_an_image(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner would remove it."""
    data = _config(source="folder", input_path=str(root)).task.train_data
    source = inputs.open_images(data)
    one = tf.data.Dataset.from_tensors(0)
    read = one.map(lambda label: (tf.numpy_function(_exhausted, [], tf.string), label))
    monkeypatch.setattr(type(source), "ordered", lambda self: read)
    with pytest.raises(tf.errors.ResourceExhaustedError, match="no room"):
        faults.check(source, data)


def test_copies_and_turned_photographs_are_told(root: pathlib.Path) -> None:
    shutil.copy(root / "train/cat/001.png", root / "test/cat/copy.png")
    shutil.copy(root / "train/cat/001.png", root / "train/cat/again.png")  # harms nothing
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with Image.open(root / "val/dog/002.png") as image:
        image.save(root / "val/dog/002.png", exif=exif)
    lines: list[str] = []
    config = _config(source="folder", input_path=str(root))
    assert bignas.check_images(config, show=lines.append) == []
    copied, turned = [line for line in lines if line.startswith("warning: ")]
    assert "reporting_split: 1 of 13 images" in copied
    assert "cat/copy.png, are copies of images of task.train_data.tfds_split" in copied
    assert "1 of 38 images looked at are marked as turned (EXIF)" in turned


def test_an_image_that_is_too_large_for_an_exported_child_is_named(root: pathlib.Path) -> None:
    large, lines = root / "val" / "dog" / "001.png", list[str]()
    Image.new("1", (8000, 6251)).save(large)
    (root / "val" / "dog" / "notes.bmp").touch()
    config = _config(source="folder", input_path=str(root))
    (fault,) = bignas.check_images(config, show=lines.append)
    assert f"{large} has 50,008,000 pixels; training takes it, but exported children take" in fault
    ranking = splits.evaluated(config.task.train_data, "val")
    faults.check(inputs.open_images(ranking), ranking)
    assert "ignored files: 1 .bmp" in lines


def test_images_of_calibration_may_be_absent_as_they_may_in_training(root: pathlib.Path) -> None:
    values, lines = _values(source="folder", input_path=str(root)), list[str]()
    values["task"]["selection"]["calibration_split"] = "train[:2000]"
    config = bignas.configure("bignas_small", params_override=values)
    assert bignas.check_images(config, show=lines.append) == []
    assert lines[0].startswith("warning: task.selection.calibration_split, which all that scores")


def test_every_record_with_a_wrong_label_is_named(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "records"
    encoded = tf.io.encode_jpeg(samples.pictures(1)[0]).numpy()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for label in (0, 1, 7, 1, 0, 9, 1, 0, 1, 0):
            writer.write(samples.example(encoded, label))
    parts = {
        "calibration_split": "all[:4]",
        "ranking_split": "all[4:8]",
        "reporting_split": "all[8:]",
    }
    values = {"source": "tfrecord", "input_path": str(path), "tfds_split": "all[:4]"}
    config = _config(**values)
    config.override({"task": {"selection": parts}})
    found = bignas.check_images(config, show=None)
    assert [re.findall(r"the label (\d).* record (\d)", fault) for fault in found] == [
        [("7", "2")],
        [("9", "5")],
    ]


def test_the_command_ends_with_what_it_found(
    forks: Forks, root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    file = tmp_path / "photos.yaml"
    file.write_text(yaml.safe_dump(_values(source="folder", input_path=str(root))))
    done = forks.run("tools.check_images", f"--config_file={file}")
    assert done.returncode == 0, done.stderr
    (root / "val" / "cat" / "001.png").write_bytes(b"")
    done = forks.run("tools.check_images", f"--config_file={file}")
    assert done.returncode == 2
    assert done.stderr.endswith("error: images that cannot be used: 1\n")
    assert "val/cat/001.png cannot be read; JPEG or PNG images are needed" in done.stdout
