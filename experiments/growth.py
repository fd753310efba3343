"""Does cost grow faster than its work? Time beside multiply-adds as one thing grows.

  python -m experiments.growth [--only=batch --only=blocks] [--repeats=7]

Each series changes one thing of a case in the space `bignas_small`; see
`experiments.growth_series`. Its points are timed in turn, so that a busy moment
of the machine falls on all of them. Expected: from no point to a later one does
time grow by more than a tenth above its work, which leaves room for noise. Only
`random_children` may: each brings as many operations as the biggest and the
smallest child together, for about a third of their multiply-adds. Result:
experiments/results/growth.json, and a plot of each series in
experiments/results/growth/.
"""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
from absl import flags

from bignas_tf import files, machine
from experiments import drawing
from tools.cli import launch

SERIES = ("batch", "resolution", "random_children", "blocks", "trace", "images", "processes")
_MOST_ABOVE_WORK = 1.1

_ONLY = flags.DEFINE_multi_enum(
    "only", None, SERIES, "Series to measure, all if unset; others stay in the file as they are."
)
_REPEATS = flags.DEFINE_integer("repeats", 7, "Timed runs of each point.", lower_bound=1)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", "experiments/results", "Folder of the results.")


def main() -> None:
    from experiments import growth_series

    folder = files.ensure_writable(pathlib.Path(_OUTPUT_DIR.value, "growth"))
    output = folder.with_suffix(".json")
    result = files.read_json(output) if output.exists() else {}
    for name in _ONLY.value or SERIES:
        series = getattr(growth_series, name)(_REPEATS.value)
        print(f"\n{name}\n{_table(series)}", flush=True)
        result[name] = {"machine": machine.describe()} | series.to_json()
        files.write_json(output, result)
        _plot(series, folder / f"{name}.png")


def _table(series: Any) -> str:
    """A line for each value, then the verdict."""
    lines = [f"{series.factor} | time of {series.measured} (s) | {series.work_unit} | time/work"]
    columns = (series.values, series.seconds, series.work, series.against_work)
    lines += [
        f"{value:6} {seconds:10.4f} {work:16,.0f} {grown:8.2f}"
        for value, seconds, work, grown in zip(*columns, strict=True)
    ]
    verdict = "FASTER THAN" if series.steepest > _MOST_ABOVE_WORK else "no faster than"
    lines.append(f"time outgrows work by {series.steepest:.2f} at most: {verdict} its work")
    return "\n".join(lines)


def _plot(series: Any, path: Any) -> None:
    """Draws time against the factor, and beside it time for the same work."""
    low, high = np.percentile(series.samples, [25, 75], axis=1)
    bars = [series.seconds - low, high - series.seconds]
    style = {"fmt": "o-", "capsize": 3}
    scale = series.against_work / series.seconds
    with drawing.saved(path, panels=2, width=4.5) as (left, right):
        left.errorbar(series.values, series.seconds, bars, label="median, quartiles", **style)
        left.plot(
            series.values,
            series.seconds[0] * np.divide(series.work, series.work[0]),
            "--", color="grey", label="if it had grown like its work",
        )  # fmt: skip
        left.set(ylabel=f"time of {series.measured} (s)")
        left.legend()
        right.errorbar(series.values, series.against_work, bars * scale, **style)
        right.axhline(1, linestyle="--", color="grey")
        right.set(ylabel=f"time for the same {series.work_unit},\nfirst point = 1")
        for axes in (left, right):
            axes.set(xlabel=series.factor, xticks=series.values)
            axes.set_ylim(bottom=0)


if __name__ == "__main__":
    launch(main)
