"""Compiles what one core of a TPU runs, with no TPU attached: does it fit, how fast is it?

  python -m tools.tpu_compile --experiment=bignas_imagenet --topology=v3:2x2 \\
      --per_core_batch=32 --config_file=experiments/imagenet_tpu.yaml

compiles the training step. With --graph=calibration or --graph=scoring it is one of the two
graphs that evaluate children of one resolution, --side. Their figures are of a round: one
batch on each core.

Prints and saves what libtpu, the compiler of real TPUs, reports: HBM per core, FLOPs, bytes
accessed, all-reduces, and the time it estimates, by kind of layer. If the batch does not
fit, finds the largest that does, unless --find_largest=false, and exits with 1. The time is not
measured, and does not include the network or the input pipeline. `make env-tpu` makes the
environment it needs; the paper's space takes minutes.
"""

from __future__ import annotations

import os
import pathlib
from typing import TYPE_CHECKING, Any

from absl import flags

from bignas_tf import errors, files

from . import configs
from .cli import launch
from .tpu import report
from .tpu.environment import Compiler

if TYPE_CHECKING:
    from official.core import config_definitions as cfg

_STEP_BATCH = 32
_MENDS = {
    "step": "a step can compute fewer at a time (task.images_at_once)",
    "calibration": "lower task.selection.batch_size",
    "scoring": "lower task.selection.batch_size",
}

configs.define_flags("bignas_imagenet")
_TOPOLOGY = flags.DEFINE_string(
    "topology", "v3:2x2", "Generation and chips, such as v3:8x8 or v5e:2x2."
)
_GRAPH = flags.DEFINE_enum("graph", "step", list(_MENDS), "The training step, or an evaluation's.")
_SIDE = flags.DEFINE_integer(
    "side", None, "Resolution of the children that are evaluated; the space's largest if unset."
)
_BATCH = flags.DEFINE_integer(
    "per_core_batch", None, f"Images per core at a time; {_STEP_BATCH} in a step,"
    " task.selection.batch_size in an evaluation if unset.", lower_bound=1,
)  # fmt: skip
_FIND_LARGEST = flags.DEFINE_bool(
    "find_largest",
    True,
    "If the batch does not fit, find the largest that does, which compiles three more.",
)
_ENVIRONMENT = flags.DEFINE_string(
    "environment", ".venv-tpu", "Folder of the environment that `make env-tpu` makes."
)
_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "JSON file; runs/tpu_compile/<experiment>_<topology>_<batch>.json if unset."
    " Parts (task.images_at_once), or graph and side, follow the batch.",
)


def main() -> None:
    """Lowers here, compiles in the other environment, reports."""
    files.refuse_folder(_OUTPUT.value or "", "--output")
    # Before TensorFlow is imported, so that a mistake is reported at once.
    compiler = Compiler(_ENVIRONMENT.value, _TOPOLOGY.value)

    config = configs.configured(show=None)
    batch, side, parts = _asked(config)
    output = _output(batch, side, parts)
    result = _measured(config, compiler, batch, side, parts)
    files.write_json(output, result)
    largest = result["largest_batch"]
    if largest:
        print(f"{report.table(result)}\n{output}")
    if largest != batch:
        reason = result["out_of_memory"].partition("\n")[0]
        do = "" if largest is None else f", {largest} do"
        raise errors.RunError(
            f"{batch} images a core do not fit{do}; {_MENDS[_GRAPH.value]}: {reason}"
        )


def _asked(config: cfg.ExperimentConfig) -> tuple[int, int | None, int]:
    """Images a core, the side of children (None for the step), and the parts of a step."""
    from bignas_tf.training import accumulation

    from .tpu import lowering

    if _GRAPH.value == "step":
        batch = _BATCH.value or _STEP_BATCH
        return batch, None, accumulation.count_parts(batch, config.task.images_at_once)
    batch = _BATCH.value or config.task.selection.batch_size
    return batch, lowering.eval_side(config, _SIDE.value), 1


def _output(batch: int, side: int | None, parts: int) -> pathlib.Path:
    """The result file, in a folder that can be written to.

    Raises:
      UsageError: the folder is not writable.
    """
    what = f"_parts{parts}" if parts > 1 else "" if side is None else f"_{_GRAPH.value}_{side}px"
    file = f"{flags.FLAGS.experiment}_{_TOPOLOGY.value.replace(':', '_')}_{batch}{what}.json"
    output = _OUTPUT.value or f"runs/tpu_compile/{file}"
    files.ensure_writable(os.path.dirname(output) or ".")
    return pathlib.Path(output)


def _measured(
    config: cfg.ExperimentConfig, compiler: Compiler, batch: int, side: int | None, parts: int
) -> dict[str, Any]:
    """Compiles the program, or the largest batch that fits, and describes it."""
    from .tpu import fitting, lowering

    program = lowering.program(config, compiler.cores, _GRAPH.value, side)
    unit = batch // parts if parts > 1 else 1
    measured = fitting.measure(program, compiler, batch, unit, search=_FIND_LARGEST.value)
    return {
        "experiment": flags.FLAGS.experiment,
        "search_space": config.task.model.search_space,
        "compute_type": config.runtime.mixed_precision_dtype or "float32",
        "topology": _TOPOLOGY.value,
        "cores": compiler.cores,
        "graph": _GRAPH.value,
        "side": side,
        "per_core_batch": batch,
        "images_at_once": config.task.images_at_once,
        "parts": parts,
        **measured,
        "host_bytes": program.host_bytes(measured["largest_batch"] or batch),
    }


if __name__ == "__main__":
    launch(main)
