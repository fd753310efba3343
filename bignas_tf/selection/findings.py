"""What the scores of a few children say about their supernet; accuracies are fractions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bignas_tf.accuracy import Accuracy, highest_of_guessing, percent
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.selection.judgement import JudgedChild, Judgement, Summary
from bignas_tf.selection.provenance import ImageSet, Source

SMALLEST, BIGGEST, RANDOM = "smallest", "biggest", "random"
# At which training runs any child, and at which random ones.
TrainedResolutions = tuple[set[int], set[int]]


@dataclasses.dataclass(frozen=True)
class Scores:
    """The same children at every resolution.

    Attributes:
      children: by name, each at its own resolution: the smallest, random ones, the biggest.
      resolutions: input sides in pixels, ascending.
      macs: multiply-adds, int64 [children, resolutions].
      top1: fractions right, float64 [children, resolutions].
      images: how many they were scored on.
    """

    children: Mapping[str, Architecture]
    resolutions: Sequence[int]
    macs: np.ndarray
    top1: np.ndarray
    images: int

    @property
    def random_means(self) -> np.ndarray:
        """Mean top-1 of the random children at each resolution, float64 [resolutions]."""
        return self.top1[1:-1].mean(0)

    def own(self, name: str) -> float:
        """Top-1 of a child at its own resolution."""
        column = self.resolutions.index(self.children[name].resolution)
        return float(self.top1[list(self.children).index(name), column])

    def error(self, top1: float) -> float:
        """The standard error of an accuracy on these images."""
        return self._accuracy(top1).error

    def _accuracy(self, top1: float) -> Accuracy:
        return Accuracy(float(top1), self.images)

    def exceeds(self, one: float, other: float) -> bool:
        """Whether an accuracy exceeds another by more than chance explains.

        A mean of children counts as one accuracy, because all see the same images, and the two
        count as independent. Both are cautious: they overstate the error of the difference.
        """
        return self._accuracy(one).exceeds(self._accuracy(other))

    def by_resolution(self, values: np.ndarray) -> dict[int, Any]:
        """Values [resolutions] as Python's numbers, by resolution."""
        return dict(zip(self.resolutions, values.tolist(), strict=True))

    def judged(self) -> Iterator[JudgedChild]:
        """The children with their figures."""
        rows = zip(self.children.items(), self.macs, self.top1, strict=True)
        for (name, child), macs, top1 in rows:
            averages = self.by_resolution(top1)
            accuracies = {side: Accuracy(value, self.images) for side, value in averages.items()}
            yield JudgedChild(name, child, self.by_resolution(macs), accuracies)


def complete(
    source: Source,
    split: str,
    seed: int,
    scores: Scores,
    space: SearchSpace,
    trained: TrainedResolutions,
    majority: float,
) -> Judgement:
    """The judgement that follows from scores.

    Args:
      source: the weights that were judged.
      split: of the images.
      seed: of the random children.
      scores: of the supernet's children.
      space: of the supernet.
      trained: at which resolutions.
      majority: the fraction of the images that is of the most frequent class.
    """
    return Judgement(
        source=source,
        scored_on=ImageSet(split, scores.images),
        random_children=len(scores.children) - 2,
        seed=seed,
        resolutions=tuple(scores.resolutions),
        children=tuple(scores.judged()),
        summary=summary(scores, space.train_resolutions[-1]),
        warnings=tuple(warnings(scores, space, trained, majority)),
    )


def summary(scores: Scores, largest_trained: int) -> Summary:
    """Returns a few figures that say how good the supernet is.

    Args:
      scores: of its children.
      largest_trained: the largest training resolution.
    """
    means, mean = scores.random_means, float(scores.top1[1:-1].mean())
    trained = np.array(scores.resolutions) <= largest_trained
    distances = front_distances(scores.macs, scores.top1)
    return Summary(
        random_mean=mean,
        random_mean_by_resolution=scores.by_resolution(means),
        largest_trained=largest_trained,
        random_mean_to_largest_trained=float(means[trained].mean()),
        worst_resolution=scores.resolutions[int(means.argmin())],
        worst_mean=float(means.min()),
        front_distance=float(distances.mean()),
        front_distance_by_resolution=scores.by_resolution(distances.mean(0)),
        standard_error=scores.error(mean),
    )


def front_distances(costs: np.ndarray, top1: np.ndarray) -> np.ndarray:
    """How far each point is below the Pareto front of accuracy against cost.

    Args:
      costs: of each point, any shape.
      top1: its fraction right, the same shape.

    Returns:
      The best accuracy among the points that cost no more, less the point's own; float64, the
      same shape.
    """
    affordable = costs.reshape(1, -1) <= costs.reshape(-1, 1)
    front = np.where(affordable, top1.reshape(1, -1), -np.inf).max(1)
    return front.reshape(top1.shape) - top1


def warnings(
    scores: Scores, space: SearchSpace, trained: TrainedResolutions, majority: float
) -> Iterator[str]:
    """Yields problems in plain words; differences only if they exceed what chance explains.

    Args:
      scores: of the supernet's children.
      space: of the supernet.
      trained: at which resolutions.
      majority: the fraction of the images that is of the most frequent class.
    """
    yield from _reversed_order(scores)
    yield from _dips(scores)
    yield from _at_chance(scores, majority)
    yield from _untrained(space, trained)


def _reversed_order(scores: Scores) -> Iterator[str]:
    """Whether the smallest child beats the biggest, each at its own resolution."""
    small, big = scores.own(SMALLEST), scores.own(BIGGEST)
    if scores.exceeds(small, big):
        low, high = (scores.children[name].resolution for name in (SMALLEST, BIGGEST))
        yield (
            f"the smallest child is more accurate than the biggest: {percent(small)} at {low} px "
            f"against {percent(big)} at {high} px"
        )


def _dips(scores: Scores) -> Iterator[str]:
    """Resolutions at which random children are worse than at both neighbours."""
    points = list(zip(scores.resolutions, scores.random_means, strict=True))
    for before, (side, mean), after in zip(points, points[1:], points[2:], strict=False):
        if scores.exceeds(before[1], mean) and scores.exceeds(after[1], mean):
            yield (
                f"random children are worse at {side} px ({percent(mean)} on average) than at "
                f"{before[0]} px ({percent(before[1])}) and at {after[0]} px "
                f"({percent(after[1])})"
            )


def _at_chance(scores: Scores, majority: float) -> Iterator[str]:
    """Children that could be replaced by one constant answer."""
    limit = highest_of_guessing(majority, scores.images)
    for name, row in zip(scores.children, scores.top1, strict=True):
        sides = [side for side, top1 in zip(scores.resolutions, row, strict=True) if top1 <= limit]
        if sides:
            everywhere = len(sides) == len(row)
            where = "at every resolution" if everywhere else f"at {_listed(sides, 'and')} px"
            yield (
                f"child {name!r} is, within the error, no better than naming the most frequent "
                f"class ({percent(majority)}) {where}"
            )


def _untrained(space: SearchSpace, trained: TrainedResolutions) -> Iterator[str]:
    """Resolutions that training left out, for all children or for random ones."""
    by_any, by_random = trained
    unseen = [side for side in space.eval_resolutions if side not in by_any]
    if unseen:
        yield f"no child was trained at {_listed(unseen, 'or')} px"
    if by_any - by_random:
        yield f"no random child was trained at {_listed(sorted(by_any - by_random), 'or')} px"


def _listed(sides: Sequence[int], last: str) -> str:
    """Resolutions in words, such as "20, 24 and 28"."""
    *others, end = map(str, sides)
    return f"{', '.join(others)} {last} {end}" if others else end
