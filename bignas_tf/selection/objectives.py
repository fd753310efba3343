"""What a child may cost, each in the unit in which budgets name it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from bignas_tf.plain import Value
from bignas_tf.search_space.architecture import Architecture


class Measurement(NamedTuple):
    """A figure of one child.

    Attributes:
      value: in the unit of what was measured.
      spread: of repeats, in the same unit; None if it was counted.
    """

    value: float
    spread: float | None = None


@dataclasses.dataclass(frozen=True)
class Quantity:
    """What a figure is of.

    Attributes:
      title: for people, such as "multiply-adds".
      unit: such as "M" or "ms".
    """

    title: str
    unit: str

    def to_json(self) -> dict[str, str]:
        """Plain form; `from_json` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Quantity:
        """Reads `to_json`'s form.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        return cls(value["title"].text(), value["unit"].text())


@dataclasses.dataclass(frozen=True)
class Objective:
    """A cost that budgets may limit.

    Attributes:
      name: its key in budgets and results, such as "mflops".
      title: for people, such as "multiply-adds". A journal knows a measured objective by its name
        and title: what measures otherwise needs another title.
      unit: such as "M" or "ms", in which costs are above 0.000001: they are kept with six decimals.
      measure: returns a child's cost; raises `RunError` if it cannot be measured.
      counted: whether it follows from the architecture alone, for every child and for thousands a
        second: a `RunError` ends the search. Others take seconds a child, are remembered in the
        journal, and need not have a cost for every child.
    """

    name: str
    title: str
    unit: str
    measure: Callable[[Architecture], Measurement]
    counted: bool = True

    @property
    def quantity(self) -> Quantity:
        """What its costs are of."""
        return Quantity(self.title, self.unit)
