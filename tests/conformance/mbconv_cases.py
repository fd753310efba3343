"""The elastic block as conformance cases: a stage's first block, and a later one."""

from __future__ import annotations

import dataclasses

import tensorflow as tf
import tf_keras

from bignas_tf.layers import elastic
from bignas_tf.modeling.mbconv import ElasticMBConv
from bignas_tf.search_space.blocks import Block
from tests.conformance.cases import (
    ODD_AND_EVEN,
    Case,
    Choice,
    Layers,
    Slices,
    centre,
    first,
    hard_sigmoid,
    stock_norm,
    stock_padding,
)

_KERNEL = 5
_ACTIVATIONS = {
    "swish": tf.nn.silu,
    "hard_swish": lambda x: x * hard_sigmoid(x),
    "relu": tf.nn.relu,
    "relu6": tf.nn.relu6,
}


def _block(widest: Block, choice: Choice) -> Block:
    """The row of the block table that a choice, in ints or tensors, stands for."""
    return dataclasses.replace(
        widest,
        kernel=choice["kernel"],
        in_width=choice["in"],
        mid_width=choice["mid"],
        out_width=choice["out"],
        se_width=choice["units"],
    )


def _stock_layers(widest: Block, choice: Choice) -> Layers:
    layers = tf_keras.layers
    made: Layers = []
    if widest.expands:
        made += [layers.Conv2D(choice["mid"], 1, use_bias=False), stock_norm()]
    before, padding = stock_padding(choice["kernel"], widest.symmetric)
    made += [
        *before,
        layers.DepthwiseConv2D(choice["kernel"], widest.stride, padding, use_bias=False),
        stock_norm(),
        layers.Dense(choice["units"], "swish"),
        layers.Dense(choice["mid"], "sigmoid"),
        layers.Conv2D(choice["out"], 1, use_bias=False),
        stock_norm(),
    ]
    if widest.skip in ("projected", "matched"):
        made.append(layers.Conv2D(choice["out"], 1, use_bias=False))
    return [*made, stock_norm()] if widest.skip == "projected" else made


def _stock_run(widest: Block, layers: Layers, x: tf.Tensor, choice: Choice) -> tf.Tensor:
    rest, activate = iter(layers), _ACTIVATIONS[widest.activation]

    def convolve_and_norm(x: tf.Tensor) -> tf.Tensor:
        convolved = next(rest)(x)
        return next(rest)(convolved, training=True)

    y = activate(convolve_and_norm(x)) if widest.expands else x
    y = activate(convolve_and_norm(next(rest)(y) if widest.symmetric else y))
    gates = next(rest)(tf.reduce_mean(y, [1, 2], keepdims=True))
    y = convolve_and_norm(y * next(rest)(gates))
    if widest.skip == "equal" and choice["in"] != choice["out"]:
        return y
    if widest.stride == 2:
        x = _stock_pooled(widest, x)
    if widest.skip == "projected":
        return convolve_and_norm(x) + y
    if widest.skip == "matched":
        return next(rest)(x) + y
    kept = x[..., : choice["out"]]
    return tf.pad(kept, [[0, 0]] * 3 + [[0, choice["out"] - kept.shape[-1]]]) + y


def _stock_pooled(widest: Block, x: tf.Tensor) -> tf.Tensor:
    """A matched skip has zeros around an odd side, which count; SAME's do not."""
    if widest.skip == "matched":
        x = tf_keras.layers.ZeroPadding2D(x.shape[1] % 2)(x)
        return tf_keras.layers.AveragePooling2D(2)(x)
    return tf_keras.layers.AveragePooling2D(2, padding="same")(x)


def _slices(widest: Block, choice: Choice) -> Slices:
    """In the order in which the block makes its weights."""
    before, mid, out, units = (choice[name] for name in ("in", "mid", "out", "units"))
    middle = centre(choice["kernel"], _KERNEL)
    expand = [first(1, 1, before, mid), first(mid), first(mid)]
    skip = [first(1, 1, before, out), first(out), first(out)]
    return [
        *(expand if widest.expands else []),
        (middle, middle, slice(mid), slice(1)), first(mid), first(mid),
        first(mid, units), first(units), first(units, mid), first(mid),
        first(1, 1, mid, out), first(out), first(out),
        *{"projected": skip, "matched": skip[:1]}.get(widest.skip, []),
    ]  # fmt: skip


def _case(name: str, widest: Block, choices: tuple[Choice, ...]) -> Case:
    def run(layers: Layers, x: tf.Tensor, choice: Choice, forward: elastic.Pass) -> tf.Tensor:
        return layers[0](x, _block(widest, choice), forward)

    return Case(
        name=name,
        build=lambda: [ElasticMBConv(widest, offset=0, zero_gamma=False)],
        run=run,
        stock_layers=lambda choice: _stock_layers(widest, choice),
        stock_run=lambda layers, x, choice: _stock_run(widest, layers, x, choice),
        slices=lambda choice: _slices(widest, choice),
        choices=choices,
        sides=ODD_AND_EVEN if widest.stride == 2 else (8,),
    )


def _widest(
    stride: int, expand: int, skip: str, optional: bool = False, symmetric: bool = False
) -> Block:
    return Block(
        stage=0, layer=1 if optional else 0, stride=stride, symmetric=symmetric, expands=expand > 1,
        skip=skip, optional=optional, active=True, kernel=_KERNEL,
        in_width=8, mid_width=8 * expand, out_width=8, se_width=4,
    )  # fmt: skip


def _choice(before: int, out: int, kernel: int, expand: int) -> Choice:
    return {
        "in": before, "out": out, "kernel": kernel, "mid": before * expand, "units": before // 2,
    }  # fmt: skip


def _activated() -> list[Case]:
    """A block of each activation but swish, which the others have."""
    return [
        _case(
            f"block with {activation}",
            dataclasses.replace(_widest(stride=1, expand=2, skip="fitted"), activation=activation),
            (_choice(4, 6, 3, 2), _choice(8, 8, 5, 2)),
        )
        for activation in _ACTIVATIONS
        if activation != "swish"
    ]


def mbconv_cases() -> list[Case]:
    """The block's kinds of expansion and of skip."""
    strided = [
        _case(
            f"first block, stride 2, {'symmetric' if symmetric else 'same'}",
            _widest(stride=2, expand=3, skip="projected", symmetric=symmetric),
            (_choice(4, 6, 3, 2), _choice(8, 4, 5, 3), _choice(8, 8, 5, 3)),
        )
        for symmetric in (False, True)
    ]
    return [
        *strided,
        *_activated(),
        _case(
            "first block, no expansion",
            _widest(stride=1, expand=1, skip="projected"),
            (_choice(4, 6, 3, 1), _choice(8, 4, 5, 1), _choice(8, 8, 5, 1)),
        ),
        _case(
            "later block",
            _widest(stride=1, expand=3, skip="fitted", optional=True),
            # Wider, narrower and as wide as its input: the identity is padded, cut and kept.
            (_choice(4, 6, 3, 2), _choice(8, 4, 5, 3), _choice(8, 8, 5, 3)),
        ),
        _case(
            "skip matched to another width",
            _widest(stride=2, expand=1, skip="matched"),
            (_choice(4, 6, 3, 1), _choice(8, 6, 5, 1), _choice(6, 8, 5, 1)),
        ),
        _case(
            "skip only where widths are equal",
            _widest(stride=1, expand=1, skip="equal"),
            (_choice(6, 6, 3, 1), _choice(6, 8, 5, 1), _choice(8, 6, 5, 1)),
        ),
    ]
