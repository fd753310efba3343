"""Searches of a supernet, each unit one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import bignas_tf as bignas
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
