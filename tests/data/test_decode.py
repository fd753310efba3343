"""What evaluation takes of an image, where no resizing blurs it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.data import decode


@pytest.mark.parametrize(
    ("crop", "side", "top", "left"),
    [("inception", 21, 1, 4), ("pad", 24, 0, 3), ("none", 24, 0, 3)],  # 7/8 of 24 is 21
)
def test_evaluation_takes_the_centre(crop: str, side: int, top: int, left: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 30, 3)).astype(np.uint8)
    expected = picture[top : top + side, left : left + side]
    centre = decode.evaluation_centre(crop)
    patch = decode.centred_patch(tf.io.encode_png(picture), side, 3, centre)
    np.testing.assert_array_equal(patch, expected)
    patches = decode.centred_patches(np.stack([picture, 255 - picture]), side, centre)
    np.testing.assert_array_equal(patches, np.stack([expected, 255 - expected]))


def test_training_takes_a_tenth_of_the_image_at_least() -> None:
    """EfficientNet draws areas from 8% on, and draws again where less than 10% is covered."""
    seeds = tf.stack([tf.zeros(300, tf.int64), tf.range(300, dtype=tf.int64)], axis=1)

    @tf.autograph.experimental.do_not_convert
    def window(seed: tf.Tensor) -> tf.Tensor:
        return decode._random(tf.constant([100, 100, 3]), seed)

    drawn = tf.data.Dataset.from_tensor_slices(seeds).map(window).batch(300)
    windows = next(drawn.as_numpy_iterator())
    areas = windows[:, 2] * windows[:, 3] / 1e4
    assert 0.098 < areas.min() < 0.2  # sides are whole pixels
    assert areas.max() > 0.9
