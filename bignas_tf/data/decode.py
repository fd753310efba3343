"""From an encoded image to one square uint8 patch."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf


class Centre(NamedTuple):
    """A centred square of an image, resized to the patch.

    Attributes:
      fraction: of the short side; the square's side is rounded down.
      antialias: when a larger square is resized.
    """

    fraction: float
    antialias: bool


# Small patches of large photographs: without antialiasing most pixels would go unread.
WHOLE = Centre(1.0, antialias=True)
# EfficientNet's and the Model Garden's settings for ImageNet.
SEVEN_EIGHTHS = Centre(0.875, antialias=False)
# Enough for all but the largest photographs; decoded to float32 that is 0.6 GB.
MOST_PIXELS = 50_000_000
_PNG = b"\x89PNG\r\n\x1a\n"
_AREA = (0.08, 1.0)
_COVERED = 0.1  # of the image; EfficientNet's, which draws again below it
_ASPECT = (3 / 4, 4 / 3)
_ATTEMPTS = 10

Window = Callable[[tf.Tensor], tf.Tensor]


def evaluation_centre(crop: str) -> Centre:
    """Returns what evaluation and serving cut, after training with that `crop`."""
    return SEVEN_EIGHTHS if crop == "inception" else WHOLE


def is_png(encoded: tf.Tensor) -> tf.Tensor:
    """Whether bytes begin as a PNG does, a bool scalar."""
    return tf.equal(tf.strings.substr(encoded, 0, len(_PNG)), _PNG)


def centred_patch(encoded: tf.Tensor, size: int, channels: int, centre: Centre) -> tf.Tensor:
    """Decodes an image and cuts its centre out.

    Args:
      encoded: scalar string, JPEG or PNG.
      size: side of the patch in pixels.
      channels: 1 or 3; grey is repeated to 3, colour turned grey for 1.
      centre: what to take of the image.

    Returns:
      uint8 [size, size, channels].
    """
    image = _cut(encoded, lambda shape: _centre(shape, centre.fraction), channels)
    return _resize(image, size, centre.antialias)


def centred_patches(images: tf.Tensor, size: int, centre: Centre) -> tf.Tensor:
    """As `centred_patch`, of decoded images: uint8 [N, H, W, C] to uint8 [N, size, size, C]."""
    window = _centre(tf.shape(images)[1:], centre.fraction)
    top, left, height, width = tf.unstack(window, num=4)
    return _resize(images[:, top : top + height, left : left + width], size, centre.antialias)


def random_patch(encoded: tf.Tensor, size: int, channels: int, seed: tf.Tensor) -> tf.Tensor:
    """A random area of 10% to 100% of the image, resized; see `centred_patch`.

    Args:
      seed: int64 [2].
    """
    image = _cut(encoded, lambda shape: _random(shape, seed), channels)
    return _resize(image, size, antialias=False)


def _cut(encoded: tf.Tensor, window: Window, channels: int) -> tf.Tensor:
    """Decodes only the window of the image, where the format allows it."""

    def jpeg() -> tf.Tensor:
        part = window(tf.image.extract_jpeg_shape(encoded))
        return tf.io.decode_and_crop_jpeg(encoded, part, channels=channels)

    def other() -> tf.Tensor:
        image = tf.io.decode_image(encoded, channels=channels, expand_animations=False)
        top, left, height, width = tf.unstack(window(tf.shape(image)), num=4)
        return image[top : top + height, left : left + width]

    image = tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
    return tf.ensure_shape(image, [None, None, channels])


def _centre(shape: tf.Tensor, fraction: float) -> tf.Tensor:
    """int32 [4]: top, left, height, width of a centred square."""
    short = tf.minimum(shape[0], shape[1])
    side = tf.cast(fraction * tf.cast(short, tf.float32), tf.int32)
    side = tf.maximum(side, 1)
    return tf.stack([(shape[0] - side) // 2, (shape[1] - side) // 2, side, side])


def _random(shape: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """int32 [4]: a random window, or the centre where none was found."""
    begin, size, _ = tf.image.stateless_sample_distorted_bounding_box(
        shape,
        tf.constant([[[0.0, 0.0, 1.0, 1.0]]]),
        seed,
        min_object_covered=_COVERED,
        aspect_ratio_range=_ASPECT,
        area_range=_AREA,
        max_attempts=_ATTEMPTS,
    )
    found = tf.reduce_any(size[:2] < shape[:2])
    window = tf.concat([begin[:2], size[:2]], axis=0)
    return tf.where(found, window, _centre(shape, SEVEN_EIGHTHS.fraction))


def _resize(images: tf.Tensor, size: int, antialias: bool) -> tf.Tensor:
    """Bicubic, uint8 [..., H, W, C] to [..., size, size, C]; unchanged if of that size."""

    def resized() -> tf.Tensor:
        # The op also takes bytes, but needs twice the time for them.
        pixels = tf.cast(images, tf.float32)
        pixels = tf.image.resize(pixels, [size, size], "bicubic", antialias=antialias)
        return tf.saturate_cast(tf.round(pixels), tf.uint8)

    same = tf.reduce_all(tf.equal(tf.shape(images)[-3:-1], size))
    shape = [*images.shape[:-3], size, size, images.shape[-1]]
    return tf.ensure_shape(tf.cond(same, lambda: images, resized), shape)
