"""Is a slice as good as its child trained alone? Sliced, fine-tuned and trained-alone children.

The children are those that a search of seed 0's supernet selects. Each is trained alone as long
as the supernet, at its own resolution, in the best of a few settings: chosen on the ranking split
of seed 0, as the children were. All accuracies reported are of the reporting split.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from experiments import drawing
from experiments.claim_parts import recipes, runs, shared, summaries
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units
from experiments.journal import digest

ALONE, FINE_TUNED = "trained alone", "fine-tuned"
KINDS = ("sliced", "fine_tuned", "alone")
# Fine-tuning is short and starts low because the slice is already good.
_STEPS_PART, _RATE_PART = 0.1, 0.1


def plan(settings: Settings) -> Plan:
    """The units of this part."""
    seeds = range(settings.seeds)
    each = settings.budgets_mflops, range(len(recipes.ALONE) + settings.seeds - 1)
    own = units(FINE_TUNED, settings.budgets_mflops, seeds) | units(ALONE, *each)
    return own | shared.planned_slices(settings)


def measure(campaign: Campaign) -> dict[str, Any]:
    """Every figure of this part; see the module."""
    children = shared.searched(campaign)
    seeds = range(campaign.settings.seeds)
    slices = [
        shared.sliced(campaign, seed, [c["architecture"] for c in children]) for seed in seeds
    ]
    folders = [shared.supernet(campaign, seed) for seed in seeds]
    rows = []
    for index, child in enumerate(children):
        of_seeds = [scores[index] for scores in slices]
        row = child | {"mflops": of_seeds[0]["mflops"], "sliced": _summary(of_seeds)}
        row["fine_tuned"] = _summary(
            [_fine_tuned(campaign, child, seed, folder) for seed, folder in enumerate(folders)]
        )
        row |= _trained_alone(campaign, child)
        row["difference"] = summaries.differences(row["sliced"], row["alone"])
        rows.append(row)
    return {
        "fine_tuning_steps": _fine_tuning_steps(campaign),
        "children": rows,
        "mean": {kind: summaries.mean_of([row[kind] for row in rows]) for kind in KINDS},
        "difference": summaries.mean_of([row["difference"] for row in rows]),
    }


def train_alone(
    campaign: Campaign,
    architecture: Mapping[str, Any],
    label: str,
    settings: Sequence[str],
    seed: int = 0,
    steps: int = 0,
) -> dict[str, Any]:
    """Accuracies of a child that is trained alone.

    Args:
      campaign: does it.
      architecture: of the child.
      label: of the child, for people.
      settings: overrides.
      seed: of the run.
      steps: its length; 0 for the supernet's.
    """
    base = campaign.settings.base
    recipe = base.changed(*settings, seed=seed, steps=steps or base.steps)
    what = {
        "child": digest(architecture),
        "settings": list(settings),
        "seed": seed,
        "steps": steps or campaign.steps,
    }
    return dict(campaign.unit(ALONE, what, label, runs.alone, recipe, architecture))


def _trained_alone(campaign: Campaign, child: Mapping[str, Any]) -> dict[str, Any]:
    """The best setting by seed 0, the ranking accuracies that chose it, and what it gives."""

    def scores(setting: str, seed: int) -> dict[str, Any]:
        label = f"child {child['budget']:g}, {setting}, seed {seed}"
        overrides = recipes.ALONE[setting]
        return train_alone(campaign, child["architecture"], label, overrides, seed)

    tried = {setting: scores(setting, 0) for setting in recipes.ALONE}
    best = max(tried, key=lambda setting: tried[setting]["ranking_top1"])
    others = [scores(best, seed) for seed in range(1, campaign.settings.seeds)]
    return {
        "settings_ranking_top1": {name: each["ranking_top1"] for name, each in tried.items()},
        "setting": best,
        "alone": _summary([tried[best], *others]),
    }


def _fine_tuned(
    campaign: Campaign, child: Mapping[str, Any], seed: int, model_dir: str
) -> dict[str, Any]:
    steps, architecture = _fine_tuning_steps(campaign), child["architecture"]
    what = {"child": digest(architecture), "seed": seed, "steps": steps, "rate": _RATE_PART}
    recipe = campaign.settings.base.changed(seed=seed)
    label = f"child {child['budget']:g}, seed {seed}"
    arguments = (model_dir, recipe, architecture, steps, _RATE_PART)
    return dict(campaign.unit(FINE_TUNED, what, label, runs.fine_tune, *arguments))


def _fine_tuning_steps(campaign: Campaign) -> int:
    return max(1, round(_STEPS_PART * campaign.steps))


def _summary(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return summaries.over_seeds(each["reporting_top1"] for each in scores)


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["budget", "multiply-adds", "sliced", "fine-tuned", "alone", "setting", "sliced - alone"]
    rows = [
        [
            f"{row['budget']:g} M",
            f"{row['mflops']:.2f} M",
            *(summaries.percent(row[kind]) for kind in KINDS),
            row["setting"],
            summaries.percent(row["difference"], "+"),
        ]
        for row in result["children"]
    ]
    means = [summaries.percent(result["mean"][kind]) for kind in KINDS]
    rows.append(["all", "", *means, "", summaries.percent(result["difference"], "+")])
    note = (
        f"Fine-tuned: the slice trained for {result['fine_tuning_steps']} steps more, from "
        f"{_RATE_PART:g} of the initial learning rate down to 0. Alone: the best setting by the "
        "ranking split, as many steps as the supernet."
    )
    return f"{summaries.table(head, rows)}\n\n{note}"


def plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws accuracy against cost."""
    rows = result["children"]
    with drawing.saved(path) as (axes,):
        for kind in KINDS:
            values = [row[kind] for row in rows]
            drawing.line(axes, [row["mflops"] for row in rows], values, kind.replace("_", "-"))
        drawing.over_cost(axes)
        axes.set(ylabel="top-1 on the reporting split (%)")
        axes.legend()
