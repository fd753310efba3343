"""The images of a configuration, read before work that a damaged one would undo."""

from __future__ import annotations

import contextlib

from official.core import config_definitions as cfg

from bignas_tf import console, errors, plain
from bignas_tf.api import apart, arguments
from bignas_tf.console import Show
from bignas_tf.data import description, faults, inputs, sources
from bignas_tf.data.config import DataConfig
from bignas_tf.selection import splits


def check_images(
    config: cfg.ExperimentConfig, *, most: int = 100, show: Show | None = console.print_line
) -> list[str]:
    """Reads every image that trains, calibrates, ranks, reports or is evaluated.

    Args:
      config: names the images, from `configure`, or a run's `config`.
      most: faults after which it stops.
      show: takes a line for each split, and warnings: of a split that is absent, of images of a
        local folder that are copies of others which should be apart from them, and of photographs
        that are to be shown turned (EXIF), and a last one if nothing is wrong; None for silence.

    Returns:
      What is wrong, with the name of the image: it cannot be decoded, or its label is out of range.

    Raises:
      UsageError: there are no such images, or their classes do not fit.
    """
    arguments.check_config(config)
    most = plain.whole("most", most, 1)
    show = console.or_silent(show)
    inputs.open_images(config.task.train_data)  # without these, no other is worth a word
    uses, absent = apart.uses_of(config.task)
    console.warn(show, absent)
    ignored = sources.ignored_files(config.task.train_data)
    if ignored:
        show(f"ignored files: {ignored}")
    found: dict[str, None] = {}  # in order; splits may share images
    for data in {each.tfds_split: each for each in uses.values()}.values():
        source = inputs.open_images(data)
        show(f"{data.tfds_split}: reading {source.count:,} images")
        for fault in faults.every(source, data):
            found[str(fault)] = None
            if len(found) == most:
                return list(found)
    if not found:
        if config.task.train_data.source == "folder":
            show("looking for copies and for turned photographs")
            console.warn(show, _doubts(config.task.train_data, uses))
        show("every image that was read can be used")
    return list(found)


def _doubts(data: DataConfig, uses: splits.Uses) -> list[str]:
    """What is odd about a folder whose images can all be read."""
    doubts = splits.copies_within(uses)
    # Pillow, which looks here, refuses what training takes: a PNG with a wrong checksum of a text.
    with contextlib.suppress(errors.UsageError):
        doubts += filter(None, [description.of(sources.scanned(data)).orientation])
    return doubts
