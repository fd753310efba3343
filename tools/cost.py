"""Prints what a child costs, as one line of JSON.

Example: python -m tools.cost --published=BigNASModel-S
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

import bignas_tf as bignas

from .cli import launch

SEARCH_SPACE = flags.DEFINE_string(
    "search_space", "bignas_imagenet", "A preset, or the YAML file of a search space."
)
ARCHITECTURE = flags.DEFINE_string("architecture", None, "JSON file of the child to count.")
PUBLISHED = flags.DEFINE_string(
    "published", None, "One of the paper's children to count, such as BigNASModel-S."
)
NUM_CLASSES = flags.DEFINE_integer("num_classes", 1000, "Outputs of the classifier.", lower_bound=1)
INPUT_CHANNELS = flags.DEFINE_integer("input_channels", 3, "Channels of the images.", lower_bound=1)


def main(argv: Sequence[str]) -> None:
    """Counts the child named by the flags."""
    del argv
    if (ARCHITECTURE.value is None) == (PUBLISHED.value is None):
        raise bignas.UsageError("give exactly one of --architecture and --published")
    child = ARCHITECTURE.value or bignas.published(PUBLISHED.value)
    cost = bignas.cost(SEARCH_SPACE.value, child, NUM_CLASSES.value, INPUT_CHANNELS.value)
    print(json.dumps(cost._asdict()))


if __name__ == "__main__":
    launch(main)
