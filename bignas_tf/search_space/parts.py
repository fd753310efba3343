"""A child taken apart: its stem, its blocks and its head, each with all that decides its time.

Parts of different children are equal where they do the same work, so that a table of a few
hundred of them serves every child of a space.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.architecture import GENES_PER_LAYER, WIDTH, Architecture
from bignas_tf.search_space.style import SqueezeExcite


@dataclasses.dataclass(frozen=True)
class Stem:
    """From a patch to the first features: resizing, convolution, activation.

    Attributes:
      patch_side: side of the square uint8 patches that every child of the space takes.
      side: the child's resolution.
      stride: of the convolution.
      symmetric: whether it pads every side alike; see `SearchSpace.padding`.
      in_width: channels of the patch.
      out_width: channels of the features.
      activation: of the features.
      rescaled: whether the pixels are rescaled first; see `Style.pixel_mean`.
    """

    patch_side: int
    side: int
    stride: int
    symmetric: bool
    in_width: int
    out_width: int
    activation: str = "swish"
    rescaled: bool = False


@dataclasses.dataclass(frozen=True)
class BlockPart:
    """An inverted residual block.

    Attributes:
      side: of the features that it reads; see `blocks.Block` for the rest.
      se_activation: of the squeeze-and-excite units.
      se_gate: of squeeze-and-excite.
    """

    side: int
    stride: int
    symmetric: bool
    expands: bool
    skip: str
    kernel: int
    in_width: int
    mid_width: int
    out_width: int
    se_width: int
    activation: str = "swish"
    se_activation: str = "swish"
    se_gate: str = "sigmoid"


@dataclasses.dataclass(frozen=True)
class Head:
    """From the last features to probabilities: 1x1 convolutions, pooling, classifier, softmax.

    Attributes:
      side: of the last features.
      in_width: channels of the last features.
      mid_width: channels that are pooled.
      classes: outputs of the classifier.
      mix_width: channels before the classifier of a mixed head; 0 for a convolved one, which
        classifies what it pools.
      activation: of the features.
    """

    side: int
    in_width: int
    mid_width: int
    classes: int
    mix_width: int = 0
    activation: str = "swish"


Part = Stem | BlockPart | Head


@dataclasses.dataclass(frozen=True)
class ModelSpace:
    """A search space with the inputs and outputs of its children: all that decides their work.

    Attributes:
      space: what may be chosen.
      num_classes: outputs of the classifier.
      input_channels: channels of the images.
    """

    space: space_lib.SearchSpace
    num_classes: int
    input_channels: int = 3

    def parts(self, architecture: Architecture) -> list[Part]:
        """The parts of a child, in their order.

        Raises:
          UsageError: the architecture is outside the space.
        """
        table = blocks_lib.resolve_child(self.space, architecture)
        stem = self._stem(table)
        side = blocks_lib.strided(stem.side, stem.stride)
        blocks: list[Part] = []
        for block in table.blocks:
            if block.active:
                blocks.append(_block(side, block))
                side = blocks_lib.strided(side, block.stride)
        return [stem, *blocks, self._head(side, table)]

    def all_parts(
        self, resolutions: Iterable[int], within: space_lib.SearchSpace | None = None
    ) -> list[Part]:
        """The parts of all children on some resolutions, each once.

        Args:
          resolutions: input sides.
          within: the part of the space whose children count; None for all of it. The parts are
            those of the whole: which skips there are follows from all choices.
        """
        searched = within or self.space
        children = (
            searched.decode(code) for side in resolutions for code in _telling_codes(searched, side)
        )
        return list(dict.fromkeys(part for child in children for part in self.parts(child)))

    def _stem(self, table: blocks_lib.BlockTable) -> Stem:
        space = self.space
        return Stem(
            patch_side=space.base_resolution,
            side=table.resolution,
            stride=space.stem_stride,
            symmetric=blocks_lib.pads_alike(space, space.stem_stride),
            in_width=self.input_channels,
            out_width=table.stem_width,
            activation=space.style.stem_activation,
            rescaled=space.style.rescaling is not None,
        )

    def _head(self, side: int, table: blocks_lib.BlockTable) -> Head:
        style = self.space.style
        return Head(
            side=side,
            in_width=table.head_in_width,
            mid_width=table.head_conv_width,
            classes=self.num_classes,
            mix_width=table.head_width if style.head == "mixed" else 0,
            activation=style.head_activation,
        )


def _telling_codes(space: space_lib.SearchSpace, resolution: int) -> Iterator[np.ndarray]:
    """Codes of children that together have every part that exists at a resolution."""
    deepest = space.encode(space.with_resolution(space.biggest(), resolution))
    for genes in _deciding_genes(space):
        for values in itertools.product(*(space.genes[gene] for gene in genes)):
            code = deepest.copy()
            code[genes] = values
            yield code


def _block(side: int, block: blocks_lib.Block) -> BlockPart:
    """The fields of a block table's row that decide its time."""
    shared = {field.name for field in dataclasses.fields(BlockPart)} & set(vars(block))
    gates = block.style.squeeze_excite if block.se_width else SqueezeExcite()
    return BlockPart(
        side,
        **{name: getattr(block, name) for name in shared},
        se_activation=gates.activation,
        se_gate=gates.gate,
    )


def _deciding_genes(space: space_lib.SearchSpace) -> Iterator[Sequence[int]]:
    """For each block and for the head, the positions of a code that it depends on.

    A block depends on its own genes and on the width that enters it; so does the head.
    """
    entering = space_lib.STEM_WIDTH
    for start, stage in space.stage_starts():
        for layer in range(stage.max_depth):
            gene = start + stage.gene(layer)
            genes = range(gene, gene + GENES_PER_LAYER)
            yield [*genes] if entering in genes else [entering, *genes]
            entering = gene + WIDTH
    yield [entering, space_lib.HEAD_WIDTH]
