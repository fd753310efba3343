"""One candidate of a search: calibrated and scored."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from bignas_tf.data import resize
from bignas_tf.modeling import slicing
from bignas_tf.modeling.supernet import Supernet
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.spread import Batches

from . import cases, harness

_BATCH_SIZE = 250
_LEAST_AGAINST_STATIC = 2.0


def measure(settings: harness.Settings) -> list[harness.Row]:
    """The small space against static children, the paper's alone."""
    rows = _rows(cases.SMALL.given(settings), settings.repeats, compared=True)
    if not settings.search_space:
        rows += _rows(cases.PAPER.given(settings), settings.repeats, compared=False)
    return rows


def _rows(case: cases.Case, repeats: int, compared: bool) -> list[harness.Row]:
    supernet = case.supernet()
    architecture = random_child(supernet)
    calibration = [case.images(case.calibrated)]
    scored = scored_batches(case)
    ours = functools.partial(evaluate, Evaluator(supernet, calibration), architecture, scored)
    static = functools.partial(evaluate_static, supernet, architecture, calibration, scored)
    first = harness.once(ours)
    samples = harness.alternate([ours, static] if compared else [ours], repeats)
    name = f"{case.search_space} at {architecture.resolution} px"
    macs = supernet.cost_of(architecture).macs
    note = (
        f"{name}: a random child of {harness.figure(macs / 1e6)}M multiply-adds, calibrated on "
        f"{case.calibrated} and scored on {case.scored} images"
    )
    reference = "static Keras child, built, traced and run" if compared else ""
    target = _LEAST_AGAINST_STATIC if compared else None
    return [
        harness.Row(f"candidate, {name}", "s", samples, reference, least_ratio=target, note=note),
        harness.Row(f"trace and first candidate, {name}", "s", [[first]]),
    ]


def random_child(supernet: Supernet) -> Architecture:
    """The candidate that is measured, at the resolution of the patches."""
    space = supernet.space
    return space.with_resolution(space.sample(np.random.default_rng(0)), space.base_resolution)


def scored_batches(case: cases.Case) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Patches and labels of `case.scored` images, ready in memory."""
    return list(tf.data.Dataset.from_tensor_slices(case.images(case.scored)).batch(_BATCH_SIZE))


def evaluate(evaluator: Evaluator, architecture: Architecture, scored: Batches) -> float:
    """Top-1 accuracy as the search finds it."""
    return evaluator.top1(architecture, evaluator.statistics(architecture), scored).top1


def evaluate_static(
    supernet: Supernet, architecture: Architecture, calibration: Batches, scored: Batches
) -> float:
    """The same from a model of stock layers made for this child alone.

    Args:
      supernet: the shared weights.
      architecture: the child.
      calibration: one batch, because a batch norm without momentum keeps the last batch's moments.
      scored: batches to score.
    """
    child = slicing.trainable_child(supernet, architecture, momentum=0.0)
    images = tf.TensorSpec([None, *child.input_shape[1:]], tf.float32)
    convert = tf.autograph.experimental.do_not_convert
    calibrate, logits = (
        tf.function(convert(functools.partial(child, training=training)), input_signature=[images])
        for training in (True, False)
    )
    for patches, _ in calibration:
        calibrate(resize.resize_patches(patches, architecture.resolution))
    right = total = 0
    for patches, labels in scored:
        given = logits(resize.resize_patches(patches, architecture.resolution)).numpy()
        right += int((given.argmax(-1) == labels.numpy()).sum())
        total += len(labels)
    return right / total
