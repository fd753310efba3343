"""A family made of the elastic layers alone: its children are stock networks, and it learns."""

from __future__ import annotations

import dataclasses
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf.layers import ElasticBatchNorm, ElasticConvolution
from bignas_tf.search_space import blocks
from bignas_tf.search_space.architecture import Architecture
from experiments import residual_network
from experiments.residual_network import SPACE, ResidualNetwork
from tests.modeling import helpers

# As in tests/modeling: sums in another order, enlarged by batch norms.
LOGITS = 5e-6
GRADIENTS = 2e-4
CHILDREN = [SPACE.smallest(), SPACE.biggest(), *helpers.children_of(SPACE, 3)]


Pair = tuple[ResidualNetwork, ResidualNetwork]


@pytest.fixture(scope="module")
def pair() -> Pair:
    """The same random weights sliced and masked; no test changes them."""

    def network(execution: str) -> ResidualNetwork:
        tf_keras.utils.set_random_seed(0)
        network = ResidualNetwork(execution=execution)
        helpers.randomise(network)
        return network

    return network("slice"), network("mask")


def _images(seed: int = 0) -> tf.Tensor:
    return helpers.images_for(SPACE.base_resolution, seed=seed)[..., :1]


class _Stock:
    """A child as stock Keras layers that hold slices of the shared weights."""

    def __init__(self, network: ResidualNetwork, child: Architecture, given: np.ndarray) -> None:
        self._network, self._given = network, given
        self._table = blocks.resolve_child(SPACE, child)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        network, table = self._network, self._table
        width = table.stem_width
        x = self._convolved(network.stem_conv, network.stem_norm, images, 1, width)
        x = tf.nn.relu(x)
        for layer, block in zip(network.blocks, table.blocks, strict=True):
            if not block.active:
                continue
            before, width = block.in_width, block.out_width
            y = self._convolved(layer.first_conv, layer.first_norm, x, before, width, block.stride)
            y = tf.nn.relu(y)
            y = self._convolved(layer.second_conv, layer.second_norm, y, width, width)
            if block.stride == 2:
                x = tf_keras.layers.AveragePooling2D(2)(x)
            kept = x[..., :width]
            x = tf.nn.relu(y + tf.pad(kept, [[0, 0]] * 3 + [[0, width - kept.shape[-1]]]))
        dense = tf_keras.layers.Dense(residual_network.CLASSES)
        dense.build([None, width])
        dense.set_weights([network.classifier.kernel.numpy()[:width], network.classifier.bias])
        return dense(tf_keras.layers.GlobalAveragePooling2D()(x))

    def _convolved(
        self,
        conv: ElasticConvolution,
        norm: ElasticBatchNorm,
        x: tf.Tensor,
        before: int,
        width: int,
        stride: int = 1,
    ) -> tf.Tensor:
        """A convolution and its batch norm with the given statistics."""
        if stride == 2:
            x = tf_keras.layers.ZeroPadding2D(1)(x)
        padding = "valid" if stride == 2 else "same"
        stock_conv = tf_keras.layers.Conv2D(width, 3, stride, padding, use_bias=False)
        stock_conv.build(x.shape)
        stock_conv.set_weights([conv.kernel.numpy()[:, :, :before, :width]])
        stock_norm = tf_keras.layers.BatchNormalization(epsilon=1e-3)
        y = stock_conv(x)
        stock_norm.build(y.shape)
        own = self._given[:, norm.offset : norm.offset + width]
        stock_norm.set_weights([norm.gamma.numpy()[:width], norm.beta.numpy()[:width], *own])
        return stock_norm(y, training=False)


@pytest.mark.parametrize("child", CHILDREN)
def test_slices_masks_and_a_stock_network_agree(pair: Pair, child: Architecture) -> None:
    sliced, masked = pair
    code = helpers.code_of(SPACE, child)
    images = _images()
    statistics = sliced.moments(_images(seed=1), child)
    expected = _Stock(sliced, child, statistics.numpy()).logits(images).numpy()
    assert np.ptp(expected) > 0.1
    for network, choice in ((sliced, child), (sliced, code), (masked, code)):
        logits = network(images, choice, statistics=statistics).numpy()
        assert helpers.relative_difference([logits], [expected]) < LOGITS


@pytest.mark.parametrize("child", CHILDREN)
def test_moments_and_gradients_of_slices_and_masks_agree(pair: Pair, child: Architecture) -> None:
    code, gradients, used = helpers.code_of(SPACE, child), [], []
    for network in pair:
        with tf.GradientTape() as tape:
            loss = helpers.loss_of(network(_images(), code), helpers.labels_for())
        zero = tf.UnconnectedGradients.ZERO
        found = tape.gradient(loss, network.trainable_weights, unconnected_gradients=zero)
        gradients.append([gradient.numpy() for gradient in found])
        used.append(network.moments(_images(), code).numpy())
    assert helpers.relative_difference(gradients[1], gradients[0]) < GRADIENTS
    assert used[0].shape == (2, network.statistics_width)
    table = blocks.resolve_child(SPACE, child)
    for layer, block in zip(network.blocks, table.blocks, strict=True):
        if block.active:
            own = slice(layer.first_norm.offset, layer.first_norm.offset + block.out_width)
            np.testing.assert_allclose(used[0][:, own], used[1][:, own], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("child", CHILDREN)
def test_costs_are_those_of_the_graph(child: Architecture) -> None:
    network = ResidualNetwork()
    images = tf.TensorSpec([1, child.resolution, child.resolution, 1])
    graph = tf.function(lambda x: network(x, child)).get_concrete_function(images).graph
    convolved = [each for each in graph.get_operations() if each.type == "Conv2D"]
    macs = network.classifier.kernel.shape[1] * child.widths[-1][-1]
    for each in convolved:
        macs += np.prod(each.outputs[0].shape[1:]) * np.prod(each.inputs[1].shape[:3])
    assert network.cost_of(child).macs == macs


def test_parameters_of_the_biggest_are_all_weights_and_moments() -> None:
    network = ResidualNetwork()
    learnt = sum(int(np.prod(each.shape)) for each in network.trainable_weights)
    counted = network.cost_of(SPACE.biggest())
    assert counted.params == learnt + 2 * network.statistics_width
    # Where the second stage begins: its input, pooled as its shortcut, and both its features.
    assert counted.peak_activation_bytes == 4 * (8 * 8 * 16 + 2 * 8 * 8 * 16)


def test_a_code_may_be_of_any_integers(pair: Pair) -> None:
    child, images = CHILDREN[0], _images()
    code = SPACE.encode(child)
    expected = pair[0](images, tf.constant(code)).numpy()
    for form in (tf.constant(code, tf.int64), code.astype(np.int64), code.tolist()):
        np.testing.assert_array_equal(pair[0](images, form), expected)


def test_batch_norms_that_share_places_are_named() -> None:
    network = ResidualNetwork()
    network.stem_norm.offset = 4
    with pytest.raises(ValueError, match="channels end at 20, beyond the offset 16 of the next"):
        network.moments(_images(), SPACE.biggest())
    network.stem_norm.offset = network.blocks[0].first_norm.offset
    with pytest.raises(ValueError, match="two batch norms have the offset 16"):
        network.moments(_images(), SPACE.biggest())
    network.stem_norm.offset = 0
    network.statistics_width -= 1
    with pytest.raises(ValueError, match="beyond statistics_width, "):
        network.moments(_images(), SPACE.biggest())


@pytest.mark.slow
def test_it_learns_by_the_sandwich_rule() -> None:
    # Tracing takes its time by blocks.
    stage = dataclasses.replace(SPACE.stages[1], depths=(1,))
    network = ResidualNetwork(dataclasses.replace(SPACE, stages=(stage,)))
    lines: list[str] = []
    residual_network.train(network, steps=40, show=lines.append)
    first, last = (
        {role: float(loss) for role, loss in re.findall(r"(\w+) (\d+\.\d+)", line)}
        for line in lines
    )
    assert list(first) == list(last) == ["biggest", "smallest", "random1", "random2"]
    assert sum(last.values()) < 0.95 * sum(first.values())


def test_the_example_stays_as_short_as_the_manual_says() -> None:
    assert len(pathlib.Path(residual_network.__file__).read_text().splitlines()) < 180
