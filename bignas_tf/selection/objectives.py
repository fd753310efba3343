"""What a child may cost, each in the unit in which budgets name it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from bignas_tf.search_space.architecture import Architecture


class Measurement(NamedTuple):
    """A figure of one child.

    Attributes:
      value: in the unit of what was measured.
      spread: in the same unit, how far repeats lie apart; None for what is counted.
    """

    value: float
    spread: float | None = None


@dataclasses.dataclass(frozen=True)
class Objective:
    """A cost that budgets may limit.

    Attributes:
      name: its key in budgets and results, such as "mflops".
      title: for people, such as "multiply-adds".
      unit: such as "M" or "ms".
      measure: gives a child's cost; raises `RunError` where it cannot be had.
      counted: whether it follows from the architecture alone, thousands of children a
        second; others take seconds a child, and are remembered in the journal.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[Architecture], Measurement]
    counted: bool = True
