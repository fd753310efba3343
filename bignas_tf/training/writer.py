"""A run has one writer: a training locks its folder, and clears what a kill left."""

from __future__ import annotations

import contextlib
import os
import pathlib
import re
from collections.abc import Iterator

import tensorflow as tf

from bignas_tf import files, locking, scratch, workers
from bignas_tf.console import Show

LOCK_FILE = ".training.lock"
# TensorFlow's names for the parts of a checkpoint; `scratch` sweeps what we write ourselves.
_HALF_WRITTEN = re.compile(
    r"ckpt-\d+_temp.*|ckpt-\d+\..*\.tempstate\d+|checkpoint\.tmp[0-9a-f]{32}"
)


@contextlib.contextmanager
def sole(model_dir: str, strategy: tf.distribute.Strategy, show: Show) -> Iterator[None]:
    """Context in which no other training can write the folder of a run.

    The chief of several workers holds the lock; all of them call this together.

    Args:
      model_dir: folder of the run, which exists; a remote one cannot be locked.
      strategy: the devices of the run.
      show: takes a line where there are no locks.

    Raises:
      UsageError: another training holds the lock, or this user may not write; raised on every
        worker.
      RunError: the disk is full.
    """
    with workers.held_by_chief(strategy, lambda: _locked(model_dir, show)):
        yield


@contextlib.contextmanager
def _locked(model_dir: str, show: Show) -> Iterator[None]:
    if files.is_remote(model_dir):
        _warn(f"{model_dir} is remote, and such folders cannot be locked", show)
        yield
        return
    # The file stays: a lock on a deleted file would exclude no other process.
    path = pathlib.Path(model_dir, LOCK_FILE)
    with locking.held(path, "a training run", "model_dir", required=False) as unlocked:
        if unlocked:
            _warn(unlocked, show)
        else:
            _sweep(pathlib.Path(model_dir), show)
        yield


def _sweep(folder: pathlib.Path, show: Show) -> None:
    """Deletes half-written files; as the folder is locked, no living process is writing them."""
    left = sorted(path for path in folder.iterdir() if _HALF_WRITTEN.fullmatch(path.name))
    for path in left:
        scratch.remove(path)
    if names := ", ".join(path.name for path in left if not os.path.lexists(path)):
        show(f"removed incomplete files of a killed run: {names}")


def _warn(problem: str, show: Show) -> None:
    show(f"{problem}: make sure that no other training writes into the run's folder")
