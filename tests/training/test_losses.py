"""Losses against NumPy, and who gets a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.training import losses

BATCH, CLASSES = 6, 5


def _logits(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, 2.0, (BATCH, CLASSES)).astype(np.float32)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    wide = logits.astype(np.float64)
    return wide - np.log(np.exp(wide).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_supervised_smooths_towards_all_classes(smoothing: float) -> None:
    labels = np.arange(BATCH) % CLASSES
    targets = np.full((BATCH, CLASSES), smoothing / CLASSES)
    targets[np.arange(BATCH), labels] += 1.0 - smoothing
    expected = -(targets * _log_softmax(_logits(0))).sum(axis=1).mean()
    actual = losses.supervised(tf.constant(labels), tf.constant(_logits(0)), smoothing)
    assert float(actual) == pytest.approx(expected, rel=1e-6)


def test_distilled_sums_over_classes_and_averages_over_images() -> None:
    teacher = np.exp(_log_softmax(_logits(1)))
    expected = -(teacher * _log_softmax(_logits(0))).sum() / BATCH
    actual = losses.distilled(tf.constant(_logits(1)), tf.constant(_logits(0)))
    assert float(actual) == pytest.approx(expected, rel=1e-6)


def test_distilled_teaches_the_student_only() -> None:
    teacher, student = tf.Variable(_logits(1)), tf.Variable(_logits(0))
    with tf.GradientTape() as tape:
        loss = losses.distilled(teacher, student)
    of_teacher, of_student = tape.gradient(loss, [teacher, student])
    assert of_teacher is None
    difference = np.exp(_log_softmax(_logits(0))) - np.exp(_log_softmax(_logits(1)))
    np.testing.assert_allclose(of_student.numpy(), difference / BATCH, atol=1e-7)


def test_a_student_that_agrees_has_no_gradient() -> None:
    student = tf.Variable(_logits(0))
    with tf.GradientTape() as tape:
        loss = losses.distilled(tf.constant(_logits(0)), student)
    np.testing.assert_allclose(tape.gradient(loss, student).numpy(), 0.0, atol=1e-7)


def test_weight_decay_skips_what_has_one_axis() -> None:
    kernel, other = np.arange(12.0).reshape(2, 2, 3, 1), np.ones((2, 3))
    variables = [tf.Variable(v, dtype=tf.float32) for v in (kernel, np.full(7, 9.0), other)]
    # 0.5 * (0 + 1 + 4 + ... + 121) + 0.5 * 6
    assert float(losses.weight_decay(variables)) == pytest.approx(0.5 * 506 + 3.0)
