"""What batch norm does beyond the stock layer: given statistics, and recording moments."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers import batch_norm, elastic
from tests.layers import groups
from tests.modeling import replicas
from tests.processes import Process
from tools.tpu.replicas import ReplicaStrategy

WIDTH, OFFSET, TOTAL = 6, 3, 12


def _layer() -> batch_norm.ElasticBatchNorm:
    layer = batch_norm.ElasticBatchNorm(WIDTH, OFFSET)
    rng = np.random.default_rng(0)
    layer.gamma.assign(rng.uniform(0.5, 1.5, WIDTH))
    layer.beta.assign(rng.normal(size=WIDTH))
    return layer


def _input(width: int) -> np.ndarray:
    return np.random.default_rng(1).normal(2.0, 3.0, (4, 5, 5, width)).astype(np.float32)


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
@pytest.mark.parametrize("width", [4, WIDTH])
def test_given_statistics_are_read_at_the_offset(width: int, masked: bool) -> None:
    layer, x = _layer(), _input(WIDTH)
    x[..., width:] = 0.0
    statistics = np.random.default_rng(2).uniform(0.5, 2.0, (2, TOTAL)).astype(np.float32)
    forward = elastic.Pass(masked=masked, statistics=tf.constant(statistics))
    y = layer(tf.constant(x if masked else x[..., :width]), tf.constant(width), forward)

    mean, variance = statistics[:, OFFSET : OFFSET + width]
    expected = (x[..., :width] - mean) / np.sqrt(variance + 1e-3)
    expected = expected * layer.gamma.numpy()[:width] + layer.beta.numpy()[:width]
    # The layer folds the mean into the offset: two float32 roundings of values up to 30.
    np.testing.assert_allclose(y[..., :width], expected, rtol=0, atol=1e-5)
    assert not y.numpy()[..., width:].any()


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_recorded_moments_are_biased_and_zero_past_the_width(masked: bool, dtype: tf.DType) -> None:
    layer, width = _layer(), 4
    # Float32 takes the fused op and bfloat16 the moments: both must record the same.
    x = tf.cast(_input(WIDTH), dtype) * elastic.mask(width, WIDTH, dtype)
    recorded: dict[int, tf.Tensor] = {}
    forward = elastic.Pass(masked=masked, recorded=recorded)
    layer(x if masked else x[..., :width], tf.constant(width), forward)

    (offset, moments), *others = recorded.items()
    assert not others
    assert offset == OFFSET
    exact = tf.cast(x, tf.float64).numpy()
    expected = np.stack([exact.mean((0, 1, 2)), exact.var((0, 1, 2))])
    # Means of 100 values around 2 with a variance of 9, in float32.
    np.testing.assert_allclose(moments, expected, rtol=0, atol=1e-5)
    assert not moments.numpy()[:, width:].any()


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_a_local_pass_takes_the_moments_of_its_own_replica(dtype: tf.DType) -> None:
    # Again the fused op and the moments. Each replica has half of the images.
    strategy, x = replicas.two_cpus(), tf.cast(_input(WIDTH), dtype)
    with strategy.scope():
        layer = _layer()

    @tf.function
    def moments() -> tuple[tf.Tensor, ...]:
        def on_one() -> tf.Tensor:
            start = 2 * tf.distribute.get_replica_context().replica_id_in_sync_group
            recorded: dict[int, tf.Tensor] = {}
            layer(x[start : start + 2], WIDTH, elastic.Pass(recorded=recorded, norm_replicas=1))
            return recorded[OFFSET]

        return strategy.experimental_local_results(strategy.run(on_one))

    for found, own in zip(moments(), np.split(tf.cast(x, tf.float64).numpy(), 2), strict=True):
        expected = np.stack([own.mean((0, 1, 2)), own.var((0, 1, 2))])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("norm_replicas", [1, 2])
def test_a_group_of_replicas_is_one_device_with_its_images(norm_replicas: int) -> None:
    assert groups.difference(replicas.two_cpus(), norm_replicas) < groups.TOLERANCE


def test_the_group_of_all_replicas_is_the_default() -> None:
    strategy = replicas.two_cpus()
    for named, default in zip(
        groups.on_replicas(strategy, 2), groups.on_replicas(strategy, 0), strict=True
    ):
        np.testing.assert_array_equal(named, default)


@pytest.mark.slow
def test_four_replicas_in_groups_of_two() -> None:
    with Process("tests.layers.groups") as four:
        code, stderr = four.end()
    assert code == 0, stderr
    assert float(four.lines[-1]) < groups.TOLERANCE


def test_a_large_mean_costs_no_digits() -> None:
    # In float32 the mean of squares minus the square of the mean would be 0 or worse here.
    rng = np.random.default_rng(0)
    x = (rng.integers(-8, 9, (8, 8, 8, WIDTH)) / 4 + 1000).astype(np.float32)
    y = _layer()(tf.constant(x), WIDTH, elastic.Pass())
    layer = _layer()
    exact = x.astype(np.float64)
    expected = (exact - exact.mean((0, 1, 2))) / np.sqrt(exact.var((0, 1, 2)) + 1e-3)
    expected = expected * layer.gamma.numpy() + layer.beta.numpy()
    # A mean near 1000 is known to 6e-5 in float32.
    np.testing.assert_allclose(y, expected, rtol=0, atol=5e-4)


def test_a_large_mean_costs_no_digits_in_bfloat16() -> None:
    # 192 is the middle of the values that bfloat16 has in steps of 1: a mean of 40 deviations.
    values = 192 + np.random.default_rng(0).integers(-8, 9, (8, 32, 32, WIDTH))
    recorded: dict[int, tf.Tensor] = {}
    _layer()(tf.constant(values, tf.bfloat16), WIDTH, elastic.Pass(recorded=recorded))
    # One pass, by the sum of the squares, would be wrong by some per cent.
    np.testing.assert_allclose(recorded[OFFSET][1], values.var((0, 1, 2)), rtol=1e-4)


def test_replicas_reduce_twice_forward_and_once_backward() -> None:
    strategy = ReplicaStrategy(2)
    with strategy.scope():
        layer = _layer()

    @tf.function(autograph=False)
    def gradients(x: tf.Tensor) -> list[tf.Tensor]:
        def on_one() -> list[tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, WIDTH, elastic.Pass())
            return tape.gradient(y, [x, layer.gamma, layer.beta])

        return strategy.run(on_one)

    graph = gradients.get_concrete_function(tf.TensorSpec([2, 3, 3, WIDTH], tf.bfloat16)).graph
    reductions = [each for each in graph.get_operations() if each.type == "XlaAllReduce"]
    assert [each.inputs[0].shape.as_list() for each in reductions] == [
        [WIDTH],
        [WIDTH],
        [2, WIDTH],
    ]


@pytest.mark.parametrize("zero", [False, True])
def test_gamma_starts_at_0_or_1_and_beta_at_0(zero: bool) -> None:
    layer = batch_norm.ElasticBatchNorm(WIDTH, 0, zero_gamma=zero)
    np.testing.assert_array_equal(layer.gamma, np.full(WIDTH, 0.0 if zero else 1.0))
    np.testing.assert_array_equal(layer.beta, np.zeros(WIDTH))


def _moments_norm(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float = 1e-3
) -> tf.Tensor:
    """Batch norm spelled out, whose gradient comes from nothing but basic operations."""
    mean = tf.reduce_mean(x, [0, 1, 2])
    variance = tf.reduce_mean(tf.square(x - mean), [0, 1, 2])
    return gamma * (x - mean) / tf.sqrt(variance + epsilon) + beta


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
@pytest.mark.parametrize("width", [1, 4, WIDTH])
def test_the_gradient_equals_the_gradient_of_plain_moments(width: int, dtype: tf.DType) -> None:
    # Float32 takes the fused op, bfloat16 the gradient of this layer.
    layer, x = _layer(), tf.cast(_input(width), dtype)
    # Eighths, which bfloat16 has exactly, as the gradient that arrives at the layer.
    factors = np.random.default_rng(3).integers(-16, 17, x.shape) / 8
    sources = [x, layer.gamma, layer.beta]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, tf.constant(width), elastic.Pass())
    found = tape.gradient(y, sources, tf.constant(factors, dtype))

    # In float64, so that all of the difference is the layer's.
    exact = [tf.cast(x, tf.float64)]
    exact += [tf.cast(tensor[:width], tf.float64) for tensor in (layer.gamma, layer.beta)]
    with tf.GradientTape() as tape:
        tape.watch(exact)
        loss = tf.reduce_sum(_moments_norm(*exact) * factors)
    plain = tape.gradient(loss, exact)
    assert found[0].dtype == dtype
    # Sums of 100 float32 products of size 1; bfloat16 rounds the gradient of x itself to 8 bits.
    rounding = [2.0**-8 if dtype == tf.bfloat16 else 1e-5, 1e-5, 1e-5]
    for one, other, relative in zip(found, plain, rounding, strict=True):
        one = tf.cast(one, tf.float32).numpy()
        np.testing.assert_allclose(one[..., :width], other, rtol=relative, atol=2e-5)
        assert not one[..., width:].any()
