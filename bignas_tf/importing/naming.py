"""Where the weights of a supernet are in the state dictionaries of others' code."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import tensorflow as tf

from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.layers.convolution import ElasticConvolution
from bignas_tf.layers.pointwise import ElasticPointwise
from bignas_tf.layers.squeeze_excite import ElasticSqueezeExcite
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.modeling.supernet import Supernet

# How PyTorch's axes become ours, [output, input, height, width] and others.
CONVOLUTION, DEPTHWISE, DENSE = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)
# What AttentiveNAS's and Once-for-all's code call otherwise, or wrap in a layer of the same name.
_ALIASES = (
    ("last_conv.", ""),
    (".mobile_inverted_conv.", ".conv."),
    (".conv.conv.weight", ".conv.weight"),
    (".bn.bn.", ".bn."),
    (".linear.linear.", ".linear."),
)
# A squeeze-and-excite product, a convolution of one pixel there.
PIXEL = (1, 0, 2, 3)
AS_IT_IS = None


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight of ours and what it is there.

    Attributes:
      variable: ours.
      key: in the state dictionary, as `canonical` has it.
      axes: their order in ours; None for the same.
    """

    variable: tf.Variable
    key: str
    axes: tuple[int, ...] | None


def weights(supernet: Supernet) -> Iterator[Weight]:
    """Every trainable weight of a supernet, once, and what it is there."""
    yield _convolution(supernet.stem_conv, "first_conv")
    yield from _norm(supernet.stem_norm, "first_conv")
    for index, layer in enumerate(supernet.blocks):
        yield from _block(layer, f"blocks.{index}")
    yield _convolution(supernet.head_conv, "final_expand_layer")
    yield from _norm(supernet.head_norm, "final_expand_layer")
    yield _convolution(supernet.head_mix, "feature_mix_layer")
    yield Weight(supernet.classifier.kernel, "classifier.linear.weight", DENSE)
    yield Weight(supernet.classifier.bias, "classifier.linear.bias", AS_IT_IS)


def canonical(key: str) -> str:
    """The one name of a tensor that state dictionaries call by several."""
    for other, ours in _ALIASES:
        key = key.replace(other, ours)
    return key


def _block(layer: ElasticMBConv, name: str) -> Iterator[Weight]:
    block = layer.widest
    if block.expands:
        expand = f"{name}.conv.inverted_bottleneck"
        yield _convolution(layer.expand_conv, expand)
        yield from _norm(layer.expand_norm, expand)
    depthwise = f"{name}.conv.depth_conv"
    yield Weight(layer.depthwise_conv.kernel, f"{depthwise}.conv.weight", DEPTHWISE)
    steps = itertools.pairwise([block.kernel, *block.transformed])
    for (larger, side), matrix in zip(steps, layer.depthwise_conv.matrices, strict=True):
        yield Weight(matrix, f"{depthwise}.conv.{larger}to{side}_matrix", AS_IT_IS)
    yield from _norm(layer.depthwise_norm, depthwise)
    if block.se_width:
        yield from _gates(layer.squeeze_excite, f"{depthwise}.se.fc")
    project = f"{name}.conv.point_linear"
    yield _convolution(layer.project_conv, project)
    yield from _norm(layer.project_norm, project)
    if block.skip == "matched":
        yield _convolution(layer.skip_conv, f"{name}.shortcut")


def _convolution(layer: ElasticConvolution | ElasticPointwise, name: str) -> Weight:
    return Weight(layer.kernel, f"{name}.conv.weight", CONVOLUTION)


def _norm(norm: ElasticBatchNorm, name: str) -> Iterator[Weight]:
    yield Weight(norm.gamma, f"{name}.bn.weight", AS_IT_IS)
    yield Weight(norm.beta, f"{name}.bn.bias", AS_IT_IS)


def _gates(layer: ElasticSqueezeExcite, name: str) -> Iterator[Weight]:
    yield Weight(layer.reduce_kernel, f"{name}.reduce.weight", PIXEL)
    yield Weight(layer.reduce_bias, f"{name}.reduce.bias", AS_IT_IS)
    yield Weight(layer.expand_kernel, f"{name}.expand.weight", PIXEL)
    yield Weight(layer.expand_bias, f"{name}.expand.bias", AS_IT_IS)
