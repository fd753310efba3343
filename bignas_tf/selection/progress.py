"""Progress of scoring: children done and left, time left, and the best so far."""

from __future__ import annotations

import collections
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from bignas_tf import console
from bignas_tf.accuracy import percent
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import chance
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.journal import Record
from bignas_tf.selection.objectives import Objective
from bignas_tf.selection.pool import MEASURED_AT_ONCE, Pool

_QUIET_S = 5.0  # between two lines of a countdown
# The latest candidates that tell how fast others will come. A multiple of those whose costs are
# measured at once, before any is scored: it tells of as many measured as scored.
_PACED = 2 * MEASURED_AT_ONCE

T = TypeVar("T")


def countdown(
    items: Iterable[T],
    total: int,
    show: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[T]:
    """Yields items, and shows every few seconds how many are done and the time left.

    Args:
      items: as they are finished.
      total: how many there will be.
      show: takes the lines.
      clock: seconds.
    """
    began = shown = clock()
    for done, item in enumerate(items, 1):
        yield item
        now = clock()
        if done == 1:
            began = now  # graphs were traced for it, so its time says nothing about the others
        elif now - shown >= _QUIET_S and done < total:
            left = console.duration((now - began) / (done - 1) * (total - done))
            show(f"{done}/{total} scored, {left} left")
            shown = now


class SearchProgress:
    """Prints a line for each candidate, and for each cost that is measured.

    Args:
      objectives: by name, for their titles and units.
      show: takes the lines.
      clock: seconds.
    """

    def __init__(
        self,
        objectives: Mapping[str, Objective],
        show: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._objectives = objectives
        self._show = show
        self._clock = clock
        self._planned = self._done = 0
        self._ranked = False
        self._found: set[Architecture] = set()
        # When new candidates were finished, of late: of those at first, parts may have been known.
        self._ends: collections.deque[float] = collections.deque(maxlen=_PACED + 1)

    def planned(self, evaluations: int) -> None:
        """At most `evaluations` children will be scored."""
        self._planned = evaluations

    def found(self, record: Record) -> None:
        """A new figure was found."""
        self._found.add(record.architecture)
        if record.what in self._objectives:
            objective, outcome = self._objectives[record.what], record.failure
            if record.value is not None:
                outcome = f"{record.value:.4g} ± {record.spread or 0:.2g} {objective.unit}"
            self._show(f"  {objective.title}: {outcome}")

    def finished(self, candidate: Candidate, pool: Pool) -> None:
        """A candidate was scored, or failed, or was known."""
        self._done += 1
        self._warn_once(candidate)
        new = candidate.architecture in self._found
        costs = [
            self._cost(name, candidate.costs[name])
            for name in pool.limited
            if name in candidate.costs
        ]
        if candidate.ranking is None:
            outcome = f"failed: {candidate.failure}"
        else:
            outcome = f"top-1 {percent(candidate.ranking.top1)}"
        of = f"/{self._planned}" if self._planned >= self._done else ""
        self._show(
            f"{candidate.phase} {self._done}{of}: {', '.join(costs)}, {outcome}  "
            f"({self._pace() if new else 'known'})  best {self._best(pool)}"
        )

    def noted(self, line: str) -> None:
        """A strategy says how it goes about it."""
        self._show(line)

    def _warn_once(self, candidate: Candidate) -> None:
        """Warns of too few images as soon as the first accuracy says how much they scatter."""
        if candidate.ranking is not None and not self._ranked:
            self._ranked = True
            console.warn(self._show, chance.of_images(candidate.ranking, self._planned))

    def _cost(self, name: str, value: float) -> str:
        objective = self._objectives[name]
        return f"{value:.3g} {objective.unit} {objective.title}"

    def _pace(self) -> str:
        """How fast new candidates come, after the first, for which graphs are traced."""
        self._ends.append(self._clock())
        if len(self._ends) == 1:
            return "first"
        each = (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)
        pace = f"{60 / each:.0f}/min"
        if self._planned < self._done:  # a strategy of the user's own did not say how many
            return pace
        return f"{pace}, {console.duration(each * (self._planned - self._done))} left"

    def _best(self, pool: Pool) -> str:
        """The best accuracy so far within each budget."""
        bests = {budget.name: pool.best(budget) for budget in pool.budgets}
        return ", ".join(f"{name}: {_top1(best)}" for name, best in bests.items())


def _top1(best: Sequence[Candidate]) -> str:
    return percent(best[0].ranking.top1) if best and best[0].ranking else "none"
