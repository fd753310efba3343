"""Two replicas on halves of a batch are one device on the whole."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers, replicas
from tests.search_space import spaces

# The mean of two halves' moments is another order of float32 sums, enlarged by up to 20 batch
# norms; the variance of a half is taken around the mean of both, so nothing else differs.
LOSS, GRADIENTS = 1e-5, 1e-4


def _space() -> SearchSpace:
    """Two blocks of `tiny`, of which one is optional: tracing takes its time by blocks."""
    space = spaces.tiny()
    stage = dataclasses.replace(space.stages[1], depths=(1, 2))
    return dataclasses.replace(space, name="two_blocks", stages=(stage,))


def _step(
    supernet: Supernet, images: tf.Tensor, labels: tf.Tensor, choice: Architecture | tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """The loss, and gradients that are zero where a static child leaves a weight out."""
    weights = supernet.trainable_weights
    with tf.GradientTape() as tape:
        loss = helpers.loss_of(supernet(images, choice), labels)
    zeros = tf.UnconnectedGradients.ZERO
    return loss, tape.gradient(loss, weights, unconnected_gradients=zeros)


def _on_two(execution: str, weights: list[np.ndarray], children: list[Architecture]) -> list[
    tuple[float, list[np.ndarray]]
]:  # fmt: skip
    """Losses and gradients of codes, averaged over two replicas."""
    strategy = replicas.two_cpus()
    space, half = _space(), helpers.BATCH // 2
    with strategy.scope():
        supernet = Supernet(space, helpers.CLASSES, execution=execution)
    supernet.set_weights(weights)

    @tf.function
    def step(images: tf.Tensor, code: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        def on_one(images: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
            context = tf.distribute.get_replica_context()
            start = context.replica_id_in_sync_group * half
            loss, gradients = _step(
                supernet, images[start : start + half], helpers.labels_for()[start : start + half],
                code,
            )  # fmt: skip
            return context.all_reduce(tf.distribute.ReduceOp.MEAN, (loss, gradients))

        return strategy.experimental_local_results(strategy.run(on_one, args=(images,)))[0]

    results = []
    for child in children:
        images = helpers.images_for(child.resolution)
        loss, gradients = step(images, helpers.code_of(space, child))
        results.append((float(loss), [gradient.numpy() for gradient in gradients]))
    return results


@pytest.mark.slow
@pytest.mark.parametrize("execution", ["slice", "mask"])
def test_two_replicas_equal_one_device(execution: str) -> None:
    space = _space()
    single = helpers.supernet_of(space)
    children = [
        space.with_resolution(child, 14)
        for child in (space.smallest(), space.biggest(), *helpers.children_of(space, 1))
    ]
    for child, (loss, gradients) in zip(
        children, _on_two(execution, single.get_weights(), children), strict=True
    ):
        images = helpers.images_for(child.resolution)
        right_loss, right = _step(single, images, helpers.labels_for(), child)
        assert loss == pytest.approx(float(right_loss), rel=LOSS)
        expected = [tf.convert_to_tensor(gradient).numpy() for gradient in right]
        assert helpers.relative_difference(gradients, expected) < GRADIENTS
