"""A folder of images as a TFDS data set: the same images, classes and slices."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pytest

import bignas_tf as bignas
from bignas_tf.data import inputs, sources
from bignas_tf.data.config import DataConfig
from tests import limits
from tests.data import photos
from tests.forks import Forks

pytestmark = pytest.mark.slow


def _folder(root: pathlib.Path, split: str) -> DataConfig:
    return DataConfig(
        source="folder", input_path=str(root), tfds_split=split, base_size=16, num_classes=2,
        global_batch_size=4, is_training=False, crop="none",
    )  # fmt: skip


def _packed(data_dir: pathlib.Path, split: str) -> DataConfig:
    return _folder(data_dir, split).replace(
        source="tfds", input_path="", tfds_name="my_photos", tfds_data_dir=str(data_dir)
    )


def _images(config: DataConfig) -> list[np.ndarray]:
    """The patches and the labels of a config's images, in order."""
    batches = list(inputs.build_dataset(config).as_numpy_iterator())
    return [np.concatenate(each) for each in zip(*batches, strict=True)]


@pytest.mark.parametrize(
    ("classes", "splits"),
    [
        (["a b", "ü"], [("all[:30%]", "train[:30%]"), ("all[30%:]", "train[30%:]")]),
        (
            ["train/a b", "train/ü", "test/a b", "test/ü"],
            [(each, each) for each in ("train[5:]", "test", "train[-3:]+test[:2]")],
        ),
    ],
)
def test_slices_have_the_images_that_they_have_in_the_folder(
    tmp_path: pathlib.Path, classes: list[str], splits: list[tuple[str, str]]
) -> None:
    counts = {name: 7 + number for number, name in enumerate(classes)}
    root = photos.write(tmp_path / "photos", counts, side=16)
    (root / classes[0] / "000.png").rename(root / classes[0] / "0.PNG")
    data_dir = tmp_path / "data"
    lines: list[str] = []
    bignas.pack_images(root, "my_photos", data_dir, show=lines.append)
    assert lines[-1] == f"my_photos is prepared in {data_dir / 'my_photos' / '1.0.0'}"
    for ours, theirs in splits:
        for one, other in zip(
            _images(_folder(root, ours)), _images(_packed(data_dir, theirs)), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    assert sources.class_names(_packed(data_dir, "train")) == ["a b", "ü"]
    before = sorted(data_dir.rglob("*"))
    bignas.pack_images(root, "my_photos", data_dir, show=lines.append)
    assert lines[-1].startswith("my_photos is already prepared in ")
    others = photos.write(
        tmp_path / "others", {name.replace("a b", "c"): n for name, n in counts.items()}, side=16
    )
    more = photos.write(tmp_path / "more", {name: n + 1 for name, n in counts.items()}, side=16)
    for folder in (others, more):
        with pytest.raises(bignas.UsageError, match="choose another name, or remove that folder"):
            bignas.pack_images(folder, "my_photos", data_dir, show=None)
    assert sorted(data_dir.rglob("*")) == before
    version = data_dir / "my_photos" / "1.0.0"  # a copy of which was cut
    (version / "features.json").write_text("{")
    with pytest.raises(bignas.UsageError, match=f"^TFDS cannot open {version} "):
        bignas.pack_images(root, "my_photos", data_dir, show=None)
    (version / "dataset_info.json").write_text("")
    with pytest.raises(bignas.UsageError, match=r"^TFDS cannot open 'my_photos' in .*JSON"):
        bignas.pack_images(root, "my_photos", data_dir, show=None)


def test_a_mistake_is_named_and_nothing_is_written(tmp_path: pathlib.Path) -> None:
    root = photos.write(tmp_path / "photos", {"a": 2, "b": 2}, side=16)
    for name, words in [
        ("My-photos", "^dataset is 'My-photos'; it takes a name of small letters"),
        ("mnist", "^dataset is 'mnist', which is one of TFDS' own"),
    ]:
        with pytest.raises(bignas.UsageError, match=words):
            bignas.pack_images(root, name, tmp_path / "data", show=None)
    with pytest.raises(bignas.UsageError, match="nowhere is not a folder"):
        bignas.pack_images(tmp_path / "nowhere", "my_photos", tmp_path / "data", show=None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]
    for classes, words in [
        (["a ", "b"], "^class 'a ': its name begins or ends with a space"),
        (["a\nb", "c"], "or has several lines"),
        (["my split/a", "my split/b"], "^split 'my split' cannot be one of a TFDS data set"),
        (["all/a", "all/b", "train/a", "train/b"], "^split 'all' cannot be one"),
    ]:
        odd = photos.write(tmp_path / "odd", dict.fromkeys(classes, 1), side=16)
        with pytest.raises(bignas.UsageError, match=words):
            bignas.pack_images(odd, "my_photos", tmp_path / "data", show=None)
        shutil.rmtree(odd)
    damaged = photos.write(tmp_path / "damaged", {"a": 2, "b": 2}, side=16) / "b" / "001.png"
    damaged.write_text("no image")
    with pytest.raises(bignas.UsageError, match=f"^data: {damaged} cannot be read; JPEG or PNG"):
        bignas.pack_images(damaged.parents[1], "my_photos", tmp_path / "data", show=None)
    with pytest.raises(bignas.UsageError, match=r"^TFDS cannot open 'my_photos' in gcs://bucket"):
        bignas.pack_images(root, "my_photos", "gcs://bucket", show=None)
    with limits.file_size(100), pytest.raises(bignas.RunError, match=limits.WHY):
        bignas.pack_images(root, "my_photos", tmp_path / "data", show=None)
    assert not list((tmp_path / "data").rglob("*.tfrecord*"))


def test_the_tool_makes_one_of_a_folder(tmp_path: pathlib.Path, forks: Forks) -> None:
    root = photos.write(tmp_path / "photos", {"a": 2, "b": 2}, side=16)
    place = f"--data_dir={tmp_path / 'data'}"
    done = forks.run("tools.prepare_data", "--dataset=my_photos", f"--images={root}", place)
    assert done.returncode == 0, done.stderr
    assert "\ntrain: 4 images of 2 classes\nmy_photos is prepared in " in done.stdout
    both = ("--dataset=my_photos", f"--images={root}", f"--manual_dir={root}")
    assert forks.run("tools.prepare_data", *both).returncode == 2
