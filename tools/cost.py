"""Prints what a child costs, as one line of JSON.

python -m tools.cost --architecture=BigNASModel-S
python -m tools.cost --model_dir=runs/fashion_mnist --architecture=smallest
"""

from __future__ import annotations

import json

from absl import flags

import bignas_tf as bignas

from . import models
from .cli import launch

models.define_flags(search_space="bignas_imagenet")
_ARCHITECTURE = flags.DEFINE_string(
    "architecture",
    None,
    "JSON file of the child to count, 'smallest', 'biggest' or a published name.",
    required=True,
)


def main() -> None:
    """Counts the child named by the flags."""
    space, classes, channels = models.of_flags()
    cost = bignas.cost(space, _ARCHITECTURE.value, classes, channels)
    print(json.dumps(cost._asdict()))


if __name__ == "__main__":
    launch(main)
