"""What tells the images of a split from others, in every kind of source."""

from __future__ import annotations

import pathlib
import shutil

import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import config, identity
from bignas_tf.data.config import DataConfig
from tests.data import photos, samples

SPLITS = {"train/cat": 3, "train/dog": 4, "test/cat": 2, "test/dog": 2}


def _folder(root: pathlib.Path, split: str = "train") -> DataConfig:
    return samples.digits(source="folder", input_path=str(root), tfds_split=split, num_classes=2)


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return photos.write(tmp_path / "photos", SPLITS, side=8)


def test_a_split_of_a_folder_is_its_paths_below_it(root: pathlib.Path) -> None:
    before = identity.read(_folder(root))
    assert {split: each.images for split, each in before.items()} == {"train": 7, "test": 4}
    moved = root.rename(root.parent / "elsewhere")
    assert identity.read(_folder(moved)) == before
    assert identity.read(_folder(pathlib.Path(f"{moved}/"))) == before
    (moved / "train" / "cat" / "000.png").rename(moved / "train" / "cat" / "other.png")
    after = identity.read(_folder(moved))
    assert after["train"].images == 7
    assert after["train"] != before["train"]
    assert after["test"] == before["test"]


def test_tfrecords_are_their_names_and_numbers_wherever_they_are(tmp_path: pathlib.Path) -> None:
    config = samples.digits(source="tfrecord", input_path=samples.write_records(tmp_path))
    before = identity.read(config)
    assert before["all"].images == 15
    other = tmp_path / "other"
    other.mkdir()
    for path in tmp_path.glob("part-*"):
        shutil.copy(path, other)
        tf.io.gfile.copy(str(path), f"ram://identity/{path.name}")
    for folder in (str(other), "ram://identity"):
        assert identity.read(config.replace(input_path=f"{folder}/part-*")) == before
    (other / "part-2.tfrecord").rename(other / "part-3.tfrecord")
    assert identity.read(config.replace(input_path=f"{other}/part-*")) != before
    # A damaged record may be replaced by another.
    third = tmp_path / "third"  # because a process remembers what it has measured
    third.mkdir()
    for number, source in enumerate((0, 1, 1)):
        shutil.copy(tmp_path / f"part-{source}.tfrecord", third / f"part-{number}.tfrecord")
    assert identity.read(config.replace(input_path=f"{third}/part-*")) == before


def test_tfds_and_digits_are_known_without_their_files(tmp_path: pathlib.Path) -> None:
    name = samples.write_tfds(tmp_path)
    config = samples.digits(source="tfds", tfds_name=name, tfds_data_dir=str(tmp_path))
    (only,) = identity.read(config).items()
    assert (only[0], only[1].images) == ("train", 10)
    for before, after, same in (("1.0.0", "1.0.1", True), ("1.0.1", "2.0.0", False)):
        (tmp_path / name / before).rename(tmp_path / name / after)
        info = tmp_path / name / after / "dataset_info.json"
        info.write_text(info.read_text().replace(f'"{before}"', f'"{after}"'))
        assert (identity.read(config)["train"] == only[1]) == same
    digits = identity.read(samples.digits())
    assert {split: each.images for split, each in digits.items()} == {"train": 1437, "test": 360}


def _move(root: pathlib.Path, image: str, to: str) -> None:
    (root / to).parent.mkdir(parents=True, exist_ok=True)
    shutil.move(root / image, root / to)


@pytest.mark.parametrize(
    ("moved", "used", "refused"),
    [
        ("train/cat/000.png: gone/cat/000.png", "train[4:]", True),  # others are in the slice
        ("train/cat/000.png: gone/cat/000.png", "test", False),  # has what it had
        ("test/cat/000.png: train/cat/new.png", "test", True),  # in both: they may have met
        ("test/cat/000.png: test/cat/new.png", "test", False),  # what was learnt from is not in it
        ("train/dog: held_out/dog", "held_out", True),  # learnt from, whatever it is called now
    ],
)
def test_images_that_may_have_been_learnt_from_are_refused(
    root: pathlib.Path, moved: str, used: str, refused: bool
) -> None:
    before = identity.read(_folder(root))
    identity.check_same(before, _folder(root), [_folder(root, used)] if used != "held_out" else [])
    photos.write(root, {"gone/cat": 1, "gone/dog": 1, "held_out/cat": 1, "held_out/dog": 1}, side=8)
    _move(root, *moved.split(": "))
    (root / "train" / "dog").mkdir(exist_ok=True)
    uses = [_folder(root, used)]
    if not refused:
        identity.check_same(before, _folder(root), uses)
        return
    with pytest.raises(errors.UsageError, match=rf"split 'train' of '{root}' has other images"):
        identity.check_same(before, _folder(root), uses)


def test_both_numbers_and_a_way_out_are_named(root: pathlib.Path) -> None:
    config = _folder(root)
    before = identity.read(config)
    dog = root / "train" / "dog" / "000.png"
    dog.rename(root / "train" / "dog" / "new.png")
    with pytest.raises(errors.UsageError, match=r"\(7 then, 7 with other names or folders now\)"):
        identity.check_same(before, config, [config])
    (root / "train" / "dog" / "new.png").unlink()
    expected = r"\(7 then, 6 now\), so .*; put the images back .*, keep new ones in another folder"
    with pytest.raises(errors.UsageError, match=expected):
        identity.check_same(before, config, [config])
    shutil.rmtree(root / "train")
    with pytest.raises(errors.UsageError, match=r"\(7 then, 0 now\)"):
        identity.check_same(before, config, [config])


def test_every_source_but_the_digits_has_a_place() -> None:
    fields = {"tfds": "tfds_data_dir", "tfrecord": "input_path", "folder": "input_path"}
    for source, field in fields.items():
        assert config.place_field(samples.digits(source=source)) == field
    with pytest.raises(errors.UsageError, match="images of source='digits' are in no data_dir"):
        config.place_field(samples.digits())
