"""A campaign that was never run, for its mechanics and tables."""

from __future__ import annotations

import pathlib

from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Architecture
from experiments.claim_parts.campaign import Campaign, Plan, Settings
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
    return Campaign(SETTINGS, folder, journal, DESCRIPTION, Plan(kinds), report_only)
