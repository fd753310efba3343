"""Means, standard errors, and how they are written."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def over_seeds(values: Iterable[float]) -> dict[str, Any]:
    """The mean, its standard error (None for one seed), and the values."""
    values = list(values)
    error = None
    if len(values) > 1:
        error = statistics.stdev(values) / math.sqrt(len(values))
    return {"mean": statistics.fmean(values), "error": error, "values": values}


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """`over_seeds` of the differences of two summaries, seed by seed."""
    return over_seeds(a - b for a, b in zip(ours["values"], theirs["values"], strict=True))


def mean_of(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`over_seeds` of the mean of several summaries, seed by seed."""
    return over_seeds(map(statistics.fmean, zip(*(s["values"] for s in summaries), strict=True)))


def percent(summary: Mapping[str, Any], sign: str = "") -> str:
    """A summary of fractions in percent, with its standard error where there is one."""
    mean = f"{100 * summary['mean']:{sign}.2f}"
    return mean if summary["error"] is None else f"{mean} ± {100 * summary['error']:.2f}"


def in_percent(summaries: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    """Means and standard errors (0 for none) in percent, as plots take them."""
    return (
        [100 * each["mean"] for each in summaries],
        [100 * (each["error"] or 0.0) for each in summaries],
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
