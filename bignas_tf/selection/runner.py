"""A whole search: splits, budgets, journal, progress and result files."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

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
      UsageError: an unknown or empty split, or ranking and reporting share images.
    """

    def __init__(
        self, supernet: Supernet, data: DataConfig, selection: Any, source: dict[str, Any]
    ) -> None:
        splits.check_apart(data, selection)
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

        def scores(architectures: Sequence[Architecture], phase: str) -> list[Candidate]:
            found = {a: known for a in architectures if (known := journal.get(a))}
            for candidate in found.values():
                self._report(candidate, time.monotonic() - began)
            for candidate in self._score([a for a in architectures if a not in found], phase):
                journal.add(candidate)
                self._report(candidate, time.monotonic() - began)
                found[candidate.architecture] = candidate
            return [found[architecture] for architecture in architectures]

        candidates = coarse_to_fine.search(
            net.space, self._grid(), [*budgets], lambda a: net.cost_of(a).macs, scores
        )
        result = {
            "settings": settings,
            "candidates": [candidate.to_json() for candidate in candidates],
            "selected": self._select(candidates, budgets, output_dir),
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

    def _score(self, architectures: Sequence[Architecture], phase: str) -> Iterator[Candidate]:
        for architecture, score in self._evaluator.scores(architectures, self._ranking):
            counted = self._supernet.cost_of(architecture)
            yield Candidate(architecture, counted.macs, counted.params, score.top1, phase)

    def _report(self, candidate: Candidate, seconds: float) -> None:
        self._done += 1
        print(
            f"{candidate.phase} {self._done}: {candidate.macs / 1e6:.2f}M multiply-adds, "
            f"ranking top-1 {candidate.ranking_top1:.4f}, "
            f"{self._done / max(seconds, 1e-9) * 60:.0f} candidates/min",
            flush=True,
        )

    def _select(
        self, candidates: Sequence[Candidate], budgets: Mapping[int, str], output_dir: str
    ) -> list[dict[str, Any]]:
        """Reports on each budget's best child, and writes its file."""
        chosen: dict[str, Candidate] = {}
        for budget, label in budgets.items():
            best = coarse_to_fine.best(candidates, budget)
            if best is None:
                raise errors.RunError(f"no candidate within {label}M multiply-adds was scored")
            chosen[label] = best
        children = dict.fromkeys(candidate.architecture for candidate in chosen.values())
        reported = dict(self._evaluator.scores(children, self._reporting))
        entries = []
        for label, candidate in chosen.items():
            entry = {"budget_mflops": float(label)} | candidate.to_json()
            del entry["phase"]
            entry["reporting_top1"] = reported[candidate.architecture].top1
            files.write_json(os.path.join(output_dir, f"child_{label}.json"), entry)
            entries.append(entry)
        return entries


def build_evaluator(supernet: Supernet, data: DataConfig, selection: Any) -> Evaluator:
    """An evaluator that calibrates every child on the run's own images."""
    return Evaluator(supernet, splits.calibration_batches(data, selection))
