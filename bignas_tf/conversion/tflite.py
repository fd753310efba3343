"""Children as LiteRT files (.tflite), in four kinds.

Each takes one uint8 patch [1, S, S, C] and answers as `ChildFunction` does. The shapes are fixed,
as phones and accelerators want them.

- float32: the child as it is.
- float16: weights of half the size.
- dynamic_range: int8 weights; activations are float32, in products int8 where the kernels can.
- int8: every operation in int8, ranges taken from real images; answers are uint8, with a scale.
  What rounding costs is then made less (`rounding`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.conversion import metadata, operations, rounding
from bignas_tf.exports import probe
from bignas_tf.exports.child_function import ChildFunction
from bignas_tf.exports.sliced_graph import AnyChild

KINDS = ("float32", "float16", "dynamic_range", "int8")


def convert(
    child: AnyChild, kind: str, patches: np.ndarray, description: metadata.FileDescription
) -> bytes:
    """Converts a child.

    Args:
      child: from `sliced_graph.standalone`.
      kind: one of KINDS.
      patches: uint8 [N, S, S, C], real images from training, which int8 is fitted to.
      description: what the file says about itself.

    Returns:
      The file.

    Raises:
      RunError: it cannot be converted, or what is to be int8 is not so throughout.
    """
    # The ranges of int8 are found in float32; the input becomes uint8 afterwards.
    dtype = tf.float32 if kind == "int8" else tf.uint8
    module = ChildFunction(child, patches.shape[1], 1, dtype)
    serve = module.serve.get_concrete_function()
    converter = _converter(serve, module)
    _ask_for(converter, kind, patches)
    model = _converted(converter, kind)
    if kind == "int8":
        check_int8(model)
        model = rounding.lessen(model, plain(serve, module), patches)
    return metadata.describe(model, description, list(serve.structured_outputs))


def plain(function: tf.types.experimental.ConcreteFunction, keeper: tf.Module) -> bytes:
    """Converts any function to float32, without names and without metadata.

    Args:
      function: a traced one, of fixed shapes.
      keeper: holds its variables.

    Raises:
      RunError: it cannot be converted.
    """
    return _converted(_converter(function, keeper), "float32")


def _converter(
    function: tf.types.experimental.ConcreteFunction, keeper: tf.Module
) -> tf.lite.TFLiteConverter:
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], keeper)
    # Through a SavedModel (the default) the same graph takes eight seconds instead of a third of
    # one, and gains only a signature.
    converter.experimental_lower_to_saved_model = False
    return converter


def _ask_for(converter: tf.lite.TFLiteConverter, kind: str, patches: np.ndarray) -> None:
    if kind != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind == "int8":
        # An operation without an int8 kernel is an error, not one in float32 in between.
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: _samples(patches)
        converter.inference_input_type = converter.inference_output_type = tf.uint8


def _converted(converter: tf.lite.TFLiteConverter, kind: str) -> bytes:
    try:
        with warnings.catch_warnings():
            # They are given in another way: the representative data set.
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            return converter.convert()
    except Exception as error:  # the converter's own class is not public
        reason = errors.one_line(error)
        raise errors.failure(error, f"LiteRT {kind}: cannot be converted: {reason}") from error


def _samples(patches: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The images one by one; the first gets a black and a white pixel.

    The input's range is then 0 to 255 and its scale 1: pixels go in as they are.
    """
    for number, patch in enumerate(patches):
        image = patch[np.newaxis].astype(np.float32)
        if not number:
            image[0, 0, 0], image[0, -1, -1] = 0, 255
        yield [image]


def check_int8(model: bytes) -> None:
    """Refuses a file with an operation in float, or whose input is not a plain pixel."""
    floats = operations.read(model).floats
    if floats:
        raise errors.RunError(f"LiteRT int8: operations in float32: {floats}")
    (image,) = probe.interpreter(model).get_input_details()
    if image["dtype"] != np.uint8 or image["quantization"] != (1.0, 0):
        given = image["dtype"].__name__, image["quantization"]
        raise errors.RunError(f"LiteRT int8: the input is {given}, not uint8 of scale 1")
