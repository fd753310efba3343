"""Mask, slice, a static architecture and a stock child are one and the same function."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import blocks, cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers
from tests.modeling.compiled import Compiled
from tests.search_space import spaces

pytestmark = pytest.mark.slow

# float32 has 7 digits. A batch norm divides by the deviation of few values, and one after the
# other up to 20 of them enlarge differences in the order of sums. Gradients are compared weight
# by weight, and some are small sums of large terms.
LOGITS = 5e-6
GRADIENTS = 2e-4

Pair = tuple[Compiled, Compiled]


def compact() -> SearchSpace:
    """`tiny` without the blocks that repeat what others show: tracing takes its time by blocks."""
    space = spaces.tiny()
    depths = ((1,), (1, 2), (1, 2))
    stages = zip(space.stages, depths, strict=True)
    shorter = tuple(dataclasses.replace(stage, depths=depth) for stage, depth in stages)
    return dataclasses.replace(space, name="compact", stages=shorter)


def same_padded() -> SearchSpace:
    """The stage of `compact` that has a stride, where TensorFlow's own padding differs."""
    space = compact()
    return dataclasses.replace(space, name="same_padded", stages=space.stages[1:2], padding="same")


@pytest.fixture(scope="module", params=[compact, same_padded], ids=lambda make: make.__name__)
def pair(request: pytest.FixtureRequest) -> Pair:
    """The same weights sliced and masked; tracing takes seconds, so tests share them."""
    make: Callable[[], SearchSpace] = request.param
    return Compiled(make(), "slice"), Compiled(make(), "mask")


def _children(space: SearchSpace) -> list[Architecture]:
    return [space.smallest(), space.biggest(), *helpers.children_of(space, 2)]


@functools.cache
def _moments(supernet: Supernet, child: Architecture, seed: int) -> np.ndarray:
    return supernet.moments(helpers.images_for(child.resolution, seed=seed), child).numpy()


# Building takes longer than running; whoever uses a child sets all of its weights first.
@functools.cache
def _built(space: SearchSpace, child: Architecture) -> tf_keras.Model:
    return child_lib.build_child(space, child, helpers.CLASSES)


def _stock(supernet: Supernet, child: Architecture, statistics: np.ndarray) -> tf_keras.Model:
    stock = _built(supernet.space, child)
    slicing.transfer(supernet, child, statistics, stock)
    return stock


def test_the_two_supernets_hold_equal_weights(pair: Pair) -> None:
    sliced, masked = (compiled.supernet.get_weights() for compiled in pair)
    for one, other in zip(sliced, masked, strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_four_agree_with_the_batchs_moments(pair: Pair) -> None:
    sliced, masked = pair
    for child in _children(sliced.supernet.space):
        images = helpers.images_for(child.resolution)
        statistics = _moments(sliced.supernet, child, seed=1)
        expected = _stock(sliced.supernet, child, statistics)(images, training=True).numpy()
        assert np.ptp(expected) > 0.1
        for logits in (
            sliced.step(images, child)[0],
            masked.step(images, child)[0],
            sliced.supernet(images, child).numpy(),
            masked.supernet(images, child).numpy(),
        ):
            assert helpers.relative_difference([logits], [expected]) < LOGITS


def test_all_four_agree_with_calibrated_statistics(pair: Pair) -> None:
    sliced, masked = pair
    for child in _children(sliced.supernet.space):
        images = helpers.images_for(child.resolution)
        statistics = _moments(sliced.supernet, child, seed=1)
        expected = _stock(sliced.supernet, child, statistics)(images, training=False).numpy()
        other = sliced.supernet(images, child).numpy()
        assert helpers.relative_difference([other], [expected]) > 100 * LOGITS
        for logits in (
            sliced.calibrated(images, child, statistics),
            masked.calibrated(images, child, statistics),
            sliced.supernet(images, child, statistics=statistics).numpy(),
        ):
            assert helpers.relative_difference([logits], [expected]) < LOGITS


def test_gradients_of_mask_and_slice_agree(pair: Pair) -> None:
    sliced, masked = pair
    for child in _children(sliced.supernet.space):
        images = helpers.images_for(child.resolution)
        (_, one), (_, other) = sliced.step(images, child), masked.step(images, child)
        assert helpers.relative_difference(one, other) < GRADIENTS


def _used(holder: Supernet, child: Architecture) -> list[np.ndarray]:
    """Which elements of each weight a child uses; overwrites the weights of `holder`."""
    first, numbers = 1, []
    for weight in holder.trainable_weights:
        numbers.append(np.arange(first, first + math.prod(weight.shape)).reshape(weight.shape))
        first += math.prod(weight.shape)
        weight.assign(numbers[-1])
    assert first < 2**24  # float32 holds each number exactly
    stock = _stock(holder, child, np.zeros([2, holder.statistics_width]))
    used = np.concatenate([weight.numpy().ravel() for weight in stock.trainable_weights])
    return [np.isin(array, used) for array in numbers]


def test_weights_outside_the_child_get_no_gradient(pair: Pair) -> None:
    space = pair[0].supernet.space
    holder = helpers.supernet_of(space)
    for child in _children(space):
        images, used = helpers.images_for(child.resolution), _used(holder, child)
        for compiled in pair:
            for gradient, inside in zip(compiled.step(images, child)[1], used, strict=True):
                assert not gradient[~inside].any()
                assert gradient[inside].any() or not inside.any()


def test_one_trace_serves_children_of_every_resolution(pair: Pair) -> None:
    space = pair[0].supernet.space
    resolutions = itertools.cycle(space.eval_resolutions)
    drawn = helpers.children_of(space, 6, seed=3)
    children = [space.with_resolution(c, r) for c, r in zip(drawn, resolutions, strict=False)]
    for compiled in pair:
        logits = [
            compiled.step(helpers.images_for(child.resolution), child)[0] for child in children
        ]
        assert compiled.traces == 1
        assert np.isfinite(logits).all()
        assert len({array.tobytes() for array in logits}) == len(children)


class PlainNorm(tf_keras.layers.Layer):
    """Batch norm from moments, in operations whose gradients TensorFlow derives."""

    def build(self, shape: tf.TensorShape) -> None:
        self.gamma = self.add_weight("gamma", shape[-1:])
        self.beta = self.add_weight("beta", shape[-1:])

    def call(self, x: tf.Tensor) -> tf.Tensor:
        mean = tf.reduce_mean(x, [0, 1, 2])
        variance = tf.reduce_mean(tf.square(x - mean), [0, 1, 2])
        return self.gamma * (x - mean) / tf.sqrt(variance + spaces.tiny().style.epsilon) + self.beta


def _plain_gradients(stock: tf_keras.Model, images: tf.Tensor) -> list[np.ndarray]:
    """Gradients of a stock child whose batch norms are replaced by `PlainNorm`."""

    def replace(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        if isinstance(layer, tf_keras.layers.BatchNormalization):
            return PlainNorm(name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    plain = tf_keras.models.clone_model(stock, clone_function=replace)
    for target, source in zip(plain.trainable_weights, stock.trainable_weights, strict=True):
        target.assign(source)
    with tf.GradientTape() as tape:
        loss = helpers.loss_of(plain(images), helpers.labels_for())
    return [gradient.numpy() for gradient in tape.gradient(loss, plain.trainable_weights)]


def test_gradients_equal_a_stock_childs_with_plain_batch_norms(pair: Pair) -> None:
    sliced, _ = pair
    supernet = sliced.supernet
    # Holds gradients in place of weights, so that `transfer` cuts the child's out of them.
    holder = helpers.supernet_of(supernet.space)
    for child in _children(supernet.space):
        images = helpers.images_for(child.resolution)
        statistics = _moments(supernet, child, seed=1)
        expected = _plain_gradients(_stock(supernet, child, statistics), images)
        _, gradients = sliced.step(images, child)
        for weight, gradient in zip(holder.trainable_weights, gradients, strict=True):
            weight.assign(gradient)
        actual = [weight.numpy() for weight in _stock(holder, child, statistics).trainable_weights]
        assert helpers.relative_difference(actual, expected) < GRADIENTS


def _norms_in_use(supernet: Supernet, child: Architecture) -> list[tuple[str, ElasticBatchNorm]]:
    """The batch norms a child runs, with the names of their layers in the stock child."""
    found = [("stem_norm", supernet.stem_norm), ("head_norm", supernet.head_norm)]
    table = blocks.resolve_child(supernet.space, child)
    for layer, block in zip(supernet.blocks, table.blocks, strict=True):
        names = ["depthwise_norm", "project_norm"]
        names += ["expand_norm"] * block.expands + ["skip_norm"] * (block.skip == "projected")
        found += [(f"{block.name}_{n}", getattr(layer, n)) for n in names if block.active]
    return found


def test_moments_are_those_of_each_norms_input_in_the_stock_child(pair: Pair) -> None:
    supernet = pair[0].supernet
    for child in _children(supernet.space):
        images = helpers.images_for(child.resolution)
        stock = _stock(supernet, child, _moments(supernet, child, seed=1))
        norms = _norms_in_use(supernet, child)
        probe = tf_keras.Model(stock.inputs, [stock.get_layer(name).input for name, _ in norms])
        entering = probe(images, training=True)
        static = supernet.moments(images, child).numpy()
        sliced, masked = (compiled.moments(images, child) for compiled in pair)
        for (_, norm), x in zip(norms, entering, strict=True):
            exact, width = x.numpy().astype(np.float64), x.shape[-1]
            expected = np.stack([exact.mean((0, 1, 2)), exact.var((0, 1, 2))])
            for record in (static, sliced, masked):
                own = record[:, norm.offset : norm.offset + norm.width]
                # Inputs of a deep norm differ by LOGITS already; a variance squares them.
                np.testing.assert_allclose(own[:, :width], expected, rtol=1e-4, atol=1e-4)
                # A masked convolution fills channels that only its batch norm silences.
                assert record is masked or not own[:, width:].any()


def test_a_static_child_records_zeros_for_blocks_left_out(pair: Pair) -> None:
    supernet = pair[0].supernet
    child = supernet.space.smallest()
    record = _moments(supernet, child, seed=0)
    assert record.shape == (2, supernet.statistics_width)
    left_out = [
        layer
        for layer, block in zip(
            supernet.blocks, blocks.resolve_child(supernet.space, child).blocks, strict=True
        )
        if not block.active
    ]
    assert left_out
    for layer in left_out:
        start = layer.expand_norm.offset if layer.widest.expands else layer.depthwise_norm.offset
        assert not record[:, start : start + layer.norm_width].any()


def test_statistics_have_one_column_a_channel_and_no_gap(pair: Pair) -> None:
    supernet = pair[0].supernet
    norms = [norm for _, norm in _norms_in_use(supernet, supernet.space.biggest())]
    ends = sorted((norm.offset, norm.offset + norm.width) for norm in norms)
    assert ends[0][0] == 0
    assert ends[-1][1] == supernet.statistics_width
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))


def test_a_stock_child_has_the_parameters_that_were_counted(pair: Pair) -> None:
    space = pair[0].supernet.space
    for child in _children(space):
        stock = _built(space, child)
        counted = cost.count(space, child, helpers.CLASSES)
        assert stock.count_params() == counted.params
        assert _multiply_adds(stock) == counted.macs


def _multiply_adds(model: tf_keras.Model) -> int:
    """Each weight of a kernel is used once at each place of its layer's output."""
    total = 0
    for layer in model.layers:
        kernels = [weight for weight in layer.weights if "kernel" in weight.name]
        places = math.prod(layer.output_shape[1:-1]) if kernels else 0
        total += sum(places * math.prod(kernel.shape) for kernel in kernels)
    return total
