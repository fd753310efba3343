"""The objectives of a search, by the names that budgets give them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bignas_tf import errors

if TYPE_CHECKING:
    from bignas_tf.search_space.architecture import Architecture
    from bignas_tf.search_space.cost import Cost
    from bignas_tf.selection.objectives import Measurement, Objective
    from bignas_tf.training.checkpoints import Run

COUNTED = {
    "mflops": ("multiply-adds", "M", "macs"),
    "params_m": ("parameters", "M", "params"),
    "activation_mb": ("peak activation memory", "MB", "peak_activation_bytes"),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """How latency is had.

    Attributes:
      threads: of LiteRT.
      table: path of a latency table.
      command: a user's own, which gets the folder of a child and prints its milliseconds.
    """

    threads: int = 1
    table: str | None = None
    command: str | None = None


def build(names: Sequence[str], run: Run, options: Options) -> tuple[Objective, ...]:
    """The objectives of those names.

    Raises:
      UsageError: an unknown name, or one whose option is missing.
    """
    return tuple(_build(name, run, options) for name in names)


def _build(name: str, run: Run, options: Options) -> Objective:
    from bignas_tf.selection.objectives import Objective

    if name in COUNTED:
        title, unit, field = COUNTED[name]
        return Objective(name, title, unit, _counted(run.supernet.cost_of, field))
    raise errors.UsageError(f"a budget limits {name!r}; choose from {list(COUNTED)}")


def _counted(
    cost_of: Callable[[Architecture], Cost], field: str
) -> Callable[[Architecture], Measurement]:
    from bignas_tf.selection.objectives import Measurement

    return lambda architecture: Measurement(getattr(cost_of(architecture), field) / 1e6)
