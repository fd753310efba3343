"""The table a person reads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bignas_tf import console

from .harness import Row, Samples, figure, spread

LEGEND = (
    "Medians. ratio: the reference's time over ours, so above 1 we are faster. "
    "spread: interquartile range in % of the median, ours / reference."
)
_COLUMNS = ("what", "unit", "ours", "reference", "ratio", "spread", "target", "reached")


def table(rows: Sequence[Row]) -> str:
    """The rows under `_COLUMNS`, then each different note."""
    notes = dict.fromkeys(row.note for row in rows if row.note)
    return "\n".join(
        [*console.aligned([_COLUMNS, *map(_cells, rows)]), *(f"- {note}" for note in notes)]
    )


def _cells(row: Row) -> tuple[str, ...]:
    reference = f"{_median(row.reference)} {row.reference_name}" if row.reference else "-"
    return (
        row.name,
        row.unit,
        _median(row.ours) or "-",
        f"skipped: {row.skipped}" if row.skipped else reference,
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        " / ".join(f"{spread(each):.0f}" for each in row.samples),
        row.target or "-",
        {True: "yes", False: "NO", None: "-"}[row.reached],
    )


def _median(samples: Samples) -> str:
    return figure(float(np.median(samples))) if samples else ""
