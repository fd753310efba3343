"""How long a child takes for one image: in TensorFlow, in LiteRT, or by a user's own command.

The child is what an export would hold, batch norms folded and weights constant, but nothing is
verified, and its batch norms are not calibrated: the time depends on shapes alone. Times are
medians of repeated calls, after a warm-up; see `probe.timing`.
"""

from __future__ import annotations

import importlib.metadata
import pathlib
from collections.abc import Callable, Iterable

import numpy as np
import tf_keras

from bignas_tf import scratch
from bignas_tf.conversion import metadata, packages, tflite
from bignas_tf.data import decode
from bignas_tf.exports import probe, runtimes, signatures
from bignas_tf.exports import saved_model as saved_model_lib
from bignas_tf.exports.intake import Intake
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling.slicing import NamedWeights
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.parts import ModelSpace

SAVED_MODEL_DIR, LITERT_FILE = "saved_model", runtimes.FILES["float32"]
_WARM_UP_CALLS = 10


def saved_model(models: ModelSpace, architecture: Architecture) -> probe.Timing:
    """Times the signature 'patches' of a SavedModel in Python's TensorFlow."""
    with scratch.temporary() as temporary:
        folder = temporary / SAVED_MODEL_DIR
        _save(child(models, architecture), models, folder)
        run = probe.tensorflow(str(folder))
        return _call_timing(run, models.space.base_resolution, models.input_channels)


def litert(models: ModelSpace, architecture: Architecture, threads: int) -> probe.Timing:
    """Times LiteRT with XNNPACK in float32.

    Raises:
      RunError: the child cannot be converted.
    """
    model = _convert(child(models, architecture), models)
    return litert_timing(model, models.space.base_resolution, models.input_channels, threads)


def litert_timing(model: bytes, patch_side: int, channels: int, threads: int) -> probe.Timing:
    """Times what a .tflite file holds, which takes a uint8 patch and answers with logits."""
    return _call_timing(probe.litert(model, threads), patch_side, channels)


def litert_version(needed_by: str) -> str:
    """The version of LiteRT that is installed.

    Args:
      needed_by: what needs it, for the message.

    Raises:
      UsageError: it is not installed.
    """
    packages.require(packages.LITERT, needed_by)
    try:
        return importlib.metadata.version("ai-edge-litert")
    except importlib.metadata.PackageNotFoundError:  # of another name, such as a nightly build
        return "of unknown version"


def warm_timing(call: Callable[[], object]) -> probe.Timing:
    """Times what has just been loaded."""
    for _ in range(_WARM_UP_CALLS):
        call()
    return probe.timing(call)


def write(
    models: ModelSpace, architecture: Architecture, weights: Iterable[NamedWeights], folder: str
) -> None:
    """Writes what a user's command gets: `saved_model/` and `child_float32.tflite`.

    Args:
      models: what the child belongs to.
      architecture: the child's choices.
      weights: of its layers by their names, from `slicing.slices`.
      folder: where to write.

    Raises:
      RunError: the child cannot be converted.
    """
    made, base = child(models, architecture, weights), pathlib.Path(folder)
    base.mkdir(parents=True, exist_ok=True)
    _save(made, models, base / SAVED_MODEL_DIR)
    (base / LITERT_FILE).write_bytes(_convert(made, models))


def child(
    models: ModelSpace, architecture: Architecture, weights: Iterable[NamedWeights] = ()
) -> tf_keras.Model:
    """The stock model of a child, its weights random but for those given; see `write`."""
    made = child_lib.build_child(
        models.space, architecture, models.num_classes, models.input_channels
    )
    for name, values in weights:
        made.get_layer(name).set_weights(values)
    return made


def _save(child: tf_keras.Model, models: ModelSpace, folder: pathlib.Path) -> None:
    intake = Intake(models.space.base_resolution, models.input_channels, decode.WHOLE)
    saved_model_lib.save_graph(folder, signatures.build_light(child, intake))


def _convert(child: tf_keras.Model, models: ModelSpace) -> bytes:
    numbers = tuple(map(str, range(models.num_classes)))
    description = metadata.FileDescription("child", "Made to be timed; not calibrated.", numbers)
    side = models.space.base_resolution
    patches = np.zeros([1, side, side, models.input_channels], np.uint8)
    return tflite.convert(child, "float32", patches, description)


def _call_timing(run: probe.Infer, side: int, channels: int) -> probe.Timing:
    patch = np.random.default_rng(0).integers(0, 256, [1, side, side, channels], np.uint8)
    return warm_timing(lambda: run(patch))
