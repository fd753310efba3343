"""The runtimes that an export can be run in, and what came of it."""

from __future__ import annotations

import dataclasses
import math
import pathlib

from bignas_tf import errors, files
from bignas_tf.accuracy import percent
from bignas_tf.exports import proof as proof_lib

# Where `conversion` puts files below an export, what it says of them, and their names by format.
CONVERTED_DIR, REPORT_FILE = "converted", "report.json"
FILES = {
    "float32": "child_float32.tflite",
    "float16": "child_float16.tflite",
    "dynamic_range": "child_dynamic_range.tflite",
    "int8": "child_int8.tflite",
    "onnx": "child.onnx",
}


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
      mandatory: whether tools publish an export only if this runtime agrees. The C API session is
        not: `saved_model.export` has run it by then, through every signature. Nor is
        saved_model_cli: it loads as Python does, in twice the time.
    """

    name: str
    package: str
    probe: str
    format: str = ""
    relative_tolerance: float | None = None
    mandatory: bool = False


# Lossy kinds may differ by about twice the largest difference that was seen on trained children.
# Similar children differ by less, so hashes tell which export a file belongs to.
RUNTIMES = (
    Runtime("C API session", "tensorflow", "session"),
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

_COLUMNS = "{:<28} {:<6} {:<15} {:<10} {:<7} {}"
HEADER = _COLUMNS.format("runtime", "loads", "max difference", "agreement", "ms", "verdict")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The result of one runtime.

    Attributes:
      runtime: which.
      skipped: why it was not tried; "" if it was.
      problem: why it gave no answer; "" if it did.
      difference: the largest of logits; NaN where one of them is.
      allowed: the largest difference that passes.
      agreement: fraction of images whose best class is the expected one.
      milliseconds: of one image in its own call; NaN if not measured.
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

    def line(self) -> str:
        """A row of the table that begins with `HEADER`."""
        name = self.runtime.name
        if self.skipped:
            return _COLUMNS.format(name, "-", "-", "-", "-", f"skipped: {self.skipped}")
        if self.problem:
            return _COLUMNS.format(name, "NO", "-", "-", "-", self.problem)
        verdict = f"{'ok' if self.passed else 'WRONG'}: {self.allowed:.2g} is allowed"
        time = "-" if math.isnan(self.milliseconds) else f"{self.milliseconds:.3f}"
        difference, agreement = f"{self.difference:.2g}", percent(self.agreement)
        return _COLUMNS.format(name, "yes", difference, agreement, time, verdict)


def made_of(folder: pathlib.Path, name: str) -> bool:
    """Whether `conversion` made a file in another format from this very export."""
    converted = folder / CONVERTED_DIR
    try:
        report = files.read_json(converted / REPORT_FILE)
        hashes = report["proof_sha256"], report["formats"][name]["sha256"]
    except (errors.UsageError, KeyError, TypeError):
        return False
    made = folder / proof_lib.PROOF_FILE, converted / FILES[name]
    return hashes == tuple(map(files.sha256, made))
