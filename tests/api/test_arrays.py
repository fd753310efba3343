"""Arrays as folders of images: every pixel and class as given, whole or not at all."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import bignas_tf as bignas
from bignas_tf.data import folders
from tests import limits

GREY = np.arange(12 * 5 * 4, dtype=np.uint8).reshape(12, 5, 4)
COLOURS = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 3), np.uint8)
CLASSES = np.arange(12) % 3
PAIR = (GREY, CLASSES)
PALETTE = Image.new("P", (4, 5))


def _read(root: pathlib.Path) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Of each split the class and the pixels of every image, in the order of their names."""
    found = folders.scan(str(root))
    splits: dict[str, list[tuple[str, np.ndarray]]] = {}
    for split, examples in found.splits.items():
        for path, label in sorted(examples, key=lambda each: pathlib.Path(each[0]).name):
            with Image.open(path) as image:
                splits.setdefault(split, []).append((found.classes[label], np.asarray(image)))
    return splits


def test_a_folder_has_every_image_and_class_of_each_split(tmp_path: pathlib.Path) -> None:
    lines: list[str] = []
    root = bignas.write_folder(
        tmp_path / "images",
        {"train": PAIR, "test": (COLOURS, CLASSES[:, np.newaxis])},
        ["z", "y", "x", "unused"],
        show=lines.append,
    )
    splits = _read(root)
    assert set(splits) == {"train", "test"}
    for split, arrays in (("train", GREY), ("test", COLOURS)):
        assert [name for name, _ in splits[split]] == [f"{'zyx'[label]}" for label in CLASSES]
        np.testing.assert_array_equal([pixels for _, pixels in splits[split]], arrays)
    assert lines == [f"{root / split}: 12 images" for split in ("train", "test")]


def test_images_of_several_sizes_need_no_split_and_numbers_stay_in_order(
    tmp_path: pathlib.Path,
) -> None:
    images = [np.full((3 + n, 4, 1), n, np.uint8) for n in range(11)]
    (examples,) = _read(bignas.write_folder(tmp_path, (images, list(range(11))))).values()
    assert [name for name, _ in examples] == [f"{n:02}" for n in range(11)]
    for (_, pixels), image in zip(examples, images, strict=True):
        np.testing.assert_array_equal(pixels, image.squeeze(-1))


@pytest.mark.parametrize(
    ("images", "names", "words"),
    [
        ({}, None, "^images is {}; it takes at least one split$"),
        (GREY, None, "^images is array.* it takes a pair of arrays"),
        ({"train": (GREY, None)}, None, r"^the classes of images\['train'\] are None; they must"),
        ((GREY, CLASSES * 1.0), None, "^the classes of images are .* must be whole numbers from 0"),
        ((GREY, CLASSES - 1), None, "must be whole numbers from 0"),
        ((GREY, [[0], [1, 2]]), None, "must be whole numbers from 0"),
        ((GREY, 3), None, "must be whole numbers from 0"),
        ((GREY, CLASSES[:5]), None, "^images has 12 images and 5 classes$"),
        ((GREY[:0], CLASSES[:0]), None, "^images has 0 images and 0 classes$"),
        ((GREY, np.eye(12, dtype=int)), None, "^images has 12 images and 144 classes$"),
        ((GREY / 255, CLASSES), None, r"^image 0 of images is float64 \[5, 4\]; it takes uint8"),
        ((COLOURS[..., :2], CLASSES), None, r"^image 0 of images is uint8 \[6, 5, 2\]"),
        (([*GREY[:11], GREY[0, 0]], CLASSES), None, r"^image 11 of images is uint8 \[4\]"),
        ((GREY[:, :0], CLASSES), None, "^image 0 of images has no pixels$"),
        (PAIR, ["a", "b"], "^class_names has 2 names, but there are classes up to 2$"),
        (PAIR, ["a", "b/c", "d"], "^a class cannot be called 'b/c'"),
        (PAIR, ["a", ".b", "c"], "^a class cannot be called '.b'"),
        (PAIR, ["a", "", "c"], "^a class cannot be called ''"),
        (PAIR, ["a", "a", "c"], r"^a class needs a name of its own; \['a'\] are given twice$"),
        (PAIR, "abc", "^class_names is 'abc'; it takes a list$"),
        ({"../train": PAIR}, None, r"^a split cannot be called '../train'"),
        ({3: PAIR}, None, r"^a split cannot be called 3"),
        ({0: PAIR}, None, r"^a split cannot be called 0"),
        ({"": PAIR, "train": PAIR}, None, r"^a split cannot be called ''"),
        ({"\ud800": PAIR}, None, r"^a split cannot be called '\\ud800'"),
        (PAIR, ["a", "b" * 300, "c"], r"^a class cannot be called 'bbb"),
        ((np.asarray(3), CLASSES), None, "it takes a pair of arrays"),
        ((set(range(12)), CLASSES), None, "it takes a pair of arrays"),
        ((iter(GREY), CLASSES), None, "it takes a pair of arrays"),
        (([PALETTE] * 12, CLASSES), None, "^image 0 of images has PIL's mode 'P'"),
        ((GREY, np.full(12, 2**63, np.uint64)), None, "must be whole numbers from 0 to 4194303"),
        (([[[1, 2], [3]]] * 12, CLASSES), None, r"^image 0 of images is object \[\]"),
        (["x" * 20] * 20_000, None, "^images is .*; it takes a pair of arrays"),
    ],
)
def test_a_mistake_is_named_and_leaves_nothing(
    tmp_path: pathlib.Path, images: Any, names: Any, words: str
) -> None:
    with pytest.raises(bignas.UsageError, match=words):
        bignas.write_folder(tmp_path / "images", images, names)
    assert list(tmp_path.iterdir()) == []


class _Rows:
    """As a file of HDF5 is: read row by row, and no `Sequence` of Python's."""

    def __len__(self) -> int:
        return len(GREY)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(GREY)


def test_fewer_images_than_they_say_are_refused(tmp_path: pathlib.Path) -> None:
    class Short(_Rows):
        def __iter__(self) -> Iterator[np.ndarray]:
            return iter(GREY[:5])

    with pytest.raises(bignas.UsageError, match=r"^image 5 of images is object"):
        bignas.write_folder(tmp_path / "images", (Short(), CLASSES))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "images", [tf.constant, lambda pixels: list(map(Image.fromarray, pixels)), lambda _: _Rows()]
)
def test_arrays_of_other_libraries_are_taken(tmp_path: pathlib.Path, images: Any) -> None:
    pair = images(GREY), tf.constant(CLASSES)
    root = bignas.write_folder(tmp_path / "images", pair, show=None)
    assert _read(root)["all"][0][1].tolist() == GREY[0].tolist()
    plain = bignas.write_folder(tmp_path / "plain", PAIR, show=None)
    assert [path.name for path in sorted(root.rglob("*.png"))] == [
        path.name for path in sorted(plain.rglob("*.png"))
    ]


def test_other_images_at_the_same_places_are_another_data_set(tmp_path: pathlib.Path) -> None:
    first = bignas.write_folder(tmp_path / "first", PAIR, show=None)
    other = bignas.write_folder(tmp_path / "other", (GREY[::-1], CLASSES), show=None)
    again = bignas.write_folder(tmp_path / "again", PAIR, show=None)
    names = [sorted(path.name for path in root.rglob("*.png")) for root in (first, other, again)]
    assert names[0] == names[2] != names[1]


def test_a_link_to_an_empty_folder_is_followed_and_the_working_folder_kept(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert bignas.write_folder(tmp_path / "link", PAIR, show=None) == tmp_path / "real"
    assert len(list((tmp_path / "link").rglob("*.png"))) == 12
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(bignas.UsageError, match="is not an empty folder"):
        bignas.write_folder(".", PAIR)


def test_what_is_there_is_left_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "note.txt"):
        with pytest.raises(bignas.UsageError, match="is not an empty folder; choose another"):
            bignas.write_folder(folder, PAIR)
    with pytest.raises(bignas.UsageError, match="is remote; name a local folder"):
        bignas.write_folder("gs://bucket/images", PAIR)
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


def test_where_there_is_no_room_nothing_is_left(tmp_path: pathlib.Path) -> None:
    with limits.file_size(20), pytest.raises(bignas.RunError, match=limits.WHY):
        bignas.write_folder(tmp_path / "images", PAIR)
    assert list(tmp_path.iterdir()) == []
