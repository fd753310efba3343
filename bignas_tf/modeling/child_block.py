"""A child's block of stock Keras layers, and its weights from the elastic one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tf_keras import layers

from bignas_tf import errors
from bignas_tf.modeling import stock_layers as stock
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.search_space.blocks import Block

NamedWeights = tuple[str, list[np.ndarray]]


def add_block(x: tf.Tensor, block: Block) -> tf.Tensor:
    """Features [N, H, W, in] to [N, H / stride, W / stride, out]."""
    name, style = block.name, block.style
    skip = _skip(x, block)
    if block.expands:
        x = stock.pointwise(x, block.mid_width, f"{name}/expand_conv")
        x = stock.norm(x, f"{name}/expand_norm", style)
        x = stock.activate(x, block.activation, f"{name}/expand_norm")
    x, padding = stock.padded(x, block.kernel, block.symmetric, f"{name}/depthwise")
    x = layers.DepthwiseConv2D(
        block.kernel,
        block.stride,
        padding,
        use_bias=False,
        name=stock.flat(f"{name}/depthwise_conv"),
    )(x)
    x = stock.norm(x, f"{name}/depthwise_norm", style)
    x = stock.activate(x, block.activation, f"{name}/depthwise_norm")
    if block.se_width:
        x = _squeeze_excite(x, block)
    x = stock.pointwise(x, block.out_width, f"{name}/project_conv")
    x = stock.norm(x, f"{name}/project_norm", style)
    return x if skip is None else layers.Add(name=stock.flat(f"{name}/add"))([skip, x])


def block_slices(
    layer: ElasticMBConv, block: Block, statistics: np.ndarray
) -> Iterator[NamedWeights]:
    """The weights of each layer of `add_block`, by its name behind the block's.

    Args:
      layer: the shared weights.
      block: of the child.
      statistics: [2, statistics_width], calibrated for the child.
    """
    before, mid, out = block.in_width, block.mid_width, block.out_width
    if block.expands:
        yield "expand_conv", [layer.expand_conv.kernel.numpy()[:, :, :before, :mid]]
        yield "expand_norm", layer.expand_norm.stock_weights(mid, statistics)
    yield "depthwise_conv", [layer.depthwise_conv.kernel_of(block.kernel, mid).numpy()]
    yield "depthwise_norm", layer.depthwise_norm.stock_weights(mid, statistics)
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
    yield "project_norm", layer.project_norm.stock_weights(out, statistics)
    if _convolves_skip(block):
        yield "skip_conv", [layer.skip_conv.kernel.numpy()[:, :, :before, :out]]
    if block.skip == "projected":
        yield "skip_norm", layer.skip_norm.stock_weights(out, statistics)


def _convolves_skip(block: Block) -> bool:
    """Whether the skip of a child's block has a 1x1 convolution."""
    matched = block.skip == "matched" and block.in_width != block.out_width
    return matched or block.skip == "projected"


def _skip(x: tf.Tensor, block: Block) -> tf.Tensor | None:
    """The skip of a block, which is added to its residual; None if there is none."""
    name, same = block.name, block.in_width == block.out_width
    if block.skip == "none" or (block.skip == "equal" and not same):
        return None
    if block.skip in ("projected", "matched") and block.stride == 2:
        if block.skip == "matched" and any(odd := _odd_sides(x)):
            # Zeros on both ends, which count; Keras' own padding would not count them.
            x = layers.ZeroPadding2D(odd, name=stock.flat(f"{name}/skip_pad"))(x)
        padding = "same" if block.skip == "projected" else "valid"
        x = layers.AveragePooling2D(2, padding=padding, name=stock.flat(f"{name}/skip_pool"))(x)
    if _convolves_skip(block):
        x = stock.pointwise(x, block.out_width, f"{name}/skip_conv")
        return stock.norm(x, f"{name}/skip_norm", block.style) if block.skip == "projected" else x
    if block.in_width > block.out_width:
        return x[:, :, :, : block.out_width]  # Keras cannot save an ellipsis
    if block.in_width < block.out_width:
        return tf.pad(x, [[0, 0]] * 3 + [[0, block.out_width - block.in_width]])
    return x


def _odd_sides(x: tf.Tensor) -> tuple[int, int]:
    """1 for each of height and width that is odd, else 0."""
    _, height, width, _ = x.shape
    if height is None or width is None:
        raise errors.UsageError(
            "the average pooling of this child's skips needs images of a fixed size; give "
            "the height and the width of the input"
        )
    return height % 2, width % 2


def _squeeze_excite(x: tf.Tensor, block: Block) -> tf.Tensor:
    name, style = f"{block.name}/squeeze_excite", block.style.squeeze_excite
    # On [N, channels] a dense layer is one matrix product; on [N, 1, 1, channels] it is ten ops.
    gates = layers.GlobalAveragePooling2D(name=stock.flat(f"{name}/pool"))(x)
    gates = stock.dense(gates, block.se_width, style.activation, f"{name}/reduce")
    gates = stock.dense(gates, block.mid_width, style.gate, f"{name}/expand")
    return layers.Multiply(name=stock.flat(f"{name}/scale"))([x, gates[:, tf.newaxis, tf.newaxis]])
