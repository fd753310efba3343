"""Every elastic layer, registered once: how to run it, and the stock layers it must equal.

A case whose convolution leaves masked channels to the batch norm behind it includes one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from bignas_tf.layers import batch_norm, classifier, convolution, depthwise, elastic, pointwise
from bignas_tf.layers import squeeze_excite as squeeze_excite_lib

Choice = dict[str, Any]  # "in" and "out" channels, and what else the layer takes
Slices = list[tuple[slice, ...]]
Layers = list[tf_keras.layers.Layer]


@dataclasses.dataclass(frozen=True)
class Case:
    """One registered layer.

    Attributes:
      name: of the test.
      build: makes the elastic layers at their widest.
      run: runs them on [N, H, W, in] as one choice.
      stock_layers: makes the stock layers of one choice, weights in the same order.
      stock_run: runs those.
      slices: what one choice uses of each trainable weight.
      choices: from the narrowest to the widest.
      pooled: whether the input is [N, in].
      sides: of the input; an odd and an even one where padding depends on it.
    """

    name: str
    build: Callable[[], Layers]
    run: Callable[[Layers, tf.Tensor, Choice, elastic.Pass], tf.Tensor]
    stock_layers: Callable[[Choice], Layers]
    stock_run: Callable[[Layers, tf.Tensor, Choice], tf.Tensor]
    slices: Callable[[Choice], Slices]
    choices: tuple[Choice, ...]
    pooled: bool = False
    sides: tuple[int, ...] = (8,)


# SAME pads an even and an odd side differently at a stride of 2, and a kernel of 7 exceeds 5.
ODD_AND_EVEN = (5, 8)
IN_AND_OUT = ({"in": 2, "out": 3}, {"in": 3, "out": 8}, {"in": 6, "out": 5}, {"in": 6, "out": 8})


def first(*sizes: int) -> tuple[slice, ...]:
    """The slice that keeps the lowest indices of each axis."""
    return tuple(slice(size) for size in sizes)


def centre(kernel: int, largest: int) -> slice:
    margin = (largest - kernel) // 2
    return slice(margin, margin + kernel)


def stock_norm() -> tf_keras.layers.Layer:
    return tf_keras.layers.BatchNormalization(epsilon=1e-3, dtype="float32")


def stock_chain(layers: Layers, x: tf.Tensor, choice: Choice) -> tf.Tensor:
    """Runs stock layers one after the other; batch norms use the batch's moments."""
    del choice
    for layer in layers:
        norm = isinstance(layer, tf_keras.layers.BatchNormalization)
        x = layer(x, training=True) if norm else layer(x)
    return x


def stock_padding(kernel: int, symmetric: bool) -> tuple[Layers, str]:
    """The layer before a stock convolution of stride 2, and what is left to that one."""
    return ([tf_keras.layers.ZeroPadding2D(kernel // 2)], "valid") if symmetric else ([], "same")


def _convolution(kernel: int, stride: int, symmetric: bool) -> Case:
    def build() -> Layers:
        layer = convolution.ElasticConvolution(6, 8, kernel, stride, symmetric)
        return [layer, batch_norm.ElasticBatchNorm(8, 0)]

    def stock(choice: Choice) -> Layers:
        before, padding = stock_padding(kernel, symmetric)
        layer = tf_keras.layers.Conv2D(choice["out"], kernel, stride, padding, use_bias=False)
        return [*before, layer, stock_norm()]

    def slices(choice: Choice) -> Slices:
        out = choice["out"]
        return [first(kernel, kernel, choice["in"], out), first(out), first(out)]

    name = f"convolution {kernel}, stride {stride}, {'symmetric' if symmetric else 'same'}"
    return Case(name, build, _convolve, stock, stock_chain, slices, IN_AND_OUT, sides=ODD_AND_EVEN)


def _convolve(layers: Layers, x: tf.Tensor, choice: Choice, forward: elastic.Pass) -> tf.Tensor:
    """A convolution that is elastic on both sides, and the batch norm behind it."""
    y = layers[0](x, choice["in"], choice["out"], forward)
    return layers[1](y, choice["out"], forward)


def _pointwise() -> Case:
    def build() -> Layers:
        return [pointwise.ElasticPointwise(6, 8), batch_norm.ElasticBatchNorm(8, 0)]

    def stock(choice: Choice) -> Layers:
        return [tf_keras.layers.Conv2D(choice["out"], 1, use_bias=False), stock_norm()]

    def slices(choice: Choice) -> Slices:
        out = choice["out"]
        return [first(1, 1, choice["in"], out), first(out), first(out)]

    return Case("pointwise", build, _convolve, stock, stock_chain, slices, IN_AND_OUT)


def _depthwise(stride: int, symmetric: bool) -> Case:
    def build() -> Layers:
        layer = depthwise.ElasticDepthwise(6, 7, stride, symmetric)
        return [layer, batch_norm.ElasticBatchNorm(6, 0)]

    def run(layers: Layers, x: tf.Tensor, choice: Choice, forward: elastic.Pass) -> tf.Tensor:
        y = layers[0](x, choice["kernel"], choice["in"], forward)
        return layers[1](y, choice["out"], forward)

    def stock(choice: Choice) -> Layers:
        before, padding = stock_padding(choice["kernel"], symmetric)
        convolution = tf_keras.layers.DepthwiseConv2D(
            choice["kernel"], stride, padding, use_bias=False
        )
        return [*before, convolution, stock_norm()]

    def slices(choice: Choice) -> Slices:
        middle, width = centre(choice["kernel"], 7), choice["in"]
        return [(middle, middle, slice(width), slice(1)), first(width), first(width)]

    choices = tuple(
        {"in": width, "out": width, "kernel": kernel}
        for width, kernel in ((2, 3), (6, 3), (3, 5), (4, 7), (6, 7))
    )
    name = f"depthwise, stride {stride}, {'symmetric' if symmetric else 'same'}"
    return Case(name, build, run, stock, stock_chain, slices, choices, sides=ODD_AND_EVEN)


def _batch_norm() -> Case:
    def run(layers: Layers, x: tf.Tensor, choice: Choice, forward: elastic.Pass) -> tf.Tensor:
        return layers[0](x, choice["out"], forward)

    return Case(
        name="batch norm",
        build=lambda: [batch_norm.ElasticBatchNorm(8, 0)],
        run=run,
        stock_layers=lambda choice: [stock_norm()],
        stock_run=stock_chain,
        slices=lambda choice: [first(choice["out"]), first(choice["out"])],
        choices=tuple({"in": width, "out": width} for width in (1, 5, 8)),
    )


def hard_sigmoid(x: tf.Tensor) -> tf.Tensor:
    return tf.clip_by_value(x / 6.0 + 0.5, 0.0, 1.0)


def _squeeze_excite(activation: str, gate: str) -> Case:
    own = {"hard_sigmoid": hard_sigmoid, "hard_swish": lambda x: x * hard_sigmoid(x)}

    def run(layers: Layers, x: tf.Tensor, choice: Choice, forward: elastic.Pass) -> tf.Tensor:
        return layers[0](x, choice["in"], choice["units"], forward)

    def stock(choice: Choice) -> Layers:
        return [
            tf_keras.layers.Dense(choice["units"], own.get(activation, activation)),
            tf_keras.layers.Dense(choice["out"], own.get(gate, gate)),
        ]

    def stock_run(layers: Layers, x: tf.Tensor, choice: Choice) -> tf.Tensor:
        del choice
        squeezed = tf_keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
        return x * layers[1](layers[0](squeezed))

    def slices(choice: Choice) -> Slices:
        width, units = choice["in"], choice["units"]
        return [first(width, units), first(units), first(units, width), first(width)]

    return Case(
        name=f"squeeze and excite, {activation}, {gate}",
        build=lambda: [squeeze_excite_lib.ElasticSqueezeExcite(8, 3, activation, gate)],
        run=run,
        stock_layers=stock,
        stock_run=stock_run,
        slices=slices,
        choices=tuple(
            {"in": width, "out": width, "units": units}
            for width, units in ((3, 1), (8, 1), (5, 3), (8, 3))
        ),
    )


def _classifier() -> Case:
    def run(layers: Layers, x: tf.Tensor, choice: Choice, forward: elastic.Pass) -> tf.Tensor:
        return layers[0](x, choice["in"], forward)

    return Case(
        name="classifier",
        build=lambda: [classifier.ElasticClassifier(8, 5)],
        run=run,
        stock_layers=lambda choice: [tf_keras.layers.Dense(5)],
        stock_run=stock_chain,
        slices=lambda choice: [first(choice["in"], 5), first(5)],
        choices=tuple({"in": width, "out": 5} for width in (1, 5, 8)),
        pooled=True,
    )


def layer_cases() -> list[Case]:
    """All but the block, which `mbconv_cases` has."""
    return [
        _convolution(3, 2, False), _convolution(3, 2, True), _convolution(5, 1, False),
        _pointwise(), _depthwise(1, False), _depthwise(2, False), _depthwise(2, True),
        _batch_norm(), _squeeze_excite("swish", "sigmoid"),
        _squeeze_excite("hard_swish", "hard_sigmoid"), _classifier(),
    ]  # fmt: skip
