"""The folder of a run that was searched, made in a moment: real children, made-up accuracies."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from bignas_tf import files
from bignas_tf.search_space import cost, presets
from bignas_tf.selection import result as result_lib
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from tests.selection import digits

OBJECTIVES = {
    "mflops": {"title": "multiply-adds", "unit": "M"},
    "params_m": {"title": "parameters", "unit": "M"},
}
BUDGETS = [Budget({"mflops": 0.04}), Budget({"mflops": 0.1, "params_m": 0.005})]


def candidates(count: int) -> list[Candidate]:
    """Children of the space of `digits`, every tenth of which failed."""
    rng, space = np.random.default_rng(0), digits.space()
    children = dict.fromkeys([space.smallest(), *(space.sample(rng) for _ in range(count))])
    found = []
    for number, child in enumerate(list(children)[:count]):
        counted = cost.count(space, child, digits.CLASSES, 1)
        costs = {"mflops": counted.macs / 1e6, "params_m": counted.params / 1e6}
        top1 = None if number % 10 == 9 else 0.5 + 0.4 * rng.random()
        failure = None if top1 else "NaN loss"
        phase = "coarse" if number < count / 2 else "fine"
        found.append(Candidate(child, phase, costs, {}, top1, failure))
    return found


def result(count: int = 20, **changes: Any) -> dict[str, Any]:
    """What a search of so many candidates writes, with some of its fields changed."""
    description = {
        "settings": {
            "source": {"checkpoint": "run/ckpt-20", "step": 20, "index_sha256": "5eed"},
            "budgets": [dict(budget.limits) for budget in BUDGETS],
            "objectives": list(OBJECTIVES),
            "selection": {"strategy": "coarse_to_fine"},
        },
        "objectives": OBJECTIVES,
        "ranking": {"split": "train[90%:]", "images": 400},
        "reporting": {"split": "test", "images": 100},
    }
    found = candidates(count)
    scores = {candidate.architecture: candidate.ranking_top1 for candidate in found}
    complete = result_lib.complete(
        description, found, BUDGETS, lambda children: {child: scores[child] for child in children}
    )
    return complete | changes


def run(folder: pathlib.Path, **searches: dict[str, Any]) -> pathlib.Path:
    """Makes a run's folder with searches by the names of theirs; returns it."""
    files.write_text(folder / "search_space.yaml", presets.to_yaml(digits.space()))
    for name, found in searches.items():
        result_lib.write(folder / name, found)
    return folder
