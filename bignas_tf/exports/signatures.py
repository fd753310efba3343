"""A child behind the signatures that servers call, made quick to load and to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants

from bignas_tf.exports import sliced_graph, verify
from bignas_tf.exports.child_function import ChildFunction
from bignas_tf.exports.intake import Intake
from bignas_tf.exports.sliced_graph import AnyChild, SlicedGraph
from bignas_tf.exports.versions import BEST

_MOST_NAMED = 5  # classes of an answer that come with their names

Answer = dict[str, tf.Tensor]


def build(
    child: AnyChild, intake: Intake, labels: Sequence[str]
) -> dict[str, Callable[[tf.Tensor], Answer]]:
    """The functions to save, by the keys of their signatures.

    'serving_default' takes uint8 images of any size, 'float_images' the same pixels as float32,
    'image_bytes' JPEG and PNG files. They answer with logits, probabilities and the best classes
    by number, name and probability. 'patches' takes squares that are cut already, and answers
    with the first two alone: it is for runtimes without strings. 'features' takes images as
    'serving_default' does, and answers with what the classifier reads, float32 [N, width]. A child
    that is no Keras model has 'child' instead: float32 images in [-1, 1] at its resolution to
    logits.

    Batch norms are folded into the convolutions, and the weights are constants of the graph, so
    that the kernels lay them out only once. It cannot be trained further.

    Args:
      child: from `sliced_graph.standalone`.
      intake: what becomes of images before the child sees them.
      labels: the classes' names, in their order.
    """
    whole = _whole(child, intake)
    if isinstance(child, SlicedGraph):
        return around(whole, intake, labels) | {sliced_graph.SIGNATURE: _as_it_is(child)}

    def features(patches: tf.Tensor) -> Answer:
        return {verify.FEATURES: whole(patches)[verify.FEATURES]}

    images = [None, None, None, intake.channels]
    embedding = _function(intake.from_pixels, features, images, tf.uint8, "images")
    return around(_without_features(whole), intake, labels) | {verify.FEATURES: embedding}


def _as_it_is(child: SlicedGraph) -> Callable[[tf.Tensor], Answer]:
    """The child without what prepares images, as `sliced_graph.read` takes it."""

    def answer(images: tf.Tensor) -> Answer:
        return {verify.LOGITS: child(images)}

    return _function(tf.identity, answer, child.input_shape, tf.float32, sliced_graph.INPUT)


def around(
    numbers: Callable[[tf.Tensor], Answer], intake: Intake, labels: Sequence[str]
) -> dict[str, Callable[[tf.Tensor], Answer]]:
    """The signatures of `build` but 'features', around any function of patches to numbers."""
    texts = [label.encode("utf-8", "replace") for label in labels]

    def named(patches: tf.Tensor) -> Answer:
        answer = numbers(patches)
        best, classes = tf.math.top_k(answer["probabilities"], min(_MOST_NAMED, len(texts)))
        names = tf.gather(tf.constant(texts), classes)
        return answer | dict(zip(BEST, (classes, names, best), strict=True))

    images = [None, None, None, intake.channels]
    return {
        "serving_default": _function(intake.from_pixels, named, images, tf.uint8, "images"),
        "float_images": _function(intake.from_floats, named, images, tf.float32, "images"),
        "image_bytes": _function(intake.from_bytes, named, [None], tf.string, "image_bytes"),
        "patches": _patches(numbers, intake),
    }


def build_light(child: AnyChild, intake: Intake) -> dict[str, Callable[[tf.Tensor], Answer]]:
    """'patches' alone; see `build`."""
    return {"patches": _patches(frozen(child, intake), intake)}


def _patches(
    numbers: Callable[[tf.Tensor], Answer], intake: Intake
) -> Callable[[tf.Tensor], Answer]:
    shape = [None, intake.size, intake.size, intake.channels]
    return _function(intake.from_patches, numbers, shape, tf.uint8, "patches")


def _function(
    read: Callable[[tf.Tensor], tf.Tensor],
    answer: Callable[[tf.Tensor], Answer],
    shape: Sequence[int | None],
    dtype: tf.DType,
    name: str,
) -> Callable[[tf.Tensor], Answer]:
    spec = tf.TensorSpec(shape, dtype, name)
    return tf.function(lambda given: answer(read(given)), input_signature=[spec], autograph=False)


def frozen(child: AnyChild, intake: Intake) -> Callable[[tf.Tensor], Answer]:
    """Patches to logits and probabilities, by a graph of constants."""
    return _without_features(_whole(child, intake))


def _without_features(whole: Callable[[tf.Tensor], Answer]) -> Callable[[tf.Tensor], Answer]:
    return lambda patches: {
        key: value for key, value in whole(patches).items() if key != verify.FEATURES
    }


def _whole(child: AnyChild, intake: Intake) -> Callable[[tf.Tensor], Answer]:
    """Patches to logits, probabilities and a Keras model's features, by a graph of constants."""
    # Graphs hold their variables weakly: what owns them must outlive the conversion.
    owner = ChildFunction(child, intake.size)
    if isinstance(child, SlicedGraph):
        return owner.serve  # its weights are constants already
    embed = owner.embed.get_concrete_function()
    frozen = convert_to_constants.convert_variables_to_constants_v2(embed)
    return lambda patches: dict(zip(embed.structured_outputs, frozen(patches), strict=True))
