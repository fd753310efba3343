"""Which space, classes and channels a tool means that needs no trained weights."""

from __future__ import annotations

from absl import flags

import bignas_tf as bignas
from bignas_tf import run_folder

from . import cli, runs

flags.disclaim_key_flags()  # they are the tool's own, and `--help` of the tool shows them


def define_flags(search_space: str) -> None:
    """Defines --search_space, --model_dir, --num_classes and --input_channels.

    Args:
      search_space: the default of that flag.
    """
    flags.DEFINE_string(
        "search_space", search_space, "A preset, or the YAML file of a search space."
    )
    flags.DEFINE_string(
        "model_dir", None, "Folder of a run, which sets space, classes and channels."
    )
    flags.DEFINE_integer(
        "num_classes", None, "Outputs of the classifier; the run's, or 1000.", lower_bound=1
    )
    flags.DEFINE_integer(
        "input_channels", None, "Channels of the images; the run's, or 3.", lower_bound=1
    )
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
        run_folder.check_network(given.model_dir, task.model.network, "counting layer by layer")
        space, data = task.model.search_space, task.train_data
        classes, channels = data.num_classes, data.channels
    return space, given.num_classes or classes, given.input_channels or channels
