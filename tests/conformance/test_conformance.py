"""Every elastic layer through every check."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from bignas_tf.layers import elastic
from tests.conformance.cases import Case, Choice, Layers, layer_cases
from tests.conformance.mbconv_cases import mbconv_cases

BATCH = 3
SLICE, MASK = elastic.Pass(masked=False), elastic.Pass(masked=True)

# Sums in another order, and a batch norm that divides by a small deviation: float32 carries
# 7 digits.
FLOAT32 = 2e-5
# bfloat16 rounds each of a block's ten operations to 8 bits, 0.4%; their errors add up.
BFLOAT16 = 3e-2


def _parameter(*values: Any) -> Any:
    case, choice, *rest = values
    return pytest.param(*values, id="-".join(map(str, [case.name, *choice.values(), *rest])))


ALL = [(case, choice) for case in (*layer_cases(), *mbconv_cases()) for choice in case.choices]
every_case = pytest.mark.parametrize(("case", "choice"), [_parameter(*pair) for pair in ALL])
every_case_and_side = pytest.mark.parametrize(
    ("case", "choice", "side"),
    [_parameter(*pair, side) for pair in ALL for side in pair[0].sides],
)


@pytest.fixture
def mixed_bfloat16() -> Iterator[None]:
    tf_keras.mixed_precision.set_global_policy("mixed_bfloat16")
    yield
    tf_keras.mixed_precision.set_global_policy("float32")


def _weights(layers: Layers) -> list[tf.Variable]:
    return [weight for layer in layers for weight in layer.trainable_weights]


def _randomise(layers: Layers, rng: np.random.Generator) -> None:
    """Weights of size 1/2 to 1, so that no gamma, beta or bias hides what a slice leaks."""
    for weight in _weights(layers):
        sign = 1.0 if "gamma" in weight.name else rng.choice([-1.0, 1.0], weight.shape)
        weight.assign(sign * rng.uniform(0.5, 1.0, weight.shape))


def _input(case: Case, choice: Choice, side: int, rng: np.random.Generator) -> np.ndarray:
    shape = (BATCH, choice["in"]) if case.pooled else (BATCH, side, side, choice["in"])
    return rng.normal(size=shape).astype(np.float32)


def _widen(x: np.ndarray, width: int) -> np.ndarray:
    """What a masked layer is given: zeros past the width."""
    return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, width - x.shape[-1])])


def _tensors(choice: Choice) -> dict[str, Any]:
    return {name: tf.constant(value) for name, value in choice.items()}


def _masked_input(case: Case, x: np.ndarray) -> np.ndarray:
    return _widen(x, max(choice["in"] for choice in case.choices))


def _gradients(y: tf.Tensor, tape: tf.GradientTape, sources: list[Any], width: int) -> list[Any]:
    """Gradients of a sum in which every active output counts differently."""
    shape = (*y.shape[:-1], width)
    factors = np.random.default_rng(7).normal(size=shape).astype(np.float32)
    with tape:
        loss = tf.reduce_sum(tf.cast(y, tf.float32)[..., :width] * factors)
    return tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)


def _run_elastic(
    case: Case, layers: Layers, x: np.ndarray, choice: Choice, masked: bool
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Outputs, and gradients of the input and of every weight at its widest."""
    image = tf.constant(_masked_input(case, x) if masked else x)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        y = case.run(layers, image, _tensors(choice), MASK if masked else SLICE)
    gradients = _gradients(y, tape, [image, *_weights(layers)], choice["out"])
    return y.numpy(), [gradient.numpy() for gradient in gradients]


def _run_stock(
    case: Case, layers: Layers, x: np.ndarray, choice: Choice
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same of stock layers that hold the slices of the elastic layers' weights."""
    stock, image = case.stock_layers(choice), tf.constant(x)
    case.stock_run(stock, image, choice)
    for weight, source, part in zip(
        _weights(stock), _weights(layers), case.slices(choice), strict=True
    ):
        weight.assign(tf.reshape(source.numpy()[part], weight.shape))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        y = case.stock_run(stock, image, choice)
    gradients = _gradients(y, tape, [image, *_weights(stock)], choice["out"])
    return y.numpy(), [gradient.numpy() for gradient in gradients]


def _assert_close(actual: np.ndarray, expected: np.ndarray, tolerance: float) -> None:
    """Compares against the largest value: single ones may be sums that cancel."""
    assert actual.shape == expected.shape
    scale = max(1.0, float(np.abs(expected).max(initial=0.0)))
    np.testing.assert_allclose(
        np.asarray(actual, np.float32), expected, rtol=0.0, atol=tolerance * scale
    )


def _made(case: Case, choice: Choice, side: int) -> tuple[Layers, np.ndarray]:
    rng = np.random.default_rng(0)
    layers = case.build()
    _randomise(layers, rng)
    return layers, _input(case, choice, side, rng)


class Run(NamedTuple):
    """Elastic layers after one pass: `_run_elastic` of what `_made` gives."""

    layers: Layers
    x: np.ndarray
    y: np.ndarray
    gradients: list[np.ndarray]


_RUNS: dict[tuple[Any, ...], Run] = {}


def _run_once(case: Case, choice: Choice, side: int, masked: bool) -> Run:
    """A pass that several tests look at, and none changes: it takes longer than their looking."""
    key = (case.name, *choice.items(), side, masked)
    if key not in _RUNS:
        layers, x = _made(case, choice, side)
        _RUNS[key] = Run(layers, x, *_run_elastic(case, layers, x, choice, masked))
    return _RUNS[key]


@every_case_and_side
@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_it_equals_stock_layers_that_hold_the_slices(
    case: Case, choice: Choice, masked: bool, side: int
) -> None:
    layers, x, y, gradients = _run_once(case, choice, side, masked)
    expected_y, expected = _run_stock(case, layers, x, choice)
    _assert_close(y[..., : choice["out"]], expected_y, FLOAT32)
    _assert_close(gradients[0][..., : choice["in"]], expected[0], FLOAT32)
    for gradient, part, right in zip(gradients[1:], case.slices(choice), expected[1:], strict=True):
        _assert_close(gradient[part], right.reshape(gradient[part].shape), FLOAT32)


@every_case
@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_nothing_outside_the_slice_gets_a_gradient(
    case: Case, choice: Choice, masked: bool
) -> None:
    _, *gradients = _run_once(case, choice, 8, masked).gradients
    for each, part in zip(gradients, case.slices(choice), strict=True):
        gradient = each.copy()
        assert np.abs(gradient[part]).max() > 0.0
        gradient[part] = 0.0
        assert not gradient.any()


@every_case
def test_masked_channels_are_exactly_zero(case: Case, choice: Choice) -> None:
    y = _run_once(case, choice, 8, masked=True).y
    assert y.shape[-1] == max(other["out"] for other in case.choices)
    assert not y[..., choice["out"] :].any()
    assert y[..., : choice["out"]].any()


@every_case
@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_a_static_choice_equals_the_same_choice_as_tensors(
    case: Case, choice: Choice, masked: bool
) -> None:
    layers, x = _made(case, choice, 5)
    image = tf.constant(_masked_input(case, x) if masked else x)
    static = case.run(layers, image, choice, MASK if masked else SLICE)
    dynamic = case.run(layers, image, _tensors(choice), MASK if masked else SLICE)
    np.testing.assert_array_equal(static, dynamic)


@every_case
@pytest.mark.usefixtures("mixed_bfloat16")
def test_mixed_bfloat16_is_near_float32(case: Case, choice: Choice) -> None:
    layers, x = _made(case, choice, 8)
    rounded = tf.cast(x, tf.bfloat16)
    sliced = case.run(layers, rounded, _tensors(choice), SLICE)
    wide = tf.cast(_masked_input(case, rounded.numpy()), tf.bfloat16)
    masked = case.run(layers, wide, _tensors(choice), MASK)
    # Logits are float32 for the loss; all else is in the compute type.
    assert sliced.dtype == masked.dtype == (tf.float32 if case.pooled else tf.bfloat16)
    assert {weight.dtype for weight in _weights(layers)} == {tf.float32}

    tf_keras.mixed_precision.set_global_policy("float32")
    expected, _ = _run_stock(case, layers, tf.cast(rounded, tf.float32).numpy(), choice)
    _assert_close(tf.cast(sliced, tf.float32).numpy(), expected, BFLOAT16)
    _assert_close(tf.cast(masked, tf.float32).numpy()[..., : choice["out"]], expected, BFLOAT16)
