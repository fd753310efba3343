"""The images of a configuration, read once before work that a damaged one would undo."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from official.core import config_definitions as cfg

from bignas_tf import console
from bignas_tf.api import apart, arguments
from bignas_tf.console import Show
from bignas_tf.data import faults, inputs
from bignas_tf.data.config import DataConfig


def check_images(
    config: cfg.ExperimentConfig, *, most: int = 100, show: Show | None = console.print_line
) -> list[str]:
    """Reads every image that trains, calibrates, ranks, reports or is evaluated, once.

    Args:
      config: names the images, from `configure`, or a run's `config`.
      most: faults after which it stops.
      show: takes a line for each split; None for silence.

    Returns:
      What is wrong, with the name of the image: it cannot be decoded, or its label is out of range.

    Raises:
      UsageError: there are no such images, or their classes do not fit.
    """
    arguments.check_config(config)
    most = arguments.whole("most", most, 1)
    uses = {each.tfds_split: each for each in apart.uses_of(config.task).values()}
    found = _faults(list(uses.values()), console.or_silent(show))
    return list(itertools.islice(dict.fromkeys(found), most))


def _faults(uses: list[DataConfig], show: Show) -> Iterator[str]:
    for data in uses:
        source = inputs.open_images(data)
        show(f"{data.tfds_split}: reading {source.count:,} images")
        for fault in faults.every(source, data):
            yield str(fault)
