"""The run that a tool works on: its flags, and its weights."""

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
