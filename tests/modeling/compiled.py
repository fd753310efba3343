"""A supernet's step as one graph for every child and resolution."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.space import SearchSpace
from tests.modeling import helpers


class Compiled:
    """Traced once for code and images of any side; counts its traces.

    Attributes:
      supernet: what runs.
      traces: how often `step` was traced.
    """

    def __init__(self, space: SearchSpace, execution: str) -> None:
        self.supernet = helpers.supernet_of(space, execution)
        self.traces = 0
        images = tf.TensorSpec([helpers.BATCH, None, None, 3])
        code = tf.TensorSpec([space.code_length], tf.int32)
        statistics = tf.TensorSpec([2, self.supernet.statistics_width])
        self._step = tf.function(self._trace_step, input_signature=[images, code])
        self._calibrated = tf.function(
            lambda images, code, statistics: self.supernet(images, code, statistics=statistics),
            input_signature=[images, code, statistics],
        )
        self._moments = tf.function(self.supernet.moments, input_signature=[images, code])

    def _trace_step(self, images: tf.Tensor, code: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        self.traces += 1
        with tf.GradientTape() as tape:
            logits = self.supernet(images, code)
            loss = helpers.loss_of(logits, helpers.labels_for())
        return logits, tape.gradient(loss, self.supernet.trainable_weights)

    def step(self, images: tf.Tensor, child: Architecture) -> tuple[np.ndarray, list[np.ndarray]]:
        """Logits with the batch's moments, and the loss' gradients."""
        logits, gradients = self._step(images, helpers.code_of(self.supernet.space, child))
        return logits.numpy(), [gradient.numpy() for gradient in gradients]

    def calibrated(
        self, images: tf.Tensor, child: Architecture, statistics: np.ndarray
    ) -> np.ndarray:
        """Logits with given statistics."""
        code = helpers.code_of(self.supernet.space, child)
        return self._calibrated(images, code, statistics).numpy()

    def moments(self, images: tf.Tensor, child: Architecture) -> np.ndarray:
        return self._moments(images, helpers.code_of(self.supernet.space, child)).numpy()
