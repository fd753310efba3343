"""A whole search: splits, objectives, budgets, journal, progress and result files."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import console, errors, files, machine, workers
from bignas_tf.console import Show
from bignas_tf.data import config as data_config
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.elastic_model import ElasticModel
from bignas_tf.search_space import part
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import config as selection_config
from bignas_tf.selection import journal as journal_lib
from bignas_tf.selection import reranking, selecting, sharing, splits, strategies
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.config import SelectionConfig
from bignas_tf.selection.converted import Converted
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.figures import Figures, Scored, Scorer
from bignas_tf.selection.journal import RANKING, REPORTING, MemoryJournal
from bignas_tf.selection.objectives import Objective
from bignas_tf.selection.pool import Pool
from bignas_tf.selection.progress import SearchProgress
from bignas_tf.selection.provenance import ImageSet, Source
from bignas_tf.selection.reranking import Reranking
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.splits import Split
from bignas_tf.selection.strategies import Strategy

# Converts a child and scores its file on a split; raises `RunError` if it cannot.
FileScorer = Callable[[Split, Architecture], Converted]

# What of a configuration decides how evaluation sees an image of its data set.
_SEEN_OF_DATA = (*data_config.DECODED, "crop")


class Search:
    """Finds the best child for each budget on one supernet.

    Args:
      supernet: trained weights.
      data: the training data, whose source holds the splits.
      selection: what it sees and tries.
      source: what the weights are, the plain form of `Source`; a journal of others is refused.
      objectives: what budgets may limit; each candidate's costs.
      evaluator: of this supernet, for these images and this calibration.
      changes: the fields of `data` that are not the run's own, for the result.
      caveats: warnings of the images, for the result.
      strategy: in place of the one that `selection` names.

    Raises:
      UsageError: an unknown strategy, too few evaluations for its coarse grid, a part that the
        space does not have, an unknown or empty split, or reporting shares images with ranking or
        calibration.
    """

    def __init__(
        self,
        supernet: ElasticModel,
        data: DataConfig,
        selection: SelectionConfig,
        source: Mapping[str, Any],
        objectives: Sequence[Objective],
        evaluator: Evaluator,
        changes: Mapping[str, Any] | None = None,
        caveats: Sequence[str] = (),
        strategy: Strategy | None = None,
    ) -> None:
        if strategy is not None:
            selection_config.validate(selection, named=False)
        self._find = strategy or strategies.named(selection)
        splits.check(splits.of_selection(data, selection))
        self._supernet = supernet
        self._space, self._settings = _searched(supernet.space, selection)
        if self._find is strategies.coarse_to_fine:  # which would refuse it after measuring
            strategies.coarse_grid(self._space, self._settings)
        self._data = data
        self._changes = changes or {}
        self._caveats = tuple(caveats)
        self._selection = selection
        self._named = strategies.name_of(self._find)
        self._source = Source.from_json(source)
        self._strategy = supernet.distribute_strategy
        self._objectives = {
            objective.name: sharing.objective(self._strategy, objective) for objective in objectives
        }
        self._evaluator = evaluator
        self._splits = {
            RANKING: splits.open_split(data, selection.ranking_split, selection.batch_size),
            REPORTING: splits.open_split(data, selection.reporting_split, selection.batch_size),
        }
        # Kept, so that images stay on the devices from one child to the next.
        self._chunks = {what: self._evaluator.chunks(each) for what, each in self._splits.items()}

    def run(
        self,
        budgets: Sequence[Budget],
        output_dir: str,
        show: Show = console.print_line,
        rerank: tuple[Reranking, FileScorer] | None = None,
    ) -> SearchResult:
        """Searches, and writes `search.json` and one `child_<budget>.json` each.

        An interrupted search continues where its journal ends. The chief shows progress.

        Args:
          budgets: one for each child wanted.
          output_dir: folder for the results.
          show: takes lines of progress.
          rerank: which candidates are converted before one is selected, and what converts a child
            and scores its file on the split that ranks; in one process only.

        Raises:
          UsageError: an infeasible budget, a folder that another search uses, or several processes
            and files to rank by.
          RunError: no candidate within a budget could be scored, or converted.
        """
        if rerank and workers.many(self._strategy):
            raise errors.UsageError("rerank converts children in one process, not in several")
        if self._find is strategies.predictor and workers.many(self._strategy):
            raise errors.UsageError(
                "the strategy 'predictor' runs in one process: on other processors its arithmetic "
                "may differ in the last digit, and processes would propose different children"
            )
        budgets = budgets_lib.ordered(budgets)
        self._check_counted(budgets)
        files.make_folder(output_dir)
        path = os.path.join(output_dir, journal_lib.FILE)
        with (
            workers.together(self._strategy),
            sharing.journal(self._strategy, path, self._origin()) as journal,
        ):
            result = self._search(budgets, journal, show, rerank)
        if workers.is_chief(self._strategy):
            result_lib.write(output_dir, result, show)
        return result

    def _search(
        self,
        budgets: Sequence[Budget],
        journal: MemoryJournal,
        show: Show,
        rerank: tuple[Reranking, FileScorer] | None,
    ) -> SearchResult:
        chief = workers.is_chief(self._strategy)
        progress = SearchProgress(self._objectives, show if chief else console.silent)
        scorers = {
            what: Scorer(split.images, functools.partial(self._scores, what))
            for what, split in self._splits.items()
        }
        figures = Figures(self._objectives, scorers, journal, progress.found)
        space, settings = self._space, copy.deepcopy(self._settings)  # a strategy may write to them
        measured = {name: each for name, each in self._objectives.items() if not each.counted}
        budgets_lib.check(space, budgets, measured, figures.known_cost)
        pool = Pool(space, budgets, figures, progress, settings.evaluations)
        pool.plan(settings.evaluations)  # a strategy may say better
        self._find(pool, settings)
        pool.end()
        result = self._result(pool.candidates)
        if rerank:
            which, score = rerank
            convert = functools.partial(score, self._splits[RANKING])
            found = reranking.rerank(pool.candidates, budgets, which, convert, journal, show)
            result = dataclasses.replace(result, candidates=tuple(found), rerank=which)
        return selecting.select(result, budgets, figures.reported)

    def _check_counted(self, budgets: Sequence[Budget]) -> None:
        """Refuses what can be refused before anything is measured or written."""
        known = self._objectives
        for name in budgets_lib.limited(budgets):
            errors.require_one_of("a budget's objective", name, known)
        counted = {name: objective for name, objective in known.items() if objective.counted}
        figures = Figures(counted, {}, MemoryJournal(), lambda record: None)
        budgets_lib.check(self._space, budgets, counted, figures.known_cost)

    def _scores(self, what: str, architectures: Sequence[Architecture]) -> Iterator[Scored]:
        yield from self._evaluator.attempts(architectures, self._chunks[what])

    def _origin(self) -> dict[str, Any]:
        """All that figures depend on besides the child."""
        measured = {o.name: o.title for o in self._objectives.values() if not o.counted}
        # Times are those of a machine; accuracies may be found on several.
        return {
            # A path does not identify its content; the checkpoint's hash does.
            "source": {
                name: v for name, v in self._source.to_json().items() if name != "checkpoint"
            },
            "data": {name: getattr(self._data, name) for name in _SEEN_OF_DATA},
            # They may have been moved; but where one is gone, a slice names others.
            "images": splits.identified(self._data, self._selection),
            "seen": {name: getattr(self._selection, name) for name in selection_config.SEEN},
            "measured": measured,
            "machine": machine.title() if measured else None,
        }

    def _result(self, candidates: Sequence[Candidate]) -> SearchResult:
        """What the search has found, with nothing selected yet."""
        selection = self._selection.as_dict() | {"strategy": self._named}
        if self._selection.within:  # the file may change
            selection["part"] = json.loads(json.dumps(self._space.content()))
        ranking, reporting = self._splits[RANKING], self._splits[REPORTING]
        return SearchResult(
            source=self._source,
            # Lists, as JSON has them.
            selection={n: list(v) if isinstance(v, tuple) else v for n, v in selection.items()},
            objectives={name: each.quantity for name, each in self._objectives.items()},
            ranking=_image_set(ranking),
            reporting=dataclasses.replace(_image_set(reporting), majority=reporting.majority()),
            candidates=tuple(candidates),
            train_data=self._changes,
            caveats=self._caveats,
        )


def _searched(
    whole: SearchSpace, selection: SelectionConfig
) -> tuple[SearchSpace, SelectionConfig]:
    """What is searched, and the settings for it: a coarse grid has the part's resolutions alone.

    Raises:
      UsageError: the whole has no such resolution, or no such part.
    """
    for side in selection.resolutions:
        errors.require_one_of("one of task.selection.resolutions", side, whole.eval_resolutions)
    if not selection.within:
        return whole, selection
    space = part.read(whole, selection.within)
    sides = tuple(side for side in selection.resolutions if side in space.eval_resolutions)
    return space, dataclasses.replace(selection, resolutions=sides)


def _image_set(split: Split) -> ImageSet:
    return ImageSet(split.config.tfds_split, split.images)


def build_evaluator(
    supernet: ElasticModel, data: DataConfig, selection: SelectionConfig
) -> Evaluator:
    """An evaluator that calibrates every child on the run's own images.

    Raises:
      UsageError: a setting is out of range, the images do not fit the supernet, or there are too
        few.
    """
    selection_config.validate(selection)
    data_config.check_fits(
        data,
        base_size=supernet.space.base_resolution,
        channels=supernet.input_channels,
        num_classes=supernet.num_classes,
    )
    return Evaluator(supernet, splits.calibration_batches(data, selection))
