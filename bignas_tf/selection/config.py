"""The configuration of selection, and its checks."""

from __future__ import annotations

import dataclasses
import itertools
import json

from official.modeling import hyperparams

from bignas_tf import errors, plain
from bignas_tf.data.config import MOST_BATCH
from bignas_tf.selection import candidates

STRATEGIES = ("coarse_to_fine", "evolution", "predictor", "random")
KERNEL_PATTERNS = ("smallest", "largest", "largest_early", "largest_late")
_SPLITS = ("calibration_split", "ranking_split", "reporting_split")
# What an evaluator depends on, and all that accuracies do.
CALIBRATION = ("calibration_split", "calibration_images", "batch_size")
SEEN = (*CALIBRATION, "ranking_split", "reporting_split")
_GRID = ("resolutions", "depth_multipliers", "width_multipliers", "kernel_patterns")
_BRED = ("mutants", "mutation_rate")
_LEARNT = ("population", "parents")
# The fields that not every strategy reads, by strategy.
_READ = {
    "coarse_to_fine": (*_GRID, "rounds", *_BRED),
    "evolution": (*_BRED, *_LEARNT),
    "predictor": (*_GRID, *_BRED, *_LEARNT, "trusted_tau"),
    "random": (),
}
_LEAST = {
    "calibration_images": 1,
    "batch_size": 1,
    "evaluations": 0,
    "rounds": 0,
    "mutants": 1,
    "population": 1,
    "parents": 1,
    "seed": 0,
}


@dataclasses.dataclass
class SelectionConfig(hyperparams.Config):
    """The images of selection (a split for each use) and its search (Section 4.4).

    Attributes:
      calibration_split: training images that calibrate batch norms.
      calibration_images: how many of them.
      ranking_split: images that rank candidates; never the reporting ones.
      reporting_split: images on which a selected child's accuracy is reported.
      batch_size: of calibration and scoring.
      strategy: how children are found: "coarse_to_fine", "evolution", "predictor" (ours) or
        "random".
      within: YAML file of the part of the search space that is searched (ours), as
        `search_space.part` reads it; "" for all of it.
      evaluations: how many children are scored at most; 0 for as many as the rounds of
        coarse_to_fine take. The others need it.
      resolutions: input sides of the coarse grid alone; empty for all of the space. `within`
        keeps every strategy to some.
      depth_multipliers: 0 (shallowest) to 1 (deepest).
      width_multipliers: 0 (narrowest) to 1 (widest).
      kernel_patterns: of "smallest", "largest", "largest_early", "largest_late".
      rounds: generations of mutants for each budget.
      mutants: children a generation; of evolution, for each budget. Of predictor, the children
        that it proposes before it is fitted again.
      mutation_rate: probability that one choice is drawn again.
      population: random children that evolution begins with, and children far apart that the
        predictor does; at most a third of the evaluations.
      parents: how many of a budget's best evolution and predictor mutate and cross.
      trusted_tau: Kendall's tau, on children left out, from which on the predictor is believed.
      seed: of all that is drawn.
      prefer: the child that a budget gets: "best", the most accurate on the ranking split, or
        "cheapest" (ours), the cheapest within one standard error of the difference.
    """

    calibration_split: str = "train[:2000]"
    calibration_images: int = 2000
    ranking_split: str = "train[90%:]"
    reporting_split: str = "test"
    batch_size: int = 500
    strategy: str = "coarse_to_fine"
    within: str = ""
    evaluations: int = 0
    resolutions: tuple[int, ...] = ()
    depth_multipliers: tuple[float, ...] = (0.0, 1 / 3, 2 / 3, 1.0)
    width_multipliers: tuple[float, ...] = (0.0, 1.0)
    kernel_patterns: tuple[str, ...] = KERNEL_PATTERNS
    rounds: int = 4
    mutants: int = 16
    mutation_rate: float = 0.1
    population: int = 64
    parents: int = 8
    trusted_tau: float = 0.3
    seed: int = 0
    prefer: str = candidates.BEST


def validate(config: SelectionConfig, named: bool = True) -> None:
    """Checks the type and the range of every field, and that the search ends.

    Args:
      config: of a search.
      named: whether its strategy is the one that it names, and not a user's own.

    Raises:
      UsageError: names the field, its value and what is allowed.
    """
    for name in _SPLITS:
        split = getattr(config, name)
        if not (isinstance(split, str) and split.strip()):
            raise _wrong(name, split, "it names images, such as 'train[:2000]'")
    for name, least in _LEAST.items():
        if not plain.is_whole(value := getattr(config, name), least):
            raise _wrong(name, value, f"it takes {least} or more, a whole number")
    if config.batch_size > MOST_BATCH:
        raise _wrong("batch_size", config.batch_size, f"it takes up to {MOST_BATCH:,}")
    rate = config.mutation_rate
    if not (plain.is_number(rate) and 0 < rate <= 1):
        raise _wrong("mutation_rate", rate, "it is above 0, at most 1")
    tau = config.trusted_tau
    if not (plain.is_number(tau) and 0 <= tau <= 1):
        raise _wrong("trusted_tau", tau, "it runs from 0 (no better than chance) to 1")
    if not isinstance(config.within, str):
        raise _wrong("within", config.within, "it is the name of a YAML file")
    _check_grid(config)
    errors.require_one_of("task.selection.prefer", config.prefer, candidates.PREFERENCES)
    if named:
        _check_strategy(config)


def unread(config: SelectionConfig, usual: SelectionConfig) -> list[str]:
    """Fields that are set to something else than usual, and that the strategy does not read."""
    # Through JSON, because YAML gives lists where defaults are tuples.
    now, then = (json.loads(json.dumps(each.as_dict())) for each in (config, usual))
    some = dict.fromkeys(itertools.chain.from_iterable(_READ.values()))
    unread = [name for name in some if name not in _READ[config.strategy]]
    return [name for name in unread if now[name] != then[name]]


def _check_grid(config: SelectionConfig) -> None:
    for side in _entries(config, "resolutions", least=0):
        if not plain.is_whole(side, 1):
            raise _wrong("resolutions", side, "they are input sides in pixels, 1 or more", "has")
    for name in ("depth_multipliers", "width_multipliers"):
        for value in _entries(config, name, least=1):
            if not (plain.is_number(value) and 0 <= value <= 1):
                raise _wrong(name, value, "they run from 0 to 1", "has")
    for pattern in _entries(config, "kernel_patterns", least=1):
        if pattern not in KERNEL_PATTERNS:
            raise _wrong("kernel_patterns", pattern, f"choose from {list(KERNEL_PATTERNS)}", "has")


def _entries(config: SelectionConfig, name: str, least: int) -> list[object]:
    """The entries of a list, checked for their number."""
    values = getattr(config, name)
    if not isinstance(values, list | tuple) or len(values) < least:
        allowed = "it takes a list" + (f" of {least} or more" if least else "")
        raise _wrong(name, values, allowed)
    return list(values)


def _check_strategy(config: SelectionConfig) -> None:
    errors.require_one_of("task.selection.strategy", config.strategy, STRATEGIES)
    if config.strategy != "coarse_to_fine" and not config.evaluations:
        raise errors.UsageError(
            f"the strategy {config.strategy!r} does not end by itself; set "
            "task.selection.evaluations"
        )


def _wrong(name: str, value: object, allowed: str, verb: str = "is") -> errors.UsageError:
    return errors.UsageError(f"task.selection.{name} {verb} {errors.shown(value)}; {allowed}")
