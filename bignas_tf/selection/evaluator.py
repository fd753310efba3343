"""Calibrates and scores any child of a supernet; two traces serve them all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from bignas_tf import errors
from bignas_tf.data import resize
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.calibration import PooledMoments

Batches = Iterable[tuple[tf.Tensor, tf.Tensor]]


class Evaluator:
    """Runs children as dynamic slices of the shared weights, which it never changes.

    Args:
      supernet: trained weights.
      calibration: batches of uint8 [N, S, S, C] patches and labels, iterated
        anew for each child.
    """

    def __init__(self, supernet: Supernet, calibration: Batches) -> None:
        self._space = supernet.space
        self._calibration = calibration
        # Sides and batch stay open: no child, resolution or last batch traces again.
        images = tf.TensorSpec([None, None, None, supernet.input_channels], tf.float32)
        code = tf.TensorSpec([self._space.code_length], tf.int32)
        statistics = tf.TensorSpec([2, supernet.statistics_width], tf.float32)
        convert = tf.autograph.experimental.do_not_convert
        self._moments = tf.function(convert(supernet.moments), input_signature=[images, code])
        self._logits = tf.function(
            convert(lambda x, choice, given: supernet(x, choice, statistics=given)),
            input_signature=[images, code, statistics],
        )

    @property
    def traces(self) -> int:
        """How often a graph was traced: at most 2."""
        return (
            self._moments.experimental_get_tracing_count()
            + self._logits.experimental_get_tracing_count()
        )

    def statistics(self, architecture: Architecture) -> np.ndarray:
        """Calibrates a child: float32 [2, supernet.statistics_width]."""
        code = self._code(architecture)
        pooled = PooledMoments()
        for patches, _ in self._calibration:
            images = resize.resize_patches(patches, architecture.resolution)
            pooled.add(self._moments(images, code).numpy())
        return pooled.result()

    def logits(
        self, architecture: Architecture, statistics: np.ndarray, batches: Batches
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yields float32 logits [N, classes] and int32 labels [N], batch by batch."""
        code = self._code(architecture)
        for patches, labels in batches:
            images = resize.resize_patches(patches, architecture.resolution)
            yield self._logits(images, code, statistics).numpy(), labels.numpy()

    def top1(
        self, architecture: Architecture, statistics: np.ndarray, batches: Batches
    ) -> tuple[float, int]:
        """Returns the fraction of images whose best class is right, and their number.

        Raises:
          RunError: a logit is NaN or infinite.
        """
        right = images = 0
        for logits, labels in self.logits(architecture, statistics, batches):
            if not np.isfinite(logits).all():
                raise errors.RunError(f"child {architecture} gives logits that are not finite")
            right += int((logits.argmax(-1) == labels).sum())
            images += len(labels)
        return right / images, images

    def _code(self, architecture: Architecture) -> tf.Tensor:
        return tf.constant(self._space.encode(architecture))
