"""The folder of a run that was searched, made in a moment: real children, made-up accuracies."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from bignas_tf import files, run_folder
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space import cost, presets
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import result as result_lib
from bignas_tf.selection import selecting
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.objectives import Quantity
from bignas_tf.selection.provenance import ImageSet, Source
from bignas_tf.selection.result import SearchResult
from tests.selection import digits

OBJECTIVES = {
    "mflops": Quantity("multiply-adds", "M"),
    "params_m": Quantity("parameters", "M"),
}
IMAGES = 400  # of the ranking split
BUDGETS = [Budget({"mflops": 0.04}), Budget({"mflops": 0.1, "params_m": 0.005})]


def candidates(count: int) -> list[Candidate]:
    """Children of the space of `digits`, every tenth of which failed."""
    rng, space = np.random.default_rng(0), digits.space()
    children = dict.fromkeys([space.smallest(), *(space.sample(rng) for _ in range(count))])
    found = []
    for number, child in enumerate(list(children)[:count]):
        counted = cost.count(space, child, digits.CLASSES, 1)
        costs = {"mflops": counted.macs / 1e6, "params_m": counted.params / 1e6}
        failed = number % 10 == 9
        ranking = None if failed else Accuracy(0.5 + 0.4 * rng.random(), IMAGES)
        phase = "coarse" if number < count / 2 else "fine"
        failure = "NaN loss" if failed else None
        found.append(Candidate(child, phase, costs, {}, ranking, failure))
    return found


def result(count: int = 20) -> SearchResult:
    """What a search of that many candidates finds."""
    found = SearchResult(
        source=Source("digits", "run/ckpt-20", "5eed", 20),
        selection={"strategy": "coarse_to_fine", "prefer": "best", "trusted_tau": 0.3},
        objectives=OBJECTIVES,
        ranking=ImageSet("train[90%:]", IMAGES),
        reporting=ImageSet("test", 100),
        candidates=tuple(candidates(count)),
        train_data={"input_path": ["a", "b"], "cache": False, "seed": 3, "tfds_data_dir": None},
    )

    def reported(children: Sequence[Architecture]) -> dict[Architecture, Accuracy | None]:
        top1 = {each.architecture: each.ranking.top1 for each in found.candidates if each.ranking}
        return {child: Accuracy(top1[child], 100) for child in children}

    return selecting.select(found, BUDGETS, reported)


def run(folder: pathlib.Path, **searches: SearchResult) -> pathlib.Path:
    """Makes a run's folder with searches by the names of theirs; returns it."""
    files.write_text(folder / run_folder.SPACE_FILE, presets.to_yaml(digits.space()))
    files.write_text(folder / run_folder.PARAMS_FILE, "")
    for name, found in searches.items():
        result_lib.write(folder / name, found)
    return folder


# What the card of an exported cascade has for the report.
CASCADE = {
    "cascade": {"children": ["child_1", "child_4"], "thresholds": [0.875]},
    "objective": {"name": "mflops", "title": "multiply-adds", "unit": "M"},
    "accuracy": {"split": "test", "top1": 0.75, "images": 300},
    "mean_cost": 1.5,
    "shares": [0.625, 0.375],
    "children": {
        "child_1": {"cost": 1, "accuracy": {"top1": 0.5, "images": 300}},
        "child_4": {"cost": 4, "accuracy": {"top1": 0.75, "images": 300}},
    },
    "front": [
        {
            "children": ["child_1"],
            "thresholds": [],
            "ranking": {"top1": 0.5, "images": 400},
            "reporting": {"top1": 0.5, "images": 300, "cost": 1},
        },
        {
            "children": ["child_1", "child_4"],
            "thresholds": [0.875],
            "ranking": {"top1": 0.8, "images": 400},
            "reporting": {"top1": 0.75, "images": 300, "cost": 1.5},
        },
    ],
}
