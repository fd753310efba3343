"""Trains a supernet, from the latest checkpoint in --model_dir if there is one.

  python -m tools.train --experiment=bignas_small \\
      --config_file=experiments/fashion_mnist.yaml --model_dir=runs/fashion_mnist
"""

from __future__ import annotations

from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from .cli import EXPERIMENT, launch, note_command

_EXPERIMENT = flags.DEFINE_string("experiment", "bignas_small", EXPERIMENT)
_CONFIG_FILES = flags.DEFINE_multi_string(
    "config_file", [], "YAML that overrides the experiment; may be repeated, later ones win."
)
_PARAMS_OVERRIDE = flags.DEFINE_string(
    "params_override",
    "",
    "Overrides on top of the files, such as "
    "'task.train_data.global_batch_size=64,trainer.train_steps=500', or a YAML file.",
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of checkpoints, summaries and the configuration.", required=True
)
_TPU = flags.DEFINE_string("tpu", "", "Name or address of a TPU, for distribution_strategy: tpu.")


def main(argv: Sequence[str]) -> None:
    del argv
    config = bignas.configure(_EXPERIMENT.value, _CONFIG_FILES.value, _PARAMS_OVERRIDE.value)
    strategy = bignas.training_strategy(config, _TPU.value)
    bignas.fit(config, _MODEL_DIR.value, strategy=strategy)
    if bignas.is_chief(strategy):
        note_command(_MODEL_DIR.value)


if __name__ == "__main__":
    launch(main)
