"""The child selected for a budget, and its plain form."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from bignas_tf.accuracy import Accuracy
from bignas_tf.plain import Value
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import converted
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.converted import Converted


@dataclasses.dataclass(frozen=True)
class Selected:
    """The child selected for a budget.

    Attributes:
      budget: its limits.
      architecture: its choices.
      costs: by the names of objectives, in their units.
      spreads: of the repeats of measured costs.
      ranking: its accuracy on the split that chose it.
      reporting: its accuracy on images that took no part in the choice; None if unknown.
      converted: what its file in another format reaches on the split that chose it; None if it was
        not converted.
    """

    budget: Budget
    architecture: Architecture
    costs: Mapping[str, float]
    spreads: Mapping[str, float]
    ranking: Accuracy
    reporting: Accuracy | None
    converted: Converted | None = None

    @property
    def name(self) -> str:
        """Of its budget, in files and tables."""
        return self.budget.name

    def to_json(self) -> dict[str, Any]:
        """Plain form with standard errors; `from_json` reads it back."""
        reporting = self.reporting
        return {
            "name": self.name,
            "budget": dict(self.budget.limits),
            "architecture": self.architecture.to_json(),
            "costs": dict(self.costs),
            "spreads": dict(self.spreads),
            "ranking_top1": self.ranking.top1,
            "ranking_error": self.ranking.error,
            "reporting_top1": reporting.top1 if reporting else None,
            "reporting_error": reporting.error if reporting else None,
            **converted.plain(self.converted),
        }

    @classmethod
    def from_json(cls, value: object, ranking_images: int, reporting_images: int) -> Selected:
        """Reads `to_json`'s form.

        Args:
          value: plain.
          ranking_images: of the ranking split.
          reporting_images: of the reporting split.

        Raises:
          UsageError: it is something else, or it contradicts itself.
        """
        value = Value.of(value)
        name, budget = value["name"].text(), Budget(candidates_lib.numbers(value["budget"]))
        if name != budget.name:
            raise value["name"].wrong(f"its budget makes that {budget.name!r}")
        ranking = _accuracy(value, "ranking", ranking_images)
        if ranking is None:
            raise value["ranking_top1"].wrong("a selected child was ranked")
        return cls(
            budget=budget,
            architecture=value["architecture"].parsed(Architecture.from_json),
            costs=candidates_lib.numbers(value["costs"]),
            spreads=candidates_lib.numbers(value["spreads"]),
            ranking=ranking,
            reporting=_accuracy(value, "reporting", reporting_images),
            converted=converted.read(value, ranking_images),
        )


def _accuracy(value: Value, split: str, images: int) -> Accuracy | None:
    """An accuracy, whose standard error must follow from it; None if neither is known."""
    top1 = value[f"{split}_top1"].optional(Value.fraction)
    error = value[f"{split}_error"].optional(Value.number)
    accuracy = None if top1 is None else Accuracy(top1, images)
    expected = None if accuracy is None else accuracy.error
    if expected is None or error is None:
        agree = expected is error
    else:
        agree = math.isclose(error, expected, rel_tol=1e-6, abs_tol=1e-12)
        agree = agree or (error == 0 and top1 in (0, 1))  # as version 0.1 counted it
    if not agree:
        raise value[f"{split}_error"].wrong(
            f"{split}_top1 and {images} images make that {expected}"
        )
    return accuracy
