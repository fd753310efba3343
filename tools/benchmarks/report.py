"""The table a person reads, and the machine it was measured on."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import pathlib
import platform
from collections.abc import Sequence

import numpy as np

from .harness import Row, Samples, figure, spread

LEGEND = (
    "Medians. ratio: the reference's time over ours, so above 1 we are faster. "
    "spread: interquartile range in % of the median, ours / reference."
)
_COLUMNS = ("what", "unit", "ours", "reference", "ratio", "spread", "target", "reached")
_PACKAGES = ("tensorflow", "tf-keras", "tf-models-official", "numpy")
_CPUINFO = pathlib.Path("/proc/cpuinfo")


def table(rows: Sequence[Row]) -> str:
    """The rows under `_COLUMNS`, then each different note."""
    lines = [_COLUMNS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    notes = dict.fromkeys(row.note for row in rows if row.note)
    return "\n".join([*text, *(f"- {note}" for note in notes)])


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


def machine() -> dict[str, object]:
    """Where and when this runs."""
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _processor() -> str:
    """The processor's name; Linux has it in a file alone."""
    if _CPUINFO.exists():
        for line in _CPUINFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
