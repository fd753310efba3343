"""The accuracy of a child's file in another format, beside the child's own."""

from __future__ import annotations

import dataclasses
from typing import Any

from bignas_tf.accuracy import Accuracy
from bignas_tf.plain import Value


@dataclasses.dataclass(frozen=True)
class Converted:
    """How a file does on the images that ranked the child.

    Attributes:
      accuracy: of the file.
      lost: how much lower that is than the child's own.
      lost_error: the standard error of `lost`, from the images that only one of them gets right.
    """

    accuracy: Accuracy
    lost: float
    lost_error: float

    def __str__(self) -> str:
        change = f"{100 * abs(self.lost):.2f} ± {100 * self.lost_error:.2f} points"
        return f"top-1 {self.accuracy}, {change} {'gained' if self.lost < 0 else 'lost'}"

    def to_json(self) -> dict[str, Any]:
        """Plain form without the number of images; `from_json` reads it back."""
        return {
            "top1": self.accuracy.top1,
            "top1_lost": self.lost,
            "top1_lost_standard_error": self.lost_error,
        }

    @classmethod
    def from_json(cls, value: object, images: int) -> Converted:
        """Reads `to_json`'s form.

        Args:
          value: plain.
          images: of the ranking split.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        return cls(
            Accuracy(value["top1"].fraction(), images),
            value["top1_lost"].number(-1, 1),
            value["top1_lost_standard_error"].number(0),
        )


def plain(converted: Converted | None) -> dict[str, Any]:
    """The field of a child that was converted, and nothing for the others."""
    return {} if converted is None else {"converted": converted.to_json()}


def read(value: Value, images: int) -> Converted | None:
    """Reads what `plain` gave to a child.

    Raises:
      UsageError: it is something else.
    """
    return value.added("converted", lambda form: Converted.from_json(form, images), None)
