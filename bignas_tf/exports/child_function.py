"""A child as one function of patches, for converters to other formats."""

from __future__ import annotations

import tensorflow as tf
import tf_keras

from bignas_tf.data import resize
from bignas_tf.exports import folding, verify
from bignas_tf.exports.sliced_graph import AnyChild, SlicedGraph


class ChildFunction(tf.Module):
    """A folded child that resizes and normalises by itself; call `serve`.

    `serve` takes patches [batch, S, S, C] with pixels from 0 to 255, as evaluation cuts them, and
    gives float32 logits and probabilities [batch, classes] by name. `embed` takes the same, and
    adds the features [batch, width] that the classifier reads; only a Keras model has it.

    Args:
      child: from `sliced_graph.standalone`.
      patch_size: S.
      batch: images in a call; None for any number.
      dtype: of the pixels.
    """

    def __init__(
        self,
        child: AnyChild,
        patch_size: int,
        batch: int | None = None,
        dtype: tf.DType = tf.uint8,
    ) -> None:
        super().__init__()
        self.folded = child if isinstance(child, SlicedGraph) else folding.fold(child)
        side, channels = child.input_shape[1], child.input_shape[3]
        spec = tf.TensorSpec([batch, patch_size, patch_size, channels], dtype, "patches")

        def serve(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            return _answer(self.folded(resize.resize_patches(patches, side), training=False))

        self.serve = tf.function(serve, input_signature=[spec], autograph=False)
        if isinstance(child, SlicedGraph):
            return
        read = self.folded.get_layer("classifier").input
        whole = tf_keras.Model(self.folded.input, [read, self.folded.output])

        def embed(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            features, logits = whole(resize.resize_patches(patches, side), training=False)
            return {verify.FEATURES: features} | _answer(logits)

        self.embed = tf.function(embed, input_signature=[spec], autograph=False)


def _answer(logits: tf.Tensor) -> dict[str, tf.Tensor]:
    return {verify.LOGITS: logits, "probabilities": tf.nn.softmax(logits)}
