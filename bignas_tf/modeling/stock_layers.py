"""The stock Keras layers that children are made of, under names that SavedModels can hold."""

from __future__ import annotations

import tensorflow as tf
from tf_keras import layers

from bignas_tf.search_space.style import Style

# What Keras calls by the names of `style.ACTIVATIONS` and `style.GATES`.
_KERAS = ("swish", "relu", "sigmoid")


def padded(x: tf.Tensor, kernel: int, symmetric: bool, name: str) -> tuple[tf.Tensor, str]:
    """Features [N, H, W, C] and the padding that is left to the convolution behind them."""
    if not symmetric:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=flat(f"{name}/pad"))(x), "valid"


def pointwise(x: tf.Tensor, width: int, name: str) -> tf.Tensor:
    """A 1x1 convolution without bias, [N, H, W, C] to [N, H, W, width]."""
    return layers.Conv2D(width, 1, use_bias=False, name=flat(name))(x)


def norm(x: tf.Tensor, name: str, style: Style) -> tf.Tensor:
    """A batch norm as the style of a space has it."""
    return layers.BatchNormalization(epsilon=style.epsilon, name=flat(name))(x)


def dense(x: tf.Tensor, width: int, activation: str, name: str) -> tf.Tensor:
    """A dense layer with its activation inside where Keras has it by name."""
    if activation in _KERAS:
        return layers.Dense(width, activation, name=flat(name))(x)
    return activate(layers.Dense(width, name=flat(name))(x), activation, name)


def activate(x: tf.Tensor, activation: str, name: str) -> tf.Tensor:
    """An activation or a gate by its name, of layers that Keras can save."""
    name = flat(f"{name}/{activation}")
    if activation in _KERAS:
        return layers.Activation(activation, name=name)(x)
    if activation == "relu6":
        return layers.ReLU(6.0, name=name)(x)
    # Keras' own hard sigmoid has another slope.
    gate = layers.ReLU(6.0, name=f"{name}_gate")(x + 3.0) * (1.0 / 6.0)
    return gate if activation == "hard_sigmoid" else layers.Multiply(name=name)([x, gate])


def flat(name: str) -> str:
    """A layer name without slashes, which SavedModel readers take for scopes."""
    return name.replace("/", "_")
