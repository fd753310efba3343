"""A child as a standalone model of stock Keras layers (design: serves without this project)."""

from __future__ import annotations

import tensorflow as tf
import tf_keras
from tf_keras import layers

from bignas_tf import errors
from bignas_tf.search_space import blocks as blocks_lib
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from bignas_tf.search_space.style import Style

# Keras' own 0.99 would lag behind in a run of a few thousand steps.
_MOMENTUM = 0.9
# What Keras calls by the names of `style.ACTIVATIONS` and `style.GATES`.
_KERAS = ("swish", "relu", "sigmoid")


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
    *_, x = add_features(images, space, table).values()
    logits = add_head(x, table.head_conv_width, table.head_width, num_classes, space.style)
    return tf_keras.Model(images, logits, name=name)


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
            features[stride] = x = add_block(x, block)
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
    x, padding = _padded(x, 3, symmetric, "stem")
    x = layers.Conv2D(width, 3, stride, padding, use_bias=False, name="stem_conv")(x)
    x = _norm(x, "stem_norm", style)
    return _activate(x, style.stem_activation, "stem_norm")


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
    x = _norm(_pointwise(x, conv_width, "head_conv"), "head_norm", style)
    x = _activate(x, style.head_activation, "head_norm")
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    if style.head == "mixed":
        x = layers.Dense(width, use_bias=False, name="head_mix")(x)
        x = _activate(x, style.head_activation, "head_mix")
    return layers.Dense(num_classes, name="classifier")(x)


def add_block(x: tf.Tensor, block: blocks_lib.Block) -> tf.Tensor:
    """Features [N, H, W, in] to [N, H / stride, W / stride, out]."""
    name, style = block.name, block.style
    skip = _skip(x, block)
    if block.expands:
        x = _pointwise(x, block.mid_width, f"{name}/expand_conv")
        x = _norm(x, f"{name}/expand_norm", style)
        x = _activate(x, block.activation, f"{name}/expand_norm")
    x, padding = _padded(x, block.kernel, block.symmetric, f"{name}/depthwise")
    x = layers.DepthwiseConv2D(
        block.kernel, block.stride, padding, use_bias=False, name=_flat(f"{name}/depthwise_conv")
    )(x)
    x = _norm(x, f"{name}/depthwise_norm", style)
    x = _activate(x, block.activation, f"{name}/depthwise_norm")
    if block.se_width:
        x = _squeeze_excite(x, block)
    x = _pointwise(x, block.out_width, f"{name}/project_conv")
    x = _norm(x, f"{name}/project_norm", style)
    return x if skip is None else layers.Add(name=_flat(f"{name}/add"))([skip, x])


def convolves_skip(block: blocks_lib.Block) -> bool:
    """Whether the skip of a child's block has a 1x1 convolution."""
    matched = block.skip == "matched" and block.in_width != block.out_width
    return matched or block.skip == "projected"


def _padded(x: tf.Tensor, kernel: int, symmetric: bool, name: str) -> tuple[tf.Tensor, str]:
    """Features and the padding that is left to the convolution behind them."""
    if not symmetric:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=_flat(f"{name}/pad"))(x), "valid"


def _skip(x: tf.Tensor, block: blocks_lib.Block) -> tf.Tensor | None:
    """What is added to a block's residual; None for nothing."""
    name, same = block.name, block.in_width == block.out_width
    if block.skip == "none" or (block.skip == "equal" and not same):
        return None
    if block.skip in ("projected", "matched") and block.stride == 2:
        if block.skip == "matched" and any(odd := _odd_sides(x)):
            # Zeros on both ends, which count; Keras' own padding would not count them.
            x = layers.ZeroPadding2D(odd, name=_flat(f"{name}/skip_pad"))(x)
        padding = "same" if block.skip == "projected" else "valid"
        x = layers.AveragePooling2D(2, padding=padding, name=_flat(f"{name}/skip_pool"))(x)
    if convolves_skip(block):
        x = _pointwise(x, block.out_width, f"{name}/skip_conv")
        return _norm(x, f"{name}/skip_norm", block.style) if block.skip == "projected" else x
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


def _squeeze_excite(x: tf.Tensor, block: blocks_lib.Block) -> tf.Tensor:
    name, style = f"{block.name}/squeeze_excite", block.style.squeeze_excite
    # On [N, channels] a dense layer is one matrix product; on [N, 1, 1, channels] it is ten ops.
    gates = layers.GlobalAveragePooling2D(name=_flat(f"{name}/pool"))(x)
    gates = _dense(gates, block.se_width, style.activation, f"{name}/reduce")
    gates = _dense(gates, block.mid_width, style.gate, f"{name}/expand")
    return layers.Multiply(name=_flat(f"{name}/scale"))([x, gates[:, tf.newaxis, tf.newaxis]])


def _pointwise(x: tf.Tensor, width: int, name: str) -> tf.Tensor:
    return layers.Conv2D(width, 1, use_bias=False, name=_flat(name))(x)


def _norm(x: tf.Tensor, name: str, style: Style) -> tf.Tensor:
    return layers.BatchNormalization(epsilon=style.epsilon, name=_flat(name))(x)


def _dense(x: tf.Tensor, width: int, activation: str, name: str) -> tf.Tensor:
    """A dense layer with its activation inside where Keras has it by name."""
    if activation in _KERAS:
        return layers.Dense(width, activation, name=_flat(name))(x)
    return _activate(layers.Dense(width, name=_flat(name))(x), activation, name)


def _activate(x: tf.Tensor, activation: str, name: str) -> tf.Tensor:
    """An activation or a gate by its name, of layers that Keras can save."""
    name = _flat(f"{name}/{activation}")
    if activation in _KERAS:
        return layers.Activation(activation, name=name)(x)
    if activation == "relu6":
        return layers.ReLU(6.0, name=name)(x)
    # Keras' own hard sigmoid has another slope.
    gate = layers.ReLU(6.0, name=f"{name}_gate")(x + 3.0) * (1.0 / 6.0)
    return gate if activation == "hard_sigmoid" else layers.Multiply(name=name)([x, gate])


def _flat(name: str) -> str:
    """A layer name without slashes, which SavedModel readers take for scopes."""
    return name.replace("/", "_")
