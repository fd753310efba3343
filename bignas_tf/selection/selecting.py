"""Which candidates the budgets get, and how far that choice can be trusted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection import chance, reranking
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.reranking import Reranking
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.selected import Selected

_NOISY = 0.2  # the spread of a cost, as a part of it
Reporting = Callable[[Sequence[Architecture]], Mapping[Architecture, Accuracy | None]]


def choose(
    candidates: Sequence[Candidate],
    budgets: Iterable[Budget],
    prefer: str = candidates_lib.BEST,
    rerank: Reranking | None = None,
) -> dict[Budget, Candidate]:
    """The candidate for each budget; see `candidates.chosen`, or `reranking.chosen` for files.

    Raises:
      RunError: no candidate within a budget was scored, or none of a budget's best converted.
    """
    chosen = {}
    for budget in budgets:
        found = candidates_lib.chosen(candidates, budget, prefer)
        if found and rerank:
            found = reranking.chosen(candidates, budget, prefer, rerank)
            if not found:
                best = candidates_lib.best(candidates, budget, rerank.best)
                raise errors.RunError(
                    f"none of the {rerank.best} best candidates within budget {budget.name} could "
                    f"be converted to {rerank.form}{_why(each.unconverted for each in best)}"
                )
        if not found:
            if not candidates:
                raise errors.RunError("the strategy of the search scored no child")
            why = _why(candidate.failure for candidate in candidates)
            raise errors.RunError(f"no candidate within budget {budget.name} was scored{why}")
        (chosen[budget],) = found
    return chosen


def _why(failures: Iterable[str | None]) -> str:
    """The end of a message: how many children failed, and the first failure; "" without any."""
    failed = list(filter(None, failures))
    return f"; {len(failed)} failed, the first: {failed[0]}" if failed else ""


def select(result: SearchResult, budgets: Sequence[Budget], reporting: Reporting) -> SearchResult:
    """Selects from a search's candidates.

    Args:
      result: with its candidates; an earlier selection is replaced.
      budgets: one for each child wanted.
      reporting: gives children's accuracies on the reporting split; None if unknown.

    Raises:
      RunError: no candidate within a budget was scored.
    """
    chosen = choose(result.candidates, budgets, result.prefer, result.rerank)
    reported = reporting(list(dict.fromkeys(child.architecture for child in chosen.values())))
    selected = tuple(
        _selected(budget, child, reported[child.architecture]) for budget, child in chosen.items()
    )
    found = dataclasses.replace(result, selected=selected)
    warnings = (
        *found.caveats,
        *chance.of_majority(found),
        *_of_failures(found.candidates),
        *_of_spreads(found),
        *_of_conversions(found),
        *chance.of_choices(found),
        *chance.of_neighbours(selected),
    )
    return dataclasses.replace(found, warnings=warnings)


def _selected(budget: Budget, candidate: Candidate, reported: Accuracy | None) -> Selected:
    assert candidate.ranking is not None  # `candidates.best` leaves out those that failed
    return Selected(
        budget,
        candidate.architecture,
        candidate.costs,
        candidate.spreads,
        candidate.ranking,
        reported,
        candidate.converted,
    )


def _of_failures(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Warns of children that no budget could get, because they were not scored."""
    failed = [candidate for candidate in candidates if candidate.failure]
    if failed:
        sides = sorted({candidate.architecture.resolution for candidate in failed})
        where = f"{'all ' if len(sides) == 1 else ''}at {', '.join(map(str, sides))} px"
        reasons = _reasons(candidate.failure for candidate in failed)
        yield f"{len(failed)} of {len(candidates)} children failed, {where}: {reasons}"


def _of_spreads(found: SearchResult) -> Iterator[str]:
    """Warns of costs that were measured while something else was in the way."""
    for name, quantity in found.objectives.items():
        measured = [each for each in found.candidates if name in each.spreads]
        noisy = [each for each in measured if each.spreads[name] > _NOISY * each.costs[name]]
        if noisy:
            yield (
                f"{quantity.title}: {len(noisy)} of {len(measured)} children scatter by more than "
                f"{_NOISY:.0%}, so that the search may have taken them for slower than they are; "
                "where the machine was busy, search again in another output_dir"
            )


def _of_conversions(found: SearchResult) -> Iterator[str]:
    """Warns of children whose file could not be compared."""
    failed = [each for each in found.candidates if each.unconverted]
    if failed and found.rerank:
        tried = len(failed) + sum(each.converted is not None for each in found.candidates)
        yield (
            f"{len(failed)} of {tried} children could not be converted to {found.rerank.form}: "
            f"{_reasons(each.unconverted for each in failed)}"
        )


def _reasons(failures: Iterable[str | None]) -> str:
    """The first reason, and how many others there are."""
    first, *others = dict.fromkeys(failures)
    return f"{len(others) + 1} reasons, the first: {first}" if others else f"{first}"


def select_again(
    result: SearchResult, budgets: Sequence[Budget], rerank: Reranking | None = None
) -> SearchResult:
    """Selects from the candidates of a finished search under other budgets.

    No child is evaluated: a reporting accuracy is known only of those selected before.

    Args:
      result: of the search.
      budgets: one for each child wanted.
      rerank: by which files children are compared, which the search has made; None for their own
        accuracies.

    Raises:
      UsageError: a budget that no candidate fits, or on an objective that was not measured, or a
        candidate whose file is needed and was not made.
    """
    for budget in budgets:
        _check(budget, result)
        if rerank:
            _check_converted(budget, result, rerank)
    if rerank is None:  # what no file has chosen says nothing of files
        bare = tuple(each.bare() for each in result.candidates)
        result = dataclasses.replace(result, candidates=bare)
    result = dataclasses.replace(result, rerank=rerank)
    known = {child.architecture: child.reporting for child in result.selected}
    return select(result, budgets, lambda children: {child: known.get(child) for child in children})


def _check(budget: Budget, result: SearchResult) -> None:
    scored = [candidate for candidate in result.candidates if candidate.ranking is not None]
    for name, limit in budget.limits.items():
        errors.require_one_of("a budget's objective in this search", name, result.objectives)
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


def _check_converted(budget: Budget, result: SearchResult, rerank: Reranking) -> None:
    best = candidates_lib.best(result.candidates, budget, rerank.best)
    same = result.rerank is not None and result.rerank.form == rerank.form
    untried = [each for each in best if each.converted is None and each.unconverted is None]
    unknown = len(untried if same else best)
    if unknown:
        raise errors.UsageError(
            f"rerank={rerank}: {unknown} of the {len(best)} best candidates within budget "
            f"{budget.name} were not converted by this search; search again in its folder with "
            "the same budgets and rerank, which evaluates only what is new"
        )
