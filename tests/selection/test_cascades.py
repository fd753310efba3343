"""Cascades: the rule by hand, the front against trying everything, and what is refused."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bignas_tf import errors
from bignas_tf.selection import cascade_front, cascades
from bignas_tf.selection.cascades import Answers, Cascade


def _answers(seed: int, images: int = 400, sharpness: float = 1.0) -> dict[str, Answers]:
    """Three children, the dearer the better; each is right about as often as it is sure.

    Args:
      seed: others give others.
      images: how many they answer.
      sharpness: of the probabilities; at 8 most are as good as certain, as of an easy data set.
    """
    rng = np.random.default_rng(seed)
    hardness = rng.random(images)
    found = {}
    for name, cost, skill in (("small", 1.0, 0.3), ("middle", 3.0, 0.6), ("big", 10.0, 0.9)):
        sure = np.clip(1 - hardness * (1 - skill) + rng.normal(0, 0.1, images), 0.1, 0.998)
        odds = (sure / (1 - sure)) ** sharpness
        confidence = (odds / (1 + odds)).astype(np.float32)
        found[name] = Answers(cost, confidence, rng.random(images) < sure)
    return found


def test_answers_come_from_probabilities() -> None:
    batches = [
        (np.array([[0.75, 0.25]], np.float32), np.array([0])),
        (np.array([[0.125, 0.875], [0.5, 0.5]], np.float32), np.array([0, 0])),
    ]
    answers = Answers.of(2.0, batches)
    assert answers.confidence.tolist() == [0.75, 0.875, 0.5]
    assert answers.right.tolist() == [True, False, True]


def test_answers_that_are_no_numbers_are_refused() -> None:
    batch = np.array([[0.5, np.nan]], np.float32), np.array([0])
    with pytest.raises(errors.RunError, match="not finite"):
        Answers.of(1.0, [batch])


def test_a_child_is_asked_where_those_before_it_are_not_sure() -> None:
    def answers(cost: float, confidence: list[float], right: list[int]) -> Answers:
        return Answers(cost, np.array(confidence, np.float32), np.array(right, bool))

    children = {
        "a": answers(1, [0.9, 0.5, 0.4, 0.8], [1, 0, 0, 0]),
        "b": answers(10, [0.1, 0.7, 0.2, 0.9], [0, 1, 0, 1]),
        "c": answers(100, [0.1, 0.1, 0.1, 0.1], [0, 0, 1, 1]),
    }
    cascade = Cascade(("a", "b", "c"), (0.8, 0.6))
    assert cascades.answered_by(cascade, children).tolist() == [0, 1, 2, 0]
    found = cascades.outcome(cascade, children)
    assert found.accuracy.top1 == 0.75
    assert found.cost == (1 + 11 + 111 + 1) / 4
    assert found.shares == (0.5, 0.25, 0.25)
    # Whoever is not asked about an image has no threshold there.
    clear = cascades.clearance(cascade, children)
    np.testing.assert_allclose(clear, [0.1, 0.1, 0.4, 0.0], atol=1e-7)


def _tried(answers: dict[str, Answers]) -> list[Cascade]:
    """Every cascade of which the front may be made."""
    thresholds = {
        name: cascade_front._Asked.of(name, each).thresholds for name, each in answers.items()
    }
    found = []
    for count in (1, 2, 3):
        for names in itertools.combinations(answers, count):
            for chosen in itertools.product(*(thresholds[name] for name in names[:-1])):
                found.append(Cascade(names, chosen))
    return found


@pytest.mark.parametrize("sharpness", [1.0, 8.0])
def test_the_front_is_that_of_all_that_is_tried(sharpness: float) -> None:
    answers = _answers(0, 120, sharpness)
    outcomes = [cascades.outcome(each, answers) for each in _tried(answers)]
    front = [cascades.outcome(each, answers) for each in cascade_front.front(answers)]
    best, expected = -1.0, []
    for found in sorted(outcomes, key=lambda each: (each.cost, -each.accuracy.top1)):
        if found.accuracy.top1 > best:
            best = found.accuracy.top1
            expected.append((found.cost, found.accuracy.top1))
    actual = [(found.cost, found.accuracy.top1) for found in front]
    # The order of sums may make a cost another by its last digit.
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize("sharpness", [1.0, 8.0])
def test_rounding_moves_no_image_that_chose_a_threshold(sharpness: float) -> None:
    answers = _answers(1, 6000, sharpness)
    for cascade in cascade_front.front(answers):
        expected = cascades.answered_by(cascade, answers)
        for off in (-4, 4):  # units in the last place of a probability of almost 1
            moved = {
                name: Answers(each.cost, each.confidence + np.float32(off * 6e-8), each.right)
                for name, each in answers.items()
            }
            np.testing.assert_array_equal(cascades.answered_by(cascade, moved), expected)


def test_children_that_are_always_as_sure_are_taken_alone() -> None:
    same = np.full(50, 0.5, np.float32)
    answers = {
        "small": Answers(1.0, same, np.arange(50) < 20),
        "big": Answers(4.0, same, np.arange(50) < 40),
    }
    assert [each.children for each in cascade_front.front(answers)] == [("small",), ("big",)]


def test_a_cascade_beats_its_children() -> None:
    answers = _answers(0)
    alone = max(each.accuracy.top1 for each in answers.values())
    front = cascade_front.front(answers)
    cheap = cascades.outcome(cascade_front.chosen(front, answers), answers)
    assert cheap.accuracy.top1 >= alone
    assert cheap.cost < 10
    within = cascades.outcome(cascade_front.chosen(front, answers, cost=4), answers)
    assert within.cost <= 4
    assert within.accuracy.top1 > answers["middle"].accuracy.top1
    wanted = cascade_front.chosen(front, answers, accuracy=0.7)
    assert cascades.outcome(wanted, answers).accuracy.top1 >= 0.7


def test_a_cascade_that_is_no_better_than_a_child_is_told() -> None:
    """As one whose children are in the wrong order."""
    confidence = np.linspace(0.1, 1.0, 10, dtype=np.float32)
    right = np.arange(10) >= 3
    answers = {
        "small": Answers(1.0, confidence, right),
        "big": Answers(4.0, confidence, np.arange(10) >= 1),
    }
    good = Cascade(("small", "big"), (0.45,))
    assert cascades.no_better_than(good, answers) is None
    assert cascades.outcome(good, answers).cost == pytest.approx(1.0 + 0.4 * 4.0)
    assert cascades.no_better_than(Cascade(("big", "small"), (0.45,)), answers) == "big"


def test_an_accuracy_that_no_cascade_has_is_refused() -> None:
    answers = _answers(2)
    front = cascade_front.front(answers)
    with pytest.raises(errors.UsageError, match=r"no cascade .* reaches it") as caught:
        cascade_front.chosen(front, answers, accuracy=0.9999)
    most = float(str(caught.value).rpartition(" ")[2])
    best = cascades.outcome(front[-1], answers).accuracy.top1
    assert best - 1e-4 < most <= best
    assert cascade_front.chosen(front, answers, accuracy=most)


@pytest.mark.parametrize(("threshold", "idle"), [(0.999, "small"), (1e-9, "big")])
def test_a_child_that_answers_nothing_is_refused(threshold: float, idle: str) -> None:
    answers, cascade = _answers(3), Cascade(("small", "big"), (threshold,))
    with pytest.raises(errors.UsageError, match=f"{idle} would answer none of 400 images"):
        cascade_front.check_used(cascade, answers)


def test_a_cascade_survives_its_file_and_its_text() -> None:
    cascade = Cascade(("a", "child_2.5", "b"), (0.625, 0.96151))
    assert Cascade.from_json(cascade.to_json()) == cascade
    assert cascade.text == "a:0.625,child_2.5:0.96151,b"
    assert Cascade.parse(" a : 0.625, child_2.5:0.96151 ,b") == cascade


@pytest.mark.parametrize(
    "text",
    ["", "a", "a,b", "a:x,b", "a:0.5", "a:0.5,", ":0.5,b", "a:0.5,b:0.5", "a:0.5,a",
     "a:0.5,b:0.5,c:0.5,d"],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(errors.UsageError, match=r"write child_1:0\.8,child_4"):
        Cascade.parse(text)


@pytest.mark.parametrize("threshold", ["0", "1", "0.9999", "nan", "-0.5"])
def test_thresholds_that_no_probability_can_meet_are_refused(threshold: str) -> None:
    with pytest.raises(errors.UsageError, match=r"a probability above 0, up to 0\.999"):
        Cascade.parse(f"a:{threshold},b")


def test_thresholds_are_numbers() -> None:
    with pytest.raises(errors.UsageError, match=r"^the thresholds of a cascade are \('high',\)"):
        Cascade(("child_1", "child_4"), ("high",))  # type: ignore[arg-type]
