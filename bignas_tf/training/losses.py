"""The losses of the children of a sandwich."""

from __future__ import annotations

import math

import tensorflow as tf

from bignas_tf.training.configs import DistillationConfig


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


def distilled(
    teacher_logits: tf.Tensor, logits: tf.Tensor, config: DistillationConfig
) -> tf.Tensor:
    """Mean loss on a teacher's soft labels; no gradient reaches the teacher.

    Summed over classes and averaged over images.

    Args:
      teacher_logits: float32 [N, classes].
      logits: float32 [N, classes].
      config: its divergence is "kl" (cross-entropy with the soft labels: paper,
        Section 3.1) or "alpha".
    """
    teacher_logits = tf.stop_gradient(teacher_logits)
    if config.divergence == "alpha":
        return tf.reduce_mean(_adaptive_alpha(teacher_logits, logits, config))
    targets = tf.nn.softmax(teacher_logits)
    return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(targets, logits))


def ramp(config: DistillationConfig, step: tf.Tensor) -> tf.Tensor:
    """The weight of distillation at a step: rises linearly from 0, then is constant."""
    if not config.ramp_steps:
        return tf.constant(config.weight)
    part = tf.cast(step, tf.float32) / config.ramp_steps
    return config.weight * tf.minimum(part, 1.0)


def _adaptive_alpha(
    teacher_logits: tf.Tensor, logits: tf.Tensor, config: DistillationConfig
) -> tf.Tensor:
    """For each image the greater of two alpha-divergences (https://arxiv.org/abs/2102.07954).

    One punishes a student that is sure where its teacher is not, the other one that misses
    what its teacher sees. Shape [N].
    """
    log_teacher, log_student = tf.nn.log_softmax(teacher_logits), tf.nn.log_softmax(logits)
    low, high = (
        _alpha_divergence(log_teacher, log_student, alpha, config.clip)
        for alpha in (config.alpha_min, config.alpha_max)
    )
    return tf.where(tf.stop_gradient(low > high), low, high)


def _alpha_divergence(
    log_teacher: tf.Tensor, log_student: tf.Tensor, alpha: float, clip: float
) -> tf.Tensor:
    """D(p|q) = (sum of q (p/q)^alpha - 1) / (alpha (alpha - 1)), p the teacher's; shape [N].

    Its gradient is that of -(1/alpha) sum of q (p/q)^alpha log q with all but the last factor
    held fixed; (p/q)^alpha, which explodes where q is nearly 0 (where p is, if alpha is
    negative), is clipped. The limit at alpha = 1 is the Kullback-Leibler divergence, whose
    q p/q = p is bounded and, as in AlphaNet's code, not clipped.
    """
    log_ratio = log_teacher - tf.stop_gradient(log_student)
    if alpha == 1.0:
        weighted = tf.exp(log_teacher)
        value = tf.reduce_sum(weighted * log_ratio, -1)
    else:
        power = tf.exp(tf.minimum(alpha * log_ratio, math.log(clip)))
        weighted = tf.stop_gradient(tf.exp(log_student) * power)
        value = (tf.reduce_sum(weighted, -1) - 1.0) / (alpha * (alpha - 1.0))
    surrogate = -tf.reduce_sum(weighted * log_student, -1) / alpha
    return tf.stop_gradient(value - surrogate) + surrogate
