"""Which space, classes and channels a tool means that needs no trained weights."""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas

from . import cli, runs


def define_run() -> None:
    """Defines --model_dir."""
    what = "Folder of a run, which sets space, classes and channels."
    flags.DEFINE_string("model_dir", None, what)
    cli.when_read(runs.check_folder)


def of_flags() -> tuple[str, int | None, int | None]:
    """What --model_dir says, or --search_space; --num_classes and --input_channels win.

    Returns:
      The space, the classes and the channels; None for what nobody has set.

    Raises:
      UsageError: both flags are given, or the folder is not that of a run.
    """
    given = flags.FLAGS
    space, classes, channels = given.search_space, None, None
    if given.model_dir is not None:
        if given["search_space"].present:
            raise bignas.UsageError("give --model_dir or --search_space: a run has its own space")
        task = bignas.read_config(given.model_dir).task
        space, data = task.model.search_space, task.train_data
        classes, channels = data.num_classes, data.channels
    return space, given.num_classes or classes, given.input_channels or channels
