"""What several parts use: the supernets, the searched children, and their slices' accuracies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.claim_parts import runs, searches
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units
from experiments.journal import digest

SUPERNET, SEARCH, SLICED = "supernet", "search", "sliced"


def planned_slices(settings: Settings) -> Plan:
    """The units of `searched`, and of `sliced` for its children and each seed."""
    seeds = range(settings.seeds)
    return units(SUPERNET, seeds) | units(SEARCH) | units(SLICED, seeds, ["searched"])


def supernet(campaign: Campaign, seed: int) -> str:
    """The folder of the supernet of a seed, trained if need be."""
    what = {"seed": seed}
    recipe = campaign.settings.base.changed(seed=seed)
    campaign.unit(SUPERNET, what, f"seed {seed}", runs.supernet, recipe, keep=True)
    return str(campaign.folder(SUPERNET, what))


def searched(campaign: Campaign) -> list[dict[str, Any]]:
    """The child of each budget, selected on the supernet of seed 0: budget and architecture."""
    model_dir = supernet(campaign, 0)
    budgets = campaign.settings.budgets_mflops
    label = f"{len(budgets)} budgets, seed 0"
    found = campaign.unit(SEARCH, {"budgets": budgets}, label, searches.select, model_dir, budgets)
    return list(found)


def sliced(
    campaign: Campaign, seed: int, children: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Accuracies of children sliced from the supernet of a seed; see `runs.score_slices`."""
    model_dir = supernet(campaign, seed)
    label = f"{len(children)} children, seed {seed}"
    what = {"seed": seed, "children": digest(list(children))}
    scores = campaign.unit(SLICED, what, label, runs.score_slices, model_dir, children)
    return list(scores)
