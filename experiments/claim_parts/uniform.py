"""Is a searched child better than one scaled uniformly to the same cost?

The children of the search of seed 0 are compared with children whose depths, widths, kernels and
resolution all grow together, the best of them within each budget by the ranking split. Both are
sliced from the supernet of each seed; accuracies are of the reporting split.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from experiments import drawing
from experiments.claim_parts import shared, summaries
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units

_MULTIPLIERS = 1001  # finer than any space's steps
KINDS = ("searched", "uniform")


def plan(settings: Settings) -> Plan:
    """The units of this part."""
    own = units(shared.SLICED, range(settings.seeds), ["uniform"])
    return own | shared.planned_slices(settings)


def children(space: SearchSpace) -> list[Architecture]:
    """Children whose every choice is equally far up its range, the smallest first."""
    grown = [
        space.decode([choices[round(part * (len(choices) - 1))] for choices in space.genes])
        for part in np.linspace(0, 1, _MULTIPLIERS)
    ]
    return list(dict.fromkeys(grown))


def best_within(scores: Sequence[Mapping[str, Any]], budget: float) -> int:
    """Index of the best child within a budget by the ranking split; of equals the first."""
    within = [index for index, score in enumerate(scores) if score["mflops"] <= budget]
    return max(within, key=lambda index: scores[index]["ranking_top1"])


def measure(campaign: Campaign) -> dict[str, Any]:
    """Every figure of this part; see the module."""
    found = shared.searched(campaign)
    grown = [child.to_json() for child in children(campaign.space)]
    seeds = range(campaign.settings.seeds)
    searched = [shared.sliced(campaign, seed, [c["architecture"] for c in found]) for seed in seeds]
    uniform = [shared.sliced(campaign, seed, grown) for seed in seeds]
    rows = []
    for index, child in enumerate(found):
        # Chosen once, on the supernet that the search chose on.
        best = best_within(uniform[0], child["budget"])
        row = {
            "budget": child["budget"],
            "mflops": {
                "searched": searched[0][index]["mflops"],
                "uniform": uniform[0][best]["mflops"],
            },
            "searched": summaries.over_seeds(s[index]["reporting_top1"] for s in searched),
            "uniform": summaries.over_seeds(s[best]["reporting_top1"] for s in uniform),
            "uniform_architecture": grown[best],
        }  # fmt: skip
        rows.append(row | {"difference": summaries.differences(row["searched"], row["uniform"])})
    return {
        "uniform_children": len(grown),
        "children": rows,
        "mean": {kind: summaries.mean_of([row[kind] for row in rows]) for kind in KINDS},
        "difference": summaries.mean_of([row["difference"] for row in rows]),
    }


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["budget", "searched", "", "uniform", "", "searched - uniform"]
    rows = []
    for row in result["children"]:
        cells = [f"{row['budget']:g} M"]
        for kind in KINDS:
            cells += [f"{row['mflops'][kind]:.2f} M", summaries.percent(row[kind])]
        rows.append([*cells, summaries.percent(row["difference"], "+")])
    means = [summaries.percent(result["mean"][kind]) for kind in KINDS]
    difference = summaries.percent(result["difference"], "+")
    rows.append(["all", "", means[0], "", means[1], difference])
    note = f"Uniform: the best of {result['uniform_children']} children within the budget."
    return f"{summaries.table(head, rows)}\n\n{note}"


def plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws accuracy against cost."""
    rows = result["children"]
    with drawing.saved(path) as (axes,):
        for kind in KINDS:
            costs = [row["mflops"][kind] for row in rows]
            drawing.line(axes, costs, [row[kind] for row in rows], kind)
        drawing.over_cost(axes)
        axes.set(ylabel="top-1 on the reporting split (%)")
        axes.legend()
