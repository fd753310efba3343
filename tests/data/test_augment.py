"""Augmentations do what their draws say and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import augment, autoaugment, shuffling
from tests.data import samples


def _shift(patches: np.ndarray, draw: list[float], pad: int, flip: bool) -> np.ndarray:
    draws = tf.constant([draw] * len(patches))
    return augment.shift_and_mirror(tf.constant(patches), draws, pad, flip).numpy()


@pytest.mark.parametrize("mirror", [False, True])
def test_shift_and_mirror_equals_numpy(mirror: bool) -> None:
    patches = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    # pad 2: five offsets; 0.9 * 5 is offset 4, 0.3 * 5 is offset 1.
    found = _shift(patches, [0.9, 0.3, 0.1 if mirror else 0.9], pad=2, flip=True)
    padded = np.pad(patches, [(0, 0), (2, 2), (2, 2), (0, 0)])
    expected = padded[:, 4:12, 1:9]
    np.testing.assert_array_equal(found, expected[:, :, ::-1] if mirror else expected)


def test_no_flip_and_no_pad_change_nothing() -> None:
    patches = np.arange(64, dtype=np.uint8).reshape(1, 8, 8, 1)
    np.testing.assert_array_equal(_shift(patches, [0.2, 0.8, 0.0], 0, False), patches)


def test_autoaugment_depends_on_its_seed_alone() -> None:
    image = tf.constant(samples.pictures(1)[0][:24, :24])
    distort = tf.function(autoaugment.distort)
    seeds = [tf.constant([7, number], tf.int64) for number in range(40)]
    first = [distort(image, seed).numpy() for seed in seeds]
    again = [distort(image, seed).numpy() for seed in reversed(seeds)][::-1]
    np.testing.assert_array_equal(first, again)
    assert first[0].shape == (24, 24, 3)
    assert len({each.tobytes() for each in first}) > 20


@pytest.mark.parametrize("count", [1, 2, 7, 1000])
def test_permute_is_a_permutation_of_its_own_each_epoch(count: int) -> None:
    index = tf.range(count, dtype=tf.int64)
    orders = [shuffling.permute(index, count, 3, tf.constant(epoch)).numpy() for epoch in (0, 1)]
    for order in orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(count))
    if count == 1000:
        assert np.mean(orders[0] == orders[1]) < 0.02
        # Neighbours end up apart: their mean distance in a random order is a third of its length.
        assert np.mean(np.abs(np.diff(orders[0]))) == pytest.approx(count / 3, rel=0.1)
