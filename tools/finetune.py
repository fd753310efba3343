"""Trains one child for other classes, and exports it through the same gate as tools.export.

  python -m tools.finetune --model_dir=runs/fashion_mnist --architecture=smallest \\
      --config_file=photos.yaml --params_override=trainer.train_steps=300 \\
      --output_dir=runs/photos/export --formats=float32,int8

The configuration is written as for a training run; its images, their splits, seed, optimiser and
steps are read, and nothing else. Keras' fit starts from the child's calibrated weights and a new
classifier. This is not part of the paper, whose children need no training; it is for data sets too
small to train a supernet on.
"""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import configs, runs
from .cli import launch

runs.define_flags("Folder of the run that the child comes from.")
_ARCHITECTURE = runs.define_architecture(required=True)
configs.define_flags()
_OUTPUT_DIR, _LICENCE = runs.define_version()
_FORMATS = flags.DEFINE_list("formats", [], "Also convert to these; see tools.convert.")


def main() -> None:
    run = runs.load()
    config = configs.configured(run=run)
    bignas.finetune(
        run,
        _ARCHITECTURE.value,
        config,
        _OUTPUT_DIR.value,
        formats=_FORMATS.value,
        licence=_LICENCE.value,
    )


if __name__ == "__main__":
    launch(main)
