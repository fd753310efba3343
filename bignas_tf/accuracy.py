"""How many images a child gets right, and how far chance may move that."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from bignas_tf.plain import Value

# Within this many standard errors of their difference two accuracies cannot be told apart (95%).
_APART = 1.96


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The fraction of images whose best class is right.

    Attributes:
      top1: the fraction, 0 to 1.
      images: how many there were, at least 1.
    """

    top1: float
    images: int

    @property
    def error(self) -> float:
        """The standard error of the fraction, if each image is an independent trial.

        The fraction is taken to be no nearer to 0 or 1 than Laplace's rule of succession expects of
        one more image after so many alike: no number of images makes an accuracy certain.
        """
        least = 1 / (self.images + 2)
        likely = min(max(self.top1, least), 1 - least)
        return math.sqrt(likely * (1 - likely) / self.images)

    def error_against(self, other: Accuracy) -> float:
        """The standard error of the difference of two accuracies.

        They are taken as independent. On the same images they are not, and the error is smaller.
        """
        return math.hypot(self.error, other.error)

    def exceeds(self, other: Accuracy) -> bool:
        """Whether it is higher than another by more than chance explains."""
        return self.top1 - other.top1 > _APART * self.error_against(other)

    def __str__(self) -> str:
        """Such as "91.84 ± 0.27%", with the standard error."""
        return percent(self.top1, self.error)

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: object) -> Accuracy:
        """Reads `to_json`'s form, which may have further fields.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        return cls(value["top1"].fraction(), value["images"].count(1))


def highest_of_guessing(majority: float, images: int) -> float:
    """The accuracy up to which naming the most frequent class every time may be as good.

    Args:
      majority: the fraction of the images that is of that class.
      images: how many there are.
    """
    return majority + _APART * Accuracy(majority, images).error


def percent(fraction: float, error: float | None = None) -> str:
    """A fraction as people read it, and its standard error if that is known."""
    return f"{100 * fraction:.2f}" + (f" ± {100 * error:.2f}%" if error is not None else "%")
