"""The candidates of one search, and what its strategy may do with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from bignas_tf import errors, plain
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection import budgets as budgets_lib
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import measuring
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.figures import Figures
from bignas_tf.selection.journal import RANKING

# Draws for new children before giving up: at least, and for each that is wanted.
_LEAST_DRAWS, _DRAWS_EACH = 200, 10
_MOST_BEYOND = 10  # measured children beyond the budget before giving up
MEASURED_AT_ONCE = 16  # children whose costs are measured before they are scored


class Watcher(Protocol):
    """Receives progress."""

    def planned(self, evaluations: int) -> None:
        """At most `evaluations` children will be scored."""

    def finished(self, candidate: Candidate, pool: Pool) -> None:
        """A candidate was scored, or failed."""

    def noted(self, line: str) -> None:
        """A strategy says how it goes about it."""


class Pool:
    """Scores children, each once, and compares them.

    Args:
      space: what may be chosen.
      budgets: one for each child wanted.
      figures: costs and accuracies of children.
      watcher: is called with progress.
      evaluations: how many children may be scored; 0 for any number.
    """

    def __init__(
        self,
        space: SearchSpace,
        budgets: Sequence[Budget],
        figures: Figures,
        watcher: Watcher,
        evaluations: int = 0,
    ) -> None:
        self.space = space
        self.budgets = tuple(budgets)
        self.evaluations = evaluations
        self._figures = figures
        self._watcher = watcher
        self._candidates: dict[Architecture, Candidate] = {}
        self._planned = 0

    @property
    def candidates(self) -> list[Candidate]:
        """All of them, in the order in which they were asked for."""
        return list(self._candidates.values())

    @property
    def spent(self) -> bool:
        """Whether no further child may be scored."""
        return self.allowed(1) == 0

    def allowed(self, count: int) -> int:
        """How many of `count` further children may be scored."""
        return min(count, self.evaluations - len(self._candidates)) if self.evaluations else count

    def plan(self, evaluations: int) -> None:
        """Announces how many children the strategy will score at most."""
        self._planned = min(evaluations, self.evaluations or evaluations)
        self._watcher.planned(self._planned)

    def end(self) -> None:
        """Tells that the strategy scored fewer children than it had planned, where that is so."""
        scored, within_reach = len(self._candidates), all(map(self.best, self.budgets))
        if within_reach and scored < self._planned:
            self.note(
                f"{scored:,} of {self._planned:,} planned children: the others that were drawn "
                "were known already or beyond their budget"
            )

    @property
    def limited(self) -> list[str]:
        """The objectives that budgets limit, by their names."""
        return budgets_lib.limited(self.budgets)

    def note(self, line: str) -> None:
        """Tells whoever watches how the strategy goes about it."""
        self._watcher.noted(line)

    def counted_costs(self, child: Architecture) -> dict[str, float]:
        """Those costs of a child that budgets limit and that are counted; all, if none is."""
        counted = [n for n, each in self._figures.objectives.items() if each.counted]
        names = [name for name in counted if name in self.limited] or counted
        costs = ((name, self._figures.cost(name, child).value) for name in names)
        return {name: value for name, value in costs if value is not None}

    def has(self, child: Architecture) -> bool:
        """Whether a child is among the candidates."""
        return child in self._candidates

    def measured_beyond(self, child: Architecture, budget: Budget) -> bool:
        """Measures a child, and says whether those costs are beyond the budget's limits.

        One that cannot be measured is not: it becomes a candidate that failed.
        """
        return self._beyond(child, budget, counted=False)

    def best(self, budget: Budget, count: int = 1) -> list[Candidate]:
        """The most accurate candidates within a budget; see `candidates.best`."""
        return candidates_lib.best(self._candidates.values(), budget, count)

    def fresh(
        self, draw: Callable[[], Architecture], budget: Budget, count: int
    ) -> list[Architecture]:
        """Draws children that are new and not beyond a budget, before any is scored.

        Args:
          draw: gives a child.
          budget: their limits.
          count: how many are wanted; there may be fewer, and never more than may be scored.
        """
        found: list[Architecture] = []
        beyond, count = 0, self.allowed(count)
        most_beyond = max(_MOST_BEYOND, 2 * count)
        for _ in range(max(_LEAST_DRAWS, _DRAWS_EACH * count)):
            if len(found) >= count or beyond >= most_beyond:
                break
            child = draw()
            new = child not in self._candidates and child not in found
            if new and not self._beyond(child, budget, counted=True):
                if self.measured_beyond(child, budget):
                    beyond += 1
                    self.note(f"beyond {budget}, left out: {beyond} of at most {most_beyond}")
                else:
                    found.append(child)
        return found

    def score(self, architectures: Iterable[Architecture], phase: str) -> bool:
        """Makes candidates of children, as many as may still be scored.

        A child that cannot be measured or scored becomes a candidate that failed.

        Returns:
          Whether there were any new ones among them.

        Raises:
          UsageError: what is none of the space's, or a phase that is no text.
        """
        phase = plain.Value(phase, "the phase of a search").text()
        several = isinstance(architectures, Iterable)
        errors.require(several, "what is scored", architectures, "a list of architectures")
        given = list(architectures)
        for each in given:
            known = isinstance(each, Architecture)
            errors.require(known, "what is scored", each, "an architecture")
        # A strategy may have put NumPy's integers in.
        children = dict.fromkeys(map(self.space.normalised, given))
        new = [child for child in children if child not in self._candidates]
        new = new[: self.allowed(len(new))]
        # Measuring takes long: some children are finished before the next are measured.
        counted = all(each.counted for each in self._figures.objectives.values())
        step = len(new) or 1 if counted else MEASURED_AT_ONCE
        for first in range(0, len(new), step):
            self._finish(new[first : first + step], phase)
        return bool(new)

    def _finish(self, architectures: Sequence[Architecture], phase: str) -> None:
        whole = []
        for architecture in architectures:
            candidate = self._priced(architecture, phase)
            self._candidates[architecture] = candidate
            if candidate.failure is None:
                whole.append(architecture)
            else:
                self._watcher.finished(candidate, self)
        for architecture, outcome in self._figures.accuracies(RANKING, whole):
            known = self._candidates[architecture]
            if isinstance(outcome, errors.RunError):
                candidate = dataclasses.replace(known, failure=measuring.said(outcome))
            else:
                candidate = dataclasses.replace(known, ranking=outcome)
            self._candidates[architecture] = candidate
            self._watcher.finished(candidate, self)

    def _priced(self, architecture: Architecture, phase: str) -> Candidate:
        """A candidate with its costs, not scored yet."""
        records = self._figures.costs(architecture)
        return Candidate(
            architecture=architecture,
            phase=phase,
            costs={each.what: each.value for each in records if each.value is not None},
            spreads={each.what: each.spread for each in records if each.spread is not None},
            ranking=None,
            failure=next((each.failure for each in records if each.failure), None),
        )

    def _beyond(self, child: Architecture, budget: Budget, counted: bool) -> bool:
        """Whether a counted cost, or a measured one, is beyond its limit."""
        objectives = self._figures.objectives
        names = [name for name in budget.limits if objectives[name].counted == counted]
        costs = (self._figures.cost(name, child).value for name in names)
        return any(
            cost is not None and cost > budget.limits[name]
            for name, cost in zip(names, costs, strict=True)
        )
