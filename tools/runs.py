"""The run that a tool works on: its flags and weights, and further flags of several such tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from absl import flags

import bignas_tf as bignas
from bignas_tf import run_folder

from . import cli

if TYPE_CHECKING:
    import tensorflow as tf

flags.disclaim_key_flags()  # they are the tool's own, and `--help` of the tool shows them
_DATA_DIR = (
    "Where the run's images are, if not where they were: their folder, a pattern of TFRecords, or "
    "TFDS' data_dir."
)


def define_flags(model_dir: str = "Folder of the training run.", required: bool = True) -> None:
    """Defines --model_dir and --data_dir.

    Args:
      model_dir: the help of that flag.
      required: whether the tool needs it.
    """
    flags.DEFINE_string("model_dir", None, model_dir, required=required)
    flags.DEFINE_string("data_dir", None, _DATA_DIR)
    cli.when_read(check_folder)


def define_architecture(
    default: str | None = None, required: bool = False
) -> flags.FlagHolder[str | None]:
    """Defines --architecture.

    Args:
      default: of that flag.
      required: whether the tool needs it.
    """
    known = "JSON file of the child, 'smallest', 'biggest', or a published child's name."
    return flags.DEFINE_string("architecture", default, known, required=required)


def define_version() -> tuple[flags.FlagHolder[str], flags.FlagHolder[str]]:
    """Defines --output_dir, which gets a version of an export, and --licence."""
    return (
        flags.DEFINE_string("output_dir", None, "Folder of versions: 1/, 2/ …", required=True),
        flags.DEFINE_string("licence", "", "Licence of the model, for its card."),
    )


def define_labels() -> flags.FlagHolder[str | None]:
    """Defines --labels."""
    names = "JSON list of the classes' names; by default the data set's own."
    return flags.DEFINE_string("labels", None, names)


def define_tpu() -> flags.FlagHolder[str]:
    """Defines --tpu, for `bignas_tf.evaluation_strategy`."""
    return flags.DEFINE_string(
        "tpu", "", "TPU whose cores share the images of each child, by name or address."
    )


def check_folder() -> None:
    """Refuses a --model_dir that is no run before TensorFlow is imported, which takes seconds.

    Raises:
      UsageError: it is none.
    """
    if flags.FLAGS.model_dir is not None:
        run_folder.check(flags.FLAGS.model_dir)


def load(strategy: tf.distribute.Strategy | None = None) -> bignas.Run:
    """Loads the run that the flags name.

    Args:
      strategy: whose replicas share the images of children; that of the process if None.

    Raises:
      UsageError: see `bignas_tf.load`.
    """
    given = flags.FLAGS
    return bignas.load(given.model_dir, data_dir=given.data_dir, strategy=strategy)
