"""The gate of a detector's or segmenter's export: it answers where servers would load it."""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.exports import verify

_SIGNATURE = "serving_default"
_IMAGES = 2
# Both loaders run the same operations; what they fuse differs. A share of the largest value.
_TOLERANCE = 1e-3


def check(folder: pathlib.Path, height: int, width: int, encoded: bool) -> None:
    """Asks an export for two images of noise in TensorFlow's C++ session loader and in Python.

    Args:
      folder: holds saved_model.pb.
      height: of the images, in pixels.
      width: likewise.
      encoded: whether it takes files, and not uint8 [N, height, width, 3].

    Raises:
      RunError: it does not load, does not answer, gives what is not finite, or other answers than
        Python's loader.
    """
    images = np.random.default_rng(0).integers(0, 256, [_IMAGES, height, width, 3], np.uint8)
    given = np.array([tf.io.encode_png(each).numpy() for each in images], object)
    (name,) = verify.signatures(folder, [_SIGNATURE])[_SIGNATURE][0]
    feeds = {name: given if encoded else images}
    (found,) = verify.session_answers(folder, [(_SIGNATURE, feeds)])
    if isinstance(found, str):
        raise errors.RunError(f"the export {folder} does not answer: {found}")
    loaded = tf.saved_model.load(str(folder)).signatures[_SIGNATURE]
    expected = loaded(**{name: tf.constant(feeds[name])})
    for key, values in expected.items():
        scale = max(1.0, float(np.max(np.abs(values), initial=0.0)))
        # Written so that NaN, which is neither above nor below, fails.
        if not np.all(np.abs(found[key] - values) <= _TOLERANCE * scale):
            raise errors.RunError(
                f"the export {folder} answers with another {key!r} in the session loader than in "
                "Python, or with one that is not finite"
            )
