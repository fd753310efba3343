"""Converts an exported child to LiteRT and ONNX files, and measures each on the test images.

  python -m tools.convert --model_dir=runs/fashion_mnist --export_dir=runs/fashion_mnist/export/1

Writes <export_dir>/converted/: child_<kind>.tflite, labels.txt and report.json, and child.onnx if
--formats names onnx. They take uint8 patches, as the signature 'patches' of the export does.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import runs
from .cli import launch

runs.define_flags("Folder of the exported run.")
_EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "Folder of one version, as tools.export wrote it.", required=True
)
_FORMATS = flags.DEFINE_list(
    "formats",
    ["float32", "float16", "dynamic_range", "int8"],
    "Kinds of LiteRT, and onnx, which needs the extra packages `runtimes`.",
)
_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "calibration_images",
    None,
    "Calibration images of the export that int8 takes its ranges from; 500 if unset.",
    lower_bound=1,
)


def main() -> None:
    run = runs.load()
    bignas.convert(
        run, _EXPORT_DIR.value, _FORMATS.value, calibration_images=_CALIBRATION_IMAGES.value
    )


if __name__ == "__main__":
    launch(main)
