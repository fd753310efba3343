"""Prints what a child costs, as one line of JSON.

python -m tools.cost --architecture=BigNASModel-S
python -m tools.cost --model_dir=runs/fashion_mnist --architecture=smallest
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from .cli import launch

_SEARCH_SPACE = flags.DEFINE_string(
    "search_space", "bignas_imagenet", "A preset, or the YAML file of a search space."
)
_MODEL_DIR = flags.DEFINE_string(
    "model_dir", None, "Folder of a run, which sets space, classes and channels."
)
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child to count, 'smallest', 'biggest' or a published name.",
    required=True,
)
_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", None, "Outputs of the classifier; the run's, or 1000.", lower_bound=1
)
_INPUT_CHANNELS = flags.DEFINE_integer(
    "input_channels", None, "Channels of the images; the run's, or 3.", lower_bound=1
)


def main(argv: Sequence[str]) -> None:
    """Counts the child named by the flags."""
    del argv
    space, classes, channels = _models()
    cost = bignas.cost(
        space, _ARCHITECTURE.value, _NUM_CLASSES.value or classes, _INPUT_CHANNELS.value or channels
    )
    print(json.dumps(cost._asdict()))


def _models() -> tuple[str, int | None, int | None]:
    """The space, and the classes and channels of --model_dir."""
    if _MODEL_DIR.value is None:
        return _SEARCH_SPACE.value, None, None
    if flags.FLAGS["search_space"].present:
        raise bignas.UsageError("give --model_dir or --search_space: a run has its own space")
    task = bignas.read_config(_MODEL_DIR.value).task
    return task.model.search_space, task.train_data.num_classes, task.train_data.channels


if __name__ == "__main__":
    launch(main)
