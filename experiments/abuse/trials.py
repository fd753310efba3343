"""Trials that are numbered, each done once whatever interrupts the campaign."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from experiments.journal import Entry, Journal

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
    results = []
    for number in range(count):
        each = {**key, "number": number, "seed": seed}
        entry = journal.get(each)
        if entry is None:
            began = time.monotonic()
            entry = Entry(trial(number), time.monotonic() - began)
            journal.add(each, entry)
            outcome = entry.result["problem"] or "as it should"
            show(f"{list(key.values())[-1]} {number + 1}/{count}: {outcome}")
        results.append(entry.result)
    return results


def problems(results: list[Result]) -> dict[int, str]:
    """The problem of each trial that had one, by its number."""
    return {number: result["problem"] for number, result in enumerate(results) if result["problem"]}
