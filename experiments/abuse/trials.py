"""Trials that are numbered, each done once whatever interrupts the campaign."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from experiments.journal import Journal

Result = dict[str, Any]  # plain; "problem" is "" or a line
Show = Callable[[str], None]


def do(
    key: Mapping[str, Any],
    count: int,
    seed: int,
    trial: Callable[[int], Result],
    journal: Journal,
    show: Show,
) -> list[Result]:
    """Does trials, but those that are in the journal.

    Args:
      key: of all of them in the journal; its last value is their name for people.
      count: how many.
      seed: of what is drawn in them.
      trial: does the one of a number, from 0.
      journal: keeps each.
      show: is called with a line for each that is done.

    Returns:
      The results, in order.
    """

    def shown(number: int) -> Result:
        result = trial(number)
        outcome = result["problem"] or "as it should"
        show(f"{list(key.values())[-1]} {number + 1}/{count}: {outcome}")
        return result

    keys = ({**key, "number": number, "seed": seed} for number in range(count))
    return [journal.once(each, shown, number).result for number, each in enumerate(keys)]


def problems(results: list[Result]) -> dict[int, str]:
    """The problem of each trial that had one, by its number."""
    return {number: result["problem"] for number, result in enumerate(results) if result["problem"]}
