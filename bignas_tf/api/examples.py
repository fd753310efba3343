"""Images of a run's data set as files, to look at and to predict."""

from __future__ import annotations

import os
import pathlib

from official.core import config_definitions as cfg
from PIL import Image

from bignas_tf import files
from bignas_tf.data import sources
from bignas_tf.selection import splits


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
      images: how many.

    Returns:
      Their paths.

    Raises:
      UsageError: an unknown or empty split, or a folder that cannot be written.
    """
    task, folder = config.task, files.ensure_writable(output_dir)
    names = sources.class_names(task.train_data)
    split = split or task.selection.reporting_split
    opened = splits.open_split(task.train_data, split, images, images)
    patches, labels = (part.numpy() for part in next(iter(opened)))
    paths = []
    for index, (patch, label) in enumerate(zip(patches, labels, strict=True)):
        name = names[label].replace("/", "-").replace(" ", "-").lower()
        paths.append(folder / f"{index}_{name}.png")
        Image.fromarray(patch.squeeze()).save(paths[-1])
    return paths
