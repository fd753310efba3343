"""What the plots of the experiments share."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from experiments.claim_parts import summaries

MFLOPS = "million multiply-adds"


@contextlib.contextmanager
def saved(
    path: pathlib.Path,
    panels: int = 1,
    width: float = 6.5,
    sharex: bool = False,
    sharey: bool = False,
) -> Iterator[Sequence[Any]]:
    """Gives panels side by side, each `width` inches wide, and saves them as PNG.

    Args:
      path: of the file.
      panels: how many.
      width: of each.
      sharex: whether all have one horizontal axis.
      sharey: whether all have one vertical axis.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(
        1,
        panels,
        figsize=(width * panels, 4.2),
        layout="constrained",
        squeeze=False,
        sharex=sharex,
        sharey=sharey,
    )
    yield list(axes[0])
    for each in axes[0]:
        each.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def over_cost(axes: Any) -> None:
    """Makes the horizontal axis one of multiply-adds."""
    axes.set(xscale="log", xlabel=MFLOPS)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")


def line(
    axes: Any, costs: Sequence[float], values: Sequence[Mapping[str, Any]], label: str
) -> None:
    """Draws means in percent and their standard errors."""
    means, errors = summaries.in_percent(values)
    axes.errorbar(costs, means, errors, marker="o", capsize=3, label=label)
