"""Does the supernet rank its children as training each alone does? Kendall's tau of both.

Children that are spread over cost are sliced from seed 0's supernet, and trained alone. Accuracies
are of the reporting split, because nothing is chosen by them.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from experiments import drawing
from experiments.claim_parts import alone, recipes, shared, summaries
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units

_DRAWN_FOR_ONE = 50  # random children for each that is wanted


def plan(settings: Settings) -> Plan:
    """The units of this part."""
    slices = units(shared.SUPERNET, [0]) | units(shared.SLICED, [0], ["ranked"])
    return slices | units(alone.ALONE, range(settings.ranking_children), ["ranked"])


def measure(campaign: Campaign) -> dict[str, Any]:
    """Every figure of this part; see the module."""
    settings = campaign.settings
    drawn = spread_over_cost(campaign.space, settings.ranking_children, campaign.mflops)
    children = [child.to_json() for child in drawn]
    rows = []
    scores = shared.sliced(campaign, 0, children)
    for number, (child, sliced) in enumerate(zip(children, scores, strict=True), 1):
        trained = alone.train_alone(
            campaign, child, f"child {number}", recipes.ALONE_UNTUNED, steps=settings.ranking_steps
        )
        row = {"mflops": sliced["mflops"], "sliced": sliced["reporting_top1"]}
        rows.append({"architecture": child} | row | {"alone": trained["reporting_top1"]})
    return {"steps_alone": settings.ranking_steps or campaign.steps, **agreement(rows)}


def spread_over_cost(space: SearchSpace, count: int, mflops: Any) -> list[Architecture]:
    """Random children, one near each of `count` costs that are equally far apart by their logs.

    Args:
      space: theirs.
      count: how many are wanted.
      mflops: gives a child's cost.
    """
    rng = np.random.default_rng(0)
    pool = {space.sample(rng) for _ in range(_DRAWN_FOR_ONE * count)}
    costs = {child: float(np.log(mflops(child))) for child in sorted(pool, key=repr)}
    chosen: list[Architecture] = []
    for target in np.linspace(min(costs.values()), max(costs.values()), count):
        nearest = min(costs, key=lambda child: abs(costs[child] - target))
        chosen.append(nearest)
        del costs[nearest]
    return chosen


def agreement(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Kendall's tau of sliced and alone accuracies, of all children and of the best alone.

    Args:
      rows: "mflops", "sliced" and "alone" of each child.

    Returns:
      The rows by cost, and the taus with their p-values; "cost" is that of ranking by
      multiply-adds instead, which any supernet must beat.
    """
    best = sorted(rows, key=lambda row: -row["alone"])[: max(2, len(rows) // 4)]
    return {
        "all": _tau(rows, "sliced"),
        "top_quarter": _tau(best, "sliced"),
        "cost": _tau(rows, "mflops"),
        "cost_top_quarter": _tau(best, "mflops"),
        "children": sorted(rows, key=lambda row: row["mflops"]),
    }


def _tau(rows: Sequence[Mapping[str, Any]], by: str) -> dict[str, Any]:
    found = stats.kendalltau([row[by] for row in rows], [row["alone"] for row in rows])
    # Not a number where all are equal, which JSON does not have.
    tau, p = (None if np.isnan(value) else float(value) for value in found)
    return {"children": len(rows), "tau": tau, "p": p}


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["children", "number", "ranked by", "Kendall's tau", "p"]
    names = {
        "all": ("all", "supernet"),
        "top_quarter": ("best quarter", "supernet"),
        "cost": ("all", "multiply-adds"),
        "cost_top_quarter": ("best quarter", "multiply-adds"),
    }
    rows = []
    for key, (which, by) in names.items():
        found = result[key]
        figures = ("-" if found[name] is None else f"{found[name]:.3g}" for name in ("tau", "p"))
        rows.append([which, str(found["children"]), by, *figures])
    note = f"Against training each child alone for {result['steps_alone']} steps, one seed."
    return f"{summaries.table(head, rows)}\n\n{note}"


def plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws one accuracy against the other."""
    rows = result["children"]
    with drawing.saved(path) as (axes,):
        points = axes.scatter(
            [100 * row["sliced"] for row in rows],
            [100 * row["alone"] for row in rows],
            c=[row["mflops"] for row in rows],
            norm="log",
        )
        axes.figure.colorbar(points, label=drawing.MFLOPS, format="{x:g}")
        axes.set(xlabel="sliced, top-1 (%)", ylabel="trained alone, top-1 (%)")
        tau = result["all"]["tau"]
        axes.set_title(f"{len(rows)} children" + ("" if tau is None else f", tau {tau:.2f}"))
