"""Splits are opened as named, or refused."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.selection import runner, splits
from bignas_tf.training.configs import SelectionConfig
from tests.selection import digits


def _sizes(dataset: tf.data.Dataset) -> list[int]:
    return [len(labels) for _, labels in dataset]


def test_scoring_keeps_the_ragged_batch_and_calibration_leaves_it_out() -> None:
    assert _sizes(splits.open_split(digits.data(), "test[:75]", 32)) == [32, 32, 11]
    assert _sizes(splits.open_split(digits.data(), "test[:75]", 32, full=True)) == [32, 32]
    assert _sizes(splits.open_split(digits.data(), "test", 32, images=40)) == [32, 8]


def test_a_split_comes_in_order_each_time() -> None:
    dataset = digits.batches("train[1200:1300]", 50)
    first, again = ([patches.numpy() for patches, _ in dataset] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    (later, _), *_ = digits.batches("train[1250:1300]", 50)
    np.testing.assert_array_equal(first[1], later)


def test_fewer_calibration_images_than_a_batch_make_one_batch() -> None:
    selection = SelectionConfig(calibration_split="train", calibration_images=20, batch_size=32)
    assert _sizes(runner.calibration_batches(digits.data(), selection)) == [20]


@pytest.mark.parametrize(
    ("split", "message"),
    [("test[:0]", "is empty"), ("validation", "validation"), ("test[", "cannot be read")],
)
def test_an_empty_or_unknown_split_is_refused(split: str, message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        digits.batches(split)


def test_too_few_images_for_a_full_batch_are_refused() -> None:
    with pytest.raises(errors.UsageError, match="gives 20 images; at least 32 needed"):
        splits.open_split(digits.data(), "train[:20]", 32, images=32, full=True)
