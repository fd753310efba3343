"""Any number of children, two traces, and accuracies that are plain counts."""

from __future__ import annotations

import contextlib
import re

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.data import resize
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.selection.evaluator import Evaluator
from tests.modeling import helpers, replicas
from tests.selection import digits

pytestmark = pytest.mark.slow

IMAGES = 43  # a batch of 32 and a ragged one of 11


@pytest.fixture(scope="module")
def net() -> Supernet:
    return digits.supernet(within=digits.one_stage())


@pytest.fixture(scope="module")
def evaluator(net: Supernet) -> Evaluator:
    return digits.evaluator(net)


def test_two_traces_serve_every_child_resolution_and_batch(
    net: Supernet, evaluator: Evaluator
) -> None:
    children = helpers.children_of(net.space, 3)
    children += [net.space.with_resolution(net.space.biggest(), side) for side in (8, 9, 10)]
    assert {child.resolution for child in children} == {8, 9, 10}
    before = [weight.numpy() for weight in net.weights]
    for child in children:
        images = digits.batches(f"test[:{IMAGES}]")
        assert evaluator.top1(child, evaluator.statistics(child), images).images == IMAGES
    assert 1 <= evaluator.traces <= 2
    for weight, value in zip(net.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_top1_is_a_plain_count(net: Supernet, evaluator: Evaluator) -> None:
    child = net.space.biggest()
    statistics = evaluator.statistics(child)
    found = evaluator.top1(child, statistics, digits.batches(f"test[:{IMAGES}]"))
    right = 0
    for patches, labels in digits.batches(f"test[:{IMAGES}]", 1):
        image = resize.resize_patches(patches, child.resolution)
        logits = net(image, child, statistics=statistics)
        right += int(np.argmax(logits[0]) == labels[0])
    assert 0 < right < IMAGES
    assert found == Accuracy(right / IMAGES, IMAGES)


def test_labels_come_back_with_the_logits(net: Supernet, evaluator: Evaluator) -> None:
    child = net.space.smallest()
    pairs = evaluator.logits(child, evaluator.statistics(child), digits.batches("test[:40]"))
    logits, labels = (np.concatenate(part) for part in zip(*pairs, strict=True))
    assert (logits.shape, logits.dtype) == ((40, digits.CLASSES), np.float32)
    expected = [int(label) for _, label in digits.batches("test[:40]").dataset.unbatch()]
    assert labels.tolist() == expected


def test_children_are_scored_as_each_is_alone(net: Supernet, evaluator: Evaluator) -> None:
    children = helpers.children_of(net.space, 2)
    found = dict(evaluator.scores(children, digits.batches(f"test[:{IMAGES}]")))
    assert list(found) == children
    for child in children:
        images = digits.batches(f"test[:{IMAGES}]")
        assert found[child] == evaluator.top1(child, evaluator.statistics(child), images)


def test_logits_that_are_not_finite_stop_the_run(net: Supernet, evaluator: Evaluator) -> None:
    child = net.space.smallest()
    statistics, bias = evaluator.statistics(child), net.classifier.bias.numpy()
    net.classifier.bias.assign(tf.fill([digits.CLASSES], np.nan))
    message = re.escape(f"child {child} gives logits that are not finite")
    with pytest.raises(errors.RunError, match=message):
        evaluator.top1(child, statistics, digits.batches("test[:8]"))
    net.classifier.bias.assign(bias)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_child_that_fails_is_named_and_the_others_are_scored(devices: int) -> None:
    with replicas.two_cpus().scope() if devices == 2 else contextlib.nullcontext():
        net = digits.supernet(within=digits.one_stage())
    # The optional block gives NaN: only children that have it fail.
    gamma = net.blocks[-1].depthwise_norm.gamma
    gamma.assign(tf.fill(gamma.shape, np.nan))
    deep = [child for child in helpers.children_of(net.space, 6) if child.depths == (2,)][:2]
    shallow = [net.space.smallest(), net.space.with_resolution(net.space.smallest(), 9)]
    children = [shallow[0], deep[0], deep[1], shallow[1]]
    images = digits.batches("test[:16]")
    evaluator = digits.evaluator(net)
    found = dict(evaluator.attempts(children, images))
    assert list(found) == children
    scored = [isinstance(outcome, Accuracy) for outcome in found.values()]
    assert scored == [True, False, False, True]
    for child in deep:
        assert str(found[child]) == f"child {child} gives logits that are not finite"
    with pytest.raises(errors.RunError, match="not finite"):
        list(evaluator.scores(children, images))
