"""Standalone models with a child's slice of the shared weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tf_keras

from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture

NamedWeights = tuple[str, list[np.ndarray]]


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
    return _slices(supernet, table, np.asarray(statistics))


def _slices(
    supernet: Supernet, table: blocks_lib.BlockTable, statistics: np.ndarray
) -> Iterator[NamedWeights]:
    stem, head_in, head = table.stem_width, table.head_in_width, table.head_width
    pooled = table.head_conv_width
    yield "stem_conv", [supernet.stem_conv.kernel.numpy()[..., :stem]]
    yield "stem_norm", _norm(supernet.stem_norm, stem, statistics)
    for layer, block in zip(supernet.blocks, table.blocks, strict=True):
        if block.active:
            for name, weights in _block_slices(layer, block, statistics):
                yield f"{block.name}_{name}", weights
    yield "head_conv", [supernet.head_conv.kernel.numpy()[:, :, :head_in, :pooled]]
    yield "head_norm", _norm(supernet.head_norm, pooled, statistics)
    if supernet.space.style.head == "mixed":
        yield "head_mix", [supernet.head_mix.kernel.numpy()[0, 0, :pooled, :head]]
    classifier = supernet.classifier
    yield "classifier", [classifier.kernel.numpy()[:head], classifier.bias.numpy()]


def _block_slices(
    layer: ElasticMBConv, block: blocks_lib.Block, statistics: np.ndarray
) -> Iterator[NamedWeights]:
    before, mid, out = block.in_width, block.mid_width, block.out_width
    if block.expands:
        yield "expand_conv", [layer.expand_conv.kernel.numpy()[:, :, :before, :mid]]
        yield "expand_norm", _norm(layer.expand_norm, mid, statistics)
    yield "depthwise_conv", [layer.depthwise_conv.kernel_of(block.kernel, mid).numpy()]
    yield "depthwise_norm", _norm(layer.depthwise_norm, mid, statistics)
    if block.se_width:
        gate, units = layer.squeeze_excite, block.se_width
        yield (
            "squeeze_excite_reduce",
            [gate.reduce_kernel.numpy()[:mid, :units], gate.reduce_bias.numpy()[:units]],
        )
        yield (
            "squeeze_excite_expand",
            [gate.expand_kernel.numpy()[:units, :mid], gate.expand_bias.numpy()[:mid]],
        )
    yield "project_conv", [layer.project_conv.kernel.numpy()[:, :, :mid, :out]]
    yield "project_norm", _norm(layer.project_norm, out, statistics)
    if child_lib.convolves_skip(block):
        yield "skip_conv", [layer.skip_conv.kernel.numpy()[:, :, :before, :out]]
    if block.skip == "projected":
        yield "skip_norm", _norm(layer.skip_norm, out, statistics)


def _norm(layer: ElasticBatchNorm, width: int, statistics: np.ndarray) -> list[np.ndarray]:
    own = statistics[:, layer.offset : layer.offset + width]
    return [layer.gamma.numpy()[:width], layer.beta.numpy()[:width], own[0], own[1]]
