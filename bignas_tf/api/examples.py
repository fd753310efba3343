"""Images of a run's data set as files, to look at and to predict."""

from __future__ import annotations

import os
import pathlib

import tensorflow as tf
from official.core import config_definitions as cfg

from bignas_tf import errors, files, plain
from bignas_tf.api import arguments
from bignas_tf.data import sources
from bignas_tf.selection import splits

_LONGEST_NAME = 200  # bytes; a number and the ending are still to fit into 255


def save_images(
    config: cfg.ExperimentConfig,
    output_dir: str | os.PathLike[str],
    *,
    split: str = "",
    images: int = 5,
) -> list[pathlib.Path]:
    """Saves the first images of a split as PNG, named after their true classes.

    Args:
      config: whose images they are, from `configure`, or a run's `config`.
      output_dir: gets `0_<class>.png` and so on.
      split: such as "train"; the configuration's reporting split if empty.
      images: how many, at least 1.

    Returns:
      Their paths.

    Raises:
      UsageError: no images are asked for, an unknown or empty split, or a folder that cannot be
        written.
      RunError: there is no room.
    """
    images = plain.whole("images", images, 1)
    arguments.check_config(config)
    output_dir = errors.require_path("output_dir", output_dir)
    task = config.task
    names = sources.class_names(task.train_data)
    split = split or task.selection.reporting_split
    opened = splits.open_split(task.train_data, split, images, images)
    patches, labels = (part.numpy() for part in next(iter(opened)))
    folder, paths = files.ensure_writable(output_dir), []
    for index, (patch, label) in enumerate(zip(patches, labels, strict=True)):
        name = names[label].replace("/", "-").replace(" ", "-").lower()
        name = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
        paths.append(folder / f"{index}_{name}.png")
        files.write_bytes(paths[-1], tf.io.encode_png(patch).numpy())
    return paths
