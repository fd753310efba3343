"""A whole search: splits, objectives, budgets, journal, progress and result files."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import errors, files, workers
from bignas_tf.data import config as config_lib
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import result as result_lib
from bignas_tf.selection import sharing, splits, strategies
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.figures import RANKING, REPORTING, Figures, Memory, Outcome
from bignas_tf.selection.journal import Records
from bignas_tf.selection.objectives import Measurement, Objective
from bignas_tf.selection.pool import Pool
from bignas_tf.selection.progress import Progress
from bignas_tf.selection.splits import Split

_SEEN = (
    "calibration_split",
    "calibration_images",
    "ranking_split",
    "reporting_split",
    "batch_size",
)


class Search:
    """Finds the best child for each budget on one supernet.

    Args:
      supernet: trained weights.
      data: the training data, whose source holds the splits.
      selection: what it sees and tries.
      source: what the weights are, as plain data; a journal of others is refused.
      objectives: what budgets may limit; each candidate's costs.

    Raises:
      UsageError: an unknown strategy, an unknown or empty split, or ranking and reporting
        share images.
    """

    def __init__(
        self,
        supernet: Supernet,
        data: DataConfig,
        selection: SelectionConfig,
        source: dict[str, Any],
        objectives: Sequence[Objective],
    ) -> None:
        self._find = strategies.of(selection)
        splits.check_apart(data, selection)
        self._supernet = supernet
        self._data = data
        self._selection = selection
        self._source = source
        self._strategy = supernet.distribute_strategy
        self._objectives = {
            objective.name: sharing.objective(self._strategy, objective) for objective in objectives
        }
        self._evaluator = build_evaluator(supernet, data, selection)
        self._splits = {
            RANKING: splits.open_split(data, selection.ranking_split, selection.batch_size),
            REPORTING: splits.open_split(data, selection.reporting_split, selection.batch_size),
        }

    def run(self, budgets: Sequence[Budget], output_dir: str) -> dict[str, Any]:
        """Searches, and writes `search.json` and one `child_<budget>.json` each.

        An interrupted search goes on where its journal ends.

        Raises:
          UsageError: an infeasible budget, or a folder that another search uses.
          RunError: no candidate within a budget could be scored.
        """
        budgets = budgets_lib.ordered(budgets)
        self._check_counted(budgets)
        files.ensure_writable(output_dir)
        path = os.path.join(output_dir, "journal.jsonl")
        with (
            workers.loss_explained(self._strategy),
            sharing.journal(self._strategy, path, self._origin()) as journal,
        ):
            result = self._search(budgets, journal)
        if workers.is_chief(self._strategy):
            result_lib.write(output_dir, result)
        return result

    def _search(self, budgets: Sequence[Budget], journal: Memory) -> dict[str, Any]:
        chief = workers.is_chief(self._strategy)
        show = functools.partial(print, flush=True) if chief else lambda line: None
        progress = Progress(self._objectives, show)
        scores = {what: functools.partial(self._scores, what) for what in self._splits}
        figures = Figures(self._objectives, scores, journal, progress.found)
        space, settings = self._supernet.space, self._selection
        measured = {name: each for name, each in self._objectives.items() if not each.counted}
        budgets_lib.check(space, budgets, measured, figures.known_cost)
        pool = Pool(space, budgets, figures, progress, settings.evaluations)
        self._find(pool, settings)
        description = self._description(budgets)
        return result_lib.complete(description, pool.candidates, budgets, figures.reported)

    def _check_counted(self, budgets: Sequence[Budget]) -> None:
        """Refuses what can be refused before anything is measured or written."""
        known = self._objectives
        for name in dict.fromkeys(name for budget in budgets for name in budget.limits):
            if name not in known:
                raise errors.UsageError(
                    f"a budget limits {name!r}; objectives of this search: {list(known)}"
                )
        counted = {name: objective for name, objective in known.items() if objective.counted}
        figures = Figures(counted, {}, Records(), lambda record: None)
        budgets_lib.check(self._supernet.space, budgets, counted, figures.known_cost)

    def _scores(
        self, what: str, architectures: Sequence[Architecture]
    ) -> Iterator[tuple[Architecture, Outcome]]:
        for child, found in self._evaluator.attempts(architectures, self._splits[what]):
            yield child, found if isinstance(found, errors.RunError) else Measurement(found.top1)

    def _origin(self) -> dict[str, Any]:
        """All that figures depend on besides the child."""
        measured = {o.name: o.title for o in self._objectives.values() if not o.counted}
        # Times are those of a machine; accuracies may be found on several.
        machine = f"{platform.machine()}, {os.cpu_count()} CPUs" if measured else None
        return {
            # Paths say nothing of what lies there; the checkpoint's hash does.
            "source": {name: v for name, v in self._source.items() if name != "checkpoint"},
            "data": {n: v for n, v in self._data.as_dict().items() if n != "tfds_data_dir"},
            "seen": {name: getattr(self._selection, name) for name in _SEEN},
            "measured": measured,
            "machine": machine,
        }

    def _description(self, budgets: Sequence[Budget]) -> dict[str, Any]:
        """What `search.json` says of the search besides its children."""
        named = self._objectives
        return {
            "settings": {
                "source": self._source,
                "budgets": [dict(budget.limits) for budget in budgets],
                "objectives": list(named),
                "selection": self._selection.as_dict(),
            },
            "objectives": {name: {"title": o.title, "unit": o.unit} for name, o in named.items()},
            "ranking": _plain(self._splits[RANKING]),
            "reporting": _plain(self._splits[REPORTING]),
        }


def _plain(split: Split) -> Mapping[str, Any]:
    return {"split": split.config.tfds_split, "images": split.images}


def build_evaluator(supernet: Supernet, data: DataConfig, selection: SelectionConfig) -> Evaluator:
    """An evaluator that calibrates every child on the run's own images.

    Raises:
      UsageError: the images do not fit the supernet, or there are too few.
    """
    config_lib.check_fits(
        data,
        base_size=supernet.space.base_resolution,
        channels=supernet.input_channels,
        num_classes=supernet.num_classes,
    )
    return Evaluator(supernet, splits.calibration_batches(data, selection))
