"""Converts an exported child to LiteRT and ONNX files, and measures each on the test images.

  python -m tools.convert --model_dir=runs/fashion_mnist --export_dir=runs/fashion_mnist/export/1

Writes <export_dir>/converted/: child_<kind>.tflite, labels.txt and report.json, and child.onnx if
--formats names onnx. They take uint8 patches as the signature 'patches' of the export does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from absl import flags

from .cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of the run that the export was made of.", required=True
)
_EXPORT_DIR = flags.DEFINE_string(
    "export_dir", None, "Folder of one version, as tools.export wrote it.", required=True
)
_FORMATS = flags.DEFINE_list(
    "formats",
    "float32,float16,dynamic_range,int8",
    "Which: kinds of LiteRT, and onnx (needs requirements-runtimes.txt).",
)
_CALIBRATION_IMAGES = flags.DEFINE_integer(
    "calibration_images", 500, "Training images that int8 takes its ranges from.", lower_bound=1
)


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    import pathlib

    from bignas_tf import files
    from bignas_tf.export import conversion, saved_model
    from bignas_tf.search_space.architecture import Architecture
    from bignas_tf.training import checkpoints

    from . import exporting

    conversion.check(_FORMATS.value)
    folder = pathlib.Path(_EXPORT_DIR.value)
    card = files.read_json(folder / saved_model.CARD_FILE)
    run = checkpoints.load_run(_MODEL_DIR.value)
    _check_source(card, run.source)
    task, labels = run.config.task, files.read_json(folder / saved_model.LABELS_FILE)
    child = exporting.calibrated_child(run, Architecture.from_json(card["architecture"]))
    patches = exporting.calibration_patches(task, _CALIBRATION_IMAGES.value)
    exporting.convert(folder, child, labels, task, patches, _FORMATS.value)


def _check_source(card: dict[str, Any], source: dict[str, Any]) -> None:
    """Refuses a run that is not the one the export was made of."""
    from bignas_tf import errors

    if "finetuned" in card:
        raise errors.UsageError(
            f"{_EXPORT_DIR.value} was fine-tuned since; use --formats of tools.finetune"
        )
    made_of = card.get("source", {})
    if made_of.get("index_sha256") != source["index_sha256"]:
        raise errors.UsageError(
            f"{_EXPORT_DIR.value} was made of checkpoint {made_of.get('checkpoint')}, which is not "
            f"what {_MODEL_DIR.value} holds now; export again"
        )


if __name__ == "__main__":
    launch(main)
