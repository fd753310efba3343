"""Prints what a child costs, as one line of JSON.

Example: python -m tools.cost --published=BigNASModel-S
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from absl import flags

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
    from bignas_tf import errors
    from bignas_tf.search_space import cost, presets
    from bignas_tf.search_space.architecture import Architecture

    if (ARCHITECTURE.value is None) == (PUBLISHED.value is None):
        raise errors.UsageError("give exactly one of --architecture and --published")
    if PUBLISHED.value is not None:
        architecture = presets.published(PUBLISHED.value)
    else:
        architecture = Architecture.load(ARCHITECTURE.value)
    space = presets.get(SEARCH_SPACE.value)
    counted = cost.count(space, architecture, NUM_CLASSES.value, INPUT_CHANNELS.value)
    print(json.dumps(counted._asdict()))


if __name__ == "__main__":
    launch(main)
