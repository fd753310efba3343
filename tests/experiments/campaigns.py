"""A campaign that was never run, for its mechanics and tables."""

from __future__ import annotations

import pathlib
from typing import Any

from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Architecture
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units
from experiments.claim_parts.recipes import Recipe
from experiments.journal import Journal

BASE = Recipe("bignas_small", ("experiments/fashion_mnist.yaml",))
SETTINGS = Settings(BASE, 2, (1.0, 4.0), 4, 0, ("naive_init", "no_distillation"))
DESCRIPTION = {
    "task": {
        "model": {"search_space": "bignas_small"},
        "train_data": {"num_classes": 10, "channels": 1},
    },
    "trainer": {"train_steps": 100},
}


def mflops(child: Architecture) -> float:
    return cost.count(presets.bignas_small(), child, 10, 1).macs / 1e6


def campaign(
    folder: pathlib.Path, journal: Journal, report_only: bool = False, **kinds: int
) -> Campaign:
    plan = Plan().union(*(units(kind, range(count)) for kind, count in kinds.items()))
    return Campaign(SETTINGS, folder, journal, DESCRIPTION, plan, report_only)


def of_part(folder: pathlib.Path, journal: Journal, part: Any) -> Campaign:
    """A campaign of one part, whose units are all in the journal."""
    return Campaign(SETTINGS, folder, journal, DESCRIPTION, part.plan(SETTINGS), report_only=True)
