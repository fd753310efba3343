"""Loads an export in one runtime and runs it; needs NumPy and that runtime alone.

`trials` starts this file by its path, in its own process, so that nothing which this
project or another runtime brings can make a file work here that would not work for a user:

  python -P probe.py RUNTIME

Each line of its input is a JSON list, [MODEL, PATCHES.npy, ANSWER.npz] and sometimes INPUT and
OUTPUT; when it has been dealt with, a line says "done". PATCHES are uint8 [N, S, S, C]. ANSWER gets
`logits`, float32 [N, classes], and `milliseconds`, the median time of one image in its own call.
INPUT and OUTPUT are names of tensors, which only 'session' needs.
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import runpy
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Infer = Callable[[np.ndarray], np.ndarray]
# Few calls of a small child are over in a moment, which any other process can spoil.
_TIMED_CALLS, _TIMED_SECONDS = 50, 0.2
_NOISY, _MOST_TRIES = 0.1, 5  # the spread, of the median, from which on all of them are repeated


def session(folder: str, patches: str, logits: str) -> Infer:
    """TensorFlow's C API, as servers load a SavedModel."""
    library = runpy.run_path(str(pathlib.Path(__file__).with_name("session.py")))
    loaded = library["Session"](folder)
    return lambda images: loaded.run({patches: images}, [logits])[0]


def tensorflow(folder: str) -> Infer:
    """Python's TensorFlow."""
    import tensorflow as tf

    loaded = tf.saved_model.load(folder)

    def answer(images: np.ndarray) -> np.ndarray:
        # From `loaded` each time, which keeps it: a signature holds its variables only weakly.
        return loaded.signatures["patches"](patches=tf.constant(images))["logits"].numpy()

    return answer


def interpreter(model: str | bytes, threads: int | None = None) -> Any:
    """Loads a .tflite file, or what one holds, into LiteRT with its delegate for CPUs (XNNPACK)."""
    # The Model Garden brings the package, which has no wheel for every machine.
    from ai_edge_litert.interpreter import Interpreter

    given = {"model_path" if isinstance(model, str) else "model_content": model}
    loaded = Interpreter(**given, num_threads=threads)
    loaded.allocate_tensors()
    return loaded


def litert(model: str | bytes, threads: int | None = None) -> Infer:
    """LiteRT, from a file or what one holds; quantised answers become float32."""
    loaded = interpreter(model, threads)
    (patches,) = loaded.get_input_details()
    (logits,) = [each for each in loaded.get_output_details() if each["name"] == "logits"]

    def answer(image: np.ndarray) -> np.ndarray:
        loaded.set_tensor(patches["index"], image[np.newaxis])
        loaded.invoke()
        return dequantised(loaded.get_tensor(logits["index"])[0], logits)

    return lambda images: np.stack([answer(image) for image in images])


def dequantised(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """Values of a LiteRT tensor in float32, by its `quantization` if it has one."""
    scale, zero = tensor["quantization"]
    exact = values.astype(np.float32)
    return (exact - np.float32(zero)) * np.float32(scale) if scale else exact


def onnxruntime(path: str, threads: int | None = None) -> Infer:
    """ONNX Runtime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or 0
    loaded = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda images: loaded.run(["logits"], {"patches": images})[0]


def openvino(path: str) -> Infer:
    """OpenVINO on the CPU; takes a .tflite file of one image a call."""
    import openvino

    # Without the hint it computes in bfloat16 where the CPU can.
    precise = {"INFERENCE_PRECISION_HINT": "f32"}
    loaded = openvino.Core().compile_model(path, "CPU", precise)
    return lambda images: np.concatenate(
        [np.array(loaded(image[np.newaxis])["logits"]) for image in images]
    )


_RUNTIMES: dict[str, Callable[..., Infer]] = {
    each.__name__: each for each in (session, tensorflow, litert, onnxruntime, openvino)
}


class Timing(NamedTuple):
    """Milliseconds of a call.

    Attributes:
      median: of the calls.
      spread: half the distance between their quartiles.
    """

    median: float
    spread: float


def timing(call: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> Timing:
    """Times a warm callable: a minimum number of calls and a minimum time.

    Where they scatter, other processes were in the way, which only makes calls slower: a few more
    tries, and the fastest counts.

    Args:
      call: what to time.
      clock: gives seconds.
    """
    tries = [_timed(call, clock)]
    while tries[-1].spread > _NOISY * tries[-1].median and len(tries) < _MOST_TRIES:
        tries.append(_timed(call, clock))
    return min(tries)


def _timed(call: Callable[[], object], clock: Callable[[], float]) -> Timing:
    seconds: list[float] = []
    end = clock() + _TIMED_SECONDS
    while len(seconds) < _TIMED_CALLS or clock() < end:
        began = clock()
        call()
        seconds.append(clock() - began)
    low, median, high = statistics.quantiles(seconds, n=4)
    return Timing(1000 * median, 1000 * (high - low) / 2)


def milliseconds(run: Infer, patch: np.ndarray) -> float:
    """The median time of a call; what was loaded must have run before.

    Args:
      run: what to time.
      patch: one image, uint8 [1, S, S, C].
    """
    return timing(lambda: run(patch)).median


def main(arguments: Sequence[str]) -> None:
    """See the module's docstring for the arguments."""
    (runtime,) = arguments
    for module in ("bignas_tf", "tf_keras"):
        sys.modules[module] = None  # type: ignore[assignment]  # importing it now fails
    # Answers have the output for themselves: what libraries print goes where errors go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    if runtime == tensorflow.__name__:  # takes seconds; the model may still be in the making
        importlib.import_module("tensorflow")
    for line in sys.stdin:
        try:
            _answer(runtime, *json.loads(line))
        except Exception as error:  # whatever a runtime may raise, in one line
            sys.exit(f"error: {' '.join(str(error).split()) or type(error).__name__}")
        print("done", file=answers, flush=True)


def _answer(runtime: str, model: str, patches_path: str, answer_path: str, *names: str) -> None:
    patches = np.load(patches_path)
    run = _RUNTIMES[runtime](model, *names)
    logits = run(patches)
    elapsed = milliseconds(run, patches[:1])
    np.savez(answer_path, logits=logits, milliseconds=elapsed)


if __name__ == "__main__":
    main(sys.argv[1:])
