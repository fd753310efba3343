"""What does each rule of training give? The supernet without it, against the supernet with it.

Scored are the smallest child, the biggest, and random children at every resolution of the space
(their mean), on the reporting split. An ablation whose header asks for a changed base gets one.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml

from bignas_tf import files
from experiments import drawing
from experiments.claim_parts import recipes, runs, shared, summaries
from experiments.claim_parts.campaign import Campaign, Plan, Settings, units

FOLDER = pathlib.Path("experiments/ablations/small")
JUDGED, ABLATION = "judged", "ablation"
GROUPS = runs.JUDGED


class Base(NamedTuple):
    """What an ablation is compared with: the campaign's base with a change; see its header."""

    name: str = "base"
    sources: tuple[str, ...] = ()
    stretch: int = 1


_BASES = {
    "different_patches": Base("base, crop", recipes.CROP),
    "no_constant_ending": Base("base, twice as long", stretch=2),
}


def names() -> list[str]:
    """Every ablation of the small space."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def plan(settings: Settings) -> Plan:
    """The units of this part."""
    seeds = range(settings.seeds)
    others = {_base(name) for name in settings.ablations} - {Base()}
    trained = units(ABLATION, [*settings.ablations, *others], seeds)
    return trained | units(shared.SUPERNET, seeds) | units(JUDGED, seeds)


def _base(name: str) -> Base:
    return _BASES.get(name, Base())


def measure(campaign: Campaign) -> dict[str, Any]:
    """Every figure of this part; see the module."""
    chosen = campaign.settings.ablations
    bases = {base: _judged(campaign, base) for base in dict.fromkeys([Base(), *map(_base, chosen)])}
    rows = []
    for name in chosen:
        base = _base(name)
        row = {"ablation": name, "base": base.name} | _judged(campaign, base, name)
        if "diverged" not in row and "diverged" not in bases[base]:
            row["difference"] = {
                group: summaries.differences(row[group], bases[base][group]) for group in GROUPS
            }
        rows.append(row)
    return {"bases": {base.name: scores for base, scores in bases.items()}, "ablations": rows}


def _judged(campaign: Campaign, base: Base, ablation: str | None = None) -> dict[str, Any]:
    """Summaries of each group's accuracy; "diverged" instead, with why, if a seed did."""
    judged = [_of_seed(campaign, base, ablation, seed) for seed in range(campaign.settings.seeds)]
    for seed, each in enumerate(judged):
        if "diverged" in each:
            return {"diverged": f"seed {seed}: {each['diverged']}"}
    return {group: summaries.over_seeds(each[group] for each in judged) for group in GROUPS}


def _of_seed(campaign: Campaign, base: Base, ablation: str | None, seed: int) -> Mapping[str, Any]:
    """Each group's accuracy, or why the run diverged."""
    if ablation is None and base == Base():
        model_dir = shared.supernet(campaign, seed)
        return campaign.unit(JUDGED, {"seed": seed}, f"seed {seed}", runs.judge, model_dir)
    sources = base.sources
    what = {"seed": seed, "sources": list(sources), "stretch": base.stretch}
    if ablation is not None:
        path = FOLDER / f"{ablation}.yaml"
        sources += (str(path),)
        what["ablation"] = yaml.safe_load(files.read_text(path))
    recipe = campaign.settings.base.changed(*sources, seed=seed, stretch=base.stretch)
    label = f"{ablation or base.name}, seed {seed}"
    return campaign.unit(ABLATION, what, label, runs.train_and_judge, recipe)


def table(result: Mapping[str, Any]) -> str:
    """The figures as Markdown."""
    head = ["run", *GROUPS, *(f"{group}, difference" for group in GROUPS)]
    rows = [_cells(name, row) for name, row in result["bases"].items()]
    for row in result["ablations"]:
        name = row["ablation"].replace("_", " ")
        rows.append(_cells(name if row["base"] == "base" else f"{name} ({row['base']})", row))
    notes = [
        f"- {row['ablation']}: {row['diverged']}"
        for row in result["ablations"]
        if "diverged" in row
    ]
    return "\n".join([summaries.table(head, rows), "", *notes])


def _cells(name: str, row: Mapping[str, Any]) -> list[str]:
    if "diverged" in row:
        return [name, *["diverged"] * len(GROUPS), *[""] * len(GROUPS)]
    differences = row.get("difference", {})
    return [
        name,
        *(summaries.percent(row[group]) for group in GROUPS),
        *(summaries.percent(differences[group], "+") if differences else "" for group in GROUPS),
    ]


def plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    """Draws what each ablation changes."""
    rows = [row for row in result["ablations"] if "difference" in row]
    with drawing.saved(path, width=10) as (axes,):
        for index, group in enumerate(GROUPS):
            means, errors = summaries.in_percent([row["difference"][group] for row in rows])
            places = [number + 0.25 * (index - 1) for number in range(len(rows))]
            axes.barh(places, means, height=0.25, xerr=errors, capsize=2, label=group)
        axes.axvline(0, color="grey")
        axes.set(xlabel="top-1 against the base (points)", yticks=range(len(rows)))
        axes.set_yticklabels([row["ablation"].replace("_", " ") for row in rows])
        axes.invert_yaxis()
        axes.legend()
