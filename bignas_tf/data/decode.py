"""From an encoded image to one square uint8 patch."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# EfficientNet's and the Model Garden's settings for ImageNet.
CENTRE_FRACTION = 0.875
_AREA = (0.08, 1.0)
_ASPECT = (3 / 4, 4 / 3)
_ATTEMPTS = 10

Window = Callable[[tf.Tensor], tf.Tensor]


def whole_patch(encoded: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """The biggest centred square, resized.

    Args:
      encoded: scalar string, JPEG or PNG.
      size: side of the patch in pixels.
      channels: 1 or 3; grey is repeated to 3, colour turned grey for 1.

    Returns:
      uint8 [size, size, channels].
    """
    image = _cut(encoded, lambda shape: _centre(shape, 1.0), channels)
    # Small patches of large photographs: without antialiasing most pixels would go unread.
    return _resize(image, size, antialias=True)


def centre_patch(encoded: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """The centred square of 7/8 of the short side, resized; see `whole_patch`."""
    image = _cut(encoded, lambda shape: _centre(shape, CENTRE_FRACTION), channels)
    return _resize(image, size, antialias=False)


def random_patch(encoded: tf.Tensor, size: int, channels: int, seed: tf.Tensor) -> tf.Tensor:
    """A random area of 8% to 100% of the image, resized; see `whole_patch`.

    Args:
      seed: int64 [2].
    """
    image = _cut(encoded, lambda shape: _random(shape, seed), channels)
    return _resize(image, size, antialias=False)


def _cut(encoded: tf.Tensor, window: Window, channels: int) -> tf.Tensor:
    """Decodes the window of the image only, where the format allows it."""

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
        min_object_covered=_AREA[0],
        aspect_ratio_range=_ASPECT,
        area_range=_AREA,
        max_attempts=_ATTEMPTS,
    )
    found = tf.reduce_any(size[:2] < shape[:2])
    window = tf.concat([begin[:2], size[:2]], axis=0)
    return tf.where(found, window, _centre(shape, CENTRE_FRACTION))


def _resize(image: tf.Tensor, size: int, antialias: bool) -> tf.Tensor:
    """Bicubic to uint8 [size, size, channels]; untouched where it has that size."""

    def resized() -> tf.Tensor:
        # The op takes bytes too, and twice the time over them.
        pixels = tf.cast(image, tf.float32)
        pixels = tf.image.resize(pixels, [size, size], "bicubic", antialias=antialias)
        return tf.saturate_cast(tf.round(pixels), tf.uint8)

    same = tf.reduce_all(tf.equal(tf.shape(image)[:2], size))
    return tf.ensure_shape(tf.cond(same, lambda: image, resized), [size, size, image.shape[-1]])
