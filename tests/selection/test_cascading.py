"""Cascades: the rule by hand, the front against every threshold, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.selection import cascading
from bignas_tf.selection.cascading import Answers, Cascade


def _answers(seed: int, images: int = 400) -> dict[str, Answers]:
    """Three children, the dearer the better; each is right about as often as it is sure."""
    rng = np.random.default_rng(seed)
    hardness = rng.random(images)
    found = {}
    for name, cost, skill in (("small", 1.0, 0.3), ("middle", 3.0, 0.6), ("big", 10.0, 0.9)):
        confidence = np.clip(1 - hardness * (1 - skill) + rng.normal(0, 0.1, images), 0.1, 0.999)
        found[name] = Answers(cost, confidence, rng.random(images) < confidence)
    return found


def test_answers_come_from_logits() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 1000.0], [1.0, 1.0]], np.float32)
    answers = Answers.of(2.0, logits, np.array([0, 0, 0]))
    np.testing.assert_allclose(answers.confidence, [1 / (1 + np.exp(-2)), 1, 0.5])
    assert answers.right.tolist() == [True, False, True]


def test_a_child_is_asked_where_those_before_it_are_not_sure() -> None:
    answers = {
        "a": Answers(1, np.array([0.9, 0.5, 0.4, 0.8]), np.array([True, False, False, False])),
        "b": Answers(10, np.array([0.1, 0.7, 0.2, 0.9]), np.array([False, True, False, True])),
        "c": Answers(100, np.array([0.1, 0.1, 0.1, 0.1]), np.array([False, False, True, True])),
    }
    cascade = Cascade(("a", "b", "c"), (0.8, 0.6))
    assert cascading.answered_by(cascade, answers).tolist() == [0, 1, 2, 0]
    found = cascading.outcome(cascade, answers)
    assert found.accuracy.top1 == 0.75
    assert found.cost == (1 + 11 + 111 + 1) / 4
    assert found.shares == (0.5, 0.25, 0.25)
    np.testing.assert_allclose(cascading.clearance(cascade, answers), [0.1, 0.1, 0.4, 0.0])


@pytest.mark.parametrize("seed", range(3))
def test_nothing_that_is_tried_beats_the_front(seed: int) -> None:
    answers = _answers(seed)
    front = cascading.front(answers)
    outcomes = [cascading.outcome(each, answers) for each in front]
    for cheap, dear in itertools.pairwise(outcomes):
        assert cheap.cost < dear.cost
        assert cheap.accuracy.top1 < dear.accuracy.top1
    rng = np.random.default_rng(seed)
    for pair in itertools.combinations(answers, 2):
        # Any threshold at all: the front may miss the best by a step of its grid, 1/40 of the
        # images, and so by 1/40 of what a pair costs and gains.
        for threshold in rng.uniform(0.05, 0.95, 20):
            other = cascading.outcome(Cascade(pair, (threshold,)), answers)
            cost = other.cost + answers[pair[1]].cost / 40
            best = max(found.accuracy.top1 for found in outcomes if found.cost <= cost)
            assert best >= other.accuracy.top1 - 1 / 40


def test_a_cascade_beats_its_children() -> None:
    answers = _answers(0)
    alone = max(float(each.right.mean()) for each in answers.values())
    front = cascading.front(answers)
    cheap = cascading.outcome(cascading.chosen(front, answers), answers)
    assert cheap.accuracy.top1 >= alone
    assert cheap.cost < 10
    within = cascading.outcome(cascading.chosen(front, answers, cost=4), answers)
    assert within.cost <= 4
    assert within.accuracy.top1 > float(answers["middle"].right.mean())


def test_rounding_moves_no_image_that_chose_a_threshold() -> None:
    answers = _answers(1)
    for cascade in cascading.front(answers):
        first = answers[cascade.children[0]].confidence
        for threshold in cascade.thresholds[:1]:
            assert np.abs(first - threshold).min() > 0


@pytest.mark.parametrize(
    ("children", "thresholds", "message"),
    [
        (("a", "b"), (), "need a threshold"),
        (("a", "a"), (0.5,), "asked once"),
        (("a", "b"), (1.0,), "between 0 and 1"),
        (("a", "b"), (float("nan"),), "between 0 and 1"),
    ],
)
def test_a_cascade_fits_together(
    children: tuple[str, ...], thresholds: tuple[float, ...], message: str
) -> None:
    with pytest.raises(errors.UsageError, match=message):
        Cascade(children, thresholds)


def test_a_cascade_survives_its_file() -> None:
    cascade = Cascade(("a", "b"), (0.625,))
    assert Cascade.from_json(cascade.to_json()) == cascade


def test_what_cannot_be_reached_is_refused() -> None:
    answers = _answers(2)
    front = cascading.front(answers)
    for wanted, message in [
        ({"accuracy": 0.9999}, "no cascade of these children reaches it"),
        ({"cost": 0.5}, "the cheapest child alone takes 1"),
        ({"accuracy": 0.5, "cost": 2.0}, "not both"),
    ]:
        with pytest.raises(errors.UsageError, match=message):
            cascading.chosen(front, answers, **wanted)


@pytest.mark.parametrize(("threshold", "idle"), [(0.9999, "small"), (1e-9, "big")])
def test_a_child_that_answers_nothing_is_refused(threshold: float, idle: str) -> None:
    answers, cascade = _answers(3), Cascade(("small", "big"), (threshold,))
    with pytest.raises(errors.UsageError, match=f"{idle} would answer none of 400 images"):
        cascading.check_used(cascade, cascading.outcome(cascade, answers))
