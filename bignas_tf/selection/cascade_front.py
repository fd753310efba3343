"""Which cascade: thresholds are chosen on the images that ranked the children. Only NumPy.

They must not be chosen on those that an accuracy is reported on.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

from bignas_tf import errors
from bignas_tf.selection import pareto
from bignas_tf.selection.cascades import MOST_CHILDREN, MOST_SURE, Answers, Cascade, outcome

# The thresholds tried for a child are those of which it is this often unsure.
_SHARES = np.arange(1, 40) / 40
# Thresholds are short numbers, which float32 rounding of a probability does not reach.
_DIGITS, _ROUNDING = 5, 1e-6


@dataclasses.dataclass(frozen=True)
class _Asked:
    """A child, and the thresholds that are tried for it.

    Attributes:
      name: None for nobody, who costs nothing and is never sure.
      answers: to all images.
      thresholds: ascending.
      met: int [N], how many of the thresholds an image reaches.
    """

    name: str | None
    answers: Answers
    thresholds: Sequence[float]
    met: np.ndarray

    @classmethod
    def of(cls, name: str, answers: Answers) -> _Asked:
        thresholds = _thresholds(answers.confidence)
        limits = np.array(thresholds, np.float32)
        return cls(name, answers, thresholds, np.searchsorted(limits, answers.confidence, "right"))

    @classmethod
    def nobody(cls, images: int) -> _Asked:
        nothing = np.zeros(images, np.int64)
        return cls(None, Answers(0.0, nothing, nothing), [MOST_SURE], nothing)


def front(answers: Mapping[str, Answers]) -> list[Cascade]:
    """The cascades that no cheaper one matches, from the cheapest on; single children included.

    Args:
      answers: of the children by name, all on the same images.
    """
    names = sorted(answers, key=lambda name: answers[name].cost)
    asked = [_Asked.of(name, answers[name]) for name in names]
    nobody = _Asked.nobody(len(asked[0].met))
    groups = [
        (*children[:-1], *[nobody] * (MOST_CHILDREN - count), children[-1])
        for count in range(1, MOST_CHILDREN + 1)
        for children in itertools.combinations(asked, count)
    ]
    found = [_costs_and_rights(*group) for group in groups]
    costs, rights = (np.concatenate([each[side].ravel() for each in found]) for side in (0, 1))
    starts = np.cumsum([0, *(each[0].size for each in found)])
    places = pareto.front(costs, rights)
    members = np.searchsorted(starts, places, "right") - 1
    return [
        _cascade(groups[group], int(place - starts[group]))
        for place, group in zip(places, members, strict=True)
    ]


def _thresholds(confidence: np.ndarray) -> list[float]:
    """Half-way between two confidences, and not so near to one that rounding matters."""
    ordered = np.sort(confidence.astype(np.float64))
    above = np.unique((_SHARES * len(ordered)).astype(int))
    above = above[above > 0]
    middles = np.unique(np.round((ordered[above - 1] + ordered[above]) / 2, _DIGITS))
    near = np.searchsorted(ordered, middles - _ROUNDING) < np.searchsorted(
        ordered, middles + _ROUNDING
    )
    return [float(each) for each in middles[~near] if 0 < each <= MOST_SURE]


def _costs_and_rights(first: _Asked, second: _Asked, last: _Asked) -> tuple[np.ndarray, np.ndarray]:
    """Whole cost and right answers, float [T, U], for each pair of the first two's thresholds.

    Images are counted by the thresholds that they meet; the rest are sums of these counts.
    """
    shape = len(first.thresholds) + 1, len(second.thresholds) + 1
    cells = first.met * shape[1] + second.met

    def counted(weights: np.ndarray | None = None) -> np.ndarray:
        """How many images meet at most so many thresholds of the first, and of the second."""
        counts = np.bincount(cells, weights, shape[0] * shape[1]).reshape(shape)
        return counts.cumsum(0).cumsum(1)

    unsure, rights = counted(), [counted(each.answers.right) for each in (first, second, last)]
    # [:-1] is "unsure at this threshold"; the last of all columns sums the second's up.
    to_second, to_last = unsure[:-1, -1:], unsure[:-1, :-1]
    cost = (
        first.answers.cost * len(cells)
        + second.answers.cost * to_second
        + last.answers.cost * to_last
    )
    stands = rights[0][-1, -1] - rights[0][:-1, -1:]
    right = stands + rights[1][:-1, -1:] - rights[1][:-1, :-1] + rights[2][:-1, :-1]
    return cost, right


def _cascade(children: Sequence[_Asked], place: int) -> Cascade:
    """The cascade of three, of whom one may be nobody, and of the pair of thresholds at a place."""
    first, second, last = children
    row, column = divmod(place, len(second.thresholds))
    thresholds = (first.thresholds[row], second.thresholds[column])
    asked = [each for each in (first, second) if each.name is not None]
    names = [each.name for each in (*asked, last) if each.name is not None]
    return Cascade(tuple(names), thresholds[: len(asked)])


def chosen(
    cascades: Sequence[Cascade],
    answers: Mapping[str, Answers],
    accuracy: float | None = None,
    cost: float | None = None,
) -> Cascade:
    """The cheapest cascade of a wanted accuracy, or the best of a wanted mean cost.

    Args:
      cascades: a front.
      answers: of the children, on the images that the front was found on.
      accuracy: wanted; that of the best single child if neither is given.
      cost: the largest mean that is wanted, at least that of the cheapest child.

    Raises:
      UsageError: there is no such cascade.
    """
    outcomes = [outcome(each, answers) for each in cascades]
    if cost is not None:
        pairs = zip(cascades, outcomes, strict=True)
        *_, best = (each for each, found in pairs if found.cost <= cost)
        return best
    if accuracy is None:
        accuracy = max(each.accuracy.top1 for each in answers.values())
    for each, found in zip(cascades, outcomes, strict=True):
        if found.accuracy.top1 >= accuracy:
            return each
    raise errors.UsageError(
        f"accuracy {accuracy:g}: no cascade of these children reaches it on the images that rank "
        f"them; give at most {math.floor(1e4 * outcomes[-1].accuracy.top1) / 1e4}"
    )


def check_used(cascade: Cascade, answers: Mapping[str, Answers]) -> None:
    """Refuses a cascade with a child that answers nothing.

    Args:
      cascade: that the user gave.
      answers: of its children, on the images that rank them.

    Raises:
      UsageError: a threshold that no image meets, or that all meet.
    """
    found = outcome(cascade, answers)
    for name, share in zip(cascade.children, found.shares, strict=True):
        if not share:
            raise errors.UsageError(
                f"{name} would answer none of {found.accuracy.images} images: change its "
                "threshold or the one before it, or leave it out"
            )
