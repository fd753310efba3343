"""The gate of every export: it must load and answer where servers would load it.

Python's loader is not proof enough. It accepts SavedModels whose variables the C++ session
loader cannot find, and TFLite turns such a model into NaNs without a word. So an export is run
by `session`, in a process that has neither this project's layers nor Python's TensorFlow.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Mapping

import numpy as np
from google.protobuf import message as protobuf

from bignas_tf import errors

LOGITS = "logits"
_SESSION = pathlib.Path(__file__).resolve().with_name("session.py")
_TIMEOUT_S = 600


def verify_export(
    export_dir: str | os.PathLike[str],
    images: np.ndarray,
    expected_logits: np.ndarray,
    atol: float,
) -> float:
    """Checks that the SavedModel, loaded by the C++ session loader, gives these logits.

    Args:
      export_dir: the folder that holds saved_model.pb. Its 'serving_default' signature has one
        input, and one output or one named 'logits'.
      images: what that input takes, [N, ...], with its dtype.
      expected_logits: float [N, num_classes].
      atol: the largest absolute difference allowed.

    Returns:
      The largest absolute difference.

    Raises:
      RunError: it does not load, does not run, or gives other logits.
    """
    inputs, outputs = _signature(pathlib.Path(export_dir), "serving_default")
    if len(inputs) != 1:
        raise _failure(export_dir, f"its inputs are {sorted(inputs)}; one was expected")
    if len(outputs) != 1 and LOGITS not in outputs:
        raise _failure(export_dir, f"its outputs are {sorted(outputs)}; none is {LOGITS!r}")
    results = session_loads(export_dir, {next(iter(inputs)): images})
    logits = results[LOGITS] if LOGITS in results else next(iter(results.values()))
    if logits.shape != expected_logits.shape:
        shapes = f"{list(logits.shape)}, not {list(expected_logits.shape)}"
        raise _failure(export_dir, f"its logits have the shape {shapes}")
    difference = float(np.max(np.abs(logits - expected_logits), initial=0.0))
    # Written so that NaN, which is neither above nor below `atol`, fails.
    if not difference <= atol:
        raise _failure(
            export_dir, f"its logits differ by up to {difference:.3g}; {atol:.3g} is allowed"
        )
    return difference


def session_loads(
    export_dir: str | os.PathLike[str],
    feeds: Mapping[str, np.ndarray],
    signature: str = "serving_default",
) -> dict[str, np.ndarray]:
    """Loads a SavedModel with the C API's session loader and runs one signature of it.

    Args:
      export_dir: the folder that holds saved_model.pb.
      feeds: an array for each input of the signature, by the input's name.
      signature: the signature's key.

    Returns:
      An array for each output of the signature, by the output's name.

    Raises:
      RunError: it does not load or does not run; the message says why in one line.
    """
    folder = pathlib.Path(export_dir).resolve()
    inputs, outputs = _signature(folder, signature)
    if set(feeds) != set(inputs):
        raise _failure(folder, f"{signature!r} takes {sorted(inputs)}; given {sorted(feeds)}")
    request = {
        "feeds": [inputs[name] for name in feeds],
        "fetches": list(outputs.values()),
    }
    with tempfile.TemporaryDirectory() as scratch:
        names = ("request.json", "feeds.npz", "outputs.npz")
        request_path, feeds_path, outputs_path = (pathlib.Path(scratch, name) for name in names)
        request_path.write_text(json.dumps(request), encoding="utf-8")
        np.savez(feeds_path, *feeds.values())
        _run_session(folder, [request_path, feeds_path, outputs_path])
        with np.load(outputs_path) as arrays:
            return dict(zip(outputs, arrays.values(), strict=True))


def _run_session(folder: pathlib.Path, paths: list[pathlib.Path]) -> None:
    """Runs `session` on `folder`; a crash of the C++ code ends that process, not this one."""
    # The GPU, if there is one, belongs to the process that trains or exports.
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    # -P: the folder of session.py, which is this package, is not a place to import from.
    command = [sys.executable, "-P", str(_SESSION), str(folder), *map(str, paths)]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise _failure(folder, f"the session loader took over {_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise _failure(folder, f"the session loader says: {lines[-1].removeprefix('error: ')}")


def _signature(folder: pathlib.Path, key: str) -> tuple[dict[str, str], dict[str, str]]:
    """Tensor names of a signature's inputs and outputs, by their names in the signature."""
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        content = (pathlib.Path(folder) / "saved_model.pb").read_bytes()
        graphs = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    except OSError as error:
        raise _failure(folder, f"saved_model.pb cannot be read ({error.strerror})") from error
    except protobuf.DecodeError as error:
        raise _failure(folder, "saved_model.pb is damaged") from error
    serving = [graph for graph in graphs if "serve" in graph.meta_info_def.tags]
    known = dict(serving[0].signature_def) if serving else {}
    if key not in known:
        raise _failure(folder, f"it has no signature {key!r}, only {sorted(known)}")
    inputs, outputs = known[key].inputs, known[key].outputs
    return (
        {name: inputs[name].name for name in inputs},
        {name: outputs[name].name for name in outputs},
    )


def _failure(folder: str | os.PathLike[str], problem: str) -> errors.RunError:
    return errors.RunError(f"the export {os.fspath(folder)} failed verification: {problem}")
