"""A block that some children leave out."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.layers import elastic
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.search_space.blocks import Block

WIDEST = Block(
    stage=1, layer=1, stride=1, symmetric=False, expands=True, skip="fitted", optional=True,
    active=True, kernel=5, in_width=6, mid_width=12, out_width=6, se_width=3,
)  # fmt: skip


def _chosen(active: bool) -> Block:
    """A row as a traced step sees it: tensors where children differ."""
    return dataclasses.replace(
        WIDEST,
        active=tf.constant(active),
        kernel=tf.constant(3),
        in_width=tf.constant(4),
        mid_width=tf.constant(8),
        out_width=tf.constant(4),
        se_width=tf.constant(2),
    )


def _layer_and_input(masked: bool) -> tuple[ElasticMBConv, tf.Tensor]:
    layer = ElasticMBConv(WIDEST, offset=0, zero_gamma=False)
    x = tf.random.stateless_normal([3, 5, 5, 4], [1, 2])
    return layer, elastic.fit_channels(x, 6) if masked else x


def test_the_block_names_itself_and_counts_its_norms() -> None:
    layer, _ = _layer_and_input(masked=False)
    assert layer.name == "stage2_block2"
    assert layer.norm_width == 12 + 12 + 6  # expand, depthwise, project


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_left_out_it_is_the_identity_without_gradients(masked: bool) -> None:
    layer, x = _layer_and_input(masked)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, _chosen(active=False), elastic.Pass(masked=masked))
        loss = tf.reduce_sum(y * 2.0)
    through, *gradients = tape.gradient(
        loss, [x, *layer.trainable_weights], unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(through[..., :4], np.full((3, 5, 5, 4), 2.0))
    assert not any(gradient.numpy().any() for gradient in gradients)


@pytest.mark.parametrize("masked", [False, True], ids=["slice", "mask"])
def test_active_it_equals_a_block_that_is_never_left_out(masked: bool) -> None:
    layer, x = _layer_and_input(masked)
    forward = elastic.Pass(masked=masked)
    optional = layer(x, _chosen(active=True), forward)
    always = layer(x, dataclasses.replace(_chosen(active=True), optional=False), forward)
    np.testing.assert_array_equal(optional, always)
    assert not np.array_equal(optional, x)
