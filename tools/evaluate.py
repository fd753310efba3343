"""Calibrates and scores one child; prints one JSON line: macs, params, top1, images, error.

python -m tools.evaluate --model_dir=runs/fashion_mnist --architecture=child_2.json
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from .cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child, 'smallest', 'biggest', or a published child's name.",
    required=True,
)
_SPLIT = flags.DEFINE_string("split", "", "Images to score on; the reporting split by default.")
_TPU = flags.DEFINE_string("tpu", "", "TPU whose cores evaluate, by name or address.")


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    run = bignas.load(_MODEL_DIR.value, strategy=bignas.evaluation_strategy(tpu=_TPU.value))
    accuracy = bignas.evaluate(run, _ARCHITECTURE.value, _SPLIT.value)
    cost = bignas.cost(run, _ARCHITECTURE.value)
    line = {"macs": cost.macs, "params": cost.params, **accuracy.to_json()}
    print(json.dumps(line | {"error": accuracy.error}))


if __name__ == "__main__":
    launch(main)
