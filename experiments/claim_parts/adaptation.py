"""Does a supernet of other classes save training? Adapted against trained from scratch.

The classes of a folder of images are halved, and a supernet of each seed is trained on the first
half. Supernets of the second half then start from its weights, or from scratch, and train equally
long, so that both take the same time: a step costs the same. Compared are children that grow
uniformly, all at the space's base resolution, of each budget the biggest within it. The learning
rate of either way and length is the best of a few by the ranking split, with seed 0; all
accuracies reported are of the reporting split. Both splits have images of the second half's
classes alone.
"""

from __future__ import annotations

import itertools
import pathlib
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from experiments import drawing
from experiments.claim_parts import halves, recipes, runs, summaries, uniform
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units
from experiments.claim_parts.halves import Half
from experiments.journal import digest

SOURCE, ADAPTED, SCRATCH = "source supernet", "adapted", "from scratch"
KINDS = (ADAPTED, SCRATCH)


class _Task(NamedTuple):
    """What all trainings on the second half share."""

    half: Half
    children: list[dict[str, Any]]
    sources: list[str]  # folders of the first half's supernets, by seed


def plan(settings: Settings) -> Plan:
    """The units of this part."""
    each = settings.adaptation_steps, range(settings.seeds + len(recipes.ADAPTING) - 1)
    sources = units(SOURCE, range(settings.seeds))
    return sources | units(ADAPTED, *each) | units(SCRATCH, *each)


def measure(campaign: Campaign) -> dict[str, Any]:
    """Every figure of this part; see the module."""
    settings = campaign.settings
    root = campaign.description["task"]["train_data"]["input_path"]
    first, second = halves.link(root, campaign.folder("halves", {"root": root}))
    compared = children(campaign)  # before anything is trained, as it may refuse
    sources = [_source(campaign, first, seed) for seed in range(settings.seeds)]
    task = _Task(second, compared, sources)
    return {
        "classes": {"first": list(first.classes), "second": list(second.classes)},
        "lengths": [_compared(campaign, task, steps) for steps in settings.adaptation_steps],
    }


def children(campaign: Campaign) -> list[dict[str, Any]]:
    """The biggest uniformly grown child within each budget, plain."""
    space = campaign.space
    # Of one resolution, because evaluation traces its graphs for each: minutes of every unit.
    grown = [
        space.with_resolution(child, space.base_resolution) for child in uniform.children(space)
    ]
    return [_biggest_within(campaign, grown, budget) for budget in campaign.settings.budgets_mflops]


def _biggest_within(
    campaign: Campaign, grown: Sequence[Architecture], budget: float
) -> dict[str, Any]:
    within = [child for child in grown if campaign.mflops(child) <= budget]
    if not within:
        raise errors.UsageError(
            f"--budgets_mflops has {budget:g}, which no uniformly grown child keeps at "
            f"{campaign.space.base_resolution} px: the cheapest has {campaign.mflops(grown[0]):.2f}"
        )
    return max(within, key=campaign.mflops).to_json()


def _source(campaign: Campaign, half: Half, seed: int) -> str:
    """The folder of the first half's supernet of a seed, trained if need be."""
    what = {"seed": seed, "classes": digest(half.classes)}
    recipe = campaign.settings.base.changed(half.source, seed=seed)
    campaign.unit(SOURCE, what, f"seed {seed}", runs.supernet, recipe, keep=True)
    return str(campaign.folder(SOURCE, what))


def _tried(campaign: Campaign, task: _Task, kind: str, steps: int) -> dict[str, float]:
    """Ranking accuracy, the mean over the children, of each setting with seed 0."""
    return {
        setting: statistics.fmean(
            score["ranking_top1"]
            for score in _trained(campaign, task, kind, setting, steps, 0)["scores"]
        )
        for setting in recipes.ADAPTING
    }


def _trained(
    campaign: Campaign, task: _Task, kind: str, setting: str, steps: int, seed: int
) -> Mapping[str, Any]:
    """See `runs.train_and_score`."""
    base = campaign.settings.base
    overrides = [task.half.source, recipes.adapting(base.config(), setting)]
    if kind == ADAPTED:
        overrides.append(recipes.started_from(task.sources[seed]))
    recipe = base.changed(*overrides, seed=seed, steps=steps)
    what = {
        "classes": digest(task.half.classes),
        "children": digest(task.children),
        "setting": setting,
        "steps": steps,
        "seed": seed,
    }
    label = f"{steps} steps, {setting}, seed {seed}"
    result = campaign.unit(kind, what, label, runs.train_and_score, recipe, task.children)
    return dict(result)


def _compared(campaign: Campaign, task: _Task, steps: int) -> dict[str, Any]:
    """Both ways with this many steps, each in its best setting."""
    tried = {kind: _tried(campaign, task, kind, steps) for kind in KINDS}
    best = {kind: max(found, key=lambda name: found[name]) for kind, found in tried.items()}
    trained = {
        kind: [
            _trained(campaign, task, kind, best[kind], steps, seed)
            for seed in range(campaign.settings.seeds)
        ]
        for kind in KINDS
    }
    rows = [
        _row(budget, {kind: [run["scores"][index] for run in trained[kind]] for kind in KINDS})
        for index, budget in enumerate(campaign.settings.budgets_mflops)
    ]
    return {
        "steps": steps,
        "settings_ranking_top1": tried,
        "setting": best,
        "seconds": {kind: [run["seconds"] for run in trained[kind]] for kind in KINDS},
        "children": rows,
        "mean": {kind: summaries.mean_of([row[kind] for row in rows]) for kind in KINDS},
        "difference": summaries.mean_of([row["difference"] for row in rows]),
    }


def _row(budget: float, scores: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    reported = {
        kind: summaries.over_seeds(score["reporting_top1"] for score in scores[kind])
        for kind in KINDS
    }
    return {
        "budget": budget,
        "mflops": scores[ADAPTED][0]["mflops"],
        **reported,
        "difference": summaries.differences(reported[ADAPTED], reported[SCRATCH]),
    }


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["steps", "budget", "multiply-adds", *KINDS, "adapted - from scratch"]
    rows = []
    for length in result["lengths"]:
        steps = str(length["steps"])
        rows += [
            [steps, f"{row['budget']:g} M", f"{row['mflops']:.2f} M", *_accuracies(row, row)]
            for row in length["children"]
        ]
        rows.append([steps, "all", "", *_accuracies(length["mean"], length)])
    return f"{summaries.table(head, rows)}\n\n{_note(result)}"


def _accuracies(kinds: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    cells = [summaries.percent(kinds[kind]) for kind in KINDS]
    return [*cells, summaries.percent(row["difference"], "+")]


def _note(result: Mapping[str, Any]) -> str:
    first, second = (len(result["classes"][half]) for half in ("first", "second"))
    lines = [f"From a supernet of {first} other classes to {second} classes."]
    for length, kind in itertools.product(result["lengths"], KINDS):
        tried = length["settings_ranking_top1"][kind].items()
        ranked = ", ".join(f"{name} {100 * top1:.2f}" for name, top1 in tried)
        seconds = [each for each in length["seconds"][kind] if each is not None]
        minutes = f"{statistics.fmean(seconds) / 60:.1f}" if seconds else "an unknown number of"
        lines.append(
            f"{kind.capitalize()} for {length['steps']} steps: {length['setting'][kind]}, the best "
            f"by the ranking split ({ranked}); {minutes} minutes with tracing."
        )
    return "\n".join(f"- {line}" for line in lines)


def plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws accuracy against cost, a panel for each length."""
    with drawing.saved(path, panels=len(result["lengths"]), width=4.5) as panels:
        for axes, length in zip(panels, result["lengths"], strict=True):
            costs = [row["mflops"] for row in length["children"]]
            for kind in KINDS:
                drawing.line(axes, costs, [row[kind] for row in length["children"]], kind)
            drawing.over_cost(axes)
            axes.set(title=f"{length['steps']} steps", ylabel="top-1 on the reporting split (%)")
            axes.legend()
