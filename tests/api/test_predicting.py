"""An export classifies files and arrays from Python, and names what it refuses."""

from __future__ import annotations

import json
import pathlib
import shutil
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import bignas_tf as bignas
from bignas_tf.data import folders
from bignas_tf.exports import saved_model
from tests.exports import servables

PALETTE, DEEP = Image.new("P", (9, 12)), Image.new("I;16", (9, 12))


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    servable = servables.servable(servables.SPACE.smallest())
    return saved_model.export(servable, str(tmp_path_factory.mktemp("export")))


@pytest.fixture(scope="module")
def classifier(version: pathlib.Path) -> bignas.Classifier:
    return bignas.Classifier(version)


def _pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 12, 9, 3), np.uint8)


def test_files_bytes_and_pixels_of_one_image_get_one_answer(
    classifier: bignas.Classifier, version: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (pixels,) = _pixels(1)
    encoded = tf.io.encode_png(pixels).numpy()
    path = tmp_path / "a.png"
    path.write_bytes(encoded)
    found = classifier.predict([path, str(path), encoded, pixels])
    tensor = tf.constant(pixels)
    for alone in (path, str(path), encoded, pixels, pixels[np.newaxis], tensor, iter([path])):
        found += classifier.predict(alone)
    photo = Image.fromarray(pixels)
    names = np.array([str(path)])  # as columns of tables are, too
    for other in (photo, [photo], names, names[0], names.astype(object), np.array([path])):
        found += classifier.predict(other)
    assert len(found) == 17
    # Alone an image gets what it gets among others, but for sums that some machines order anew.
    assert {tuple(each.classes) for each in found} == {tuple(found[0].classes)}
    likely = np.array([each.probabilities for each in found])
    np.testing.assert_allclose(likely, np.broadcast_to(likely[0], likely.shape), rtol=1e-5)
    assert all(each == found[4] for each in found[4:])
    signature = tf.saved_model.load(str(version)).signatures["serving_default"]
    answer = signature(tf.constant(pixels[np.newaxis]))
    assert found[0].classes == answer["top_classes"][0].numpy().tolist()
    assert found[0].labels == [servables.LABELS[number] for number in found[0].classes]
    np.testing.assert_allclose(found[0].probabilities, answer["top_probabilities"][0], atol=1e-6)
    assert found[0].answered_by is None


def test_many_images_are_answered_in_order(classifier: bignas.Classifier) -> None:
    pixels = _pixels(150)
    found = classifier.predict(pixels)
    assert len(found) == 150
    for number in (0, 63, 64, 149):
        (alone,) = classifier.predict(pixels[number])
        assert alone.classes == found[number].classes
        np.testing.assert_allclose(alone.probabilities, found[number].probabilities, atol=1e-6)
    assert classifier.predict([]) == []
    grey = pixels[..., 0]
    assert len(classifier.predict(grey)) == 150
    assert classifier.predict(grey) == classifier.predict(list(grey[..., np.newaxis]))


def test_what_is_no_image_is_named(classifier: bignas.Classifier, tmp_path: pathlib.Path) -> None:
    cut = tmp_path / "cut.png"
    good = tf.io.encode_png(_pixels(1)[0]).numpy()
    cut.write_bytes(good[:-40])
    cases: list[tuple[Any, str]] = [
        ([good] * 70 + [cut], rf"^{cut} cannot be decoded"),
        ([good, b"nothing"], "^image 1 is neither JPEG nor PNG"),
        ([good] * 70 + [b"nothing"], "^image 70 is neither JPEG nor PNG"),
        (tmp_path / "gone.png", "gone.png cannot be read"),
        (tmp_path, "is a folder; give its files, or `score` a folder of classes"),
        (_pixels(1)[0] / 255, "^image 0 is float64"),
        ([good, None], "^image 1 is object"),
        ([good] * 70 + [cut, good, b""], rf"^{cut} cannot be decoded.*; image 72 is empty"),
        ("a\0b.png", "cannot be read"),
        ("gs://bucket/a.png", "^gs://bucket/a.png is remote; copy it"),
        (5, "^images is 5; it takes paths, bytes or arrays$"),
        (np.full([2, 3, 3, 3], 7, object), "^image 0 is object"),
        ("", "^'' cannot be read"),
        (np.array([cut]), f"^{cut} cannot be decoded"),
        (np.zeros([12, 9, 4], np.uint8), r"^image 0 is uint8 \[12, 9, 4\]; it takes"),
        (np.zeros([12, 9, 2], np.uint8), r"^image 0 is uint8 \[12, 9, 2\]; it takes"),
        ([PALETTE], r"^image 0 has PIL's mode 'P'; give image 0.convert"),
        (PALETTE, r"^image 0 has PIL's mode 'P'"),
        # PIL's `convert` makes all that is above 255 white.
        ([DEEP], r"^image 0 has PIL's mode 'I;16'; give its file, or uint8 pixels"),
    ]
    for images, words in cases:
        with pytest.raises(bignas.UsageError, match=words):
            classifier.predict(images)
    with pytest.raises(bignas.UsageError, match="is not the folder of an exported version"):
        bignas.Classifier(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"cut")
    with pytest.raises(bignas.UsageError, match=rf"^{tmp_path} cannot be loaded .*; copy it or"):
        bignas.Classifier(tmp_path)


def test_a_folder_is_scored_as_the_answers_to_its_images_say(
    classifier: bignas.Classifier, tmp_path: pathlib.Path
) -> None:
    """The classes of the folder are some of the export's, in another order."""
    names = [servables.LABELS[number] for number in (4, 0)]
    pixels = _pixels(150)
    classes = np.arange(150) % 2
    root = bignas.write_folder(tmp_path / "new", (pixels, classes), names, show=None)
    found = classifier.score(root)
    assert found.names == servables.LABELS
    expected = np.zeros([5, 5], np.int64)
    for label, answer in zip(classes, classifier.predict(pixels), strict=True):
        expected[(4, 0)[label], answer.classes[0]] += 1
    np.testing.assert_array_equal(found.counts, expected)
    assert found.accuracy.images == 150


def test_a_folder_of_other_classes_or_of_several_splits_is_not_scored(
    classifier: bignas.Classifier, tmp_path: pathlib.Path
) -> None:
    pair = _pixels(4), [0, 1, 0, 1]
    other = bignas.write_folder(tmp_path / "other", pair, ["cat", "cats"], show=None)
    with pytest.raises(bignas.UsageError, match=r"has the class 'cats'; .*; did you mean 'cat'\?"):
        classifier.score(other)
    splits = {"train": pair, "test": pair}
    both = bignas.write_folder(tmp_path / "both", splits, ["cat", "\u732b"], show=None)
    with pytest.raises(bignas.UsageError, match=r"has the splits \['.*; name the folder of one"):
        classifier.score(both)
    assert classifier.score(both / "test").accuracy.images == 4
    (both / "test" / "cat" / "bad.png").write_bytes(b"nothing")
    with pytest.raises(bignas.UsageError, match=r"cat/bad\.png is neither JPEG nor PNG"):
        classifier.score(both / "test")


def test_a_folder_of_one_class_or_with_an_empty_one_is_scored_and_what_is_not_read_is_counted(
    classifier: bignas.Classifier, tmp_path: pathlib.Path
) -> None:
    """Nothing is to be learnt from it."""
    root = bignas.write_folder(tmp_path / "new", (_pixels(3), [0] * 3), ["cat"], show=None)
    (root / servables.LABELS[0]).mkdir(exist_ok=True)
    (root / "cat" / "a.webp").touch()
    lines: list[str] = []
    found = classifier.score(root, show=lines.append)
    assert found.accuracy.images == 3
    assert list(found.by_class()) == [servables.LABELS.index("cat")]
    unseen = folders.listed([name for name in servables.LABELS if name != "cat"])
    assert lines == ["ignored files: 1 .webp", f"no images of {unseen}"]
    with pytest.raises(bignas.UsageError, match=r"^'' is not a folder in /"):
        classifier.score("")


def test_a_class_that_no_folder_can_be_called_after_is_found_and_labels_are_counted(
    version: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    copied = shutil.copytree(version, tmp_path / "1")
    names = ["T-shirt/top", "T-shirt-top", "A/b", "A-b/c", "dog"]
    (copied / "labels.json").write_text(json.dumps(names))
    changed = bignas.Classifier(copied)
    folders = ["T-shirt-top", "T-shirt_top", "A b"]
    root = bignas.write_folder(tmp_path / "new", (_pixels(6), [0, 1, 1, 2, 2, 2]), folders)
    counts = changed.score(root, show=None).counts.sum(1).tolist()
    assert counts == [2, 1, 3, 0, 0]
    (root / "A b").rename(root / "A b.c")
    with pytest.raises(bignas.UsageError, match=r"has the class 'A b\.c'; the export must have"):
        changed.score(root)
    (copied / "labels.json").write_text(json.dumps(names[:4]))
    with pytest.raises(bignas.UsageError, match="has 4 names, but the export has 5 classes"):
        changed.score(root)
