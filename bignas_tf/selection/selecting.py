"""Which candidates the budgets get, and how far that choice can be trusted."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.result import SearchResult, Selected

# Within so many standard errors of their difference two accuracies cannot be told apart (95%).
_APART = 1.96

Reporting = Callable[[Sequence[Architecture]], Mapping[Architecture, Accuracy | None]]


def _choose(candidates: Sequence[Candidate], budgets: Iterable[Budget]) -> dict[Budget, Candidate]:
    """The best candidate for each budget.

    Raises:
      RunError: no candidate within a budget was scored.
    """
    chosen = {}
    for budget in budgets:
        best = candidates_lib.best(candidates, budget)
        if not best:
            failures = [c.failure for c in candidates if c.failure]
            why = f"; {len(failures)} failed, the first: {failures[0]}" if failures else ""
            raise errors.RunError(f"no candidate within budget {budget.name} was scored{why}")
        (chosen[budget],) = best
    return chosen


def select(result: SearchResult, budgets: Sequence[Budget], reporting: Reporting) -> SearchResult:
    """Selects from a search's candidates.

    Args:
      result: with its candidates; an earlier selection is replaced.
      budgets: one for each child wanted.
      reporting: gives children's accuracies on the reporting split; None if unknown.

    Raises:
      RunError: no candidate within a budget was scored.
    """
    chosen = _choose(result.candidates, budgets)
    reported = reporting(list(dict.fromkeys(child.architecture for child in chosen.values())))
    selected = tuple(
        _selected(budget, child, reported[child.architecture]) for budget, child in chosen.items()
    )
    return dataclasses.replace(result, selected=selected, warnings=tuple(_warnings(selected)))


def _selected(budget: Budget, candidate: Candidate, reported: Accuracy | None) -> Selected:
    assert candidate.ranking is not None  # `candidates.best` leaves out those that failed
    costs, spreads = candidate.costs, candidate.spreads
    return Selected(budget, candidate.architecture, costs, spreads, candidate.ranking, reported)


def _warnings(selected: Sequence[Selected]) -> Iterator[str]:
    """Returns warnings: accuracies not known, and neighbours that cannot be told apart."""
    for child in selected:
        if child.reporting is None:
            yield f"budget {child.name}: the accuracy on the reporting split is not known"
    for one, other in itertools.pairwise(selected):
        pair = f"budgets {one.name} and {other.name}"
        if one.architecture == other.architecture:
            yield f"{pair} got the same child"
            continue
        split, first, second = _compared(one, other)
        difference = abs(second.top1 - first.top1)
        error = math.hypot(first.error, second.error)
        if difference <= _APART * error:
            yield (
                f"{pair}: their children cannot be told apart, {100 * difference:.2f} points of "
                f"{split} accuracy with a standard error of {100 * error:.2f}"
            )


def _compared(one: Selected, other: Selected) -> tuple[str, Accuracy, Accuracy]:
    """The split that two children are compared on, and their accuracies."""
    if one.reporting is None or other.reporting is None:
        return "ranking", one.ranking, other.ranking
    return "reporting", one.reporting, other.reporting


def select_again(result: SearchResult, budgets: Sequence[Budget]) -> SearchResult:
    """Selects from the candidates of a finished search under other budgets.

    No child is evaluated: a reporting accuracy is known only of those selected before.

    Raises:
      UsageError: a budget that no candidate fits, or on an objective that was not measured.
    """
    for budget in budgets:
        _check(budget, result)
    known = {child.architecture: child.reporting for child in result.selected}
    return select(result, budgets, lambda children: {child: known.get(child) for child in children})


def _check(budget: Budget, result: SearchResult) -> None:
    scored = [candidate for candidate in result.candidates if candidate.ranking is not None]
    for name, limit in budget.limits.items():
        if name not in result.objectives:
            raise errors.UsageError(
                f"budget {budget.name!r}: the search has no objective {name!r}; choose from "
                f"{list(result.objectives)}"
            )
        least = min((candidate.costs[name] for candidate in scored), default=0.0)
        # The search has looked up to its own budgets, even if it found nothing there.
        looked = [each.limits[name] for each in result.budgets if name in each.limits]
        most = max([*looked, *(candidate.costs[name] for candidate in scored)], default=0.0)
        if not least <= limit <= most:
            raise errors.UsageError(
                f"budget {name}={limit:.12g} is outside what was searched: from {least:.12g} to "
                f"{most:.12g} {result.objectives[name].unit}"
            )
    if not candidates_lib.best(scored, budget):
        raise errors.UsageError(f"no candidate of the search is within budget {budget.name}")
