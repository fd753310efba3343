"""What a folder's images are like, and which of them are for what."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from bignas_tf import errors
from bignas_tf.data import description, division
from bignas_tf.data.description import Description
from tests.data import photos

IMAGES = {"train/cat": 5, "train/dog": 7, "test/cat": 2, "test/dog": 3}


def _described(sizes: dict[str, int]) -> Description:
    half = sum(sizes.values()) // 2
    return Description("photos", sizes, {"cat": half, "dog": half}, 32, True)


@pytest.mark.parametrize("coloured", [False, True])
def test_counts_sides_and_colours(tmp_path: pathlib.Path, coloured: bool) -> None:
    photos.write(tmp_path, IMAGES, side=20, coloured=coloured)
    Image.fromarray(np.zeros((9, 30), np.uint8)).save(tmp_path / "train" / "cat" / "black.png")
    found = description.read(str(tmp_path))
    assert found.sizes == {"test": 5, "train": 13}
    assert found.classes == {"cat": 8, "dog": 10}
    assert (found.side, found.images) == (20, 18)
    assert found.coloured == coloured


def test_grey_images_saved_in_colour_are_grey(tmp_path: pathlib.Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        grey = np.repeat(rng.integers(0, 256, (30, 40, 1)).astype(np.uint8), 3, axis=2)
        Image.fromarray(grey).save(tmp_path / name / "1.png")
        Image.fromarray(grey).save(tmp_path / name / "2.jpg")
        # Sixteen bits a pixel.
        Image.fromarray(rng.integers(0, 65536, (30, 40)).astype(np.uint16)).save(
            tmp_path / name / "3.png"
        )
    assert not description.read(str(tmp_path)).coloured


def test_images_that_are_to_be_shown_turned_are_counted(tmp_path: pathlib.Path) -> None:
    photos.write(tmp_path, IMAGES, side=20)
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    upright = Image.Exif()
    upright[ExifTags.Base.Orientation] = 1
    for number, exif in enumerate((turned, turned, upright)):
        image = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
        image.save(tmp_path / "train" / "cat" / f"phone{number}.jpg", exif=exif)
    assert description.read(str(tmp_path)).turned == 2
    # Damaged EXIF is not looked at by training, and hides no image here.
    for number, damaged in enumerate((b"no TIFF", b"II*\0\x08\0\0\0\xff\xff\x12\x01")):
        damaged_file = tmp_path / "train" / "cat" / f"damaged{number}.png"
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(damaged_file, exif=damaged)
    assert description.read(str(tmp_path)).turned == 2


def test_images_that_cannot_be_read_are_named(tmp_path: pathlib.Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        photo = np.zeros((20, 30), np.uint8)
        for number in range(3):
            Image.fromarray(photo).save(tmp_path / name / f"{number}.png")
    named = r"\S*/\d\.png cannot be read \([^;]*\); JPEG or PNG images are needed: [^;]*"
    for damaged, told in (
        (["cat/1.png"], named),
        (["dog/0.png"], f"2 of 6 images looked at: {named}; {named}"),
        (
            ["cat/0.png", "dog/1.png"],
            f"4 of 6 images looked at: {named}; {named}; {named}; and 1 m",
        ),
    ):
        for name in damaged:
            (tmp_path / name).write_bytes(b"no image")
        with pytest.raises(errors.UsageError, match=f"^{told}"):
            description.read(str(tmp_path))


@pytest.mark.parametrize(
    ("sizes", "training", "ranking", "reporting"),
    [
        ({"all": 200}, "all[:140]", "all[140:170]", "all[170:]"),
        ({"photos": 100_000}, "photos[:93000]", "photos[93000:95000]", "photos[95000:]"),
        ({"train": 200, "test": 50}, "train[:170]", "train[170:200]", "test"),
        ({"train": 200, "val": 50}, "train[:170]", "train[170:200]", "val"),
        ({"Train": 99, "dev": 50, "test": 40}, "Train", "dev", "test"),
        ({"train": 99, "valid": 5000, "test": 40}, "train", "valid[:2000]", "test"),
    ],
)
def test_what_is_missing_is_cut_from_the_training_split(
    sizes: dict[str, int], training: str, ranking: str, reporting: str
) -> None:
    found = division.divide(_described(sizes))
    assert (found.training, found.ranking, found.reporting) == (training, ranking, reporting)
    assert found.calibration_images == min(found.images, 2000)
    assert found.calibration.endswith(f"[:{found.calibration_images}]")


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ({"a": 100, "b": 100}, r"splits \['a', 'b'\]; call them 'train'"),
        ({"my photos": 100}, r"splits \['my photos'\]; call them 'train'"),
        ({"train": 100, "extra": 100}, r"splits \['train', 'extra'\]; call them"),
        ({"train": 100, "test": 19}, "images of split 'test': 19; at least 20 are needed"),
    ],
)
def test_splits_that_cannot_be_used_are_refused(sizes: dict[str, int], words: str) -> None:
    with pytest.raises(errors.UsageError, match=words):
        division.divide(_described(sizes))
