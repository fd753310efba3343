"""What a search leaves: search.json, and a file for each selected child."""

from __future__ import annotations

import itertools
import math
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from bignas_tf import errors, files
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection import candidates as candidates_lib
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate

FILE = "search.json"
_FIELDS = {"settings", "objectives", "ranking", "reporting", "candidates", "fronts", "selected"}
# Standard errors of a difference within which two accuracies are not told apart (95%).
_APART = 1.96

Reporting = Callable[[Sequence[Architecture]], Mapping[Architecture, float | None]]


def choose(candidates: Sequence[Candidate], budgets: Iterable[Budget]) -> dict[Budget, Candidate]:
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


def complete(
    result: dict[str, Any],
    candidates: Sequence[Candidate],
    budgets: Sequence[Budget],
    reporting: Reporting,
) -> dict[str, Any]:
    """Adds what was selected and how far it can be trusted.

    Args:
      result: "settings", "objectives", and "ranking" and "reporting" with their "images".
      candidates: of the search.
      budgets: one for each child wanted.
      reporting: gives children's fraction right on the reporting split; None if unknown.

    Raises:
      RunError: no candidate within a budget was scored.
    """
    chosen = choose(candidates, budgets)
    reported = reporting(list(dict.fromkeys(child.architecture for child in chosen.values())))
    images = result["ranking"]["images"], result["reporting"]["images"]
    selected = [
        _entry(budget, candidate, reported[candidate.architecture], *images)
        for budget, candidate in chosen.items()
    ]
    return result | {
        "candidates": [candidate.to_json() for candidate in candidates],
        "fronts": {name: candidates_lib.front(candidates, name) for name in result["objectives"]},
        "selected": selected,
        "warnings": list(_warnings(selected)),
    }


def _entry(
    budget: Budget, candidate: Candidate, reported: float | None, ranked_on: int, reported_on: int
) -> dict[str, Any]:
    plain = candidate.to_json()
    return {
        "name": budget.name,
        "budget": dict(budget.limits),
        **{name: plain[name] for name in ("architecture", "costs", "spreads", "ranking_top1")},
        "ranking_error": standard_error(candidate.ranking_top1, ranked_on),
        "reporting_top1": reported,
        "reporting_error": standard_error(reported, reported_on),
    }


def standard_error(top1: float | None, images: int) -> float | None:
    """Of a fraction right on so many images; None of None."""
    return None if top1 is None else math.sqrt(top1 * (1 - top1) / images)


def _warnings(selected: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Says whose accuracy is not known, and which neighbours may as well be equally accurate."""
    for entry in selected:
        if entry["reporting_top1"] is None:
            yield f"budget {entry['name']}: the accuracy on the reporting split is not known"
    for one, other in itertools.pairwise(selected):
        pair = f"budgets {one['name']} and {other['name']}"
        if one["architecture"] == other["architecture"]:
            yield f"{pair} got the same child"
            continue
        split = (
            "ranking" if None in (one["reporting_top1"], other["reporting_top1"]) else "reporting"
        )
        difference = abs(other[f"{split}_top1"] - one[f"{split}_top1"])
        error = math.hypot(one[f"{split}_error"], other[f"{split}_error"])
        if difference <= _APART * error:
            yield (
                f"{pair}: their children cannot be told apart, {100 * difference:.2f} points of "
                f"{split} accuracy with a standard error of {100 * error:.2f}"
            )


def write(folder: str | os.PathLike[str], result: Mapping[str, Any]) -> None:
    """Writes the selected children's files, then search.json."""
    for entry in result["selected"]:
        files.write_json(child_file(folder, entry["name"]), entry)
    files.write_json(pathlib.Path(folder, FILE), result)


def child_file(folder: str | os.PathLike[str], name: str) -> pathlib.Path:
    """Where the child of a budget of that name lies."""
    return pathlib.Path(folder, f"child_{name}.json")


def read(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads what `write` wrote.

    Raises:
      UsageError: it is missing or something else.
    """
    path = pathlib.Path(folder, FILE)
    result = files.read_json(path)
    if not isinstance(result, dict) or not set(result) >= _FIELDS:
        raise errors.UsageError(f"{path} is not what tools.search writes")
    return result


def select_again(result: dict[str, Any], budgets: Sequence[Budget]) -> dict[str, Any]:
    """Selects from the candidates of a finished search under other budgets.

    A child is evaluated no further: its reporting accuracy is known only if it was selected
    before.

    Raises:
      UsageError: a budget that no candidate fits, or on an objective that was not measured.
    """
    candidates = [Candidate.from_json(value) for value in result["candidates"]]
    scored = [candidate for candidate in candidates if candidate.ranking_top1 is not None]
    for budget in budgets:
        _check(budget, scored, result)
    known = {
        Architecture.from_json(entry["architecture"]): entry["reporting_top1"]
        for entry in result["selected"]
    }
    settings = result["settings"] | {"budgets": [dict(budget.limits) for budget in budgets]}
    return complete(
        result | {"settings": settings},
        candidates,
        budgets,
        lambda children: {child: known.get(child) for child in children},
    )


def _check(budget: Budget, scored: Sequence[Candidate], result: Mapping[str, Any]) -> None:
    objectives = result["objectives"]
    for name, limit in budget.limits.items():
        if name not in objectives:
            raise errors.UsageError(
                f"budget {budget.name!r}: the search has no objective {name!r}; choose from "
                f"{list(objectives)}"
            )
        least = min((candidate.costs[name] for candidate in scored), default=0.0)
        # Up to its own budgets the search has looked, even if it found nothing there.
        looked = [each[name] for each in result["settings"]["budgets"] if name in each]
        most = max([*looked, *(candidate.costs[name] for candidate in scored)], default=0.0)
        if not least <= limit <= most:
            raise errors.UsageError(
                f"budget {name}={limit:.12g} is outside what was searched: from {least:.12g} to "
                f"{most:.12g} {objectives[name]['unit']}"
            )
    if not candidates_lib.best(scored, budget):
        raise errors.UsageError(f"no candidate of the search is within budget {budget.name}")
