"""Finds the best child for every budget on a trained supernet, with no retraining.

  python -m tools.search --model_dir=runs/fashion_mnist --budgets_mflops=1,2,4,8 \\
      --output_dir=runs/fashion_mnist/search
  python -m tools.search --model_dir=runs/fashion_mnist --budget=litert_ms=0.1 \\
      --budget=litert_ms=0.15,params_m=0.2 --output_dir=runs/fashion_mnist/phone
  python -m tools.search --select=runs/fashion_mnist/search --budgets_mflops=3 \\
      --output_dir=runs/fashion_mnist/three

Writes search.json and a child_<budget>.json for each budget. An interrupted search
continues from its journal when the same command is given again.
Objectives: mflops (millions of multiply-adds), params_m (millions of
parameters), activation_mb (largest activations at one time); saved_model_ms
and litert_ms, measured on this machine; table_ms, from --latency_table; and
command_ms, from --latency_command.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import runs
from .cli import launch, note_command

runs.define_flags(required=False)
_BUDGETS_MFLOPS = flags.DEFINE_list(
    "budgets_mflops", [], "Limits in millions of multiply-adds, one child for each."
)
_BUDGETS = flags.DEFINE_multi_string(
    "budget", [], "Limits of one child, as in mflops=4,params_m=0.2; give it once for each child."
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder for the results.", required=True)
_SELECT = flags.DEFINE_string(
    "select", None, "Folder of a finished search to select from under these budgets, in seconds."
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
    "params_override", "", "Overrides of the run, as in task.selection.strategy=random."
)
_WITHIN = flags.DEFINE_string(
    "within", None, "YAML file of the part of the search space to search, as in docs/searching.md."
)
_PREFER = flags.DEFINE_enum(
    "prefer",
    None,
    ["best", "cheapest"],
    "The child that a budget gets: the most accurate, or the cheapest within one standard error "
    "of the difference; as task.selection.prefer by default.",
)
_THREADS = flags.DEFINE_integer("threads", 1, "Threads of LiteRT for litert_ms.", lower_bound=1)
_LATENCY_TABLE = flags.DEFINE_string(
    "latency_table", None, "table_ms: JSON file, as tools.latency_table writes it."
)
_LATENCY_COMMAND = flags.DEFINE_string(
    "latency_command", None, "command_ms: called with the folder of a child; prints milliseconds."
)
_RERANK = flags.DEFINE_string(
    "rerank",
    None,
    "As in int8:8: each budget's 8 best candidates are converted to int8, and the best file "
    "on the ranking split is selected.",
)
_NUM_GPUS = flags.DEFINE_integer(
    "num_gpus", 1, "GPUs that share the images of each child.", lower_bound=1
)
_TPU = runs.define_tpu()
_MULTI_WORKER = flags.DEFINE_bool(
    "multi_worker", False, "Search with the processes that TF_CONFIG names; start each like this."
)
flags.mark_flags_as_mutual_exclusive(["model_dir", "select"], required=True)
_OF_A_SEARCH = (
    *("data_dir", "params_override", "threads", "latency_table", "latency_command"),
    *("within", "num_gpus", "tpu", "multi_worker"),
)


@flags.multi_flags_validator(
    ["select", *_OF_A_SEARCH],
    message="--select takes budgets, --prefer, --rerank and --output_dir alone: what it selects "
    "from has been measured",
)
def _selects_alone(values: dict[str, object]) -> bool:
    given = any(flags.FLAGS[name].present for name in _OF_A_SEARCH)
    return values["select"] is None or not given


def main() -> None:
    budgets = _budgets()
    if _SELECT.value is not None:
        bignas.select(
            _SELECT.value,
            budgets,
            _OUTPUT_DIR.value,
            prefer=_PREFER.value,
            rerank=_RERANK.value,
        )
        note_command(_OUTPUT_DIR.value)
        return
    strategy = bignas.evaluation_strategy(_NUM_GPUS.value, _TPU.value, _MULTI_WORKER.value)
    bignas.search(
        runs.load(strategy),
        budgets,
        _OUTPUT_DIR.value,
        params_override=_PARAMS_OVERRIDE.value,
        within=_WITHIN.value,
        prefer=_PREFER.value,
        threads=_THREADS.value,
        latency_table=_LATENCY_TABLE.value,
        latency_command=_LATENCY_COMMAND.value,
        rerank=_RERANK.value,
    )
    if bignas.is_chief(strategy):
        note_command(_OUTPUT_DIR.value)


def _budgets() -> list[bignas.Budget]:
    texts = [*(f"mflops={value}" for value in _BUDGETS_MFLOPS.value), *_BUDGETS.value]
    if not texts:
        raise bignas.UsageError("no budget; give --budgets_mflops=2,4,8 or --budget=litert_ms=1")
    # Checked here, so that a mistake is reported before TensorFlow is imported.
    return [bignas.budget(text) for text in texts]


if __name__ == "__main__":
    launch(main)
