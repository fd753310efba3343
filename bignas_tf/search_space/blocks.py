"""The block table: every channel count of a child, derived once.

Supernet, child, cost and export all read this table. It is computed with
nothing but `+`, `-`, `*`, `//`, `>`, `abs` and indexing, so that one rule serves a code
given as Python integers, as a NumPy array of many codes (`[length, n]`), or as
a TensorFlow tensor inside a traced step.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from bignas_tf import plain
from bignas_tf.search_space import space as space_lib
from bignas_tf.search_space.architecture import EXPAND, KERNEL, WIDTH, Architecture, Stage
from bignas_tf.search_space.counts import Count
from bignas_tf.search_space.style import PAPER, Style

SKIPS = ("projected", "matched", "equal", "fitted", "none")
Code = Any  # a sequence of counts: integers, an array or a tensor


@dataclasses.dataclass(frozen=True)
class Block:
    """One inverted residual block of the widest, deepest child.

    Attributes:
      stage: index of the stage.
      layer: index within the stage.
      stride: 1 or 2.
      symmetric: whether a stride of 2 pads every side alike; see `SearchSpace.padding`.
      expands: whether it has the expanding 1x1 convolution.
      skip: what is added to its residual, one of `SKIPS`: "fitted" is the input cut or padded
        with zeros, "none" nothing; for the others see `Style.skips`.
      optional: whether some child leaves it out.
      active: whether this child has it.
      kernel: depthwise kernel side.
      in_width: input channels.
      mid_width: expanded channels.
      out_width: output channels.
      se_width: squeeze-and-excite units, 0 for none.
      activation: of its features.
      transformed: the smaller kernels, descending, if matrices make them; see `Style.kernels`.
      style: of the space.
    """

    stage: int
    layer: int
    stride: int
    symmetric: bool
    expands: bool
    skip: str
    optional: bool
    active: Count
    kernel: Count
    in_width: Count
    mid_width: Count
    out_width: Count
    se_width: Count
    activation: str = "swish"
    transformed: tuple[int, ...] = ()
    style: Style = PAPER

    @property
    def name(self) -> str:
        return f"stage{self.stage + 1}_block{self.layer + 1}"


@dataclasses.dataclass(frozen=True)
class BlockTable:
    """What a code resolves to.

    Attributes:
      resolution: side of the input.
      stem_width: channels of the stem.
      head_in_width: channels of the last features.
      head_conv_width: channels of the head's first convolution, which are pooled.
      head_width: channels before the classifier.
      blocks: of the deepest child.
    """

    resolution: Count
    stem_width: Count
    head_in_width: Count
    head_conv_width: Count
    head_width: Count
    blocks: tuple[Block, ...]


def resolve(space: space_lib.SearchSpace, code: Code) -> BlockTable:
    """Resolves a code, or many at once along trailing axes, into its table."""
    width = code[space_lib.STEM_WIDTH]
    blocks = []
    for index, (start, stage) in enumerate(space.stage_starts()):
        for layer in range(stage.max_depth):
            gene = start + stage.gene(layer)
            block = _block(space, index, layer, code[start], width, code, gene)
            blocks.append(block)
            width = block.out_width
    head_width = code[space_lib.HEAD_WIDTH]
    return BlockTable(
        code[space_lib.RESOLUTION],
        code[space_lib.STEM_WIDTH],
        width,
        space.style.head_conv_width(width, head_width),
        head_width,
        tuple(blocks),
    )


def _block(
    space: space_lib.SearchSpace,
    index: int,
    layer: int,
    depth: Count,
    in_width: Count,
    code: Code,
    gene: int,
) -> Block:
    stage = space.stages[index]
    stride = stage.stride if layer == 0 else 1
    mid_width = in_width * code[gene + EXPAND]
    return Block(
        stage=index,
        layer=layer,
        stride=stride,
        symmetric=pads_alike(space, stride),
        expands=stage.expands != (1,),
        skip=_skip(space, stage, layer),
        optional=layer >= min(stage.depths),
        active=depth > layer,
        kernel=code[gene + KERNEL],
        in_width=in_width,
        mid_width=mid_width,
        out_width=code[gene + WIDTH],
        se_width=space.style.squeeze_excite.units(stage.se_ratio, in_width, mid_width),
        activation=stage.activation,
        transformed=stage.kernels[-2::-1] if space.style.kernels == "matrix" else (),
        style=space.style,
    )


def _skip(space: space_lib.SearchSpace, stage: Stage, layer: int) -> str:
    """The kind of skip of a block; a later one's input has the width of its output, if tied."""
    kind = space.style.skips
    one_width = stage.tied or len(stage.widths) == 1
    if layer > 0 and (kind == "projected" or one_width):
        return "fitted"
    return "none" if kind == "equal" and layer == 0 and stage.stride == 2 else kind


def resolve_child(space: space_lib.SearchSpace, architecture: Architecture) -> BlockTable:
    """The table of one child, in Python integers and booleans.

    Raises:
      UsageError: the architecture is outside the space.
    """
    return resolve(space, space.encode(architecture).tolist())


def widest(space: space_lib.SearchSpace) -> BlockTable:
    """The table of the biggest child: the shapes of the shared weights."""
    return resolve_child(space, space.biggest())


def differences(one: space_lib.SearchSpace, other: space_lib.SearchSpace) -> list[str]:
    """What keeps a supernet of either space from having the other's weights.

    The widest network of both must have the same weights; resolutions and smaller choices may
    differ.

    Returns:
      A text for each difference, such as "stage2_block1.kernel was 5, is now 3".
    """
    return plain.told(plain.changes(_of_weights(one), _of_weights(other)))


def _of_weights(space: space_lib.SearchSpace) -> dict[str, Any]:
    """What decides the shapes of a supernet's weights, and what they do."""
    table = dataclasses.asdict(widest(space))
    blocks = {
        block.name: values
        for block, values in zip(widest(space).blocks, table.pop("blocks"), strict=True)
    }
    for block in blocks.values():
        del block["optional"], block["style"]
        if block["skip"] == "equal" and block["in_width"] == block["out_width"]:
            block["skip"] = "fitted"  # whether its stage has one width or several
    del table["resolution"]
    style = dataclasses.asdict(space.style)
    return (
        table
        | blocks
        | {"stem_stride": space.stem_stride, "padding": space.padding, "style": style}
    )


def pads_alike(space: space_lib.SearchSpace, stride: int) -> bool:
    """Whether a layer must pad every side alike itself; at a stride of 1 "same" already does."""
    return stride == 2 and space.padding == "symmetric"


def strided(side: Count, stride: int) -> Count:
    """The side of the output of a layer of this stride, whose input has `side`."""
    return side if stride == 1 else (side + stride - 1) // stride
