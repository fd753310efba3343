"""Images of a data set as files: whole, and only where they were asked for as they must be."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

import bignas_tf as bignas
from tests import limits
from tests.data import photos
from tests.selection import digits

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config() -> Any:
    """Names scikit-learn's digits."""
    return bignas.configure("bignas_small", [ROOT / "experiments" / "digits.yaml"])


def test_images_are_saved_under_the_names_of_their_classes(tmp_path: pathlib.Path) -> None:
    config = digits.parse(tmp_path)
    paths = bignas.save_images(config, tmp_path / "images", split="test[:3]", images=2)
    ((patches, labels), *_) = digits.batches("test")
    assert [path.name for path in paths] == [f"{n}_{int(labels[n])}.png" for n in range(2)]
    with Image.open(paths[1]) as image:
        np.testing.assert_array_equal(np.asarray(image), patches[1].numpy().squeeze())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"images": 0}, "^images is 0; it takes a whole number from 1$"),
        ({"split": "nowhere"}, "nowhere"),
    ],
)
def test_a_mistake_leaves_no_folder(
    config: Any, tmp_path: pathlib.Path, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(bignas.UsageError, match=words):
        bignas.save_images(config, tmp_path / "images", **given)
    assert list(tmp_path.iterdir()) == []


def test_where_there_is_no_room_an_image_is_named_and_none_is_half(
    config: Any, tmp_path: pathlib.Path
) -> None:
    with (
        limits.file_size(20),
        pytest.raises(bignas.RunError, match=rf"0_\d\.png cannot be written: {limits.WHY}"),
    ):
        bignas.save_images(config, tmp_path, images=1)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_of_a_class_folder_fits(tmp_path: pathlib.Path) -> None:
    name = "猫" * 85  # 255 bytes
    root = photos.write(tmp_path / "photos", {name: 4, "dog": 4}, side=8)
    data = {"source": "folder", "input_path": str(root), "tfds_name": "", "num_classes": 2}
    selection = {"calibration_split": "all", "reporting_split": "all"}
    asked = {"task": {"train_data": data | {"tfds_split": "all"}, "selection": selection}}
    paths = bignas.save_images(bignas.configure("bignas_small", (), asked), tmp_path / "shown")
    assert any("猫" in path.name for path in paths)
