"""The figures of a report as plain data; `render` draws each for the page and for papers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from bignas_tf.reports import words
from bignas_tf.reports.cascades import ReportedCascade, Scored
from bignas_tf.reports.curves import Curves
from bignas_tf.reports.inputs import ReportedRun, ReportedSearch
from bignas_tf.selection import hypervolume
from bignas_tf.selection.candidates import Candidate
from bignas_tf.selection.judgement import Judgement
from bignas_tf.selection.selected import Selected

LINE, STEPS, POINTS, RINGS = "line", "steps", "points", "rings"
FRONT, SELECTED = "front", "selected"


@dataclasses.dataclass(frozen=True)
class Series:
    """Points that belong together.

    Attributes:
      name: in the legend.
      style: LINE, STEPS (a line that rises only at its points), POINTS or RINGS.
      x: values.
      y: values, as many.
      hover: lines of text for each point; empty for none.
    """

    name: str
    style: str
    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[Sequence[str]] = ()


@dataclasses.dataclass(frozen=True)
class Cells:
    """A table of values, drawn as a heat map.

    Attributes:
      columns: names, from the left.
      rows: names, from the top.
      values: a list for each row.
      unit: of the values.
      hover: lines of text for each cell, arranged as the values.
    """

    columns: Sequence[str]
    rows: Sequence[str]
    values: Sequence[Sequence[float]]
    unit: str
    hover: Sequence[Sequence[Sequence[str]]]


@dataclasses.dataclass(frozen=True)
class Figure:
    """A plot of series, or a heat map.

    Attributes:
      name: of its file, and of its place in the page.
      title: above it.
      reading: one sentence that says how to read it.
      x_label: with its unit.
      y_label: with its unit.
      series: what it shows.
      log_x: whether the horizontal axis is logarithmic.
      cells: what a heat map shows, in place of series.
    """

    name: str
    title: str
    reading: str
    x_label: str
    y_label: str
    series: Sequence[Series] = ()
    log_x: bool = False
    cells: Cells | None = None


def of_training(run: ReportedRun) -> Iterator[Figure]:
    """Learning curves, as far as they were recorded."""
    if run.accuracies:
        yield Figure(
            "accuracy",
            "Accuracy while training",
            "Each line is a child, calibrated and scored at that step; higher is better. Most "
            "other children are between the smallest and the biggest.",
            "step",
            "top-1 accuracy (%)",
            _lines(run.accuracies, 100.0),
        )
    if run.losses:
        yield Figure(
            "loss",
            "Training loss",
            "Lower is better. Children learn from labels, from the biggest's answers or from both, "
            "so compare each with itself: does it still fall?",
            "step",
            "loss",
            _lines(run.losses, 1.0),
        )


def _lines(curves: Curves, scale: float) -> list[Series]:
    return [
        Series(name, LINE, steps, [scale * value for value in values])
        for name, (steps, values) in curves.items()
    ]


def of_judgement(judgement: Judgement) -> Figure:
    """Accuracy of the judged children at every resolution."""
    sides, children = judgement.resolutions, judgement.children
    cells = Cells(
        [str(side) for side in sides],
        [child.name for child in children],
        [[100 * child.accuracies[side].top1 for side in sides] for child in children],
        "top-1 (%)",
        [[words.cell(child, side) for side in sides] for child in children],
    )
    return Figure(
        "judgement",
        "Accuracy of children at every resolution",
        "Each row is a child, each column a resolution: brighter is more accurate. A dark column "
        "is a resolution that training neglected, a dark row a child. Point at a cell to see what "
        "the child is made of.",
        "resolution (px)",
        "",
        cells=cells,
    )


def of_search(search: ReportedSearch) -> Iterator[Figure]:
    """Accuracy against each objective: candidates, front and selected ones; what was found when."""
    result = search.result
    scored = [each for each in result.candidates if each.ranking is not None]
    phases = {
        phase: _Points.of([each for each in scored if each.phase == phase], search)
        for phase in dict.fromkeys(each.phase for each in scored)
    }
    selected = _Points.of(result.selected, search)
    for name, objective in result.objectives.items():
        front = _Points.of([result.candidates[index] for index in result.front(name)], search)
        yield Figure(
            f"{search.key}_{name}",
            f"Accuracy against {objective.title}",
            "Each point is a child: higher is more accurate, further left is cheaper. The line is "
            "the front: no child is both as cheap and as accurate as one on it. Rings are the "
            "selected children. Point at one to see what it is made of.",
            f"{objective.title} ({objective.unit})",
            f"top-1 accuracy on {result.ranking.split} (%)",
            [
                *(points.series(phase, POINTS, name) for phase, points in phases.items()),
                front.series(FRONT, STEPS, name),
                selected.series(SELECTED, RINGS, name),
            ],
            log_x=True,
        )
    yield _of_hypervolumes(search)


def _of_hypervolumes(search: ReportedSearch) -> Figure:
    """How much a search had found after each evaluation."""
    result = search.result
    highest = hypervolume.highest_costs(result.budgets)
    reference = " or ".join(
        f"{highest[name]:g} {result.objectives[name].unit} {result.objectives[name].title}"
        for name in highest
    )
    series = []
    for name, areas in result.hypervolumes().items():
        evaluations = list(range(1, len(areas) + 1))
        percent = [100 * area for area in areas]
        series.append(Series(result.objectives[name].title, LINE, evaluations, percent))
    return Figure(
        f"{search.key}_hypervolume",
        f"What the search had found after each evaluation ({result.strategy})",
        "The hypervolume: the area below the front, accuracy in points times doublings of the "
        f"cost. It counts what is above an accuracy of 0 and cheaper than {reference}, the highest "
        "budget, so that searches of the same budgets can be compared. Does it still rise?",
        "evaluations",
        "hypervolume (points x doublings)",
        series,
    )


def of_cascade(cascade: ReportedCascade, number: int) -> Figure:
    """Accuracy of cascades and of their children against the mean cost of an image.

    Args:
      cascade: which.
      number: of the cascade among those of the report.
    """
    objective = cascade.objective
    return Figure(
        f"cascade_{number}",
        f"Cascades of {cascade.name}",
        "Higher is more accurate, further left is cheaper. The line is of the cascades that no "
        "cheaper one matched on the images that chose them; their accuracy is shown on others, "
        "so it may fall. The ring is the one that was exported. Point at one to see its "
        "thresholds, as --cascade takes them; choose by the accuracy on the images "
        "that choose, or the other is no longer a fair judge.",
        f"{objective.title} of an image, mean ({objective.unit})",
        "top-1 accuracy (%)",
        [
            _scored("cascades", LINE, cascade.front),
            _scored("children alone", POINTS, cascade.children),
            _scored("exported", RINGS, [cascade.taken]),
        ],
        log_x=True,
    )


def _scored(name: str, style: str, scored: Sequence[Scored]) -> Series:
    costs = [each.cost for each in scored]
    top1 = [100 * each.accuracy.top1 for each in scored]
    hover = [list(_told(each)) for each in scored]
    return Series(name, style, costs, top1, hover)


def _told(scored: Scored) -> Iterator[str]:
    yield scored.what
    if scored.chosen_by:
        yield f"top-1 {words.accuracy(scored.chosen_by)} on the images that choose"
    yield f"top-1 {words.accuracy(scored.accuracy)} on others"


@dataclasses.dataclass(frozen=True)
class _Points:
    """Scored children, and the text for each."""

    children: Sequence[Candidate | Selected]
    texts: Sequence[Sequence[str]]

    @classmethod
    def of(cls, children: Iterable[Candidate | Selected], search: ReportedSearch) -> _Points:
        listed = list(children)
        return cls(listed, [words.child(each, search.result.objectives) for each in listed])

    def series(self, name: str, style: str, objective: str) -> Series:
        costs = [each.costs[objective] for each in self.children]
        top1 = [100 * each.ranking.top1 for each in self.children if each.ranking is not None]
        return Series(name, style, costs, top1, self.texts)
