"""Standalone models with a child's slice of the shared weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tf_keras

from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling import child_block
from bignas_tf.modeling.child_block import NamedWeights
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture


def sliced_child(
    supernet: Supernet, architecture: Architecture, statistics: np.ndarray
) -> tf_keras.Model:
    """A standalone child with its slice of the shared weights.

    Args:
      supernet: trained weights.
      architecture: the child's choices.
      statistics: float32 [2, supernet.statistics_width], calibrated for it.
    """
    child = child_lib.build_child(
        supernet.space, architecture, supernet.num_classes, supernet.input_channels
    )
    transfer(supernet, architecture, statistics, child)
    return child


def trainable_child(
    supernet: Supernet, architecture: Architecture, momentum: float
) -> tf_keras.Model:
    """An uncalibrated child to train: its batch norms average what they see, by `momentum`."""
    child = sliced_child(supernet, architecture, uncalibrated(supernet))
    child_lib.set_momentum(child, momentum)
    return child


def uncalibrated(supernet: Supernet) -> np.ndarray:
    """Statistics that normalise nothing: means of 0 and variances of 1."""
    width = supernet.statistics_width
    return np.stack([np.zeros(width), np.ones(width)])


def transfer(
    supernet: Supernet, architecture: Architecture, statistics: np.ndarray, child: tf_keras.Model
) -> None:
    """Sets every weight of `child` from the supernet.

    Args:
      supernet: the shared weights.
      architecture: the child's choices.
      statistics: float32 [2, supernet.statistics_width], calibrated for this child.
      child: what `build_child` made for the same architecture.
    """
    for name, weights in slices(supernet, architecture, statistics):
        child.get_layer(name).set_weights(weights)


def slices(
    supernet: Supernet, architecture: Architecture, statistics: np.ndarray
) -> Iterator[NamedWeights]:
    """The weights of each layer of a child by the layer's name; see `transfer`."""
    table = blocks_lib.resolve_child(supernet.space, architecture)
    statistics = np.asarray(statistics)
    stem, head_in, head = table.stem_width, table.head_in_width, table.head_width
    pooled = table.head_conv_width
    yield "stem_conv", [supernet.stem_conv.kernel.numpy()[..., :stem]]
    yield "stem_norm", supernet.stem_norm.stock_weights(stem, statistics)
    for layer, block in zip(supernet.blocks, table.blocks, strict=True):
        if block.active:
            for name, weights in child_block.block_slices(layer, block, statistics):
                yield f"{block.name}_{name}", weights
    yield "head_conv", [supernet.head_conv.kernel.numpy()[:, :, :head_in, :pooled]]
    yield "head_norm", supernet.head_norm.stock_weights(pooled, statistics)
    if supernet.space.style.head == "mixed":
        yield "head_mix", [supernet.head_mix.kernel.numpy()[0, 0, :pooled, :head]]
    classifier = supernet.classifier
    yield "classifier", [classifier.kernel.numpy()[:head], classifier.bias.numpy()]
