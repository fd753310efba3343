"""A folder of class folders: what is found in it, and what is refused."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest
import tensorflow_datasets as tfds

from bignas_tf import errors
from bignas_tf.data import folders, inputs, sources, split_names
from tests import limits
from tests.data import photos, samples

SPLITS = {"train/cat": 5, "train/dog": 7, "test/cat": 2, "test/dog": 3}


def test_the_images_and_their_order_are_those_of_tfds(tmp_path: pathlib.Path) -> None:
    photos.write(tmp_path, SPLITS, side=8)
    (tmp_path / "train" / "cat" / "000.png").rename(tmp_path / "train" / "cat" / "A.JPG")
    theirs = tfds.folder_dataset.ImageFolder(str(tmp_path))
    ours = folders.scan(str(tmp_path))
    assert list(ours.classes) == theirs.info.features["label"].names
    assert list(ours.splits) == ["test", "train"]
    for split, examples in theirs._split_examples.items():
        expected = [(each.image_path, ours.classes.index(each.label)) for each in examples]
        assert ours.splits[split] == expected


def test_class_folders_alone_are_one_split_whose_slices_have_every_class(
    tmp_path: pathlib.Path,
) -> None:
    photos.write(tmp_path, {"cat": 40, "dog": 20, "owl": 10}, side=8)
    folder = folders.scan(str(tmp_path))
    assert list(folder.splits) == ["all"]
    examples = folder.splits["all"]
    assert len(set(examples)) == 70
    for start in range(0, 70, 14):
        labels = [label for _, label in examples[start : start + 14]]
        # A fifth of each class, give or take one at either end.
        for label, expected in enumerate((8, 4, 2)):
            assert abs(labels.count(label) - expected) <= 1
    paths = [path for path, label in examples if label == 0]
    assert paths != sorted(paths)
    assert folders.scan(str(tmp_path)) == folder


def test_a_folder_in_a_bucket_is_told_what_is_read_there() -> None:
    with pytest.raises(errors.UsageError, match="gs://bucket/photos is remote; images in a bucket"):
        folders.scan("gs://bucket/photos")


@pytest.mark.filterwarnings("error")
def test_files_that_cannot_be_read_are_counted(tmp_path: pathlib.Path) -> None:
    photos.write(tmp_path, SPLITS, side=8)
    for name in ("a.webp", "b.WEBP", "notes", ".DS_Store"):
        (tmp_path / "train" / "cat" / name).write_bytes(b"")
    # Opened to be read, it would wait for somebody who writes.
    os.mkfifo(tmp_path / "train" / "dog" / "pipe.jpg")
    (tmp_path / "train" / "dog" / "gone.jpg").symlink_to("/nowhere/at/all.jpg")
    for circle in (tmp_path / "circle", tmp_path / "train" / "dog" / "circle.jpg"):
        circle.symlink_to(circle.name)
    folder = folders.scan(str(tmp_path))
    assert {split: len(each) for split, each in folder.splits.items()} == {"train": 12, "test": 5}
    assert folder.ignored_files == "1 no ending, 2 .webp, 3 not a regular file"
    config = samples.digits(source="folder", input_path=str(tmp_path), num_classes=2)
    assert sources.ignored_files(config) == folder.ignored_files
    assert inputs.open_images(config).count == 12


def test_images_outside_the_class_folders_are_counted(tmp_path: pathlib.Path) -> None:
    stray = {
        ".": 1,
        "train": 7,
        "train/cat/more": 3,
        "train/cat/more/still": 2,
        "train/dog/.old": 4,
    }
    photos.write(tmp_path, SPLITS | stray, side=8)
    folder = folders.scan(str(tmp_path))
    assert folder.classes == ("cat", "dog")
    assert {split: len(each) for split, each in folder.splits.items()} == {"train": 12, "test": 5}
    assert folder.ignored == {"in no class folder": 8, "in a folder below a class": 5}
    assert folder.ignored_files == "5 in a folder below a class, 8 in no class folder"


def test_classes_without_splits_remain_so_with_a_few_images_below_them(
    tmp_path: pathlib.Path,
) -> None:
    photos.write(tmp_path, {"cat": 3, "dog": 3}, side=8)
    before = folders.scan(str(tmp_path))
    photos.write(tmp_path, {"cat/@eaDir": 1, "cat/@eaDir/deep": 1, "dog/@eaDir": 1}, side=8)
    folder = folders.scan(str(tmp_path))
    assert (folder.classes, folder.splits) == (before.classes, before.splits)
    assert folder.ignored == {"in a folder below a class": 3}


@pytest.mark.parametrize(
    ("images", "words"),
    [
        # As many: either may be the classes.
        ({"cat": 2, "dog": 1, "cat/@eaDir": 3}, "images are at two levels: 3 as in {0}/cat, 3 as"),
        # More, but no split: the sub-folder would be the only class.
        ({"cat": 2, "dog": 1, "cat/@eaDir": 4}, "has one class, '@eaDir'; .* two levels: 3 as"),
        # Neither a class nor a split.
        ({"cat": 3, "dog": 3, "old/cat": 1}, "class 'old' without .* two levels: 6 as"),
    ],
)
def test_images_at_both_levels_are_named_where_classes_are_not_clear(
    tmp_path: pathlib.Path, images: dict[str, int], words: str
) -> None:
    photos.write(tmp_path, images, side=8)
    below = next(name for name in images if "/" in name)
    expected = f"{words.format(tmp_path)} in .*{tmp_path}/{below}; .*move or remove"
    with pytest.raises(errors.UsageError, match=expected):
        folders.scan(str(tmp_path))


@pytest.mark.parametrize("beside", [0, 1])
def test_a_split_without_classes_does_not_hide_one_that_has_them(
    tmp_path: pathlib.Path, beside: int
) -> None:
    # As competitions give them: the images to be classified are loose, and may be many.
    photos.write(tmp_path, {"train/cat": 3, "train/dog": 3, "test": 9, "train": beside}, side=8)
    folder = folders.scan(str(tmp_path))
    assert (folder.classes, list(folder.splits)) == (("cat", "dog"), ["train"])
    assert len(folder.splits["train"]) == 6
    assert folder.ignored == {"in no class folder": 9 + beside}


def test_one_scan_opens_every_split(tmp_path: pathlib.Path) -> None:
    photos.write(tmp_path, SPLITS, side=8)
    config = samples.digits(source="folder", input_path=str(tmp_path), num_classes=2)
    opened = sources.opener(config)
    shutil.rmtree(tmp_path)
    assert [opened(split).count for split in ("train", "test", "train+test[:2]")] == [12, 5, 14]


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ({}, "holds no images"),
        ({"train/cat": 3}, "has one class, 'cat'; at least two are needed"),
        ({"cat": 3}, "has one class, 'cat'; at least two are needed"),
        ({"train/cat": 3, "train/dog": 0}, "class 'dog' without a JPEG or PNG image"),
        (
            {"train/cat": 3, "train/dog": 3, "test/cat": 1, "test/dogs": 1},
            r"classes 'dog', 'dogs' in one split only \('dog' in 'train'\), of \['test', 'train'\]",
        ),
        ({"train/cat": 3, "test/dog": 3}, "classes 'cat', 'dog' in one split only"),
    ],
)
def test_classes_that_cannot_be_learned_are_refused(
    tmp_path: pathlib.Path, images: dict[str, int], words: str
) -> None:
    photos.write(tmp_path, images, side=8)
    with pytest.raises(errors.UsageError, match=words):
        folders.scan(str(tmp_path))


def test_images_of_another_kind_only_are_named(tmp_path: pathlib.Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "1.webp").write_bytes(b"RIFF")
    with pytest.raises(errors.UsageError, match=r"holds no images; .* are not read: 2 \.webp"):
        folders.scan(str(tmp_path))


@pytest.mark.parametrize("name", ["train/cat", "train", "."])
def test_a_folder_that_may_not_be_read_is_named(name: str) -> None:
    with limits.public_folder() as root:
        photos.write(root, SPLITS, side=8)
        with (
            limits.forbidden(root / name),
            pytest.raises(
                errors.UsageError, match=f"^{root / name} cannot be read .Permission denied"
            ),
        ):
            folders.scan(str(root))


def test_a_name_that_is_not_utf_8_is_refused(tmp_path: pathlib.Path) -> None:
    photos.write(tmp_path, {"train/cat": 1, "train/dog": 1}, side=8)
    os.rename(tmp_path / "train" / "dog", os.fsencode(tmp_path / "train") + b"/d\xf6g")
    with pytest.raises(errors.UsageError, match=r"'d\\udcf6g' is not a UTF-8 name; rename it"):
        folders.scan(str(tmp_path))


@pytest.mark.parametrize("classes", [1, 3])
def test_as_many_classes_as_folders_are_needed(tmp_path: pathlib.Path, classes: int) -> None:
    photos.write(tmp_path, SPLITS, side=8)
    config = samples.digits(source="folder", input_path=str(tmp_path), num_classes=classes)
    with pytest.raises(errors.UsageError, match=f"num_classes is {classes}"):
        inputs.build_dataset(config)


@pytest.mark.parametrize("spec", ["train[:1shard]", "train[1shard:]"])
def test_shards_are_not_counted(spec: str) -> None:
    """TFDS has several, which sizes do not tell; all images would be the first one."""
    with pytest.raises(errors.UsageError, match="counts shards; count images or percents"):
        split_names.resolve(spec, {"train": 1000}, "photos")
    assert split_names.resolve("shard1[:5]", {"shard1": 9}, "photos") == [("shard1", 0, 5)]


def test_a_split_may_be_called_all_beside_others() -> None:
    others = {"all": 5, "images": 7, "all-2": 3}
    assert split_names.resolve("all+images", others, "photos") == [("all", 0, 5), ("images", 0, 7)]
    assert split_names.resolve("all-2[:2]", others, "photos") == [("all-2", 0, 2)]
    assert split_names.resolve("all[:4]+test", {"all": 10, "test": 5}, "photos") == [
        ("all", 0, 4),
        ("test", 0, 5),
    ]
