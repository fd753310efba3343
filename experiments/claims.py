"""Do the project's claims hold? One campaign of runs with seeds, in parts.

  python -m experiments.claims [--parts=alone,uniform] [--train_steps=1150] [--seeds=3]

alone:     are slices as good as the same children trained alone?
ranking:   does the supernet rank children as training each alone does?
ablations: what does each rule of training give (experiments/ablations/small)?
uniform:   are searched children better than uniformly scaled ones of equal cost?
adaptation: does a supernet of other classes save training? (only if --parts names it)

The ablations are laid on the paper's rules: give that part
--config_file=experiments/fashion_mnist_paper.yaml. Adaptation halves the classes of a folder of
images: give it --config_file=experiments/adaptation.yaml.

The parts share their supernets. Each finished unit of work (a training run and its measurements)
is in --work_dir/journal.jsonl at once: after a kill the same command continues, the run in flight
from its checkpoint. A finished part is not run again. Strategies of a search have a campaign of
their own, `experiments.strategies`.
Result: a JSON file, a Markdown table and a plot of each part in --results_dir.
"""

from __future__ import annotations

import importlib
import pathlib
from collections.abc import Sequence
from typing import Any

from absl import flags

from bignas_tf import errors, files
from bignas_tf.selection import budgets
from experiments.journal import Journal
from tools.cli import launch

_OF_ANY_IMAGES = ("alone", "ranking", "ablations", "uniform")
PARTS = (*_OF_ANY_IMAGES, "adaptation")
_BUDGETED = {"alone", "uniform", "adaptation"}

_PARTS = flags.DEFINE_list("parts", list(_OF_ANY_IMAGES), f"Any of {', '.join(PARTS)}.")
_WORK_DIR = flags.DEFINE_string("work_dir", "runs/claims", "Journal, supernets, unfinished runs.")
_RESULTS_DIR = flags.DEFINE_string("results_dir", "experiments/results/claims", "Of the results.")
_REPORT_ONLY = flags.DEFINE_bool("report_only", False, "Write results from the journal, run none.")
_EXPERIMENT = flags.DEFINE_string("experiment", "bignas_small", "As in tools.train.")
_CONFIG_FILES = flags.DEFINE_multi_string(
    "config_file", ["experiments/fashion_mnist.yaml"], "YAML of the supernet; may be repeated."
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
    "params_override", "", "Overrides of every run, as in tools.train."
)
_DATA_DIR = flags.DEFINE_string("data_dir", "runs/data", "Where TFDS keeps its data sets.")
_TRAIN_STEPS = flags.DEFINE_integer(
    "train_steps",
    0,
    "Steps of each supernet and each child alone; the learning rate's decay is scaled. 0 for "
    "those of the configuration.",
    lower_bound=0,
)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Seeds of every comparison.", lower_bound=1)
_BUDGETS = flags.DEFINE_list("budgets_mflops", ["1", "2.5", "4", "6", "8"], "Millions.")
_RANKING_CHILDREN = flags.DEFINE_integer("ranking_children", 20, "Of ranking.", lower_bound=2)
_RANKING_STEPS = flags.DEFINE_integer(
    "ranking_steps", 0, "Steps of each child alone in ranking; 0 for the supernet's.", lower_bound=0
)
_ABLATIONS = flags.DEFINE_list("ablations", [], "Names of YAML files; all if empty.")
_ADAPTATION_STEPS = flags.DEFINE_list(
    "adaptation_steps", ["60", "240"], "Lengths of adaptation; its settings are chosen at each."
)


def main() -> None:
    _choose("--parts", _PARTS.value, PARTS)
    from experiments.claim_parts import halves, runs, worker
    from experiments.claim_parts.campaign import Campaign

    settings = _settings()
    parts = {name: _part(name) for name in PARTS if name in _PARTS.value}
    plan = set().union(*(part.plan(settings) for part in parts.values()))
    work_dir = files.ensure_writable(_WORK_DIR.value)
    description = worker.call(runs.describe, settings.base)
    with Journal(work_dir / "journal.jsonl", description) as journal:
        campaign = Campaign(settings, work_dir, journal, description, plan, _REPORT_ONLY.value)
        if _BUDGETED & set(parts):
            campaign.check_budgets()
        if "adaptation" in parts:
            halves.check(description["task"]["train_data"])
        for name, part in parts.items():
            _write(name, part, _conditions(campaign) | part.measure(campaign))


def _settings() -> Any:
    """The settings that the flags give."""
    from experiments.claim_parts import ablations
    from experiments.claim_parts.campaign import Settings
    from experiments.claim_parts.recipes import Recipe

    data = f"task.train_data.tfds_data_dir={_DATA_DIR.value}"
    sources = [*_CONFIG_FILES.value, data, _PARAMS_OVERRIDE.value]
    _choose("--ablations", _ABLATIONS.value, ablations.names())
    return Settings(
        base=Recipe(_EXPERIMENT.value, tuple(filter(None, sources)), _TRAIN_STEPS.value),
        seeds=_SEEDS.value,
        budgets_mflops=_budgets(),
        ranking_children=_RANKING_CHILDREN.value,
        ranking_steps=_RANKING_STEPS.value,
        ablations=tuple(_ABLATIONS.value or ablations.names()),
        adaptation_steps=_adaptation_steps(),
    )


def _choose(flag: str, given: Sequence[str], allowed: Sequence[str]) -> None:
    for name in given:
        errors.require_one_of(flag, name, allowed)


def _budgets() -> tuple[float, ...]:
    parsed = [budgets.parse(f"{budgets.MULTIPLY_ADDS}={value}") for value in _BUDGETS.value]
    if not parsed:
        raise errors.UsageError("--budgets_mflops is empty; give one or more, as in 1,2.5,4")
    return tuple(b.limits[budgets.MULTIPLY_ADDS] for b in budgets.ordered(parsed))


def _adaptation_steps() -> tuple[int, ...]:
    given = _ADAPTATION_STEPS.value
    if not given or not all(steps.isdecimal() and int(steps) for steps in given):
        raise errors.UsageError(
            f"--adaptation_steps is {','.join(given)!r}; it takes one or more lengths, as in 60,240"
        )
    return tuple(map(int, given))


def _part(name: str) -> Any:
    """A part's module: `plan`, `measure`, `table` and `plot`."""
    return importlib.import_module(f"experiments.claim_parts.{name}")


def _conditions(campaign: Any) -> dict[str, Any]:
    """Under which all figures of a result were found."""
    task = campaign.description["task"]
    selection = task["selection"]
    return {
        "experiment": _EXPERIMENT.value,
        "config_files": _CONFIG_FILES.value,
        "params_override": _PARAMS_OVERRIDE.value,
        "train_steps": campaign.steps,
        "batch": task["train_data"]["global_batch_size"],
        "seeds": campaign.settings.seeds,
        "budgets_mflops": list(campaign.settings.budgets_mflops),
        **{f"{name}_split": selection[f"{name}_split"] for name in ("ranking", "reporting")},
    }


def _write(name: str, part: Any, result: dict[str, Any]) -> None:
    """Writes a part's three files, and prints its table."""
    folder = pathlib.Path(_RESULTS_DIR.value)
    files.write_json(folder / f"{name}.json", result)
    table = f"{part.table(result)}\n\n{_lengths(result)}\n"
    files.write_text(folder / f"{name}.md", table)
    part.plot(result, folder / f"{name}.png")
    print(f"\n{name}\n{table}", flush=True)


def _lengths(result: dict[str, Any]) -> str:
    seeds = "1 seed" if result["seeds"] == 1 else f"{result['seeds']} seeds, ± standard error"
    return (
        f"{', '.join(result['config_files'])}: {result['train_steps']:,} steps of "
        f"{result['batch']}, {seeds}; accuracies in percent, on {result['reporting_split']!r}."
    )


if __name__ == "__main__":
    launch(main)
