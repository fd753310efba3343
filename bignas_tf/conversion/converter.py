"""Converts an exported child to other formats, and measures each against the SavedModel."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from bignas_tf import console, errors, files, full_disk, scratch
from bignas_tf.console import Show
from bignas_tf.conversion import measure, metadata, onnx, packages, tflite
from bignas_tf.conversion.figures import ConversionReport
from bignas_tf.exports import proof, publishing, runtimes
from bignas_tf.exports.sliced_graph import AnyChild

_PACKAGES = dict.fromkeys(tflite.KINDS, (packages.LITERT,)) | {"onnx": ("tf2onnx", "onnxruntime")}


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What to convert, and what to measure it on.

    Attributes:
      folder: the version of the export.
      child: the exported child.
      params: how many it has.
      labels: of the classes, in their order.
      calibration: uint8 [N, S, S, C], training images that int8 takes its ranges from.
      split: the name of the images in `batches`.
      batches: patches and labels of images that took no part in training or selection.
      licence: of the model; "" if unknown.
    """

    folder: pathlib.Path
    child: AnyChild
    params: int
    labels: Sequence[str]
    calibration: np.ndarray
    split: str
    batches: measure.Batches
    licence: str = ""


def check(formats: Sequence[str]) -> None:
    """Refuses formats before any work is done for them.

    Raises:
      UsageError: there is none, one is unknown, or one needs a package that is not installed.
    """
    if not formats:
        raise errors.UsageError(f"no format is given: choose from {list(runtimes.FILES)}")
    for name in formats:
        errors.require_one_of("format", name, runtimes.FILES)
    for name in formats:
        for package in _PACKAGES[name]:
            packages.require(package, f"the format {name}")


def write(
    conversion: Conversion, formats: Sequence[str], show: Show = console.silent
) -> ConversionReport:
    """Writes `converted/` of an export: the files, their labels and `report.json`.

    What was there before is replaced, once all is measured.

    Args:
      conversion: what to convert.
      formats: some of `runtimes.FILES`, which `check` has passed.
      show: takes a line for each file, and one before they are measured.

    Returns:
      The report, as it is in the file.

    Raises:
      UsageError: the export is damaged or not writable, or does not have a label for each class.
      RunError: a format cannot be made, its logits are wrong, or there is no room.
    """
    labels, classes = len(conversion.labels), conversion.child.output_shape[-1]
    if labels != classes:
        raise errors.UsageError(f"{conversion.folder}: {labels} labels for {classes} classes")
    proof.read(conversion.folder)
    files.ensure_writable(conversion.folder)
    before = conversion.folder / runtimes.CONVERTED_DIR
    if before.is_dir():
        files.ensure_writable(before)  # a folder that may not be written to cannot be moved either
    with full_disk.explained(conversion.folder), scratch.folder(conversion.folder) as staged:
        publishing.finish(conversion.folder)
        converted = staged / runtimes.CONVERTED_DIR
        converted.mkdir()
        report = _write(conversion, formats, converted, show)
        os.chmod(converted, 0o755)
        publishing.publish_replacements(staged)
    return report


def _write(
    conversion: Conversion, formats: Sequence[str], folder: pathlib.Path, show: Show
) -> ConversionReport:
    """Fills a folder; returns the report."""
    paths = {name: folder / runtimes.FILES[name] for name in formats}
    for name, path in paths.items():
        path.write_bytes(_convert(conversion, name))
        show(f"{path.name}: made")
    files.write_text(folder / metadata.LABEL_FILE, metadata.label_lines(conversion.labels))
    show(f"measuring on the images of {conversion.split}")
    report = measure.formats(conversion.folder, paths, conversion.split, conversion.batches)
    files.write_json(folder / runtimes.REPORT_FILE, report.to_json())
    return report


def _convert(conversion: Conversion, name: str) -> bytes:
    if name == "onnx":
        return onnx.convert(conversion.child, conversion.calibration.shape[1], conversion.labels)
    child = conversion.child
    description = metadata.FileDescription(
        name=f"image classifier, {name}",
        description=f"{conversion.params:,} parameters at {child.input_shape[1]} px",
        labels=tuple(conversion.labels),
        licence=conversion.licence,
    )
    return tflite.convert(child, name, conversion.calibration, description)
