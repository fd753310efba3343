"""The best children within budgets, searched for on a trained supernet."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

from official.core import config_definitions as cfg

from bignas_tf import console, errors, run_folder, workers
from bignas_tf.api import apart, arguments, child_files, counting, evaluators, objectives, selecting
from bignas_tf.console import Show
from bignas_tf.data import config as config_lib
from bignas_tf.latency.disposable import Disposable
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import runner
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.result import SearchResult
from bignas_tf.training import parsing
from bignas_tf.training.checkpoints import Run


def search(
    run: Run,
    budgets: Sequence[Budget | str] | Budget,
    output_dir: str | os.PathLike[str],
    *,
    params_override: str | Mapping[str, Any] = "",
    threads: int = 1,
    latency_table: str | os.PathLike[str] | None = None,
    latency_command: str | None = None,
    prefer: str | None = None,
    rerank: str | None = None,
    show: Show | None = console.print_line,
) -> SearchResult:
    """Finds the best child for each budget, with no retraining, and writes what it found.

    The folder gets `search.json`, `child_<budget>.json` for each budget, and a journal from which
    a search that was interrupted continues when it is called again.

    Budgets on `litert_ms`, `saved_model_ms` and `command_ms`, and `rerank`, start processes that
    import the caller's script, so a script calls this below `if __name__ == "__main__":`.

    Args:
      run: from `load` or `train`; of several processes or devices, loaded under their strategy.
      budgets: one for each child wanted, such as "mflops=4" or "litert_ms=1.5,params_m=0.2".
      output_dir: folder for the results.
      params_override: of the run, as in "task.selection.strategy=random".
      threads: of LiteRT, for `litert_ms`.
      latency_table: JSON file of `latency_table`, for `table_ms`.
      latency_command: the user's own, for `command_ms`; it gets the folder of a child as its last
        argument and prints milliseconds.
      prefer: "best" or "cheapest", as `task.selection.prefer`; that of the task if None.
      rerank: such as "int8:8": each budget's 8 best candidates are converted to int8, and the one
        whose file is best on the ranking split is selected; None to select by their own accuracies.
      show: takes lines of progress, then those of the selected children; None for silence.

    Raises:
      UsageError: a budget that is malformed, unknown or infeasible, an option that is missing or
        wrong, splits that share images or whose images have changed, or a folder that another
        search uses or that is a run's.
      RunError: no candidate within a budget could be scored.
    """
    threads = arguments.whole("threads", threads, 1)
    arguments.check_run(run)
    limits, show = selecting.read_budgets(budgets), console.or_silent(show)
    task = _overridden(run.config, params_override).task
    if prefer is not None:
        task.selection.prefer = prefer
    chief = workers.is_chief(run.supernet.distribute_strategy)
    caveats = apart.check_search(run.config.task, task, run.images)
    for caveat in caveats if chief else ():
        show(f"warning: {caveat}")
    which = None if rerank is None else child_files.checked(rerank)
    names = dict.fromkeys([*counting.COUNTED, *budgets_lib.limited(limits)])
    table = None if latency_table is None else errors.require_path("latency_table", latency_table)
    options = objectives.Options(threads, table, latency_command)
    changes = config_lib.changes(task.train_data, run.config.task.train_data)
    folder = errors.require_path("output_dir", output_dir)
    run_folder.refuse(folder, "output_dir")
    with Disposable() as elsewhere:
        costs = objectives.build(list(names), run, options, elsewhere)
        evaluator = evaluators.evaluator_of(run, task)
        searching = runner.Search(
            run.supernet,
            task.train_data,
            task.selection,
            run.source,
            costs,
            evaluator,
            changes,
            caveats,
        )
        reranking = None
        if which is not None:
            reranking = which, child_files.scorer(run, task, evaluator, which.form, elsewhere)
        result = searching.run(limits, folder, show, reranking)
    if chief:
        selecting.show_selected(result, show, told=caveats)
    return result


def _overridden(
    config: cfg.ExperimentConfig, params_override: str | Mapping[str, Any]
) -> cfg.ExperimentConfig:
    """A run's configuration with what a search may change of it."""
    changed = copy.deepcopy(config)
    if params_override:
        parsing.override(changed, params_override)
    before, after = config.as_dict(), changed.as_dict()
    for free in ("selection", "train_data"):
        after["task"][free] = before["task"][free]
    if after != before:
        raise errors.UsageError(
            "params_override: a search follows its run in all but task.selection and "
            "task.train_data"
        )
    return changed
