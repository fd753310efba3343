"""Any number of children, two traces, and accuracies that are plain counts."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf import errors, workers
from bignas_tf.accuracy import Accuracy
from bignas_tf.data import resize
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.selection import evaluator as evaluator_lib
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.graphs import ChildGraphs
from bignas_tf.selection.spread import Batch, Chunk, PerReplica
from tests.modeling import helpers, replicas
from tests.selection import digits

pytestmark = pytest.mark.slow

IMAGES = 43  # a batch of 32 and a ragged one of 11
FAILURES = (
    tf.errors.ResourceExhaustedError(None, None, "Graph execution error:"),
    tf.errors.InternalError(None, None, "Dst tensor is not initialized."),
)


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
    try:
        with pytest.raises(errors.RunError, match=message):
            evaluator.top1(child, statistics, digits.batches("test[:8]"))
        with pytest.raises(errors.RunError, match=message):
            next(evaluator.logits(child, statistics, digits.batches("test[:8]")))
    finally:
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


class Little(ChildGraphs):
    """Memory for so many images to calibrate and to score; even labels are right."""

    calibrated, scored = 64, 10
    tried: list[int]
    failure: tf.errors.OpError

    def calibrate(
        self, chunk: Chunk, seen: int, code: tf.Tensor, totals: PerReplica
    ) -> tuple[PerReplica, PerReplica]:
        self._take(chunk, self.calibrated)
        return totals, tf.ones([2, self._supernet.statistics_width])

    def score(
        self, chunk: Chunk, code: tf.Tensor, statistics: PerReplica, right: PerReplica
    ) -> tuple[PerReplica, PerReplica]:
        assert chunk.patches.shape[:2] == chunk.labels.shape
        self._take(chunk, self.scored)
        return right + tf.reduce_sum(tf.cast(chunk.labels % 2 == 0, tf.float32)), right

    def _take(self, chunk: Chunk, most: int) -> None:
        images = chunk.labels.shape[1]
        self.tried.append(images)
        if images > most:
            raise self.failure


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> type[Little]:
    """What evaluators of this test run children with."""
    monkeypatch.setattr(evaluator_lib, "ChildGraphs", Little)
    values = {"tried": [], "calibrated": 64, "scored": 10, "failure": FAILURES[0]}
    for name, value in values.items():
        monkeypatch.setattr(Little, name, value, raising=False)
    return Little


def test_a_batch_that_memory_does_not_hold_is_scored_in_parts(
    net: Supernet, little: type[Little]
) -> None:
    evaluator, images = digits.evaluator(net), digits.batches(f"test[:{IMAGES}]")
    children = [net.space.smallest(), *helpers.children_of(net.space, 1)]
    children = [net.space.with_resolution(child, 10) for child in children]
    scores = list(evaluator.scores(children, images))
    labels = np.concatenate([labels for _, labels in images])
    assert [accuracy for _, accuracy in scores] == [Accuracy(np.mean(labels % 2 == 0), IMAGES)] * 2
    # Three batches calibrate. A batch of 32 is halved until it fits, the one of 11 is 8 and 3, and
    # the next child of that resolution starts with what fits.
    first, second = little.tried[:11], little.tried[11:]
    assert first == [32, 32, 32, 32, 16, 8, 8, 8, 8, 8, 3]
    assert second == [32, 32, 32, 8, 8, 8, 8, 8, 3]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
def test_memory_for_hardly_an_image_fails_a_child_and_no_other(
    net: Supernet, little: type[Little], failure: tf.errors.OpError
) -> None:
    little.failure = failure
    evaluator, images = digits.evaluator(net), digits.batches("test[:32]")
    small, large = (net.space.with_resolution(net.space.smallest(), side) for side in (8, 10))
    little.scored = 7
    outcomes = evaluator.attempts([large, small], images)
    child, failure = next(outcomes)
    assert (child, type(failure)) == (large, errors.OutOfMemoryError)
    assert str(failure) == "out of memory in scoring at 10 px; lower task.selection.batch_size"
    assert little.tried[3:] == [32, 16, 8]
    little.scored = 64
    assert isinstance(dict(outcomes)[small], Accuracy)


def test_an_internal_error_of_another_kind_stops_the_search(
    net: Supernet, little: type[Little]
) -> None:
    little.failure = tf.errors.InternalError(None, None, "libdevice not found")
    with pytest.raises(tf.errors.InternalError, match="libdevice"):
        list(digits.evaluator(net).scores([net.space.smallest()], digits.batches("test[:32]")))


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
def test_memory_that_does_not_hold_images_of_calibration_fails_the_child(
    net: Supernet, failure: tf.errors.OpError
) -> None:
    class Sent:
        """Images for which a device has no memory."""

        def __iter__(self) -> Iterator[Batch]:
            raise failure

    evaluator = Evaluator(net, Sent())
    with pytest.raises(errors.OutOfMemoryError, match="out of memory in calibration at"):
        evaluator.statistics(net.space.smallest())


def test_the_only_replica_of_a_strategy_scores_in_parts() -> None:
    with replicas.one_cpu().scope():
        net = digits.supernet(within=digits.one_stage())
    evaluator, child = digits.evaluator(net), net.space.smallest()
    graphs = ChildGraphs(net, side=None, one_by_one=True)
    statistics = graphs.given(evaluator.statistics(child))
    chunks = evaluator.chunks(digits.batches(f"test[:{IMAGES}]"))
    whole = graphs.right(child, statistics, chunks)
    graphs._at_once[child.resolution] = 10
    assert graphs.right(child, statistics, chunks) == whole
    assert graphs.traces == 1


def test_batches_of_calibration_are_not_divided(net: Supernet, little: type[Little]) -> None:
    evaluator, images = digits.evaluator(net), digits.batches("test[:32]")
    little.calibrated = 31
    message = "out of memory in calibration at 8 px; lower task.selection"
    with pytest.raises(errors.OutOfMemoryError, match=message):
        list(evaluator.scores([net.space.with_resolution(net.space.smallest(), 8)], images))
    assert little.tried == [32]


def test_one_of_several_workers_does_not_go_on_without_memory(
    net: Supernet, little: type[Little], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for its part of the child."""
    monkeypatch.setattr(workers, "many", lambda strategy: True)
    evaluator, images = digits.evaluator(net), digits.batches("test[:32]")
    little.calibrated = 31
    with pytest.raises(errors.OutOfMemoryError, match="out of memory in calibration"):
        list(evaluator.attempts([net.space.smallest()], images))
