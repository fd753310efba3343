"""TensorFlow's list of the checkpoints in a run's folder: which one is the latest."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

from bignas_tf import errors, files, run_folder

_INDEX = re.compile(r"ckpt-(\d+)\.index")

T = TypeVar("T")


def latest(model_dir: str) -> str | None:
    """The latest checkpoint of a run; None if nothing was saved yet.

    `tf.train.latest_checkpoint` also gives None where TensorFlow's list of the checkpoints is lost
    or damaged. A run that took that for a new folder would overwrite what is there.

    Raises:
      UsageError: the list is missing, damaged, or names a checkpoint that does not exist.
    """
    listed, saved = os.path.join(model_dir, run_folder.CHECKPOINTS_FILE), saved_steps(model_dir)
    if not files.is_file(listed):
        if saved:
            raise _lost(listed, "is missing", saved)
        return None
    checkpoint = named(model_dir)
    if checkpoint is None:
        raise _lost(listed, "is empty or not a list of checkpoints", saved)
    if not files.is_file(f"{checkpoint}.index"):
        raise _lost(listed, f"names {os.path.basename(checkpoint)}, which does not exist", saved)
    return checkpoint


def no_checkpoint(model_dir: str) -> errors.UsageError:
    """The error to raise of a run that has saved nothing yet."""
    return errors.UsageError(f"{model_dir} holds no checkpoint; train first")


def read_latest(model_dir: str, read: Callable[[str], T]) -> T | None:
    """Reads the latest checkpoint of a run that may be training.

    A training run deletes the oldest checkpoint when it has saved a new one. If that was the one
    being read, the newer one is read in its place.

    Args:
      model_dir: folder of the run.
      read: takes a checkpoint; raises a `UsageError` if it cannot be read.

    Returns:
      What `read` does; None if nothing was saved yet.

    Raises:
      UsageError: the latest checkpoint cannot be read, and no newer one has appeared.
    """
    while True:
        before = named(model_dir)
        try:
            checkpoint = latest(model_dir)
            return read(checkpoint) if checkpoint else None
        except errors.UsageError:
            if named(model_dir) == before:
                raise


def saved_steps(model_dir: str) -> list[int]:
    """The steps of the whole checkpoints in a folder, ascending."""
    names = tf.io.gfile.listdir(model_dir) if tf.io.gfile.isdir(model_dir) else []
    return sorted(int(found[1]) for found in map(_INDEX.fullmatch, names) if found)


def remove_unlisted(model_dir: str) -> None:
    """Removes the index of a first checkpoint that could not be saved, whole as it may look.

    Where there is a list, whatever is in it, nothing is removed.
    """
    if not files.is_file(os.path.join(model_dir, run_folder.CHECKPOINTS_FILE)):
        for step in saved_steps(model_dir):
            files.remove(os.path.join(model_dir, f"ckpt-{step}.index"))


def named(model_dir: str) -> str | None:
    """The checkpoint that a folder's list calls the latest; None if it does not say."""
    try:
        state = tf.train.get_checkpoint_state(model_dir)
    except ValueError:  # an empty list, or one that is not text
        return None
    return state.model_checkpoint_path if state else None


def _lost(listed: str, problem: str, saved: list[int]) -> errors.UsageError:
    """A refusal that lists the checkpoints and says how to continue from one of them."""
    if not saved:
        return errors.UsageError(
            f"{listed} {problem}, and no checkpoint (ckpt-N.index) is beside it; delete it to "
            "train from the beginning"
        )
    names = ", ".join(f"ckpt-{step}" for step in saved)
    return errors.UsageError(
        f"{listed} {problem}, but beside it are {names}; to continue from the last one, make it "
        f"the one line 'model_checkpoint_path: \"ckpt-{saved[-1]}\"'; to train from the beginning, "
        "use another model_dir"
    )
