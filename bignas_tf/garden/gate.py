"""The gate of a detector's or segmenter's export: it answers where servers would load it."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.exports import verify

_SIGNATURE = "serving_default"
_IMAGES = 2


def weights(checkpoint: str) -> set[bytes]:
    """The weights of a checkpoint, by what tells them from others.

    Refuses weights that are not finite, which detections would hide: they drop such scores.

    Args:
      checkpoint: path without suffix.

    Raises:
      RunError: names the first that is not finite.
    """
    found = set()
    for name, value in _floats(checkpoint):
        if not np.isfinite(value).all():
            raise errors.RunError(f"{checkpoint} has a weight that is not finite: {name}")
        found.add(_digest(value))
    return found


def check_taken_over(trained: set[bytes], folder: pathlib.Path) -> None:
    """Refuses an export with weights that its checkpoint does not have.

    The Garden's exporter leaves the layers that a checkpoint lacks with their first, random weights
    and says nothing. Names differ between the two, so values are compared.

    Args:
      trained: the `weights` of the checkpoint.
      folder: holds variables/.

    Raises:
      RunError: names the first of them.
    """
    for name, value in _floats(str(folder / "variables" / "variables")):
        if _digest(value) not in trained:
            raise errors.RunError(
                f"the checkpoint lacks a weight of the exported model, {name}: give the "
                "configuration that it was trained with"
            )


def _floats(checkpoint: str) -> Iterator[tuple[str, np.ndarray]]:
    reader = tf.train.load_checkpoint(checkpoint)
    for name, dtype in reader.get_variable_to_dtype_map().items():
        if dtype.is_floating:
            yield name, reader.get_tensor(name)


def _digest(value: np.ndarray) -> bytes:
    return hashlib.sha256(repr(value.shape).encode() + value.tobytes()).digest()


def check(folder: pathlib.Path, height: int, width: int, encoded: bool) -> None:
    """Asks an export for two images of noise in TensorFlow's C++ session loader.

    Its answers are not compared with others: among detections of noise, whose scores are nearly
    equal, rounding alone decides which come first.

    Args:
      folder: holds saved_model.pb.
      height: of the images, in pixels.
      width: likewise.
      encoded: whether it takes files, and not uint8 [N, height, width, 3].

    Raises:
      RunError: it does not load, does not answer, or gives what is not finite.
    """
    images = np.random.default_rng(0).integers(0, 256, [_IMAGES, height, width, 3], np.uint8)
    if encoded:
        images = np.array([tf.io.encode_png(each).numpy() for each in images], object)
    (name,) = verify.signatures(folder, [_SIGNATURE])[_SIGNATURE][0]
    (answer,) = verify.session_answers(folder, [(_SIGNATURE, {name: images})])
    if isinstance(answer, str):
        raise errors.RunError(f"the exported model does not answer: {answer}")
    for key, values in answer.items():
        if not np.isfinite(values).all():
            raise errors.RunError(f"the exported model answers with a {key!r} that is not finite")
