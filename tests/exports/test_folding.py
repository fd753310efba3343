"""A folded child answers as the child does, with no batch norm left in its graph."""

from __future__ import annotations

import collections

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from tf_keras import layers

from bignas_tf.exports import folding
from bignas_tf.modeling import child as child_lib
from bignas_tf.search_space.architecture import Architecture
from tests.modeling import helpers
from tests.search_space import spaces

pytestmark = pytest.mark.slow

# Every sum is rounded again; 4e-7 of the largest logit is the most that was seen.
RELATIVE_TOLERANCE = 1e-5


def _children() -> list[Architecture]:
    space = spaces.tiny()
    return [space.smallest(), space.biggest(), *helpers.children_of(space, 2, seed=1)]


def _random_child(architecture: Architecture) -> tf_keras.Model:
    """Gammas of both signs, and statistics and biases that matter."""
    tf_keras.utils.set_random_seed(0)
    child = child_lib.build_child(spaces.tiny(), architecture, helpers.CLASSES)
    rng = np.random.default_rng(0)
    for layer in child.layers:
        if isinstance(layer, layers.BatchNormalization):
            width = layer.gamma.shape[0]
            gamma = rng.uniform(0.5, 1.5, width) * rng.choice([-1, 1], width)
            beta, mean = rng.normal(0.0, 0.5, (2, width))
            layer.set_weights([gamma, beta, mean, rng.uniform(0.05, 3.0, width)])
    return child


def _operations(model: tf_keras.Model) -> collections.Counter[str]:
    spec = tf.TensorSpec([None, *model.input_shape[1:]])
    graph = tf.function(
        lambda images: model(images, training=False), autograph=False
    ).get_concrete_function(spec)
    return collections.Counter(node.op for node in graph.graph.as_graph_def().node)


@pytest.mark.parametrize("architecture", _children(), ids=["smallest", "biggest", "a", "b"])
def test_a_folded_child_gives_the_same_logits(architecture: Architecture) -> None:
    child = _random_child(architecture)
    images = helpers.images_for(architecture.resolution)
    expected = child(images, training=False).numpy()
    actual = folding.fold(child)(images, training=False).numpy()
    tolerance = RELATIVE_TOLERANCE * np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)


def test_folding_leaves_the_child_as_it_was() -> None:
    child = _random_child(spaces.tiny().smallest())
    before = child.get_weights()
    folding.fold(child)
    for old, new in zip(before, child.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_no_batch_norm_is_left() -> None:
    child = _random_child(spaces.tiny().biggest())
    folded = folding.fold(child)
    kinds = collections.Counter(type(layer) for layer in child.layers)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in folded.layers)
    # Gamma, beta, mean and variance give way to one bias.
    widths = sum(
        layer.gamma.shape[0]
        for layer in child.layers
        if isinstance(layer, layers.BatchNormalization)
    )
    assert child.count_params() - folded.count_params() == 3 * widths
    before, after = _operations(child), _operations(folded)
    norms = kinds[layers.BatchNormalization]
    assert before["FusedBatchNormV3"] == norms
    assert after["FusedBatchNormV3"] == 0
    assert after["BiasAdd"] == before["BiasAdd"] + norms
    # What is left of a batch norm is a bias and its reading, in place of the op and four readings.
    assert after.total() < before.total() - 3 * norms
