"""Searches of a supernet, each unit one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import bignas_tf as bignas
from bignas_tf.accuracy import Accuracy
from bignas_tf.selection.result import SearchResult


def search(
    run: bignas.Run, budgets_mflops: Sequence[float], folder: str, **changes: Any
) -> SearchResult:
    """Searches by the run's own settings but for `changes`."""
    override = json.dumps({"task": {"selection": changes}}) if changes else ""
    budgets = [f"mflops={limit}" for limit in budgets_mflops]
    return bignas.search(run, budgets, folder, params_override=override)


def select(folder: str, model_dir: str, budgets_mflops: Sequence[float]) -> list[dict[str, Any]]:
    """The child of each budget: its name, and its architecture."""
    found = search(bignas.load(model_dir), budgets_mflops, folder)
    return [
        {"budget": float(child.name), "architecture": child.architecture.to_json()}
        for child in found.selected
    ]


def by_strategy(
    folder: str, model_dir: str, budgets_mflops: Sequence[float], changes: Mapping[str, Any]
) -> dict[str, Any]:
    """What one search found.

    Args:
      folder: of its journal.
      model_dir: of the supernet.
      budgets_mflops: in millions of multiply-adds.
      changes: of the run's `SelectionConfig`.

    Returns:
      "evaluated": how many children; "front": millions of multiply-adds and ranking accuracy of
      each child that none beats; "selected": for each budget the millions of multiply-adds, and
      accuracies on both splits.
    """
    found = search(bignas.load(model_dir), budgets_mflops, folder, **changes)
    front = [found.candidates[index] for index in found.front("mflops")]
    return {
        "evaluated": len(found.candidates),
        "front": [[each.costs["mflops"], _top1(each.ranking)] for each in front],
        "selected": [
            {
                "budget": float(child.name),
                "mflops": child.costs["mflops"],
                "ranking_top1": child.ranking.top1,
                "reporting_top1": _top1(child.reporting),
            }
            for child in found.selected
        ],
    }


def _top1(accuracy: Accuracy | None) -> float | None:
    return accuracy.top1 if accuracy else None
