"""Spaces of other families of networks: what holds of the paper's holds of theirs."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.modeling import slicing
from bignas_tf.search_space import cost
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers
from tests.search_space import spaces

# As in test_executions: sums in another order, enlarged by batch norms.
LOGITS = 5e-6
GRADIENTS = 2e-4


def _children(space: SearchSpace) -> list[Architecture]:
    return [space.smallest(), space.biggest(), *helpers.children_of(space, 2)]


every_style = pytest.mark.parametrize(
    "space", [spaces.attentive(), spaces.mobile()], ids=lambda space: space.name
)


@every_style
def test_masks_slices_and_stock_children_agree(space: SearchSpace) -> None:
    sliced, masked = (helpers.supernet_of(space, execution) for execution in ("slice", "mask"))
    for child in _children(space):
        images, code = helpers.images_for(child.resolution), helpers.code_of(space, child)
        statistics = sliced.moments(helpers.images_for(child.resolution, seed=1), child)
        stock = slicing.sliced_child(sliced, child, statistics.numpy())
        expected = stock(images, training=False).numpy()
        assert np.ptp(expected) > 0.1
        for supernet, choice in ((sliced, child), (sliced, code), (masked, code)):
            logits = supernet(images, choice, statistics=statistics).numpy()
            assert helpers.relative_difference([logits], [expected]) < LOGITS


@every_style
def test_gradients_of_masks_and_slices_agree(space: SearchSpace) -> None:
    for child in _children(space)[2:]:
        images, code = helpers.images_for(child.resolution), helpers.code_of(space, child)
        gradients = []
        for execution in ("slice", "mask"):
            supernet = helpers.supernet_of(space, execution)
            with tf.GradientTape() as tape:
                loss = helpers.loss_of(supernet(images, code), helpers.labels_for())
            found = tape.gradient(
                loss,
                supernet.trainable_weights,
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            gradients.append([gradient.numpy() for gradient in found])
        assert helpers.relative_difference(*gradients) < GRADIENTS


@every_style
def test_costs_are_those_of_the_stock_child(space: SearchSpace) -> None:
    supernet = helpers.supernet_of(space)
    for child in _children(space):
        stock = slicing.sliced_child(supernet, child, slicing.uncalibrated(supernet))
        counted = cost.count(space, child, helpers.CLASSES)
        assert counted.params == stock.count_params()
