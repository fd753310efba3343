"""How long a child takes for one image: in TensorFlow, in LiteRT, or by a user's own command.

The child is what an export would hold, batch norms folded and weights constant, but nothing is
verified, and its batch norms are not calibrated: the time depends on shapes alone. Times are
medians of repeated calls, after a warm-up; see `probe.timing`.
"""

from __future__ import annotations

import contextlib
import math
import os
import pathlib
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf import errors
from bignas_tf.conversion import metadata, tflite
from bignas_tf.data import decode
from bignas_tf.exports import probe, runtimes, signatures
from bignas_tf.exports.intake import Intake
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling.slicing import NamedWeights
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.parts import ModelSpace

SAVED_MODEL_DIR, LITERT_FILE = "saved_model", runtimes.FILES["float32"]
_LIMIT_S = 600.0
_WARM_UP_CALLS = 10
_MOST_PRINTED = 400  # characters of a command's output that an error repeats


def saved_model(models: ModelSpace, architecture: Architecture) -> probe.Timing:
    """Times the signature 'patches' of a SavedModel in Python's TensorFlow."""
    with tempfile.TemporaryDirectory() as folder:
        _save(_child(models, architecture), models, folder)
        run = probe.tensorflow(folder)
        return _call_timing(run, models.space.base_resolution, models.input_channels)


def litert(models: ModelSpace, architecture: Architecture, threads: int) -> probe.Timing:
    """Times LiteRT with XNNPACK in float32.

    Raises:
      RunError: the child cannot be converted.
    """
    model = _convert(_child(models, architecture), models)
    return litert_timing(model, models.space.base_resolution, models.input_channels, threads)


def litert_timing(model: bytes, patch_side: int, channels: int, threads: int) -> probe.Timing:
    """Times a .tflite file that takes a uint8 patch and answers with logits."""
    with tempfile.NamedTemporaryFile(suffix=".tflite") as file:
        file.write(model)
        file.flush()
        return _call_timing(probe.litert(file.name, threads), patch_side, channels)


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
    child = _child(models, architecture)
    for name, values in weights:
        child.get_layer(name).set_weights(values)
    base = pathlib.Path(folder)
    _save(child, models, str(base / SAVED_MODEL_DIR))
    (base / LITERT_FILE).write_bytes(_convert(child, models))


def command(words: Sequence[str], folder: str, limit_s: float = _LIMIT_S) -> float:
    """Runs a user's command on a folder; the last line that it prints is its milliseconds.

    Args:
      words: of the command; the folder becomes its last argument.
      folder: as `write` leaves it.
      limit_s: seconds after which the command, and what it started, is ended.

    Raises:
      RunError: it cannot be started, fails, takes too long, or prints no positive number.
    """
    shown = shlex.join([*words, folder])
    try:
        process = subprocess.Popen(
            [*words, folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise errors.RunError(f"{shown}: cannot be started ({error.strerror})") from error
    with process, _ended(process):
        try:
            output, complaints = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as error:
            printed = (error.stdout or b"") + (error.stderr or b"")
            text = printed.decode("utf-8", "replace")
            raise errors.RunError(f"{shown}: took over {limit_s:g} s; {_printed(text)}") from None
    if process.returncode:
        raise errors.RunError(
            f"{shown}: exit status {process.returncode}; {_printed(output + complaints)}"
        )
    return _milliseconds(shown, output, complaints)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Ends a process and all that it started, if an exception passes."""
    try:
        yield
    except BaseException:
        # It has its own session, so that its process group holds just what it started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise


def _milliseconds(shown: str, output: str, complaints: str) -> float:
    lines = output.split("\n")
    text = next((line.strip() for line in reversed(lines) if line.strip()), "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    # Written so that NaN fails.
    if not 0 < value < math.inf:
        raise errors.RunError(
            f"{shown}: its last line must be milliseconds, a number above 0; "
            f"{_printed(output + complaints)}"
        )
    return value


def _printed(text: str) -> str:
    """The end of what a command printed, in one line."""
    line = " ".join(text.split())
    return f"it printed {line[-_MOST_PRINTED:]!r}" if line else "it printed nothing"


def _child(models: ModelSpace, architecture: Architecture) -> tf_keras.Model:
    return child_lib.build_child(
        models.space, architecture, models.num_classes, models.input_channels
    )


def _save(child: tf_keras.Model, models: ModelSpace, folder: str) -> None:
    intake = Intake(models.space.base_resolution, models.input_channels, decode.WHOLE)
    tf.saved_model.save(
        tf.Module(),
        folder,
        signatures=signatures.build_light(child, intake),
        options=tf.saved_model.SaveOptions(experimental_custom_gradients=False),
    )


def _convert(child: tf_keras.Model, models: ModelSpace) -> bytes:
    numbers = tuple(map(str, range(models.num_classes)))
    description = metadata.FileDescription("child", "Made to be timed; not calibrated.", numbers)
    side = models.space.base_resolution
    patches = np.zeros([1, side, side, models.input_channels], np.uint8)
    return tflite.convert(child, "float32", patches, description)


def _call_timing(run: probe.Infer, side: int, channels: int) -> probe.Timing:
    patch = np.random.default_rng(0).integers(0, 256, [1, side, side, channels], np.uint8)
    return warm_timing(lambda: run(patch))
