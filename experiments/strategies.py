"""Which strategy finds the better children with equally many evaluations?

  python -m experiments.strategies --model_dir=runs/longer \
      --output_dir=runs/strategies
  python -m experiments.strategies --model_dir=runs/quickstart --name=strategies_predictor \
      --strategies=coarse_to_fine,predictor:100 --budgets_mflops=1,2,4,6,8 \
      --selection='{"ranking_split": "train[-2000:]", "calibration_images": 500}'

Every strategy (or those named), three seeds, 200 evaluations each, five budgets of
multiply-adds, on one trained supernet. The searches share the journal in --output_dir, so
that no child is scored twice, and the same command continues. Result: a JSON file and a
plot of that --name in experiments/results: for each budget the mean accuracy over the seeds
and their spread, and the hypervolume of each search after each evaluation.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from absl import flags

import bignas_tf as bignas
from bignas_tf import errors, files
from experiments import drawing
from experiments.claim_parts import searches, summaries
from tools.cli import launch

if TYPE_CHECKING:
    from bignas_tf.selection.result import SearchResult

_MODEL_DIR = flags.DEFINE_string("model_dir", "runs/longer", "Folder of the training run.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "runs/strategies", "Folder of the searches.")
_RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results", "Folder of the result.")
_BUDGETS = flags.DEFINE_list("budgets_mflops", ["1", "1.5", "2.5", "4", "7"], "Millions.")
_EVALUATIONS = flags.DEFINE_integer("evaluations", 200, "Of each search.", lower_bound=1)
_STRATEGIES = flags.DEFINE_list(
    "strategies",
    [],
    "Which, as in predictor or predictor:100, with other evaluations; all if empty.",
)
_SELECTION = flags.DEFINE_string("selection", "{}", "Other settings of task.selection, as JSON.")
_NAME = flags.DEFINE_string("name", "strategies", "Of the result's files.")
_SEEDS = flags.DEFINE_integer("seeds", 3, "Searches of each strategy.", lower_bound=1)

# The grid takes 72 evaluations, the first population 64; what is left is bred in rounds.
_SETTINGS = {
    "resolutions": (20, 28, 32),
    "depth_multipliers": (0.0, 0.5, 1.0),
    "width_multipliers": (0.0, 1.0),
    "rounds": 1000,
    "mutants": 6,
    "population": 64,
    "parents": 8,
}
_COUNTS = (50, 100, 150, 200)  # evaluations, after which hypervolumes are shown


def main() -> None:
    from bignas_tf.selection import strategies

    run = bignas.load(_MODEL_DIR.value)
    settings = _SETTINGS | _other_settings()
    searches: dict[str, list[SearchResult]] = {}
    chosen = {each: _strategy(each) for each in _STRATEGIES.value or strategies.STRATEGIES}
    for given, changes in chosen.items():
        searches[given] = [
            _search(run, settings | changes | {"seed": seed}) for seed in range(_SEEDS.value)
        ]
    result = {
        "source": run.source,
        "evaluations": _EVALUATIONS.value,
        "settings": settings,
        "budgets_mflops": [float(budget) for budget in _BUDGETS.value],
        "strategies": {name: _summary(found) for name, found in searches.items()},
    }
    folder = pathlib.Path(_RESULTS_DIR.value)
    files.write_json(folder / f"{_NAME.value}.json", result)
    _plot(result, folder / f"{_NAME.value}.png")
    print(_table(result))


def _other_settings() -> dict[str, Any]:
    """What --selection gives."""
    try:
        given = json.loads(_SELECTION.value)
    except ValueError as error:
        raise errors.UsageError(f"--selection is not JSON: {error}") from None
    if not isinstance(given, dict):
        raise errors.UsageError("--selection takes an object of settings of task.selection")
    return given


def _strategy(text: str) -> dict[str, Any]:
    """The settings of text such as "predictor:100"."""
    name, colon, evaluations = text.partition(":")
    if colon and not (evaluations.isdecimal() and int(evaluations)):
        raise errors.UsageError(
            f"--strategies has {text!r}; after the colon is a number of evaluations"
        )
    return {"strategy": name, "evaluations": int(evaluations or _EVALUATIONS.value)}


def _search(run: bignas.Run, selection: Mapping[str, Any]) -> SearchResult:
    print(f"{selection['strategy']}, seed {selection['seed']}", flush=True)
    budgets = [float(budget) for budget in _BUDGETS.value]
    return searches.search(run, budgets, _OUTPUT_DIR.value, **selection)


def _summary(found: Sequence[SearchResult]) -> dict[str, Any]:
    """Accuracies [seeds][budgets] on both splits, hypervolumes [seeds][evaluations]."""
    return {
        "evaluated": [len(result.candidates) for result in found],
        "hypervolume": [result.hypervolumes()["mflops"] for result in found],
        **{
            split: [[child.to_json()[split] for child in result.selected] for result in found]
            for split in ("ranking_top1", "reporting_top1")
        },
    }


def _hypervolumes(found: Mapping[str, Any]) -> str:
    """Means of the hypervolume after some evaluations, and their standard errors, in percent."""
    counts = [count for count in _COUNTS if count <= min(found["evaluated"])]
    reached = {
        count: summaries.over_seeds(curve[count - 1] for curve in found["hypervolume"])
        for count in counts
    }
    return ", ".join(f"{count}: {summaries.percent(each)}" for count, each in reached.items())


def _mean_and_spread(accuracies: Sequence[Sequence[float]]) -> tuple[Any, Any]:
    """For each budget, over the seeds: percent, and the standard deviation in points."""
    values = 100 * np.asarray(accuracies)
    return values.mean(0), values.std(0, ddof=1) if len(values) > 1 else 0 * values[0]


def _table(result: Mapping[str, Any]) -> str:
    budgets = result["budgets_mflops"]
    lines = []
    for split in ("ranking_top1", "reporting_top1"):
        lines.append(f"{split:<16}" + "".join(f"{budget:>14g}M" for budget in budgets))
        for name, found in result["strategies"].items():
            columns = zip(*_mean_and_spread(found[split]), strict=True)
            cells = (f"{mean:.2f} ± {spread:.2f}" for mean, spread in columns)
            lines.append(f"{name:<16}" + "".join(f"{cell:>15}" for cell in cells))
    lines.append("hypervolume (points times doublings) after so many evaluations")
    lines += [f"{name:<16}{_hypervolumes(found)}" for name, found in result["strategies"].items()]
    return "\n".join(lines)


def _plot(result: Mapping[str, Any], path: pathlib.Path) -> None:
    with drawing.saved(path, panels=2, sharex=True) as axes:
        for each, split in zip(axes, ("ranking_top1", "reporting_top1"), strict=True):
            for name, found in result["strategies"].items():
                mean, spread = _mean_and_spread(found[split])
                label = name.replace("_", " ")
                each.errorbar(
                    result["budgets_mflops"], mean, spread, marker="o", capsize=3, label=label
                )
            drawing.over_cost(each)
            each.set(ylabel=f"{split} (%), mean and deviation over seeds")
        axes[0].legend(title=f"{result['evaluations']} evaluations")


if __name__ == "__main__":
    launch(main)
