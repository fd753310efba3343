"""Children of stock layers, trained and scored by Keras."""

from __future__ import annotations

import math
from collections.abc import Sequence

import tensorflow as tf
import tf_keras

from bignas_tf import errors
from bignas_tf.accuracy import Accuracy
from bignas_tf.data import faults, inputs, resize
from bignas_tf.data.config import DataConfig
from bignas_tf.selection.splits import Split

_TOP1 = "accuracy"


def fit(
    model: tf_keras.Model,
    optimizer: tf_keras.optimizers.Optimizer,
    data: DataConfig,
    steps: int,
    way_out: str,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> tf.data.Dataset:
    """Trains a model on labels by Keras' `fit`.

    Args:
      model: float32 [N, side, side, C] to logits; trained in place.
      optimizer: trains it.
      data: the images.
      steps: updates, unless a callback ends it before.
      way_out: what may help where the loss is not finite.
      callbacks: of Keras.
      verbose: of Keras.

    Returns:
      The batches that it was trained on.

    Raises:
      UsageError: an image cannot be read.
      RunError: the loss is not finite.
    """
    entropy = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, entropy, [_TOP1])
    images = resize.resized_batches(inputs.build_dataset(data), model.input_shape[1])
    ends = [*callbacks, tf_keras.callbacks.TerminateOnNaN()]
    with faults.named(data):
        past = model.fit(images, steps_per_epoch=steps, verbose=verbose, callbacks=ends)
    _check(past.history["loss"][-1], way_out)
    return images


def score(model: tf_keras.Model, split: Split, way_out: str) -> Accuracy:
    """The accuracy of a model that `fit` has trained.

    Args:
      model: see `fit`.
      split: the images.
      way_out: what may help where the loss is not finite.

    Raises:
      UsageError: an image cannot be read.
      RunError: the loss is not finite.
    """
    images = resize.resized_batches(split.dataset, model.input_shape[1])
    with faults.named(split.config):
        scored = model.evaluate(images, verbose=0, return_dict=True)
    _check(scored["loss"], way_out)
    right = round(split.images * scored[_TOP1])  # which Keras has as a float32 fraction
    return Accuracy(right / split.images, split.images)


def _check(loss: float, way_out: str) -> None:
    if not math.isfinite(loss):
        raise errors.RunError(f"the loss is not finite; {way_out}")
