"""Runs an export through every runtime that is installed, on the images that it contains."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import math
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from bignas_tf import commands, errors, files, scratch
from bignas_tf.exports import processes, publishing, verify
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
_SIGNATURE, _INPUT = "patches", "patches"
_PROBE = pathlib.Path(__file__).resolve().with_name("probe.py")
_CLI = ("-m", "tensorflow.python.tools.saved_model_cli")


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
        difference, agreement = f"{self.difference:.2g}", f"{self.agreement:.4f}"
        return _COLUMNS.format(name, "yes", difference, agreement, time, verdict)


def check(folder: pathlib.Path, runtimes: Iterable[Runtime] = RUNTIMES) -> Iterator[Outcome]:
    """Runs an export's proof through runtimes, each in its own process.

    Args:
      folder: one version, as `saved_model.export` writes it.
      runtimes: which.

    Yields:
      Each runtime's outcome, as it comes.

    Raises:
      UsageError: the folder holds no proof.
    """
    folder = folder.resolve()
    publishing.finish(folder)
    proof = proof_lib.read(folder)
    for runtime in runtimes:
        model = folder / CONVERTED_DIR / FILES[runtime.format] if runtime.format else folder
        if not importlib.util.find_spec(runtime.package):
            yield Outcome(runtime, skipped=f"{runtime.package} is not installed")
        elif not model.exists():
            convert = commands.spelling("convert")
            yield Outcome(runtime, skipped=f"{model.name} was not made; see `{convert}`")
        elif runtime.format and not _made_of(folder, runtime.format):
            problem = (
                f"{model.name} was not made from this export by `{commands.spelling('convert')}`"
            )
            yield Outcome(runtime, problem=f"{problem}; convert again")
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


def sha256(path: pathlib.Path) -> str:
    """A file's hash."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _made_of(folder: pathlib.Path, name: str) -> bool:
    """Whether `conversion` made a file in another format from this very export."""
    converted = folder / CONVERTED_DIR
    try:
        report = files.read_json(converted / REPORT_FILE)
        hashes = report["proof_sha256"], report["formats"][name]["sha256"]
    except (errors.UsageError, KeyError, TypeError):
        return False
    return hashes == (sha256(folder / proof_lib.PROOF_FILE), sha256(converted / FILES[name]))


def _outcome(runtime: Runtime, model: pathlib.Path, proof: proof_lib.Proof) -> Outcome:
    with scratch.temporary() as temporary:
        patches_path, answer_path = (temporary / name for name in ("in.npy", "out.npz"))
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
        if _INPUT not in inputs or verify.LOGITS not in outputs:
            given = f"takes {sorted(inputs)} and gives {sorted(outputs)}"
            raise errors.RunError(f"{_SIGNATURE!r} {given}, not {_INPUT!r} and {verify.LOGITS!r}")
        names = [inputs[_INPUT], outputs[verify.LOGITS]]
    processes.run([str(_PROBE), name, str(model), str(patches), str(answer), *names])
    with np.load(answer) as arrays:
        return arrays["logits"], float(arrays["milliseconds"])


def _cli(model: pathlib.Path, patches: pathlib.Path) -> np.ndarray:
    """Logits of `saved_model_cli run`."""
    output = patches.parent / "answer"
    given = f"--inputs={_INPUT}={patches}"
    where = f"--dir={model}", "--tag_set=serve", f"--signature_def={_SIGNATURE}"
    processes.run([*_CLI, "run", *where, given, f"--outdir={output}"])
    try:
        return np.load(output / f"{verify.LOGITS}.npy")
    except FileNotFoundError:
        raise errors.RunError(f"{_SIGNATURE!r} gives no {verify.LOGITS!r}") from None
