"""Writes a child as a verified, versioned SavedModel of stock Keras layers."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework import convert_to_constants

from bignas_tf import errors, files
from bignas_tf.data import resize
from bignas_tf.export import folding, verify

# The graph is the supernet's with other sums, and kernels that the batch norms have scaled:
# float32 rounding, some 1e-6 of the largest logit.
_RELATIVE_TOLERANCE = 1e-4
CARD_FILE = "child.json"
_GRAPH = "batch norms folded into the convolutions, weights as constants; params counts them apart"


class ServedChild(tf.Module):
    """A child behind the signature that servers call, made quick to load and to run.

    Batch norms are folded into the convolutions, and the weights are constants of the graph, so
    that the kernels can lay them out once for good. It cannot be trained further.

    Args:
      child: what `build_child` made, weights set.
      patch_size: side of the square images it is served, in pixels; the graph
        resizes them to the child's own resolution.
    """

    def __init__(self, child: tf_keras.Model, patch_size: int) -> None:
        super().__init__()
        folded = folding.fold(child)
        side, channels = child.input_shape[1], child.input_shape[3]
        spec = tf.TensorSpec([None, patch_size, patch_size, channels], tf.uint8, "images")

        @tf.function(input_signature=[spec])
        def answer(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits = folded(resize.resize_patches(images, side), training=False)
            return logits, tf.nn.softmax(logits)

        frozen = convert_to_constants.convert_variables_to_constants_v2(
            answer.get_concrete_function()
        )

        def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
            logits, probabilities = frozen(images)
            return {verify.LOGITS: logits, "probabilities": probabilities}

        self.serve = tf.function(serve, input_signature=[spec])


def export(
    child: tf_keras.Model,
    card: dict[str, Any],
    output_dir: str,
    patches: np.ndarray,
    expected_logits: np.ndarray,
) -> pathlib.Path:
    """Writes `output_dir/<version>/`, which appears only once it is verified.

    Args:
      child: from `slicing.sliced_child`.
      card: architecture, cost (of the child as trained, batch norms counted), accuracy and
        source, written as `child.json`.
      output_dir: base folder of the model's versions, as TF Serving takes it.
      patches: uint8 [N, S, S, C], real images to verify on.
      expected_logits: float32 [N, classes], the calibrated supernet's for them.

    Returns:
      The version's folder.

    Raises:
      UsageError: the folder is not writable.
      RunError: the written model does not load or gives other outputs.
    """
    base = files.ensure_writable(output_dir)
    scratch = pathlib.Path(tempfile.mkdtemp(dir=base, prefix=".unverified-"))
    try:
        served = ServedChild(child, patches.shape[1])
        tf.saved_model.save(
            served,
            str(scratch),
            signatures={"serving_default": served.serve},
            options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
        )
        tolerance = _RELATIVE_TOLERANCE * max(1.0, float(np.abs(expected_logits).max()))
        difference = verify.verify_export(scratch, patches, expected_logits, tolerance)
        verified = {"images": len(patches), "max_difference": difference, "tolerance": tolerance}
        files.write_json(scratch / CARD_FILE, card | {"graph": _GRAPH, "verified": verified})
        os.chmod(scratch, 0o755)
        return _publish(scratch, base)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _publish(scratch: pathlib.Path, base: pathlib.Path) -> pathlib.Path:
    """Renames to the next free version; two exports at once get two versions."""
    for _ in range(100):
        version = 1 + max((int(p.name) for p in base.iterdir() if p.name.isdecimal()), default=0)
        try:
            os.rename(scratch, base / str(version))
        except OSError:  # another export took the number in between
            continue
        return base / str(version)
    raise errors.RunError(f"no free version below {base}")
