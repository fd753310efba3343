"""Which strategy finds the better children with equally many evaluations?

Every strategy searches seed 0's supernet with its own seeds. Hypervolumes are areas
under the front of accuracy against the logarithm of multiply-adds: of the ranking accuracies of
all candidates, and of the reporting accuracies of those selected.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from bignas_tf.selection import hypervolume, strategies
from experiments.claim_parts import drawing, searches, shared, summaries
from experiments.claim_parts.campaign import Campaign, Plan, Settings

STRATEGY = "search by a strategy"
# Rounds that never end before the evaluations do.
_CHANGES = {"rounds": 1000, "mutants": 6, "parents": 8}


def plan(settings: Settings) -> Plan:
    """How many units of each kind there are."""
    return Plan({shared.SUPERNET: 1, STRATEGY: len(strategies.STRATEGIES) * settings.seeds})


def measure(campaign: Campaign) -> dict[str, Any]:
    """Every figure of this part; see the module."""
    settings = campaign.settings
    model_dir = shared.supernet(campaign, 0)
    found = {}
    for name in strategies.STRATEGIES:
        found[name] = [_search(campaign, model_dir, name, seed) for seed in range(settings.seeds)]
    return compare(found, max(settings.budgets_mflops)) | {"evaluations": settings.evaluations}


def _search(campaign: Campaign, model_dir: str, name: str, seed: int) -> dict[str, Any]:
    settings = campaign.settings
    changes = _CHANGES | {
        "strategy": name,
        "seed": seed,
        "evaluations": settings.evaluations,
        "population": max(1, settings.evaluations // 3),
    }
    budgets = settings.budgets_mflops
    what = {"budgets": budgets, "changes": changes}
    label = f"{name}, seed {seed}"
    arguments = (model_dir, budgets, changes)
    return dict(campaign.unit(STRATEGY, what, label, searches.by_strategy, *arguments))


def compare(
    found: Mapping[str, Sequence[Mapping[str, Any]]], highest_cost: float
) -> dict[str, Any]:
    """Hypervolumes of searches by their strategies.

    Args:
      found: for each strategy its searches, as `searches.by_strategy` gives them.
      highest_cost: of the reference, in millions of multiply-adds. Its accuracy is the lowest
        that is on any search's front.
    """
    every = [search for of_strategy in found.values() for search in of_strategy]
    reference = {
        "mflops": highest_cost,
        "ranking": min(accuracy for each in every for _, accuracy in each["front"]),
        "reporting": min(s["reporting_top1"] for each in every for s in each["selected"]),
    }
    rows = {
        name: {
            "ranking": _hypervolumes([s["front"] for s in of_strategy], reference, "ranking"),
            "reporting": _hypervolumes(
                [[(c["mflops"], c["reporting_top1"]) for c in s["selected"]] for s in of_strategy],
                reference,
                "reporting",
            ),
            "evaluated": [each["evaluated"] for each in of_strategy],
            "searches": list(of_strategy),
        }
        for name, of_strategy in found.items()
    }
    return {"reference": reference, "strategies": rows}


def _hypervolumes(
    fronts: Sequence[Any], reference: Mapping[str, float], split: str
) -> dict[str, Any]:
    point = (reference["mflops"], reference[split])
    return summaries.over_seeds(hypervolume.hypervolume(map(tuple, f), point) for f in fronts)


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["strategy", "hypervolume, ranking", "hypervolume, reporting"]
    rows = [
        [name.replace("_", " "), *(summaries.percent(row[s]) for s in ("ranking", "reporting"))]
        for name, row in result["strategies"].items()
    ]
    note = (
        f"{result['evaluations']} evaluations each. Percent points of accuracy times doublings of "
        f"multiply-adds, up to {result['reference']['mflops']:g} M and above "
        f"{100 * result['reference']['ranking']:.2f}% (ranking) and "
        f"{100 * result['reference']['reporting']:.2f}% (reporting)."
    )
    return f"{summaries.table(head, rows)}\n\n{note}"


def plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws the fronts, and the hypervolumes."""
    with drawing.saved(path, panels=2) as (fronts, bars):
        for index, (name, row) in enumerate(result["strategies"].items()):
            label = name.replace("_", " ")
            for number, each in enumerate(row["searches"]):
                costs, accuracies = zip(*each["front"], strict=True)
                fronts.step(
                    costs, [100 * value for value in accuracies], where="post", alpha=0.7,
                    color=f"C{index}", label=None if number else label,
                )  # fmt: skip
            means, errors = summaries.in_percent([row["ranking"], row["reporting"]])
            places = [index * 0.2, 1 + index * 0.2]
            bars.bar(places, means, width=0.2, yerr=errors, capsize=3, label=label)
        drawing.over_cost(fronts)
        fronts.set(ylabel="top-1 on the ranking split (%)")
        fronts.legend()
        bars.set(ylabel="hypervolume (points times doublings)", xticks=[0.3, 1.3])
        bars.set_xticklabels(["ranking", "reporting"])
