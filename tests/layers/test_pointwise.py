"""The 1x1 convolution that XLA compiles, against the matrix product of a CPU."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers import elastic, pointwise

WIDEST = 136  # more than the lanes of a TPU


def _run(layer: pointwise.ElasticPointwise, width: int, forward: elastic.Pass) -> list[tf.Tensor]:
    """Result and gradients of one call."""
    x = tf.constant(np.random.default_rng(1).normal(size=(2, 3, 5, 8)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, 8, width, forward)
        loss = tf.reduce_sum(tf.square(y))
    return [y, *tape.gradient(loss, [x, layer.kernel])]


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
@pytest.mark.parametrize("width", [130, WIDEST])
def test_compiled_equals_not_compiled(width: int, masked: bool) -> None:
    layer = pointwise.ElasticPointwise(8, WIDEST)
    one, other = (
        _run(layer, width, elastic.Pass(masked=masked, compiled=compiled))
        for compiled in (False, True)
    )
    for plain, compiled in zip(one, other, strict=True):
        # Float32 sums of up to 136 products of size 1 in another order.
        np.testing.assert_allclose(plain, compiled, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_an_input_of_other_channels_is_refused(masked: bool) -> None:
    """Else a batch of unknown size would become one of another size."""
    layer = pointwise.ElasticPointwise(8, 16)
    spec = tf.TensorSpec([None, 3, 5, 4])
    traced = tf.function(lambda x: layer(x, 8, 16, elastic.Pass(masked=masked)))
    with pytest.raises(ValueError, match="width is 8; the input has 4 channels"):
        traced.get_concrete_function(spec)


@pytest.mark.parametrize(
    ("compiled", "widest", "kind"),
    [(True, WIDEST, "Conv2D"), (True, 128, "MatMul"), (False, WIDEST, "MatMul")],
)
def test_only_what_is_compiled_and_wide_is_a_convolution(
    compiled: bool, widest: int, kind: str
) -> None:
    layer = pointwise.ElasticPointwise(8, widest)
    traced = tf.function(lambda x: layer(x, 8, widest, elastic.Pass(compiled=compiled)))
    graph = traced.get_concrete_function(tf.TensorSpec([2, 3, 5, 8])).graph
    kinds = {each.type for each in graph.get_operations()} & {"Conv2D", "MatMul"}
    assert kinds == {kind}
