"""Finds the best child for every budget on a trained supernet, with no retraining.

  python -m tools.search --model_dir=runs/fashion_mnist --budgets_mflops=1,2,4,8 \\
      --output_dir=runs/fashion_mnist/search
  python -m tools.search --model_dir=runs/fashion_mnist --budget=litert_ms=0.5 \\
      --budget=litert_ms=1,params_m=0.2 --output_dir=runs/fashion_mnist/phone
  python -m tools.search --select=runs/fashion_mnist/search --budgets_mflops=3 \\
      --output_dir=runs/fashion_mnist/three

Writes search.json and one child_<budget>.json each; a search that was
interrupted goes on from its journal when the same command is given again.
Objectives: mflops (millions of multiply-adds), params_m (millions of
parameters), activation_mb (largest activations at one time); saved_model_ms
and litert_ms, measured on this machine; table_ms, from --latency_table; and
command_ms, from --latency_command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from .cli import launch, no_chatter, note_command

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.")
_BUDGETS_MFLOPS = flags.DEFINE_list(
    "budgets_mflops", [], "Most multiply-adds, in millions, of one child each."
)
_BUDGETS = flags.DEFINE_multi_string(
    "budget", [], "Limits of one child, as in mflops=4,params_m=0.2; give it once for each child."
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the results.", required=True)
_SELECT = flags.DEFINE_string(
    "select", None, "Folder of a finished search to select from under these budgets, in seconds."
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
    "params_override", "", "Of the run, as in task.selection.strategy=random."
)
_THREADS = flags.DEFINE_integer("threads", 1, "litert_ms: threads of LiteRT.", lower_bound=1)
_LATENCY_TABLE = flags.DEFINE_string(
    "latency_table", None, "table_ms: JSON file, as tools.latency_table writes it."
)
_LATENCY_COMMAND = flags.DEFINE_string(
    "latency_command", None, "command_ms: gets the folder of a child, prints its milliseconds."
)
_NUM_GPUS = flags.DEFINE_integer(
    "num_gpus", 1, "GPUs that evaluate side by side, a child each.", lower_bound=1
)
_TPU = flags.DEFINE_string("tpu", "", "TPU whose cores evaluate side by side, by name or address.")
_MULTI_WORKER = flags.DEFINE_bool(
    "multi_worker", False, "One of the processes that TF_CONFIG names, all with this command."
)
flags.mark_flags_as_mutual_exclusive(["model_dir", "select"], required=True)


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    budgets = _budgets()
    result = _search(budgets) if _SELECT.value is None else _select(budgets)
    if result is None:
        return
    note_command(_OUTPUT_DIR.value)
    for entry in result["selected"]:
        print(_line(entry, result["objectives"]))
    for warning in result["warnings"]:
        print(f"warning: {warning}")


def _budgets() -> list[Any]:
    from bignas_tf import errors
    from bignas_tf.selection import budgets

    texts = [f"{budgets.MULTIPLY_ADDS}={value}" for value in _BUDGETS_MFLOPS.value]
    texts += _BUDGETS.value
    if not texts:
        raise errors.UsageError("no budget; give --budgets_mflops=2,4,8 or --budget=litert_ms=1")
    return [budgets.parse(text) for text in texts]


def _search(budgets: Sequence[Any]) -> dict[str, Any] | None:
    """What the search found; None but for the chief, which alone writes and prints."""
    from bignas_tf import workers
    from bignas_tf.selection import runner
    from bignas_tf.training import checkpoints

    from . import objectives

    strategy = _strategy()
    with strategy.scope():
        run = checkpoints.load_run(_MODEL_DIR.value)
    task = _overridden(run.config).task
    names = dict.fromkeys(
        [*objectives.COUNTED, *(name for budget in budgets for name in budget.limits)]
    )
    options = objectives.Options(_THREADS.value, _LATENCY_TABLE.value, _LATENCY_COMMAND.value)
    search = runner.Search(
        run.supernet,
        task.train_data,
        task.selection,
        run.source,
        objectives.build(list(names), run, options),
    )
    result = search.run(budgets, _OUTPUT_DIR.value)
    return result if workers.is_chief(strategy) else None


def _overridden(config: Any) -> Any:
    """The run's configuration with what --params_override changes of it."""
    import copy

    from bignas_tf import errors
    from bignas_tf.training import experiment

    changed = copy.deepcopy(config)
    if _PARAMS_OVERRIDE.value:
        experiment.override(changed, _PARAMS_OVERRIDE.value)
    before, after = config.as_dict(), changed.as_dict()
    for free in ("selection", "train_data"):
        after["task"][free] = before["task"][free]
    if after != before:
        raise errors.UsageError(
            "--params_override: a search follows its run in all but task.selection and "
            "task.train_data"
        )
    return changed


def _select(budgets: Sequence[Any]) -> dict[str, Any]:
    import os

    from bignas_tf import errors, files
    from bignas_tf.selection import budgets as budgets_lib
    from bignas_tf.selection import result

    files.ensure_writable(_OUTPUT_DIR.value)
    if os.path.realpath(_SELECT.value) == os.path.realpath(_OUTPUT_DIR.value):
        raise errors.UsageError("--output_dir is the folder of --select; choose another")
    selected = result.select_again(result.read(_SELECT.value), budgets_lib.ordered(budgets))
    result.write(_OUTPUT_DIR.value, selected)
    return selected


def _line(entry: dict[str, Any], objectives: dict[str, Any]) -> str:
    """What was selected for a budget."""
    costs = [
        f"{value:.4g} {objectives[name]['unit']} {objectives[name]['title']}"
        for name, value in entry["costs"].items()
    ]
    accuracies = [
        f"{split} {entry[f'{split}_top1']:.4f} ± {entry[f'{split}_error']:.4f}"
        for split in ("ranking", "reporting")
        if entry[f"{split}_top1"] is not None
    ]
    return f"{entry['name']}: {', '.join([*costs, *accuracies])}"


def _strategy() -> Any:
    """A `tf.distribute.Strategy` with a replica on each device that the flags ask for."""
    import tensorflow as tf

    from . import devices

    if _MULTI_WORKER.value:
        return devices.strategy("multi_worker_mirrored")
    if _TPU.value:
        return devices.strategy("tpu", tpu=_TPU.value)
    if _NUM_GPUS.value == 1:
        return tf.distribute.get_strategy()
    return devices.strategy("mirrored", _NUM_GPUS.value)


if __name__ == "__main__":
    launch(main)
