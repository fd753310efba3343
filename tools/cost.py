"""Prints what a child costs, as one line of JSON.

python -m tools.cost --architecture=BigNASModel-S
python -m tools.cost --model_dir=runs/fashion_mnist --architecture=smallest
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from . import models
from .cli import launch

flags.DEFINE_string(
    "search_space", "bignas_imagenet", "A preset, or the YAML file of a search space."
)
models.define_run()
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child to count, 'smallest', 'biggest' or a published name.",
    required=True,
)
flags.DEFINE_integer(
    "num_classes", None, "Outputs of the classifier; the run's, or 1000.", lower_bound=1
)
flags.DEFINE_integer(
    "input_channels", None, "Channels of the images; the run's, or 3.", lower_bound=1
)


def main(argv: Sequence[str]) -> None:
    """Counts the child named by the flags."""
    del argv
    space, classes, channels = models.of_flags()
    cost = bignas.cost(space, _ARCHITECTURE.value, classes, channels)
    print(json.dumps(cost._asdict()))


if __name__ == "__main__":
    launch(main)
