"""What clients send, made into the patches that evaluation cuts, or refused with a message.

All of it is TensorFlow operations, so that servers do it. A refusal is an InvalidArgumentError
whose message counts the images of the request from 0.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from bignas_tf.data import decode

_DECODERS = 8  # images of one request decoded at the same time
_NAMED = 5  # images that one message names at most
_READABLE, _EMPTY, _FOREIGN, _HUGE, _DAMAGED = range(5)
_PROBLEMS = (
    "",
    "is empty",
    "is neither JPEG nor PNG",
    f"has more than {decode.MOST_PIXELS} pixels",
    "cannot be decoded: it is damaged, cut short or of a rare kind",
)


@dataclasses.dataclass(frozen=True)
class Intake:
    """How requests become patches.

    Attributes:
      size: side of the patches in pixels.
      channels: 1 or 3.
      centre: what evaluation takes of an image.
    """

    size: int
    channels: int
    centre: decode.Centre

    @classmethod
    def of(cls, patches: np.ndarray, centre: decode.Centre) -> Intake:
        """Such that requests become patches like these, uint8 [N, size, size, channels]."""
        return cls(patches.shape[1], patches.shape[3], centre)

    def from_bytes(self, encoded: tf.Tensor) -> tf.Tensor:
        """Decodes JPEG and PNG images, string [N], to uint8 [N, size, size, channels].

        Grey is repeated to 3 channels and colour turned grey for 1; of alpha and of 16 bits the
        image keeps colours and upper bytes, of an animated PNG its first frame.
        """
        encoded = _need(tf.size(encoded) > 0, "the request holds no image", encoded)
        count = tf.size(encoded, tf.int64)
        nothing = tf.zeros([self.size, self.size, self.channels], tf.uint8)

        def read(number: tf.Tensor, image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            problem = _problem(image)
            patch = tf.cond(
                tf.equal(problem, _READABLE),
                lambda: decode.centred_patch(image, self.size, self.channels, self.centre),
                lambda: nothing,
            )
            return number, problem, patch

        # Only a data set can continue after an operation failed, and so tell which image it was.
        images = tf.data.Dataset.from_tensor_slices(encoded).enumerate()
        decoded = images.map(read, num_parallel_calls=_DECODERS).ignore_errors()
        # An extra element that is always there, because a batch cannot be empty.
        extra = tf.data.Dataset.from_tensors((tf.constant(-1, tf.int64), _READABLE, nothing))
        batch = extra.concatenate(decoded).batch(count + 1).with_options(_plain())
        numbers, problems, patches = (each[1:] for each in batch.get_single_element())
        damaged = tf.fill([count], _DAMAGED)
        problems = tf.tensor_scatter_nd_update(damaged, numbers[:, tf.newaxis], problems)
        bad = tf.where(tf.not_equal(problems, _READABLE))[:_NAMED, 0]
        reasons = tf.gather(tf.constant(_PROBLEMS), tf.gather(problems, bad))
        return _need(tf.equal(tf.size(bad), 0), _list(bad, reasons), patches)

    def from_pixels(self, images: tf.Tensor) -> tf.Tensor:
        """Cuts decoded images, uint8 [N, H, W, channels]."""
        images = tf.ensure_shape(images, [None, None, None, self.channels])
        images = _need(tf.shape(images)[0] > 0, "the batch is empty", images)
        pixels = tf.reduce_prod(tf.shape(images, tf.int64)[1:3])
        fits = (pixels > 0) & (pixels <= decode.MOST_PIXELS)
        images = _need(fits, f"an image needs 1 to {decode.MOST_PIXELS} pixels", images)
        return decode.centred_patches(images, self.size, self.centre)

    def from_patches(self, patches: tf.Tensor) -> tf.Tensor:
        """Checks patches that are cut already, uint8 [N, size, size, channels]."""
        patches = tf.ensure_shape(patches, [None, self.size, self.size, self.channels])
        return _need(tf.shape(patches)[0] > 0, "the batch is empty", patches)

    def from_floats(self, images: tf.Tensor) -> tf.Tensor:
        """As `from_pixels`, of float32 values from 0 to 255, which are rounded.

        Values scaled to [0, 1] or [-1, 1] are refused: they would give a wrong answer. Only an
        image of zeros and ones cannot be told from one that is almost black.
        """
        images = tf.ensure_shape(images, [None, None, None, self.channels])
        whole = tf.round(images)
        one_image = [1, 2, 3]
        # Written so that NaN, which is on neither side, is outside.
        inside = tf.reduce_all((images >= 0) & (images <= 255), one_image)
        dark = tf.reduce_all(images <= 1, one_image)
        scaled = dark & tf.reduce_any(tf.not_equal(images, whole), one_image)
        bad = tf.where(~inside | scaled)[:_NAMED, 0]
        message = _list(bad, "has values that are not pixels from 0 to 255")
        images = _need(tf.equal(tf.size(bad), 0), message, whole)
        return self.from_pixels(tf.cast(images, tf.uint8))


def _plain() -> tf.data.Options:
    """Turns off what pays only in a long-lived data set; that saves 0.6 ms a request."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _problem(image: tf.Tensor) -> tf.Tensor:
    """One of _PROBLEMS, int32 scalar, from the first bytes; a damaged header fails."""
    png, jpeg = decode.is_png(image), tf.io.is_jpeg(image)

    def readable() -> tf.Tensor:
        sides = tf.cond(jpeg, lambda: tf.image.extract_jpeg_shape(image)[:2], png_sides)
        pixels = tf.reduce_prod(tf.cast(sides, tf.int64))
        return tf.where(pixels > decode.MOST_PIXELS, _HUGE, _READABLE)

    def png_sides() -> tf.Tensor:
        # Signature, length and name of the chunk IHDR, then width and height.
        return tf.io.decode_raw(tf.strings.substr(image, 16, 8), tf.int32, little_endian=False)

    foreign = tf.where(tf.equal(tf.strings.length(image), 0), _EMPTY, _FOREIGN)
    return tf.cond(jpeg | png, readable, lambda: foreign)


def _list(numbers: tf.Tensor, reasons: tf.Tensor | str) -> tf.Tensor:
    """'image 1 is empty; image 4 is damaged', string scalar."""
    parts = tf.strings.join(["image ", tf.strings.as_string(numbers), " ", reasons])
    return tf.strings.reduce_join(parts, separator="; ")


def _need(condition: tf.Tensor, message: tf.Tensor | str, value: tf.Tensor) -> tf.Tensor:
    """`value`, once the condition is known to hold."""
    with tf.control_dependencies([tf.debugging.Assert(condition, [message])]):
        return tf.identity(value)
