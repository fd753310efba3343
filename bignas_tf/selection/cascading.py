"""Cascades: a small child answers where it is sure, a bigger one where it is not. Only NumPy.

A child is sure of an image if the probability of its best class reaches a threshold. Thresholds
are chosen on the images that ranked the children, never on those that an accuracy is reported on.
Cascades are not part of the paper.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.plain import Value

# Every child that is asked costs its own time, so long cascades do not pay.
MOST_CHILDREN = 3
# The thresholds tried for a child pass these shares of the images that it sees to the next one.
_SHARES = np.arange(1, 40) / 40


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a child answers on some images.

    Attributes:
      cost: of the child for an image, in any unit.
      confidence: float [N], the probability of its best class.
      right: bool [N], whether that is the image's.
    """

    cost: float
    confidence: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, cost: float, logits: np.ndarray, labels: np.ndarray) -> Answers:
        """From float [N, classes] and int [N]."""
        shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
        return cls(cost, 1 / np.exp(shifted).sum(-1), logits.argmax(-1) == labels)

    @classmethod
    def together(cls, batches: Iterable[Answers]) -> Answers:
        """Those of one child to several batches of images."""
        batches = list(batches)
        confidence = np.concatenate([batch.confidence for batch in batches])
        return cls(batches[0].cost, confidence, np.concatenate([batch.right for batch in batches]))

    @property
    def accuracy(self) -> Accuracy:
        """Of the child alone."""
        return Accuracy(float(self.right.mean()), len(self.right))


@dataclasses.dataclass(frozen=True)
class Cascade:
    """Children that are asked in turn.

    Attributes:
      children: their names, the first to be asked first.
      thresholds: of all but the last: the probability of its best class, in (0, 1), from which
        on a child's answer stands.

    Raises:
      UsageError: they do not fit together.
    """

    children: tuple[str, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.thresholds) != len(self.children) - 1 or len(set(self.children)) < len(
            self.children
        ):
            raise errors.UsageError(
                f"a cascade of {list(self.children)} with the thresholds {list(self.thresholds)}: "
                "each child is asked once, and all but the last need a threshold"
            )
        if not all(0 < threshold < 1 for threshold in self.thresholds):
            raise errors.UsageError(
                f"thresholds {list(self.thresholds)}: each is a probability between 0 and 1"
            )

    @property
    def words(self) -> str:
        """In one line, for people."""
        steps = zip(self.children, self.thresholds, strict=False)
        asked = [f"{name} from {threshold:.3f} on, then" for name, threshold in steps]
        return " ".join([*asked, self.children[-1]])

    @classmethod
    def parse(cls, text: str) -> Cascade:
        """Reads 'child_1:0.8,child_4': children, and the thresholds of all but the last.

        Raises:
          UsageError: it is something else.
        """
        *asked, last = (step.strip() for step in text.split(","))
        children, thresholds = [], []
        for step in asked:
            name, _, threshold = step.rpartition(":")
            try:
                thresholds.append(float(threshold))
            except ValueError as error:
                raise errors.UsageError(
                    f"cascade {text!r}: {step!r} has no threshold; write child_1:0.8,child_4"
                ) from error
            children.append(name)
        return cls((*children, last), tuple(thresholds))

    def to_json(self) -> dict[str, Any]:
        """Plain form; `from_json` reads it back."""
        return {"children": list(self.children), "thresholds": list(self.thresholds)}

    @classmethod
    def from_json(cls, value: object) -> Cascade:
        """Reads `to_json`'s form, which may have further fields.

        Raises:
          UsageError: it is something else.
        """
        value = Value.of(value)
        children = tuple(each.text() for each in value["children"].elements())
        return cls(children, tuple(each.fraction() for each in value["thresholds"].elements()))


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a cascade gives on some images.

    Attributes:
      accuracy: of its answers.
      cost: the mean for an image, all children that were asked.
      shares: the fraction of the images that each child answers.
    """

    accuracy: Accuracy
    cost: float
    shares: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain form with the standard error."""
        return {
            **self.accuracy.to_json(),
            "top1_standard_error": self.accuracy.error,
            "cost": self.cost,
            "shares": list(self.shares),
        }


def answered_by(cascade: Cascade, answers: Mapping[str, Answers]) -> np.ndarray:
    """Which child's answer stands, int32 [N]: its place in the cascade."""
    by = np.zeros(len(answers[cascade.children[0]].confidence), np.int32)
    for place, (name, threshold) in enumerate(
        zip(cascade.children[:-1], cascade.thresholds, strict=True)
    ):
        by += (by == place) & (answers[name].confidence < threshold)
    return by


def clearance(cascade: Cascade, answers: Mapping[str, Answers]) -> np.ndarray:
    """How far the confidences in an image are from every threshold, float [N].

    Where it is near 0, another order of sums may ask another child.
    """
    asked = zip(cascade.children[:-1], cascade.thresholds, strict=True)
    gaps = [np.abs(answers[name].confidence - threshold) for name, threshold in asked]
    return np.min([np.ones(len(answers[cascade.children[0]].confidence)), *gaps], 0)


def outcome(cascade: Cascade, answers: Mapping[str, Answers]) -> Outcome:
    """What a cascade gives on images that all its children have answered."""
    by = answered_by(cascade, answers)
    asked = [answers[name] for name in cascade.children]
    right = np.choose(by, [child.right for child in asked])
    costs = np.cumsum([child.cost for child in asked])
    shares = np.bincount(by, minlength=len(asked)) / len(by)
    accuracy = Accuracy(float(right.mean()), len(by))
    return Outcome(accuracy, float(shares @ costs), tuple(shares.tolist()))


def front(answers: Mapping[str, Answers]) -> list[Cascade]:
    """The cascades that no cheaper one matches, from the cheapest on; single children included.

    Args:
      answers: of the children by name, all on the same images.
    """
    names = sorted(answers, key=lambda name: answers[name].cost)
    found = []
    for count in range(1, MOST_CHILDREN + 1):
        for children in itertools.combinations(names, count):
            asked = [answers[name] for name in children]
            for thresholds, right, cost in _tried(asked, np.arange(len(asked[0].right))):
                found.append((cost, -right, count, Cascade(children, thresholds)))
    best, kept = -1, []
    for _, right, _, cascade in sorted(found, key=lambda each: each[:3]):
        if -right > best:
            best = -right
            kept.append(cascade)
    return kept


def _tried(
    children: Sequence[Answers], images: np.ndarray
) -> Iterator[tuple[tuple[float, ...], int, float]]:
    """Thresholds, and with each the number of right answers on `images` and their whole cost."""
    first, *others = children
    cost = first.cost * len(images)
    if not others:
        yield (), int(first.right[images].sum()), cost
        return
    confidence, right = first.confidence[images], first.right[images]
    for threshold in _thresholds(confidence):
        unsure = confidence < threshold
        stands = int(right[~unsure].sum())
        for thresholds, more, added in _tried(others, images[unsure]):
            yield (threshold, *thresholds), stands + more, cost + added


def _thresholds(confidence: np.ndarray) -> list[float]:
    """Half-way between two confidences, so that rounding moves no image to the other side."""
    ordered = np.unique(confidence)
    if len(ordered) < 2:
        return []
    above = np.unique(np.clip((_SHARES * len(ordered)).astype(int), 1, len(ordered) - 1))
    middles = (ordered[above - 1] + ordered[above]) / 2
    return [float(each) for each in middles if 0 < each < 1]


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
      cost: the largest mean that is wanted.

    Raises:
      UsageError: both are given, or there is no such cascade.
    """
    if accuracy is not None and cost is not None:
        raise errors.UsageError("give an accuracy or a mean cost, not both")
    outcomes = [outcome(each, answers) for each in cascades]
    if cost is not None:
        within = [
            each for each, found in zip(cascades, outcomes, strict=True) if found.cost <= cost
        ]
        if not within:
            raise errors.UsageError(
                f"mean cost {cost:g}: the cheapest child alone takes {outcomes[0].cost:g}"
            )
        return within[-1]
    if accuracy is None:
        accuracy = max(each.accuracy.top1 for each in answers.values())
    for each, found in zip(cascades, outcomes, strict=True):
        if found.accuracy.top1 >= accuracy:
            return each
    raise errors.UsageError(
        f"accuracy {accuracy:g}: no cascade of these children reaches it on the images that rank "
        f"them; the best has {outcomes[-1].accuracy.top1:.4f}"
    )


def check_used(cascade: Cascade, found: Outcome) -> None:
    """Refuses a cascade with a child that answers nothing.

    Args:
      cascade: which.
      found: its outcome on the images that ranked the children.

    Raises:
      UsageError: a threshold that no image meets, or that all meet.
    """
    for name, share in zip(cascade.children, found.shares, strict=True):
        if not share:
            raise errors.UsageError(
                f"{name} would answer none of {found.accuracy.images} images: change the "
                "threshold before it or its own, or leave it out"
            )
