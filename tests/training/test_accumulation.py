"""A batch in parts: the mean of what its parts give, on any number of replicas."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from official.core import config_definitions as cfg

from bignas_tf import errors
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.training import accumulation, sandwich, validation
from bignas_tf.training.configs import BigNASConfig
from bignas_tf.training.sandwich import StepResult
from bignas_tf.training.task import BigNASTask
from tests.modeling import helpers, replicas
from tests.training import runs

PARTS = 2
AT_ONCE = runs.BATCH // PARTS
STEP = 5
# Float32 sums in another order, enlarged by batch norms of four images.
TOLERANCE = 1e-4
# All that may differ between parts or replicas is on.
RULES = (
    f"task.images_at_once={AT_ONCE},task.sandwich.smallest=false,task.sandwich.num_random=1,"
    "task.distillation.weight=0.5,"
    "task.regularisation.children=all,task.regularisation.dropout_rate=0.3,"
    "task.regularisation.weight_decay=0.01,task.model.zero_init_gamma=false"
)


@pytest.fixture
def config(tmp_path: pathlib.Path) -> cfg.ExperimentConfig:
    runs.space_file(tmp_path, stages=runs.ONE_BLOCK)
    return runs.parse(tmp_path, RULES)


def _supernet(task: BigNASConfig) -> Supernet:
    """The same one every time."""
    tf_keras.utils.set_random_seed(0)
    config = cfg.ExperimentConfig(task=task)
    return runs.supernet_of(config)


def _whole(supernet: Supernet, task: BigNASConfig, **given: Any) -> StepResult:
    """What a step with the task's rules computes of the batch."""
    batch = {"patches": runs.patches(), "labels": runs.labels()} | given
    step = tf.constant(STEP, tf.int64)
    return accumulation.compute_gradients(supernet, config=task, step=step, **batch)


def _arrays(tensors: list[tf.Tensor]) -> list[np.ndarray]:
    return [tf.convert_to_tensor(each).numpy() for each in tensors]


def test_it_is_the_mean_of_the_parts(config: cfg.ExperimentConfig) -> None:
    task = config.task
    supernet = _supernet(task)
    actual = _whole(supernet, task)
    parts = [
        sandwich.compute_gradients(
            supernet,
            patches=runs.patches()[number::PARTS],
            labels=runs.labels()[number::PARTS],
            step=tf.constant(STEP, tf.int64),
            config=task,
            part=number,
        )
        for number in range(PARTS)
    ]
    expected = [
        np.mean(each, axis=0)
        for each in zip(*(_arrays(part.gradients) for part in parts), strict=True)
    ]
    assert helpers.relative_difference(_arrays(actual.gradients), expected) < TOLERANCE
    assert list(actual.losses) == list(parts[0].losses) == ["biggest", "random1"]
    for role, loss in actual.losses.items():
        of_parts = [float(part.losses[role]) for part in parts]
        assert float(loss) == pytest.approx(np.mean(of_parts), rel=TOLERANCE)
        assert of_parts[0] != of_parts[1]
    for number, part in enumerate(parts):
        np.testing.assert_allclose(actual.logits[number::PARTS], part.logits, atol=TOLERANCE)


def test_dropout_differs_between_the_parts(config: cfg.ExperimentConfig) -> None:
    task = config.task
    supernet = _supernet(task)
    first = _arrays([runs.patches()[:1]])[0]
    alike = {
        "patches": tf.repeat(first, runs.BATCH, axis=0),
        "labels": tf.zeros(runs.BATCH, tf.int32),
    }
    logits = _whole(supernet, task, **alike).logits.numpy()
    assert np.abs(logits[0::PARTS] - logits[1::PARTS]).max() > TOLERANCE


@pytest.mark.slow
def test_two_replicas_compute_what_one_device_does(config: cfg.ExperimentConfig) -> None:
    task = config.task
    supernet = _supernet(task)
    one = tf.function(lambda: _plain(_whole(supernet, task)), autograph=False)()
    # The parts of both replicas are together those of one device.
    task.images_at_once = AT_ONCE // 2
    strategy = replicas.two_cpus()
    with strategy.scope():
        mirrored = _supernet(task)
    half = runs.BATCH // 2

    def replica() -> tuple[list[tf.Tensor], tf.Tensor]:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        images = runs.patches()[number * half : (number + 1) * half]
        labels = runs.labels()[number * half : (number + 1) * half]
        images = tf.ensure_shape(images, [half, *images.shape[1:]])
        return _plain(
            _whole(mirrored, task, patches=images, labels=tf.ensure_shape(labels, [half]))
        )

    step = tf.function(lambda: strategy.run(replica), autograph=False)
    gradients, losses = step()
    summed = [strategy.reduce(tf.distribute.ReduceOp.SUM, each, axis=None) for each in gradients]
    assert helpers.relative_difference(_arrays(summed), _arrays(one[0])) < TOLERANCE
    mean = strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None)
    np.testing.assert_allclose(mean, one[1], rtol=TOLERANCE)


def _plain(result: StepResult) -> tuple[list[tf.Tensor], tf.Tensor]:
    return result.gradients, tf.stack(list(result.losses.values()))


def test_a_part_begins_when_the_one_before_has_ended(config: cfg.ExperimentConfig) -> None:
    """Or the activations of several would be held at one time."""
    task = config.task
    supernet = _supernet(task)
    step = tf.function(lambda: _plain(_whole(supernet, task)), autograph=False)
    loops = [
        operation
        for operation in step.get_concrete_function().graph.get_operations()
        if operation.type in ("While", "StatelessWhile")
    ]
    assert [loop.get_attr("parallel_iterations") for loop in loops] == [1]


def test_parts_that_do_not_divide_the_batch_are_refused(config: cfg.ExperimentConfig) -> None:
    config.task.images_at_once = 3
    task = BigNASTask(config.task)
    with pytest.raises(errors.UsageError, match=r"is 3, but a replica has 8 .* divisor of 8"):
        task.build_inputs(config.task.train_data)
    config.task.images_at_once = -1
    with pytest.raises(errors.UsageError, match=r"at_once is -1; it takes 0 \(all\) or more"):
        validation.validate(config)


def test_groups_that_do_not_divide_the_replicas_are_refused(config: cfg.ExperimentConfig) -> None:
    config.task.model.norm_replicas = 8
    with pytest.raises(errors.UsageError, match=r"norm_replicas is 8; it must divide the 1 repl"):
        BigNASTask(config.task).build_model()
    config.task.model.norm_replicas = -1
    with pytest.raises(errors.UsageError, match=r"norm_replicas is -1; it takes 0"):
        validation.validate(config)


@pytest.mark.parametrize(
    ("images", "at_once", "parts"),
    [(512, 32, 16), (8, 0, 1), (8, 8, 1), (8, 32, 1), (1024, 1, 1024)],
)
def test_parts_follow_from_the_images_at_once(images: int, at_once: int, parts: int) -> None:
    assert accumulation.count_parts(images, at_once) == parts


def test_more_parts_than_dropout_has_seeds_for_are_refused() -> None:
    with pytest.raises(errors.UsageError, match="at most 1024 parts"):
        accumulation.count_parts(1025, 1)
