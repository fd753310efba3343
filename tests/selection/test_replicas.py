"""Several replicas share the batches of each child, and find what one device does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.accuracy import Accuracy
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.evaluator import Evaluator
from tests.modeling import helpers, replicas
from tests.selection import digits

pytestmark = pytest.mark.slow

# Masks sum zeros along with a channel's values, and so in another order; a calibrated variance
# of 0.1 and a dozen batch norms enlarge that.
MASKED = 1e-5
# Two rounds of two replicas, and of the 96 that calibrate too: the last batch has 11 images, and
# one replica has none.
IMAGES = "test[:75]"
WHOLE = 64
PADDED = 1e-6  # convolutions of another batch size may sum in another order
OTHERS = "test[100:140]"  # another number of batches


class Found(NamedTuple):
    """What one evaluator says of children."""

    scores: dict[Architecture, Accuracy]
    others: dict[Architecture, Accuracy]
    statistics: list[np.ndarray]
    logits: list[np.ndarray]
    traces: int


@pytest.fixture(scope="module")
def children() -> list[Architecture]:
    """Neighbours differ in their resolution."""
    space = digits.one_stage()
    found = [*helpers.children_of(space, 1), space.biggest(), space.smallest()]
    sides = (8, 9, 8)
    return [space.with_resolution(child, side) for child, side in zip(found, sides, strict=True)]


def _find(net: Supernet, children: list[Architecture]) -> Found:
    evaluator, before = digits.evaluator(net), net.get_weights()
    scores = dict(evaluator.scores(children, digits.batches(IMAGES)))
    others = dict(evaluator.scores(children, digits.batches(OTHERS)))
    statistics = [evaluator.statistics(child) for child in children]
    logits = [
        np.concatenate([part for part, _ in _logits(evaluator, child, given)])
        for child, given in zip(children, statistics, strict=True)
    ]
    for weight, value in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, value)
    return Found(scores, others, statistics, logits, evaluator.traces)


def _logits(
    evaluator: Evaluator, child: Architecture, statistics: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return evaluator.logits(child, statistics, digits.batches(IMAGES))


@pytest.fixture(scope="module")
def alone(children: list[Architecture]) -> Found:
    """What slices find on one device."""
    return _find(digits.supernet(within=digits.one_stage()), children)


def test_two_replicas_find_what_one_device_does(children: list[Architecture], alone: Found) -> None:
    with replicas.two_cpus().scope():
        net = digits.supernet(within=digits.one_stage())
    found = _find(net, children)
    assert (found.scores, found.others) == (alone.scores, alone.others)
    assert len({score.top1 for score in alone.scores.values()}) > 1
    assert found.traces == alone.traces == 2
    for one, two in zip(alone.statistics, found.statistics, strict=True):
        np.testing.assert_array_equal(two, one)
    for one, two in zip(alone.logits, found.logits, strict=True):
        np.testing.assert_array_equal(two[:WHOLE], one[:WHOLE])
        np.testing.assert_allclose(two[WHOLE:], one[WHOLE:], rtol=0, atol=PADDED)


@pytest.mark.parametrize(("strategy", "sides"), [(replicas.one_cpu, {8, 9}),
                                                 (replicas.two_cpus, {8})])  # fmt: skip
def test_masks_find_what_slices_do(
    children: list[Architecture],
    alone: Found,
    strategy: Callable[[], tf.distribute.Strategy],
    sides: set[int],
) -> None:
    with strategy().scope():
        net = digits.supernet("mask", digits.one_stage())
    chosen = [index for index, child in enumerate(children) if child.resolution in sides]
    found = _find(net, [children[index] for index in chosen])
    assert found.traces == 2 * len(sides)
    assert found.scores == {children[index]: alone.scores[children[index]] for index in chosen}
    assert found.others == {children[index]: alone.others[children[index]] for index in chosen}
    # One resolution after the other.
    assert [child.resolution for child in found.scores] == sorted(
        children[index].resolution for index in chosen
    )
    for index, masked in zip(chosen, found.logits, strict=True):
        np.testing.assert_allclose(masked, alone.logits[index], rtol=0, atol=MASKED)
