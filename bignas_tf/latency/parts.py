"""The parts of children, each alone in LiteRT: what a latency table is measured from.

A part is built by the code that builds children, has its batch norms folded as an export does,
and runs on XNNPACK in float32. Its time is that of the computation alone: its input is ready
and its output stays in place, because inside a child nothing is handed over between parts.
Its weights are random; the time does not depend on them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from bignas_tf.conversion import metadata, tflite
from bignas_tf.data import resize
from bignas_tf.exports import folding, probe
from bignas_tf.latency import children
from bignas_tf.modeling import child as child_lib
from bignas_tf.modeling import child_block
from bignas_tf.search_space import blocks
from bignas_tf.search_space.parts import BlockPart, Head, Part, Stem
from bignas_tf.search_space.style import SqueezeExcite, Style


def timing(part: Part, threads: int) -> probe.Timing:
    """Measures a part.

    Raises:
      RunError: it cannot be converted.
    """
    lite = probe.interpreter(_BUILDERS[type(part)](part), threads)
    (given,) = lite.get_input_details()
    ones = np.ones(given["shape"], given["dtype"])
    lite.set_tensor(given["index"], ones)
    return children.warm_timing(lite.invoke)


def overhead(patch_side: int, channels: int, threads: int) -> probe.Timing:
    """Measures a call that hands a patch over, computes nothing, and takes an answer."""
    corner = _function(
        lambda patches: tf.cast(patches[:, 0, 0], tf.float32),
        [1, patch_side, patch_side, channels],
        tf.uint8,
    )
    description = metadata.FileDescription("a corner", "Nothing.", ("value",))
    model = metadata.describe(tflite.plain(corner, tf.Module()), description, ["logits"])
    return children.litert_timing(model, patch_side, channels, threads)


def _stem(part: Stem) -> bytes:
    pixels = (127.0,) * part.in_width if part.rescaled else ()
    style = Style(stem_activation=part.activation, pixel_mean=pixels, pixel_deviation=pixels)
    model = _folded(
        [part.side, part.side, part.in_width],
        lambda images: child_lib.add_stem(
            images, part.out_width, part.stride, part.symmetric, style
        ),
    )
    shape = [1, part.patch_side, part.patch_side, part.in_width]

    def serve(patches: tf.Tensor) -> tf.Tensor:
        return model(resize.resize_patches(patches, part.side), training=False)

    return tflite.plain(_function(serve, shape, tf.uint8), model)


def _block(part: BlockPart) -> bytes:
    gates = SqueezeExcite(activation=part.se_activation, gate=part.se_gate)
    row = blocks.Block(
        stage=0,
        layer=0,
        stride=part.stride,
        symmetric=part.symmetric,
        expands=part.expands,
        skip=part.skip,
        optional=False,
        active=True,
        kernel=part.kernel,
        in_width=part.in_width,
        mid_width=part.mid_width,
        out_width=part.out_width,
        se_width=part.se_width,
        activation=part.activation,
        style=Style(squeeze_excite=gates),
    )
    shape = [part.side, part.side, part.in_width]
    model = _folded(shape, lambda x: child_block.add_block(x, row))
    return tflite.plain(_function(lambda x: model(x, training=False), [1, *shape]), model)


def _head(part: Head) -> bytes:
    shape = [part.side, part.side, part.in_width]
    style = Style(head="mixed" if part.mix_width else "convolved", head_activation=part.activation)
    model = _folded(
        shape,
        lambda x: child_lib.add_head(x, part.mid_width, part.mix_width, part.classes, style),
    )

    def serve(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits = model(x, training=False)
        return logits, tf.nn.softmax(logits)

    return tflite.plain(_function(serve, [1, *shape]), model)


_BUILDERS: dict[type[Part], Callable[[Any], bytes]] = {Stem: _stem, BlockPart: _block, Head: _head}


def _folded(shape: Sequence[int], build: Callable[[tf.Tensor], tf.Tensor]) -> tf_keras.Model:
    given = tf_keras.layers.Input(shape)
    return folding.fold(tf_keras.Model(given, build(given)))


def _function(
    serve: Callable[[tf.Tensor], tf.Tensor | tuple[tf.Tensor, tf.Tensor]],
    shape: Sequence[int],
    dtype: tf.DType = tf.float32,
) -> tf.types.experimental.ConcreteFunction:
    return tf.function(serve, input_signature=[tf.TensorSpec(shape, dtype)]).get_concrete_function()
