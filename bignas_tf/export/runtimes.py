"""Runs an export through every runtime that is installed, on the images that lie in it."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator

import numpy as np

from bignas_tf import errors
from bignas_tf.export import proof as proof_lib
from bignas_tf.export import verify

# Where `conversion` puts files below an export, and their names by format.
CONVERTED_DIR = "converted"
FILES = {
    "float32": "child_float32.tflite",
    "float16": "child_float16.tflite",
    "dynamic_range": "child_dynamic_range.tflite",
    "int8": "child_int8.tflite",
    "onnx": "child.onnx",
}
_SIGNATURE, _INPUT = "patches", "patches"
_PROBE = pathlib.Path(__file__).resolve().with_name("probe.py")
_CLI = ("-m", "tensorflow.python.tools.saved_model_cli")
_TIMEOUT_S = 600


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One way to run an export.

    Attributes:
      name: for people.
      package: must be importable; else the runtime is skipped.
      probe: its function in `probe`; "" is saved_model_cli.
      format: one of FILES; "" is the SavedModel.
      relative_tolerance: the largest difference from the expected logits that passes, in units of
        the largest of them; None is float32 rounding.
      mandatory: whether an export appears only if this runtime agrees. saved_model_cli is not: it
        loads as Python does, in twice the time.
    """

    name: str
    package: str
    probe: str
    format: str = ""
    relative_tolerance: float | None = None
    mandatory: bool = False


# Of the lossy kinds about twice the largest difference is allowed that was seen on trained
# children; other weights differ by more.
RUNTIMES = (
    Runtime("C API session", "tensorflow", "session", mandatory=True),
    Runtime("saved_model_cli", "tensorflow", ""),
    Runtime("Python without this project", "tensorflow", "tensorflow", mandatory=True),
    Runtime("LiteRT float32", "ai_edge_litert", "litert", "float32"),
    Runtime("LiteRT float16", "ai_edge_litert", "litert", "float16", 0.005),
    Runtime("LiteRT dynamic range", "ai_edge_litert", "litert", "dynamic_range", 0.05),
    Runtime("LiteRT int8", "ai_edge_litert", "litert", "int8", 0.25),
    Runtime("onnxruntime", "onnxruntime", "onnxruntime", "onnx"),
    Runtime("OpenVINO", "openvino", "openvino", "float32"),
)


MANDATORY = tuple(runtime for runtime in RUNTIMES if runtime.mandatory)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one runtime.

    Attributes:
      runtime: which.
      skipped: why it was not tried; "" if it was.
      problem: why it gave no answer; "" if it did.
      difference: the largest of logits; NaN where one of them is.
      allowed: the largest difference that passes.
      agreement: fraction of images whose best class is the expected one.
      milliseconds: of one image in a call of its own; NaN if not measured.
    """

    runtime: Runtime
    skipped: str = ""
    problem: str = ""
    difference: float = math.nan
    allowed: float = 0.0
    agreement: float = 0.0
    milliseconds: float = math.nan

    @property
    def passed(self) -> bool:
        """Written so that NaN, which is on neither side, fails."""
        return bool(self.skipped) or self.difference <= self.allowed


def check(folder: pathlib.Path, runtimes: Iterable[Runtime] = RUNTIMES) -> Iterator[Outcome]:
    """Runs an export's proof through runtimes, each in a process of its own.

    Args:
      folder: one version, as `saved_model.export` writes it.
      runtimes: which.

    Yields:
      Each runtime's outcome, as it comes.

    Raises:
      UsageError: the folder holds no proof.
    """
    folder = folder.resolve()
    proof = proof_lib.read(folder)
    for runtime in runtimes:
        model = folder / CONVERTED_DIR / FILES[runtime.format] if runtime.format else folder
        if not importlib.util.find_spec(runtime.package):
            yield Outcome(runtime, skipped=f"{runtime.package} is not installed")
        elif not model.exists():
            yield Outcome(runtime, skipped=f"{model.name} was not made; see tools.convert")
        else:
            yield _outcome(runtime, model, proof)


def require(folder: pathlib.Path, runtimes: Iterable[Runtime] = MANDATORY) -> None:
    """See `check`.

    Raises:
      RunError: one of the runtimes is not installed, gives no answer or a wrong one.
    """
    for outcome in check(folder, runtimes):
        reason = outcome.skipped or outcome.problem
        if reason or not outcome.passed:
            wrong = f"its logits differ by up to {outcome.difference:.3g}"
            raise errors.RunError(
                f"the export {folder} failed in {outcome.runtime.name}: {reason or wrong}"
            )


def _outcome(runtime: Runtime, model: pathlib.Path, proof: proof_lib.Proof) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch:
        patches_path, answer_path = (pathlib.Path(scratch, name) for name in ("in.npy", "out.npz"))
        np.save(patches_path, proof.patches)
        try:
            if runtime.probe:
                logits, milliseconds = _probe(runtime.probe, model, patches_path, answer_path)
            else:
                logits, milliseconds = _cli(model, patches_path), math.nan
        except errors.RunError as error:
            return Outcome(runtime, problem=str(error))
    if logits.shape != proof.logits.shape:
        shapes = f"{list(logits.shape)}, not {list(proof.logits.shape)}"
        return Outcome(runtime, problem=f"its logits have the shape {shapes}")
    allowed = proof.tolerance
    if runtime.relative_tolerance is not None:
        allowed = runtime.relative_tolerance * proof.largest
    return Outcome(
        runtime,
        difference=float(np.abs(logits - proof.logits).max()),
        allowed=allowed,
        agreement=float((logits.argmax(-1) == proof.logits.argmax(-1)).mean()),
        milliseconds=milliseconds,
    )


def _probe(
    name: str, model: pathlib.Path, patches: pathlib.Path, answer: pathlib.Path
) -> tuple[np.ndarray, float]:
    """Logits and milliseconds of `probe`."""
    names = []
    if name == "session":
        inputs, outputs = verify.signatures(model, [_SIGNATURE])[_SIGNATURE]
        names = [inputs[_INPUT], outputs[verify.LOGITS]]
    _run([str(_PROBE), name, str(model), str(patches), str(answer), *names])
    with np.load(answer) as arrays:
        return arrays["logits"], float(arrays["milliseconds"])


def _cli(model: pathlib.Path, patches: pathlib.Path) -> np.ndarray:
    """Logits of `saved_model_cli run`."""
    output = patches.parent / "answer"
    given = f"--inputs={_INPUT}={patches}"
    where = f"--dir={model}", "--tag_set=serve", f"--signature_def={_SIGNATURE}"
    _run([*_CLI, "run", *where, given, f"--outdir={output}"])
    return np.load(output / f"{verify.LOGITS}.npy")


def _run(arguments: list[str]) -> None:
    """Runs Python; a crash ends that process, not this one.

    Raises:
      RunError: it failed; the message is the last line that it wrote.
    """
    # The GPU, if there is one, belongs to the process that trains or exports.
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        # -P: neither this folder nor the project's is a place to import from.
        done = subprocess.run(
            [sys.executable, "-P", *arguments],
            env={**os.environ, **quiet},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise errors.RunError(f"it took over {_TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise errors.RunError(lines[-1].removeprefix("error: "))
