"""Cascades: a small child answers where it is sure, a bigger one where it is not. Only NumPy.

A child is sure of an image if the probability of its best class reaches a threshold. Cascades are
not part of the paper.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.plain import Value

# Every child that is asked costs its own time, so longer cascades do not pay.
MOST_CHILDREN = 3
# Nearer to 1, float32 hardly tells probabilities apart, and an image is as good as certain.
MOST_SURE = 0.999
_FORM = "write child_1:0.8,child_4: two or three children, a threshold for all but the last"


@dataclasses.dataclass(frozen=True)
class Answers:
    """What a child answers on some images.

    Attributes:
      cost: of the child for an image, in any unit.
      confidence: float32 [N], the probability of its best class.
      right: bool [N], whether that is the image's.
    """

    cost: float
    confidence: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, cost: float, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Answers:
        """From batches of probabilities, float32 [n, classes], and labels, int [n].

        Raises:
          RunError: a probability is not a number.
        """
        confidences, rights = [], []
        for probabilities, labels in batches:
            confidences.append(probabilities.max(-1))
            rights.append(probabilities.argmax(-1) == labels)
        confidence = np.concatenate(confidences)
        if np.isnan(confidence).any():
            raise errors.RunError("a child gives logits that are not finite")
        return cls(cost, confidence, np.concatenate(rights))

    @property
    def accuracy(self) -> Accuracy:
        """Of the child alone."""
        return Accuracy(float(self.right.mean()), len(self.right))


@dataclasses.dataclass(frozen=True)
class Cascade:
    """Children that are asked in turn; a single one answers all.

    Attributes:
      children: their names, the first to be asked first.
      thresholds: of all but the last: the probability of its best class from which on a child's
        answer stands, above 0 and up to `MOST_SURE`.

    Raises:
      UsageError: they do not fit together.
    """

    children: tuple[str, ...]
    thresholds: tuple[float, ...]

    def __post_init__(self) -> None:
        try:  # NumPy's numbers fit into no JSON
            object.__setattr__(self, "thresholds", tuple(map(float, self.thresholds)))
        except (TypeError, ValueError):
            given = errors.shown(self.thresholds)
            raise errors.UsageError(f"the thresholds of a cascade are {given}; {_FORM}") from None
        count = len(self.children)
        fit = 1 <= count <= MOST_CHILDREN and len(self.thresholds) == count - 1
        if not (fit and all(self.children) and len(set(self.children)) == count):
            raise errors.UsageError(f"cascade {self.text!r}: {_FORM}, each child once")
        if not all(0 < threshold <= MOST_SURE for threshold in self.thresholds):
            raise errors.UsageError(
                f"cascade {self.text!r}: a threshold is a probability above 0, up to {MOST_SURE}"
            )

    @property
    def text(self) -> str:
        """In one line, as `parse` reads it."""
        steps = zip(self.children, self.thresholds, strict=False)
        asked = [f"{name}:{threshold:.9g}" for name, threshold in steps]
        return ",".join([*asked, *self.children[len(asked) :]])

    @classmethod
    def parse(cls, text: str) -> Cascade:
        """Reads 'child_1:0.8,child_4': children, and the thresholds of all but the last.

        Raises:
          UsageError: it is something else, or a single child.
        """
        *asked, last = (step.strip() for step in text.split(","))
        steps = [step.rpartition(":") for step in asked]
        try:
            thresholds = tuple(float(threshold) for _, _, threshold in steps)
        except ValueError:
            thresholds = ()
        if not thresholds or ":" in last:
            raise errors.UsageError(f"cascade {text!r}: {_FORM}")
        return cls((*(name.strip() for name, _, _ in steps), last), thresholds)

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
        children = tuple(value["children"].texts())
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
    steps = zip(cascade.children, cascade.thresholds, strict=False)
    for place, (name, threshold) in enumerate(steps):
        by += (by == place) & (answers[name].confidence < np.float32(threshold))
    return by


def clearance(cascade: Cascade, answers: Mapping[str, Answers]) -> np.ndarray:
    """How far an image's confidences are from the thresholds that it meets, float [N].

    Where it is near 0, another order of sums may ask another child.
    """
    by = answered_by(cascade, answers)
    gaps = np.ones(len(by))
    for place, (name, threshold) in enumerate(
        zip(cascade.children, cascade.thresholds, strict=False)
    ):
        own = np.abs(answers[name].confidence - threshold)
        gaps = np.where(by >= place, np.minimum(gaps, own), gaps)
    return gaps


def no_better_than(cascade: Cascade, answers: Mapping[str, Answers]) -> str | None:
    """The best child that alone is as accurate as the cascade, for as little; None if none is."""
    given = outcome(cascade, answers)
    top1 = {name: child.accuracy.top1 for name, child in answers.items()}
    better = [
        name
        for name, child in answers.items()
        if top1[name] >= given.accuracy.top1 and child.cost <= given.cost
    ]
    return max(better, key=top1.__getitem__, default=None)


def outcome(cascade: Cascade, answers: Mapping[str, Answers]) -> Outcome:
    """What a cascade gives on images that all its children have answered."""
    by = answered_by(cascade, answers)
    asked = [answers[name] for name in cascade.children]
    right = np.choose(by, [child.right for child in asked])
    costs = np.cumsum([child.cost for child in asked])
    shares = np.bincount(by, minlength=len(asked)) / len(by)
    accuracy = Accuracy(float(right.mean()), len(by))
    return Outcome(accuracy, float(shares @ costs), tuple(shares.tolist()))
