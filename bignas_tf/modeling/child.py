"""A child as a standalone model of stock Keras layers (design: serves without this project)."""

from __future__ import annotations

import tensorflow as tf
import tf_keras
from tf_keras import layers

from bignas_tf.modeling import child_block
from bignas_tf.modeling import stock_layers as stock
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.search_space.style import Style

# Keras' own 0.99 would lag behind in a run of a few thousand steps.
_MOMENTUM = 0.9


def build_child(
    space: SearchSpace,
    architecture: Architecture,
    num_classes: int,
    input_channels: int = 3,
) -> tf_keras.Model:
    """Builds a child with fresh weights.

    Returns:
      A functional model from float32 [N, R, R, input_channels] images in
      [-1, 1] to logits [N, num_classes], R being the child's resolution.

    Raises:
      UsageError: the architecture is outside the space.
    """
    table = blocks_lib.resolve_child(space, architecture)
    side = architecture.resolution
    images = layers.Input((side, side, input_channels), name="images")
    *_, x = add_features(images, space, table).values()
    logits = add_head(x, table.head_conv_width, table.head_width, num_classes, space.style)
    return tf_keras.Model(images, logits, name="child")


def add_features(
    images: tf.Tensor, space: SearchSpace, table: blocks_lib.BlockTable
) -> dict[int, tf.Tensor]:
    """Images [N, H, W, C] in [-1, 1] to the last features of each stride.

    Args:
      images: of any size, which need not be the child's resolution.
      space: of the child.
      table: of the child.

    Returns:
      The features [N, ceil(H / stride), ceil(W / stride), width] by stride, ascending; those of
      the last stride are what the head reads.

    Raises:
      UsageError: the sides are not known, and a skip's padding depends on them.
    """
    stride = space.stem_stride
    symmetric = blocks_lib.pads_alike(space, stride)
    x = add_stem(images, table.stem_width, stride, symmetric, space.style)
    features = {stride: x}
    for block in table.blocks:
        if block.active:
            stride *= block.stride
            features[stride] = x = child_block.add_block(x, block)
    return features


def set_momentum(model: tf_keras.Model, momentum: float = _MOMENTUM) -> None:
    """Sets how slowly the batch norms of a model average what they see while it trains."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum


def add_stem(
    images: tf.Tensor, width: int, stride: int, symmetric: bool, style: Style
) -> tf.Tensor:
    """Images [N, R, R, C] to the first features [N, R / stride, R / stride, width]."""
    x = images
    if style.rescaling is not None:
        scale, offset = style.rescaling
        x = layers.Rescaling(scale, offset, name="rescaling")(x)
    x, padding = stock.padded(x, 3, symmetric, "stem")
    x = layers.Conv2D(width, 3, stride, padding, use_bias=False, name="stem_conv")(x)
    x = stock.norm(x, "stem_norm", style)
    return stock.activate(x, style.stem_activation, "stem_norm")


def add_head(
    x: tf.Tensor, conv_width: int, width: int, num_classes: int, style: Style
) -> tf.Tensor:
    """The last features [N, H, W, in] to logits [N, num_classes].

    Args:
      x: the features.
      conv_width: channels that are pooled.
      width: channels before the classifier; a convolved head's are those that it pools.
      num_classes: outputs.
      style: of the space.
    """
    x = stock.norm(stock.pointwise(x, conv_width, "head_conv"), "head_norm", style)
    x = stock.activate(x, style.head_activation, "head_norm")
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    if style.head == "mixed":
        x = layers.Dense(width, use_bias=False, name="head_mix")(x)
        x = stock.activate(x, style.head_activation, "head_mix")
    return layers.Dense(num_classes, name="classifier")(x)
