"""Children that a search has scored, and which of them is best."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from bignas_tf import errors
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.budgets import Budget


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A child that was measured, calibrated and scored.

    Attributes:
      architecture: its choices.
      phase: of the search, such as "coarse" or "fine".
      costs: by the names of objectives, in their units.
      spreads: how far the repeats of measured costs lie apart.
      ranking_top1: fraction right on the ranking split; None if it failed.
      failure: why it failed; None if it did not.
    """

    architecture: Architecture
    phase: str
    costs: dict[str, float]
    spreads: dict[str, float]
    ranking_top1: float | None
    failure: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        return dataclasses.asdict(self) | {"architecture": self.architecture.to_json()}

    @classmethod
    def from_json(cls, value: Any) -> Candidate:
        """Reads `to_json`'s form.

        Raises:
          UsageError: it is something else.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        if not isinstance(value, dict) or sorted(value) != sorted(names):
            raise errors.UsageError(f"a candidate has the fields {names}; got {value!r:.80}")
        return cls(**value | {"architecture": Architecture.from_json(value["architecture"])})


def best(candidates: Iterable[Candidate], budget: Budget, count: int = 1) -> list[Candidate]:
    """The most accurate candidates within a budget, at most `count`; of equals the cheaper."""
    within = [c for c in candidates if c.ranking_top1 is not None and budget.holds(c.costs)]
    return sorted(within, key=lambda c: (-(c.ranking_top1 or 0.0), budget.order(c.costs)))[:count]


def front(candidates: Iterable[Candidate], objective: str) -> list[int]:
    """The Pareto front of accuracy against a cost.

    Returns:
      Indices of the candidates that no other beats, in ascending cost: none is both as
      cheap and as accurate. Of equals the first counts.
    """
    scored = [(i, c) for i, c in enumerate(candidates) if c.ranking_top1 is not None]
    members: list[int] = []
    highest = -1.0
    for index, candidate in sorted(
        scored, key=lambda pair: (pair[1].costs[objective], -(pair[1].ranking_top1 or 0.0))
    ):
        if (candidate.ranking_top1 or 0.0) > highest:
            highest = candidate.ranking_top1 or 0.0
            members.append(index)
    return members
