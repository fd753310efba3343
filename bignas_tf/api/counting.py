"""What a child costs, with or without a trained run; needs no TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from bignas_tf import errors, plain
from bignas_tf.api import arguments, selecting
from bignas_tf.reports import overview
from bignas_tf.search_space import cost as cost_lib
from bignas_tf.search_space import presets
from bignas_tf.search_space.architecture import MOST_CHANNELS, Architecture
from bignas_tf.search_space.cost import Cost
from bignas_tf.search_space.parts import ModelSpace
from bignas_tf.search_space.presets import AnyArchitecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection.budgets import AnyBudget
from bignas_tf.selection.objectives import Measurement, Objective

if TYPE_CHECKING:
    from bignas_tf.training.checkpoints import Run

# Objectives. Title, unit, and the field of `cost.Cost` of which it counts millions.
COUNTED = {
    "mflops": ("multiply-adds", "M", "macs"),
    "params_m": ("parameters", "M", "params"),
    "activation_mb": ("peak activation memory", "MB", "peak_activation_bytes"),
}
LATENCIES = ("saved_model_ms", "litert_ms", "table_ms", "command_ms")  # by `api.objectives`
_CLASSES, _CHANNELS = 1000, 3
_Space = SearchSpace | str | os.PathLike  # what is no run
# A run has no more classes, and a space no wider layers; counts of them fit into 64 bits.
MOST_CLASSES = 1 << 22


def cost(
    space: SearchSpace | str | os.PathLike[str] | Run,
    architecture: AnyArchitecture,
    num_classes: int | None = None,
    input_channels: int | None = None,
) -> Cost:
    """Counts a child's multiply-adds, parameters and peak activation bytes, for one image.

    Args:
      space: a search space, its preset's name or YAML file, or a run.
      architecture: an architecture, its JSON file, "smallest", "biggest" or a published name.
      num_classes: outputs of the classifier; the run's, or 1000, if None.
      input_channels: of the images; the run's, or 3, if None.

    Raises:
      UsageError: no such space or child, or a child outside the space.
    """
    if num_classes is input_channels is None and not isinstance(space, _Space):
        arguments.check_run(space)  # whose network may be the user's own
        return cost_lib.plain(space.supernet.cost_of(presets.child(space.space, architecture)))
    models = model_space_of(space, num_classes, input_channels)
    child = presets.child(models.space, architecture)
    return cost_lib.count(models.space, child, models.num_classes, models.input_channels)


def describe(
    space: SearchSpace | str | os.PathLike[str] | Run,
    num_classes: int | None = None,
    input_channels: int | None = None,
) -> str:
    """Returns lines that say what may be chosen in a space, and what its children cost.

    Args:
      space: a search space, its preset's name or YAML file, or a run.
      num_classes: outputs of the classifier; the run's, or 1000, if None.
      input_channels: of the images; the run's, or 3, if None.

    Raises:
      UsageError: no such space.
    """
    return "\n".join(overview.lines(model_space_of(space, num_classes, input_channels)))


def check_budgets(
    space: SearchSpace | str | os.PathLike[str] | Run,
    budgets: Sequence[AnyBudget] | AnyBudget,
    num_classes: int | None = None,
    input_channels: int | None = None,
) -> None:
    """Refuses budgets that a search would refuse, before there is anything to search.

    Of a cost that is measured, such as `litert_ms`, only the name is checked.

    Args:
      space: a search space, its preset's name or YAML file, or a run.
      budgets: such as "mflops=4".
      num_classes: outputs of the classifier; the run's, or 1000, if None.
      input_channels: of the images; the run's, or 3, if None.

    Raises:
      UsageError: no such space or objective, a malformed budget, or one that no child meets or
        that every child meets; names the feasible range.
    """
    limits = selecting.read_budgets(budgets)
    check_names(budgets_lib.limited(limits))
    models = model_space_of(space, num_classes, input_channels)

    def cost_of(child: Architecture) -> Cost:
        return cost_lib.count(models.space, child, models.num_classes, models.input_channels)

    built = {name: objective(name, cost_of) for name in COUNTED}
    try:
        budgets_lib.check(
            models.space, limits, built, lambda name, child: built[name].measure(child).value
        )
    except errors.UsageError as error:
        counted = f"counted with {models.num_classes} classes and {models.input_channels} channels"
        raise errors.UsageError(f"{error} ({counted})") from error


def check_names(objectives: Iterable[str]) -> None:
    """Refuses objectives that no search knows.

    Raises:
      UsageError: names the first of them, and what there is.
    """
    for name in objectives:
        errors.require_one_of("a budget's objective", name, (*COUNTED, *LATENCIES))


def objective(name: str, cost_of: Callable[[Architecture], Cost]) -> Objective:
    """Makes one of `COUNTED`.

    Args:
      name: which.
      cost_of: counts what a child costs.
    """
    title, unit, field = COUNTED[name]

    def measure(architecture: Architecture) -> Measurement:
        return Measurement(getattr(cost_of(architecture), field) / 1e6)

    return Objective(name, title, unit, measure)


def model_space_of(
    space: SearchSpace | str | os.PathLike[str] | Run,
    num_classes: int | None = None,
    input_channels: int | None = None,
) -> ModelSpace:
    """Returns a space or a run with its inputs and outputs; see `cost` for the arguments.

    Raises:
      UsageError: no such space, or more classes or channels than a model has.
    """
    num_classes = _checked("num_classes", num_classes, MOST_CLASSES)
    input_channels = _checked("input_channels", input_channels, MOST_CHANNELS)
    if isinstance(space, str | os.PathLike):
        space = presets.get(os.fspath(space))
    if isinstance(space, SearchSpace):
        return ModelSpace(space, num_classes or _CLASSES, input_channels or _CHANNELS)
    arguments.check_own_network(space, "counting layer by layer")
    net = space.supernet
    return ModelSpace(
        space.space, num_classes or net.num_classes, input_channels or net.input_channels
    )


def _checked(name: str, given: int | None, most: int) -> int | None:
    return None if given is None else plain.whole(name, given, 1, most)
