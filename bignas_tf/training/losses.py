"""What each child of a sandwich is trained on."""

from __future__ import annotations

from collections.abc import Iterable

import tensorflow as tf


def supervised(labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """Mean cross-entropy with labels.

    Args:
      labels: int32 [N].
      logits: float32 [N, classes].
      label_smoothing: weight moved from the label to all classes evenly.
    """
    classes = logits.shape[-1]
    targets = tf.one_hot(labels, classes)
    targets = targets * (1.0 - label_smoothing) + label_smoothing / classes
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def distilled(teacher_logits: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy with the biggest child's soft labels (paper, Section 3.1).

    Summed over classes and averaged over images; no gradient reaches the
    teacher.

    Args:
      teacher_logits: float32 [N, classes].
      logits: float32 [N, classes].
    """
    targets = tf.stop_gradient(tf.nn.softmax(teacher_logits))
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def weight_decay(variables: Iterable[tf.Variable]) -> tf.Tensor:
    """Half the squared norm of all kernels; batch norms and biases are left out."""
    return tf.add_n([tf.nn.l2_loss(v) for v in variables if v.shape.rank > 1])
