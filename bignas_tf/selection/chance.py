"""How far chance may have moved what a search found, in plain words."""

from __future__ import annotations

import collections
import itertools
import math
from collections.abc import Iterator, Sequence

from bignas_tf.accuracy import Accuracy, highest_of_guessing, percent
from bignas_tf.selection import candidates
from bignas_tf.selection.result import SearchResult
from bignas_tf.selection.selected import Selected

_MOST_OPTIMISM = 0.01  # a point: about what neighbouring budgets differ by
_LITTLE_OPTIMISM = 0.005


def optimism(accuracy: Accuracy, children: int) -> float:
    """How much better than it is the best of equally good children is expected to look.

    Their measured accuracies scatter by the standard error. The largest of N numbers of a normal
    distribution is about sqrt(2 ln N) standard deviations above its mean.

    Args:
      accuracy: of one of the children, on the images that rank them.
      children: how many there are.
    """
    return accuracy.error * math.sqrt(2 * math.log(max(children, 1)))


def of_images(accuracy: Accuracy, children: int) -> Iterator[str]:
    """Warns of too few ranking images for this number of children, and says how many are enough.

    The split stays as it is: which images may rank is the user's choice.

    Args:
      accuracy: of one of the children.
      children: that will be ranked.
    """
    expected = optimism(accuracy, children)
    if expected > _MOST_OPTIMISM:
        # An error falls with the root of the number of images.
        enough = float(f"{accuracy.images * (expected / _LITTLE_OPTIMISM) ** 2:.2g}")
        yield (
            f"the best of {children:,} children that are ranked on {accuracy.images:,} images is "
            f"expected to look up to {100 * expected:.1f} points better than it is; "
            f"with about {enough:,.0f} images in task.selection.ranking_split that would be "
            f"{100 * _LITTLE_OPTIMISM:g} points"
        )


def of_majority(result: SearchResult) -> Iterator[str]:
    """Warns of a selection whose best child could be replaced by one constant answer."""
    known = [child.reporting for child in result.selected if child.reporting is not None]
    images = result.reporting
    if not known or images.majority is None:
        return
    best = max(accuracy.top1 for accuracy in known)
    if best <= highest_of_guessing(images.majority, images.images):
        error = Accuracy(images.majority, images.images).error
        yield (
            "no selected child is better than naming the most frequent class, or the images are "
            "too few to tell: the best is right on "
            f"{percent(best)} of {images.split}, and {percent(images.majority)} of it are of "
            f"that class (standard error {100 * error:.2f}); if that is not chance, nothing was "
            "learnt, or the labels do not fit the images"
        )


def of_choices(result: SearchResult) -> Iterator[str]:
    """Warns of accuracies that are not known or flatter, and of cheaper children as good."""
    for child in result.selected:
        if child.reporting is None:
            yield f"budget {child.name}: the accuracy on the reporting split is not known"
        else:
            yield from _flattering(child, child.reporting)
        yield from _cheaper(child, result)


def _flattering(child: Selected, reporting: Accuracy) -> Iterator[str]:
    if _differ(child.ranking, reporting):
        difference, error = _difference(child.ranking, reporting)
        higher = "below" if reporting.top1 < child.ranking.top1 else "above"
        yield (
            f"budget {child.name}: the accuracy on the reporting split is {100 * difference:.2f} "
            f"points {higher} that on the ranking split, with a standard error of "
            f"{100 * error:.2f}: more than chance explains; trust the reporting split"
        )


def _cheaper(child: Selected, result: SearchResult) -> Iterator[str]:
    if result.rerank:  # files chose, and their accuracies are others
        return
    tied = candidates.tied(result.candidates, child.budget)
    if tied[0].architecture == child.architecture:
        return
    costs = ", ".join(
        f"{tied[0].costs[name]:.4g} {result.objectives[name].unit}".rstrip()
        + f" {result.objectives[name].title} in place of {child.costs[name]:.4g}"
        for name in child.budget.limits
    )
    yield (
        f"budget {child.name}: candidates within one standard error of the difference: "
        f"{len(tied) - 1:,}; the cheapest has {costs} "
        "(prefer=cheapest selects it)"
    )


def of_neighbours(selected: Sequence[Selected]) -> Iterator[str]:
    """Warns of budgets that got one child, and of neighbours whose children cannot be told apart.

    Neighbours limit the same objectives.
    """
    names = collections.defaultdict(list)
    for each in selected:
        names[each.architecture].append(each.name)
    for *others, last in names.values():
        if others:
            yield f"budgets {', '.join(others)} and {last} got the same child"
    for one, other in itertools.pairwise(selected):
        alike = list(one.budget.limits) == list(other.budget.limits)
        if not alike or one.architecture == other.architecture:
            continue
        split, first, second = _compared(one, other)
        if not _differ(first, second):
            difference, error = _difference(first, second)
            yield (
                f"budgets {one.name} and {other.name}: their children cannot be told apart, "
                f"{100 * difference:.2f} points of {split} accuracy with a standard error of "
                f"{100 * error:.2f}"
            )


def _compared(one: Selected, other: Selected) -> tuple[str, Accuracy, Accuracy]:
    """The split that two children are compared on, and their accuracies."""
    if one.reporting is None or other.reporting is None:
        return "ranking", one.ranking, other.ranking
    return "reporting", one.reporting, other.reporting


def _differ(one: Accuracy, other: Accuracy) -> bool:
    """Whether two accuracies can be told apart."""
    return one.exceeds(other) or other.exceeds(one)


def _difference(one: Accuracy, other: Accuracy) -> tuple[float, float]:
    """How far two accuracies are apart, and its standard error."""
    return abs(one.top1 - other.top1), one.error_against(other)
