"""Splits are opened as named, or refused."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.data.config import DataConfig
from bignas_tf.selection import splits
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.splits import Split
from tests.data import samples
from tests.selection import digits


def _sizes(batches: Split) -> list[int]:
    return [len(labels) for _, labels in batches]


def test_scoring_keeps_the_ragged_batch_and_calibration_leaves_it_out() -> None:
    assert _sizes(splits.open_split(digits.data(), "test[:75]", 32)) == [32, 32, 11]
    assert _sizes(splits.open_split(digits.data(), "test[:75]", 32, full=True)) == [32, 32]
    assert _sizes(splits.open_split(digits.data(), "test", 32, images=40)) == [32, 8]


def test_a_split_comes_in_order_each_time() -> None:
    batches = digits.batches("train[1200:1300]", 50)
    first, again = ([patches.numpy() for patches, _ in batches] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    (later, _), *_ = digits.batches("train[1250:1300]", 50)
    np.testing.assert_array_equal(first[1], later)


def test_an_iteration_that_stops_half_way_costs_the_next_no_image() -> None:
    """With tf.data's cache the next iteration gave 192 of 360 images, in 6 of 40 splits."""
    data = digits.data().replace(cache=False)
    for _ in range(10):
        batches = splits.open_split(data, "test", 64)
        next(iter(batches))
        next(iter(batches.dataset.unbatch().batch(64)))
        assert sum(_sizes(batches)) == sum(_sizes(batches)) == 360


def test_the_most_frequent_class_is_counted() -> None:
    batches = splits.open_split(digits.data(), "test[:75]", 32)
    labels = [int(label) for _, batch in batches for label in batch]
    assert len(labels) == 75
    expected = max(labels.count(digit) for digit in range(10)) / 75
    fresh = splits.open_split(digits.data(), "test[:75]", 32)
    assert batches.majority() == fresh.majority() == pytest.approx(expected, rel=1e-12)


def test_fewer_calibration_images_than_a_batch_make_one_batch() -> None:
    selection = SelectionConfig(calibration_split="train", calibration_images=20, batch_size=32)
    assert _sizes(splits.calibration_batches(digits.data(), selection)) == [20]


@pytest.mark.parametrize(
    ("split", "message"),
    [("test[:0]", "is empty"), ("validation", "validation"), ("test[", "cannot be read")],
)
def test_an_empty_or_unknown_split_is_refused(split: str, message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        digits.batches(split)


def test_a_split_of_fewer_images_than_a_batch_calibrates_in_one() -> None:
    selection = SelectionConfig(calibration_split="train[:20]", batch_size=32)
    assert _sizes(splits.calibration_batches(digits.data(), selection)) == [20]


def _photos(root: pathlib.Path, **changes: object) -> DataConfig:
    """A folder, streamed: images decoded again in each iteration."""
    fields = {"source": "folder", "input_path": str(root), "num_classes": samples.CLASSES}
    return digits.data().replace(**fields | changes)


def test_an_image_that_cannot_be_read_is_named_in_each_iteration(tmp_path: pathlib.Path) -> None:
    root = samples.write_folder(tmp_path)
    broken = root / "train" / "class_2" / "6.jpg"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:300])
    batches = splits.open_split(_photos(root), "train", 2)
    seen = 0
    for _ in range(2):
        with pytest.raises(
            errors.UsageError, match=r"class_2/6\.jpg cannot be read; .* a readable"
        ):
            seen += sum(1 for _ in batches)
    broken.write_bytes(whole)
    assert _sizes(batches) == [2] * 6


def _uses(**named: str) -> dict[str, DataConfig]:
    """The digits of each use, by the name of its constant."""
    return {getattr(splits, use): splits.evaluated(digits.data(), s) for use, s in named.items()}


@pytest.mark.parametrize(
    ("ranking", "reporting", "shared"),
    [
        ("test", "test", 360),
        ("train[80%:]", "train[90%:]", 144),
        ("test", "test[:50]", 50),
        ("train[1000:]+test[:40]", "test[30:50]+test[30:]", 10),
    ],
)
def test_reporting_on_images_that_rank_is_refused(
    ranking: str, reporting: str, shared: int
) -> None:
    with pytest.raises(errors.UsageError) as caught:
        splits.check(_uses(RANKING=ranking, REPORTING=reporting))
    for words in (repr(ranking), repr(reporting), f"in common ({shared})"):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("uses", "shared", "refused"),
    [
        ({"TRAINING": "train", "REPORTING": "test"}, "", False),
        ({"TRAINING": "train", "REPORTING": "train[1400:]"}, "(37); an accuracy on images", True),
        ({"CALIBRATION": "test[:100]", "REPORTING": "test"}, "(100); a child calibrated", True),
        ({"TRAINING": "train", "RANKING": "train[1400:]"}, "(37); accuracies on images", False),
        ({"TRAINING": "train", "EVALUATION": "train[90%:]"}, "(144); the learning curves", False),
        ({"TRAINING": "train", "CALIBRATION": "train[:100]"}, "", False),
        ({"CALIBRATION": "train", "RANKING": "train[1400:]"}, "", False),
        ({"EVALUATION": "test", "REPORTING": "test"}, "", False),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_uses_that_share_images_are_refused_named_or_let_be(
    uses: dict[str, str], shared: str, refused: bool
) -> None:
    if refused:
        with pytest.raises(errors.UsageError, match="name separate splits") as caught:
            splits.check(_uses(**uses))
        found = [str(caught.value)]
    else:
        found = splits.check(_uses(**uses))
    assert len(found) == bool(shared)
    assert all(shared in line and getattr(splits, use) in line for line in found for use in uses)


def test_splits_of_every_source_are_told_apart(tmp_path: pathlib.Path) -> None:
    names = {"tfrecord": "all", "tfds": "train", "folder": "train", "digits": "train"}
    configs = {
        "tfrecord": {"input_path": samples.write_records(tmp_path)},
        "tfds": {
            "tfds_name": samples.write_tfds(tmp_path / "tfds"),
            "tfds_data_dir": str(tmp_path / "tfds"),
        },
        "folder": {"input_path": str(samples.write_folder(tmp_path / "root"))},
        "digits": {"num_classes": digits.CLASSES},
    }
    for source, fields in configs.items():
        data = _photos(tmp_path, source=source, **fields)
        name = names[source]
        ranking = {splits.RANKING: splits.evaluated(data, f"{name}[4:6]")}
        reporting = {splits.REPORTING: splits.evaluated(data, f"{name}[6:8]")}
        splits.check(ranking | reporting)
        # The boundary between two files of TFRecords is at 5.
        ranking = {splits.RANKING: splits.evaluated(data, f"{name}[3:7]")}
        with pytest.raises(errors.UsageError, match=r"in common \(1\)"):
            splits.check(ranking | reporting)
