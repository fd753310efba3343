"""Losses against NumPy, and who gets a gradient."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from bignas_tf.training import losses
from bignas_tf.training.configs import DistillationConfig

BATCH, CLASSES = 6, 5
KL = DistillationConfig()


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
    actual = losses.distilled(tf.constant(_logits(1)), tf.constant(_logits(0)), KL)
    assert float(actual) == pytest.approx(expected, rel=1e-6)


def test_distilled_teaches_the_student_only() -> None:
    teacher, student = tf.Variable(_logits(1)), tf.Variable(_logits(0))
    with tf.GradientTape() as tape:
        loss = losses.distilled(teacher, student, KL)
    of_teacher, of_student = tape.gradient(loss, [teacher, student])
    assert of_teacher is None
    difference = np.exp(_log_softmax(_logits(0))) - np.exp(_log_softmax(_logits(1)))
    np.testing.assert_allclose(of_student.numpy(), difference / BATCH, atol=1e-7)


def test_a_student_that_agrees_has_no_gradient() -> None:
    student = tf.Variable(_logits(0))
    with tf.GradientTape() as tape:
        loss = losses.distilled(tf.constant(_logits(0)), student, KL)
    np.testing.assert_allclose(tape.gradient(loss, student).numpy(), 0.0, atol=1e-7)


def _alpha(changes: dict[str, float]) -> DistillationConfig:
    return DistillationConfig(divergence="alpha", **changes)


def _divergence(alpha: float) -> np.ndarray:
    """Of teacher 1 from student 0 as in the paper's equation, for each image; float64."""
    p, q = np.exp(_log_softmax(_logits(1))), np.exp(_log_softmax(_logits(0)))
    if alpha == 1.0:
        return (p * np.log(p / q)).sum(1)
    return ((q * (p / q) ** alpha).sum(1) - 1.0) / (alpha * (alpha - 1.0))


@pytest.mark.parametrize("alphas", [(-1.0, 1.0), (-0.5, 2.0), (0.5, 3.0)])
def test_the_greater_alpha_divergence_counts_for_each_image(alphas: tuple[float, float]) -> None:
    expected = np.maximum(_divergence(alphas[0]), _divergence(alphas[1])).mean()
    config = _alpha({"alpha_min": alphas[0], "alpha_max": alphas[1], "clip": 1e9})
    actual = losses.distilled(tf.constant(_logits(1)), tf.constant(_logits(0)), config)
    assert float(actual) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("alpha", [-1.0, -0.5, 0.5, 1.0, 2.0])
def test_the_gradient_without_clipping_is_the_divergence_s_own(alpha: float) -> None:
    """Against the gradient that TensorFlow takes of the paper's equation."""
    # The loss takes two alphas, of which the greater divergence counts. Both have to be the one
    # that is tested, and may not be equal.
    config = _alpha({"alpha_min": alpha - 1e-6, "alpha_max": alpha, "clip": 1e9})
    teacher, student = tf.nn.softmax(_logits(1)), tf.Variable(_logits(0))
    with tf.GradientTape(persistent=True) as tape:
        ours = losses.distilled(tf.constant(_logits(1)), student, config)
        q = tf.nn.softmax(student)
        if alpha == 1.0:
            each = tf.reduce_sum(teacher * tf.math.log(teacher / q), -1)
        else:
            each = tf.reduce_sum(q * (teacher / q) ** alpha, -1) / (alpha * (alpha - 1.0))
        direct = tf.reduce_mean(each)
    actual, expected = (tape.gradient(loss, student).numpy() for loss in (ours, direct))
    # The two alphas differ by a millionth; ratios to the power of 2 reach a thousand.
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-5 * np.abs(expected).max())


def _alphanet(teacher: np.ndarray, student: np.ndarray, clip: float) -> np.ndarray:
    """The gradient of AlphaNet's adaptive loss as its own code has it (loss_ops.py), float64.

    Ratios to the power of alpha are clipped, but not those of an alpha of 1.
    """
    p, q = np.exp(_log_softmax(teacher)), np.exp(_log_softmax(student))
    ratio = p / q
    inverse = np.minimum(1.0 / ratio, clip)
    low, rho_low = (q * (inverse - 1.0) / 2.0).sum(1), -inverse
    high, rho_high = (q * ratio * np.log(ratio)).sum(1), ratio
    pull = q * np.where((low > high)[:, None], rho_low, rho_high)
    return (q * pull.sum(1, keepdims=True) - pull) / len(q)


@pytest.mark.parametrize("student", [[0, 0, 0], [-1, 1, 0], [-3, 3, 0], [-6, 6, 0], [5, 0, -3]])
def test_a_student_far_from_its_teacher_is_pulled_as_by_alphanet(student: list[int]) -> None:
    """At alpha = 1 a clipped ratio would leave the most wrong students without a gradient."""
    teachers = np.array([[6.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    students = np.array([student, student], np.float64)
    variable = tf.Variable(students.astype(np.float32))
    with tf.GradientTape() as tape:
        loss = losses.distilled(tf.constant(teachers.astype(np.float32)), variable, _alpha({}))
    expected = _alphanet(teachers, students, DistillationConfig().clip)
    np.testing.assert_allclose(tape.gradient(loss, variable).numpy(), expected, atol=1e-6)


def test_clipping_bounds_what_one_class_can_pull() -> None:
    # The student is sure of a class in which its teacher does not believe: alpha = -1 counts.
    teacher = tf.constant([[-20.0, 0.0, 0.0]])
    student = tf.Variable([[20.0, 0.0, 0.0]])
    pulls = []
    for clip in (5.0, 50.0):
        config = _alpha({"clip": clip, "alpha_min": -1.0, "alpha_max": -0.5})
        with tf.GradientTape() as tape:
            loss = losses.distilled(teacher, student, config)
        gradient = tape.gradient(loss, student).numpy()
        assert np.isfinite(gradient).all()
        pulls.append(np.abs(gradient).max())
    # Each class counts by q min((p/q)^alpha, clip), and q of all classes adds up to 1.
    assert pulls[0] <= 5.0 + 1e-5
    assert pulls[1] <= 50.0 + 1e-4


def test_alpha_teaches_the_student_only() -> None:
    teacher, student = tf.Variable(_logits(1)), tf.Variable(_logits(0))
    with tf.GradientTape() as tape:
        loss = losses.distilled(teacher, student, _alpha({}))
    of_teacher, of_student = tape.gradient(loss, [teacher, student])
    assert of_teacher is None
    assert np.abs(of_student.numpy()).max() > 1e-3


def test_the_ramp_is_a_line_and_then_flat() -> None:
    config = DistillationConfig(weight=0.6, ramp_steps=3)
    weights = [float(losses.ramp(config, tf.constant(step))) for step in range(5)]
    assert weights == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.6])
    flat = DistillationConfig(weight=0.6)
    assert float(losses.ramp(flat, tf.constant(0))) == pytest.approx(0.6)
