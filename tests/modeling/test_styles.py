"""Spaces of other families of networks: what holds of the paper's holds of theirs."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers
from tests.search_space import spaces

pytestmark = pytest.mark.slow

# As in test_executions: sums in another order, enlarged by batch norms.
LOGITS = 5e-6
GRADIENTS = 2e-4

every_style = pytest.mark.parametrize(
    "space", [spaces.attentive(), spaces.mobile()], ids=lambda space: space.name
)


@functools.cache
def _supernet(space: SearchSpace, execution: str) -> Supernet:
    return helpers.supernet_of(space, execution)


def _children(space: SearchSpace) -> list[Architecture]:
    """The biggest, and two whose skips have convolutions, and have none."""
    return [space.biggest(), *helpers.children_of(space, 2)]


@every_style
def test_masks_slices_and_stock_children_agree(space: SearchSpace) -> None:
    sliced, masked = (_supernet(space, execution) for execution in ("slice", "mask"))
    for child in _children(space):
        images, code = helpers.images_for(child.resolution), helpers.code_of(space, child)
        statistics = sliced.moments(helpers.images_for(child.resolution, seed=1), child)
        stock = slicing.sliced_child(sliced, child, statistics.numpy())
        expected = stock(images, training=False).numpy()
        assert np.ptp(expected) > 0.1
        assert cost.count(space, child, helpers.CLASSES).params == stock.count_params()
        for supernet, choice in ((sliced, child), (sliced, code), (masked, code)):
            logits = supernet(images, choice, statistics=statistics).numpy()
            assert helpers.relative_difference([logits], [expected]) < LOGITS


def _gradients(supernet: Supernet, child: Architecture) -> list[np.ndarray]:
    images, code = helpers.images_for(child.resolution), helpers.code_of(supernet.space, child)
    with tf.GradientTape() as tape:
        loss = helpers.loss_of(supernet(images, code), helpers.labels_for())
    zero = tf.UnconnectedGradients.ZERO
    found = tape.gradient(loss, supernet.trainable_weights, unconnected_gradients=zero)
    return [gradient.numpy() for gradient in found]


@every_style
def test_gradients_of_masks_and_slices_agree(space: SearchSpace) -> None:
    child = _children(space)[-1]
    one, other = (_gradients(_supernet(space, how), child) for how in ("slice", "mask"))
    assert helpers.relative_difference(one, other) < GRADIENTS
