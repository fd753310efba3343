"""Children converted during a search, and their files scored on the images that rank."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from bignas_tf import errors
from bignas_tf.api import cards, counting, failures
from bignas_tf.conversion import converter, measure, metadata, tflite
from bignas_tf.exports import probe
from bignas_tf.latency import children
from bignas_tf.latency.disposable import Disposable
from bignas_tf.modeling import slicing
from bignas_tf.modeling.slicing import NamedWeights
from bignas_tf.search_space.architecture import Architecture
from bignas_tf.search_space.parts import ModelSpace
from bignas_tf.selection import reranking
from bignas_tf.selection.converted import Converted
from bignas_tf.selection.evaluator import Evaluator
from bignas_tf.selection.reranking import Reranking
from bignas_tf.selection.splits import Split
from bignas_tf.training.checkpoints import Run
from bignas_tf.training.configs import BigNASConfig


def checked(rerank: str) -> Reranking:
    """Reads text such as "int8:8".

    Raises:
      UsageError: it is malformed, the format is not one of LiteRT's, or LiteRT is not installed.
    """
    which = reranking.parse(rerank)
    errors.require_one_of("rerank's format", which.form, tflite.KINDS)
    converter.check([which.form])
    return which


def scorer(
    run: Run, task: BigNASConfig, evaluator: Evaluator, form: str, elsewhere: Disposable
) -> Callable[[Split, Architecture], Converted]:
    """Makes a function that converts a child and scores its file; see `runner.FileScorer`.

    Args:
      run: whose children they are.
      task: of the search: its images.
      evaluator: of the search.
      form: of the files, one of `tflite.KINDS`.
      elsewhere: what converts; open while the function is used.
    """
    net, models = run.supernet, counting.model_space_of(run)
    calibration: list[np.ndarray] = []

    def score(split: Split, child: Architecture) -> Converted:
        if not calibration:
            calibration.append(cards.calibration_patches(task, cards.CALIBRATION_IMAGES))
        statistics = evaluator.statistics(child)
        weights = list(slicing.slices(net, child, statistics))
        of = models, child, weights, calibration[0], form
        made = failures.of_child(elsewhere, _convert, *of)
        logits = evaluator.logits(child, statistics, split)
        found = _scored(made, split, (expected for expected, _ in logits))
        if not math.isfinite(found.difference):
            raise errors.RunError(f"LiteRT {form}: its logits are not finite")
        figures = found.figures({})
        return Converted(figures.accuracy, figures.lost, figures.lost_error)

    return score


def _scored(made: bytes, split: Split, logits: Iterable[np.ndarray]) -> measure.Score:
    """Answers of a file beside its child's, a batch of the split after the other."""
    found = measure.Score()
    answer = failures.of_child(probe.litert, made)
    for (patches, labels), expected in zip(split, logits, strict=True):
        answers = failures.of_child(answer, patches.numpy())
        found.add(answers, expected, labels.numpy())
    return found


def _convert(
    models: ModelSpace,
    architecture: Architecture,
    weights: Sequence[NamedWeights],
    calibration: np.ndarray,
    form: str,
) -> bytes:
    """Converts a child; runs in the other process."""
    child = children.child(models, architecture, weights)
    numbers = tuple(map(str, range(models.num_classes)))
    description = metadata.FileDescription("child", "Made to be compared.", numbers)
    return tflite.convert(child, form, calibration, description)
