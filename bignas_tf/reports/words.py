"""Texts of a report: limits, costs, accuracies, children and judgements."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator, Mapping, Sequence

from bignas_tf.accuracy import Accuracy, percent
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.budgets import Budget
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.converted import Converted
from bignas_tf.selection.judgement import JudgedChild, Judgement
from bignas_tf.selection.objectives import Quantity
from bignas_tf.selection.selected import Selected


def large(number: int) -> str:
    """A number by its size, such as "5.4e+09"; of those that no float holds the power of ten."""
    return f"{number:.2g}" if number < sys.float_info.max else f"1e+{math.log10(number):.0f}"


def limits(budget: Budget, objectives: Mapping[str, Quantity]) -> str:
    """A budget, such as "≤ 4 M multiply-adds"."""
    return ", ".join(
        f"≤ {limit:g} {objectives[name].unit} {objectives[name].title}"
        for name, limit in budget.limits.items()
    )


def cost(child: Candidate | Selected, name: str) -> str:
    """A cost of a child, with the spread of repeats if it was measured."""
    spread = child.spreads.get(name)
    return f"{child.costs[name]:.4g}" + (f" ± {spread:.2g}" if spread else "")


def accuracy(measured: Accuracy | None) -> str:
    """An accuracy and its standard error, in percent."""
    return "unknown" if measured is None else str(measured)


def converted(file: Converted | None) -> str:
    """The accuracy of a file, and what it loses, in percent."""
    if file is None:
        return "unknown"
    return f"{accuracy(file.accuracy)}, lost {percent(file.lost, file.lost_error)}"


def child(candidate: Candidate | Selected, objectives: Mapping[str, Quantity]) -> list[str]:
    """A child of a search in a few lines."""
    budget = candidate.budget if isinstance(candidate, Selected) else None
    return [
        *([f"selected for {limits(budget, objectives)}"] if budget else []),
        f"top-1 {accuracy(candidate.ranking)}",
        *(
            f"{objective.title} {cost(candidate, name)} {objective.unit}"
            for name, objective in objectives.items()
        ),
        *architecture(candidate.architecture),
    ]


def judged(judgement: Judgement) -> Iterator[tuple[str, str]]:
    """The figures that summarise a judgement, each with its name."""
    images, summary = judgement.scored_on, judgement.summary
    yield "random children, mean of all resolutions", percent(summary.random_mean)
    yield (
        f"random children, mean up to {summary.largest_trained} px, the largest trained",
        percent(summary.random_mean_to_largest_trained),
    )
    yield (
        "worst resolution of random children",
        f"{summary.worst_resolution} px, {percent(summary.worst_mean)} on average",
    )
    yield (
        "below the front of accuracy against multiply-adds, mean",
        f"{100 * summary.front_distance:.2f} points",
    )
    yield (
        f"standard error of one accuracy, {images.images:,} images of {images.split}",
        f"{100 * summary.standard_error:.2f} points",
    )


def cell(child: JudgedChild, side: int) -> list[str]:
    """A judged child at a resolution, in a few lines."""
    return [
        child.name,
        f"top-1 {accuracy(child.accuracies[side])}",
        f"multiply-adds {child.macs[side] / 1e6:.4g} M",
        *architecture(dataclasses.replace(child.architecture, resolution=side)),
    ]


def architecture(child: Architecture) -> Iterator[str]:
    """A line for what is chosen once, and one for each stage."""
    yield f"{child.resolution} px, stem {child.stem_width}, head {child.head_width}"
    stages = zip(child.kernels, child.expands, child.widths, strict=True)
    for number, layers in enumerate(stages, 1):
        yield f"stage {number}: {_stage(*layers)}"


def _stage(kernels: Sequence[int], expands: Sequence[int], widths: Sequence[int]) -> str:
    """Its blocks, such as "MB6 5x5 24, MB4 3x3 32": expansion, kernel, output channels."""
    layers = zip(kernels, expands, widths, strict=True)
    return ", ".join(f"MB{expand} {kernel}x{kernel} {width}" for kernel, expand, width in layers)
