"""AutoAugment's costly operations, pixel for pixel EfficientNet's in a fraction of the time.

Where the Model Garden reflects an image at its edges, EfficientNet (tensorflow/tpu,
models/official/efficientnet/autoaugment.py) fills what lies outside with grey; all else is equal.
Each takes a uint8 image [S, S, 3] and a scalar float32 amount, which may be a traced tensor.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

_LEVELS = 256
# The weights of tf.image.rgb_to_grayscale; grey comes as three equal channels.
_GREY = np.array([[0.2989] * 3, [0.587] * 3, [0.114] * 3], np.float32)
_ADD_BELOW = 128
_OUTSIDE = np.full([1, 3], 128, np.uint8)  # the grey around the image

Row = tuple[tf.Tensor | float, tf.Tensor | float, tf.Tensor | float]


def equalize(image: tf.Tensor) -> tf.Tensor:
    """Flattens each channel's histogram."""
    # Each channel has its own histogram and its own table in one long array.
    offsets = np.broadcast_to(np.arange(3, dtype=np.int32) * _LEVELS, image.shape)
    index = tf.reshape(tf.cast(image, tf.int32) + offsets, [-1])
    counts = tf.math.bincount(index, minlength=3 * _LEVELS, maxlength=3 * _LEVELS)
    counts = tf.reshape(counts, [3, _LEVELS])
    upto = tf.cumsum(counts, axis=1)
    # All pixels but the brightest ones.
    most = tf.reduce_max(tf.where(upto < upto[:, -1:], upto, 0), axis=1, keepdims=True)
    step = most // 255
    table = tf.minimum((upto - counts + step // 2) // tf.maximum(step, 1), 255)
    table = tf.where(step > 0, table, tf.range(_LEVELS))
    # gather_nd is faster than gather where what it picks is small.
    table = tf.reshape(tf.cast(table, tf.uint8), [-1])
    return tf.reshape(tf.gather_nd(table, index[:, tf.newaxis]), image.shape)


def solarize(image: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Inverts what is not below the threshold."""
    # Arithmetic on bytes: tf.where takes three times as long.
    reached = tf.cast(image >= tf.cast(threshold, tf.uint8), tf.uint8)
    return tf.bitwise.bitwise_xor(image, 255 * reached)


def solarize_add(image: tf.Tensor, addition: tf.Tensor) -> tf.Tensor:
    """Adds at most 128 to what is dark."""
    return image + tf.cast(image < _ADD_BELOW, tf.uint8) * tf.cast(addition, tf.uint8)


def color(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the grey image: 0 is grey, 1 unchanged, more is more colourful."""
    pixels = tf.reshape(tf.cast(image, tf.float32), [-1, 3])
    # Scaled as rgb_to_grayscale scales bytes: on the way back by 255.5, to round.
    grey = tf.matmul(pixels * (1 / 255), _GREY) * 255.5
    grey = tf.cast(tf.cast(grey, tf.uint8), tf.float32)
    blend = tf.clip_by_value(grey + factor * (pixels - grey), 0.0, 255.0)
    return tf.reshape(tf.cast(blend, tf.uint8), image.shape)


def rotate(image: tf.Tensor, degrees: tf.Tensor) -> tf.Tensor:
    """Rotates about the centre."""
    angle = degrees * (math.pi / 180)
    cos, sin, last = tf.cos(angle), tf.sin(angle), image.shape[0] - 1.0
    right = (last - (cos * last - sin * last)) / 2
    down = (last - (sin * last + cos * last)) / 2
    return _warp(image, (cos, -sin, right), (sin, cos, down))


def shear_x(image: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Shifts each row by `slope` times its number."""
    return _warp(image, (1.0, slope, 0.0), (0.0, 1.0, 0.0))


def shear_y(image: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Shifts each column by `slope` times its number."""
    return _warp(image, (1.0, 0.0, 0.0), (slope, 1.0, 0.0))


def translate_y(image: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Shifts upwards."""
    return _warp(image, (1.0, 0.0, 0.0), (0.0, 1.0, pixels))


def _warp(image: tf.Tensor, across: Row, down: Row) -> tf.Tensor:
    """Takes each pixel from the nearest one of an affine map; what lies outside is grey."""
    size = image.shape[0]
    x, inside_x = _source(size, across)
    y, inside_y = _source(size, down)
    pixels = tf.concat([tf.reshape(image, [-1, 3]), _OUTSIDE], axis=0)
    index = tf.where(inside_x & inside_y, y * size + x, size * size)
    return tf.gather_nd(pixels, index[:, :, tf.newaxis])


def _source(size: int, row: Row) -> tuple[tf.Tensor, tf.Tensor]:
    """Where one coordinate comes from: int32 [size, size], and whether that is in the image."""
    along = np.arange(size, dtype=np.float32)
    place = row[0] * along + row[1] * along[:, np.newaxis] + row[2]
    # TensorFlow's op rounds halves away from zero: -0.5 and size - 0.5 are outside.
    inside = (place > -0.5) & (place < size - 0.5)
    return tf.cast(place + 0.5, tf.int32), inside
