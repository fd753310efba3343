"""The figures of a report as plain data; `render` draws each for the page and for papers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tools.reports.inputs import Curves, Run, Search

LINE, POINTS, RINGS = "line", "points", "rings"


@dataclasses.dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
      name: in the legend.
      style: LINE, POINTS or RINGS.
      x: values.
      y: values, as many.
      hover: a text for each point; empty for none.
    """

    name: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Figure:
    """A plot.

    Attributes:
      name: of its file, and of its place in the page.
      title: above it.
      reading: one sentence that says how to read it.
      x_label: with its unit.
      y_label: with its unit.
      series: what it shows.
      log_x: whether the horizontal axis is logarithmic.
    """

    name: str
    title: str
    reading: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    log_x: bool = False


def of_training(run: Run) -> Iterator[Figure]:
    """Learning curves, as far as they were recorded."""
    if run.accuracies:
        yield Figure(
            "accuracy",
            "Accuracy while training",
            "Each line is a child, calibrated and scored at that step; the other children of the "
            "space lie about between the smallest and the biggest.",
            "step",
            "top-1 accuracy (%)",
            _lines(run.accuracies, 100.0),
        )
    if run.losses:
        yield Figure(
            "loss",
            "Training loss",
            "The biggest child learns from labels, the smallest from the biggest's answers, so "
            "their losses are not of one kind: see whether each still falls.",
            "step",
            "loss",
            _lines(run.losses, 1.0),
        )


def _lines(curves: Curves, scale: float) -> list[Series]:
    return [
        Series(name, LINE, steps, [scale * value for value in values])
        for name, (steps, values) in curves.items()
    ]


def of_search(search: Search) -> Iterator[Figure]:
    """Accuracy against each objective: candidates, their front, and the selected ones."""
    result = search.result
    for name, objective in result["objectives"].items():
        candidates = result["candidates"]
        scored = [each for each in candidates if each["ranking_top1"] is not None]
        series = [
            _points(phase, POINTS, [c for c in scored if c["phase"] == phase], name)
            for phase in dict.fromkeys(each["phase"] for each in scored)
        ]
        front = [candidates[index] for index in result["fronts"][name]]
        series.append(_points("front", LINE, front, name))
        series.append(_points("selected", RINGS, result["selected"], name))
        yield Figure(
            f"{re.sub(r'[^A-Za-z0-9]+', '_', search.name)}_{name}",
            f"{search.name}: accuracy against {objective['title']}",
            "Each point is a child. The line is the front: no child is both as cheap and as "
            "accurate as one on it. Rings are the selected children; point at one to see it.",
            f"{objective['title']} ({objective['unit']})",
            f"top-1 accuracy on {result['ranking']['split']} (%)",
            series,
            log_x=True,
        )


def _points(
    name: str, style: str, candidates: Sequence[Mapping[str, Any]], objective: str
) -> Series:
    return Series(
        name,
        style,
        [each["costs"][objective] for each in candidates],
        [100 * each["ranking_top1"] for each in candidates],
        [hover(each) for each in candidates],
    )


def hover(candidate: Mapping[str, Any]) -> str:
    """A candidate in a few lines, divided by newlines: accuracy, costs, architecture."""
    architecture = candidate["architecture"]
    costs = (f"{name} {value:.4g}" for name, value in candidate["costs"].items())
    stages = zip(*(architecture[name] for name in ("kernels", "expands", "widths")), strict=True)
    return "\n".join(
        [
            *([f"selected for {candidate['name']}"] if "name" in candidate else []),
            f"top-1 {100 * candidate['ranking_top1']:.2f}%",
            ", ".join(costs),
            f"{architecture['resolution']} px, stem {architecture['stem_width']}, "
            f"head {architecture['head_width']}",
            *(f"stage {number}: {_stage(*layers)}" for number, layers in enumerate(stages, 1)),
        ]
    )


def _stage(kernels: Sequence[int], expands: Sequence[int], widths: Sequence[int]) -> str:
    """Its blocks, such as "MB6 5x5 24, MB4 3x3 32": expansion, kernel, output channels."""
    layers = zip(kernels, expands, widths, strict=True)
    return ", ".join(f"MB{expand} {kernel}x{kernel} {width}" for kernel, expand, width in layers)
