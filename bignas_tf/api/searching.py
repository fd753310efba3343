"""The best children within budgets, searched for on a trained supernet."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from official.core import config_definitions as cfg

from bignas_tf import console, errors, plain, run_folder, workers
from bignas_tf.api import apart, arguments, child_files, counting, evaluators, selecting
from bignas_tf.api import objectives as objectives_lib
from bignas_tf.console import Show
from bignas_tf.data import config as config_lib
from bignas_tf.latency.disposable import Disposable
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import config as selection_config
from bignas_tf.selection import runner
from bignas_tf.selection.budgets import AnyBudget
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.objectives import Objective
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.strategies import Strategy
from bignas_tf.training import parsing
from bignas_tf.training.checkpoints import Run


def search(
    run: Run,
    budgets: Sequence[AnyBudget] | AnyBudget,
    output_dir: str | os.PathLike[str],
    *,
    params_override: str | Mapping[str, Any] = "",
    threads: int = 1,
    latency_table: str | os.PathLike[str] | None = None,
    latency_command: str | None = None,
    objectives: Sequence[Objective] = (),
    strategy: Strategy | None = None,
    within: str | os.PathLike[str] | None = None,
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
      objectives: of your own, which budgets may limit, too; see `Objective`.
      strategy: of your own, in place of the one that `task.selection` names: it is called with a
        `Pool` (`bignas_tf/selection/pool.py`) and the settings, and scores children of the pool.
        What it does must follow from these alone, so that an interrupted search can continue.
      within: YAML file of a part of the search space, as `task.selection.within`; that of the task
        if None.
      prefer: "best" or "cheapest", as `task.selection.prefer`; that of the task if None.
      rerank: such as "int8:8": each budget's 8 best candidates are converted to int8, and the one
        whose file is best on the ranking split is selected; None to select by their own accuracies.
      show: takes lines of progress, then those of the selected children; None for silence.

    Raises:
      UsageError: a budget that is malformed, unknown or infeasible, an option or an objective that
        is missing, wrong or of no use, a part that the space does not have, splits that share
        images or whose images have changed, or a folder that another search uses or that is a
        run's.
      RunError: no candidate within a budget could be scored.
    """
    threads = plain.whole("threads", threads, 1)
    arguments.check_run(run)
    chief = workers.is_chief(run.supernet.distribute_strategy)
    show = console.or_silent(show) if chief else console.silent
    limits = selecting.read_budgets(budgets)
    task = _changed(run.config, params_override, prefer, within).task
    errors.require(strategy is None or callable(strategy), "strategy", strategy, "a function")
    caveats = apart.check_search(run.config.task, task, run.images)
    console.warn(show, caveats)
    which = None if rerank is None else child_files.checked(rerank)
    limited = budgets_lib.limited(limits)
    own = objectives_lib.own(objectives, limited)
    table = None if latency_table is None else errors.require_path("latency_table", latency_table)
    options = objectives_lib.Options(threads, table, latency_command, task.selection.within)
    folder = errors.require_path("output_dir", output_dir)
    run_folder.refuse(folder)
    with Disposable() as elsewhere:
        names = dict.fromkeys((*counting.COUNTED, *limited))
        known = [name for name in names if name not in own]
        costs = objectives_lib.build(known, run, options, elsewhere)
        evaluator = evaluators.evaluator_of(run, task)
        searching = runner.Search(
            supernet=run.supernet,
            data=task.train_data,
            selection=task.selection,
            source=run.source,
            objectives=[*costs, *own.values()],
            evaluator=evaluator,
            changes=config_lib.changes(task.train_data, run.config.task.train_data),
            caveats=caveats,
            strategy=strategy,
        )
        if strategy is None:
            console.warn(show, _of_unread(task.selection, run.config.task.selection))
        reranking = None
        if which is not None:
            reranking = which, child_files.scorer(run, task, evaluator, which.form, elsewhere)
        result = searching.run(limits, folder, show, reranking)
    selecting.show_selected(result, show, told=caveats)
    return result


def _of_unread(now: SelectionConfig, before: SelectionConfig) -> Iterator[str]:
    """Warns of changed settings that the strategy does not read."""
    if unread := selection_config.unread(now, before):
        yield f"the strategy {now.strategy!r} does not read task.selection's {', '.join(unread)}"


def _changed(
    config: cfg.ExperimentConfig,
    params_override: str | Mapping[str, Any],
    prefer: str | None,
    within: str | os.PathLike[str] | None,
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
    if prefer is not None:
        changed.task.selection.prefer = prefer
    if within is not None:
        changed.task.selection.within = errors.require_path("within", within)
    return changed
