"""Calibrates and scores one child; prints one JSON line: macs, params, top1, images.

python -m tools.evaluate --model_dir=runs/fashion_mnist --architecture=child_2.json
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

from .cli import launch, no_chatter

_MODEL_DIR = flags.DEFINE_string("model_dir", None, "Folder of the training run.", required=True)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child, 'smallest', 'biggest', or a published child's name.",
    required=True,
)
_SPLIT = flags.DEFINE_string("split", "", "Images to score on; the reporting split by default.")


def main(argv: Sequence[str]) -> None:
    del argv
    no_chatter()
    from bignas_tf.search_space import presets
    from bignas_tf.selection import runner, splits
    from bignas_tf.training import checkpoints

    run = checkpoints.load_run(_MODEL_DIR.value)
    architecture = presets.child(run.space, _ARCHITECTURE.value)
    task, net = run.config.task, run.supernet
    evaluator = runner.build_evaluator(net, task.train_data, task.selection)
    split = _SPLIT.value or task.selection.reporting_split
    images = splits.open_split(task.train_data, split, task.selection.batch_size)
    ((_, score),) = evaluator.scores([architecture], images)
    counted = net.cost_of(architecture)
    print(json.dumps({"macs": counted.macs, "params": counted.params, **score._asdict()}))


if __name__ == "__main__":
    launch(main)
