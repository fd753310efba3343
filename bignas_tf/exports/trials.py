"""Runs an export through runtimes, each in its own process, on the images that it contains."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import math
import pathlib
from collections.abc import Iterable, Iterator

import numpy as np

from bignas_tf import commands, errors, full_disk, scratch
from bignas_tf.exports import processes, publishing, runtimes, verify, versions
from bignas_tf.exports import proof as proof_lib
from bignas_tf.exports.processes import Conversation
from bignas_tf.exports.runtimes import Outcome, Runtime

_SIGNATURE, _INPUT = "patches", "patches"
PROBE = pathlib.Path(__file__).resolve().with_name("probe.py")
_CLI = ("-m", "tensorflow.python.tools.saved_model_cli")


@dataclasses.dataclass(frozen=True)
class Started:
    """A runtime in its own process, which can run one model after another.

    Attributes:
      runtime: which.
      process: of `probe`; None for saved_model_cli, which takes one for each model.
    """

    runtime: Runtime
    process: Conversation | None

    def outcome(self, model: pathlib.Path, proof: proof_lib.Proof) -> Outcome:
        """Runs the model on the images of the proof and compares its logits."""
        with scratch.temporary() as temporary, full_disk.explained(temporary):
            patches, answer = (temporary / name for name in ("in.npy", "out.npz"))
            np.save(patches, proof.patches)
            try:
                if self.process is None:
                    return _compared(self.runtime, proof, _cli(model, patches), math.nan)
                names = _tensors(model) if self.runtime.probe == "session" else ()
                asked = [*map(str, (model, patches, answer)), *names]
                self.process.ask(json.dumps(asked))
            except errors.MachineError:
                raise
            except errors.RunError as error:
                return Outcome(self.runtime, problem=str(error))
            with np.load(answer) as arrays:
                milliseconds = float(arrays["milliseconds"])
                return _compared(self.runtime, proof, arrays["logits"], milliseconds)


@contextlib.contextmanager
def started(chosen: Iterable[Runtime] = runtimes.MANDATORY) -> Iterator[tuple[Started, ...]]:
    """Starts runtimes, which import what they need while this process goes on."""
    with contextlib.ExitStack() as stack:
        yield tuple(
            Started(
                runtime,
                stack.enter_context(processes.conversation([str(PROBE), runtime.probe]))
                if runtime.probe
                else None,
            )
            for runtime in chosen
        )


def check(folder: pathlib.Path, chosen: Iterable[Runtime] = runtimes.RUNTIMES) -> Iterator[Outcome]:
    """Runs an export's proof through runtimes, each in its own process.

    Args:
      folder: one version, as `saved_model.export` writes it.
      chosen: which.

    Yields:
      Each runtime's outcome, as it comes.

    Raises:
      UsageError: the folder holds no proof.
    """
    folder, proof = _opened(folder)
    for runtime in chosen:
        hindrance = _hindrance(folder, runtime)
        if hindrance:
            yield hindrance
        else:
            with started([runtime]) as (process,):
                yield process.outcome(_model(folder, runtime), proof)


def require(folder: pathlib.Path, chosen: Iterable[Started]) -> None:
    """See `check`.

    Raises:
      RunError: one of the runtimes is not installed, gives no answer or a wrong one.
    """
    folder, proof = _opened(folder)
    for each in chosen:
        outcome = _hindrance(folder, each.runtime)
        outcome = outcome or each.outcome(_model(folder, each.runtime), proof)
        reason = outcome.skipped or outcome.problem
        if reason or not outcome.passed:
            wrong = f"its logits differ by up to {outcome.difference:.3g}"
            raise errors.RunError(
                f"the export {folder} failed in {each.runtime.name}: {reason or wrong}"
            )


def _opened(folder: pathlib.Path) -> tuple[pathlib.Path, proof_lib.Proof]:
    folder = folder.resolve()
    publishing.finish(folder)
    return folder, proof_lib.read(folder)


def _model(folder: pathlib.Path, runtime: Runtime) -> pathlib.Path:
    """The file or folder that a runtime loads."""
    if not runtime.format:
        return folder
    return folder / runtimes.CONVERTED_DIR / runtimes.FILES[runtime.format]


def _hindrance(folder: pathlib.Path, runtime: Runtime) -> Outcome | None:
    """Why a runtime cannot be tried; None if it can."""
    model, convert = _model(folder, runtime), commands.spelling("convert")
    if not importlib.util.find_spec(runtime.package):
        return Outcome(runtime, skipped=f"{runtime.package} is not installed")
    if runtime.format and (folder / versions.CASCADE_FILE).exists():
        return Outcome(runtime, skipped="a cascade is not converted")
    if not model.exists():
        return Outcome(runtime, skipped=f"{model.name} was not made; see `{convert}`")
    if runtime.format and not runtimes.made_of(folder, runtime.format):
        problem = f"{model.name} was not made from this export by `{convert}`"
        return Outcome(runtime, problem=f"{problem}; convert again")
    return None


def _compared(
    runtime: Runtime, proof: proof_lib.Proof, logits: np.ndarray, milliseconds: float
) -> Outcome:
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


def _tensors(model: pathlib.Path) -> tuple[str, str]:
    """The names of the input and the output that the C API is asked for.

    Raises:
      RunError: the signature has others.
    """
    inputs, outputs = verify.signatures(model, [_SIGNATURE])[_SIGNATURE]
    if _INPUT not in inputs or verify.LOGITS not in outputs:
        given = f"takes {sorted(inputs)} and gives {sorted(outputs)}"
        raise errors.RunError(f"{_SIGNATURE!r} {given}, not {_INPUT!r} and {verify.LOGITS!r}")
    return inputs[_INPUT], outputs[verify.LOGITS]


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
