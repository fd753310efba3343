"""What the tests of the supernet share."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

CLASSES, BATCH = 5, 6


def randomise(supernet: Supernet, seed: int = 0) -> None:
    """Moves gammas from 1, or 0, and biases from 0: what is left there hides mistakes."""
    rng = np.random.default_rng(seed)
    for weight in supernet.trainable_weights:
        name = weight.name.split(":")[0]
        if name.endswith("gamma"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) == 1:
            weight.assign(rng.normal(0.0, 0.3, weight.shape))


def supernet_of(space: SearchSpace, execution: str = "slice", seed: int = 0) -> Supernet:
    """A supernet with random weights, equal for equal seeds whatever the execution."""
    tf_keras.utils.set_random_seed(seed)
    supernet = Supernet(space, CLASSES, execution=execution)
    randomise(supernet, seed)
    return supernet


def children_of(space: SearchSpace, number: int, seed: int = 0) -> list[Architecture]:
    rng = np.random.default_rng(seed)
    return [space.sample(rng) for _ in range(number)]


def images_for(side: int, batch: int = BATCH, seed: int = 0) -> tf.Tensor:
    rng = np.random.default_rng(seed)
    return tf.constant(rng.uniform(-1.0, 1.0, (batch, side, side, 3)).astype(np.float32))


def labels_for(batch: int = BATCH) -> tf.Tensor:
    return tf.constant(np.arange(batch) % CLASSES)


def code_of(space: SearchSpace, architecture: Architecture) -> tf.Tensor:
    return tf.constant(space.encode(architecture))


def loss_of(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean cross entropy."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
    return tf.reduce_mean(losses)


def relative_difference(actual: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest difference, each array's in units of its own largest value.

    An array whose values are all below a hundredth of the largest counts in units of that: the
    gradient of a beta that the next batch norm cancels is nothing but rounding.
    """
    largest = [float(np.abs(array).max(initial=0.0)) for array in expected]
    floor = 1e-2 * max(largest)
    return max(
        float(np.abs(one - other).max(initial=0.0)) / max(scale, floor)
        for one, other, scale in zip(actual, expected, largest, strict=True)
    )
