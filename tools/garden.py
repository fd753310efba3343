"""Trains and exports detectors and segmenters of the TensorFlow Model Garden on a child.

  python -m tools.garden --experiment=retinanet_bignas \\
      --config_file=experiments/scenes_retinanet.yaml --model_dir=runs/retinanet \\
      --params_override=task.model.backbone.bignas_child.export_dir=runs/demo/smallest/1
  python -m tools.garden --mode=export --experiment=retinanet_bignas \\
      --config_file=runs/retinanet/params.yaml --model_dir=runs/retinanet \\
      --output_dir=runs/retinanet/export

A training is continued from its latest checkpoint if there is one.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import configs
from .cli import launch, note_command

_EXPERIMENT = flags.DEFINE_string(
    "experiment",
    None,
    "'retinanet_bignas', 'semantic_segmentation_bignas', or any experiment of the Model Garden "
    "whose model has a backbone.",
    required=True,
)
_MODE = flags.DEFINE_enum(
    "mode", "train_and_eval", ["train", "train_and_eval", "eval", "export"], "What to do."
)
configs.define_overrides("task.model.backbone.bignas_child.export_dir=runs/photos/export/1")
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of checkpoints, summaries and the configuration.", required=True
)
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder of versions: 1/, 2/ …, for export.")
_INPUT_TYPE = flags.DEFINE_enum(
    "input_type", "image_tensor", ["image_tensor", "image_bytes"], "What an export takes."
)


@flags.multi_flags_validator(
    ["mode", "output_dir"], message="--mode=export needs --output_dir, and no other mode takes it"
)
def _names_output(values: dict[str, str | None]) -> bool:
    return (values["mode"] == "export") == (values["output_dir"] is not None)


@flags.multi_flags_validator(
    ["mode", "input_type"], message="--input_type is for --mode=export; no other mode takes it"
)
def _exports(values: dict[str, str]) -> bool:
    return values["mode"] == "export" or not flags.FLAGS["input_type"].present


def main() -> None:
    given = flags.FLAGS
    config = bignas.configure_garden(_EXPERIMENT.value, given.config_file, given.params_override)
    if _MODE.value == "export":
        kind = _INPUT_TYPE.value
        print(bignas.export_garden(config, _MODEL_DIR.value, _OUTPUT_DIR.value, input_type=kind))
        return
    metrics = bignas.train_garden(config, _MODEL_DIR.value, _MODE.value)
    if _MODE.value != "eval":
        note_command(_MODEL_DIR.value)
    for name, value in sorted(metrics.items()):
        print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    launch(main)
