"""Where the weights of a supernet are in the state dictionaries of others' code."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

import tensorflow as tf

from bignas_tf.layers.batch_norm import ElasticBatchNorm
from bignas_tf.layers.squeeze_excite import ElasticSqueezeExcite
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.modeling.supernet import Supernet

# How PyTorch's axes become ours, [output, input, height, width] and others.
CONVOLUTION, DEPTHWISE, DENSE = (2, 3, 1, 0), (2, 3, 0, 1), (1, 0)
# A squeeze-and-excite product, a convolution of one pixel there.
PIXEL = (1, 0, 2, 3)
AS_IT_IS = None


@dataclasses.dataclass(frozen=True)
class Weight:
    """A weight of ours and what it is there.

    Attributes:
      variable: ours.
      key: in the state dictionary.
      axes: their order in ours; None for the same.
    """

    variable: tf.Variable
    key: str
    axes: tuple[int, ...] | None


@dataclasses.dataclass(frozen=True)
class Naming:
    """How the code of a family names its layers.

    Attributes:
      block: of the block with an index.
      skip: of a block's 1x1 convolution in its skip.
      head_expand: of the head's first convolution.
      head_mix: of the head's second one.
      single: blocks, the stem and the head whose layers are ordinary ones; those of others are
        wrapped, and have their names twice, as in "conv.conv.weight".
      aliases: parts of keys that other versions of the code have, and what they are here.
    """

    block: str
    skip: str
    head_expand: str
    head_mix: str
    single: frozenset[int | str]
    aliases: tuple[tuple[str, str], ...] = ()

    def weights(self, supernet: Supernet) -> Iterator[Weight]:
        """Every trainable weight of a supernet, once."""
        stem = self._layer("first_conv", "conv", "stem")
        yield Weight(supernet.stem_conv.kernel, stem, CONVOLUTION)
        yield from self._norm(supernet.stem_norm, "first_conv", "stem")
        for index, layer in enumerate(supernet.blocks):
            yield from self._block(layer, index)
        expand = self._layer(self.head_expand, "conv", "head")
        yield Weight(supernet.head_conv.kernel, expand, CONVOLUTION)
        yield from self._norm(supernet.head_norm, self.head_expand, "head")
        mix = self._layer(self.head_mix, "conv", "head")
        yield Weight(supernet.head_mix.kernel, mix, CONVOLUTION)
        dense = self._layer("classifier", "linear", "head").removesuffix(".weight")
        yield Weight(supernet.classifier.kernel, f"{dense}.weight", DENSE)
        yield Weight(supernet.classifier.bias, f"{dense}.bias", AS_IT_IS)

    def _block(self, layer: ElasticMBConv, index: int) -> Iterator[Weight]:
        block, name = layer.widest, self.block.format(index)
        if block.expands:
            expand = f"{name}.inverted_bottleneck"
            yield Weight(layer.expand_conv.kernel, self._layer(expand, "conv", index), CONVOLUTION)
            yield from self._norm(layer.expand_norm, expand, index)
        depthwise = f"{name}.depth_conv"
        kernel = self._layer(depthwise, "conv", index)
        yield Weight(layer.depthwise_conv.kernel, kernel, DEPTHWISE)
        steps = itertools.pairwise([block.kernel, *block.transformed])
        for (larger, side), matrix in zip(steps, layer.depthwise_conv.matrices, strict=True):
            yield Weight(matrix, f"{depthwise}.conv.{larger}to{side}_matrix", AS_IT_IS)
        yield from self._norm(layer.depthwise_norm, depthwise, index)
        if block.se_width:
            yield from _gates(layer.squeeze_excite, f"{depthwise}.se.fc")
        project = f"{name}.point_linear"
        yield Weight(layer.project_conv.kernel, self._layer(project, "conv", index), CONVOLUTION)
        yield from self._norm(layer.project_norm, project, index)
        if block.skip == "matched":
            yield Weight(layer.skip_conv.kernel, self.skip.format(index), CONVOLUTION)

    def _norm(self, norm: ElasticBatchNorm, name: str, part: int | str) -> Iterator[Weight]:
        layer = self._layer(name, "bn", part).removesuffix(".weight")
        yield Weight(norm.gamma, f"{layer}.weight", AS_IT_IS)
        yield Weight(norm.beta, f"{layer}.bias", AS_IT_IS)

    def _layer(self, name: str, kind: str, part: int | str) -> str:
        wrapped = "" if part in self.single else f".{kind}"
        return f"{name}{wrapped}.{kind}.weight"


def _gates(layer: ElasticSqueezeExcite, name: str) -> Iterator[Weight]:
    yield Weight(layer.reduce_kernel, f"{name}.reduce.weight", PIXEL)
    yield Weight(layer.reduce_bias, f"{name}.reduce.bias", AS_IT_IS)
    yield Weight(layer.expand_kernel, f"{name}.expand.weight", PIXEL)
    yield Weight(layer.expand_bias, f"{name}.expand.bias", AS_IT_IS)


ATTENTIVE_NAS = Naming(
    block="blocks.{}.mobile_inverted_conv",
    skip="blocks.{}.shortcut.conv.conv.weight",
    head_expand="last_conv.final_expand_layer",
    head_mix="last_conv.feature_mix_layer",
    single=frozenset(),
)
# Its first block, stem and head never vary. Older files have AttentiveNAS's name of a block.
ONCE_FOR_ALL = Naming(
    block="blocks.{}.conv",
    skip="",
    head_expand="final_expand_layer",
    head_mix="feature_mix_layer",
    single=frozenset({0, "stem", "head"}),
    aliases=((".mobile_inverted_conv.", ".conv."),),
)
