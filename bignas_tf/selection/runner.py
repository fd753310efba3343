"""A whole search: splits, budgets, journal, progress and result files."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.data.config import DataConfig
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import coarse_to_fine, splits
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.journal import Candidate, Journal


class Search:
    """Finds the best child for each budget on one supernet.

    Args:
      supernet: trained weights.
      data: the training data, whose source holds the splits.
      selection: the run's `SelectionConfig`.
      source: what the weights are, as plain data; a journal of others is refused.

    Raises:
      UsageError: an unknown, empty or shared split.
    """

    def __init__(
        self, supernet: Supernet, data: DataConfig, selection: Any, source: dict[str, Any]
    ) -> None:
        if selection.ranking_split == selection.reporting_split:
            raise errors.UsageError(
                f"ranking and reporting share the split {selection.ranking_split!r}; an accuracy "
                "that chose a child cannot judge it: name two splits"
            )
        self._supernet = supernet
        self._selection = selection
        self._source = source
        self._done = 0
        batch = selection.batch_size
        self._evaluator = build_evaluator(supernet, data, selection)
        self._ranking = splits.open_split(data, selection.ranking_split, batch)
        self._reporting = splits.open_split(data, selection.reporting_split, batch)

    def run(self, budgets_mflops: Sequence[float], output_dir: str) -> dict[str, Any]:
        """Searches, and writes `search.json` and one `child_<budget>.json` each.

        An interrupted search goes on where its journal ends.

        Raises:
          UsageError: an infeasible budget, or a folder that holds another search.
        """
        whole = sorted({round(budget * 1e6) for budget in budgets_mflops})
        budgets = {macs: f"{macs / 1e6:.12g}" for macs in whole}
        net = self._supernet
        coarse_to_fine.check_budgets(net.space, [*budgets], net.num_classes, net.input_channels)
        settings = self._settings(list(budgets))
        files.ensure_writable(output_dir)
        journal = Journal(os.path.join(output_dir, "journal.jsonl"), settings)
        began = time.monotonic()

        def score(architecture: Architecture, phase: str) -> Candidate:
            candidate = journal.get(architecture)
            if candidate is None:
                candidate = self._score(architecture, phase)
                journal.add(candidate)
            self._report(candidate, time.monotonic() - began)
            return candidate

        candidates = coarse_to_fine.search(
            net.space, self._grid(), [*budgets], lambda a: net.cost_of(a).macs, score
        )
        result = {
            "settings": settings,
            "candidates": [candidate.to_json() for candidate in candidates],
            "selected": [
                self._select(candidates, budget, label, output_dir)
                for budget, label in budgets.items()
            ],
        }
        files.write_json(os.path.join(output_dir, "search.json"), result)
        return result

    def _grid(self) -> coarse_to_fine.Settings:
        own = self._selection
        return coarse_to_fine.Settings(
            resolutions=tuple(own.resolutions) or self._supernet.space.eval_resolutions,
            depth_multipliers=tuple(own.depth_multipliers),
            width_multipliers=tuple(own.width_multipliers),
            kernel_patterns=tuple(own.kernel_patterns),
            rounds=own.rounds,
            mutants=own.mutants,
            mutation_rate=own.mutation_rate,
            seed=own.seed,
        )

    def _settings(self, budgets: Sequence[int]) -> dict[str, Any]:
        return {
            "source": self._source,
            "budgets_macs": list(budgets),
            "selection": self._selection.as_dict(),
        }

    def _score(self, architecture: Architecture, phase: str) -> Candidate:
        counted = self._supernet.cost_of(architecture)
        statistics = self._evaluator.statistics(architecture)
        top1, _ = self._evaluator.top1(architecture, statistics, self._ranking)
        return Candidate(architecture, counted.macs, counted.params, top1, phase)

    def _report(self, candidate: Candidate, seconds: float) -> None:
        self._done += 1
        print(
            f"{candidate.phase} {self._done}: {candidate.macs / 1e6:.2f}M multiply-adds, "
            f"ranking top-1 {candidate.ranking_top1:.4f}, "
            f"{self._done / max(seconds, 1e-9) * 60:.0f} candidates/min",
            flush=True,
        )

    def _select(
        self, candidates: Sequence[Candidate], budget: int, label: str, output_dir: str
    ) -> dict[str, Any]:
        chosen = coarse_to_fine.best(candidates, budget)
        if chosen is None:
            raise errors.RunError(f"no candidate within {label}M multiply-adds was scored")
        statistics = self._evaluator.statistics(chosen.architecture)
        top1, _ = self._evaluator.top1(chosen.architecture, statistics, self._reporting)
        entry = {"budget_mflops": float(label)} | chosen.to_json() | {"reporting_top1": top1}
        del entry["phase"]
        files.write_json(os.path.join(output_dir, f"child_{label}.json"), entry)
        return entry


def build_evaluator(supernet: Supernet, data: DataConfig, selection: Any) -> Evaluator:
    """An evaluator that calibrates every child on the run's own images."""
    return Evaluator(supernet, calibration_batches(data, selection))


def calibration_batches(data: DataConfig, selection: Any) -> tf.data.Dataset:
    """The calibration images of a run, in full batches: a small one would weigh as much."""
    images = selection.calibration_images
    batch = min(selection.batch_size, images)
    return splits.open_split(data, selection.calibration_split, batch, images, full=True)
