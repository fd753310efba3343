"""Accuracy, agreement and time of an export's other formats, beside its SavedModel."""

from __future__ import annotations

import dataclasses
import math
import pathlib
from collections.abc import Iterable, Mapping

import numpy as np
import tensorflow as tf

from bignas_tf import errors, files
from bignas_tf.accuracy import Accuracy, percent
from bignas_tf.conversion import operations, tflite
from bignas_tf.conversion.figures import ConversionReport, FormatFigures
from bignas_tf.exports import probe
from bignas_tf.exports import proof as proof_lib

_SAVED_MODEL = "saved_model"
_THREADS = (1, 2)
_EXACT = ("float32", "onnx")
Batches = Iterable[tuple[tf.Tensor, tf.Tensor]]


def formats(
    folder: pathlib.Path, paths: Mapping[str, pathlib.Path], split: str, batches: Batches
) -> ConversionReport:
    """Measures files, and the SavedModel, on the same images.

    Args:
      folder: a version of an export.
      paths: its files in other formats, by their names in `runtimes.FILES`.
      split: the name of the images.
      batches: patches and labels.

    Raises:
      RunError: the SavedModel does not load, a format's logits are not finite, or those of one
        without loss differ.
    """
    reference = _reference(folder)
    runs = {name: _load(name, path) for name, path in paths.items()}
    scores = {name: Score() for name in (_SAVED_MODEL, *paths)}
    largest, patches = 1.0, np.empty(0)
    for batch, labels in batches:
        patches, expected = batch.numpy(), reference(batch.numpy())
        largest = max(largest, float(np.abs(expected).max()))
        scores[_SAVED_MODEL].add(expected, expected, labels.numpy())
        for name, run in runs.items():
            scores[name].add(run[_THREADS[0]](patches), expected, labels.numpy())
    times = {"default": probe.milliseconds(reference, patches[:1])}
    itself = scores[_SAVED_MODEL].figures(times)
    figures = {_SAVED_MODEL: dataclasses.replace(itself, lost_error=0.0)}  # it loses nothing
    for name, run in runs.items():
        _check(name, scores[name].difference, largest)
        times = {
            str(threads): probe.milliseconds(each, patches[:1]) for threads, each in run.items()
        }
        content = paths[name].read_bytes()
        figures[name] = dataclasses.replace(
            scores[name].figures(times),
            bytes=len(content),
            operations=operations.read(content) if name in tflite.KINDS else None,
            sha256=files.sha256(paths[name]),
        )
    # The proof is the export's own, so that `runtimes` can tell which export the files belong to.
    made_of = files.sha256(folder / proof_lib.PROOF_FILE)
    return ConversionReport(split, made_of, largest, figures)


def table(report: ConversionReport) -> str:
    """What `formats` found, for people: a line each, and what LiteRT's delegate leaves out."""
    columns = "{:<14} {:<7} {:<12} {:<7} {:<9} {:<6} {}"
    lines = [
        f"{report.images:,} images; 'lost' is points of top-1 below the SavedModel's",
        columns.format("format", "top-1", "lost", "agrees", "max diff.", "KB", "ms by threads"),
    ]
    outside = []
    for name, row in report.formats.items():
        lost = f"{100 * row.lost:+.2f}±{100 * row.lost_error:.2f}"
        size = "-" if row.bytes is None else f"{row.bytes / 1000:.0f}"
        times = ", ".join(f"{key}: {value:.3f}" for key, value in row.milliseconds.items())
        figures = percent(row.accuracy.top1), lost, percent(row.agreement)
        lines.append(columns.format(name, *figures, f"{row.max_difference:.2g}", size, times))
        if row.operations:
            left = row.operations.outside_xnnpack
            named = ", ".join(f"{count} {operation}" for operation, count in left.items())
            outside.append(f"{name}: outside XNNPACK: {named or 'nothing'}")
    return "\n".join([*lines, *outside])


def _reference(folder: pathlib.Path) -> probe.Infer:
    try:
        return probe.tensorflow(str(folder))
    except Exception as error:  # whatever TensorFlow raises for a damaged file
        raise errors.RunError(f"{folder} does not load: {errors.one_line(error)}") from error


def _load(name: str, path: pathlib.Path) -> dict[int, probe.Infer]:
    """The file by the threads that it runs on."""
    load = probe.onnxruntime if name == "onnx" else probe.litert
    return {threads: load(str(path), threads) for threads in _THREADS}


def _check(name: str, difference: float, largest: float) -> None:
    allowed = proof_lib.RELATIVE_TOLERANCE * largest if name in _EXACT else math.inf
    # Written so that NaN and infinity fail.
    if not (math.isfinite(difference) and difference <= allowed):
        raise errors.RunError(
            f"{name}: its logits differ from the SavedModel's by up to {difference:.3g}"
        )


@dataclasses.dataclass
class Score:
    """Sums over the images seen so far, of a format and of what it was made from."""

    images: int = 0
    right: int = 0
    agreeing: int = 0
    won: int = 0
    lost: int = 0
    difference: float = 0.0

    def add(self, logits: np.ndarray, reference: np.ndarray, labels: np.ndarray) -> None:
        answer, expected = logits.argmax(-1), reference.argmax(-1)
        right, before = answer == labels, expected == labels
        self.images += len(labels)
        self.right += int(right.sum())
        self.agreeing += int((answer == expected).sum())
        self.won += int((right & ~before).sum())
        self.lost += int((before & ~right).sum())
        # `maximum` keeps NaN, which Python's max may drop.
        self.difference = float(np.maximum(self.difference, np.abs(logits - reference).max()))

    def figures(self, milliseconds: Mapping[str, float]) -> FormatFigures:
        """Fractions, with the standard error of what it loses to the reference."""
        change = (self.lost - self.won) / self.images
        # As `Accuracy.error`: answers that are all alike do not say that no image has another.
        changed = max((self.lost + self.won) / self.images, 1 / (self.images + 2))
        return FormatFigures(
            accuracy=Accuracy(self.right / self.images, self.images),
            lost=change,
            lost_error=math.sqrt((changed - change**2) / self.images),
            agreement=self.agreeing / self.images,
            max_difference=self.difference,
            milliseconds=milliseconds,
        )
