"""Trains a supernet, from the latest checkpoint in --model_dir if there is one.

  python -m tools.train --experiment=bignas_small \\
      --config_file=experiments/fashion_mnist.yaml --model_dir=runs/fashion_mnist
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import configs
from .cli import launch, note_command

configs.define_flags()
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of checkpoints, summaries and the configuration.", required=True
)
_TPU = flags.DEFINE_string("tpu", "", "Name or address of a TPU, for distribution_strategy: tpu.")


def main() -> None:
    config = configs.configured()
    strategy = bignas.training_strategy(config, _TPU.value)
    bignas.fit(config, _MODEL_DIR.value, strategy=strategy)
    if bignas.is_chief(strategy):
        note_command(_MODEL_DIR.value)


if __name__ == "__main__":
    launch(main)
