"""Converts an exported child to other formats, and measures each against the SavedModel."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import pathlib
import shutil
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import tf_keras

from bignas_tf import errors, files
from bignas_tf.export import measure, metadata, onnx, runtimes, tflite

REPORT_FILE = "report.json"


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What to convert, and what to measure it on.

    Attributes:
      folder: the version of the export.
      child: from `slicing.sliced_child`, what the export was made of.
      labels: of the classes, in their order.
      calibration: uint8 [N, S, S, C], training images that int8 takes its ranges from.
      split: the name of the images in `batches`.
      batches: patches and labels of images that took no part in anything.
    """

    folder: pathlib.Path
    child: tf_keras.Model
    labels: Sequence[str]
    calibration: np.ndarray
    split: str
    batches: measure.Batches


def check(formats: Sequence[str]) -> None:
    """Refuses formats before any work is done for them.

    Raises:
      UsageError: one is unknown, or needs a package that is not installed.
    """
    unknown = sorted(set(formats) - set(runtimes.FILES))
    if unknown or not formats:
        raise errors.UsageError(f"formats {unknown}: choose from {list(runtimes.FILES)}")
    for package in ("tf2onnx", "onnxruntime"):
        if "onnx" in formats and not importlib.util.find_spec(package):
            raise errors.UsageError(f"the format onnx needs {package}; run `make env-runtimes`")


def write(conversion: Conversion, formats: Sequence[str]) -> dict[str, Any]:
    """Writes `converted/` of an export: the files, their labels and `report.json`.

    What was there before is replaced, once all is measured.

    Args:
      conversion: what to convert.
      formats: some of `runtimes.FILES`, which `check` has passed.

    Returns:
      The report, plain: for the SavedModel and each format top-1 on the split, agreement with
      the SavedModel, milliseconds, and what runs how.

    Raises:
      UsageError: the export's folder is not writable.
      RunError: a format cannot be made, or its logits are wrong.
    """
    files.ensure_writable(conversion.folder)
    scratch = pathlib.Path(tempfile.mkdtemp(dir=conversion.folder, prefix=".unverified-"))
    try:
        for name in formats:
            (scratch / runtimes.FILES[name]).write_bytes(_convert(conversion, name))
        files.write_text(
            scratch / metadata.LABEL_FILE, "".join(f"{each}\n" for each in conversion.labels)
        )
        paths = {name: scratch / runtimes.FILES[name] for name in formats}
        measured = measure.formats(conversion.folder, paths, conversion.batches)
        report = {"split": conversion.split, **measured}
        files.write_json(scratch / REPORT_FILE, report)
        os.chmod(scratch, 0o755)
        final = conversion.folder / runtimes.CONVERTED_DIR
        shutil.rmtree(final, ignore_errors=True)
        os.rename(scratch, final)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return report


def _convert(conversion: Conversion, name: str) -> bytes:
    if name == "onnx":
        return onnx.convert(conversion.child, conversion.calibration.shape[1], conversion.labels)
    child = conversion.child
    description = metadata.Description(
        name=f"image classifier, {name}",
        description=f"{child.count_params():,} parameters at {child.input_shape[1]} px",
        labels=tuple(conversion.labels),
    )
    return tflite.convert(child, name, conversion.calibration, description)
