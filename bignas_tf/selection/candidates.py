"""Children that a search has scored, and which of them is best."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from bignas_tf.accuracy import Accuracy
from bignas_tf.plain import Value
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import converted, pareto
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.converted import Converted

PREFERENCES = (BEST := "best", "cheapest")  # which child a budget gets; see `chosen`


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A child that was measured, calibrated and scored.

    Attributes:
      architecture: its choices.
      phase: of the search, such as "coarse" or "fine".
      costs: by the names of objectives, in their units.
      spreads: of the repeats of measured costs.
      ranking: its accuracy on the ranking split; None if it failed.
      failure: why it failed; None if it did not.
      converted: what its file in another format reaches; None if it was not converted.
      unconverted: why it could not be converted; None if it was, or nobody tried.
    """

    architecture: Architecture
    phase: str
    costs: Mapping[str, float]
    spreads: Mapping[str, float]
    ranking: Accuracy | None
    failure: str | None = None
    converted: Converted | None = None
    unconverted: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain form without the number of images; `from_json` reads it back."""
        return {
            "architecture": self.architecture.to_json(),
            "phase": self.phase,
            "costs": dict(self.costs),
            "spreads": dict(self.spreads),
            "ranking_top1": self.ranking.top1 if self.ranking else None,
            "failure": self.failure,
            **converted.plain(self.converted),
            **({} if self.unconverted is None else {"unconverted": self.unconverted}),
        }

    def bare(self) -> Candidate:
        """The same without what its file gave."""
        return dataclasses.replace(self, converted=None, unconverted=None)

    @classmethod
    def from_json(cls, value: object, images: int) -> Candidate:
        """Reads `to_json`'s form.

        Args:
          value: plain.
          images: of the ranking split.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        top1 = value["ranking_top1"].optional(Value.fraction)
        failure = value["failure"].optional(Value.text)
        if (top1 is None) != (failure is not None):
            raise value.wrong("it has either an accuracy or a failure")
        return cls(
            architecture=value["architecture"].parsed(Architecture.from_json),
            phase=value["phase"].text(),
            costs=numbers(value["costs"]),
            spreads=numbers(value["spreads"]),
            ranking=None if top1 is None else Accuracy(top1, images),
            failure=failure,
            converted=converted.read(value, images),
            unconverted=value.added("unconverted", Value.text, None),
        )


def numbers(value: Value) -> dict[str, float]:
    """An object of numbers that are not negative, such as costs.

    Raises:
      UsageError: it is something else.
    """
    return {name: each.number(0) for name, each in value.fields().items()}


def best(candidates: Iterable[Candidate], budget: Budget, count: int = 1) -> list[Candidate]:
    """The most accurate candidates within a budget, at most `count`; of equals the cheaper."""
    within = [
        (-each.ranking.top1, budget.order(each.costs), each)
        for each in candidates
        if each.ranking is not None and budget.holds(each.costs)
    ]
    return [each for _, _, each in sorted(within, key=lambda entry: entry[:2])[:count]]


def tied(candidates: Sequence[Candidate], budget: Budget) -> list[Candidate]:
    """The most accurate candidate within a budget and those that may be as good, cheapest first.

    They are within one standard error of the difference: the one-standard-error rule of Breiman
    et al., Classification and Regression Trees, 1984.
    """
    ranked = best(candidates, budget, len(candidates))
    return sorted(
        (each for each in ranked if _ties(each.ranking, ranked[0].ranking)),
        key=lambda each: budget.order(each.costs),
    )


def _ties(accuracy: Accuracy | None, highest: Accuracy | None) -> bool:
    assert accuracy is not None  # `best` leaves out those that failed
    assert highest is not None
    return highest.top1 - accuracy.top1 <= highest.error_against(accuracy)


def chosen(candidates: Sequence[Candidate], budget: Budget, prefer: str) -> list[Candidate]:
    """The candidate that a budget gets; none if no candidate within it was scored.

    Args:
      candidates: all of them.
      budget: the limits.
      prefer: "best" is the most accurate; "cheapest" the first of those that are `tied` with it.
    """
    return best(candidates, budget) if prefer == BEST else tied(candidates, budget)[:1]


def front(candidates: Iterable[Candidate], objective: str) -> list[int]:
    """The Pareto front of accuracy against a cost.

    Returns:
      Indices of the candidates that no other beats, in ascending cost: none is both as
      cheap and as accurate. Of equals the first counts.
    """
    scored = [
        (each.costs[objective], each.ranking.top1, index)
        for index, each in enumerate(candidates)
        if each.ranking is not None
    ]
    costs, top1, _ = np.array(scored).reshape(-1, 3).T
    return [scored[place][2] for place in pareto.front(costs, top1)]
