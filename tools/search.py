"""Finds the best child for every budget on a trained supernet, with no retraining.

  python -m tools.search --model_dir=runs/fashion_mnist --budgets_mflops=1,2,4,8 \\
      --output_dir=runs/fashion_mnist/search

Writes search.json and one child_<budget>.json each; a search that was
interrupted goes on from its journal when the same command is given again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from tools.cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_BUDGETS = flags.DEFINE_list(
    "budgets_mflops", None, "Most multiply-adds of each child, in millions.", required=True
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the results.", required=True)
_NUM_GPUS = flags.DEFINE_integer(
    "num_gpus", 1, "GPUs that evaluate side by side, a child each.", lower_bound=1
)
_TPU = flags.DEFINE_string("tpu", "", "TPU whose cores evaluate side by side, by name or address.")


def main(argv: Sequence[str]) -> None:
    del argv
    from bignas_tf import errors

    if not _BUDGETS.value:
        raise errors.UsageError("--budgets_mflops is empty; give one budget or more, as in 2,4,8")
    budgets = [_positive(budget) for budget in _BUDGETS.value]
    no_chatter()
    from bignas_tf.selection import runner
    from bignas_tf.training import checkpoints

    with _strategy().scope():
        run = checkpoints.load_run(_MODEL_DIR.value)
    task = run.config.task
    search = runner.Search(run.supernet, task.train_data, task.selection, run.source)
    result = search.run(budgets, _OUTPUT_DIR.value)
    for entry in result["selected"]:
        print(
            f"{entry['budget_mflops']:g}M: {entry['macs'] / 1e6:.2f}M multiply-adds, "
            f"{entry['params']} parameters, ranking {entry['ranking_top1']:.4f}, "
            f"reporting {entry['reporting_top1']:.4f}"
        )


def _strategy() -> Any:
    """A `tf.distribute.Strategy` with a replica on each device that the flags ask for."""
    import tensorflow as tf
    from official.common import distribute_utils

    from bignas_tf import errors

    if _TPU.value:
        return distribute_utils.get_distribution_strategy("tpu", tpu_address=_TPU.value)
    gpus, found = _NUM_GPUS.value, len(tf.config.list_logical_devices("GPU"))
    if gpus > max(found, 1):
        raise errors.UsageError(f"--num_gpus is {gpus}; TensorFlow finds {found}")
    if gpus == 1:
        return tf.distribute.get_strategy()
    return distribute_utils.get_distribution_strategy("mirrored", num_gpus=gpus)


def _positive(text: str) -> float:
    from bignas_tf import errors

    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise errors.UsageError(f"--budgets_mflops: {text!r} is not a positive number")
    return value


if __name__ == "__main__":
    launch(main)
