"""A child as a standalone model of stock Keras layers (design: serves without this project)."""

from __future__ import annotations

import tensorflow as tf
import tf_keras
from tf_keras import layers

from bignas_tf.layers.batch_norm import EPSILON
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace

# Keras' own 0.99 would lag behind in a run of a few thousand steps.
_MOMENTUM = 0.9


def build_child(
    space: SearchSpace,
    architecture: Architecture,
    num_classes: int,
    input_channels: int = 3,
    name: str = "child",
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
    symmetric = blocks_lib.pads_alike(space, space.stem_stride)
    x = add_stem(images, table.stem_width, space.stem_stride, symmetric)
    for block in table.blocks:
        if block.active:
            x = add_block(x, block)
    logits = add_head(x, table.head_width, num_classes)
    return tf_keras.Model(images, logits, name=name)


def set_momentum(model: tf_keras.Model, momentum: float = _MOMENTUM) -> None:
    """Sets how slowly the batch norms of a model average what they see while it trains."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum


def add_stem(images: tf.Tensor, width: int, stride: int, symmetric: bool) -> tf.Tensor:
    """Images [N, R, R, C] to the first features [N, R / stride, R / stride, width]."""
    x, padding = _padded(images, 3, symmetric, "stem")
    x = layers.Conv2D(width, 3, stride, padding, use_bias=False, name="stem_conv")(x)
    return _norm(x, "stem_norm", swish=True)


def add_head(x: tf.Tensor, width: int, num_classes: int) -> tf.Tensor:
    """The last features [N, H, W, in] to logits [N, num_classes]."""
    x = _pointwise(x, width, "head_conv")
    x = _norm(x, "head_norm", swish=True)
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    return layers.Dense(num_classes, name="classifier")(x)


def add_block(x: tf.Tensor, block: blocks_lib.Block) -> tf.Tensor:
    """Features [N, H, W, in] to [N, H / stride, W / stride, out]."""
    name = block.name
    skip = _skip(x, block)
    if block.expands:
        x = _pointwise(x, block.mid_width, f"{name}/expand_conv")
        x = _norm(x, f"{name}/expand_norm", swish=True)
    x, padding = _padded(x, block.kernel, block.symmetric, f"{name}/depthwise")
    x = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding, use_bias=False, name=_flat(f"{name}/depthwise_conv")
    )(x)
    x = _norm(x, f"{name}/depthwise_norm", swish=True)
    if block.se_width:
        x = _squeeze_excite(x, block)
    x = _pointwise(x, block.out_width, f"{name}/project_conv")
    x = _norm(x, f"{name}/project_norm")
    return layers.Add(name=_flat(f"{name}/add"))([skip, x])


def _padded(x: tf.Tensor, kernel: int, symmetric: bool, name: str) -> tuple[tf.Tensor, str]:
    """Features and the padding that is left to the convolution behind them."""
    if not symmetric:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=_flat(f"{name}/pad"))(x), "valid"


def _skip(x: tf.Tensor, block: blocks_lib.Block) -> tf.Tensor:
    name = block.name
    if block.projects:
        if block.stride == 2:
            x = layers.AveragePooling2D(2, padding="same", name=_flat(f"{name}/skip_pool"))(x)
        x = _pointwise(x, block.out_width, f"{name}/skip_conv")
        return _norm(x, f"{name}/skip_norm")
    if block.in_width > block.out_width:
        return x[:, :, :, : block.out_width]  # Keras cannot save an ellipsis
    if block.in_width < block.out_width:
        return tf.pad(x, [[0, 0]] * 3 + [[0, block.out_width - block.in_width]])
    return x


def _squeeze_excite(x: tf.Tensor, block: blocks_lib.Block) -> tf.Tensor:
    name = f"{block.name}/squeeze_excite"
    # On [N, channels] a dense layer is one matrix product; on [N, 1, 1, channels] it is ten ops.
    gates = layers.GlobalAveragePooling2D(name=_flat(f"{name}/pool"))(x)
    gates = layers.Dense(block.se_width, "swish", name=_flat(f"{name}/reduce"))(gates)
    gates = layers.Dense(block.mid_width, "sigmoid", name=_flat(f"{name}/expand"))(gates)
    return layers.Multiply(name=_flat(f"{name}/scale"))([x, gates[:, tf.newaxis, tf.newaxis]])


def _pointwise(x: tf.Tensor, width: int, name: str) -> tf.Tensor:
    return layers.Conv2D(width, 1, use_bias=False, name=_flat(name))(x)


def _norm(x: tf.Tensor, name: str, swish: bool = False) -> tf.Tensor:
    x = layers.BatchNormalization(epsilon=EPSILON, name=_flat(name))(x)
    return layers.Activation("swish", name=_flat(f"{name}/swish"))(x) if swish else x


def _flat(name: str) -> str:
    """A layer name without slashes, which SavedModel readers take for scopes."""
    return name.replace("/", "_")
