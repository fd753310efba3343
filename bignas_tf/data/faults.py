"""Which image cannot be read, and what to do about it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import tensorflow as tf
from absl import logging

from bignas_tf import errors
from bignas_tf.data import config as config_lib
from bignas_tf.data import decode, parallel, sources

# Not those of a lost worker or of exhausted memory: all images would be read to find no fault.
_OF_IMAGES = (
    tf.errors.InvalidArgumentError,
    tf.errors.DataLossError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
    tf.errors.FailedPreconditionError,  # a folder of that name
    tf.errors.UnknownError,  # an error of the disk
)
# Devices raise these too: only where the input failed are the images worth reading again.
_OF_DEVICES_TOO = (tf.errors.FailedPreconditionError, tf.errors.UnknownError)
_READ = "ReadFile"  # the operation in whose errors TensorFlow names the file
_INPUT = (_READ, "IteratorGetNext")
# Of TPUs' compiler, and of replicas that disagree; both raise an InvalidArgumentError, too.
_NO_IMAGE = re.compile("compilation fail|in the collective instance", re.IGNORECASE)
# Where in the graph and in the pipeline it happened.
_NODES = re.compile(
    r"\{\{.*?\}\}|\[\[.*?\]\]|\[Op:.*?\].*|Error in user-defined function .*?: \S+: "
)


@contextlib.contextmanager
def named(config: config_lib.DataConfig) -> Iterator[None]:
    """Wraps whatever consumes the data set of `config`: names the image that stopped it.

    TensorFlow does not say which one it was, so the split is read once more, in order.

    Raises:
      UsageError: an image cannot be read, vanished or has a wrong label. Other errors pass.
    """
    try:
        yield
    except _OF_IMAGES as error:
        if isinstance(error, _OF_DEVICES_TOO) and not is_of_input(error):
            raise
        if _NO_IMAGE.search(str(error)):
            raise
        logging.warning("looking for an image that cannot be read")
        try:
            check(sources.open_source(config), config)
        except errors.UsageError as found:
            raise found from error
        if _READ in str(error):
            raise errors.UsageError(
                f"data: an image changed or vanished while it was needed ({reason(error)}); give "
                "the same command again"
            ) from error
        raise


def is_of_input(error: tf.errors.OpError) -> bool:
    """Whether it was met while images were read, not by a device or in a model."""
    met = any(name in str(error) for name in _INPUT)
    return met or isinstance(error, tf.errors.DataLossError)


def check(source: sources.Source, config: config_lib.DataConfig, count: int | None = None) -> None:
    """Decodes the first `count` images, or all, in order.

    Raises:
      UsageError: one of them cannot be read, or its label is out of range.
    """
    _, fault = _first_fault(source.part(0, source.count if count is None else count), config)
    if fault:
        raise fault


def every(source: sources.Source, config: config_lib.DataConfig) -> Iterator[errors.UsageError]:
    """Decodes all images, in order; yields an error for each that cannot be used.

    That is what `check` refuses, and what training takes, but no exported child: an image of
    another kind under the name of a JPEG or PNG, or of too many pixels.
    """
    first = 0
    while first < source.count:
        number, fault = _first_fault(source.part(first, source.count), config, served=True)
        if fault:
            yield fault
        first += number + 1


def _first_fault(
    source: sources.Source, config: config_lib.DataConfig, served: bool = False
) -> tuple[int, errors.UsageError | None]:
    """The number of the first image that cannot be used, and why; or of all, and None.

    Args:
      source: of the images.
      config: of them.
      served: whether exported children must take them, too.
    """

    @tf.autograph.experimental.do_not_convert
    def decoded(encoded: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        image = tf.io.decode_image(encoded, channels=config.channels, expand_animations=False)
        known = decode.is_png(encoded) | tf.io.is_jpeg(encoded)
        return label, tf.size(image) // config.channels, known

    dataset = source.ordered().map(decoded, num_parallel_calls=tf.data.AUTOTUNE)
    number = 0
    try:
        for label, pixels, known in dataset.with_options(parallel.options()).as_numpy_iterator():
            name = source.name(number)
            sources.check_range(label, label, config, name)
            if served and (not known or pixels > decode.MOST_PIXELS):
                return number, _not_served(name, known, pixels)
            number += 1
    except _OF_IMAGES as error:
        fault = _unreadable(source.name(number), config, error)
        fault.__cause__ = error
        return number, fault
    except errors.UsageError as error:
        return number, error
    return number, None


def _not_served(name: str, known: bool, pixels: int) -> errors.UsageError:
    what = f"has {pixels:,} pixels" if known else "is neither a JPEG nor a PNG"
    return errors.UsageError(
        f"data: {name} {what}; training takes it, but exported children take JPEG and PNG of at "
        f"most {decode.MOST_PIXELS:,} pixels"
    )


def _unreadable(
    name: str, config: config_lib.DataConfig, error: tf.errors.OpError
) -> errors.UsageError:
    wanted = "JPEG or PNG images are needed"
    if config.source == "tfrecord":
        wanted += " under image/encoded, and one int64 under image/class/label"
    return errors.UsageError(
        f"data: {name} cannot be read; {wanted}: put a readable one in its place, or remove it if "
        "no run has learnt from the others yet: from then on a run needs as many as there were "
        f"({reason(error)})"
    )


def reason(error: tf.errors.OpError) -> str:
    """What TensorFlow met, in a line without the places in graph and pipeline."""
    return errors.one_line(_NODES.sub("", str(error.message)))
